#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the hive fuzzer into corpus/hive beside this file."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "hive")
NOWHERE = 0xFFFFFFFF
DIRTY, LARGE, AS_FILE = 1, 2, 4


class Cells:
    """Cells behind a bin header; `at` gives offsets as the hive counts them."""

    def __init__(self):
        self.data = bytearray()

    def put(self, body, size=None):
        at = 32 + len(self.data)
        length = (len(body) + 4 + 7) // 8 * 8
        self.data += struct.pack("<i", -(size or length)) + body
        self.data += bytes(length - 4 - len(body))
        return at

    def key(self, parent, name, flags=0x20):
        raw = name.encode("latin-1" if flags & 0x20 else "utf-16-le", "surrogatepass")
        body = struct.pack("<2sHQIIIIIIIIII16xIHH", b"nk", flags, 0, 0, parent, 0, 0, NOWHERE,
                           NOWHERE, 0, NOWHERE, NOWHERE, NOWHERE, 0, len(raw), 0)
        return self.put(body + raw)

    def set(self, cell, field, value):
        struct.pack_into("<I", self.data, cell - 32 + 4 + field, value)

    def subkeys(self, key, count, at):
        self.set(key, 20, count)
        self.set(key, 28, at)

    def values(self, key, *cells):
        self.set(key, 36, len(cells))
        self.set(key, 40, self.put(struct.pack(f"<{len(cells)}I", *cells)))

    def list(self, kind, *cells):
        hashed = kind in (b"lf", b"lh")
        return self.put(kind + struct.pack("<H", len(cells)) +
                        b"".join(struct.pack("<I", c) + bytes(4 * hashed) for c in cells))

    def value(self, name, kind, data, flags=1):
        raw = name.encode("latin-1" if flags & 1 else "utf-16-le")
        if len(data) <= 4:
            size, place = len(data) | 1 << 31, int.from_bytes(data, "little")
        else:
            size, place = len(data), self.put(data)
        return self.vk(raw, size, place, kind, flags)

    def vk(self, raw, size, place, kind, flags=1):
        return self.put(struct.pack("<2sHIIIHH", b"vk", len(raw), size, place, kind, flags, 0) +
                        raw)


def save(name, cells, root, flags=0, minor=2):
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(struct.pack("<BBH", flags, minor, root // 8) + cells.data)


def save_file(name, base, bins):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(bytes([AS_FILE]) + base.ljust(4096, b"\0") + bins.ljust(4096, b"\0"))


def tree(kind):
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    keys = [c.key(root, "Software"), c.key(root, "\u00c4pfel"),
            c.key(root, "\u0414\u0430\U0001f600", 0)]
    leaf = c.list(kind, *keys)
    c.subkeys(root, 3, leaf)
    inner = c.key(keys[0], "Microsoft")
    c.subkeys(keys[0], 1, c.list(kind, inner))
    c.values(inner, c.value("", 1, "x".encode("utf-16-le")),
             c.value("Path", 2, "C:\\Windows\0".encode("utf-16-le")),
             c.value("Count", 4, b"\x2a\0\0\0"), c.value("Empty", 3, b""),
             c.value("List", 7, "a\0b\0\0".encode("utf-16-le")),
             c.value("\u20ac", 11, b"12345678", 0))
    return c, root


def seeds():
    for kind in (b"lf", b"lh", b"li"):
        save(kind.decode(), *tree(kind))
    save("dirty", *tree(b"lh"), flags=DIRTY)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    keys = [c.key(root, n) for n in "ABC"]
    c.subkeys(root, 3, c.list(b"ri", c.list(b"lh", *keys[:2]), c.list(b"li", keys[2])))
    save("ri", c, root)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    key = c.key(root, "A")
    c.subkeys(root, 2, c.list(b"li", key, key))
    save("twice", c, root)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    key = c.key(root, "A")
    c.subkeys(root, 1, c.list(b"li", key))
    c.subkeys(key, 1, c.list(b"li", root))
    save("circle", c, root)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    c.subkeys(root, 3, c.list(b"lf", c.key(root, "A")))
    save("count", c, root)
    save("count-dirty", c, root, flags=DIRTY)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    c.values(root, c.vk(b"Big", 20000, c.put(struct.pack("<2sHI", b"db", 2, 0)), 3))
    db = c.data.index(b"db") + 32 - 4
    # the last cell reaches into the zeros behind the input; both segments are this one
    lists = c.put(bytes(8))
    segment = c.put(b"segment!", size=16352)
    c.set(db, 4, lists)
    c.set(lists, 0, segment)
    c.set(lists, 4, segment)
    save("big", c, root, flags=LARGE)
    save("big-old", c, root, flags=LARGE, minor=0)
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    keys = [c.key(root, "\u0101\u013a\u017e\u0178\u0131\u03b1\u0451\u044f", 0),
            c.key(root, "\xff\xe4\xf7az"), c.key(root, "lone\ud800x", 0), c.key(root, "a\0b")]
    c.subkeys(root, 4, c.list(b"lh", *keys))
    save("letters", c, root)
    c, root = tree(b"lf")
    base = struct.pack("<4sIIQIIIIIII", b"regf", 5, 5, 0, 1, 5, 0, 1, root, 4096, 1)
    bins = struct.pack("<4sII20x", b"hbin", 0, 4096) + bytes(c.data)
    save_file("file", base, bins)
    save_file("bad-magic", b"R" + base[1:], bins)
    save_file("bad-version", base[:20] + b"\2" + base[21:], bins)
    save_file("bad-type", base[:28] + b"\1" + base[29:], bins)
    save_file("bad-size", base[:40] + b"\1" + base[41:], bins)
    save_file("bad-bin", base, b"H" + bins[1:])
    save_file("bad-bin-place", base, bins[:4] + b"\1" + bins[5:])
    save_file("bad-bin-size", base, bins[:8] + b"\1" + bins[9:])


seeds()
