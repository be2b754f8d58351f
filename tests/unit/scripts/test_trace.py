#!/usr/bin/python3
"""Tests of scripts/trace: dumps are made here by what docs/trace.md says, not by the code under test."""
import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3)
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import trace_dump
import trace_perfetto
import trace_table

HZ = 50000000
TYPES = "exit inject run leave idle wake steal interrupt timer line partition".split()
EXIT, INJECT, RUN, LEAVE = 1, 2, 3, 4
CPUID, IO = 0, 1


def record(tsc, kind_of_record, partition=0, vcpu=0, kind=0, rip=0x1000, info=0, ticks=0):
    return struct.pack("<QQQBBBBI", tsc, rip, info, kind, kind_of_record, partition, vcpu, ticks)


def lines(rings, now=10000):
    """The lines of a dump of these rings: lists of records."""
    bodies = ["H format=1 record=32 tsc-hz=%d now=%d pcpus=%d capacity=16384 backend=vmx version=Trapeze test" % (HZ, now, len(rings))]
    bodies += ["T %d %s" % (i + 1, word) for i, word in enumerate(TYPES)]
    bodies += ["K 0 eax CPUID", "K 1 io I/O instruction", "P 0 2 linux", "P 1 1 a b"]
    for pcpu, ring in enumerate(rings):
        bodies.append("C %d %d %d" % (pcpu, len(ring) + 7, 7))
        bodies += ["R %d %d %s" % (pcpu, 7 + at, base64.b64encode(b"".join(ring[at:at + 4])).decode())
                   for at in range(0, len(ring), 4)]
    bodies.append("E lines=%d records=%d missing=0" % (len(bodies) + 1, sum(map(len, rings))))
    return framed(bodies)


def framed(bodies):
    numbered = ["@trace %d %s" % (i, body) for i, body in enumerate(bodies)]
    return ["%s #%08x" % (line, zlib.crc32(line.encode())) for line in numbered]


def turn(start, end, partition=0, vcpu=0, exits=()):
    """One turn of a vCPU with exits at (tsc, kind, ticks)."""
    return ([record(start, RUN, partition, vcpu, 1)] + [record(t, EXIT, partition, vcpu, k, ticks=n) for t, k, n in exits] +
            [record(end, LEAVE, partition, vcpu, 0, info=end - start)])


EXAMPLE = [turn(1000, 3000, 0, 0, [(1500, CPUID, 100), (1700, IO, 200), (2000, CPUID, 120)]) + turn(3000, 4000, 1, 0),
           turn(2000, 6000, 0, 1, [(2500, IO, 300)])]


class Reading(unittest.TestCase):
    def test_a_whole_dump_between_other_text(self):
        text = lines(EXAMPLE)
        dump = trace_dump.read(["hello", "trapeze> " + text[0]] + text[1:9] + ["[linux] @trace 9 junk"] + text[9:] + ["bye"])
        self.assertEqual(dump.problems, [])
        self.assertEqual(len(dump.events), 10)
        self.assertEqual(dump.partitions, {0: ("linux", 2), 1: ("a b", 1)})
        self.assertEqual([e.tsc for e in dump.events], sorted(e.tsc for e in dump.events))

    def test_no_dump_is_none(self):
        self.assertIsNone(trace_dump.read(["nothing here", "@trace 3 P 0 1 x #00000000"]))

    def test_a_lost_line_is_said(self):
        text = lines(EXAMPLE)
        del text[16]
        self.assertTrue(any("lost" in p for p in trace_dump.read(text).problems))

    def test_a_garbled_line_is_dropped_and_said(self):
        text = lines(EXAMPLE)
        text[14] = text[14].replace("linux", "linus")
        dump = trace_dump.read(text)
        self.assertTrue(any("garbled" in p for p in dump.problems))
        self.assertNotIn(0, dump.partitions)

    def test_a_dump_that_is_cut_off_is_said(self):
        self.assertTrue(any("cut off" in p for p in trace_dump.read(lines(EXAMPLE)[:-1]).problems))

    def test_the_last_whole_dump_counts(self):
        dump = trace_dump.read(lines([[]]) + lines(EXAMPLE) + lines(EXAMPLE)[:5])
        self.assertEqual(len(dump.events), 10)

    def test_another_format_is_refused(self):
        line = "@trace 0 H format=2 record=32 tsc-hz=1 now=1 pcpus=1 capacity=1 backend=vmx version=x"
        with self.assertRaises(SystemExit):
            trace_dump.read(["%s #%08x" % (line, zlib.crc32(line.encode()))])

    def test_what_no_dump_says_is_refused_with_a_sentence(self):
        header = "H format=1 record=32 tsc-hz=1 now=1 pcpus=2 capacity=1 backend=vmx version=x"
        for bodies, said in (([header.replace("tsc-hz=1", "tsc-hz=0")], "a clock of 0 Hz"), ([header.replace("now=1 ", "")], "now= is missing"),
                             ([header.replace("pcpus=2", "pcpus=1000000000")], "not a number below"), ([header, "K 1 x"], "3 words"),
                             ([header, "P 0 -1 linux"], "not a number"), ([header, "R 2 0 "], "not a number below 2"),
                             ([header, "R 0 0 a"], "not base64"), ([header, "R 0 0 AAAA"], "3 bytes of records"),
                             ([header, "E lines=2 records=0"], "missing= is missing")):
            with self.assertRaises(SystemExit) as refusal:
                trace_dump.read(framed(bodies))
            self.assertIn(said, str(refusal.exception))
            self.assertRegex(str(refusal.exception), r"^trace: line \d+ of the dump: ")

    def test_lines_that_come_twice_and_too_many_records_are_said(self):
        text = lines([[]])
        self.assertTrue(any("late or twice" in p for p in trace_dump.read(text[:3] + text[1:]).problems))
        text = [line.split(" ", 2)[2].rsplit(" #", 1)[0] for line in lines([[record(1, EXIT)]])]
        text[-1] = text[-1].replace("records=1", "records=0")
        self.assertTrue(any("more than the 0" in p for p in trace_dump.read(framed(text)).problems))


class Perfetto(unittest.TestCase):
    def convert(self, rings, now=10000):
        trace = trace_perfetto.convert(trace_dump.read(lines(rings, now)))
        self.assertEqual(trace_perfetto.problems(trace), [])
        return json.loads(json.dumps(trace))["traceEvents"]

    def test_each_pcpu_and_each_vcpu_has_a_track(self):
        names = {e["args"]["name"] for e in self.convert(EXAMPLE) if e["name"] == "thread_name"}
        self.assertEqual(names, {"pCPU 0", "pCPU 1", "linux/0", "linux/1", "a b/0"})

    def test_a_pcpus_track_shows_who_runs(self):
        ran = [(e["name"], e["ts"], e["dur"]) for e in self.convert(EXAMPLE) if e["ph"] == "X" and (e["pid"], e["tid"]) == (1, 0)]
        self.assertEqual(ran, [("linux/0", 0.0, 40.0), ("a b/0", 40.0, 20.0)])

    def test_exits_are_slices_inside_of_the_turn(self):
        exits = [(e["name"], e["ts"], e["dur"]) for e in self.convert(EXAMPLE) if e.get("cat") == "exit" and e["tid"] == 0]
        self.assertEqual(exits, [("CPUID", 10.0, 2.0), ("I/O instruction", 14.0, 4.0), ("CPUID", 20.0, 2.4)])

    def test_a_turn_that_still_runs_ends_with_the_dump(self):
        ran = [e for e in self.convert([[record(1000, RUN)]], 2000) if e.get("cat") == "run"]
        self.assertEqual([(e["dur"], e["args"]["ended"]) for e in ran], [(20.0, "still runs")] * 2)

    def test_a_turn_whose_beginning_was_overwritten_is_shown(self):
        ran = [e for e in self.convert([[record(1000, EXIT, ticks=10), record(2000, LEAVE, info=5000)]]) if e.get("cat") == "run"]
        self.assertEqual([(e["ts"], e["dur"]) for e in ran], [(0.0, 20.0)] * 2)

    def test_shares_are_of_all_pcpus(self):
        share = [(e["pid"], e["args"]["share"]) for e in self.convert([turn(0, 10000, 0), []]) if e["ph"] == "C"]
        self.assertEqual({s for p, s in share if p == 10}, {50.0})
        self.assertEqual({s for p, s in share if p == 11}, {0})

    def test_slices_that_cross_are_found(self):
        trace = trace_perfetto.convert(trace_dump.read(lines([turn(1000, 2000, 0, 0, [(1900, CPUID, 500)])])))
        self.assertIn("neither inside nor outside", " ".join(trace_perfetto.problems(trace)))

    def test_what_is_no_trace_is_found(self):
        for event in ({}, {"ph": "X", "name": "x", "pid": 1, "tid": 1, "ts": 1}, {"ph": "?", "name": "x", "pid": 1, "tid": 1},
                      {"ph": "C", "name": "x", "pid": 1, "tid": 1, "ts": 1, "args": {"a": "b"}},
                      {"ph": "X", "name": "x", "pid": 1, "tid": 1, "ts": 1, "dur": -1}):
            self.assertNotEqual(trace_perfetto.problems({"traceEvents": [event]}), [])


class Table(unittest.TestCase):
    def test_counts_shares_and_percentiles(self):
        rows = trace_table.rows(trace_dump.read(lines(EXAMPLE)))
        self.assertEqual([r[:3] for r in rows], [("linux", "I/O instruction", 2), ("linux", "CPUID", 2)])
        self.assertAlmostEqual(rows[0][3], 500 / 720)
        self.assertEqual(rows[1][4:], (100, 100))

    def test_the_command_prints_it_and_fails_for_a_bad_dump(self):
        command = [os.path.join(ROOT, "scripts", "trace"), "-"]
        good = subprocess.run(command, input="\n".join(lines(EXAMPLE)), text=True, capture_output=True)
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        self.assertIn("I/O instruction", good.stdout)
        bad = subprocess.run(command, input="\n".join(lines(EXAMPLE)[:-1]), text=True, capture_output=True)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("cut off", bad.stderr)

    def test_other_bytes_on_the_line_do_not_matter(self):
        command = [os.path.join(ROOT, "scripts", "trace"), "-"]
        done = subprocess.run(command, input=b"\xff\xfe\n" + "\n".join(lines(EXAMPLE)).encode(), capture_output=True, env=dict(os.environ, PYTHONIOENCODING="utf-8:strict"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_the_command_writes_a_picture(self):
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "plot.svg")
            done = subprocess.run([os.path.join(ROOT, "scripts", "trace"), "-", "--plot", path], input="\n".join(lines(EXAMPLE)),
                                  text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            picture = open(path).read()
        for text in ("linux", "a b", "pCPU 1", "exits a second"):
            self.assertIn(text, picture)


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
