"""A dump as a table of exits, for people without a trace viewer."""
import collections


def rows(dump):
    """(partition's name, kind, count, share of this partition's ticks in the hypervisor 0..1, median, 99th percentile)."""
    ticks = collections.defaultdict(list)
    for e in dump.events:
        if dump.type_of(e) == "exit":
            ticks[e.partition, dump.kind_of(e)].append(e.ticks)
    total = collections.Counter()
    for (partition, _), t in ticks.items():
        total[partition] += sum(t)
    out = []
    for (partition, kind), t in sorted(ticks.items(), key=lambda item: (item[0][0], -sum(item[1]), item[0][1])):
        t.sort()
        out.append((dump.partition_name(partition), kind, len(t), sum(t) / (total[partition] or 1), t[(len(t) - 1) // 2],
                    t[(len(t) - 1) * 99 // 100]))
    return out


def text(dump):
    seconds = (max([dump.now] + [e.tsc for e in dump.events]) - dump.first_tsc()) / dump.hz
    out = ["%d records of %.6f s on %d pCPUs (%s, %s)" % (len(dump.events), seconds, dump.pcpus, dump.header["backend"],
                                                        dump.header["version"])]
    for pcpu in sorted(dump.written):
        out.append("pCPU %d: %d of %d records are in this dump" % (
            pcpu, sum(e.pcpu == pcpu for e in dump.events), dump.written[pcpu]))
    out.append("%-12s %-32s %7s %7s %8s %8s" % ("PARTITION", "EXIT", "COUNT", "SHARE", "MEDIAN", "99 %"))
    for name, kind, count, share, median, high in rows(dump):
        out.append("%-12s %-32s %7d %6.1f%% %8d %8d" % (name, kind, count, 100 * share, median, high))
    out.append("SHARE is of the partition's TSC ticks in the hypervisor, MEDIAN and 99 % are ticks of one exit.")
    return "\n".join(out)
