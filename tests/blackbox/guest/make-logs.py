#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make-logs.py OLD NEW DIR HOW: a dirty hive and its logs.

OLD and NEW are the same hive before and after a change by another program. Writes to DIR the
hive as OLD, marked dirty, and logs that hold what NEW has: HOW is "one" (.LOG1), "two" (.LOG1
and .LOG2, the later part in .LOG1), or "old" (.LOG as before Windows 8.1). The hashes are
computed by code of its own.
"""
import os
import struct
import sys

PAGE = 4096


def rotate(x, n):
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def marvin(data):
    low, high = struct.unpack("<II", bytes.fromhex("82EF4D887A4E55C5"))
    data += b"\x80" + bytes(3 - len(data) % 4) + bytes(4)
    for (word,) in struct.iter_unpack("<I", data):
        low = low + word & 0xFFFFFFFF
        high ^= low
        low = rotate(low, 20) + high & 0xFFFFFFFF
        high = rotate(high, 9) ^ low
        low = rotate(low, 27) + high & 0xFFFFFFFF
        high = rotate(high, 19)
    return struct.pack("<II", low, high)


def sealed(base):
    total = 0
    for (word,) in struct.iter_unpack("<I", base[:508]):
        total ^= word
    return base[:508] + struct.pack("<I", total)


def base_block(hive, first, second, kind, bins):
    head = bytearray(hive[:508])
    struct.pack_into("<II", head, 4, first, second)
    struct.pack_into("<I", head, 28, kind)
    struct.pack_into("<I", head, 40, bins)
    return sealed(bytes(head))


def entry(number, bins, pages):
    body = b"".join(struct.pack("<II", at, len(data)) for at, data in pages)
    body += b"".join(data for _, data in pages)
    size = (40 + len(body) + 511) // 512 * 512
    body = body.ljust(size - 40, b"\0")
    head = struct.pack("<4sIIIII", b"HvLE", size, 0, number, bins, len(pages)) + marvin(body)
    return head + marvin(head) + body


def new_log(hive, number, bins, parts):
    log = base_block(hive, number, number, 6, bins)
    for i, part in enumerate(parts):
        log += entry(number + i, bins, part)
    return log


def old_log(new, bins, pages):
    dirty = {at // 512 + i for at, _ in pages for i in range(PAGE // 512)}
    bitmap = bytearray(bins // 512 // 8)
    for bit in dirty:
        bitmap[bit // 8] |= 1 << bit % 8
    log = (base_block(new, 9, 9, 1, bins) + b"DIRT" + bytes(bitmap))
    log = log.ljust((len(log) + 511) // 512 * 512, b"\0")
    return log + b"".join(new[4096 + 512 * bit:4096 + 512 * (bit + 1)] for bit in sorted(dirty))


def main():
    old_path, new_path, folder, how = sys.argv[1:]
    with open(old_path, "rb") as f:
        old = f.read()
    with open(new_path, "rb") as f:
        new = f.read()
    name = os.path.join(folder, os.path.basename(old_path))
    bins = struct.unpack_from("<I", new, 40)[0]
    pages = [(at, new[4096 + at:4096 + at + PAGE]) for at in range(0, bins, PAGE)
             if new[4096 + at:4096 + at + PAGE] != old[4096 + at:4096 + at + PAGE]]
    assert pages
    if how == "old": # a log fits by its time
        old = old[:12] + new[12:20] + old[20:]
        logs = {".LOG": old_log(new, bins, pages)}
    elif how == "one":
        logs = {".LOG1": new_log(new, 7, bins, [[page] for page in pages])}
    else: # what .LOG2 holds is older: it must be applied first
        half = len(pages) // 2
        wrong = [(at, bytes(PAGE)) for at, _ in pages[half:]]
        logs = {".LOG2": new_log(new, 7, bins, [pages[:half], wrong]),
                ".LOG1": new_log(new, 9, bins, [pages[half:]])}
    logs[""] = base_block(old, 8, 7, 0, struct.unpack_from("<I", old, 40)[0]) + old[512:]
    for ending, data in logs.items():
        with open(name + ending, "wb") as f:
            f.write(data)


main()
