#!/usr/bin/python3
"""Tests of how scripts/coverage reads what machines counted, and of its sums."""
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import types
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)


def load():
    loader = importlib.machinery.SourceFileLoader("coverage_script", os.path.join(ROOT, "scripts", "coverage"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("coverage_script", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
coverage = load()


def counted(text, size=4):
    """(whole, counters) of a machine that wrote this to port E9h."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "machine")
        open(path, "w").write(text)
        counters = [0] * size
        return coverage.add_machine(path, counters), counters


class Coverage(unittest.TestCase):
    def test_what_is_told_several_times_is_added(self):
        self.assertEqual(counted("~1 a\n~end\n~1 6\n~3 1\n~end\n"), (True, [0, 16, 0, 1]))

    def test_lines_after_the_last_end_do_not_count(self):
        self.assertEqual(counted("~1 1\n~end\n~1 5\n~2 5\n"), (True, [0, 1, 0, 0]))
        self.assertEqual(counted("~1 1\n~0 1\n"), (False, [0, 0, 0, 0]))

    def test_lines_of_others_and_cut_ones_are_left_out(self):
        self.assertEqual(counted("Next at t=0\n~2 7\n~1\n~1 2 3\n~end\n"), (True, [0, 0, 7, 0]))

    def test_a_machine_that_says_nothing_is_told_apart(self):
        self.assertEqual(counted(""), (False, [0, 0, 0, 0]))

    def test_a_counter_that_the_build_does_not_have_is_an_error(self):
        with self.assertRaises(SystemExit):
            counted("~4 1\n~end\n")

    def test_a_name_that_no_boot_test_has_is_an_error(self):
        self.assertTrue(coverage.boot_tests(types.SimpleNamespace(tests="the_page_at_0")))
        for name in ("no_such_test", "labs_refuse_their_holes"):
            with self.assertRaises(SystemExit):
                coverage.boot_tests(types.SimpleNamespace(tests=name))

    def test_sums_keep_what_is_covered_apart_from_what_there_is(self):
        one = {kind: (1, 4) for kind in coverage.KINDS}
        two = {kind: (3, 5) for kind in coverage.KINDS}
        self.assertEqual(coverage.added([one, two]), {kind: (4, 9) for kind in coverage.KINDS})


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Coverage))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad))
    raise SystemExit(0 if result.testsRun and not bad else 1)
