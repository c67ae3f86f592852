#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the hive fuzzers into corpus/hive and corpus/hive_log beside this file."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "hive")
NOWHERE = 0xFFFFFFFF
DIRTY, LARGE, AS_FILE, BAD_SUM = 1, 2, 4, 8
NO_BASE, NO_HASHES, NO_SUMS, THREE = 1, 2, 4, 8


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


def save_file(name, base, bins, flags=0):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(bytes([AS_FILE | flags]) + base.ljust(4096, b"\0") + bins.ljust(4096, b"\0"))


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
    save_file("bad-sum", base, bins, BAD_SUM)
    save_file("cut", base[:40] + b"\0\0\1" + base[43:], bins)
    save_file("lost-root", base[:36] + b"\1" + base[37:], bins)
    rights()


def sid(*parts):
    return struct.pack("<BB6s", 1, len(parts) - 1, parts[0].to_bytes(6, "big")) + struct.pack(
        f"<{len(parts) - 1}I", *parts[1:])


def ace(kind, flags, mask, who, between=b""):
    return struct.pack("<BBHI", kind, flags, 8 + len(between) + len(who), mask) + between + who


def acl(*aces):
    body = b"".join(aces)
    return struct.pack("<BBHHH", 2, 0, 8 + len(body), len(aces), 0) + body


def rights():
    """A key with a class, and a descriptor with entries of many kinds."""
    guids = struct.pack("<I", 3) + bytes(range(32))
    dacl = acl(ace(0, 0, 0x20019, sid(5, 32, 545)), ace(0, 2, 0xF003F, sid(5, 18)),
               ace(1, 0x1F, 0x10000000, sid(3, 0)), ace(5, 0, 1, sid(1, 0), guids),
               ace(0x77, 0, 0x3020019, sid(1 << 40, 7)))
    sacl = acl(ace(2, 0xC0, 0xD013F, sid(1, 0)), ace(0x11, 0, 1, sid(16, 8192)))
    owner, group = sid(5, 32, 544), sid(5, 21, 1, 2, 3, 1001)
    at = 20
    places = []
    for part in (owner, group, sacl, dacl):
        places.append(at)
        at += len(part)
    sd = struct.pack("<BBHIIII", 1, 0, 0xBF14, *places) + owner + group + sacl + dacl
    c = Cells()
    root = c.key(0, "ROOT", 0x2C)
    sk = c.put(struct.pack("<2s2xIIII", b"sk", 0, 0, 1, len(sd)) + sd)
    c.set(root, 44, sk)
    c.set(root, 48, c.put("class".encode("utf-16-le")))
    c.data[root - 32 + 4 + 74:root - 32 + 4 + 76] = b"\x0a\0"
    save("rights", c, root)


# ---- logs ----

def rotate(x, n):
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def marvin(data):
    """Marvin32 with the seed of log entries, written down a second time: it judges ours."""
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


def log_base(kind, sequence, time=4711, size=4096):
    base = struct.pack("<4sIIQIIIIIII", b"regf", sequence, sequence, time, 1, 5, kind, 1, 32, size,
                       1).ljust(508, b"\0")
    total = 0
    for (word,) in struct.iter_unpack("<I", base):
        total ^= word
    return base + struct.pack("<I", total)


def entry(sequence, *pages, size=4096):
    refs = b"".join(struct.pack("<II", at, len(data)) for at, data in pages)
    body = refs + b"".join(data for _, data in pages)
    total = (40 + len(body) + 511) // 512 * 512
    body = body.ljust(total - 40, b"\0")
    head = struct.pack("<4sIIIII", b"HvLE", total, 0, sequence, size, len(pages)) + marvin(body)
    return head + marvin(head) + body


def save_logs(name, first, second=b"", flags=0):
    folder = os.path.join(os.path.dirname(HERE), "hive_log")
    os.makedirs(folder, exist_ok=True)
    share = 0
    if second: # pad, so that the division comes out right
        while len(first) * 256 % (len(first) + len(second)):
            second += bytes(512 - len(second) % 512)
        share = len(first) * 256 // (len(first) + len(second))
    else:
        first, second = b"", first
    with open(os.path.join(folder, name), "wb") as f:
        f.write(bytes([flags, share]) + first + second)


def log_seeds():
    sector = b"\x11" * 512
    one = log_base(6, 7) + entry(7, (512, sector)) + entry(8, (1024, sector * 2))
    two = log_base(6, 9) + entry(9, (512, sector), (2048, sector))
    save_logs("one", one)
    save_logs("both", log_base(6, 7) + entry(7, (512, sector)),
              log_base(6, 8) + entry(8, (512, sector)))
    save_logs("gap", log_base(6, 7) + entry(7, (512, sector)),
              log_base(6, 9) + entry(9, (512, sector)))
    save_logs("own-hashes", one, flags=NO_HASHES | NO_SUMS)
    save_logs("no-base", one, flags=NO_BASE)
    save_logs("grows", log_base(6, 7) + entry(7, (4096, sector), size=8192))
    save_logs("outside", log_base(6, 7) + entry(7, (4096, sector)))
    save_logs("older", log_base(6, 5) + entry(5) + entry(6) + entry(7, (512, sector)) + entry(3))
    dirt = b"DIRT" + b"\x06"
    save_logs("old", log_base(1, 7) + dirt.ljust(512, b"\0") + sector * 2)
    save_logs("old-short", log_base(1, 7) + dirt.ljust(512, b"\0") + sector)
    save_logs("old-time", log_base(1, 7, 4712) + dirt.ljust(512, b"\0") + sector * 2)
    save_logs("old-no-base", log_base(1, 7) + dirt.ljust(512, b"\0") + sector * 2, flags=NO_BASE)
    save_logs("three", two, flags=THREE)
    save_logs("bad-sum", b"\0" * 100 + one, flags=NO_SUMS)


seeds()
log_seeds()
