#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the VHD and VDI fuzzers: small images, sound and broken."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
FREE = 0xFFFFFFFF
ZERO = 0xFFFFFFFE


def put(kind, name, data):
    os.makedirs(os.path.join(HERE, kind), exist_ok=True)
    with open(os.path.join(HERE, kind, name), "wb") as f:
        f.write(data)


def footer(kind, size, creator=b"win ", header_at=512, version=0x10000, mode=0, saved=0):
    f = struct.pack(">8sIIQI4sI4sQQHBBII16sB", b"conectix", 2, version,
                    header_at if kind != 2 else 2**64 - 1, 1, creator, 0xA0000, b"Wi2k",
                    size, size, 1, 4, 17, kind, 0, b"U" * 16, saved)
    return f + bytes(511 - len(f)) + bytes([mode])


def vhd(kind, size, entries, block=4096, max_entries=None, table_at=1536, locators=(),
        name="", front=True, end=True, cookie=b"cxsparse", **more):
    n = -(-size // block)
    names = b"".join(text for _, text in locators)
    table = struct.pack(">%dI" % len(entries), *entries)
    table += b"\xff" * (-len(table) % 512)
    locs, at = b"", table_at + len(table)
    for code, text in locators:
        locs += struct.pack(">4sIIIQ", code, 512, len(text), 0, at)
        at += len(text)
    locs += bytes(192 - len(locs))
    h = struct.pack(">8sQQIIII16sII", cookie, 2**64 - 1, table_at, 0x10000,
                    n if max_entries is None else max_entries, block, 0, b"P" * 16, 5, 0)
    h += name.encode("utf-16-be").ljust(512, b"\0") + locs + bytes(256)
    names += bytes(-len(names) % 512)
    out = (footer(kind, size, **more) if front else bytes(512)) + h + table + names
    for e in sorted(e for e in entries if e != FREE and e < 64):
        out = out.ljust(e * 512, b"\0") + b"\xf0" + bytes(511) + b"data" * 1024
    return out + (footer(kind, size, **more) if end else bytes(512))


put("vhd", "fixed", b"hello".ljust(8192, b"\0") + footer(2, 8192))
put("vhd", "fixed-cut", b"hello" + footer(2, 8192))
put("vhd", "fixed-old", b"hello".ljust(8192, b"\0") + footer(2, 8192)[:511])
put("vhd", "empty-dynamic", vhd(3, 40960, [FREE] * 10))
put("vhd", "dynamic", vhd(3, 40960, [FREE, 4, FREE, 13] + [FREE] * 6))
put("vhd", "odd-size", vhd(3, 40960 - 512, [FREE] * 9 + [4]))
put("vhd", "differencing", vhd(4, 16384, [4 + 1, FREE, FREE, FREE], name="C:\\a\\b.vhd",
    locators=[(b"W2ru", ".\\b.vhd".encode("utf-16-le")),
              (b"W2ku", "C:\\a\\b.vhd".encode("utf-16-le")), (b"MacX", b"file:///a/b.vhd")]))
put("vhd", "absolute-name", vhd(4, 16384, [FREE] * 4, name="/a/b.vhd"))
put("vhd", "no-name", vhd(4, 16384, [FREE] * 4))
put("vhd", "no-front", vhd(3, 16384, [4, FREE, FREE, FREE], front=False))
put("vhd", "no-end", vhd(3, 16384, [4, FREE, FREE, FREE], end=False))
put("vhd", "no-footer", vhd(3, 16384, [4, FREE, FREE, FREE], front=False, end=False))
put("vhd", "wrong-sums", vhd(3, 16384, [4, FREE, FREE, FREE], mode=1))
put("vhd", "saved", vhd(3, 16384, [FREE] * 4, saved=1))
put("vhd", "shared", vhd(3, 16384, [4, 4, FREE, FREE]))
put("vhd", "beyond", vhd(3, 16384, [4, 0x7FFFFFFF, FREE, FREE]))
put("vhd", "on-header", vhd(3, 16384, [1, FREE, FREE, 0]))
put("vhd", "few-entries", vhd(3, 16384, [FREE] * 4, max_entries=3))
put("vhd", "table-beyond", vhd(3, 16384, [FREE] * 4, table_at=1 << 62))
put("vhd", "blocks-100", vhd(3, 16384, [FREE] * 4, block=100))
put("vhd", "many-blocks", vhd(3, 2040 << 30, [FREE] * 4, max_entries=FREE))
put("vhd", "huge", vhd(3, 1 << 62, [FREE] * 4, max_entries=FREE))
put("vhd", "kind-9", vhd(9, 16384, [FREE] * 4))
put("vhd", "version-2", vhd(3, 16384, [FREE] * 4, version=0x20000))
put("vhd", "header-beyond", vhd(3, 16384, [FREE] * 4, header_at=1 << 63))
put("vhd", "no-cookie", vhd(3, 16384, [FREE] * 4, cookie=b"cxspares"))
put("vhd", "large-blocks", vhd(3, 8 << 20, [FREE] * 2, block=4 << 20))
# a larger table is in the way of a block; of the footer
put("vhd", "dense", vhd(3, 120 * 4096, [4, FREE, 13] + [FREE] * 117))
put("vhd", "dense-empty", vhd(3, 120 * 4096, [FREE] * 120))
put("vhd", "footer-on-table", vhd(3, 120 * 4096, [FREE] * 120)[:1700] + footer(3, 120 * 4096))
put("vhd", "past-footer", vhd(3, 16384, [4, FREE, FREE, FREE])[:-1024] + footer(3, 16384))
put("vhd", "short", b"conectix")


def vdi(kind, size, entries, block=65536, version=0x10001, map_at=512, data_at=4096, n=None,
        count=None, extra=0, comment=b"", signature=0xBEDA107F):
    n = -(-size // block) if n is None else n
    count = sum(e < ZERO for e in entries) if count is None else count
    h = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0")
    h += struct.pack("<IIIII256sII", signature, version, 400, kind, 0, comment, map_at, data_at)
    h += struct.pack("<IIIIIQIIII", 1, 16, 63, 512, 0, size, block, extra, n, count)
    h += b"I" * 16 + b"M" * 16 + b"P" * 16 + b"Q" * 16 + bytes(56)
    return h.ljust(512, b"\0") + struct.pack("<%dI" % len(entries), *entries) + b"x" * 4000


put("vdi", "empty", vdi(1, 10 << 16, [FREE] * 10))
put("vdi", "dynamic", vdi(1, 10 << 16, [FREE, 1, 0, ZERO, 2] + [FREE] * 5))
put("vdi", "odd-size", vdi(1, (10 << 16) - 700, [FREE] * 9 + [0]))
put("vdi", "fixed", vdi(2, 4 << 16, [0, 1, 2, 3]))
put("vdi", "differencing", vdi(4, 10 << 16, [FREE, 0, ZERO] + [FREE] * 7,
                               comment=b"parent: ../a.vdi"))
put("vdi", "no-room", vdi(1, 10 << 16, [0] + [FREE] * 9, data_at=1024))
put("vdi", "no-comment", vdi(4, 10 << 16, [FREE, 0, ZERO] + [FREE] * 7))
put("vdi", "tight", vdi(1, 120 << 16, [FREE, 1, 0, ZERO, 2] + [FREE] * 115, data_at=1024))
put("vdi", "tight-fixed", vdi(2, 15 << 16, list(range(15)), data_at=1024))
put("vdi", "twice", vdi(1, 4 << 16, [0, 0, FREE, FREE]))
put("vdi", "beyond", vdi(1, 4 << 16, [0, 4000, 0x40000000, 0xFFFFFFFD]))
put("vdi", "count", vdi(1, 4 << 16, [0, FREE, 1, FREE], count=1))
put("vdi", "count-large", vdi(1, 4 << 16, [0, FREE, FREE, FREE], count=3))
put("vdi", "count-huge", vdi(1, 4 << 16, [0, FREE, FREE, FREE], count=FREE))
put("vdi", "few-entries", vdi(1, 4 << 16, [FREE] * 4, n=3))
put("vdi", "map-beyond", vdi(1, 4 << 16, [FREE] * 4, map_at=0x80000000))
put("vdi", "data-on-map", vdi(1, 4 << 16, [FREE] * 4, data_at=512))
put("vdi", "kind-3", vdi(3, 4 << 16, [FREE] * 4))
put("vdi", "version-0", vdi(1, 4 << 16, [FREE] * 4, version=1))
put("vdi", "extra", vdi(1, 4 << 16, [FREE] * 4, extra=8))
put("vdi", "blocks-3", vdi(1, 4 << 16, [FREE] * 4, block=3))
put("vdi", "no-size", vdi(1, 0, [FREE] * 4))
put("vdi", "huge", vdi(1, 1 << 63, [FREE] * 4, n=FREE))
put("vdi", "no-signature", vdi(1, 4 << 16, [FREE] * 4, signature=1))
put("vdi", "short", b"<<< ")
