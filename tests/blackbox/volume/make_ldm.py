#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a group of Windows dynamic disks into raw files, with their whole database as Windows
lays it out: PRIVHEAD three times, the table of contents four times, VMDB, records.

  make_ldm.py [--gpt] [--size MIB] [--sector BYTES] [--fragments] DISK... -- VOLUME...

VOLUME is NAME:KIND:MIB[:DISKS[:FILE]]; KIND is simple, spanned, striped, mirrored or raid5, DISKS
their numbers ("0,1,2"), FILE what is written into the volume (else bytes that a hash of the name
makes). Prints NAME BYTES SHA256 for each volume.
"""
import argparse
import hashlib
import os
import struct
import sys
import uuid
import zlib

DATABASE = 2048  # sectors
CHUNK = 128      # sectors of a stripe


def number(n):
    b = n.to_bytes((n.bit_length() + 7) // 8 or 1, "big")
    return bytes([len(b)]) + b


def text(s):
    return bytes([len(s)]) + s.encode()


def guid(name):
    return uuid.uuid5(uuid.NAMESPACE_URL, "sharevm-test:" + name)


class Disk:
    def __init__(self, path, index, args):
        self.path, self.index, self.unit = path, index, args.sector
        self.sectors = args.size * 1048576 // args.sector
        self.guid = guid("disk%d" % index)
        if args.gpt:
            self.config = 34
            self.data = 34 + DATABASE
            self.data_size = self.sectors - 34 - self.data
        else:
            self.config = self.sectors - DATABASE
            self.data = 63
            self.data_size = self.config - 63
        self.used = 0
        with open(path, "wb") as f:
            f.truncate(args.size * 1048576)

    def write(self, sector, data):
        with open(self.path, "r+b") as f:
            f.seek(sector * self.unit)
            f.write(data)

    def take(self, sectors):
        start = self.used
        self.used += sectors
        if self.used > self.data_size:
            sys.exit("make_ldm: %s is too small" % self.path)
        return start


class Group:
    def __init__(self, args):
        self.args = args
        self.name = "Test-Dg0"
        self.guid = guid("group")
        self.disks = [Disk(p, i, args) for i, p in enumerate(args.disks)]
        self.records, self.counts = [], {1: 0, 2: 0, 3: 0, 4: 0}
        self.ids = 0x400

    def add(self, kind, flags, name, body, extra=b""):
        """A record; a name too long for one VBLK makes it lie in two."""
        self.ids += 1
        data = number(self.ids) + text(name) + body + extra
        self.records.append(struct.pack(">HBBI", 0, flags, kind, len(data)) + data)
        if kind & 15 in self.counts:
            self.counts[kind & 15] += 1
        return self.ids

    def add_disks(self):
        self.add(0x35, 0, self.name, text(str(self.guid)) + bytes(4) + struct.pack(">Q", 0x100))
        for d in self.disks:
            if d.index % 2:  # both versions
                d.id = self.add(0x44, 0, "Disk%d" % (d.index + 1), d.guid.bytes + bytes(16 + 5) +
                                struct.pack(">Q", 0x100))
            else:
                d.id = self.add(0x34, 0, "Disk%d" % (d.index + 1), text(str(d.guid)) + text("") +
                                bytes(4) + struct.pack(">Q", 0x100))

    def add_volume(self, name, size, raid5, components, letter):
        flags = 0x02 if letter else 0
        body = (text("raid5" if raid5 else "gen") + text("8000000000000000") +
                b"ACTIVE".ljust(14, b"\0") + bytes([4 if raid5 else 3, 0, 1, 0, 0, 0, 0x11]) +
                number(components) + struct.pack(">QQ", 0x110, 7) + number(size) + bytes(4) +
                b"\x07" + guid("volume" + name).bytes)
        return self.add(0x51, flags, name, body, text(letter) if letter else b"")

    def add_component(self, name, volume, way, parts, columns=0):
        body = (text("ACTIVE") + bytes([way]) + bytes(4) + number(parts) +
                struct.pack(">QQ", 0x111, 0) + number(volume) + b"\0")
        stripes = number(CHUNK) + number(columns) if columns else b""
        return self.add(0x32, 0x10 if columns else 0, name, body, stripes)

    def add_part(self, name, disk, component, start, offset, size, index=None):
        if self.args.fragments:
            name += "-" + "x" * 90
        body = (bytes(4) + struct.pack(">QQQ", 0x112, start, offset) + number(size) +
                number(component) + number(disk.id))
        extra = b"" if index is None else number(index)
        return self.add(0x33, 0 if index is None else 8, name, body, extra)

    # ---- what the volumes hold ----

    def put(self, disk, start, data):
        disk.write(disk.data + start, data)

    def make(self, spec):
        name, kind, mib, disks, source = (spec.split(":") + ["", ""])[:5]
        on = [self.disks[int(i)] for i in disks.split(",") if i] or self.disks
        unit = self.args.sector
        size = int(mib) * 1048576 // unit
        rows = 1
        if kind in ("striped", "raid5"):
            wide = len(on) - (kind == "raid5")
            rows = size // (CHUNK * wide)
            size = rows * CHUNK * wide
        data = content(name, size * unit, source)
        letter = {"simple": "D:", "spanned": "E:"}.get(kind, "")
        ways = {"simple": 2, "spanned": 2, "mirrored": 2, "striped": 1, "raid5": 3}
        volume = self.add_volume(name, size, kind == "raid5", 2 if kind == "mirrored" else 1, letter)
        if kind == "simple":
            self.plex(name, volume, on[:1], [size], data)
        elif kind == "spanned":
            share = [size // len(on)] * len(on)
            share[-1] += size - sum(share)
            self.plex(name, volume, on, share, data)
        elif kind == "mirrored":
            for d in on[:2]:
                self.plex(name + "-%02d" % (d.index + 1), volume, [d], [size], data)
        else:
            self.stripes(name, volume, ways[kind], on, rows, data)
        print(name, size * unit, hashlib.sha256(data).hexdigest())

    def plex(self, name, volume, on, shares, data):
        component = self.add_component(name + "-01", volume, 2, len(on))
        at = 0
        for i, (d, share) in enumerate(zip(on, shares)):
            start = d.take(share)
            self.put(d, start, data[at * d.unit:(at + share) * d.unit])
            self.add_part("Disk%d-%s" % (d.index + 1, name), d, component, start, at, share,
                          i if len(on) > 1 else None)
            at += share

    def stripes(self, name, volume, way, on, rows, data):
        component = self.add_component(name + "-01", volume, way, len(on), len(on))
        n, unit = len(on), self.args.sector
        chunk = CHUNK * unit
        columns = [bytearray() for _ in on]
        wide = n - (way == 3)
        for row in range(rows):
            parts = [data[(row * wide + i) * chunk:(row * wide + i + 1) * chunk] for i in range(wide)]
            if way == 3:
                # the parity goes down from the last disk, the data begin behind it
                parity = n - 1 - row % n
                sums = 0
                for i, p in enumerate(parts):
                    columns[(parity + 1 + i) % n] += p
                    sums ^= int.from_bytes(p, "big")
                columns[parity] += sums.to_bytes(chunk, "big")
            else:
                for column, p in zip(columns, parts):
                    column += p
        for i, (d, column) in enumerate(zip(on, columns)):
            start = d.take(len(column) // unit)
            self.put(d, start, column)
            self.add_part("Disk%d-%s" % (d.index + 1, name), d, component, start, 0,
                          len(column) // unit, i)

    # ---- the database ----

    def vblks(self):
        out, sequence = [], 4
        for i, record in enumerate(self.records):
            pieces = [record[k:k + 112] for k in range(0, len(record), 112)]
            for k, piece in enumerate(pieces):
                out.append(struct.pack(">4sIIHH", b"VBLK", sequence, i + 1, k, len(pieces)) +
                           piece.ljust(112, b"\0"))
                sequence += 1
        if self.args.fragments:  # as after many changes: in any order
            out.sort(key=lambda v: zlib.crc32(v))
        return out

    def vmdb(self):
        vblks = self.vblks()
        last = len(vblks) + 8
        vblks += [struct.pack(">4sIIHH", b"VBLK", 4000 + i, 0, 0, 0).ljust(128, b"\0") for i in range(8)]
        head = struct.pack(">4sIIIHHH31s64sQQ", b"VMDB", last, 128, self.args.sector, 1, 4, 10,
                           self.name.encode(), str(self.guid).encode(), 0x123, 0x123)
        counts = struct.pack(">4I12x", self.counts[1], self.counts[2], self.counts[3], self.counts[4])
        head += counts + counts + struct.pack(">Q", 132000000000000000)
        return head.ljust(self.args.sector, b"\0") + b"".join(vblks)

    def private(self, d):
        b = struct.pack(">8sIHHQQQQ", b"PRIVHEAD", 0, 2, 12, 132000000000000000, 4, 0x100, 0x100)
        for g in (str(d.guid), str(guid("host")), str(self.guid)):
            b += g.encode().ljust(64, b"\0")
        b += self.name.encode().ljust(32, b"\0") + b"\x02\x00".ljust(11, b"\0")
        return b + struct.pack(">QQQQQQIIQQI", d.data, d.data_size, d.config, DATABASE, 2, 2046 - 1,
                               1, 1, 1481, 224, 0x1234 + d.index).ljust(80, b"\0")

    def toc(self, sequence):
        b = struct.pack(">8sI4xI16x", b"TOCBLOCK", sequence, 0)
        b += struct.pack(">8sHQQQ", b"config", 0, 17, 1481, 6)
        return b + struct.pack(">8sHQQQ", b"log", 0, 1498, 224, 1)

    def write_disk(self, d):
        private = self.private(d).ljust(d.unit, b"\0")
        for at in (1856, 2047):
            d.write(d.config + at, private)
        for at in (1, 2, 2045, 2046):
            d.write(d.config + at, self.toc(3).ljust(d.unit, b"\0"))
        d.write(d.config + 17, self.vmdb())
        if self.args.gpt:
            write_gpt(d)
        else:
            d.write(6, private)
            entry = struct.pack("<B3sB3sII", 0, b"\1\1\0", 0x42, b"\xfe\xff\xff", 63, d.sectors - 63)
            head = bytes(440) + struct.pack("<IH", 0x1234 + d.index, 0) + entry + bytes(48)
            d.write(0, head + b"\x55\xaa")


def write_gpt(d):
    def part(kind, first, last, name):
        return struct.pack("<16s16sQQQ72s", uuid.UUID(kind).bytes_le,
                           guid(name + str(d.index)).bytes_le, first, last, 0,
                           name.encode("utf-16-le"))

    array = part("5808C8AA-7E8F-42E0-85D2-E1E90434CFB3", d.config, d.config + DATABASE - 1,
                 "LDM metadata partition")
    array += part("AF9B60A0-1431-4F62-BC68-3311714A69AD", d.data, d.data + d.data_size - 1,
                  "LDM data partition")
    array = array.ljust(16384, b"\0")
    last, n = d.sectors - 1, 16384 // d.unit

    def header(lba, other, place):
        h = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, lba, other, 2 + n,
                        last - n - 1, guid("gpt" + str(d.index)).bytes_le, place, 128, 128,
                        zlib.crc32(array))
        return h[:16] + struct.pack("<I", zlib.crc32(h)) + h[20:]

    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, last)
    d.write(0, bytes(446) + entry + bytes(48) + b"\x55\xaa")
    d.write(1, header(1, last, 2))
    d.write(2, array)
    d.write(last - n, array)
    d.write(last, header(last, 1, last - n))


def content(name, n, source):
    if source:
        with open(source, "rb") as f:
            return f.read(n).ljust(n, b"\0")
    out, block = bytearray(), hashlib.sha256(name.encode()).digest()
    while len(out) < n:
        block = hashlib.sha512(block).digest()
        out += block * 64  # 4 KiB: cheap, and no two of them alike
    return bytes(out[:n])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--gpt", action="store_true")
    p.add_argument("--fragments", action="store_true")
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--sector", type=int, default=512)
    p.add_argument("disks", nargs="+")
    rest = sys.argv[1:]
    cut = rest.index("--")
    args = p.parse_args(rest[:cut])
    g = Group(args)
    g.add_disks()
    for spec in rest[cut + 1:]:
        g.make(spec)
    for d in g.disks:
        g.write_disk(d)


if __name__ == "__main__":
    main()
