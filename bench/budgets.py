#!/usr/bin/env python3
"""Measures btaot and its tools against their budgets, beside the recorded figures of bpftrace 0.27.1.

  bench/budgets.py --btaot target/release/btaot [--calls N] [--repeat N]

Prints one table and exits with 1 when a budget is exceeded. Needs root, gcc and bpftool. CPU times are the best of
several runs: the machine may be busy, but it cannot make a program do less work. The costs inside BPF come from bench.py.
The peer's figures are in peer-bpftrace-0.27.1.md; ratios compare net costs, with the empty program of the same run subtracted.
"""
import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20

# Of each script of scripts/: net ns per event inside BPF of the peer, the part of that which a tool may cost, the most
# instructions after the verifier (all programs of the script together), and the peer's.
SCRIPTS = {
    "1-count": (51, 0.25, 25, "60"),
    "2-hist": (57, 0.35, 75, "97"),
    "3-pidcomm": (136, 0.95, 70, "108"),
    "4-strkey": (630, 0.5, None, "70"),
    "5-printf": (4800, 0.12, 90, "137"),
    "6-tracepoint": (53, 0.6, 60, "146"),
    "7-latency": (600, 1.0, 130, "177"),
    "8-ustack": (1344, 0.85, 70, "139"),
}

# What a tool may cost of what the hand-written program in ref/ costs in the same sitting: a factor and some ns.
REFERENCE_FACTOR, REFERENCE_NS = 1.2, 5

HELLO = 'BEGIN { printf("hello\\n"); exit(); }'
COUNT = "uprobe:%s:f { @ = count(); }"
STRUCT_FIELDS = 'uprobe:%s:f { printf("%%d %%d\\n", curtask->pid, curtask->real_parent->tgid); }'


# A clause of the long script: eleven lines, with map keys, kernel fields, a predicate and formats.
CLAUSE = """
// clause %(n)d
kprobe:vfs_read, kprobe:vfs_write
/ pid > %(n)d /
{
  $task = curtask;
  if ($task->pid != 1) { @calls%(n)d[comm, $task->real_parent->tgid] = count(); }
  else { printf("%%d %%s %%x\\n", pid, comm, nsecs / 1000); }
  @size%(n)d = hist(arg2);
  @last%(n)d[tid] = nsecs;
}
"""


class Table:
    """The rows so far; `exceeded` once a budget was not kept."""

    def __init__(self):
        self.exceeded = False
        print("| | budget | measured | bpftrace 0.27.1 JIT / AOT | |")
        print("|---|---|---|---|---|", flush=True)

    def row(self, what, limit, measured, unit, peer):
        within = measured <= limit
        self.exceeded |= not within
        shown = "%d" % measured if isinstance(measured, int) else "%.2f" % measured
        verdict = "ok" if within else "**exceeded**"
        print("| %s | ≤ %g %s | %s %s | %s | %s |" % (what, limit, unit, shown, unit, peer, verdict), flush=True)


def run_ms(command):
    """User and system time of a command in ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def measure_checks(table, options, folder):
    long_script, short_script = folder + "/long.bt", folder + "/short.bt"
    with open(long_script, "w") as file:
        file.writelines(CLAUSE % {"n": number} for number in range(91))
    with open(short_script, "w") as file:
        file.write(HELLO)
    for what, script, limit in [("of 1 000 lines", long_script, 60), ("of a one-liner", short_script, 10)]:
        best = min(run_ms([options.btaot, "check", script]) for _ in range(options.repeat))
        table.row("check %s, user + system" % what, limit, best, "ms", "–")


def compile_tool(btaot, program, tool):
    """Compiles program text; returns the user and system time of it in ms."""
    return run_ms([btaot, "-e", program, "-o", tool])


def is_static(path):
    headers = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
    return "INTERP" not in headers


def cpu_time_ms(pid):
    """User and system time of all threads so far, from the scheduler's nanoseconds."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
            total += int(file.read().split()[0])
    return total / 1e6


def ring_resident(pid):
    """The resident bytes of a process's mappings of BPF maps; those of a ring count at most twice, as it is mapped twice."""
    total, inside = 0, False
    with open("/proc/%d/smaps" % pid) as file:
        for line in file:
            if "-" in line.split(None, 1)[0]:
                inside = "bpf-map" in line
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def peak_resident(pid):
    """VmHWM less the ring, whose pages belong to the kernel."""
    with open("/proc/%d/status" % pid) as file:
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    return peak - ring_resident(pid)


def start_up(tool):
    """Starts a tool; returns its CPU time in ms when it says that it is attached, and its peak memory in MiB."""
    process = subprocess.Popen([tool], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        said = b""
        while b"Attached" not in said:
            piece = os.read(process.stderr.fileno(), 4096)
            if not piece:
                raise RuntimeError("%s did not attach: %s" % (tool, said.decode(errors="replace")))
            said += piece
        return cpu_time_ms(process.pid), peak_resident(process.pid) / MIB
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def best_start_up(tool, repeat):
    runs = [start_up(tool) for _ in range(repeat)]
    return min(cpu for cpu, _ in runs), max(memory for _, memory in runs)


def measure_tools(table, options, folder):
    target = folder + "/target"
    build = ["gcc", "-O2", "-g", "-fno-omit-frame-pointer", "-fno-inline", HERE + "/target.c", "-o", target]
    subprocess.run(build, check=True)
    hello, count, fields = folder + "/hello", folder + "/count", folder + "/fields"
    compile_tool(options.btaot, HELLO, hello)
    compile_ms = min(compile_tool(options.btaot, COUNT % target, count) for _ in range(options.repeat))
    compile_tool(options.btaot, STRUCT_FIELDS % target, fields)

    table.row("tool size, hello", 2_600_000, os.path.getsize(hello), "bytes", "– / 5.5 MB + 179 MB shared objects")
    table.row("tool is dynamic, hello", 0, int(not is_static(hello)), "files", "yes / yes")
    count_ms, count_mib = best_start_up(count, options.repeat)
    fields_ms, fields_mib = best_start_up(fields, options.repeat)
    table.row("peak resident, uprobe count", 4, count_mib, "MiB", "162 / 95")
    table.row("peak resident, kernel struct fields", 8, fields_mib, "MiB", "162 / 95")
    table.row("user + system time at `Attached`, no kernel struct fields", 3, count_ms, "ms", "142 / 20")
    table.row("user + system time at `Attached`, with CO-RE", 8, fields_ms, "ms", "165 / refused")
    table.row("compile of a one-liner, user + system", 80, compile_ms, "ms", "142 / 137")


def user_ms(command):
    """User time of a command in ms: what the kernel does for it is not counted."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) * 1e3


def measure_pattern(table, options, folder):
    """Many functions by one pattern: a pass over the symbols and one link. The kernel takes some 13 ms to place the
    breakpoints of 500 functions; a tool's own work is its user time."""
    source, target, tool = folder + "/many.c", folder + "/many", folder + "/pattern"
    with open(source, "w") as file:
        file.write("volatile long sink;\n")
        file.writelines("void many_%d(void) { sink += %d; }\n" % (number, number) for number in range(500))
        file.write("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-O1", "-static", source, "-o", target], check=True)
    compile_tool(options.btaot, "uprobe:%s:many_* { @ = count(); }" % target, tool)
    best = min(user_ms([tool, "--dry-run"]) for _ in range(options.repeat))
    table.row("user time of a dry run, 500 functions by one pattern", 5, best, "ms", "–")


def measure_reader(table, options, folder):
    """What showing events costs the tool: CPU time from the first to the last, output to a file."""
    events = 1_000_000
    tool, output = folder + "/printed", folder + "/printed.txt"
    run_ms([options.btaot, HERE + "/scripts/9-printf-tp.bt", "-o", tool])
    best = None
    for _ in range(3):
        process = subprocess.Popen([tool, "-o", output], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = b""
        while b"Attached" not in said:
            said += os.read(process.stderr.fileno(), 4096)
        before = cpu_time_ms(process.pid)
        subprocess.run([folder + "/target", "sys", str(events)], check=True, stdout=subprocess.DEVNULL)
        time.sleep(0.1)
        spent = cpu_time_ms(process.pid) - before
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[1].decode()
        with open(output) as file:
            shown = sum(line.endswith(" target\n") for line in file)
        lost = sum(int(count) for count in re.findall(r"Lost (\d+) events", rest))
        if shown + lost != events:
            sys.exit("of %d events %d were shown and %d reported as lost:\n%s" % (events, shown, lost, rest))
        # For what was lost the tool did nothing.
        spent *= events / max(shown, 1)
        best = spent if best is None else min(best, spent)
    table.row("CPU time to show 1 000 000 printf events", 1000, best, "ms", "–")


def bench(options, results, compiler, tracer):
    """Runs bench.py once; gives what it measured, by script."""
    names = ",".join(["0-empty", *SCRIPTS])
    command = [HERE + "/bench.py", "--runs", "1", "--calls", str(options.calls), "--only", names,
               "--json", results, "--compile", compiler, "--", *tracer]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    with open(results) as file:
        measured = json.load(file)["results"]
    for name in ["0-empty", *SCRIPTS]:
        if name not in measured:
            sys.exit("bench.py could not measure %s:\n%s" % (name, run.stdout))
    return measured


def cost(rounds, name, calls):
    """Net ns per event inside BPF: of the rounds that which others disturbed least. The empty program of the same round
    is subtracted once, as in the peer's figures."""
    def once(measured, script):
        programs = [program for program in measured[script]["on"][0]["progs"] if program["cnt"] >= calls]
        return sum(program["ns"] / program["cnt"] for program in programs)
    return min(once(measured, name) - once(measured, "0-empty") for measured in rounds)


def measure_events(table, options, folder):
    compiler = os.path.abspath(options.btaot) + " --no-warnings {} -o {tool}"
    clang = "clang-19 -O2 -target bpf -mcpu=v3 -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu"
    by_hand = "%s/ref/compile.sh {} {tool} %s" % (HERE, clang)
    ours, hand = [], []
    # In turns, so that both meet the same neighbours.
    for _ in range(options.rounds):
        ours.append(bench(options, folder + "/ours.json", compiler, ["{tool}"]))
        hand.append(bench(options, folder + "/hand.json", by_hand, [HERE + "/ref/run.py", "{tool}", "{target}"]))
    for name, (peer, ratio, most, peer_instructions) in SCRIPTS.items():
        if most is not None:
            instructions = sum(int(count) for count in ours[0][name]["insns"].split("+"))
            table.row("instructions after the verifier, " + name, most, instructions, "", peer_instructions)
        net, reference = cost(ours, name, options.calls), cost(hand, name, options.calls)
        table.row("net time per event inside BPF, " + name, ratio, net / peer, "of the peer's",
                  "%d ns (ours %.0f)" % (peer, net))
        allowed = REFERENCE_FACTOR * reference + REFERENCE_NS
        table.row("the same beside ref/%s.bpf.c" % name, round(allowed, 1), net, "ns", "by hand %.0f ns" % reference)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--btaot", required=True, help="the compiler to measure, an optimised build")
    parser.add_argument("--calls", type=int, default=100000, help="events per run")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all scripts, ours and those by hand in turns")
    parser.add_argument("--repeat", type=int, default=10, help="runs of which the best CPU time counts")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("budgets.py: loading programs into the kernel needs root")
    with tempfile.TemporaryDirectory(prefix="btaot-bench.") as folder:
        table = Table()
        measure_checks(table, options, folder)
        measure_tools(table, options, folder)
        measure_pattern(table, options, folder)
        measure_reader(table, options, folder)
        measure_events(table, options, folder)
    sys.exit(1 if table.exceeded else 0)


main()
