#!/usr/bin/python3
"""Tests of scripts/hostile_judge.py: a machine that did all is clean, and each thing that can lack or go wrong is found."""
import os
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import hostile_judge as judge

SECONDS = 4
ACTIONS = judge.ACTIONS_A_SECOND * SECONDS


def serial(actions=ACTIONS, lives=1, beats=SECONDS, checks=2, says=""):
    """What a machine with seed 7 and a witness says."""
    out = []
    for life in range(1, lives + 1):
        out += ["[seed7] # RDMSR"] * (actions // lives) + ["[seed7] hostile: seed 7 life %d: 16 actions, 9 faults, 1 interrupts" % life,
                "seed7: stopped: vCPU 0 at 0008:0000000000000010: triple fault: two", "seed7: life %d: 30 exits, digest 12ab" % life,
                "seed7: exits: CPUID 10, memory-mapped I/O or first touch 20"]
    out += ["[witness] witness: beat %d at %d000 ms, longest gap 12 ms, sum 0x1" % (n, n) for n in range(1, beats + 1)]
    out += ["[witness] witness: %d beats, 0 failures" % SECONDS, says]
    # In the monitor each line of the log takes the prompt's place.
    out += ["\r\x1b[Ktrapeze> \r\x1b[Kself-check: ok: nothing changed"] * checks
    return "\r\n".join(out) + "\r\n"


def found(**what):
    return judge.violations(judge.plain(serial(**what)), [7], SECONDS)


class Hostile(unittest.TestCase):
    def test_a_machine_that_did_all_is_clean(self):
        self.assertEqual(found(), [])

    def test_each_wrong_line_is_a_violation(self):
        for line in ("[witness] witness: FAIL: memory: 0x1: 0x2 instead of 0x3", "PANIC on CPU 0: x", "self-check: FAILED: code",
                     "VM entry failed: x", "page_free: x"):
            self.assertEqual(found(says=line), [line.replace("[witness] ", "")])

    def test_a_heartbeat_that_lacks_is_a_violation(self):
        self.assertEqual(found(beats=SECONDS - 1), ["3 heartbeats instead of 4"])

    def test_a_self_check_that_lacks_is_a_violation(self):
        self.assertRegex(found(checks=1)[0], "did not say twice")

    def test_guests_that_did_little_are_a_violation(self):
        self.assertRegex(found(actions=15)[0], "seed 7 did too little: 15 actions, 1 lives")
        self.assertEqual(found(actions=16), [])
        made = judge.actions("[seed1] # PIC\n" * 59)
        self.assertEqual(judge.too_little(3, SECONDS, made, {"PIC"}, 1), ["59 actions instead of at least 60"])
        self.assertEqual(judge.too_little(2, SECONDS, made, {"PIC"}, 1), [])

    def test_a_guest_that_dies_at_once_each_time_is_a_violation(self):
        self.assertRegex(found(lives=ACTIONS)[0], "seed 7 did too little: 20 actions, 20 lives, the longest of 1 actions")

    def test_a_guest_can_say_nothing_for_another(self):
        text = judge.plain(serial(actions=0, beats=0, checks=0, says="[seed7] [witness] witness: beat 1 at 1 ms, longest gap 1 ms\r\n"
                                  "[seed7] self-check: ok\r\n[seed8] # RDMSR"))
        self.assertEqual(len(judge.violations(text, [7], SECONDS)), 3)

    def test_an_empty_machine_is_a_violation(self):
        self.assertGreaterEqual(len(judge.violations("", [7], SECONDS)), 4)

    def test_figures_are_sums(self):
        text = judge.plain(serial(actions=40, lives=2))
        f = judge.figures(text)
        self.assertEqual([f[k] for k in ("actions", "faults", "exits", "lives", "stopped", "heartbeats", "longest gap, ms")],
                         [40, 18, 60, 2, 2, 4, 12])
        self.assertEqual(judge.of_seed(text, 7), (40, 2, 20))
        self.assertEqual(judge.exits(text), {"CPUID": 20, "memory-mapped I/O or first touch": 40})
        self.assertEqual(judge.stops(text), {"triple fault": 2})

    def test_kinds_of_actions_and_exits_that_lack_are_named_if_there_were_seeds_enough(self):
        made = judge.actions("[seed1] # PIC\n" * 1000)
        self.assertEqual(judge.too_little(judge.ENOUGH_SEEDS, SECONDS, made, {"PIC", "PIT"}, judge.EXIT_KINDS), ["no action was: PIT"])
        self.assertEqual(len(judge.too_little(judge.ENOUGH_SEEDS, SECONDS, made, {"PIC"}, judge.EXIT_KINDS - 1)), 1)
        self.assertEqual(judge.too_little(judge.ENOUGH_SEEDS - 1, SECONDS, made, {"PIC", "PIT"}, 0), [])


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
