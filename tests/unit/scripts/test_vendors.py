#!/usr/bin/python3
"""Tests of scripts/vendors, on small trees made here: what it must find, and what it must not."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)


def check(source, allowed="", path="hv/vm/planted.c"):
    """(status, output) for a tree with this one file."""
    with tempfile.TemporaryDirectory() as tree:
        for name, text in ((path, source), ("scripts/vendors.txt", allowed)):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            with open(os.path.join(tree, name), "w") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "scripts", "vendors"), tree], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout


class Vendors(unittest.TestCase):
    def found(self, source, text, **options):
        status, output = check(source, **options)
        self.assertEqual(status, 1, output)
        self.assertIn(text, output)

    def test_a_backends_header_is_found(self):
        self.found('#include "arch/x86_64/svm/svm.h"\n', "planted.c:1: arch/x86_64/svm/svm.h")

    def test_a_vendor_test_is_found(self):
        self.found("\nint f(void)\n{\n    return cpu_features.svm;\n}\n", "planted.c:4: svm")
        self.found("int f(void) { return is_intel(); }\n", "is_intel")
        self.found("int f(void) { return cpuid(CPUID_VENDOR, 0).ebx; }\n", "CPUID_VENDOR")

    def test_asking_for_the_backends_name_is_found(self):
        self.found("bool f(void) { return !strcmp(vt . name, x); }\n", "vt.name")

    def test_conditional_compilation_is_found(self):
        self.found("#ifdef SOMETHING\n#endif\n", "planted.c:1: #ifdef")
        self.found("int x;\n#if 0\n#endif\n", "planted.c:2: #if", path="drivers/planted.c")

    def test_comments_texts_and_guards_are_not(self):
        status, output = check("#ifndef HV_PLANTED_H\n#define HV_PLANTED_H\n/* SVM and\n * VMX */\nconst char *s = \"AMD \\\" vmcb\"; // Intel\n#endif\n",
                               path="hv/planted.h")
        self.assertEqual((status, output), (0, ""))

    def test_a_listed_word_is_not_in_that_file_only(self):
        source = "int f(void) { return cpuid_is_amd(); }\n"
        self.assertEqual(check(source, "hv/vm/planted.c cpuid_is_* # a reason\n")[0], 0)
        self.found(source, "cpuid_is_amd", allowed="hv/vm/other.c cpuid_is_amd # a reason\n")

    def test_a_listed_word_needs_a_reason_and_a_use(self):
        self.found("int amd;\n", "expected", allowed="hv/vm/planted.c amd\n")
        self.found("int x;\n", "vendors.txt:1", allowed="hv/vm/planted.c amd # a reason\n")

    def test_nothing_looked_at_is_a_failure(self):
        self.found("int x;\n", "no file", path="arch/x86_64/svm/planted.c")


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
