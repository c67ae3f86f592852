#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the VHDX fuzzers into corpus/ beside this script.

What each seed is about stands in its name; the bad ones are wrong in one place only. Checksums
are left out: the harness puts them in.
"""
import os
import struct
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
BAT = "2dc27766-f623-4200-9d64-115e9bfd4a08"
METADATA = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
FILE = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
DISK_ID = "beca12ab-b2e6-4523-93ef-c309e000c746"
SECTOR = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
PHYSICAL = "cda348c7-445d-4471-9cc9-e9885251c556"
PARENT = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
LOCATOR = "b04aefb7-d19e-4a81-b789-25b8e9445913"
LOG = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa"
NIL = "00000000-0000-0000-0000-000000000000"
LINK = "11111111-2222-3333-4444-555555555555"


def guid(text):
    return uuid.UUID(text).bytes_le


def save(fuzzer, name, content):
    folder = os.path.join(HERE, "corpus", fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def header(sequence=1, log=NIL, log_size=MIB, log_at=MIB, version=1, log_version=0):
    return (b"head" + bytes(4) + struct.pack("<Q", sequence) + guid(LINK) + guid(LINK) + guid(log) +
            struct.pack("<HHIQ", log_version, version, log_size, log_at))


def regions(*entries):
    return b"regi" + bytes(4) + struct.pack("<II", len(entries), 0) + b"".join(
        guid(i) + struct.pack("<QII", at, length, required) for i, at, length, required in entries)


USUAL = ((BAT, 3 * MIB, MIB, 1), (METADATA, 2 * MIB, MIB, 1))


def items(*entries):
    """(id, content, flags): the table, and the items behind it."""
    table = b"metadata" + struct.pack("<HH", 0, len(entries)) + bytes(20)
    content = b""
    for i, bytes_, flags in entries:
        at = 65536 + len(content) if bytes_ else 0
        table += guid(i) + struct.pack("<IIII", at, len(bytes_), flags, 0)
        content += bytes_
    return table, content


def locator(**pairs):
    head = 20 + 12 * len(pairs)
    entries = texts = b""
    for key, value in pairs.items():
        k, v = key.encode("utf-16le"), value.encode("utf-16le")
        at = head + len(texts)
        entries += struct.pack("<IIHH", at, at + len(k), len(k), len(v))
        texts += k + v
    return guid(LOCATOR) + struct.pack("<HH", 0, len(pairs)) + entries + texts


def params(size=20 * MIB, block=MIB, sector=512, flags=0, parent=b"", more=()):
    list_ = [(FILE, struct.pack("<II", block, flags), 4), (SIZE, struct.pack("<Q", size), 6),
             (SECTOR, struct.pack("<I", sector), 6), (PHYSICAL, struct.pack("<I", 4096), 6),
             (DISK_ID, guid(LINK), 6)]
    if parent:
        list_.append((PARENT, parent, 4))
    return list_ + list(more)


def entry(state, mib=0):
    return struct.pack("<Q", mib << 20 | state)


class Image:
    def __init__(self, mib, sums=True):
        self.head = struct.pack(">H", mib * 16 | (0 if sums else 0x8000))
        self.pieces = b""

    def put(self, at, content):
        assert at % 512 == 0
        self.pieces += struct.pack(">HH", at // 512, len(content)) + content
        return self

    def save(self, name):
        save("vhdx", name, self.head + self.pieces + bytes(range(1, 9)))


def image(mib=8, meta=None, bat=b"", head=(), table=None, sums=True):
    i = Image(mib, sums)
    i.put(0, b"vhdxfile")
    first = dict(head)
    i.put(65536, header(**first))
    i.put(131072, header(**{**first, "sequence": first.get("sequence", 1) + 1}))
    table = table or regions(*USUAL)
    i.put(196608, table).put(262144, table)
    list_, content = items(*(meta or params()))
    i.put(2 * MIB, list_).put(2 * MIB + 65536, content)
    return i.put(3 * MIB, bat)


def desc(at, content, sequence):
    return b"desc" + content[-4:] + content[:8] + struct.pack("<QQ", at, sequence)


def zero(at, length, sequence):
    return b"zero" + bytes(4) + struct.pack("<QQQ", length, at, sequence)


def data(content, sequence):
    return (b"data" + struct.pack("<I", sequence >> 32) + content[8:-4] +
            struct.pack("<I", sequence & 0xffffffff))


def log_entry(sequence, tail, descriptors, pages, flushed=4 * MIB, last=8 * MIB, log=LOG):
    length = 4096 * (1 + len(pages))
    head = (b"loge" + bytes(4) + struct.pack("<II", length, tail) + struct.pack("<QII", sequence,
            len(descriptors), 0) + guid(log) + struct.pack("<QQ", flushed, last))
    return (head + b"".join(descriptors)).ljust(4096, b"\0") + b"".join(pages)


def page(*entries):
    return b"".join(entries).ljust(4096, b"\0")


def images():
    image().save("empty")
    image(bat=entry(6, 4) + entry(2) + entry(1) + entry(3) + entry(6, 5) + entry(6, 6)).save("states")
    image(bat=entry(6, 4) + entry(6, 5) + entry(6, 7), meta=params(size=3 * MIB, flags=1)).save("fixed")
    image(meta=params(size=12 * MIB, sector=4096, block=2 * MIB), bat=entry(6, 4) + entry(6, 6)).save(
        "sectors-of-4096")
    image(meta=params(size=64 << 40, block=256 * MIB)).save("bad-table-too-small")
    image(meta=params(size=8 << 30, block=256 * MIB), bat=entry(0)).save("large-blocks")
    parent = locator(parent_linkage="{%s}" % LINK, relative_path=".\\base.vhdx",
                     absolute_win32_path="C:\\base.vhdx")
    child = image(meta=params(flags=2, parent=parent),
                  bat=entry(7, 5) + entry(0) + entry(2) + entry(6, 6))
    child.put(3 * MIB + 4096 * 8, bytes(8)).save("child-bitmap-missing")
    child = image(mib=10, meta=params(flags=2, parent=parent, block=256 * MIB, size=MIB),
                  bat=entry(0) + bytes(15 * 8) + entry(6, 4))
    child.put(4 * MIB, bytes([0x0f, 0xff])).save("child-of-large-blocks")
    small = params(flags=2, parent=parent, block=MIB)
    child = image(mib=9, meta=small, bat=entry(7, 5) + entry(7, 6) + entry(0) + entry(2) + entry(6, 7))
    child.put(3 * MIB + 4096 * 8, entry(6, 4)).put(4 * MIB, bytes([0xf0, 0x0f, 0xff, 1])).save("child")
    bat = page(entry(6, 4), entry(6, 5))
    log = dict(head={"log": LOG})
    one = log_entry(7, 0, [desc(3 * MIB, bat, 7)], [data(bat, 7)])
    image(**log).put(MIB, one).save("log-one-entry")
    two = log_entry(8, 0, [zero(3 * MIB, 4096, 8), desc(3 * MIB + 4096, bat, 8)], [data(bat, 8)])
    image(**log).put(MIB, one + two).save("log-two-entries")
    wrap = log_entry(7, MIB - 4096, [desc(3 * MIB, bat, 7)], [data(bat, 7)])
    image(**log).put(2 * MIB - 4096, wrap[:4096]).put(MIB, wrap[4096:]).save("log-round-the-end")
    image(**log).put(MIB, one[:4096]).save("log-torn")
    image(**log).save("log-without-entry")
    image(**log).put(MIB, log_entry(7, 8192, [desc(3 * MIB, bat, 7)], [data(bat, 7)])).save(
        "log-bad-tail")
    image(**log).put(MIB, log_entry(7, 0, [desc(65536, bat, 7)], [data(bat, 7)])).save(
        "log-bad-over-header")
    image(**log).put(MIB, log_entry(7, 0, [desc(3 * MIB, bat, 6)], [data(bat, 7)])).save(
        "log-bad-descriptor")
    image(**log).put(MIB, log_entry(7, 0, [desc(3 * MIB, bat, 7)] * 2, [data(bat, 7)])).save(
        "log-bad-count")
    image(**log).put(MIB, log_entry(7, 0, [zero(3 * MIB, 100 << 40, 7)], [])).save("log-bad-zeros")
    image(**log).put(MIB, log_entry(7, 0, [], [], flushed=100 * MIB)).save("log-bad-file-cut-short")
    image(**log).put(MIB, log_entry(7, 0, [], [], last=20 * MIB)).save("log-file-grows")
    image(head={"log": LOG, "log_version": 1}).save("bad-log-version")
    image(head={"version": 2}).save("bad-version")
    image(head={"log_size": 0}).save("no-log")
    image(sums=False).save("bad-sums")
    image(bat=entry(6, 4) + entry(6, 4)).save("bad-blocks-on-each-other")
    image(bat=entry(6, 3) + entry(6, 7000) + entry(5) + entry(7, 4) + entry(6, 8)).save("bad-entries")
    image(meta=params(more=[(LOG, b"mine", 1), (NIL, b"", 0)])).save("user-item")
    image(meta=params(more=[(LOG, b"mine", 5)])).save("bad-required-item")
    image(table=regions(*USUAL, (LOG, 4 * MIB, MIB, 0))).save("other-region")
    image(table=regions(*USUAL, (LOG, 4 * MIB, MIB, 1))).save("bad-required-region")
    image(table=regions((BAT, 3 * MIB, MIB, 1), (METADATA, MIB, MIB, 1))).save("bad-region-on-log")
    image(table=regions((BAT, 7 * MIB, 2 * MIB, 1), (METADATA, 2 * MIB, MIB, 1))).save(
        "bad-region-beyond-the-end")
    image(meta=params(flags=2)).save("bad-no-locator")
    image(meta=params(size=512 * 3, sector=4096)).save("bad-size")
    image(meta=params(size=2 * MIB)[1:]).save("bad-no-file-parameters")


def parsers():
    def one(number, name, content):
        save("vhdx_parse", name, bytes([number]) + content)

    one(0, "header", header())
    one(0, "header-bad-log", header(log_at=4096))
    one(0, "header-bad-version", header(version=3))
    one(1, "regions", regions(*USUAL, (LOG, 4 * MIB, MIB, 0)))
    one(1, "regions-bad-twice", regions(*USUAL, USUAL[0]))
    one(1, "regions-bad-required", regions(*USUAL, (LOG, 4 * MIB, MIB, 1)))
    one(1, "regions-bad-none", regions(USUAL[0]))
    one(1, "regions-bad-place", regions((BAT, 3 * MIB + 1, MIB, 1)))
    one(1, "regions-bad-count", b"regi" + bytes(4) + struct.pack("<I", 5000))
    one(2, "items", items(*params(parent=locator(parent_linkage="{%s}" % LINK)))[0])
    one(2, "items-user", items(*params(more=[(LOG, b"x", 1), (LOG, b"", 0)]))[0])
    one(2, "items-bad-required", items(*params(more=[(LOG, b"x", 4)]))[0])
    one(2, "items-bad-twice", items(*params(), params()[0])[0])
    one(2, "items-bad-length", items((FILE, b"123", 4))[0])
    one(2, "items-bad-place", b"metadata" + struct.pack("<HH", 0, 1) + bytes(20) + guid(FILE) +
        struct.pack("<III", 100, 8, 4))
    one(2, "items-bad-overlap", b"metadata" + struct.pack("<HH", 0, 2) + bytes(20) + guid(LOG) +
        struct.pack("<IIII", 65536, 8, 0, 0) + guid(FILE) + struct.pack("<IIII", 65540, 8, 4, 0))
    for name, values in {"dynamic": (32 * MIB, 0, 10 << 30, 512), "child": (2 * MIB, 2, 64 << 40, 512),
                         "native": (256 * MIB, 0, 64 << 40, 4096), "bad-block": (3 * MIB, 0, MIB, 512),
                         "bad-sector": (MIB, 0, MIB, 1024), "bad-size": (MIB, 0, 65 << 40, 512),
                         "bad-odd-size": (MIB, 0, MIB + 512, 4096)}.items():
        block, flags, size, sector = values
        one(3, "params-" + name, struct.pack("<IIQ", block, flags, size) + guid(LINK) +
            struct.pack("<IIII", sector, 0, 4096, 0))
    full = dict(parent_linkage="{%s}" % LINK, parent_linkage2="{%s}" % NIL.upper(),
                relative_path="..\\a.vhdx", volume_path="\\\\?\\Volume{1}\\a.vhdx",
                absolute_win32_path="C:\\a.vhdx", other="x")
    one(4, "locator", locator(**full))
    one(4, "locator-bad-guid", locator(parent_linkage="{nothing}"))
    one(4, "locator-bad-no-linkage", locator(relative_path="a.vhdx"))
    one(4, "locator-bad-type", bytes(20))
    one(4, "locator-bad-count", guid(LOCATOR) + struct.pack("<HH", 0, 999))
    one(4, "locator-bad-offset", guid(LOCATOR) + struct.pack("<HHIIHH", 0, 1, 4000, 4000, 10, 10))
    bat = page(entry(6, 4))
    whole = log_entry(7, 0, [desc(3 * MIB, bat, 7)], [])[:4096]
    one(5, "log-entry", whole[:96])
    one(5, "log-entry-long", whole[:8] + struct.pack("<I", 8192) + whole[12:96])
    one(5, "log-zeros", whole[:64] + zero(MIB, 8192, 7))
    one(5, "log-bad-zeros", whole[:64] + zero(MIB, 7, 7))
    one(5, "log-bad-sequence", whole[:64] + zero(MIB, 8192, 9))
    one(5, "log-bad-kind", whole[:64] + b"what" + bytes(28))
    one(5, "log-bad-length", whole[:8] + struct.pack("<I", 77) + whole[12:96])
    one(5, "log-bad-tail", whole[:12] + struct.pack("<I", 77) + whole[16:96])
    one(5, "log-bad-number", whole[:16] + bytes(8) + whole[24:96])
    one(5, "log-bad-descriptors", whole[:24] + struct.pack("<I", 5000) + whole[28:96])
    one(5, "log-bad-size", whole[:48] + b"\xff" * 16)
    one(6, "guid", ("{%s}" % BAT).encode())
    one(6, "guid-bare", BAT.upper().encode())


images()
parsers()
