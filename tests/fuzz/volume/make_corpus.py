#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of this room's fuzzers into corpus/mbr and corpus/gpt beside this file."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def save(kind, name, data):
    os.makedirs(os.path.join(HERE, kind), exist_ok=True)
    with open(os.path.join(HERE, kind, name), "wb") as f:
        f.write(data)


def entry(kind=0, start=0, count=0, status=0):
    return struct.pack("<B3sB3sII", status, b"\0\2\0", kind, b"\xfe\xff\xff", start, count)


def entries(*given):
    return b"".join(given) + bytes(16 * (4 - len(given)))


def sector0(table, head=b"", signature=0x12345678):
    code = head + bytes(440 - len(head))
    return code + struct.pack("<IH", signature, 0) + table + b"\x55\xaa"


def record(sector, *given, magic=b"\x55\xaa"):
    return struct.pack("<H", sector) + entries(*given) + magic


def mbr_seeds():
    chain = sector0(entries(entry(7, 2048, 4096, 0x80), entry(15, 10000, 50000)))
    chain += record(10000, entry(0x83, 63, 1000), entry(5, 30000, 5000))
    chain += record(40000, entry(0x82, 2048, 2952), entry(5, 20000, 100))
    chain += record(30000, entry(), entry(0x85, 20100, 600))
    save("mbr", "chain", chain + record(30100, entry(7, 100, 500)))
    save("mbr", "loop", chain + record(30100, entry(7, 100, 500), entry(5, 30000, 9)))
    save("mbr", "outside", chain + record(30100, entry(7, 100, 500), entry(5, 50001, 9)))
    save("mbr", "no-magic", chain + record(30100, entry(7, 100, 500), magic=b"\0\0"))
    save("mbr", "third-entry", chain + record(30100, entry(7, 100, 90), entry(), entry(6, 300, 9)))
    four = entries(entry(0xDE, 63, 2000), entry(7, 4096, 20480, 0x80), entry(0x27, 32768, 600),
                   entry(0x83, 40000, 20000))
    save("mbr", "four", sector0(four))
    save("mbr", "overlap", sector0(entries(entry(7, 3000, 1000), entry(7, 2000, 1001))))
    save("mbr", "beyond", sector0(entries(entry(7, 2048, 0xFFFFFFFF))))
    save("mbr", "empty", sector0(entries()))
    save("mbr", "nothing", sector0(entries(), signature=0))
    save("mbr", "garbage", sector0(entries(entry(7, 2048, 99, 0x33))))
    save("mbr", "ldm", sector0(entries(entry(0x42, 63, 60000))))
    save("mbr", "ntfs", sector0(entries(), b"\xeb\x52\x90NTFS    "))
    fat = b"\xeb\x3c\x90mkfs.fat" + struct.pack("<HBHBHHB", 512, 4, 4, 2, 512, 8192, 0xF8)
    save("mbr", "fat", sector0(entries(), fat))
    save("mbr", "fat-and-table", sector0(entries(entry(12, 2048, 9000)), fat))
    boxes = entries(entry(5, 1000, 1000), entry(5, 3000, 1000))
    save("mbr", "two-boxes", sector0(boxes) + record(1000, entry(7, 10, 20)) +
         record(3000, entry(7, 10, 20)))
    save("mbr", "odd-when-grown", sector0(entries(entry(5, 3000, 1000))) +
         record(3000, entry(7, 10, 20), entry(), entry(0, 0, 8192)))


def header(lba, other, first, last, place, n=128, size=128, header_size=92):
    return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, header_size, 0, 0, lba, other,
                       first, last, b"\xd1" * 16, place, n, size, 0)


def part(kind, first, last, name="Basic", size=128):
    text = name.encode("utf-16-le")
    raw = struct.pack("<16s16sQQQ72s", bytes([kind]) * 16, bytes([kind + 1]) * 16, first, last,
                      1 << 63, text)
    return raw + bytes(size - 128)


def gpt(flags, sectors, primary, backup, array, mbr=None):
    head = struct.pack("<I", (sectors - 64) << 8 | flags)
    return head + entries(*(mbr or [entry(0xEE, 1, sectors - 1)])) + primary + backup + array


def gpt_seeds():
    n = 100000
    first = header(1, n - 1, 34, n - 34, 2)
    second = header(n - 1, 1, 34, n - 34, n - 33)
    array = part(0x11, 2048, 4095) + bytes(128) + part(0x22, 8192, 20479, "\u20ac\U0001f600")
    save("gpt", "good", gpt(0, n, first, second, array))
    save("gpt", "same", gpt(32, n, first, bytes(92), array))
    save("gpt", "primary-only", gpt(4, n, first, second, array))
    save("gpt", "backup-only", gpt(2, n, first, second, array))
    save("gpt", "bad-crc", gpt(8, n, first, second, array))
    save("gpt", "bad-entries-crc", gpt(16, n, first, second, array))
    save("gpt", "hybrid", gpt(0, n, first, second, array,
                              [entry(0xEE, 1, 2047), entry(7, 2048, 2048)]))
    save("gpt", "windows", gpt(0, n, first, second, array, [entry(0xEE, 1, 0xFFFFFFFF)]))
    save("gpt", "4096", gpt(33, 5000, header(1, 4999, 6, 4994, 2), bytes(92),
                            part(0x11, 256, 511)))
    save("gpt", "256-bytes", gpt(0, n, header(1, n - 1, 66, n - 66, 2, size=256),
                                 header(n - 1, 1, 66, n - 66, n - 65, size=256),
                                 part(0x11, 2048, 4095, size=256) + part(0x33, 5000, 5999)))
    save("gpt", "differ", gpt(0, n, first, header(n - 1, 1, 34, n - 40, n - 33), array))
    save("gpt", "moved", gpt(0, n, header(1, n - 90, 34, n - 134, 2), second, array))
    save("gpt", "overlap", gpt(32, n, first, second, part(1, 100, 200) + part(3, 200, 300)))
    save("gpt", "outside", gpt(32, n, first, second, part(1, 100, n - 33)))
    for name, wrong in (("short", header(1, n - 1, 34, n - 34, 2, header_size=91)),
                        ("odd-size", header(1, n - 1, 34, n - 34, 2, size=384)),
                        ("many", header(1, n - 1, 34, n - 34, 2, n=0x20001)),
                        ("inside", header(1, n - 1, 34, n - 34, 40)),
                        ("own-place", header(2, n - 1, 34, n - 34, 2)),
                        ("last", header(1, n - 1, 34, n, 2))):
        save("gpt", name, gpt(32, n, wrong, bytes(92), array))
    save("gpt", "none", gpt(6, n, first, second, array))


mbr_seeds()
gpt_seeds()
