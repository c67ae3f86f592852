#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_raw_record: MFT records made from nothing, sound ones, and each of
the others wrong in the one place that its name tells."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "raw_record")


def resident(kind, value, name="", value_offset=None, value_length=None, length=None, form=0):
    text = name.encode("utf-16-le")
    at = -(-(24 + len(text)) // 8) * 8
    size = -(-(at + len(value)) // 8) * 8
    head = struct.pack("<IIBBHHHIHH", kind, size if length is None else length, form,
                       len(name), 24, 0, 3, len(value) if value_length is None else value_length,
                       at if value_offset is None else value_offset, 0)
    return ((head + text).ljust(at, b"\0") + value).ljust(size, b"\0")


def mapped(kind, runs, name="", flags=0, lowest=0, highest=9, at=None, sizes=(40960, 40000, 40000),
           length=None, name_at=None):
    text = name.encode("utf-16-le")
    head_size = 72 if flags & 0x80FF else 64
    runs_at = -(-(head_size + len(text)) // 8) * 8
    size = -(-(runs_at + len(runs)) // 8) * 8
    head = struct.pack("<IIBBHHHQQHBBIQQQ", kind, size if length is None else length, 1, len(name),
                       head_size if name_at is None else name_at, flags, 4, lowest, highest,
                       runs_at if at is None else at, 0, 0, 0, *sizes)
    head += struct.pack("<Q", 8192) if head_size == 72 else b""
    return ((head + text).ljust(runs_at, b"\0") + runs).ljust(size, b"\0")


STANDARD = resident(0x10, bytes(48))
RUNS = bytes.fromhex("21 03 e8 03 11 04 f6 01 03 00")  # 3 at 1000, 4 at 990, a hole of 3


def record(*attrs, magic=b"FILE", usa=48, count=3, attrs_at=56, used=None, allocated=1024,
           end=True, number=0x1234):
    body = b"".join(attrs) + (struct.pack("<II", 0xFFFFFFFF, 0) if end else b"")
    head = struct.pack("<4sHHQHHHHIIQHHI", magic, usa, count, 0, 1, 1, attrs_at, 1,
                       56 + len(body) if used is None else used, allocated, 0, 5, 0, 30)
    head += struct.pack("<H6x", number)
    return head + body


SEEDS = {
    "sound": record(STANDARD, mapped(0x80, RUNS), mapped(0x80, RUNS, "$Bad", 0x8000)),
    "second-part": record(STANDARD, mapped(0x80, RUNS, lowest=5, highest=14)),
    "resident": record(STANDARD, resident(0x30, b"name"), resident(0x80, b"value" * 20)),
    "empty-value": record(STANDARD, resident(0x80, b"", value_offset=9)),
    "no-attributes": record(),
    "compressed": record(mapped(0x80, RUNS, flags=1)),
    "full": record(STANDARD, resident(0x80, bytes(range(1, 251)) * 3)),
    "last-number": record(STANDARD, number=0xFFFE),
    "magic": record(STANDARD, magic=b"BAAD"),
    "usa-count": record(STANDARD, count=9),
    "usa-place": record(STANDARD, usa=511),
    "allocated": record(STANDARD, allocated=4096),
    "used": record(STANDARD, used=1025),
    "attributes-place": record(STANDARD, attrs_at=57),
    "no-end": record(STANDARD, end=False),
    "end-beyond": record(STANDARD, end=False, used=56),
    "head-beyond": record(STANDARD, struct.pack("<II", 0x80, 24), end=False),
    "attribute-length": record(STANDARD, resident(0x80, b"", length=25)),
    "attribute-long": record(STANDARD, resident(0x80, b"", length=1 << 20)),
    "value-beyond": record(STANDARD, resident(0x80, b"x", value_length=100)),
    "value-on-head": record(STANDARD, resident(0x80, b"x", value_offset=8)),
    "form": record(STANDARD, resident(0x80, b"", form=2)),
    "name-beyond": record(STANDARD, mapped(0x80, RUNS, "$Bad", name_at=5000)),
    "mapped-short": record(STANDARD, mapped(0x80, b"", length=56)[:56]),
    "runs-beyond": record(STANDARD, mapped(0x80, RUNS, at=200)),
    "runs-on-head": record(STANDARD, mapped(0x80, RUNS, at=16)),
    "name-behind-runs": record(STANDARD, mapped(0x80, RUNS + b"$\0B\0a\0d\0", "$Bad", at=64,
                                                name_at=72)),
    "last-cluster": record(STANDARD, mapped(0x80, RUNS, lowest=1 << 60, highest=1 << 61)),
    "initialized": record(STANDARD, mapped(0x80, RUNS, sizes=(4096, 10, 11))),
    "size": record(STANDARD, mapped(0x80, RUNS, sizes=(1 << 63, 1 << 63, 1 << 63))),
    "run-cut": record(STANDARD, mapped(0x80, b"\x44\1\2\3")),
    "run-counts": record(STANDARD, mapped(0x80, b"\x99" + bytes(7))),
    "run-empty": record(STANDARD, mapped(0x80, b"\x11\0\1\0")),
    "run-backwards": record(STANDARD, mapped(0x80, b"\x11\xff\1\0")),
    "run-huge": record(STANDARD, mapped(0x80, b"\x08" + b"\xff" * 7 + b"\x7f")),
    "run-outside": record(STANDARD, mapped(0x80, b"\x41\1\xff\xff\xff\x7f\0")),
    "run-before": record(STANDARD, mapped(0x80, b"\x11\1\xff\0")),
    "no-end-mark": record(STANDARD, mapped(0x80, b"\x21\3\xe8\3\x01\3\x01\1")),
}

if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    for name, data in SEEDS.items():
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(data.rstrip(b"\0"))
