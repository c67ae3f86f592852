#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds of the fuzzers for rpm's databases, made by code: make_corpus.py (writes corpus/)."""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def header(tags):
    """tags: (tag, text or number or (type, offset, count))"""
    index, data = b"", b""
    for tag, value in tags:
        if isinstance(value, tuple):
            index += struct.pack(">IIII", tag, *value)
        elif isinstance(value, int):
            data = data.ljust(-(-len(data) // 8) * 8, b"\0")
            wide = value >= 1 << 32
            index += struct.pack(">IIII", tag, 5 if wide else 4, len(data), 1)
            data += struct.pack(">Q" if wide else ">I", value)
        else:
            index += struct.pack(">IIII", tag, 6, len(data), 1)
            data += value + b"\0"
    return struct.pack(">II", len(index) // 16, len(data)) + index + data


PLAIN = header([(63, (7, 0, 16)), (1000, b"bash"), (1001, b"5.2"), (1002, b"1"), (1003, 0),
                (1008, 1700000000), (1009, 12345), (1011, b"Vendor"), (1015, b"Me"),
                (1022, b"x86_64")])
LARGE = header([(1000, b"kernel"), (5009, 1 << 33), (1005, b"x" * 700), (1000, b"again")])
BAD = {
    "no_name": header([(1001, b"1")]),
    "text_outside": header([(1000, (6, 400, 1)), (1001, b"1")]),
    "text_as_number": header([(1000, b"a"), (1009, (6, 0, 1))]),
    "number_as_text": header([(1000, (4, 0, 1)), (1009, 7)]),
    "number_outside": header([(1000, b"a"), (1003, (4, 9000, 1))]),
    "too_many": struct.pack(">II", 1 << 28, 4) + b"\0" * 32,
    "short": b"\0" * 7,
}


def ndb(blobs, pages=1):
    slots, body, at = b"", b"", pages * 256
    for index, blob in enumerate(blobs, 1):
        head = struct.pack("<4sIII", b"BlbS", index, 1, len(blob))
        blocks = -(-(len(head) + len(blob) + 12) // 16)
        part = (head + blob).ljust(blocks * 16 - 12, b"\0")
        body += part + struct.pack("<II4s", zlib.adler32(part), len(blob), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", index, at, blocks)
        at += blocks
    slots += b"Slot".ljust(16, b"\0") * ((pages * 4096 - 32 - len(slots)) // 16)
    return struct.pack("<4sIIII12x", b"RpmP", 0, 1, pages, 9) + slots + body


def bdb(order, values, size=512):
    """A meta page, one page of items, overflow pages."""
    pages = [b""]
    items, extra = [], []

    def page(number, kind, following, entries, field, content):
        return struct.pack(order + "QIIIHHBB", 0, number, 0, following, entries, field, 0,
                           kind) + content

    for number, value in enumerate(values):
        items.append(b"\1" + struct.pack(order + "I", number))
        if len(value) < 100:
            items.append(b"\1" + value)
            continue
        room = size - 26
        parts = [value[i:i + room] for i in range(0, len(value), room)]
        first = 2 + len(extra)
        items.append(struct.pack(order + "BxxxII", 3, first, len(value)))
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            extra.append(page(first + i, 7, 0 if last else first + i + 1, 1, len(part),
                              part.ljust(room, b"\0")))
    offsets, tail = b"", b""
    for item in items:
        tail = item + tail
        offsets += struct.pack(order + "H", size - len(tail))
    content = offsets.ljust(size - 26 - len(tail), b"\0") + tail
    pages = [page(1, 13, 0, len(items), size - len(tail), content)] + extra
    meta = struct.pack(order + "QIIIIBBBBII", 0, 0, 0x61561, 9, size, 0, 8, 0, 0, 0, len(pages))
    return meta.ljust(size, b"\0") + b"".join(pages)


def put(folder, name, content):
    with open(os.path.join(HERE, "corpus", folder, name), "wb") as f:
        f.write(content)


for name, content in {"plain": PLAIN, "large": LARGE, **BAD}.items():
    put("rpm_header", name, content)
put("rpm_ndb", "two", ndb([PLAIN, LARGE]))
put("rpm_ndb", "bad", ndb([PLAIN, BAD["no_name"], b""])[:-40])
put("rpm_ndb", "other", b"RpmQ".ljust(64, b"\0"))
broken = bytearray(ndb([PLAIN, LARGE]))
broken[20] = 1  # keeps the checksums, of which one is wrong
broken[4096 + 30] ^= 1
put("rpm_ndb", "checksum", bytes(broken))
for sign, order in ("little", "<"), ("big", ">"):
    counter = struct.pack(order + "I", 3)
    put("rpm_bdb", sign, bdb(order, [counter, PLAIN, LARGE]))
    put("rpm_bdb", sign + "_small", bdb(order, [counter, BAD["no_name"], b"x"]))
circle = bytearray(bdb("<", [b"1234", LARGE]))
circle[2 * 512 + 16] = 2  # the chain's first page leads to itself
put("rpm_bdb", "circle", bytes(circle))
put("rpm_bdb", "encrypted", bdb("<", [PLAIN])[:24] + b"\1\10" + bytes(600))
odd = bytearray(bdb("<", [b"1234", PLAIN]))
odd[512 + 20] = 3
put("rpm_bdb", "odd", bytes(odd))
