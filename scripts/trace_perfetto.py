"""A dump as Chrome's trace event JSON, which Perfetto, chrome://tracing and others show: a track for each pCPU with the vCPU
that it runs, one for each vCPU with its exits, and a counter of each partition's share of the CPUs."""
import trace_dump

PCPUS, FIRST_PARTITION = 1, 10  # "process" numbers of the tracks
SHARE_STEPS = 200


def _microseconds(ns):
    return ns / 1000


class Writer:
    def __init__(self, dump):
        self.dump, self.out = dump, []

    def name(self, what, pid, name, tid=0, order=0):
        self.out.append({"ph": "M", "name": what + "_name", "pid": pid, "tid": tid, "args": {"name": name}})
        self.out.append({"ph": "M", "name": what + "_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": order}})

    def slice(self, pid, tid, name, start, end, category, **args):
        ns = self.dump.nanoseconds(start)
        self.out.append({"ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid, "ts": _microseconds(ns),
                         "dur": _microseconds(self.dump.nanoseconds(end) - ns), "args": args})

    def instant(self, event, name, **args):
        to_partition = event.vcpu == trace_dump.NOBODY
        self.out.append({"ph": "i", "s": "p" if to_partition else "t", "name": name, "cat": "event",
                         "pid": FIRST_PARTITION + event.partition, "tid": 0 if to_partition else event.vcpu,
                         "ts": _microseconds(self.dump.nanoseconds(event.tsc)), "args": dict(args, pcpu=event.pcpu)})


def turns(dump):
    """(pCPU, partition, vCPU, start, end, why it ended) in TSC; cut to the time that the dump covers."""
    running, out = {}, []
    for e in dump.events:
        word = dump.type_of(e)
        if word == "run":
            running[e.pcpu] = e
        elif word == "leave":
            begun = running.pop(e.pcpu, None)
            start = begun.tsc if begun else max(e.tsc - e.info, dump.first_tsc())
            out.append((e.pcpu, e.partition, e.vcpu, start, e.tsc, trace_dump.LEAVE_WHY[min(e.kind, 2)]))
    for e in running.values():
        out.append((e.pcpu, e.partition, e.vcpu, e.tsc, max(e.tsc, dump.now), "still runs"))
    return sorted(out, key=lambda turn: turn[3])


def shares(dump):
    """[(start in TSC, {partition: share of all pCPUs, 0..1})], in steps of equal length."""
    start, end = dump.first_tsc(), max([dump.now] + [e.tsc for e in dump.events])
    step = max(1, -(-(end - start) // SHARE_STEPS))
    ran = [dict.fromkeys(dump.partitions, 0) for _ in range(-(-(end - start) // step) or 1)]
    for _, partition, _, at, until, _ in turns(dump):
        while at < until:
            index = (at - start) // step
            part = min(until, start + (index + 1) * step) - at
            ran[index][partition] = ran[index].get(partition, 0) + part
            at += part
    return [(start + i * step, {p: t / step / dump.pcpus for p, t in s.items()}) for i, s in enumerate(ran)]


def _write_names(w):
    dump = w.dump
    w.name("process", PCPUS, "physical CPUs")
    for pcpu in range(dump.pcpus):
        w.name("thread", PCPUS, "pCPU %d" % pcpu, pcpu, pcpu)
    for index, (name, vcpus) in sorted(dump.partitions.items()):
        w.name("process", FIRST_PARTITION + index, name, 0, 1 + index)
        for vcpu in range(vcpus):
            w.name("thread", FIRST_PARTITION + index, "%s/%d" % (name, vcpu), vcpu, vcpu)


def _write_turns(w):
    for pcpu, partition, vcpu, start, end, why in turns(w.dump):
        w.slice(PCPUS, pcpu, w.dump.vcpu_name(partition, vcpu), start, end, "run", ended=why)
        w.slice(FIRST_PARTITION + partition, vcpu, "on pCPU %d" % pcpu, start, end, "run", ended=why)


def _write_exit(w, e):
    args = {key: value for key, value in trace_dump.exit_details(w.dump, e)}
    w.slice(FIRST_PARTITION + e.partition, e.vcpu, w.dump.kind_of(e), e.tsc, e.tsc + e.ticks, "exit", RIP="0x%x" % e.rip,
            ticks=e.ticks, **args)


def _write_event(w, e):
    word = w.dump.type_of(e)
    if word == "exit":
        _write_exit(w, e)
    elif e.partition == trace_dump.NOBODY:
        pass
    elif word in ("inject", "interrupt"):
        w.instant(e, "%s vector %d" % (word, e.kind))
    elif word == "line":
        w.instant(e, "GSI %d %s" % (e.kind, "high" if e.info else "low"))
    elif word == "partition":
        w.instant(e, "partition " + trace_dump.PARTITION_WHAT[e.kind & 3])
    elif word == "steal":
        w.instant(e, "stolen from pCPU %d" % e.info)
    elif word in ("wake", "timer"):
        w.instant(e, word, **({"late by ticks": e.info} if word == "timer" else {"requests": "0x%x" % e.info}))


def convert(dump):
    """The JSON object."""
    w = Writer(dump)
    _write_names(w)
    _write_turns(w)
    for e in dump.events:
        _write_event(w, e)
    for at, share in shares(dump):
        for partition, value in sorted(share.items()):
            w.out.append({"ph": "C", "name": "CPU share, %", "pid": FIRST_PARTITION + partition, "tid": 0,
                          "ts": _microseconds(dump.nanoseconds(at)), "args": {"share": round(100 * value, 2)}})
    return {"traceEvents": w.out, "displayTimeUnit": "ns",
            "otherData": {"version": dump.header["version"], "backend": dump.header["backend"], "tsc-hz": dump.hz,
                          "problems": dump.problems}}


NEEDS = {"X": ("ts", "dur"), "i": ("ts", "s"), "C": ("ts", "args"), "M": ("args",)}


def _check_event(e):
    if e.get("ph") not in NEEDS or not isinstance(e.get("name"), str) or not all(type(e.get(k)) is int for k in ("pid", "tid")):
        return "no ph, name, pid or tid that a viewer knows"
    if any(key not in e for key in NEEDS[e["ph"]]):
        return "it lacks one of %s" % ", ".join(NEEDS[e["ph"]])
    if e["ph"] != "M" and not (isinstance(e["ts"], (int, float)) and e["ts"] >= 0):
        return "its time stamp is not a number from 0"
    if e["ph"] == "X" and e["dur"] < 0:
        return "it ends before it begins"
    if e["ph"] == "C" and not all(isinstance(v, (int, float)) for v in e["args"].values()):
        return "a counter that is no number"
    return None


def _nanoseconds(e):
    start = round(e["ts"] * 1000)
    return start, start + round(e["dur"] * 1000)


def problems(trace):
    """What the Trace Event Format (the document of that name, of Chrome's authors) forbids, as sentences: [] is a good trace."""
    out, tracks = [], {}
    if not isinstance(trace.get("traceEvents"), list):
        return ["no list traceEvents"]
    for number, e in enumerate(trace["traceEvents"]):
        wrong = _check_event(e)
        if wrong:
            out.append("event %d (%r): %s" % (number, e.get("name"), wrong))
        elif e["ph"] == "X":
            tracks.setdefault((e["pid"], e["tid"]), []).append(e)
    named = {(e["pid"], e["tid"]) for e in trace["traceEvents"] if e.get("name") == "thread_name"}
    for track, slices in tracks.items():
        if track not in named:
            out.append("track %r has no name" % (track,))
        ends = []
        for start, end, name in sorted(((*_nanoseconds(e), e["name"]) for e in slices), key=lambda s: (s[0], -s[1])):
            while ends and ends[-1] <= start:
                ends.pop()
            if ends and end > ends[-1]:
                out.append("track %r: %r at %d ns is neither inside nor outside of the slice before it" % (track, name, start))
            ends.append(end)
    return out
