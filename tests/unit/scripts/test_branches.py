#!/usr/bin/python3
"""Tests of which function scripts/branches books an indirect branch on."""
import importlib.machinery
import importlib.util
import os
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)


def load():
    loader = importlib.machinery.SourceFileLoader("branches_script", os.path.join(ROOT, "scripts", "branches"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("branches_script", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
branches = load()
CALL, JUMP, THUNK, OTHER = "call   *%rax", "notrack jmp *0x10(,%rdi,8)", "call   ffff1000 <__x86_indirect_thunk_rax>", "call   ffff2000 <f>"


def look(*lines):
    """Labels without, instructions with spaces, as objdump prints them."""
    return branches.look("".join("  ffff0000:\t%s\n" % line if " " in line else "ffff0000 <%s>:\n" % line for line in lines))


class Branches(unittest.TestCase):
    def test_a_branch_is_its_functions(self):
        self.assertEqual(look("f", OTHER, "g", CALL, "h", JUMP), ({"g", "h"}, 0))

    def test_branches_through_thunks_are_counted_and_direct_ones_are_not(self):
        self.assertEqual(look("f", THUNK, OTHER, "g", THUNK), (set(), 2))

    def test_a_local_label_is_within_its_function(self):
        self.assertEqual(look("f", OTHER, "f.loop", CALL, "f.end", JUMP), ({"f"}, 0))

    def test_a_part_that_the_compiler_split_off_is_not_the_function_before_it(self):
        self.assertEqual(look("boot_enter_high", OTHER, "f.part.0", CALL), ({"f.part.0"}, 0))
        self.assertEqual(look("f.cold", CALL), ({"f.cold"}, 0))


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Branches))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad))
    raise SystemExit(0 if result.testsRun and not bad else 1)
