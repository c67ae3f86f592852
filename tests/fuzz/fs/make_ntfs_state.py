#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the first inputs of fuzz_ntfs_state: small volumes of mkntfs, as sparse deltas.

usage: make_ntfs_state.py FOLDER        (needs mkntfs and ntfs-3g; see fuzz_ntfs_state.c)

Only what the checks read is kept: boot sector, MFT records, $MFTMirr, the beginning of
$LogFile, both bitmaps and the blocks of the root folder.
"""
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "blackbox", "fs"))
import ntfs_twin  # noqa: E402

TWIN = ntfs_twin.__file__
QUICK, ASK, MUCH, LITTLE = 1, 2, 4, 8


def piece(at, data):
    """Zeros at the end, and pieces of nothing but zeros, are left out."""
    data = bytes(data).rstrip(b"\0")
    assert at % 16 == 0 and len(data) < 0x8000
    return struct.pack("<IH", at // 16, len(data)) + data if data else b""


def sparse(at, data, unit=64):
    out, start = b"", None
    for i in range(0, len(data) + unit, unit):
        if any(data[i:i + unit]):
            start = i if start is None else start
        elif start is not None:
            out, start = out + piece(at + start, data[start:i]), None
    return out


def attr_runs(volume, number, kind, name=""):
    try:
        record = volume.record(number)
        at = volume.attr(record, kind, name)
    except (KeyError, ValueError):  # no such attribute, no such record
        return []
    if not record[at + 8]:
        return []
    return ntfs_twin.unpack_runs(record[at + ntfs_twin.u16(record, at + 32):])


def delta(path, flags, also):
    v = ntfs_twin.Volume(path)
    out = struct.pack("<I", os.path.getsize(path) // 512 | flags << 24) + piece(0, v.read(0, 96))
    out += piece(496, v.read(496, 16))
    keep = v.mft_runs + also
    keep += attr_runs(v, 0, 0xB0) + attr_runs(v, 1, 0x80) + attr_runs(v, 6, 0x80)
    keep += attr_runs(v, 6, 0x20) + attr_runs(v, 5, 0xA0, "$I30")
    for lcn, n in keep:
        out += sparse(lcn * v.cluster, v.read(lcn * v.cluster, n * v.cluster))
    for lcn, _ in attr_runs(v, 64, 0x80):
        out += piece(lcn * v.cluster, v.read(lcn * v.cluster, 16))
    lcn = attr_runs(v, 2, 0x80)[0][0] * v.cluster
    if v.read(lcn, 4) == b"\xff\xff\xff\xff":
        out += struct.pack("<IHB", lcn // 16, 0x8000 | 32, 0xFF)
    else:
        out += sparse(lcn, v.read(lcn, 12 << 10))
    return out


def make(path, size, cluster, options=()):
    with open(path, "wb") as f:
        f.truncate(size)
    subprocess.run(["mkntfs", "-q", "-Q", "-F", "-p", "0", "-H", "0", "-S", "0", "-c",
                    str(cluster), *options, path], check=True, capture_output=True)


def twin(path, *what):
    subprocess.run([sys.executable, TWIN, path, *map(str, what)], check=True)


def hiberfil(path):
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"hibr" + bytes(5000))
        f.flush()
        subprocess.run(["ntfscp", "-q", "-f", path, f.name, "hiberfil.sys"], check=True)


SEEDS = {
    "fresh-4k": (4 << 20, 4096, 0, lambda p: None),
    "fresh-512": (3 << 20, 512, MUCH, lambda p: None),
    "ask-64k": (24 << 20, 65536, ASK, lambda p: None),
    "little-1k": (3 << 20, 1024, LITTLE, lambda p: None),
    "resident": (3 << 20, 4096, MUCH, lambda p: twin(p, "resident-bitmap")),
    "journal": (4 << 20, 4096, QUICK, lambda p: twin(p, "log", "clean")),
    "unclean": (4 << 20, 4096, 0, lambda p: twin(p, "log", "unclean")),
    "chkdsk": (4 << 20, 4096, 0, lambda p: twin(p, "log", "chkdsk")),
    "dirty": (4 << 20, 4096, 0, lambda p: twin(p, "flags", 1)),
    "bad": (4 << 20, 4096, 0, lambda p: twin(p, "bad", 900)),
    "split": (4 << 20, 512, MUCH, lambda p: twin(p, "split-bitmap")),
    "split-name": (4 << 20, 512, MUCH | ASK, lambda p: twin(p, "split-bitmap", "name")),
    "split-mapped": (4 << 20, 512, MUCH, lambda p: twin(p, "split-bitmap", "mapped")),
    "split-mapped-name": (4 << 20, 512, MUCH, lambda p: twin(p, "split-bitmap", "mapped-name")),
    "twice": (4 << 20, 4096, 0, lambda p: twin(p, "twice", 4)),
    "hibernated": (4 << 20, 4096, 0, hiberfil),
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, cluster, flags, change) in SEEDS.items():
            image = os.path.join(folder, name)
            make(image, size, cluster)
            if name.startswith("split"):  # so that $MFT has a free record to split into
                for i in range(1):
                    subprocess.run(["ntfscp", "-q", "-f", image, "/dev/null", "f%d" % i],
                                   check=True)
            bitmap = attr_runs(ntfs_twin.Volume(image), 6, 0x80)
            change(image)
            data = delta(image, flags, bitmap)
            with open(os.path.join(sys.argv[1], name), "wb") as f:
                f.write(data)
            print(name, len(data))
