#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an NTFS image broken or odd in one chosen way. Knows nothing of sharevm's own code.

usage: ntfs_twin.py IMAGE WHAT [ARGUMENT...]

  oem TEXT                the boot sector's OEM id
  sectors NUMBER          the boot sector's number of sectors
  no-backup               zeros over the backup boot sector
  middle-backup           NTFS 1.2's backup boot sector in the middle, marked used
  flags NUMBER            of $Volume, in $MFTMirr too
  version MAJOR MINOR     of $Volume, in $MFTMirr too
  mirror RECORD           one byte of a record in $MFTMirr
  mark CLUSTER 0|1        one bit of $Bitmap
  bad CLUSTER             an entry of $BadClus:$Bad
  log KIND                $LogFile: clean closed unclean cached torn none chkdsk
  twice RECORD            the file's first cluster becomes that of $MFTMirr
  resident-bitmap         $Bitmap's data moves into its MFT record
  split-bitmap [WHAT]     $Bitmap's data in two records, with a resident attribute list; its
                          name in the second one too ("name"); the list in a cluster of its
                          own ("mapped", "mapped-name")
  scramble RECORD         breaks the record's update sequence
  magic RECORD            overwrites the record's signature
  data PATTERN            changes one byte where the file data PATTERN begins
  free-cluster            prints a cluster that is marked free
"""
import struct
import sys

MFT, MIRROR, LOG, VOLUME, BITMAP, BADCLUS = 0, 1, 2, 3, 6, 8
DATA, VOLUME_INFO, STRIDE, HOLE = 0x80, 0x70, 512, None


def u16(b, at):
    return struct.unpack_from("<H", b, at)[0]


def u32(b, at):
    return struct.unpack_from("<I", b, at)[0]


def u64(b, at):
    return struct.unpack_from("<Q", b, at)[0]


def power(n, unit):
    return n * unit if n < 128 else 1 << 256 - n


def unprotect(b):
    usa = u16(b, 4)
    for i in range(1, len(b) // STRIDE + 1):
        b[i * STRIDE - 2:i * STRIDE] = b[usa + 2 * i:usa + 2 * i + 2]
    return b


def protect(b):
    usa = u16(b, 4)
    for i in range(1, len(b) // STRIDE + 1):
        b[usa + 2 * i:usa + 2 * i + 2] = b[i * STRIDE - 2:i * STRIDE]
        b[i * STRIDE - 2:i * STRIDE] = b[usa:usa + 2]
    return b


def unpack_runs(b):
    runs, at, lcn = [], 0, 0
    while at < len(b) and b[at]:
        n, m = b[at] & 15, b[at] >> 4
        length = int.from_bytes(b[at + 1:at + 1 + n], "little")
        place = HOLE
        if m:
            lcn += int.from_bytes(b[at + 1 + n:at + 1 + n + m], "little", signed=True)
            place = lcn
        runs.append((place, length))
        at += 1 + n + m
    return runs


def pack_runs(runs):
    def shortest(n):
        for size in range(1, 9):
            if -(1 << 8 * size - 1) <= n < 1 << 8 * size - 1:
                return n.to_bytes(size, "little", signed=True)
        raise ValueError(n)
    out, lcn = b"", 0
    for place, length in runs:
        size, step = shortest(length), b"" if place is HOLE else shortest(place - lcn)
        lcn = lcn if place is HOLE else place
        out += bytes([len(size) | len(step) << 4]) + size + step
    return out + b"\0"


class Volume:
    def __init__(self, path):
        self.f = open(path, "r+b")
        boot = self.read(0, 512)
        self.sector = u16(boot, 0x0B)
        spc = boot[0x0D]
        self.cluster = self.sector * (spc if spc <= 128 else 1 << 256 - spc)
        self.sectors, self.mft, self.mirror = struct.unpack_from("<QQQ", boot, 0x28)
        self.clusters = self.sectors * self.sector // self.cluster
        self.record_size = power(boot[0x40], self.cluster)
        self.mft_runs = [(self.mft, 16 * self.record_size // self.cluster + 1)]
        self.mft_runs = self.runs(MFT)

    def read(self, at, n):
        self.f.seek(at)
        return bytearray(self.f.read(n))

    def write(self, at, data):
        self.f.seek(at)
        self.f.write(data)

    def place(self, runs, at):
        """Where byte `at` of a stream lies."""
        for lcn, length in runs:
            if at < length * self.cluster:
                return lcn * self.cluster + at
            at -= length * self.cluster
        raise ValueError("beyond the stream")

    def record(self, number):
        at = self.place(self.mft_runs, number * self.record_size)
        return unprotect(self.read(at, self.record_size))

    def write_record(self, number, record):
        data = protect(bytearray(record))
        self.write(self.place(self.mft_runs, number * self.record_size), data)
        if number < max(4, self.cluster // self.record_size):
            self.write(self.mirror * self.cluster + number * self.record_size, data)

    def attr(self, record, kind, name=""):
        at = u16(record, 0x14)
        while u32(record, at) != 0xFFFFFFFF:
            found = record[at + u16(record, at + 10):][:2 * record[at + 9]].decode("utf-16le")
            if u32(record, at) == kind and found == name:
                return at
            at += u32(record, at + 4)
        raise KeyError(kind)

    def runs(self, number, name=""):
        record = self.record(number)
        at = self.attr(record, DATA, name)
        return unpack_runs(record[at + u16(record, at + 32):at + u32(record, at + 4)])

    def replace_attr(self, record, at, attr):
        attr = bytearray(attr) + bytes(-len(attr) % 8)
        if attr:
            struct.pack_into("<I", attr, 4, len(attr))
        used, rest = u32(record, 0x18), at + u32(record, at + 4)
        body = record[:at] + attr + record[rest:used]
        assert len(body) <= self.record_size
        struct.pack_into("<I", body, 0x18, len(body))
        return body + bytes(self.record_size - len(body))

    def value(self, number, kind, change):
        """Changes the value of a resident attribute."""
        record = self.record(number)
        at = self.attr(record, kind)
        change(record, at + u16(record, at + 20))
        self.write_record(number, record)

    def bit(self, cluster):
        at = self.place(self.runs(BITMAP), cluster // 8)
        return at, self.read(at, 1)[0], 1 << cluster % 8

    def mark(self, cluster, used):
        at, byte, mask = self.bit(cluster)
        self.write(at, bytes([byte | mask if used else byte & ~mask]))

    def free_cluster(self):
        for cluster in range(self.clusters - 1, 0, -1):
            _, byte, mask = self.bit(cluster)
            if not byte & mask:
                return cluster
        raise ValueError("the volume is full")


def restart_page(kind, lsn, page=4096):
    """A restart page as Windows writes it, open unless `kind` says otherwise."""
    b = bytearray(page)
    strides = page // STRIDE
    area, clients, size = 0x58, 0x40, 2 << 20
    version = (0, 2) if kind == "cached" else (1, 1)
    struct.pack_into("<4sHHQIIHHH", b, 0, b"CHKD" if kind == "chkdsk" else b"RSTR", 0x1E,
                     strides + 1, lsn if kind == "chkdsk" else 0, page, page, area, *version)
    struct.pack_into("<H", b, 0x1E, 7)
    used = 0xFFFF if kind in ("closed", "chkdsk") else 0
    flags = 2 if kind in ("clean", "cached") else 0
    struct.pack_into("<QHHHHIHHQIHH", b, area, lsn, 1, 0xFFFF if used == 0 else 0, used, flags,
                     67 - size.bit_length(), clients + 160, clients, size, 0, 0x30, 0x40)
    struct.pack_into("<QQHHH", b, area + clients, lsn, lsn, 0xFFFF, 0xFFFF, 0)
    struct.pack_into("<I8s", b, area + clients + 28, 8, "NTFS".encode("utf-16le"))
    return protect(b)


def make_log(v, kind):
    at = v.place(v.runs(LOG), 0)
    if kind == "none":
        return v.write(at, bytes(128 << 10))
    v.write(at, b"".join(restart_page("clean" if kind == "torn" else kind, n) for n in (5, 6)))
    if kind == "torn":
        v.write(at + STRIDE - 2, b"??")
        v.write(at + 4096 + STRIDE - 2, b"??")
    return v.write(at + 8192, b"RCRD" + bytes(508))


def make_bad(v, cluster):
    record = v.record(BADCLUS)
    at = v.attr(record, DATA, "$Bad")
    head = record[at:at + u16(record, at + 32)]
    runs = [(HOLE, cluster), (cluster, 1)]
    if cluster + 1 < v.clusters:
        runs.append((HOLE, v.clusters - cluster - 1))
    v.write_record(BADCLUS, v.replace_attr(record, at, head + pack_runs(runs)))
    v.mark(cluster, True)


def claim_twice(v, number):
    record = v.record(number)
    at = v.attr(record, DATA)
    head = record[at:at + u16(record, at + 32)]
    runs = v.runs(number)
    for cluster in range(runs[0][0], runs[0][0] + runs[0][1]):
        v.mark(cluster, False)
    runs[0] = (v.mirror, 1)
    v.write_record(number, v.replace_attr(record, at, head + pack_runs(runs)))


def make_resident(v):
    record = v.record(BITMAP)
    at = v.attr(record, DATA)
    size, runs = u64(record, at + 48), v.runs(BITMAP)
    for lcn, length in runs:
        for cluster in range(lcn, lcn + length):
            v.mark(cluster, False)
    value = v.read(v.place(runs, 0), size)
    attr = struct.pack("<IIBBHHHIHBB", DATA, 0, 0, 0, 24, 0, u16(record, at + 14), size, 24, 0, 0)
    v.write_record(BITMAP, v.replace_attr(record, at, attr + value))


def split_bitmap(v, what="data"):
    """The second part (and the name) go to a record that ntfs-3g keeps free for $MFT itself."""
    other, names, datas = 40, 0x30, v.runs(BITMAP)
    base, extension = v.record(BITMAP), v.record(other)
    assert len(datas) == 1 and datas[0][1] > 1 and not extension[0x16] & 1
    lcn, length = datas[0]
    at = v.attr(base, DATA)
    attr = base[at:at + u32(base, at + 4)]
    first = bytearray(attr[:64])
    struct.pack_into("<Q", first, 24, 0)
    second = bytearray(attr[:64])
    struct.pack_into("<QQ", second, 16, 1, length - 1)
    struct.pack_into("<H", second, 14, 1)
    second[40:64] = bytes(24)
    base = v.replace_attr(base, at, first + pack_runs([(lcn, 1)]))
    moved = []
    if what.endswith("name"):
        at = v.attr(base, names)
        moved = [base[at:at + u32(base, at + 4)]]
        struct.pack_into("<H", moved[0], 14, 0)
        base = v.replace_attr(base, at, b"")
    moved.append(second + pack_runs([(lcn + 1, length - 1)]))

    def entry(kind, vcn, number, record, instance):
        reference = number | u16(record, 0x10) << 48
        return struct.pack("<IHBBQQH6x", kind, 32, 0, 26, vcn, reference, instance)

    def instance(record, kind):
        return u16(record, v.attr(record, kind) + 14)
    entries = entry(0x10, 0, BITMAP, base, instance(base, 0x10))
    entries += entry(names, 0, *((other, extension, 0) if what.endswith("name") else
                                 (BITMAP, base, instance(base, names))))
    entries += entry(DATA, 0, BITMAP, base, instance(base, DATA))
    entries += entry(DATA, 1, other, extension, 1)
    at = v.attr(base, 0x10)
    at += u32(base, at + 4)
    if what.startswith("mapped"):
        cluster = v.free_cluster()
        v.mark(cluster, True)
        v.write(cluster * v.cluster, entries + bytes(v.cluster - len(entries)))
        runs = pack_runs([(cluster, 1)])
        runs += bytes(-len(runs) % 8)
        head = struct.pack("<IIBBHHHQQH6xQQQ", 0x20, 64 + len(runs), 1, 0, 64, 0, u16(base, 0x28),
                           0, 0, 64, v.cluster, len(entries), len(entries))
        entries = runs
    else:
        head = struct.pack("<IIBBHHHIHBB", 0x20, 24 + len(entries), 0, 0, 24, 0,
                           u16(base, 0x28), len(entries), 24, 0, 0)
    struct.pack_into("<H", base, 0x28, u16(base, 0x28) + 1)
    used = u32(base, 0x18)
    base = base[:at] + head + entries + base[at:used]
    struct.pack_into("<I", base, 0x18, len(base))
    v.write_record(BITMAP, base + bytes(v.record_size - len(base)))

    body = extension[:u16(extension, 0x14)]
    for attr in moved:
        attr += bytes(-len(attr) % 8)
        if attr:
            struct.pack_into("<I", attr, 4, len(attr))
        body += attr
    body += struct.pack("<II", 0xFFFFFFFF, 0)
    struct.pack_into("<H", body, 0x16, 1)
    struct.pack_into("<I", body, 0x18, len(body))
    struct.pack_into("<QH", body, 0x20, BITMAP | u16(base, 0x10) << 48, 2)
    v.write_record(other, body + bytes(v.record_size - len(body)))
    record = v.record(MFT)
    at = v.attr(record, 0xB0)
    place = unpack_runs(record[at + u16(record, at + 32):])[0][0] * v.cluster + other // 8
    v.write(place, bytes([v.read(place, 1)[0] | 1 << other % 8]))


def change_data(v, pattern):
    v.f.seek(0)
    at = v.f.read().index(pattern.encode())
    v.write(at + 1, bytes([v.read(at + 1, 1)[0] ^ 1]))


def make_middle(v):
    """mkntfs has put $MFTMirr there: it has to move first."""
    old, new = v.mirror, v.free_cluster()
    assert old == v.clusters // 2 and v.cluster == 4096
    v.write(new * v.cluster, v.read(old * v.cluster, v.cluster))
    v.write(0x38, struct.pack("<Q", new))
    v.mirror = new
    record = v.record(MIRROR)
    at = v.attr(record, DATA)
    head = record[at:at + u16(record, at + 32)]
    v.write_record(MIRROR, v.replace_attr(record, at, head + pack_runs([(new, 1)])))
    v.mark(new, True)
    v.write(v.sectors // 2 * v.sector, v.read(0, 512))


def scramble(v, number):
    at = v.place(v.mft_runs, number * v.record_size) + STRIDE - 2
    v.write(at, bytes(x ^ 0xFF for x in v.read(at, 2)))


def flip_mirror(v, number):
    at = v.mirror * v.cluster + number * v.record_size + 0x60
    v.write(at, bytes([v.read(at, 1)[0] ^ 1]))


WHAT = {
    "oem": lambda v, text: v.write(3, text.encode()),
    "sectors": lambda v, n: v.write(0x28, struct.pack("<Q", int(n))),
    "no-backup": lambda v: v.write(v.sectors * v.sector, bytes(512)),
    "middle-backup": make_middle,
    "flags": lambda v, n: v.value(VOLUME, VOLUME_INFO,
                                  lambda r, at: struct.pack_into("<H", r, at + 10, int(n, 0))),
    "version": lambda v, major, minor: v.value(
        VOLUME, VOLUME_INFO, lambda r, at: struct.pack_into("BB", r, at + 8, int(major),
                                                            int(minor))),
    "mirror": lambda v, n: flip_mirror(v, int(n)),
    "mark": lambda v, cluster, used: v.mark(int(cluster), used == "1"),
    "bad": lambda v, cluster: make_bad(v, int(cluster)),
    "log": make_log,
    "twice": lambda v, n: claim_twice(v, int(n)),
    "resident-bitmap": make_resident,
    "split-bitmap": split_bitmap,
    "scramble": lambda v, n: scramble(v, int(n)),
    "magic": lambda v, n: v.write(v.place(v.mft_runs, int(n) * v.record_size), b"BAAD"),
    "data": change_data,
    "free-cluster": lambda v: print(v.free_cluster()),
}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in WHAT:
        sys.exit(__doc__)
    volume = Volume(sys.argv[1])
    WHAT[sys.argv[2]](volume, *sys.argv[3:])
    volume.f.close()
