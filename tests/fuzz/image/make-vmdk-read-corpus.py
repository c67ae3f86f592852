#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_vmdk_read into corpus/ beside this script: extents that are only
read. Small on purpose; the bad ones are wrong in one place only, which stands in the name.
"""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
SECTOR = 512
GRAIN = 8
AT_END = (1 << 64) - 1
END, TABLE, DIRECTORY, FOOTER = range(4)


def save(name, content):
    folder = os.path.join(HERE, "corpus", "vmdk_read")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def pad(content):
    return content.ljust(-(-len(content) // SECTOR) * SECTOR, b"\0")


# ---- stream-optimized ----

def header(capacity, gd, flags=0x30001, grain=GRAIN, compression=1, overhead=8):
    return struct.pack("<4sIIQQQQIQQQB4sH433x", b"KDMV", 3, flags, capacity, grain, 0, 0, 512,
                       0, gd, overhead, 0, b"\n \r\n", compression)


def marker(kind, sectors):
    return struct.pack("<QII496x", sectors, 0, kind)


def grain(index, content=None, lba=None, size=None, markers=True):
    packed = zlib.compress(content if content is not None
                           else bytes([0x41 + index % 26]) * (GRAIN * SECTOR))
    if not markers:
        return pad(packed)
    lba = index * GRAIN if lba is None else lba
    return pad(struct.pack("<QI", lba, len(packed) if size is None else size) + packed)


def stream(indexes=(0, 1, 100), tables=1, capacity=None, footer=True, directory=True, end=True,
           grains=None, after=b"", **fields):
    capacity = capacity or tables * 512 * GRAIN - 3
    out = pad(header(capacity, AT_END, **fields)).ljust(8 * SECTOR, b"\0")
    entries, gd = {}, []
    for i in indexes:
        entries[i] = len(out) // SECTOR
        out += grains(i) if grains else grain(i)
    for t in range(tables):
        table = [entries.get(t * 512 + i, 0) for i in range(512)]
        if not any(table):
            gd.append(0)
            continue
        out += marker(TABLE, 4)
        gd.append(len(out) // SECTOR)
        out += struct.pack("<512I", *table)
    if directory:
        out += marker(DIRECTORY, 1)
        at = len(out) // SECTOR
        out += pad(struct.pack(f"<{tables}I", *gd))
        if footer:
            out += marker(FOOTER, 1) + header(capacity, at, **fields)
    return out + (marker(END, 0) if end else b"") + after


def stream_seeds():
    yield "stream", stream()
    yield "stream-empty", stream(())
    yield "stream-two-tables", stream((0, 511, 512, 900), tables=2)
    yield "stream-hole-table", stream((600,), tables=2)
    yield "stream-last-grain-short", stream((511,), grains=lambda i: grain(i, b"x" * 2560))
    yield "stream-no-footer", stream(footer=False)
    yield "stream-no-directory", stream(footer=False, directory=False)
    yield "stream-no-directory-two", stream((3, 700), tables=2, footer=False, directory=False)
    yield "stream-more-behind", stream(after=b"\x55" * 1024)
    yield "stream-cut-off", stream()[:-4 * SECTOR]
    yield "stream-cut-off-early", stream(end=False, footer=False, directory=False)
    yield "stream-no-packing", stream(flags=1, compression=0)
    yield "stream-method-9", stream(compression=9)
    yield "stream-wrong-sector", stream(grains=lambda i: grain(i, lba=8))
    yield "stream-not-a-grains-sector", stream(grains=lambda i: grain(i, lba=3))
    yield "stream-too-long", stream(grains=lambda i: grain(i, size=1 << 20))
    yield "stream-beyond", stream(grains=lambda i: grain(i, size=8000))
    yield "stream-too-short", stream(grains=lambda i: grain(i, b"short"))
    yield "stream-too-large", stream(grains=lambda i: grain(i, b"x" * 5000))
    damaged = bytearray(stream())
    damaged[8 * SECTOR + 20] ^= 0x10
    yield "stream-damaged-grain", bytes(damaged)
    other = bytearray(stream())
    other[-2 * SECTOR + 12] ^= 1
    yield "stream-other-footer", bytes(other)
    unknown = bytearray(stream(footer=False))
    at = unknown.find(marker(TABLE, 4))
    unknown[at + 12] = 77
    yield "stream-unknown-marker", bytes(unknown)
    # tables in front, as QEMU makes them; and without markers
    for name, flags in (("stream-qemu", 0x30001), ("stream-bare", 0x10001)):
        bare = flags == 0x10001
        packed = [grain(i, markers=not bare) for i in range(3)]
        places, at = [], 8
        for g in packed:
            places.append(at)
            at += len(g) // SECTOR
        out = header(512 * GRAIN, 1, flags=flags) + pad(struct.pack("<I", 2))
        out += struct.pack("<512I", *(places + [0] * 509))
        yield name, out.ljust(8 * SECTOR, b"\0") + b"".join(packed)


# ---- COWD ----

def cowd(entries=((0, 0), (1, 1), (9, 2)), capacity=4096 + 100, grain_size=1, gd=4, n_gd=2,
         directory=None, version=1, free=0):
    out = struct.pack("<4s7I", b"COWD", version, 3, capacity, grain_size, gd, n_gd, free)
    out = out.ljust(4 * SECTOR, b"\0")
    out += pad(struct.pack("<2I", *(directory or (5, 0))))
    table = [0] * 4096
    for index, place in entries:
        table[index] = 5 + 32 + place * grain_size if place < 1 << 20 else place
    out += struct.pack("<4096I", *table)
    for i in range(len(entries)):
        out += bytes([0x61 + i]) * (grain_size * SECTOR)
    return out


def cowd_seeds():
    yield "cowd", cowd()
    yield "cowd-8", cowd(grain_size=8, capacity=4096 * 8, n_gd=1, free=5 + 32 + 16)
    yield "cowd-empty", cowd((), directory=(0, 0))[:2560]
    yield "cowd-beyond", cowd(((0, 1 << 30),))
    yield "cowd-overlap", cowd(((0, 0), (1, 0)))
    yield "cowd-table-beyond", cowd(directory=(1 << 31, 0))[:2560]
    yield "cowd-one-table-twice", cowd(directory=(5, 5))
    yield "cowd-few-entries", cowd(n_gd=1)[:2560]
    yield "cowd-grain-3", cowd(grain_size=3)[:2560]
    yield "cowd-capacity-0", cowd(capacity=0)[:2560]
    yield "cowd-directory-beyond", cowd(gd=1 << 20)[:2560]
    yield "cowd-version-2", cowd(version=2)[:2560]
    yield "cowd-short", cowd()[:1000]


# ---- seSparse ----

DATA, ZERO, UNMAPPED = 3 << 60, 2 << 60, 1 << 60


def sesparse(entries=((0, DATA), (1, DATA | 1 << 48), (5, ZERO), (6, UNMAPPED | 9)),
             directory=(1 << 60, 0), at=(), grains=2, capacity=2 * 4096 * 8 - 5):
    head = [0] * 26
    head[:5] = [0xcafebabe, 0x200000001, capacity, 8, 64]
    head[10:12] = [1, 1]
    head[16:18] = [2, 1]
    head[18:20] = [3, 64]
    head[24:26] = [3 + 64, 8 * grains]
    for index, value in at:
        head[index] = value
    out = pad(struct.pack("<26Q", *head))
    out += pad(struct.pack("<4Q", 0xcafecafe, 1, 1, 0))
    out += pad(struct.pack("<2Q", *directory))
    table = [0] * 4096
    for index, value in entries:
        table[index] = value
    out += struct.pack("<4096Q", *table)
    for i in range(grains):
        out += bytes([0x30 + i]) * 4096
    return out


def sesparse_seeds():
    yield "se", sesparse()
    yield "se-empty", sesparse((), (0, 0), grains=0)
    yield "se-beyond", sesparse(((0, DATA | 7),))
    yield "se-twice", sesparse(((0, DATA), (8, DATA)))
    yield "se-unknown-entry", sesparse(((0, 5 << 60),))
    yield "se-behind-capacity", sesparse(directory=(0, 1 << 60), entries=((4095, DATA),))
    yield "se-no-table", sesparse(directory=(1, 0))
    yield "se-table-beyond", sesparse(directory=(1 << 60 | 9, 0))
    yield "se-one-table-twice", sesparse(directory=(1 << 60, 1 << 60))
    for name, index, value in (("version", 1, 1), ("grain", 3, 16), ("table", 4, 32),
                               ("flags", 5, 1), ("reserved", 6, 1), ("capacity-0", 2, 0),
                               ("volatile-beyond", 10, 1 << 40), ("no-directory", 17, 0),
                               ("tables-beyond", 18, 1 << 60), ("grains-beyond", 24, 1 << 60)):
        yield "se-" + name, sesparse(at=((index, value),))[:2048]
    dirty = bytearray(sesparse(grains=0))
    dirty[SECTOR + 24] = 1
    yield "se-dirty", bytes(dirty)
    yield "se-no-volatile", (sesparse()[:SECTOR] + bytes(SECTOR)).ljust(70 * SECTOR, b"\0")
    yield "se-short", sesparse()[:300]


for seeds in (stream_seeds, cowd_seeds, sesparse_seeds):
    for seed, content in seeds():
        save(seed, content)
