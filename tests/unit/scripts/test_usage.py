#!/usr/bin/python3
"""Tests of what the scripts say to a name or number that does not exist: one line, before anything is run."""
import os
import subprocess
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)


def said(*command):
    """(status, output)."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                          env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")})
    return done.returncode, done.stdout


class Usage(unittest.TestCase):
    def test_fuzz_lists_the_harnesses_if_there_is_no_such(self):
        for name in ("nonsense", "replay"):
            status, output = said("scripts/fuzz", "--seconds", "0", "acpi", name)
            self.assertEqual(status, 1)
            self.assertRegex(output, r'\Afuzz: no harness "%s"; there are: acpi, .*trace_decode\n\Z' % name)

    def test_faults_says_that_no_fault_has_that_name(self):
        self.assertEqual(said("scripts/faults", "--fault", "nonsense"),
                         (1, 'faults: no fault has "nonsense" in its name (tests/faults/*.faults lists them)\n'))

    def test_run_boot_tests_says_that_there_is_no_such_file(self):
        self.assertEqual(said("scripts/run-boot-tests", "nonsense"), (1, 'run-boot-tests: no test file "nonsense": tests/emu/*.test\n'))

    def test_a_model_of_bochs_is_refused_for_qemu(self):
        for model in ("ryzen", "corei7_haswell_4770"):
            self.assertEqual(said("scripts/emu", "--emu", "qemu", "--cpu-model", model, "--image", "Makefile"),
                             (1, "emu: %s is a Bochs model: EMU=bochs CPU=%s\n" % (model, model)))

    def test_hostile_speaks_of_seeds_as_make_does(self):
        for option, name, value, least in (("--seeds", "SEEDS", "x", 1), ("--seeds", "SEEDS", "0", 1), ("--seeds", "SEEDS", "", 1), ("--seed", "SEED", "-1", 0)):
            self.assertEqual(said("scripts/hostile", option + "=" + value),
                             (1, "hostile: %s=%s: it must be a number, %d or more\n" % (name, value, least)))

    def test_make_help_lists_the_main_targets(self):
        status, output = said("make", "-s", "help")
        self.assertEqual(status, 0)
        names = [line.split()[0].rstrip(",") for line in output.splitlines()]
        for name in "all run test check unit image bench hostile faults fuzz coverage lint size reproducible lab-N clean help".split():
            self.assertIn(name, names)


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Usage))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad))
    raise SystemExit(0 if result.testsRun and not bad else 1)
