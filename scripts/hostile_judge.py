"""What a machine of scripts/hostile said on its serial line: the figures in it, and what in it is a violation.

A guest's lines begin with "[its name] ", the hypervisor's do not, so that no guest can speak for another or for Trapeze."""
import collections
import re

# What a seed must at least have done: one that dies at once, always, tests nothing. One that has overwritten its own code may
# spin on both CPUs from then on, so more is asked only of all seeds of a backend together.
LONGEST_LIFE = 16        # actions
SOME_SEEDS = 3           # from so many on: actions, for each seed and second of its witness
ACTIONS_A_SECOND = 5
ENOUGH_SEEDS = 15        # from so many on: each kind of action, and kinds of exits
EXIT_KINDS = 15

WRONG = (r"witness: FAIL.*", r"PANIC.*", r"self-check: FAILED.*", r"spinlock.*", r"page_free: .*", r"a fault of the hypervisor.*",
         r"VM entry failed.*", r"which Trapeze does not expect.*")


def plain(serial):
    """Without what the monitor does to keep its prompt below the log."""
    return re.sub(r"\r?\x1b\[K(trapeze> (?=\r?\x1b\[K))?", "", serial.replace("\r\n", "\n"))


def find(pattern, text):
    return re.findall(pattern, text, re.MULTILINE)


def before_the_end(serial):
    """Before something was typed: what must be the same in each run."""
    return re.split(r"\[witness\] witness: \d+ beats", serial)[0]


def actions(text):
    """Kinds of actions, each counted when it began: the last of a life, too."""
    return collections.Counter(find(r"^\[seed\d+\] # (.*)$", text))


def of_seed(text, seed):
    """(actions, lives, actions in the longest life)"""
    lives, count = [], 0
    for line in find(r"^(?:\[seed%d\] # .*|seed%d: life \d+: \d+ exits)" % (seed, seed), text):
        if line.startswith("["):
            count += 1
        else:
            lives.append(count)
            count = 0
    return sum(lives) + count, len(lives), max(lives + [count])


def exits(text):
    kinds = collections.Counter()
    for line in find(r"^seed\d+: exits: (.*)$", text):
        for kind, count in re.findall(r"([^,]+?) (\d+)(?:, |$)", line):
            kinds[kind] += int(count)
    return kinds


def stops(text):
    """Why lives were ended by Trapeze."""
    out = collections.Counter()
    for line in find(r"^seed\d+: stopped: vCPU \d+ at [0-9a-f]+:[0-9a-f]+: (.*)$", text):
        out[re.sub(r"\(.*|0x[0-9a-f]+.*|:.*", "", line).strip()] += 1
    return out


def figures(text):
    """Sums over one machine; text is plain()."""
    f, faults = collections.Counter(), collections.Counter()
    for seed, life, count in find(r"^\[seed\d+\] hostile: seed (\d+) life (\d+): \d+ actions, (\d+) faults", text):
        faults[seed, life] = max(faults[seed, life], int(count))
    f["actions"], f["faults"], f["exits"] = actions(text).total(), faults.total(), exits(text).total()
    f["heartbeats"] = len(find(r"^\[witness\] witness: beat \d+ at", text))
    f["lives"] = len(find(r"^seed\d+: life \d+: \d+ exits", text))
    f["stopped"] = stops(text).total()
    f["longest gap, ms"] = max([int(n) for n in find(r"^\[witness\] witness: .*longest gap (\d+) ms", text)] or [0])
    return f


def violations(text, seeds, seconds):
    """Of one machine; text is plain()."""
    out = [hit for pattern in WRONG for hit in find(pattern, text)[:5]]
    if not find(r"^\[witness\] witness: %d beats, 0 failures$" % seconds, text):
        out.append("the witness did not say that all was well")
    if figures(text)["heartbeats"] != seconds:
        out.append("%d heartbeats instead of %d" % (figures(text)["heartbeats"], seconds))
    if len(find(r"^self-check: ok", text)) < 2:
        out.append("the hypervisor did not say twice, when asked and at its end, that it is whole")
    for seed in seeds:
        made, lives, longest = of_seed(text, seed)
        if longest < LONGEST_LIFE or not lives:
            out.append("seed %d did too little: %d actions, %d lives, the longest of %d actions; at least one of %d" % (
                seed, made, lives, longest, LONGEST_LIFE))
    return out


def too_little(seeds, seconds, made, known, exit_kinds):
    """Of all machines of a backend: `made` counts actions by kind, `known` are all kinds."""
    out, floor = [], ACTIONS_A_SECOND * seconds * seeds
    if seeds >= SOME_SEEDS and made.total() < floor:
        out.append("%d actions instead of at least %d" % (made.total(), floor))
    if seeds < ENOUGH_SEEDS:
        return out
    out += ["no action was: " + kind for kind in sorted(known) if not made[kind]]
    if exit_kinds < EXIT_KINDS:
        out.append("%d kinds of exits instead of at least %d" % (exit_kinds, EXIT_KINDS))
    return out


def floors(seconds):
    return ("of each machine %d heartbeats; of each seed a life of %d actions; of %d seeds or more %d actions a seed; of %d seeds or more "
            "each kind of action, and %d kinds of exits" % (
                seconds, LONGEST_LIFE, SOME_SEEDS, ACTIONS_A_SECOND * seconds, ENOUGH_SEEDS, EXIT_KINDS))
