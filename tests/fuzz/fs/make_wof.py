#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds of fuzz_wof: chunks packed by wimlib (wimcapture), points and tables. Writes corpus/wof/."""
import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def put(name, content):
    with open(os.path.join(HERE, "corpus", "wof", name), "wb") as f:
        f.write(content)


def packed(method, chunk, content):
    """The one chunk of a file that has no more: its resource has no table."""
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/in")
        with open(f"{work}/in/x", "wb") as f:
            f.write(content)
        subprocess.run(["wimcapture", f"{work}/in", f"{work}/x.wim", f"--compress={method}",
                        f"--chunk-size={chunk}", "--no-acls"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(f"{work}/x.wim", "rb") as f:
            wim = f.read()
    size, offset = struct.unpack("<QQ", wim[48:64])
    for at in range(offset, offset + (size & (1 << 56) - 1), 50):
        stored, where, plain = struct.unpack("<QQQ", wim[at:at + 24])
        if plain == len(content) and stored >> 56 & 4:
            return wim[where:where + (stored & (1 << 56) - 1)]
    raise SystemExit("wimlib did not pack it")


text = b"".join(b"%d, " % i for i in range(999))
calls = b"".join(b"\xe8" + struct.pack("<i", 400 - i) + b"code%d" % (i % 7)
                 for i in range(0, 2000, 9))
runs = b"a" * 900 + b"bc" * 700 + text[:300] + b"a" * 900
for kind, content in ("text", text), ("calls", calls), ("runs", runs):
    for number, method, chunk in (0, "XPRESS", 4096), (1, "LZX", 32768):
        part = content[:chunk]
        put(f"{kind}_{method.lower()}",
            bytes([number]) + struct.pack("<H", len(part) - 1) + packed(method, chunk, part))
block = bytes.fromhex("0060 0002") + b"\1\0\0\0" * 3  # LZX: 32 bytes that are not packed
put("stored_lzx", b"\1" + struct.pack("<H", 31) + block + b"stored" * 6)
put("point_file", b"\4" + struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 2, 1, 1))
put("point_wim", b"\4" + struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 1, 1, 0))
put("table", b"\5" + struct.pack("<QQQIIII", 10000, 1000, 1, 300, 500, 0, 0))
put("table_wide", b"\5" + struct.pack("<QQQQQ", 1 << 33, 1 << 32, 9, 70000, 70100))
