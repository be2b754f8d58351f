"""A dump as a picture, by gnuplot: who ran on each pCPU, and each partition's exits over time."""
import subprocess
import trace_perfetto

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442", "#666666")
STEPS = 200
TERMINALS = {"svg": "svg size 1100,640 dynamic font 'DejaVu Sans,12'", "png": "pngcairo size 1100,640 font 'DejaVu Sans,10'"}


def _block(name, lines):
    return "$%s << END\n%s\nEND" % (name, "\n".join(lines) or "0 0 0 0")


def _seconds(dump, tsc):
    return dump.nanoseconds(tsc) / 1e9


def _turns(dump, partition):
    return ["%.9f %d %.9f" % (_seconds(dump, start), pcpu, _seconds(dump, end))
            for pcpu, of, _, start, end, _ in trace_perfetto.turns(dump) if of == partition]


def _unknown(dump):
    """What a pCPU did before the first of its records that is in the dump."""
    first = {}
    for e in dump.events:
        first.setdefault(e.pcpu, e.tsc)
    return ["0 %d %.9f" % (pcpu, _seconds(dump, tsc)) for pcpu, tsc in first.items() if dump.first.get(pcpu)]


def _exits(dump, partition, end):
    """Exits a second in each step."""
    step = max(end / STEPS, 1e-9)
    counts = [0] * (STEPS + 1)
    for e in dump.events:
        if e.partition == partition and dump.type_of(e) == "exit":
            counts[int(_seconds(dump, e.tsc) / step)] += 1
    return ["%.9f %.3f" % ((i + 0.5) * step, count / step) for i, count in enumerate(counts[:STEPS])]


def script(dump, path):
    kind = path.rsplit(".", 1)[-1].lower()
    if kind not in TERMINALS:
        raise SystemExit("trace: a plot is *.svg or *.png, not %s" % path)
    end = _seconds(dump, max([dump.now] + [e.tsc for e in dump.events])) or 1e-6
    who = sorted(dump.partitions)
    out = ["set terminal " + TERMINALS[kind], "set output '%s'" % path.replace("'", "''"), "set xrange [0:%.9f]" % end,
           "set multiplot layout 2,1", "set lmargin 14", "set key outside right top", "set rmargin 22", "set grid x"]
    out.append(_block("unknown", _unknown(dump)))
    for i in who:
        out += [_block("turns%d" % i, _turns(dump, i)), _block("exits%d" % i, _exits(dump, i, end))]
    labels = ", ".join("'pCPU %d' %d" % (pcpu, pcpu) for pcpu in range(dump.pcpus))
    out += ["set ytics (%s)" % labels, "set yrange [-0.6:%g]" % (dump.pcpus - 0.4), "set style fill solid noborder",
            "set title 'Who runs on which pCPU'"]
    style = lambda i: "lc rgb '%s' title '%s'" % (COLOURS[i % len(COLOURS)], dump.partition_name(i).replace("_", "\\_"))
    out.append("plot $unknown using 1:2:1:3:($2-0.4):($2+0.4) with boxxyerror lc rgb '#dddddd' title 'not in the dump', " +
               ", ".join("$turns%d using 1:2:1:3:($2-0.4):($2+0.4) with boxxyerror %s" % (i, style(i)) for i in who))
    out += ["set ytics auto", "set yrange [0:*]", "set ylabel 'exits a second'", "set xlabel 'seconds since the first record'",
            "set title 'Exits'"]
    out.append("plot " + ", ".join("$exits%d using 1:2 with lines lw 1.5 %s" % (i, style(i)) for i in who))
    return "\n".join(out + ["unset multiplot"]) + "\n"


def write(dump, path):
    if not dump.partitions:
        raise SystemExit("trace: the dump names no partition: there is nothing to plot")
    done = subprocess.run(["gnuplot"], input=script(dump, path), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode or done.stdout:
        raise SystemExit("trace: gnuplot: %s" % done.stdout)
