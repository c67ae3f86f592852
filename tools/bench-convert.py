#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures `sharevm image convert` beside qemu-img convert, in one run on one disk.

A 20 GB disk with an ext4 volume and 2 GB of this machine's own files is converted between all
formats that both sides know. Both end with their bytes on the disk (qemu-img convert, then
sync; sharevm flushes by itself), with the source in the page cache. Runs alternate, the median
counts; a pair that is half as fast again as it must be after its first run is not repeated,
nor is the packing of a stream, which takes minutes.
CPU is user and system time; memory is the peak of the largest process. The limit is what
`cp --sparse=always` and sync take for the raw disk. The last line counts the promises that hold
and those that do not; the exit code is 1 where one does not.

    bench-convert.py [--quick] [--compare] [PAIR...]

Reading alone is measured, too: a VMDK of 1 GiB whose grains lie in runs of 1 MiB, the runs in
random order, is read from its front to its end with O_DIRECT, 4 pieces of 1 MiB at a time;
beside qemu-img bench -t none with 4 and with 64 such requests at a time, the faster of the two.

PAIR is "read", FROM-TO (raw-vmdk), FROM- (all from it), -TO (all to it), or "goals": the pairs that
promise more than not to be slower; all pairs without a word. --quick: 200 MB of files instead
of 2 GB, for work on the code; nothing is judged but memory. --compare: qemu-img compares what
we wrote with the source.

Environment: SHAREVM, BENCH_DIR (build/bench-convert; needs 10 GB), BENCH_RUNS (3), BENCH_SECONDS
(840): when so many have passed, no further pair is begun.
"""

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHAREVM = os.environ.get("SHAREVM", TOP + "/build/src/cli/sharevm")
READ_DIRECT = os.path.dirname(SHAREVM) + "/../../tests/bench/read-direct"
DIR = os.environ.get("BENCH_DIR", TOP + "/build/bench-convert")
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "840"))

DISK_SIZE = 20 << 30
PARTITION_AT = 1 << 20
FULL_MB, QUICK_MB = 1850, 200  # with the file system's own: 2 GB
FILE_MAX = 64 << 20
FOLDERS = ("/usr/share", "/usr/bin", "/usr/include", "/usr/lib", "/usr/sbin", "/usr/libexec")


class Format:
    """A kind of disk, as sharevm and as qemu-img call it."""

    def __init__(self, ours, theirs, ending, kind=None, options=None):
        self.ours, self.theirs, self.ending = ours, theirs, ending
        self.kind, self.options = kind, options


# in the order in which they are measured: those with goals first
FORMATS = {
    "raw": Format("raw", "raw", "raw"),
    "vmdk": Format("vmdk", "vmdk", "vmdk", "monolithicSparse"),
    "chain": Format("vmdk", "vmdk", "vmdk"),  # three links, only read: flattened
    "qcow2": Format("qcow2", "qcow2", "qcow2"),
    "vdi": Format("vdi", "vdi", "vdi"),
    "vhd": Format("vhd", "vpc", "vhd"),
    "vhdx": Format("vhdx", "vhdx", "vhdx"),
    "parallels": Format("parallels", "parallels", "hds"),
    "split": Format(
        "vmdk", "vmdk", "vmdk", "twoGbMaxExtentSparse", "subformat=twoGbMaxExtentSparse"
    ),
    "stream": Format("vmdk", "vmdk", "vmdk", "streamOptimized", "subformat=streamOptimized"),
}
PLAIN = ("raw", "vmdk", "qcow2", "vdi", "vhd", "vhdx", "parallels")
# What is promised: how many times as fast as qemu-img. All other pairs: not slower, but for
# the noise of 5 %.
GOALS = {"raw-vmdk": 2.5, "vmdk-vmdk": 2.5, "chain-vmdk": 2.5, "vmdk-raw": 2.0, "raw-stream": 3.0}
OTHERS = 0.95
READ_GOAL, READ_MB = 3.0, 1024
STREAM_LARGER = 1.03
MEMORY_MAX = 64 << 20
CLEAR = 1.5
ONCE = ("raw-stream",)  # takes qemu-img more than a minute


def every_pair():
    pairs = ["read", *GOALS]
    pairs += [f"{a}-{b}" for a in PLAIN for b in PLAIN]
    pairs += ["raw-split", "split-raw", "stream-raw"]
    return list(dict.fromkeys(pairs))


def fail(text):
    sys.exit("bench-convert: " + text)


def run(*command):
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: {(done.stderr or done.stdout).decode(errors='replace')}")


# ---- the disk --------------------------------------------------------------------------------


def own_files():
    """Files of this machine, in an order that does not change; from the start again at the end."""
    while True:
        for top in FOLDERS:
            for folder, folders, names in os.walk(top):
                folders.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    if os.path.isfile(path) and not os.path.islink(path):
                        yield path
        yield None


def take(path, to):
    """A second name is as good as a copy, where it is allowed."""
    try:
        os.link(path, to)
    except OSError:
        shutil.copyfile(path, to)


def copy_files(tree, bytes_wanted):
    left, round_of = bytes_wanted, 0
    for path in own_files():
        if path is None:
            round_of += 1
            if left == bytes_wanted:
                fail("this machine has no files to copy")
            continue
        size = os.path.getsize(path)
        if size > min(left, FILE_MAX) or not os.access(path, os.R_OK):
            continue
        to = f"{tree}/{round_of}{path}"
        os.makedirs(os.path.dirname(to), exist_ok=True)
        take(path, to)
        left -= (size + 4095) & ~4095  # as the disk stores it
        if left < 1 << 20 or round_of > 16:
            return


def make_disk(path, mb):
    tree = DIR + "/tree"
    copy_files(tree, mb << 20)
    with open(path, "wb") as disk:
        disk.truncate(DISK_SIZE)
    run("sh", "-c", f"echo start=2048 | sfdisk -q '{path}'")
    size = (DISK_SIZE - PARTITION_AT) >> 10
    place = f"offset={PARTITION_AT}"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-E", place, "-d", tree, path, f"{size}k")
    shutil.rmtree(tree)
    run("fallocate", "--dig-holes", path)  # zeros that mke2fs wrote


def peer_command(source, to, path, target):
    f = FORMATS[to]
    options = f"-o {f.options} " if f.options else ""
    files = f"'{target}'"
    if to == "split":
        files = f"'{os.path.splitext(target)[0]}'*"
    return (
        f"qemu-img convert -f {FORMATS[source].theirs} -O {f.theirs} {options}"
        f"'{path}' '{target}' && sync {files}"
    )


def our_command(source, to, path, target):
    f = FORMATS[to]
    kind = f"--subformat {f.kind} " if f.kind else ""
    return (
        f"exec '{SHAREVM}' image convert -q --from {FORMATS[source].ours} --to {f.ours} {kind}"
        f"'{path}' '{target}'"
    )


def make_chain(base):
    """Two deltas over a disk, each with 512 pieces of 256 KiB of its own."""
    below = base
    for link in range(2):
        path = f"{DIR}/source-chain-{link}.vmdk"
        run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", below, path)
        writes = []
        for i in range(512):
            at = (i * 37 + link * 17) * (1 << 20) % (DISK_SIZE - (1 << 20))
            writes += ["-c", f"write -q -P {1 + (i + link) % 255} {at} 256k"]
        run("qemu-io", "-f", "vmdk", "-t", "unsafe", *writes, path)
        below = path
    return below


def make_source(name, raw):
    """The disk in a format, made by qemu-img. Gives its path."""
    if name == "raw":
        return raw
    path = f"{DIR}/source-{name}.{FORMATS[name].ending}"
    run("sh", "-c", peer_command("raw", name, raw, path))
    if name == "chain":
        path = make_chain(path)
    return path


# ---- one run ---------------------------------------------------------------------------------


def files_of(stem):
    """A disk's files: all that begin so."""
    return [f"{DIR}/{name}" for name in os.listdir(DIR) if name.startswith(stem)]


def remove(stem):
    for name in files_of(stem):
        os.unlink(name)


def stored(stem):
    return sum(os.stat(name).st_blocks * 512 for name in files_of(stem))


def heat(stem):
    """Brings what is stored of a disk into the page cache; holes are passed over."""
    for name in files_of(stem):
        with open(name, "rb", buffering=0) as f:
            end, at = os.fstat(f.fileno()).st_size, 0
            while at < end:
                try:
                    at = os.lseek(f.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
                os.lseek(f.fileno(), at, os.SEEK_SET)
                while at < hole:
                    at += len(f.read(min(4 << 20, hole - at))) or hole


class Runs:
    """Runs of one command. Each: wall seconds, CPU seconds, bytes of memory."""

    def __init__(self, command, source):
        self.command, self.source = command, source
        self.runs = []
        self.stored = 0

    def again(self):
        remove("target")
        heat(self.source)
        os.sync()
        took = DIR + "/took"
        begun = time.monotonic()
        run("/usr/bin/time", "-f", "%U %S %M", "-o", took, "sh", "-c", self.command)
        seconds = time.monotonic() - begun
        with open(took, encoding="ascii") as f:
            user, system, memory = f.read().split()[-3:]
        self.runs.append((seconds, float(user) + float(system), int(memory) << 10))
        self.stored = stored("target")

    def seconds(self):
        return statistics.median(r[0] for r in self.runs)

    def cpu(self):
        return statistics.median(r[1] for r in self.runs)

    def memory(self):
        return max(r[2] for r in self.runs)


# ---- the table -------------------------------------------------------------------------------


class Table:
    def __init__(self, judges_speed):
        self.judges_speed = judges_speed
        self.held = self.short = 0
        self.left_out = []  # for lack of time

    @staticmethod
    def head():
        print(
            f"{'pair':<20}{'ours s':>8}{'peer s':>8}{'speed':>7}{'goal':>6}"
            f"{'CPU s':>8}{'peer':>7}{'times':>7}{'memory':>8}{'size':>7}"
        )

    def judge(self, holds, what):
        """Counts a promise; gives what to print where it does not hold."""
        if holds:
            self.held += 1
            return []
        self.short += 1
        return [what]

    def row(self, pair, ours, peer):
        speed, size = peer.seconds() / ours.seconds(), ours.stored / peer.stored
        goal = GOALS.get(pair, OTHERS)
        lacks = self.judge(ours.memory() <= MEMORY_MAX, "memory")
        if self.judges_speed:
            lacks += self.judge(speed >= goal, "speed")
        if pair.endswith("-stream"):
            lacks += self.judge(size <= STREAM_LARGER, "size")
        verdict = "SHORT: " + ", ".join(lacks) if lacks else "holds"
        print(
            f"{pair:<20}{ours.seconds():8.2f}{peer.seconds():8.2f}{speed:7.2f}{goal:6.2f}"
            f"{ours.cpu():8.2f}{peer.cpu():7.2f}{peer.cpu() / max(ours.cpu(), 0.01):7.2f}"
            f"{ours.memory() / (1 << 20):5.0f} MB{size:7.3f}  {verdict}",
            flush=True,
        )

    def reading(self, ours, peer):
        lacks = self.judge(peer / ours >= READ_GOAL, "speed") if self.judges_speed else []
        verdict = "SHORT: speed" if lacks else "holds"
        print(
            f"{'read, O_DIRECT':<20}{ours:8.2f}{peer:8.2f}{peer / ours:7.2f}{READ_GOAL:6.2f}"
            f"{verdict:>38}",
            flush=True,
        )

    def limit(self, limit):
        print(f"{'limit: cp':<20}{limit.seconds():8.2f}{'':>21}{limit.cpu():8.2f}", flush=True)


FOOT = """
{held} promises hold, {short} do not.

peer    qemu-img convert, and sync of what it wrote
speed   how many times as fast as the peer we are, in wall time; times: in CPU time
goal    of the speed; where it is 0.95: not slower, but for the noise. Memory: at most 64 MB;
        size (ours to the peer's, as the host stores it): of a stream at most 1.03
limit   cp --sparse=always of the raw disk, and sync"""


def measure(table, pair, path, compare):
    source, to = pair.split("-")
    target = f"{DIR}/target.{FORMATS[to].ending}"
    ours = Runs(our_command(source, to, path, target), f"source-{source}")
    peer = Runs(peer_command(source, to, path, target), f"source-{source}")
    ours.again()
    if compare:
        formats = "-f", FORMATS[source].theirs, "-F", FORMATS[to].theirs
        run("qemu-img", "compare", *formats, path, target)
    peer.again()
    enough = GOALS.get(pair, OTHERS) * CLEAR
    for i in range(1, 1 if pair in ONCE else RUNS):
        if i == 1 and peer.seconds() / ours.seconds() >= enough:
            break
        for side in (ours, peer) if i % 2 == 0 else (peer, ours):
            side.again()
    remove("target")
    table.row(pair, ours, peer)


def make_shuffled(path):
    run("qemu-img", "create", "-q", "-f", "vmdk", path, f"{READ_MB}M")
    order = list(range(READ_MB))
    random.Random(1).shuffle(order)
    writes = []
    for i in order:
        writes += ["-c", f"write -q -P {1 + i % 255} {i}M 1M"]
    run("qemu-io", "-f", "vmdk", "-t", "unsafe", *writes, path)
    run("sync", path)


def seconds_in(command):
    """What a program says that it took."""
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return float(re.search(r"([0-9.]+) seconds", said).group(1))


def measure_reading(table):
    path = DIR + "/shuffled.vmdk"
    make_shuffled(path)
    bench = ["qemu-img", "bench", "-f", "vmdk", "-t", "none", "-c", str(READ_MB), "-s", "1M"]
    ours, few, many = [], [], []
    for _ in range(RUNS):
        ours.append(seconds_in([READ_DIRECT, path]))
        few.append(seconds_in([*bench, "-d", "4", path]))
        many.append(seconds_in([*bench, "-d", "64", path]))
    remove("shuffled")
    table.reading(statistics.median(ours), min(map(statistics.median, (few, many))))


def measure_limit(table, path):
    target = DIR + "/target.raw"
    limit = Runs(f"cp --sparse=always '{path}' '{target}' && sync '{target}'", "source-raw")
    for _ in range(RUNS):
        limit.again()
    remove("target")
    table.limit(limit)


def measure_all(table, pairs, compare, mb):
    ends = time.monotonic() + SECONDS
    raw = DIR + "/source-raw.raw"
    make_disk(raw, mb)
    print(
        f"{stored('source-raw') / 1e9:.1f} GB used of {DISK_SIZE >> 30} GiB, "
        f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}; "
        f"{time.strftime('%F')}\n"
    )
    table.head()
    measure_limit(table, raw)
    if "read" in pairs:
        measure_reading(table)
    for source in FORMATS:
        wanted = [p for p in pairs if p.split("-")[0] == source]
        if not wanted or time.monotonic() > ends:
            table.left_out += wanted
            continue
        path = make_source(source, raw)
        for pair in wanted:
            if time.monotonic() > ends:
                table.left_out.append(pair)
            else:
                measure(table, pair, path, compare)
        if source != "raw":
            remove(f"source-{source}")


# ---- begin -----------------------------------------------------------------------------------


def choose(words):
    every, pairs = every_pair(), []
    for word in words:
        found = [p for p in every if p == word or word[-1] == "-" and p.startswith(word)
                 or word[0] == "-" and p.endswith(word)]
        if word == "goals":
            found = ["read", *GOALS]
        if not found:
            fail(f"no pair {word}: FROM-TO of {', '.join(FORMATS)}")
        pairs += [p for p in found if p not in pairs]
    return pairs or every


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("pairs", nargs="*")
    args = parser.parse_args()
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for tool in ("qemu-img", "qemu-io", "mke2fs", "sfdisk", "/usr/bin/time", SHAREVM, READ_DIRECT):
        if not shutil.which(tool):
            fail(f"{tool} is missing; run tools/setup.sh bench, and make")
    pairs = choose(args.pairs)
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    table = Table(not args.quick)
    try:
        measure_all(table, pairs, args.compare, QUICK_MB if args.quick else FULL_MB)
    finally:
        shutil.rmtree(DIR)
    print(FOOT.format(held=table.held, short=table.short))
    if table.left_out:
        print(f"\nNot measured, for lack of time: {' '.join(table.left_out)}")
    sys.exit(1 if table.short else 0)


main()
