#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the fs fuzzers: volumes made by mkntfs and filled through ntfs-3g (as
root, with /dev/fuse), in the sparse form of sparse.h; records taken from them; LZNT1 made by a
small packer of its own; the beginnings of other file systems."""

import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(fuzzer, name, data):
    folder = os.path.join(HERE, 'corpus', fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)


def make_volume(size, options, script):
    """mkntfs, then the script (Python, with `os`) in the mounted volume."""
    with tempfile.TemporaryDirectory() as tmp:
        image, mnt = tmp + '/image', tmp + '/mnt'
        with open(image, 'wb') as f:
            f.truncate(size)
        os.mkdir(mnt)
        subprocess.run(['mkntfs', '-q', '-Q', '-F', '-p', '0', '-H', '0', '-S', '0', *options, image],
                       check=True, stderr=subprocess.DEVNULL)
        subprocess.run(['ntfs-3g', '-o', 'compression,streams_interface=windows', image, mnt],
                       check=True)
        try:
            script(mnt + '/')
        finally:
            subprocess.run(['umount', mnt], check=True)
        with open(image, 'rb') as f:
            return bytearray(f.read())


def put(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def reparse(path, tag, data):
    os.setxattr(path, 'system.ntfs_reparse_data', struct.pack('<IHH', tag, len(data), 0) + data)


def symlink_data(substitute, shown):
    a, b = substitute.encode('utf-16le'), shown.encode('utf-16le')
    return struct.pack('<HHHHI', 0, len(a), len(a), len(b), 0) + a + b


def fill_rich(top):
    put(top + 'small', b'hello\n')
    put(top + 'small:stream', b'of a file')
    put(top + 'plain', b'0123456789abcdef' * 64)
    os.link(top + 'small', top + 'Größe 日本')
    os.symlink('../somewhere', top + 'interix')
    with open(top + 'sparse', 'wb') as f:
        f.truncate(300000)
        f.seek(200000)
        f.write(b'middle')
    os.mkdir(top + 'packed')
    os.setxattr(top + 'packed', 'system.ntfs_attrib_be', bytes([0, 0, 8, 16]))
    put(top + 'packed/ramp', b''.join(bytes([i % 7]) * 700 for i in range(30)))
    put(top + 'link', b'')
    reparse(top + 'link', 0xa000000c, symlink_data('\\??\\C:\\x', 'C:\\x'))
    os.mkdir(top + 'junction')
    target = '\\??\\C:\\y'.encode('utf-16le')
    reparse(top + 'junction', 0xa0000003, struct.pack('<HHHH', 0, len(target), len(target), 0) + target)
    put(top + 'wsl', b'')
    reparse(top + 'wsl', 0xa000001d, struct.pack('<I', 2) + b'/etc')
    put(top + 'wof', b'')
    reparse(top + 'wof', 0x80000017, struct.pack('<IIII', 1, 2, 1, 0))
    put(top + 'hiberfil.sys', b'hibr')


def fill_many(top):
    os.mkdir(top + 'many')
    put(top + 'many/file', b'')
    for i in range(16):
        os.link(top + 'many/file', top + 'many/%d %s' % (i, 'long ' * 40))


def fill_wof(top):
    """Packed by Windows' overlay filter: what make_wof.py packed, with tables around it."""
    def seed(name):
        with open(os.path.join(HERE, 'corpus', 'wof', name), 'rb') as f:
            return f.read()[3:]

    first = seed('text_xpress')
    streams = {'xpress': (0, 4096 + 100, struct.pack('<I', len(first)) + first + b'r' * 100),
               'lzx': (1, 4885, seed('text_lzx')),
               'short': (2, 90000, b'too short'), 'cut': (3, 20000, struct.pack('<I', 9) + b'cut')}
    for name, (algorithm, size, stream) in streams.items():
        with open(top + name, 'wb') as f:
            f.truncate(size)
        put(top + name + ':WofCompressedData', stream)
        reparse(top + name, 0x80000017, struct.pack('<IIII', 1, 2, 1, algorithm))


def fill_fragments(top):
    """A file in so many pieces and with so many names that it needs an attribute list."""
    for i in range(150):
        put(top + 'h%03d' % i, b'x' * 1024)
    for i in range(0, 150, 2):
        os.unlink(top + 'h%03d' % i)
    put(top + 'filler', b'')
    with open(top + 'filler', 'wb', buffering=0) as f:
        try:
            while True:
                f.write(b'\1' * 4096)
        except OSError:
            pass
    for i in range(1, 150, 2):
        os.unlink(top + 'h%03d' % i)
        with open(top + 'pieces', 'ab') as f:
            f.write(b'p' * 512)
    for i in range(12):
        os.link(top + 'pieces', top + 'another name of the pieces %d' % i)
    os.truncate(top + 'filler', 4096)


def upcase_at(image):
    start = b''.join(struct.pack('<H', i) for i in range(96))
    return max(image.find(start), 0)


def first_run(image, number):
    """Offset and bytes of the first run of a record's $DATA."""
    cluster = image[13] * 512
    record = struct.unpack_from('<Q', image, 48)[0] * cluster + number * 1024
    at = record + struct.unpack_from('<H', image, record + 20)[0]
    while struct.unpack_from('<I', image, at)[0] != 0x80:
        at += struct.unpack_from('<I', image, at + 4)[0]
    at += struct.unpack_from('<H', image, at + 32)[0]
    len_n, off_n = image[at] & 15, image[at] >> 4
    length = int.from_bytes(image[at + 1:at + 1 + len_n], 'little')
    place = int.from_bytes(image[at + 1 + len_n:at + 1 + len_n + off_n], 'little', signed=True)
    return place * cluster, length * cluster


def clear_free_space(image):
    cluster = image[13] * 512
    at, _ = first_run(image, 6)
    for i in range(len(image) // cluster):
        if not image[at + i // 8] >> (i % 8) & 1:
            image[i * cluster:(i + 1) * cluster] = bytes(cluster)


def blank(image):
    """What no reader looks at, or what the harness makes itself."""
    clear_free_space(image)
    at = upcase_at(image)
    if at:
        image[at:at + 131072] = bytes(131072)
    image[84:510] = bytes(426)
    image[512:8192] = bytes(7680)
    image[-512:] = bytes(512)
    names = image.find('$STANDARD_INFORMATION'.encode('utf-16le'))
    if names > 0:
        image[names:names + 2560] = bytes(2560)
    for off in range(0, len(image) - 511, 512):
        if image[off:off + 512] == image[off:off + 1] * 512:
            image[off:off + 512] = bytes(512)
    mirror = struct.unpack_from('<Q', image, 56)[0] * image[13] * 512
    image[mirror:mirror + 4096] = bytes(4096)
    for off in range(0, len(image) - 4095, 512):  # the update sequences are put right later
        size = {b'FILE': 1024, b'INDX': 4096}.get(bytes(image[off:off + 4]), 0)
        for end in range(off + 510, off + size, 512):
            image[end:end + 2] = bytes(2)
        if size == 4096:
            used = 24 + struct.unpack_from('<I', image, off + 28)[0]
            image[off + used:off + 4096] = bytes(4096 - used)
        if size == 1024:
            used = struct.unpack_from('<I', image, off + 24)[0]
            if not image[off + 22] & 1:
                used = 0
            if used < 1024:
                image[off + used:off + 1024] = bytes(1024 - used)
    return at


def sparse(image, upcase=0):
    out = struct.pack('<HH', len(image) // 4096, upcase // 512)
    for off in range(0, len(image), 512):
        piece = bytes(image[off:off + 512]).rstrip(b'\0')
        if piece:
            out += struct.pack('<HH', off // 512, len(piece)) + piece
    return out


def trim_system(image):
    """Leaves out the records that nothing needs: of $LogFile's kin only what opens a volume."""
    mft = struct.unpack_from('<Q', image, 48)[0] * image[13] * 512
    for number in (1, 4, 8, 9, 12, 13, 14, 15):
        image[mft + number * 1024:mft + (number + 1) * 1024] = bytes(1024)


def records(image):
    for off in range(0, len(image) - 1023, 512):
        if image[off:off + 4] == b'FILE':
            record = image[off:off + 1024]
            yield bytes(record[:struct.unpack_from('<I', record, 24)[0]])


def pack_chunk(data):
    """LZNT1 of up to 4096 bytes, greedy."""
    out, pos = b'', 0
    while pos < len(data):
        flags, tokens = 0, b''
        for bit in range(8):
            if pos >= len(data):
                break
            bits = 12
            i = pos - 1
            while i >= 16:
                bits, i = bits - 1, i >> 1
            best, where = 0, 0
            for back in range(1, min(pos, 1 << (16 - bits)) + 1):
                n = 0
                while n < (1 << bits) + 2 and pos + n < len(data) and data[pos + n] == data[pos - back + n]:
                    n += 1
                if n > best:
                    best, where = n, back
            if best >= 3:
                flags |= 1 << bit
                tokens += struct.pack('<H', (where - 1) << bits | (best - 3))
                pos += best
            else:
                tokens += data[pos:pos + 1]
                pos += 1
        out += bytes([flags]) + tokens
    return struct.pack('<H', 0xb000 | (len(out) - 1)) + out


def lznt1_seeds():
    texts = {
        'words': b'the grain and the block and the cluster and the extent ' * 30,
        'ramp': bytes(range(256)) * 4,
        'zeros': bytes(4096),
    }
    for name, text in texts.items():
        save('lznt1', name, struct.pack('<H', len(text)) + pack_chunk(text[:4096]) + b'\0\0')
    raw = struct.pack('<H', 0x3000 | 99) + bytes(range(100))
    save('lznt1', 'stored', struct.pack('<H', 4196) + raw + pack_chunk(b'abc' * 40))


def probe_seeds():
    def at(off, data, size=131072):
        image = bytearray(size)
        image[off:off + len(data)] = data
        return image

    seeds = {
        'bitlocker': at(3, b'-FVE-FS-'), 'exfat': at(3, b'EXFAT   '),
        'refs': at(3, b'ReFS\0\0\0\0'), 'luks': at(0, b'LUKS\xba\xbe'),
        'xfs': at(0, b'XFSB'), 'btrfs': at(0x10040, b'_BHRfS_M'), 'apfs': at(32, b'NXSB'),
        'iso9660': at(0x8001, b'CD001'), 'swap': at(4086, b'SWAPSPACE2'),
        'lvm2': at(512, b'LABELONE' + bytes(16) + b'LVM2 001'),
        'hfsplus': at(1024, b'H+\0\4'), 'md': at(4096, struct.pack('<II', 0xa92b4efc, 1)),
        'md090': at(65536, struct.pack('<II', 0xa92b4efc, 0)),
        'ext4': at(1024 + 56, b'\x53\xef' + bytes(34) + struct.pack('<III', 4, 0x242, 1)),
        'ext2': at(1024 + 56, b'\x53\xef'), 'empty': bytearray(4096),
    }
    # what is recognised only has its label and UUID behind the mark
    uuid, label = bytes(range(1, 17)), b'label   '
    pairs = struct.pack('>I4sIII4s', 4, b'name', 9, 1, 4, b'tank')
    pairs += struct.pack('>I12sIIQ', 9, b'pool_guid', 8, 1, 1234)
    seeds.update({
        'luks2': at(0, b'LUKS\xba\xbe\0\2' + bytes(16) + label.ljust(144) + b'ab-12'),
        'apfs-uuid': at(32, b'NXSB' + bytes(36) + uuid),
        'f2fs': at(1024, b'\x10\x20\xf5\xf2' + bytes(104) + uuid + 'Größe'.encode('utf-16-le')),
        'jfs': at(0x8000, b'JFS1' + bytes(132) + uuid + label),
        'erofs': at(1024, b'\xe2\xe1\xf5\xe0' + bytes(44) + uuid + label),
        'bcache': at(4120, bytes.fromhex('c68573f64e1a45ca8265f57f48ba6d81') + uuid + uuid + label),
        'nilfs2': at(1024, struct.pack('<IHHH', 2, 0, 0x3434, 1024) + bytes(142) + uuid + label),
        'minix': at(1024, struct.pack('<HHHHHHIH', 100, 900, 1, 1, 8, 0, 1 << 20, 0x138f)),
        'swap-label': at(1036, uuid + label + bytes(3026) + b'SWAPSPACE2'),
        'hfs': at(1024, b'BD' + bytes(34) + b'\5hello'),
        'ufs1': at(8192 + 144, uuid + bytes(1372 - 160) + b'\x54\x19\1\0'),
        'ufs2': at(65536 + 144, uuid + bytes(520) + label + bytes(684) + b'\x19\1\x54\x19'),
        'zfs': at(16384, b'\1\1' + bytes(10) + pairs),
        'iso-date': at(0x8001, b'CD001' + bytes(34) + label + bytes(765) + b'2021030405060708\0' * 2),
    })
    for name, clusters in (('fat12', 2000), ('fat16', 20000), ('fat32', 0)):
        bpb = bytearray(512)
        bpb[0] = 0xeb
        per_fat = 0 if name == 'fat32' else 40
        struct.pack_into('<HBHBHHBH', bpb, 11, 512, 1, 1, 2, 512 if per_fat else 0, clusters,
                         0xf8, per_fat)
        struct.pack_into('<II', bpb, 32, 100000 if not clusters else 0, 800)
        bpb[510:512] = b'\x55\xaa'
        seeds[name] = at(0, bpb)
    for name, image in seeds.items():
        save('probe', name, sparse(image))


def ntfs_seeds():
    taken = set()
    for name, size, options, fill in (
            ('rich', 3 << 19, ['-c', '4096', '-L', 'Seed'], fill_rich),
            ('many', 3 << 19, ['-c', '4096'], fill_many),
            ('fragments', 3 << 19, ['-c', '512'], fill_fragments),
            ('wof', 3 << 19, ['-c', '4096'], fill_wof)):
        image = make_volume(size, options, fill)
        upcase = blank(image)
        trim_system(image)
        data = sparse(image, upcase)
        save('ntfs', name, data)
        print(name, len(data))
        for i, record in enumerate(records(image)):
            kinds = []
            off = struct.unpack_from('<H', record, 20)[0]
            while off + 24 <= len(record) and record[off:off + 4] != b'\xff\xff\xff\xff':
                kind, length = struct.unpack_from('<II', record, off)
                kinds.append((kind, record[off + 8], record[off + 9] > 0))
                off += max(length, 8)
            if tuple(kinds) not in taken and len(taken) < 40:
                taken.add(tuple(kinds))
                save('mft_record', '%s-%02d' % (name, i), record)


def main():
    lznt1_seeds()
    probe_seeds()
    ntfs_seeds()


if __name__ == '__main__':
    sys.exit(main())
