#!/usr/bin/python3
"""Tests of how scripts/run-boot-tests reads a test for several machines, and that docs/testing.md says what runs where."""
import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)


def table(*lines):
    """(status, output) of the table of one test with these lines."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "t.test")
        open(path, "w").write("\n".join(lines) + "\n")
        return run("--table", path)


def run(*options):
    done = subprocess.run(["scripts/run-boot-tests", *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def row(*lines):
    return table(*lines)[1].strip().split("\n")[-1]


class BootTests(unittest.TestCase):
    def test_the_table_of_the_documentation_is_what_the_tests_say(self):
        text = open(os.path.join(ROOT, "docs", "testing.md")).read()
        documented = re.search(r"<!-- scripts/run-boot-tests --table -->\n(.*?)<!-- end -->", text, re.S).group(1)
        self.assertEqual(documented, run("--table")[1])

    def test_also_is_a_run_on_a_further_machine(self):
        self.assertEqual(row("expect a", "also qemu"), "| `t` | yes | yes |  |")
        self.assertEqual(row("expect a", "also qemu", "also ryzen --mem 512"), "| `t` | yes | yes | yes |")

    def test_a_test_says_why_it_does_not_run_in_qemu(self):
        self.assertEqual(row("expect a", "not qemu of that"), "| `t` | yes | of that |  |")
        status, output = table("expect a")
        self.assertNotEqual(status, 0)
        self.assertIn('neither "also qemu" nor "not qemu"', output)

    def test_the_emu_line_is_a_machine_too(self):
        self.assertEqual(row("expect a", "emu --emu qemu", "not vmx of that"), "| `t` | of that | yes |  |")
        self.assertEqual(row("expect a", "emu --cpu-model ryzen", "not vmx of that"), "| `t` | of that |  | yes |")
        self.assertEqual(row("run true", "where qemu", "not vmx of that"), "| `t` | of that | yes |  |")

    def test_a_test_says_why_it_does_not_run_on_vt_x(self):
        for lines in (("expect a", "emu --emu qemu"), ("expect a", "emu --cpu-model ryzen"), ("run true", "where qemu")):
            status, output = table(*lines)
            self.assertNotEqual(status, 0)
            self.assertIn('no "not vmx" with the reason', output)

    def test_a_run_that_expects_nothing_on_one_machine_is_refused(self):
        status, output = table("on vmx expect a", "also qemu")
        self.assertNotEqual(status, 0)
        self.assertIn("it expects nothing", output)

    def test_a_model_of_bochs_is_not_for_qemu(self):
        self.assertNotEqual(table("expect a", "emu --cpu-model corei7_haswell_4770", "also qemu")[0], 0)
        self.assertEqual(table("expect a", "emu --cpu-model corei7_haswell_4770", "also qemu --cpu-model max,+svm")[0], 0)

    def test_unknown_machines_and_keys_are_refused(self):
        for line in ("also vmx", "on arm expect a", "not bochs of that", "on vmx expcet a"):
            self.assertNotEqual(table("expect a", "not qemu of that", line)[0], 0, line)


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(BootTests))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad))
    raise SystemExit(0 if result.testsRun and not bad else 1)
