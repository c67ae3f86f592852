#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the image fuzzers into corpus/ beside this script.

Small on purpose: grains of 8 sectors, one to three tables. What each seed is about stands in
its name; the bad ones are wrong in one place only.
"""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
SECTOR = 512
GRAIN = 8


def save(fuzzer, name, content):
    folder = os.path.join(HERE, "corpus", fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def header(capacity, rgd, gd, overhead, version=1, flags=3, grain=GRAIN, gtes=512, desc=(0, 0),
           unclean=0, newlines=b"\n \r\n", compression=0):
    return struct.pack("<4sIIQQQQIQQQB4sH433x", b"KDMV", version, flags, capacity, grain,
                       desc[0], desc[1], gtes, rgd, gd, overhead, unclean, newlines, compression)


def extent(entries, tables=1, capacity=None, grains=None, redundant=True, directory=None,
           **fields):
    """Header, both directories and their tables, and the grains that entries point to."""
    copy = 1 + 4 * tables
    rgd, gd = 1, 1 + copy
    overhead = -(-(1 + 2 * copy) // GRAIN) * GRAIN
    capacity = capacity or tables * 512 * GRAIN - 3

    def tables_at(first):
        places = directory or [first + 1 + 4 * t for t in range(tables)]
        text = struct.pack(f"<{tables}I", *places).ljust(SECTOR, b"\0")
        table = [0] * (512 * tables)
        for index, value in entries.items():
            table[index] = value + overhead if isinstance(value, int) and value >= 0 else -value
        return text + struct.pack(f"<{len(table)}I", *table)

    body = header(capacity, rgd if redundant else 0, gd, overhead,
                  **{"flags": 3 if redundant else 1, **fields})
    body += tables_at(rgd) + tables_at(gd)
    body = body.ljust(overhead * SECTOR, b"\0")
    count = len(entries) if grains is None else grains
    for i in range(count):
        body += bytes([0x41 + i]) * (GRAIN * SECTOR)
    return body


def sparse_seeds():
    yield "empty", extent({})
    yield "three-grains", extent({0: 0, 1: GRAIN, 100: 2 * GRAIN})
    yield "two-tables", extent({5: 0, 700: GRAIN}, tables=2)
    yield "last-grain-cut", extent({511: 0}, capacity=512 * GRAIN - 5)
    yield "zeroed", extent({3: -1, 4: 0}, grains=1, version=2, flags=7)
    yield "single-directory", extent({0: 0}, redundant=False)
    yield "no-table", extent({0: 0}, tables=2, directory=[0, 7])
    yield "unclean", extent({0: 0}, unclean=1)
    yield "overlap", extent({0: 0, 1: 0}, grains=1)
    yield "beyond", extent({0: 1000}, grains=0)
    yield "over-tables", extent({0: -2}, grains=0)
    yield "table-beyond", extent({}, directory=[100000])
    yield "compressed", extent({}, flags=0x30001, version=3, compression=1)
    yield "version-3", extent({}, version=3)
    yield "text-mode", extent({}, newlines=b"\n \n\n")
    yield "grain-100", extent({}, grain=100)
    yield "capacity-0", extent({}).replace(struct.pack("<Q", 512 * GRAIN - 3), bytes(8), 1)
    yield "cut", extent({})[:700]
    yield "short", extent({})[:100]
    yield "no-magic", b"X" + extent({})[1:]
    yield "version-9", extent({}, version=9)
    yield "gtes-1024", extent({}, gtes=1024)
    yield "descriptor-beyond", extent({}, desc=(1 << 40, 20))
    for name, at, value in (("directory-0", 56, 0), ("directory-beyond", 56, 1 << 30),
                            ("directory-at-end", 56, (1 << 64) - 1),
                            ("redundant-beyond", 48, 1 << 60), ("capacity-2-52", 12, 1 << 52)):
        whole = bytearray(extent({}))
        whole[at:at + 8] = struct.pack("<Q", value)
        yield name, bytes(whole)
    # the last byte decides whether there is something below
    yield "below", extent({0: 0, 1: GRAIN, 300: 2 * GRAIN}) + b"\1"
    yield "below-zeroed", extent({3: -1, 4: 0}, grains=1, version=2, flags=7) + b"\1"
    yield "below-no-table", extent({0: 0}, tables=2, directory=[0, 7]) + b"\1"


HEAD = ("# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=fffffffe\n"
        "parentCID=ffffffff\ncreateType=\"%s\"\n")
DDB = ("\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\n"
       "ddb.geometry.cylinders = \"20\"\nddb.adapterType = \"ide\"\n")


def desc_seeds():
    yield "sparse", HEAD % "monolithicSparse" + "RW 2048 SPARSE \"a.vmdk\"\n" + DDB
    yield "flat", HEAD % "monolithicFlat" + "RW 2048 FLAT \"a-flat.vmdk\" 128\n" + DDB
    yield "split", HEAD % "twoGbMaxExtentSparse" + "".join(
        f"RW 4192256 SPARSE \"a-s{i:03}.vmdk\"\n" for i in range(1, 6)) + DDB
    yield "delta", (HEAD % "monolithicSparse").replace(
        "parentCID=ffffffff", "parentCID=12345678\nparentFileNameHint=\"b.vmdk\"") + \
        "RW 2048 SPARSE \"a.vmdk\"\n"
    yield "kinds", HEAD % "vmfs" + ("RDONLY 1 VMFS \"a\"\nNOACCESS 2 VMFSSPARSE \"b\"\n"
                                    "RW 3 SESPARSE \"c\"\nRW 4 VMFSRDM \"d\" more words\n"
                                    "RW 5 ZERO\nRW 6 VMFSRAW \"e\"\n")
    yield "crlf", (HEAD % "x" + "RW 1 ZERO\nddb.longContentID = \"0\"\n").replace("\n", "\r\n")
    yield "padded", HEAD % "x" + "rw 1 zero\n" + "\0" * 64
    yield "huge-number", HEAD % "x" + "RW 99999999999999999999 ZERO\n"
    yield "stray-quote", HEAD % "x" + "RW 1 ZERO\na=\"b\"c\"\n"
    yield "no-extents", HEAD % "x"
    yield "twice", HEAD % "x" + "CID=1\n"


for seed, content in sparse_seeds():
    save("vmdk_sparse", seed, content)
for seed, content in desc_seeds():
    save("vmdk_desc", seed, content.encode())
