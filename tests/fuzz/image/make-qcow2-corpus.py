#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the qcow2 fuzzers into corpus/ beside this script.

Clusters of 512 bytes where possible. What each seed is about stands in its name; the bad ones
are wrong in one place only.
"""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
COPIED = 1 << 63
PACKED = 1 << 62


def save(fuzzer, name, content):
    folder = os.path.join(HERE, "corpus", fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def extension(kind, content):
    return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)


class Image:
    """Clusters in order; refcounts are counted as clusters are added or shared."""

    def __init__(self, size, bits=9, version=3, order=4, incompatible=0, autoclear=0, codec=0,
                 extensions=b"", backing=b"", l1=None):
        self.bits, self.version, self.order, self.codec = bits, version, order, codec
        self.cluster = 1 << bits
        self.incompatible, self.autoclear = incompatible, autoclear
        self.extensions, self.backing = extensions, backing
        self.size = size
        self.wide = bool(incompatible & 16)
        self.per_table = self.cluster // (16 if self.wide else 8)
        n = -(-size // (self.cluster * self.per_table))
        self.l1 = [0] * (n if l1 is None else l1)
        self.clusters, self.counts = [], []
        self.snapshots = []
        self.add()                              # header
        self.reftable = self.add()
        self.block = self.add()
        self.l1_at = self.add(times=-(-len(self.l1) * 8 // self.cluster) or 1)

    def add(self, content=b"", times=1, count=1):
        """Clusters with the content; the offset of the first."""
        at = len(self.clusters) * self.cluster
        for i in range(times):
            part = content[i * self.cluster:(i + 1) * self.cluster]
            self.clusters.append(part.ljust(self.cluster, b"\0"))
            self.counts.append(count)
        return at

    def share(self, at, times=1):
        self.counts[at // self.cluster] += times

    def table(self, entries, count=1):
        if self.wide:
            flat = [word for pair in entries for word in pair]
        else:
            flat = entries
        return self.add(struct.pack(f">{len(flat)}Q", *flat), count=count)

    def data(self, byte, count=1):
        return self.add(bytes([byte]) * self.cluster, count=count)

    def snapshot(self, l1, name, size=None, state=0, number=1, extra=None):
        at = self.add(struct.pack(f">{len(l1)}Q", *l1))
        if extra is None:
            extra = struct.pack(">QQ", state, self.size if size is None else size)
        ident = str(number).encode()
        entry = struct.pack(">QIHHIIQII", at, len(l1), len(ident), len(name), 1600000000, 5, 7,
                            state & 0xffffffff, len(extra)) + extra + ident + name
        self.snapshots.append(entry + bytes(-len(entry) % 8))

    def put(self, at, content):
        i, within = divmod(at, self.cluster)
        old = self.clusters[i]
        self.clusters[i] = old[:within] + content + old[within + len(content):]

    def header(self):
        fields = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", self.version, 0, len(self.backing),
                             self.bits, self.size, 0, len(self.l1), self.l1_at, self.reftable, 1,
                             len(self.snapshots), self.snapshots_at)
        if self.version >= 3:
            fields += struct.pack(">QQQIIB7x", self.incompatible, 0, self.autoclear, self.order,
                                  112, self.codec)
        head = fields + self.extensions + bytes(8)
        if self.backing:
            head = head[:8] + struct.pack(">Q", len(head)) + head[16:] + self.backing
        return head

    def finish(self):
        self.snapshots_at = 0
        if self.snapshots:
            text = b"".join(self.snapshots)
            self.snapshots_at = self.add(text, times=-(-len(text) // self.cluster))
        self.put(0, self.header())
        self.put(self.reftable, struct.pack(">Q", self.block))
        self.put(self.l1_at, struct.pack(f">{len(self.l1)}Q", *self.l1))
        width = 1 << self.order
        total = sum(count << (i * width) for i, count in enumerate(self.counts))
        if width >= 8:
            block = b"".join(c.to_bytes(width // 8, "big") for c in self.counts)
        else:
            block = total.to_bytes(self.cluster, "little")
        self.put(self.block, block)
        return self

    def bytes(self):
        return b"".join(self.clusters)

    def pieces(self):
        out = b"S"
        for i, content in enumerate(self.clusters):
            text = content.rstrip(b"\0")
            last = i == len(self.clusters) - 1
            if not text and not last:
                continue
            place = i * self.cluster // 512
            if last and not text:
                place += self.cluster // 512 - 1
                text = bytes(1)
            for part in range(0, len(text), 60000 // 512 * 512):
                piece = text[part:part + 60000 // 512 * 512]
                out += struct.pack(">HH", place + part // 512, len(piece)) + piece
        return out


def plain(**fields):
    """Three tables: data, zeros and nothing in the first, the second absent."""
    i = Image(3 * 64 * 512 - 100 * 512, **fields)
    entries = [0] * 64
    entries[0] = COPIED | i.data(0x41)
    entries[1] = COPIED | i.data(0x42)
    entries[5] = COPIED | i.data(0x43)
    if i.version >= 3:
        entries[7] = 1
        entries[8] = COPIED | 1 | i.data(0x44)
    i.l1[0] = COPIED | i.table(entries)
    return i


def packed(codec):
    i = Image(64 * 512, incompatible=8 if codec else 0, codec=codec)
    if codec:   # one frame of one run of a byte
        text = b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", 512 - 256) + \
            struct.pack("<I", 512 << 3 | 1 << 1 | 1)[:3] + b"Z"
    else:
        c = zlib.compressobj(9, zlib.DEFLATED, -12)
        text = c.compress(bytes(range(64)) * 8) + c.flush()
    at = i.add(text.ljust(200, b"\0") + text, count=2)
    entries = [0] * 64
    entries[3] = PACKED | at
    entries[4] = PACKED | at + 200
    i.l1[0] = COPIED | i.table(entries)
    return i


def with_snapshot(**fields):
    i = plain(**fields)
    shared = i.data(0x61, count=2)
    old = i.data(0x62)
    mine = i.data(0x63)
    before = i.table([shared, old] + [0] * 62)
    i.l1[1] = COPIED | i.table([shared, COPIED | mine] + [0] * 62)
    both = i.data(0x64, count=2)
    i.l1[0] = i.table([both] + [0] * 63, count=2)
    i.snapshot([i.l1[0], before, 0], b"before")
    return i


def wide(backing=b""):
    i = Image(2 * 1024 * 16384, bits=14, incompatible=16, backing=backing)
    entries = [(0, 0)] * 1024
    entries[0] = (COPIED | i.data(0x71), 0x0000f0f0_00000f0f)
    entries[1] = (COPIED | i.data(0x72), 0x00000000_ffffffff)
    entries[2] = (0, 0xffffffff_00000000)
    entries[3] = (0, 0x00000001_00000000)
    i.l1[0] = COPIED | i.table(entries)
    return i


def with_bitmaps(flags):
    i = plain(autoclear=1)
    table = i.add(struct.pack(">QQ", 1, 0)[:8])
    entry = struct.pack(">QIIBBHI", table, 1, flags, 1, 9, 4, 0) + b"week" + bytes(4)
    directory = i.add(entry)
    i.extensions = extension(0x23852875, struct.pack(">IIQQ", 1, 0, len(entry), directory))
    return i


def data_file(raw):
    i = Image(20 * 512, incompatible=4, autoclear=2 if raw else 0,
              extensions=extension(0x44415441, b"data"))
    entries = [0] * 64
    entries[0] = COPIED
    entries[3] = COPIED | 3 * 512
    i.l1[0] = COPIED | i.table(entries)
    return i


def poked(image, at, content):
    image.put(at, content)
    return image


def images():
    yield "plain", plain().finish().bytes()
    yield "v2", plain(version=2).finish().bytes()
    yield "backing", plain(backing=b"base.img",
                           extensions=extension(0xe2792aca, b"raw")).finish().bytes()
    yield "v2-backing", plain(version=2, backing=b"base.img").finish().bytes()
    for order in (0, 1, 2, 3, 5, 6):
        yield f"refcounts-{1 << order}", plain(order=order).finish().bytes()
    yield "zlib", packed(0).finish().bytes()
    yield "zstd", packed(1).finish().bytes()
    yield "snapshot", with_snapshot().finish().bytes()
    yield "snapshot-v2", with_snapshot(version=2).finish().bytes()
    yield "subclusters", wide().finish().pieces()
    yield "subclusters-backing", wide(b"base.img").finish().pieces()
    yield "bitmap-disabled", with_bitmaps(0).finish().bytes()
    yield "bitmap-enabled", with_bitmaps(2).finish().bytes()
    yield "data-file", data_file(False).finish().bytes()
    yield "data-file-raw", data_file(True).finish().bytes()
    i = plain().finish()
    yield "dirty", poked(i, 72, struct.pack(">Q", 1)).bytes()
    i = plain().finish()
    yield "bad-l1-entry", poked(i, i.l1_at, struct.pack(">Q", 1 << 40)).bytes()
    i = plain().finish()
    yield "bad-l1-flag", poked(i, i.l1_at, struct.pack(">Q", COPIED)).bytes()
    i = plain().finish()
    yield "bad-refcount", poked(i, i.block + 8, b"\0\0").bytes()
    i = plain().finish()
    yield "data-over-header", poked(i, i.l1[0] & ~COPIED, struct.pack(">Q", COPIED)).bytes()
    i = plain().finish()
    yield "cut-short", i.bytes()[:-700]


def parts():
    for name, content in images():
        if content[0:1] != b"S":
            yield "header-" + name, b"\0" + content[:512]
    features = struct.pack("BB", 0, 9) + b"time travel".ljust(46, b"\0")
    i = plain(incompatible=1 << 9, extensions=extension(0x6803f857, features))
    yield "header-feature", b"\0" + i.finish().bytes()[:512]
    i = with_snapshot()
    yield "snapshot", b"\1" + i.snapshots[0]
    i = Image(1 << 20, bits=16)
    i.snapshot([0], b"state", state=1 << 33, number=12345)
    yield "snapshot-state", b"\1" + i.snapshots[0]
    i.snapshot([0], b"", extra=b"")
    yield "snapshot-old", b"\1" + i.snapshots[1]
    entry = struct.pack(">QIIBBHI", 65536, 1, 2, 1, 16, 4, 8) + b"EXTRAxxx" + b"week"
    yield "bitmap", b"\2" + entry.ljust(40, b"\0")
    for bits in range(13):
        for flags in (0, 16, 32, 64):
            if flags == 32 and bits < 5:
                continue
            shift = bits + 9
            raw = struct.pack(">QQ", COPIED | 5 << shift, 0x00000003_fffffff0 if flags == 32 else 0)
            choose = next(b for b in range(256) if b % 13 == bits and b & 112 == flags)
            if bits in (0, 7, 12):
                yield f"entry-{bits}-{flags}", b"\3" + bytes([choose]) + raw
    yield "entry-packed", b"\3\7" + struct.pack(">QQ", PACKED | 3 << 54 | 70000, 0)


def main():
    for name, content in images():
        save("qcow2", name, content)
    for name, content in parts():
        save("qcow2_parse", name, content)


main()
