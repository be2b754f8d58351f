#!/usr/bin/python3
"""Any text as a recording with a dump of the trace: scripts/trace decodes it, says that there is none, or refuses it with a
sentence; it never ends with a traceback, never takes long, and what it decodes can be shown.
 * covers: scripts/trace_dump.py scripts/trace_table.py

The arguments are those of libFuzzer that scripts/fuzz gives to the C harnesses:
  trace_decode.py [-runs=N | -max_total_time=SECONDS] [-seed=N] [-artifact_prefix=PATH] FOLDER...  fuzz, from these inputs
  trace_decode.py [-branches=FILE,FILE...] [FILE_OR_FOLDER...]                                     only run these inputs
Without any, its corpus is replayed. An input is the text itself; a mutation changes what its lines say and makes their
checksums right again, or else hardly any would be read."""
import base64
import dis
import json
import os
import random
import re
import resource
import signal
import sys
import time
import zlib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
CORPUS = os.path.join(ROOT, "tests", "fuzz", "corpus", "trace_decode")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import trace_dump
import trace_perfetto
import trace_table

LIMIT, MEMORY = 10, 1 << 30  # seconds and bytes for one input
MAX_BYTES = 4096
WORDS = [b"0", b"1", b"-1", b"255", b"256", b"4096", b"4097", b"18446744073709551615", b"18446744073709551616", b"1e3", b"1_0", b"=",
         b" ", b"", b"9" * 25, b"format=1", b"record=32", b"tsc-hz=0", b"now=0", b"pcpus=0", b"pcpus=4096", b"version=", b"backend=", b"lines=3", b"records=1",
         b"missing=0", b"exit", b"run", b"leave", b"line", b"gpa", b"\xff", b"\xd9\xa3", b"\0"]
REFUSAL = re.compile(r"trace: line \d+ of the dump: \S.*")


def check(holds, what):
    if not holds:
        raise AssertionError("does not hold: " + what)


def run(data, viewer=True):
    """One input, as scripts/trace takes it; with `viewer` also as JSON for one, which takes ten times as long as the rest."""
    try:
        dump = trace_dump.read(data.decode("utf-8", "replace").splitlines())
    except SystemExit as refusal:
        check(REFUSAL.fullmatch(str(refusal)) and str(refusal).isprintable(), "a refusal is one sentence")
        return
    if not dump:
        return
    order = [event.tsc for event in dump.events]
    check(order == sorted(order), "records come in order of time")
    check(all(problem.isprintable() for problem in dump.problems), "a problem is one sentence")
    check(dump.whole or dump.problems, "a dump without an end is not called whole")
    check(trace_table.text(dump), "there is a table")
    for event in dump.events:
        trace_dump.exit_details(dump, event)
    if viewer:
        trace = trace_perfetto.convert(dump)
        trace_perfetto.problems(trace)
        json.dumps(trace)


# ---- mutations --------------------------------------------------------------------------------------------------------

def frame(line):
    """The same line with the checksum that it should have."""
    start, end = line.find(b"@trace "), line.rfind(b" #")
    if start < 0 or end < start:
        return line
    return line[:end] + b" #%08x" % zlib.crc32(line[start:end])


def change_bytes(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + (bytes([rng.randrange(256)]) if rng.random() < .5 else rng.choice(WORDS)) + text[at + rng.randrange(3):]


def change_word(rng, text):
    words = text.split(b" ")
    at = rng.randrange(len(words))
    key, equals, _ = words[at].partition(b"=")
    words[at] = (key + equals if equals else b"") + rng.choice(WORDS)
    return b" ".join(words)


def change_records(rng, text):
    """A record with other bytes, as many or a few less or more."""
    head, _, records = text.rpartition(b" ")
    try:
        raw = bytearray(base64.b64decode(records))
    except ValueError:
        return text
    for _ in range(rng.randrange(1, 4) if raw else 0):
        raw[rng.randrange(len(raw))] = rng.choice((0, 1, 4, 255, rng.randrange(256)))
    if rng.random() < .1:
        raw = raw[rng.randrange(34):]
    return head + b" " + base64.b64encode(raw)


def mutate(rng, lines, others):
    """Some of these lines changed, lost, doubled or moved, or one of another input put between them."""
    lines = list(lines)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, what = rng.randrange(len(lines) + 1), rng.random()
        if at == len(lines) or what < .1:
            lines.insert(at, rng.choice(others))
        elif what < .2:
            del lines[at]
        elif what < .25:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        else:
            start, end = lines[at].find(b"@trace "), lines[at].rfind(b" #")
            body = lines[at] if start < 0 or end < start else lines[at][start:end]
            change = change_records if b" R " in body and what < .6 else rng.choice((change_bytes, change_word))
            lines[at] = change(rng, body) + (b" #" if start >= 0 else b"")
            if what < .95:
                lines[at] = frame(lines[at])
    return lines


# ---- running ----------------------------------------------------------------------------------------------------------

def inputs_of(paths):
    files = [os.path.join(p, name) for p in paths if os.path.isdir(p) for name in sorted(os.listdir(p))]
    return [open(path, "rb").read() for path in files + [p for p in paths if not os.path.isdir(p)]]


def too_long(*_):
    raise TimeoutError("an input takes longer than %d s" % LIMIT)


def guarded(data, prefix):
    """Runs an input; if it is a finding, saves it and ends with the traceback."""
    try:
        run(data, zlib.crc32(data) % 256 == 0)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        path = "%scrash-%08x" % (prefix, zlib.crc32(data))
        with open(path, "wb") as out:
            out.write(data)
        print("ERROR: trace_decode: %s: %s\ninput written to %s" % (type(error).__name__, error, path), flush=True)
        raise


def fuzz(seeds, options):
    seed = int(options.get("seed") or random.randrange(1 << 32))
    runs, seconds = int(options.get("runs", 0)), float(options.get("max_total_time", 0))
    prefix, rng = options.get("artifact_prefix", ""), random.Random(seed)
    print("seed %d, %d inputs" % (seed, len(seeds)), flush=True)
    split = [seed.splitlines() for seed in seeds] or [[]]
    others = [line for lines in split for line in lines] or [b""]
    done, start = 0, time.monotonic()
    signal.signal(signal.SIGALRM, too_long)
    while not (runs and done >= runs) and not (seconds and time.monotonic() - start >= seconds):
        signal.alarm(LIMIT)
        for _ in range(100 if not runs else min(100, runs - done)):
            data = seeds[done] if done < len(seeds) else b"\n".join(mutate(rng, rng.choice(split), others))[:MAX_BYTES]
            guarded(data, prefix)
            done += 1
    signal.alarm(0)
    print("stat::number_of_executed_units: %d" % done)


# ---- branches: both outcomes of each conditional jump of the bytecode -------------------------------------------------

def codes(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from codes(constant)


def jumps(code):
    """{offset of a conditional jump: its two next instructions}."""
    out, start = {}, None  # a long jump begins with EXTENDED_ARG: there Python says that it is
    instructions = list(dis.get_instructions(code))
    for i, after in zip(instructions, instructions[1:]):
        start = i.offset if start is None else start
        if i.opname == "EXTENDED_ARG":
            continue
        if "_IF_" in i.opname or i.opname == "FOR_ITER":
            out[start] = {after.offset, i.argval}
        start = None
    return out


def branches(files, inputs):
    """(taken by these inputs, all), as (function, offset of the jump, offset of what follows it)."""
    of_file = [compile(open(os.path.join(ROOT, f)).read(), os.path.join(ROOT, "scripts", os.path.basename(f)), "exec") for f in files]
    wanted = {(c.co_filename, c.co_name, c.co_firstlineno): jumps(c) for whole in of_file for c in codes(whole)}
    taken = set()

    def tracer(frame, event, _):
        code = frame.f_code
        key = (os.path.join(ROOT, "scripts", os.path.basename(code.co_filename)), code.co_name, code.co_firstlineno)
        if key not in wanted:
            return None
        frame.f_trace_opcodes, last = True, [None]

        def step(frame, event, _):
            if event == "opcode":
                if frame.f_lasti in wanted[key].get(last[0], ()):
                    taken.add((key, last[0], frame.f_lasti))
                last[0] = frame.f_lasti
            return step
        return step
    sys.settrace(tracer)
    for data in inputs:
        run(data)
    sys.settrace(None)
    everything = {(key, at, to) for key, both in wanted.items() for at, pair in both.items() for to in pair}
    return taken, everything


def main():
    options = dict(a[1:].partition("=")[::2] for a in sys.argv[1:] if a.startswith("-"))
    paths = [a for a in sys.argv[1:] if not a.startswith("-")] or [CORPUS]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    inputs = inputs_of(paths)
    if "runs" in options or "max_total_time" in options:
        fuzz(inputs, options)
        return
    if "branches" in options:
        taken, everything = branches(options["branches"].split(","), inputs)
        print("%d of %d branches" % (len(taken), len(everything)))
        for key, at, to in sorted(everything - taken):
            print("not taken: %s:%s, from offset %d to %d" % (os.path.basename(key[0]), key[1], at, to))
        return
    for data in inputs:
        run(data)
    print("%d inputs replayed\n%d passed, %d failed" % (len(inputs), bool(inputs), not inputs))
    sys.exit(not inputs)


main()
