#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_labels.c into corpus/labels beside this file."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus/labels")
WHOLE, KEEP_SUM, APPLE = 4, 8, 16


def save(name, flags, data):
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(bytes([flags]) + data)


def label(parts, n=None, sector=512, magic2=0x82564557):
    b = struct.pack("<I36xI88xIHHII", 0x82564557, sector, magic2, 0,
                    len(parts) if n is None else n, 8192, 8192)
    return b + b"".join(struct.pack("<IIIBBH", count, start, 1024, kind, 8, 16)
                        for start, count, kind in parts)


def entry(total, start, count, name, kind):
    return struct.pack(">2s2xIII32s32s", b"PM", total, start, count, name, kind).ljust(512, b"\0")


def apm(*entries, block=512, total=None, gap=512):
    b = struct.pack(">2sHI", b"ER", block, 16384).ljust(gap, b"\0")
    n = len(entries) if total is None else total
    return b + b"".join(entry(n, *e).ljust(gap, b"\0") for e in entries)


absolute = [(2064, 1000, 7), (3064, 500, 1), (2048, 8192, 0), (4000, 2000, 7)]
relative = [(16, 1000, 7), (1016, 500, 1), (0, 8192, 0), (2000, 2000, 27)]
save("freebsd", 0, label(absolute))
save("freebsd-relative", 0, label(relative))
save("openbsd", 1, label(absolute[:2] + [(0, 16384, 0)] + absolute[3:] + [(12000, 900, 8)]))
save("netbsd", 2, label(absolute[:3] + [(0, 16384, 0)]))
save("linux", 3, label(absolute))
save("overlap", 0, label([(2064, 1000, 7), (2100, 2000, 7)]))
save("sum", KEEP_SUM, label(absolute))
save("many", 0, label(absolute, n=200))
save("sector", 0, label(absolute, sector=300))
save("magic2", 0, label(absolute, magic2=3))
save("whole", WHOLE, label([(16, 16000, 7), (0, 1, 0), (0, 16384, 0)]))
save("whole-only-c", WHOLE, label([(0, 0, 0), (0, 0, 0), (0, 16384, 7)]))
save("whole-sum", WHOLE | KEEP_SUM, label(absolute))
save("whole-4096", WHOLE, label([(16, 1000, 7)], sector=4096))
parts = [(1, 63, b"Apple", b"Apple_partition_map"), (64, 8000, b"disk image", b"Apple_HFS"),
         (8064, 100, b"", b"Apple_Free"), (9000, 500, b"\x80x", b"Strange")]
save("apm", APPLE, apm(*parts))
save("apm-2048", APPLE, apm(*[(s // 4, max(c // 4, 1), n, k) for s, c, n, k in parts[:2]], block=2048,
                            gap=2048))
save("apm-beyond", APPLE, apm((1, 63, b"m", b"Apple_partition_map"), (9000, 90000, b"x", b"Apple_HFS")))
save("apm-overlap", APPLE, apm((1, 63, b"m", b"Apple_partition_map"), (10, 90, b"x", b"Apple_APFS")))
save("apm-short", APPLE, apm(*parts, total=9))
save("apm-many", APPLE, apm(*parts, total=70000))
save("apm-none", APPLE, apm())
