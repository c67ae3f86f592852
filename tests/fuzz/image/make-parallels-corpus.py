#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the Parallels fuzzers: small images, sound and broken."""
import hashlib
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
IN_USE, CLOSED = 0x746F6E59, 0x312E3276
BITMAP = 0x20385FAE252CB34A


def put(kind, name, data):
    os.makedirs(os.path.join(HERE, kind), exist_ok=True)
    with open(os.path.join(HERE, kind, name), "wb") as f:
        f.write(data)


def bitmap(size, granularity, table, n_table=None, flags=0, magic=BITMAP):
    data = struct.pack("<Q16sII", size // 512, b"bitmap id bitmap", granularity,
                       len(table) if n_table is None else n_table)
    data += struct.pack("<%dQ" % len(table), *table)
    return struct.pack("<QQII", magic, flags, len(data), 0) + data + bytes(-len(data) % 8)


def extension(features, cluster, magic=0xAB234CEF23DCEA87):
    data = b"".join(features)
    if len(data) + 48 <= cluster:
        data += bytes(24)
    data = data[:cluster - 24].ljust(cluster - 24, b"\0")
    return struct.pack("<Q", magic) + hashlib.md5(data).digest() + data


def image(size, entries, sectors=1, wide=True, n_bat=None, data_at=None, in_use=0, flags=0,
          ext_at=0, version=2, clusters=(), n_sectors=None, odd=False):
    """`clusters`: (place, bytes) of what is not an entry's."""
    cluster = sectors * 512
    end = 64 + 4 * len(entries)
    unit = cluster if wide else 512
    first = -(-end // unit) * unit if data_at in (None, 0) else data_at * 512
    out = struct.pack("<16sIIIIIQIIIQ", b"WithouFreSpacExt" if wide else b"WithoutFreeSpace",
                      version, 16, 1, sectors, len(entries) if n_bat is None else n_bat,
                      size // 512 if n_sectors is None else n_sectors, in_use,
                      first // 512 if data_at is None else data_at, flags, ext_at)
    out += struct.pack("<%dI" % len(entries), *entries)
    for entry in sorted(e for e in entries if e and e * unit < 65536):
        out = out.ljust(entry * unit, b"\0") + b"data" * (cluster // 4)
    for place, data in clusters:
        out = out.ljust(place * 512, b"\0")[:place * 512] + data
    return out + bytes((len(out) + odd) % 2)


P = "parallels"
put(P, "empty", image(4096, [0] * 8))
put(P, "sound", image(4096, [2, 0, 1, 0, 0, 3, 0, 0]))
put(P, "narrow", image(4096, [2, 0, 1, 0, 0, 3, 0, 0], wide=False))
put(P, "narrow-old", image(7 * 512 + 512, [5, 1], sectors=4, wide=False, data_at=0))
put(P, "odd-clusters", image(63 * 512 * 2 + 512, [1, 0, 64], sectors=63, wide=False, data_at=0))
put(P, "large-clusters", image(1 << 20, [0, 1], sectors=1024))
put(P, "in-use", image(4096, [2, 0, 1, 0, 0, 3, 0, 0], in_use=IN_USE))
put(P, "said-to-be-empty", image(4096, [0] * 8, flags=1))
put(P, "empty-with-data", image(4096, [1] + [0] * 7, flags=1))
put(P, "twice", image(4096, [1, 1, 0, 0, 0, 0, 0, 0]))
put(P, "beyond", image(4096, [1, 1 << 31, 0, 0, 0, 0, 0, 0]))
put(P, "in-bat", image(512 * 200, [1] + [0] * 199, wide=False))
put(P, "unaligned", image(4096 * 2, [3, 0], sectors=8, wide=False, data_at=1))
put(P, "data-in-bat", image(512 * 200, [0] * 200, data_at=1))
put(P, "data-beyond", image(4096, [0] * 8, data_at=1 << 31))
put(P, "few-entries", image(4096, [0] * 8, n_sectors=9))
put(P, "many-entries", image(4096, [0] * 8, n_bat=1 << 31))
put(P, "more-entries", image(2048, [1, 0, 0, 0, 7, 7, 7]))
put(P, "2-to-63", image(4096, [0] * 8, n_sectors=1 << 54))
put(P, "no-sectors", image(4096, [0] * 8, n_sectors=0))
put(P, "narrow-high-half", image(4096, [0] * 8, wide=False, n_sectors=8 | 1 << 40))
put(P, "no-cluster-size", image(4096, [0] * 8)[:28] + bytes(4) + image(4096, [0] * 8)[32:])
put(P, "version-3", image(4096, [0] * 8, version=3))
put(P, "short", b"WithoutFreeSpace")
# a larger BAT is in the way of clusters, of the extension, of a bitmap
dense = [2, 1] + [0] * 110
put(P, "dense", image(512 * 112, dense))
for name, in_use in (("kept", CLOSED), ("stale", IN_USE), ("old", 0)):
    put(P, "bitmap-" + name, image(512 * 112, [3, 4] + [0] * 110, in_use=in_use, ext_at=1,
        clusters=[(1, extension([bitmap(512 * 112, 1, [2])], 512)), (2, b"\x0f" * 512)]))
put(P, "bitmap-none-set", image(512 * 112, [3, 4] + [0] * 110, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(512 * 112, 1, [0])], 512))]))
put(P, "bitmaps-all-set", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, clusters=[
    (1, extension([bitmap(4096, 1, [1]), bitmap(4096, 2, [0])], 512))]))
put(P, "bitmap-twice", image(4096, [2] + [0] * 7, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(4096, 1, [2])], 512))]))
put(P, "bitmap-beyond", image(4096, [0] * 8, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(4096, 1, [1 << 60])], 512))]))
put(P, "bitmap-of-another-size", image(4096, [0] * 8, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(8192, 1, [0])], 512))]))
put(P, "bitmap-granularity-3", image(4096, [0] * 8, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(4096, 3, [0])], 512))]))
put(P, "bitmap-table", image(4096, [0] * 8, in_use=CLOSED, ext_at=1,
    clusters=[(1, extension([bitmap(4096, 1, [0], n_table=2)], 512))]))
put(P, "bitmap-short", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, clusters=[
    (1, extension([struct.pack("<QQII", BITMAP, 0, 8, 0) + bytes(8)], 512))]))
for name, flags in (("drop", 0), ("necessary", 1), ("transit", 2)):
    put(P, "unknown-" + name, image(4096, [2] + [0] * 7, in_use=CLOSED, ext_at=1, clusters=[
        (1, extension([bitmap(4096, 1, [0], magic=7, flags=flags),
                       bitmap(4096, 1, [3])], 512)), (3, bytes(512))]))
put(P, "feature-too-long", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, clusters=[
    (1, extension([struct.pack("<QQII", 7, 0, 1 << 31, 0)], 512))]))
put(P, "features-without-end", image(4096 * 4, [0] * 4, sectors=8, in_use=CLOSED, ext_at=8,
    clusters=[(8, extension([struct.pack("<QQII", 7, 2, 0, 0)] * 160, 4096))]))
put(P, "no-room-for-end", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, clusters=[
    (1, extension([struct.pack("<QQII", 7, 2, 0, 0)] * 20, 512))]))
put(P, "wrong-sum", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, odd=True, clusters=[
    (1, extension([], 512)[:8] + bytes(504))]))
put(P, "wrong-magic", image(4096, [0] * 8, in_use=CLOSED, ext_at=1, clusters=[
    (1, extension([], 512, magic=1))]))
put(P, "extension-beyond", image(4096, [0] * 8, in_use=CLOSED, ext_at=1 << 62))

# ---- descriptors ----

D = "parallels_desc"
TOP = "{5fbaabe3-6958-40ff-92a7-860e329aab41}"
NULL = "{00000000-0000-0000-0000-000000000000}"
BASE = "{11111111-2222-4333-8444-555555555555}"
MID = "{22222222-2222-4333-8444-555555555555}"


def element(name, *content):
    return "<%s>%s</%s>" % (name, "".join(map(str, content)), name)


def parameters(size=4096, **more):
    known = {"Disk_size": size, "Cylinders": 8, "PhysicalSectorSize": 4096,
             "LogicSectorSize": 512, "Heads": 16, "Sectors": 32, "Padding": 0,
             "Encryption": element("Engine", NULL), "UID": BASE, "Name": "disk"}
    return element("Disk_Parameters", *(element(k, v) for k, v in {**known, **more}.items()))


def picture(guid, kind="Compressed", file="a.hds"):
    return element("Image", element("GUID", guid), element("Type", kind),
                   element("File", file))


def storage(start, end, *images):
    return element("Storage", element("Start", start), element("End", end),
                   element("Blocksize", 2048), *images)


def shot(guid, parent=NULL):
    return element("Shot", element("GUID", guid), element("ParentGUID", parent))


def desc(storages=storage(0, 4096, picture(TOP)), shots=shot(TOP), head=None,
         start="<?xml version='1.0' encoding='UTF-8'?>\n", version="1.0"):
    return (start + '<Parallels_disk_image Version="%s">' % version +
            (parameters() if head is None else head) + element("StorageData", storages) +
            element("Snapshots", shots) + "</Parallels_disk_image>\n")


def text(name, content, encoding="utf-8"):
    put(D, name, content.encode(encoding))


text("simple", desc())
text("no-declaration", desc(start=""))
text("comment", desc(start="<!-- <Parallels_disk_image> -->"))
text("instruction", desc(start="<?a b?>"))
text("cdata", desc(storage(0, 4096, picture(TOP, file="<![CDATA[a & b.hds]]>"))))
text("escaped-name", desc(storage(0, 4096, picture(TOP, file="a &amp; b &lt;&#233;&gt;.hds"))))
text("control-in-name", desc(storage(0, 4096, picture(TOP, file="a&#9;b&#10;c"))))
text("utf-16", desc(start="<?xml version='1.0' encoding='UTF-16'?>"), "utf-16")
text("latin-1", desc(storage(0, 4096, picture(TOP, file="\xe9.hds")),
    start="<?xml version='1.0' encoding='ISO-8859-1'?>"), "latin-1")
text("koi8", desc(start="<?xml version='1.0' encoding='KOI8-R'?>"))
text("chain", desc(storage(0, 4096, picture(BASE, "Plain"), picture(MID), picture(TOP)),
    shot(TOP, MID) + shot(MID, BASE) + shot(BASE)))
text("split", desc(storage(2048, 4096, picture(TOP)) + storage(0, 2048, picture(TOP))))
text("top", desc(storage(0, 4096, picture(TOP), picture(MID)),
    element("TopGUID", MID) + shot(TOP) + shot(MID, TOP)))
text("top-missing", desc(shots=element("TopGUID", MID) + shot(TOP)))
text("no-shots", desc(storage(0, 4096, picture(MID)), ""))
text("no-shots-two-images", desc(storage(0, 4096, picture(MID), picture(TOP)), ""))
text("no-storages", desc(""))
text("no-images", desc(storage(0, 4096)))
text("loop", desc(storage(0, 4096, picture(TOP), picture(MID)),
    shot(TOP, MID) + shot(MID, TOP)))
text("twice", desc(shots=shot(TOP) + shot(TOP)))
text("no-parent", desc(shots=shot(TOP, MID)))
text("no-image", desc(shots=shot(TOP) + shot(MID)))
text("gap", desc(storage(1024, 4096, picture(TOP))))
text("backwards", desc(storage(0, 0, picture(TOP))))
text("past-end", desc(storage(0, 8192, picture(TOP))))
text("large", desc(storage(0, 1 << 52, picture(TOP)), head=parameters(1 << 52)))
text("larger", desc(storage(0, 1 << 54, picture(TOP)), head=parameters(1 << 54)))
text("too-large", desc(head=parameters(1 << 64)))
text("no-number", desc(head=parameters("many")))
text("empty-number", desc(head=parameters("")))
text("odd-geometry", desc(storage(0, 4097, picture(TOP)), head=parameters(4097)))
text("padding", desc(head=parameters(Padding=1)))
text("sectors-4096", desc(head=parameters(LogicSectorSize=4096)))
text("encrypted", desc(head=parameters(Encryption=element("Engine", BASE))))
text("empty-engine", desc(head=parameters(Encryption="<Engine/>")))
text("empty-uid", desc(head=parameters(UID="")))
text("no-head", desc(head=""))
text("kind", desc(storage(0, 4096, picture(TOP, kind="Packed"))))
text("no-file", desc(storage(0, 4096, picture(TOP, file=""))))
text("no-guid", desc(shots=shot("{}")))
text("version-2", desc(version="2.0"))
text("other-root", "<a/>")
text("entities", desc(start='<!DOCTYPE a [<!ENTITY b "cc">]>'))
text("external", desc(start='<!DOCTYPE a SYSTEM "file:///etc/passwd">'))
text("deep", desc(head="<a>" * 20 + "</a>" * 20))
text("long-names", desc(head="".join("<%s>" % (c * 210) for c in "abc") +
    "".join("</%s>" % (c * 210) for c in "cba")))
text("long-text", desc(head=parameters(Name="x" * 5000)))
text("unfinished", desc()[:-30])
text("attributes", desc(start="<?xml version='1.0'?>").replace(
    "<StorageData>", '<StorageData a="b" c=\'d\'>'))
