#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files packed as Windows packs them, on a mounted NTFS: make-wof.py FORMAT DIR MOUNTED STREAMS

FORMAT is xpress4k, xpress8k, xpress16k or lzx. wimlib packs the files of DIR, which all differ in
size, into a WIM, whose resources are the same streams of chunks behind the same tables. In the
folder MOUNTED each becomes the stream WofCompressedData, beside a hole of the file's size and
the reparse point; STREAMS gets a copy. ntfs-3g must be mounted with streams_interface=windows.
Prints the names; files that get no smaller have no chunks in a WIM and are left out.
"""
import os
import struct
import subprocess
import sys
import tempfile

FORMATS = {"xpress4k": (0, "XPRESS", 4096), "lzx": (1, "LZX", 32768),
           "xpress8k": (2, "XPRESS", 8192), "xpress16k": (3, "XPRESS", 16384)}


def resources(wim):
    """Packed streams by the size of their content: the lookup table has 50 bytes for each."""
    packed, offset = struct.unpack("<QQ", wim[48:64])
    table = wim[offset:offset + (packed & (1 << 56) - 1)]
    for at in range(0, len(table), 50):
        stored, where, plain = struct.unpack("<QQQ", table[at:at + 24])
        if stored >> 56 & 4:
            yield plain, wim[where:where + (stored & (1 << 56) - 1)]


algorithm, method, chunk = FORMATS[sys.argv[1]]
source, target, copies = sys.argv[2:]
point = struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 2, 1, algorithm)
with tempfile.TemporaryDirectory() as work:
    subprocess.run(["wimcapture", source, f"{work}/x.wim", f"--compress={method}",
                    f"--chunk-size={chunk}", "--no-acls"], check=True, stdout=subprocess.DEVNULL)
    with open(f"{work}/x.wim", "rb") as f:
        streams = dict(resources(f.read()))
for name in sorted(os.listdir(source)):
    size = os.path.getsize(f"{source}/{name}")
    if size not in streams:
        continue
    with open(f"{target}/{name}", "wb") as f:
        f.truncate(size)
    for copy in f"{target}/{name}:WofCompressedData", f"{copies}/{name}":
        with open(copy, "wb") as f:
            f.write(streams[size])
    os.setxattr(f"{target}/{name}", "system.ntfs_reparse_data", point)
    print(name)
