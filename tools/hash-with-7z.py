#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares every file of an NTFS volume with a list of SHA-256 sums, read by 7-Zip as one stream,
so that nothing is extracted to disk.

usage: hash-with-7z.py VOLUME MANIFEST [--without NAME]...

7-Zip lists the files with their sizes, and writes them in the same order, one behind the other.
Prints `N files, N bytes, N faults`, the faults first; progress goes to a terminal on stderr.
"""
import hashlib
import subprocess
import sys


def listed(volume, skip):
    out = subprocess.run(["7z", "l", "-slt", *skip, volume], check=True, capture_output=True,
                         text=True).stdout
    for block in out.split("\n----------\n", 1)[1].split("\n\n"):
        fields = dict(line.split(" = ", 1) for line in block.split("\n") if " = " in line)
        if fields.get("Path") and fields.get("Folder", "-") == "-":
            yield fields["Path"], int(fields.get("Size") or 0)


def sum_of(stream, size, tick):
    h = hashlib.sha256()
    while size:
        data = stream.read(min(size, 1 << 20))
        if not data:
            break
        h.update(data)
        size -= len(data)
        tick(len(data))
    return h.hexdigest()


def progress_to(total):
    done = [0, -1]

    def tick(n):
        done[0] += n
        percent = done[0] * 100 // max(total, 1)
        if percent != done[1] and sys.stderr.isatty():
            done[1] = percent
            sys.stderr.write(f"\r      {percent:3} %" + ("\r          \r" if percent == 100 else ""))
            sys.stderr.flush()
    return tick


def main():
    volume, manifest, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    without = [rest[i + 1] for i, a in enumerate(rest) if a == "--without"]
    skip = ["-sns", "-x![SYSTEM]"] + [f"-x!{name}" for name in without]
    with open(manifest, encoding="utf-8") as f:
        want = {line[66:].rstrip("\n"): line[:64] for line in f}
    for name in without:
        want.pop(name, None)
    files = list(listed(volume, skip))
    tick = progress_to(sum(size for _, size in files))
    faults, total = [], 0
    with subprocess.Popen(["7z", "x", "-so", *skip, volume], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as p:
        for name, size in files:
            found = sum_of(p.stdout, size, tick)
            total += size
            if want.pop(name, None) != found:
                faults.append(f"{name}: not as it was written")
        rest = p.stdout.read()
    if rest or p.returncode:
        faults.append(f"7z ended with {p.returncode} and {len(rest)} bytes too many")
    faults += [f"{name}: missing" for name in want]
    for fault in faults[:10]:
        print(fault)
    print(f"{len(files)} files, {total} bytes, {len(faults)} faults")
    sys.exit(1 if faults or not files else 0)


if __name__ == "__main__":
    main()
