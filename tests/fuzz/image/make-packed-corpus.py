#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds for fuzz_packed: gzip, xz and zstd files, whole and damaged. Usage: make-... DIR"""
import gzip
import lzma
import os
import struct
import subprocess
import sys
import zlib


def disk(n):
    return bytes(i * i // 7 % 251 for i in range(n)) + bytes(4096) + b"end" * 100


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, capture_output=True,
                          check=True).stdout


def zstd_sized(data, *options):
    return zstd(data, f"--stream-size={len(data)}", *options)


def gzip_of_many_blocks(size):
    """Blocks that end every 100 KB: places where one can begin."""
    packer = zlib.compressobj(wbits=31)
    out = b""
    for i in range(size // 100000):
        out += packer.compress(bytes([i % 251]) * 90000 + bytes(10000))
        out += packer.flush(zlib.Z_BLOCK)
    return out + packer.flush()


def xz_of_one_block(unpacked):
    """An index that says what its only block, which is junk, unpacks to."""
    def number(n):
        out = b""
        while n >= 0x80:
            out += bytes([n & 0x7F | 0x80])
            n >>= 7
        return out + bytes([n])

    flags = b"\0\1"
    index = b"\0" + number(1) + number(12) + number(unpacked)
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    foot = struct.pack("<I", len(index) // 4 - 1) + flags
    return (b"\xfd7zXZ\0" + flags + struct.pack("<I", zlib.crc32(flags)) + bytes([1]) * 12 + index
            + struct.pack("<I", zlib.crc32(foot)) + foot + b"YZ")


def seekable(data, step, checksums):
    frames = [data[i:i + step] for i in range(0, len(data), step)]
    packed = [zstd_sized(f, "--no-check") for f in frames]
    extra = b"\0\0\0\0" if checksums else b""
    table = b"".join(struct.pack("<II", len(p), len(f)) + extra for p, f in zip(packed, frames))
    foot = struct.pack("<IBI", len(frames), 0x80 if checksums else 0, 0x8F92EAB1)
    head = struct.pack("<II", 0x184D2A5E, len(table) + len(foot))
    return b"".join(packed) + head + table + foot


def seeds():
    d = disk(3000)
    yield "gzip", gzip.compress(d, mtime=0)
    yield "gzip-stored", gzip.compress(d, 0, mtime=0)
    yield "gzip-members", gzip.compress(d, mtime=0) + gzip.compress(d[:99], mtime=0) + bytes(9)
    yield "gzip-cut", gzip.compress(d, mtime=0)[:-9]
    yield "gzip-starts", gzip_of_many_blocks(3900000)
    yield "xz", lzma.compress(d)
    yield "xz-blocks", subprocess.run(["xz", "-c", "--block-size=1000"], input=d,
                                      capture_output=True, check=True).stdout
    yield "xz-dictionary", lzma.compress(d, filters=[
        {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}])
    yield "xz-large", xz_of_one_block(1 << 40)
    yield "xz-junk", xz_of_one_block(100)
    yield "xz-streams", lzma.compress(d, check=lzma.CHECK_CRC32) + bytes(8) + lzma.compress(d)
    yield "xz-filters", lzma.compress(d, check=lzma.CHECK_NONE, filters=[
        {"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "dict_size": 65536}])
    yield "xz-cut", lzma.compress(d)[:-5]
    yield "zstd", zstd_sized(d)
    yield "zstd-pipe", zstd(d)
    yield "zstd-frames", zstd_sized(d) + struct.pack("<II", 0x184D2A50, 3) + b"abc" + zstd(d[:99])
    yield "zstd-seekable", seekable(d, 1000, False)
    yield "zstd-seekable-sums", seekable(d, 3000, True)
    yield "zstd-cut", zstd_sized(d)[:-9]


for name, data in seeds():
    with open(os.path.join(sys.argv[1], name), "wb") as out:
        out.write(data)
