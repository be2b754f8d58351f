#!/usr/bin/python3
"""Tests of scripts/lab: the holes that it cuts, the messages that it makes, and that every description fits the sources."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
SOURCE = """int before;

/* What f does,
 * in two lines. */
static int f(int a)
{
    int b = a;
    return b;
}

static int g(void)
{
    return 2;
}

int after;"""


def load():
    loader = importlib.machinery.SourceFileLoader("lab", os.path.join(ROOT, "scripts", "lab"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lab", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


lab = load()


def hole(first, last=None, stub=("STUB",)):
    h = lab.Hole("x.c")
    h.first, h.last, h.stub = first, last or first, list(stub)
    return h


class Labs(unittest.TestCase):
    def test_a_function_is_cut_with_its_comment(self):
        text, line = lab.cut(SOURCE, hole("static int f("))
        self.assertEqual(text, "int before;\n\nSTUB\n\nstatic int g(void)\n{\n    return 2;\n}\n\nint after;")
        self.assertEqual(line, 3)

    def test_several_functions_are_cut_at_once(self):
        text, _ = lab.cut(SOURCE, hole("static int f(", "static int g("))
        self.assertEqual(text, "int before;\n\nSTUB\n\nint after;")

    def test_one_line_is_cut_alone(self):
        text, _ = lab.cut(SOURCE, hole("int b = a;", stub=()))
        self.assertEqual(text, SOURCE.replace("    int b = a;\n", ""))

    def test_a_line_that_is_not_there_once_is_refused(self):
        for first in ("static int h(", "static int", "return"):
            with self.assertRaises(SystemExit):
                lab.cut(SOURCE, hole(first))

    def test_a_lab_that_is_there_already_is_left_as_it_is_and_says_how_to_go_on(self):
        one, place = lab.Lab("1"), lab.place_of
        with tempfile.TemporaryDirectory() as tree:
            lab.place_of = lambda _: tree
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                lab.make(one)
            lab.place_of = place
            self.assertEqual(os.listdir(tree), [])
        self.assertIn("is there already, with your work in it: nothing was changed.", out.getvalue())
        self.assertIn("  grade  make grade-1\n", out.getvalue())
        self.assertRegex(out.getvalue(), r"  anew   rm -r \S+ && make lab-1\n")

    def test_every_description_fits_the_sources(self):
        done = subprocess.run([os.path.join(ROOT, "scripts", "lab"), "check"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout, "6 exercises fit the sources\n")

    def test_a_failure_that_the_guest_reports_has_its_name(self):
        text = "[a] exercise: check one\n[a] exercise: wrong: one: saw 1; expected 2\n"
        problem = lab.find_sign(lab.Lab("1"), text)
        self.assertEqual((problem.name, str(problem)), ("one", "saw 1; expected 2"))

    def test_a_silent_guest_failed_what_it_checked_last(self):
        self.assertIsNone(lab.find_sign(lab.Lab("1"), "exercise: check one\nexercise: check two\n"))
        self.assertEqual(lab.silence("exercise: check one\nexercise: check two\n", "time").name, "two")
        self.assertEqual(lab.silence("Trapeze 0.1\n", "time").name, "silent")

    def test_every_message_of_a_hole_has_a_hint(self):
        for number in lab.numbers():
            exercise = lab.Lab(number)
            self.assertFalse(exercise.hint(exercise.one["empty"]).startswith("see "), number)


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
