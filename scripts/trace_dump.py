"""Reads the dumps that Trapeze's monitor prints (`trace dump`); docs/trace.md has the format."""
import base64
import binascii
import collections
import re
import struct
import zlib

FORMAT, RECORD = 1, struct.Struct("<QQQBBBBI")
NOBODY = 0xff
FRAME = re.compile(r"@trace ([0-9]{1,20}) ([A-Z])(?: ([ -~]*))? #([0-9a-f]{8})\s*$")
PCPUS_MAX = 4096  # more than any machine has; nobody's tables grow with what a broken file says
FROM_A_GUEST = re.compile(r"^\[[^]]+\] ")  # the overview's prefix: a guest may print what it likes

Event = collections.namedtuple("Event", "pcpu number tsc rip info kind type partition vcpu ticks")
LEAVE_WHY = ("turn over", "waits for an event", "its partition does not run")
PARTITION_WHAT = ("started", "ended", "paused", "goes on")


class Malformed(Exception):
    """A line whose checksum is right but which says what no dump says; the text is a sentence."""


def _number(text, limit=1 << 64):
    if not text.isdigit() or len(text) > 20 or int(text) >= limit:
        raise Malformed("%.40r is not a number below %d" % (text, limit))
    return int(text)


def _fields(body, count):
    """So many words; the last is the rest of the line."""
    fields = body.split(" ", count - 1)
    if len(fields) < count:
        raise Malformed("%d words are wanted, not %.80r" % (count, body))
    return fields


def _words(body, **limits):
    """{KEY: VALUE} of words KEY=VALUE; those in `limits` have to be there, and be numbers below."""
    words = dict(word.partition("=")[::2] for word in body.split())
    for key, limit in limits.items():
        if key not in words:
            raise Malformed("the word %s= is missing" % key)
        _number(words[key], limit)
    return words


class Dump:
    """One dump: `header` (words of H), `types`, `kinds` {number: (layout, name)}, `partitions` {index: (name, vCPUs)},
    `written` and `first` per pCPU, `events` in the order of time, `problems`: what was wrong with it, as sentences."""
    def __init__(self):
        self.header, self.types, self.kinds, self.partitions = {}, {}, {}, {}
        self.written, self.first, self.events, self.problems = {}, {}, [], []
        self.lines, self.next_sequence, self.whole, self.missing = 0, 0, False, 0

    hz = property(lambda self: int(self.header["tsc-hz"]))
    now = property(lambda self: int(self.header["now"]))
    pcpus = property(lambda self: int(self.header["pcpus"]))

    def type_of(self, event):
        return self.types.get(event.type, "type %d" % event.type)

    def kind_of(self, event):
        return self.kinds.get(event.kind, ("detail", "exit kind %d" % event.kind))[1]

    def partition_name(self, index):
        return self.partitions.get(index, ("partition %d" % index, 1))[0]

    def vcpu_name(self, partition, vcpu):
        return "nobody" if partition == NOBODY else "%s/%d" % (self.partition_name(partition), vcpu)

    def nanoseconds(self, tsc):
        """Since the first record. Rounded down, so that what was in order or nested stays so."""
        return (tsc - self.events[0].tsc if self.events else 0) * 1000000000 // self.hz

    def first_tsc(self):
        return self.events[0].tsc if self.events else self.now

    # ---- reading ----

    def take(self, sequence, letter, body):
        if sequence < self.next_sequence:
            self.problems.append("line %d of the dump comes late or twice" % sequence)
        elif sequence > self.next_sequence:
            self.problems.append("%d lines are lost before line %d of the dump" % (sequence - self.next_sequence, sequence))
        self.next_sequence = sequence + 1
        self.lines += 1
        getattr(self, "take_" + letter, lambda body: None)(body)

    def take_H(self, body):
        text, _, version = body.partition(" version=")
        words = _words(text, **{"tsc-hz": 1 << 64, "now": 1 << 64, "pcpus": PCPUS_MAX + 1})
        form = "%.20s with records of %.20s bytes" % (words.get("format"), words.get("record"))
        if form != "%d with records of %d bytes" % (FORMAT, RECORD.size):
            raise Malformed("format %s; this program reads format %d with %d" % (form, FORMAT, RECORD.size))
        if not int(words["tsc-hz"]) or not int(words["pcpus"]):
            raise Malformed("no machine has %(pcpus)s CPUs and a clock of %(tsc-hz)s Hz" % words)
        self.header = {"backend": "?", **words, "version": version}

    def take_T(self, body):
        number, word = _fields(body, 2)
        self.types[_number(number, 256)] = word

    def take_K(self, body):
        number, layout, name = _fields(body, 3)
        self.kinds[_number(number, 256)] = layout, name

    def take_P(self, body):
        index, vcpus, name = _fields(body, 3)
        self.partitions[_number(index, 256)] = name, _number(vcpus, 257)

    def take_C(self, body):
        pcpu, written, first = _fields(body, 3)
        pcpu = _number(pcpu, self.pcpus)
        self.written[pcpu], self.first[pcpu] = _number(written), _number(first)

    def take_R(self, body):
        pcpu, number, text = _fields(body, 3)
        pcpu, number = _number(pcpu, self.pcpus), _number(number)
        try:
            records = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise Malformed("its records are not base64: %s" % error)
        if len(records) % RECORD.size:
            raise Malformed("%d bytes of records, which have %d each" % (len(records), RECORD.size))
        for at, fields in enumerate(RECORD.iter_unpack(records)):
            tsc, rip, info, kind, kind_of_record, partition, vcpu, ticks = fields
            self.events.append(Event(pcpu, number + at, tsc, rip, info, kind, kind_of_record, partition, vcpu, ticks))

    def take_E(self, body):
        said = _words(body, lines=1 << 64, records=1 << 64, missing=1 << 64)
        self.whole, self.missing = True, int(said["missing"])
        for what, wanted, have in (("lines", int(said["lines"]), self.lines), ("records", int(said["records"]), len(self.events))):
            if have < wanted:
                self.problems.append("%d of %d %s are lost or garbled" % (wanted - have, wanted, what))
            elif have > wanted:
                self.problems.append("there are %d %s, which is more than the %d that it says it has" % (have, what, wanted))

    def finish(self):
        self.events.sort(key=lambda event: (event.tsc, event.pcpu, event.number))
        if not self.whole:
            self.problems.append("the dump is cut off: its last line is missing")
        return self


def read(lines):
    """The last dump in these lines of text that has its end, else the last of all; None if there is none."""
    dumps, garbled = [], 0
    for line in lines:
        if "@trace " not in line or FROM_A_GUEST.match(line):
            continue
        found = FRAME.search(line)
        if not found or zlib.crc32(line[found.start():found.end(0)].rsplit(" #", 1)[0].encode()) != int(found.group(4), 16):
            garbled += 1
            continue
        if found.group(2) == "H":
            dumps.append(Dump())
        if not dumps:
            continue  # the beginning of this dump was not recorded
        try:
            dumps[-1].take(int(found.group(1)), found.group(2), found.group(3) or "")
        except Malformed as error:
            raise SystemExit("trace: line %s of the dump: %s" % (found.group(1), error))
    if not dumps:
        return None
    dump = ([d for d in dumps if d.whole] or dumps)[-1].finish()
    if garbled:
        dump.problems.append("%d lines are garbled (wrong CRC)" % garbled)
    return dump


# ---- what a record says, in words: docs/trace.md, "Records" ----

def _with_eax(name):
    return lambda i, done: [(name, "0x%x" % (i & 0xffffffff))] + ([("EAX", "0x%x" % (i >> 32))] if done else [])


def _io(i, done):
    return [("port", "0x%x" % (i & 0xffff)), ("bytes", i >> 16 & 0xff), ("direction", "in" if i >> 24 & 1 else "out")] + (
        [("EAX", "0x%x" % (i >> 32))] if done else [])


LAYOUTS = {
    "reason": lambda i, done: [("reason", i >> 32)],
    "detail": lambda i, done: [("detail", "0x%x" % i)],
    "eax": _with_eax("leaf or number"),
    "ecx": _with_eax("MSR"),
    "io": _io,
    "gpa": lambda i, done: [("GPA", "0x%x" % i)],
    "cr": lambda i, done: [("CR", i & 0xff), ("register", i >> 8 & 0xff), ("how", ("MOV", "CLTS", "LMSW")[(i >> 16 & 0xff) % 3])],
    "exception": lambda i, done: [("vector", i & 0xff)] + ([("error code", "0x%x" % (i >> 32))] if i >> 16 & 1 else []),
    "vector": lambda i, done: [("vector", i & 0xff)],
    "apic": lambda i, done: [("offset", "0x%x" % (i & 0xffff)), ("direction", "write" if i >> 24 & 1 else "read")],
    "task": lambda i, done: [("TSS selector", "0x%x" % (i & 0xffff)), ("by", ("CALL", "IRET", "JMP", "IDT")[i >> 16 & 3])],
}


def exit_details(dump, event):
    """[(name, value)] of an exit's info."""
    layout = dump.kinds.get(event.kind, ("detail", ""))[0]
    return LAYOUTS.get(layout, LAYOUTS["detail"])(event.info, event.ticks != 0)
