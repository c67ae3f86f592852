#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the fuzzers of volume managers into corpus/ beside this file."""
import os
import struct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def save(kind, name, data):
    os.makedirs(os.path.join(HERE, kind), exist_ok=True)
    with open(os.path.join(HERE, kind, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# ---- LVM2's text ----

GROUP = """# made by hand
contents = "Text Format Volume Group"
vg {
id = "vvvvvv-vvvv"
seqno = 7
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = 128 # 64 KiB
physical_volumes {
pv0 { id = "AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA" pe_start = 2048 pe_count = 70 }
pv1 { id = "BBBBBB-BBBB-BBBB-BBBB-BBBB-BBBB-BBBBBB" pe_start = 2048 pe_count = 70 }
pv2 { id = "ZZZZZZ-ZZZZ" pe_start = 2048 pe_count = 70 }
}
logical_volumes {
%s
}
}
"""


def lv(name, *segments, visible=True):
    start, body = 0, ""
    for i, (count, rest) in enumerate(segments):
        body += "segment%d { start_extent = %d extent_count = %d %s }\n" % (
            i + 1, start, count, rest)
        start += count
    status = '["READ", "WRITE"%s]' % (', "VISIBLE"' if visible else "")
    return '%s { id = "%s" status = %s segment_count = %d\n%s}\n' % (
        name, name, status, len(segments), body)


def plain(pv, at, more=""):
    return 'type = "striped" stripe_count = 1 stripes = ["%s", %d] %s' % (pv, at, more)


def hidden(*names):
    return "".join(lv(n, (3, plain("pv%d" % (i % 2), 3 * i)), visible=False)
                   for i, n in enumerate(names))


def raid(kind, n, count, key="raids"):
    images = ["r_image_%d" % i for i in range(n)]
    listed = images if key == "raid0_lvs" else [x for i in images for x in ("m_" + i, i)]
    text = ", ".join('"%s"' % x for x in listed)
    return hidden(*images) + lv("r", (count, 'type = "%s" stripe_size = 16 device_count = %d '
                                      '%s = [%s]' % (kind, n, key, text)))


def lvm2_seeds():
    def group(name, text):
        save("lvm2", name, GROUP % text)

    group("linear", lv("a", (2, plain("pv0", 0)), (3, plain("pv1", 5))))
    group("striped", lv("a", (4, 'type = "striped" stripe_count = 2 stripe_size = 16 '
                              'stripes = ["pv0", 0, "pv1", 3]')))
    group("mirror", lv("a", (4, 'type = "mirror" mirror_count = 2 mirrors = ["pv0", 0, "pv1", 3]')))
    group("missing", lv("a", (2, plain("pv0", 0)), (3, plain("pv2", 5))))
    group("zero", lv("a", (2, 'type = "zero"'), (3, 'type = "error"')))
    for kind, n, count in (("raid1", 2, 3), ("raid4", 3, 6), ("raid5_ls", 3, 6), ("raid5_ra", 3, 6),
                           ("raid6_zr", 4, 6), ("raid6_nc", 5, 9), ("raid6_ls_6", 5, 9),
                           ("raid10", 4, 6)):
        group(kind, raid(kind, n, count))
    group("raid0", raid("raid0", 3, 9, "raid0_lvs"))
    group("reshape", raid("raid5_ls", 3, 6).replace("device_count", "data_offset = 5 device_count"))
    group("cache", lv("a", (2, 'type = "cache" origin = "b"')))
    group("unknown", lv("a", (2, 'type = "frob"')))
    group("on-itself", lv("a", (2, plain("a", 0))))
    group("two-on-two", lv("a", (2, plain("b", 0))) + lv("b", (2, plain("a", 0))))
    group("beyond", lv("a", (2, plain("pv0", 69))))
    group("no-segment", lv("a", (2, plain("pv0", 1))).replace("segment1", "segment9"))
    group("gap", lv("a", (2, plain("pv0", 1))).replace("start_extent = 0", "start_extent = 4"))
    group("many", lv("a", (1 << 62, plain("pv0", 1))))
    group("pairs", lv("a", (2, 'type = "striped" stripe_count = 1 stripes = ["pv0"]')))
    group("names", lv("a", (2, 'type = "raid1" raids = [1, 2]')))
    group("thin", hidden("meta", "data") +
          lv("pool", (3, 'type = "thin-pool" metadata = "meta" pool = "data" transaction_id = 1 '
                      'chunk_size = 128')) +
          lv("t", (5, 'type = "thin" thin_pool = "pool" device_id = 1')))
    group("thin-outside", hidden("meta", "data", "o") +
          lv("pool", (3, 'type = "thin-pool" metadata = "meta" pool = "data"')) +
          lv("t", (5, 'type = "thin" thin_pool = "pool" device_id = 1 external_origin = "o"')) +
          lv("u", (5, 'type = "thin" thin_pool = "none" device_id = 1')))
    group("snapshot", lv("o", (3, plain("pv0", 0))) + lv("s", (2, plain("pv1", 0)), visible=False) +
          lv("snapshot0", (3, 'type = "snapshot" chunk_size = 8 origin = "o" cow_store = "s"')))
    save("lvm2", "text", 'a = 1 b = "x\\"y" c = [] d = ["p", 2, [3]] e { f { g = -4 } } # end')
    for i, text in enumerate(('a = "open', "a = [1, 2", "a {", "}", "a = ", "= 3", "a = 1 }",
                              "a = 99999999999999999999", "a { " * 20 + "}" * 20, "",
                              "vg { extent_size = 99999999999 }", "vg { id = 4 }",
                              "vg { extent_size = 8 physical_volumes { p { pe_start = "
                              "18446744073709551615 } } }")):
        save("lvm2", "bad-%d" % i, text)


# ---- labels ----

def label(sector=1, areas=((4096, 32768),), offset=32, n_data=1):
    b = struct.pack("<8sQII8s", b"LABELONE", sector, 0, offset, b"LVM2 001")
    b = b.ljust(offset, b"\0") + b"A" * 31 + b"\x07" + struct.pack("<Q", 65536)
    for _ in range(n_data):
        b += struct.pack("<QQ", 40960, 0)
    b += bytes(16)
    for at, size in areas:
        b += struct.pack("<QQ", at, size)
    return b.ljust(512, b"\0")[:512]


def area(start=4096, size=32768, off=512, n=40, flags=0, version=1, magic=b" LVM2 x[5A%r0N*>"):
    b = struct.pack("<I16sIQQ", 0, magic, version, start, size)
    return (b + struct.pack("<QQII", off, n, 0, flags)).ljust(512, b"\0")


def label_seeds():
    def put(name, lab=None, ar=None, flags=0, sector=1, text=b"vg { extent_size = 8 id = \"x\" }  # "):
        save("lvm2_label", name, bytes([flags, sector]) + (lab or label()) + (ar or area()) +
             text.ljust(300, b" "))

    put("good")
    put("sector3", label(3), sector=3)
    put("nowhere", sector=4)
    put("label-crc", flags=1)
    put("area-crc", flags=2)
    put("text-crc", flags=4)
    put("offset", label(offset=480))
    put("areas", label(areas=((4096, 32768),) * 9))
    put("data", label(n_data=12))
    put("two", label(areas=((8192, 4096), (4096, 32768))))
    put("outside", label(areas=((4096, 1 << 40),)))
    put("no-area", label(areas=()))
    put("magic", ar=area(magic=b"x" * 16))
    put("version", ar=area(version=2))
    put("bigger", ar=area(size=65536))
    put("ignored", ar=area(flags=1))
    put("empty", ar=area(n=0))
    put("far", ar=area(off=40000))
    put("wraps", ar=area(off=32700, n=200), flags=4)


# ---- thin pools ----

def node(leaf, pairs, cap=252, size=8):
    """What lies behind the checksum."""
    keys = b"".join(struct.pack("<Q", k) for k, _ in pairs)
    values = b"".join(struct.pack("<Q", v) for _, v in pairs)
    return struct.pack("<IQIIII", 2 if leaf else 1, 0, len(pairs), cap, size, 0) + \
        keys.ljust(8 * cap, b"\0") + values


def super_block(root=1, block=128, magic=27022010):
    b = struct.pack("<IQ16sQIIQQ", 0, 0, b"", magic, 2, 0, 1, 0) + bytes(256)
    return b + struct.pack("<QQIIQ", root, 0, block, 8, 32)


def thin_seeds():
    def put(name, *blocks, flags=0, device=1):
        body = b"".join(struct.pack("<BH", at, len(b)) + b for at, b in blocks)
        save("lvm2_thin", name, bytes([flags, device]) + body)

    leaf = node(True, [(0, 3 << 24), (1, 4 << 24 | 5), (5, 1 << 24), (70, 15 << 24), (90, 99 << 24)])
    devices = node(True, [(1, 2), (7, 3)])
    put("good", (0, super_block()), (1, devices), (2, leaf))
    put("outside", (0, super_block()), (1, devices), (2, leaf), flags=4)
    put("two-levels", (0, super_block()), (1, devices), (2, node(False, [(0, 4), (64, 5)])),
        (4, leaf), (5, node(True, [(64, 2 << 24), (65, 0)])))
    put("above", (0, super_block()), (1, devices), (2, node(False, [(60, 4)])), (4, leaf))
    put("loop", (0, super_block()), (1, devices), (2, node(False, [(0, 2)])))
    put("no-device", (0, super_block()), (1, devices), (2, leaf), device=3)
    put("bad-sums", (0, super_block()), (1, devices), (2, leaf), flags=1)
    put("bad-place", (0, super_block()), (1, devices), (2, leaf), flags=2)
    put("magic", (0, super_block(magic=5)))
    put("block", (0, super_block(block=100)))
    put("root", (0, super_block(root=1 << 60)))
    put("values", (0, super_block()), (1, node(True, [(1, 2)], size=24)))
    put("cap", (0, super_block()), (1, node(True, [(1, 2)], cap=9)[:20] + b"\xff" * 40))


# ---- snapshots ----

def snapshot_seeds():
    def put(name, pairs, chunk=1, magic=0x70416E53, valid=1, version=1):
        head = struct.pack("<IIII", magic, valid, version, chunk).ljust(chunk * 512, b"\0")
        body = b"".join(struct.pack("<QQ", a, b) for a, b in pairs)
        save("lvm2_snapshot", name, head[:512] + body if chunk == 1 else head + body)

    put("good", [(0, 2), (9, 3), (1, 4), (128, 5)])
    put("chunk8", [(0, 2), (3, 3)], chunk=8)
    put("two-areas", [(i, 2 + i) for i in range(32)] + [(0, 0)] * 32 * 32 + [(70, 40), (71, 41)])
    put("outside", [(0, 200)])
    put("far", [(1 << 60, 2)])
    put("full", [], valid=0)
    put("magic", [], magic=5)
    put("chunk3", [], chunk=3)
    put("huge", [], chunk=1)
    save("lvm2_snapshot", "huge", struct.pack("<IIII", 0x70416E53, 1, 1, 1 << 20))
    save("lvm2_snapshot", "larger", struct.pack("<IIII", 0x70416E53, 1, 1, 1 << 30))


# ---- md ----

def super1(level=5, disks=3, role=0, layout=2, chunk=8, events=10, features=0, size=1024,
           offset=64, data=1024, name=b"host:home"):
    b = struct.pack("<IIII16s32sQiIQII", 0xA92B4EFC, 1, features, 0, b"U" * 16, name, 0, level,
                    layout, size, chunk, disks)
    b = b.ljust(128, b"\0") + struct.pack("<QQQQII", offset, data, 0, 0, role, 0)
    b = b.ljust(200, b"\0") + struct.pack("<QQII", events, 0, 0, 8)
    return b.ljust(256, b"\0") + struct.pack("<8H", *range(7), 0xFFFE)


def super0(level=5, disks=3, role=0, order="<", layout=2, minor=90, state=6):
    w = [0] * 1024
    w[0:9] = [0xA92B4EFC, 0, minor, 0, 0, 0x11111111, 0, level & 0xFFFFFFFF, 512]
    w[9:12] = [disks, disks, 4]
    w[13:16] = [1, 2, 3]
    w[39:41] = [5, 0] if order == "<" else [0, 5]
    w[64:66] = [layout, 4096]
    w[992:997] = [role, 8, role, role, state]
    return struct.pack(order + "1024I", *w)


def md_seeds():
    def put(name, *members):
        body = b"".join(struct.pack("<BH", flags, len(b)) + b for flags, b in members)
        save("md", name, body)

    def array(seed, n, flags=1, **how):
        put(seed, *((flags, super1(disks=n, role=i, **how)) for i in range(n)))

    array("raid5", 3)
    array("raid5-end", 3, flags=2)
    array("raid5-start", 3, flags=0, offset=16)
    array("raid6", 4, level=6)
    array("raid10", 4, level=10, layout=0x102)
    array("raid1", 2, level=1)
    array("raid0", 3, level=0)
    array("no-chunk", 3, level=0, chunk=0)
    array("linear", 2, level=-1)
    array("multipath", 2, level=-4)
    array("level", 2, level=77)
    array("reshape", 3, features=4)
    array("huge", 3, size=1 << 62, data=1 << 62)
    array("size0", 3, size=0)
    array("name", 2, name=b"\xff\xfe/x")
    put("degraded", (1, super1(role=0)), (1, super1(role=2)))
    put("two-missing", (1, super1(role=0)))
    put("stale", (1, super1(role=0)), (1, super1(role=1, events=3)), (1, super1(role=2)))
    put("rebuilding", (1, super1(role=0)), (1, super1(role=1, features=2)), (1, super1(role=2)))
    put("spare", (1, super1(role=0)), (1, super1(role=7)), (1, super1(role=9)), (1, super1(role=2)))
    put("bad-sum", (5, super1()))
    put("bad-place", (9, super1()))
    put("old", *((3, super0(role=i)) for i in range(3)))
    put("old-big", *((3 | 16, super0(role=i, order=">")) for i in range(3)))
    put("old-1", (3, super0(level=1, disks=2)), (3, super0(level=1, disks=2, role=1, state=1)))
    put("old-many", (3, super0(disks=99)))
    put("old-sum", (7, super0()))
    put("old-reshape", (3, super0(minor=91)))


# ---- joined devices ----

def raid_seeds():
    def put(name, way, n, layout=0, chunk=8, missing=0, kib=64, more=0, ask=0):
        save("raid", name, struct.pack("<BBIHHHBBxx", way, n, layout, chunk, missing, kib, more, ask))

    put("linear", 200, 3, more=3)
    put("striped", 201, 3, chunk=5000, ask=200)
    put("striped-0", 201, 3, chunk=0, ask=200)
    put("striped-long", 201, 3, chunk=50000, ask=255)
    put("mirror", 202, 3, missing=1, ask=255)
    put("mirror-none", 202, 3, missing=7, ask=255)
    put("zeros", 203, 1, ask=128)
    put("missing", 203, 1, ask=3)
    put("nothing", 200, 0)
    put("raid0", 0, 3)
    put("raid0-no-chunk", 0, 3, chunk=0, more=2)
    for layout in (0, 1, 2):
        put("raid0-unequal-%d" % layout, 0, 4, layout=layout, more=5)
    put("raid4", 4, 4, missing=2)
    for layout in range(7):
        put("raid5-%d" % layout, 5, 4, layout=layout, missing=1)
    for layout in list(range(6)) + [8, 9, 10, 16, 17, 18, 19, 20, 21]:
        put("raid6-%d" % layout, 6, 5, layout=layout, missing=5)
    put("raid6-pq", 6, 5, layout=5, missing=24)
    put("raid6-q", 6, 5, layout=5, missing=9)
    put("raid6-p", 6, 5, layout=5, missing=17)
    put("raid6-3", 6, 5, layout=5, missing=7)
    for name, layout in (("n2", 0x102), ("n3", 0x103), ("f2", 0x201), ("o2", 0x10201), ("n2f2", 0x202)):
        put("raid10-" + name, 10, 5, layout=layout, missing=1)
    put("raid10-lost", 10, 4, layout=0x102, missing=3)
    put("raid10-bad", 10, 4, layout=0x909)
    put("raid10-none", 10, 4, layout=0)
    put("asked", 5, 4, ask=255)
    put("level", 113, 4, chunk=8, kib=64)


lvm2_seeds()
label_seeds()
thin_seeds()
snapshot_seeds()
md_seeds()
raid_seeds()
