#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_ldm.c into corpus/ldm beside this file."""
import os
import struct
import sys
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../blackbox/volume"))
import make_ldm  # noqa: E402

SECTORS, CONFIG = 8192, 8192 - 2048
PRIVATE, BACKUP, TOC, VMDB, RECORD, VBLK = range(6)


class Disk:
    def __init__(self, index):
        self.index, self.unit, self.used = index, 512, 0
        self.data, self.data_size, self.config = 63, CONFIG - 63, CONFIG
        text = ("4" if index == 0 else "5") + "4444444-1111-2222-3333-555555555555"
        self.guid = make_ldm.uuid.UUID(text)

    def write(self, sector, data):
        pass

    take = make_ldm.Disk.take
    path = "-"


def group(fragments=False):
    g = make_ldm.Group(SimpleNamespace(sector=512, gpt=False, fragments=fragments, disks=[]))
    g.disks = [Disk(0), Disk(1)]
    g.add_disks()
    return g


def piece(what, data):
    return struct.pack("<BH", what, len(data)) + data


def save(name, g, private=PRIVATE, change=None, vmdb=None, toc=None, extra=b""):
    records = [change(i, r) if change else r for i, r in enumerate(g.records)]
    head = (vmdb or (lambda b: b))(g.vmdb()[:240])
    data = piece(private, g.private(g.disks[0])) + piece(TOC, (toc or (lambda b: b))(g.toc(3)))
    data += piece(VMDB, head) + b"".join(piece(RECORD, r) for r in records if r) + extra
    os.makedirs(os.path.join(HERE, "corpus/ldm"), exist_ok=True)
    with open(os.path.join(HERE, "corpus/ldm", name), "wb") as f:
        f.write(data)


def volume(name, kind, mib="1", **how):
    g = group(**how)
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")
    g.make("V:%s:%s:0,1" % (kind, mib))
    sys.stdout = stdout
    save(name, g)
    return g


def swap(at, new):
    return lambda b: b[:at] + new + b[at + len(new):]


def main():
    for kind in ("simple", "spanned", "striped", "mirrored", "raid5"):
        volume(kind, kind)
        volume(kind + "-long", kind, fragments=True)
    g = volume("simple", "simple")
    save("backup", g, private=BACKUP)
    save("blank", g, change=lambda i, r: b"\0\1" + r[2:] if i == 3 else r)
    save("gone", g, change=lambda i, r: b"" if i == 4 else r)
    save("cut", g, change=lambda i, r: r[:20] if i == 5 else r)
    save("kind", g, change=lambda i, r: r[:3] + b"\x99" + r[4:] if i == 5 else r)
    save("way", g, change=lambda i, r: r.replace(b"ACTIVE\x02", b"ACTIVE\x09"))
    save("vmdb-version", g, vmdb=swap(18, b"\0\5"))
    save("vmdb-size", g, vmdb=swap(8, b"\0\0\0\1"))
    save("vmdb-many", g, vmdb=swap(4, b"\0\xff\0\0"))
    save("toc-name", g, toc=lambda b: b.replace(b"config", b"confug"))
    save("toc-far", g, toc=swap(46, b"\x7f"))
    save("no-toc", g, toc=lambda b: b"x")
    save("name", g, vmdb=lambda b: b.replace(b"Test-Dg0", b"a/b\xff\xfe\0\0\0"))
    twice = struct.pack(">4sIIHH", b"VBLK", 4, 2, 0, 2).ljust(128, b"\0")
    save("twice", g, extra=piece(VBLK, twice) * 2)
    for name, at, new in (("version", 12, b"\0\3"), ("guid", 48, b"zz"), ("far", 0x12b, b"\xff"),
                          ("outside", 0x12f, b"\x01")):
        g.private = lambda d, at=at, new=new: swap(at, new)(make_ldm.Group.private(g, d))
        save("private-" + name, g)


main()
