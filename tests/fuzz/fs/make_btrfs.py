#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_btrfs and fuzz_btrfs_parse: small volumes made by mkfs.btrfs and
filled by the kernel (as root), in the sparse form of sparse.h; volumes that are wrong in a way
of their own; and structures cut out of them."""

import os
import struct
import subprocess
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
SUPER = 65536


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def put(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def save(name, image):
    folder = os.path.join(HERE, 'corpus', 'btrfs')
    os.makedirs(folder, exist_ok=True)
    out = bytearray(struct.pack('<HH', len(image) // 4096, 0))
    for sector in range(len(image) // 512):
        piece = bytes(image[sector * 512:sector * 512 + 512]).rstrip(b'\0')
        if piece:
            out += struct.pack('<HH', sector, len(piece)) + piece
    put(os.path.join(folder, name), out)


def save_part(kind, name, data):
    folder = os.path.join(HERE, 'corpus', 'btrfs_parse')
    os.makedirs(folder, exist_ok=True)
    put(os.path.join(folder, name), bytes([kind]) + data)


def fill(top):
    put(top + 'hello', b'hello\n')
    os.mkdir(top + 'folder')
    os.link(top + 'hello', top + 'folder/again')
    os.symlink('folder/target', top + 'link')
    os.mknod(top + 'device', 0o20600, os.makedev(8, 1))
    os.setxattr(top + 'hello', 'user.short', b'value')
    put(top + 'large', bytes(range(256)) * 40)


def fill_large(top):
    fill(top)
    os.mkdir(top + 'many')
    for i in range(40):
        put(top + f'many/a name that is long enough to fill nodes {i}', b'')
    for i in range(40): # more than a single item holds
        os.link(top + 'hello', top + f'many/{i:03}' + 'x' * 120)
    with open(top + 'pieces', 'wb') as f:
        for i in range(5):
            f.seek(i * 8192)
            f.write(b'p')
        f.truncate(100000)
    fd = os.open(top + 'reserved', os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, 50000)
    os.close(fd)
    put(top + 'packed', b'packs well ' * 2000)
    run('btrfs', 'subvolume', 'create', top + 'sub')
    put(top + 'sub/file', b'in a subvolume')
    run('btrfs', 'subvolume', 'snapshot', '-r', top, top + 'sub/of-all')
    run('btrfs', 'subvolume', 'set-default', top + 'sub')


def live(device):
    """Offsets of the blocks that the trees of a volume on one device are made of."""
    found = set()
    for line in run('btrfs', 'inspect-internal', 'dump-tree', device).splitlines():
        words = line.split()
        if words and words[0] in ('leaf', 'node') and words[1].isdigit():
            found.add(int(words[1]))
    return found


def clear_dead(image, keep):
    """What earlier generations left; addresses are offsets where chunks were not moved."""
    fsid = image[SUPER + 32:SUPER + 48]
    for at in range(0, len(image), 4096):
        block = image[at:at + 4096]
        if at != SUPER and block[32:48] == fsid and int.from_bytes(block[48:56], 'little') not in keep:
            image[at:at + 4096] = bytes(4096)


def volume(script, *options, mount='defaults'):
    with tempfile.TemporaryDirectory() as tmp:
        mnt = tmp + '/mnt/'
        os.mkdir(mnt)
        image = tmp + '/image'
        put(image, b'')
        os.truncate(image, 16 * MIB)
        run('mkfs.btrfs', '-q', '-M', '-n', '4096', *options, image)
        run('mount', '-o', 'loop,' + mount, image, mnt)
        try:
            script(mnt)
        finally:
            run('umount', mnt)
        keep = live(image)
        with open(image, 'rb') as f:
            data = bytearray(f.read())
        clear_dead(data, keep)
        return data


def poked(image, at, data):
    out = bytearray(image)
    out[SUPER + at:SUPER + at + len(data)] = data
    return out


def lzo_literals(data):
    """LZO1X of nothing but literals, as one run, then its end mark."""
    assert 4 <= len(data) <= 238
    return bytes([len(data) + 17]) + data + b'\x11\0\0'


def save_packed():
    text = b'packs well ' * 20
    sector = lzo_literals(text[:200])
    lzo = struct.pack('<I', len(sector) + 4) + sector
    save_part(6, 'zlib', b'\0' + zlib.compress(text))
    save_part(6, 'lzo', b'\1' + struct.pack('<I', 4 + len(lzo)) + lzo)
    zstd = subprocess.run(['zstd', '-c', '--no-check'], input=text, stdout=subprocess.PIPE,
                          check=True).stdout
    save_part(6, 'zstd', b'\2' + zstd)


def save_parts(image):
    fsid = image[SUPER + 32:SUPER + 48]
    save_part(0, 'super', image[SUPER:SUPER + 4096])
    save_part(1, 'chunk', image[SUPER + 0x32b + 17:SUPER + 0x32b + 17 + 80])
    for kind in (0, 1):
        for at in range(SUPER + 4096, len(image), 4096):
            block = image[at:at + 4096]
            if block[32:48] == fsid and block[100] == kind:
                save_part(2, f'node-of-level-{kind}', block)
                break
    name = b'name'
    save_part(3, 'entry', bytes(17) + bytes(8) + struct.pack('<HHB', 5, len(name), 1) + name + b'value')
    save_part(4, 'inline', struct.pack('<QQBBHB', 7, 5, 0, 0, 0, 0) + b'hello')
    save_part(4, 'regular', struct.pack('<QQBBHBQQQQ', 7, 8192, 0, 0, 0, 1, 1 << 20, 8192, 0, 8192))
    save_part(4, 'packed', struct.pack('<QQBBHBQQQQ', 7, 8192, 3, 0, 0, 1, 1 << 20, 4096, 0, 8192))
    save_part(5, 'inode', bytes(160))
    save_part(7, 'root', bytes(439))


def main():
    small = volume(fill)
    save('small', small)
    save('rich', volume(fill_large, mount='compress-force=zstd'))
    save('zlib', volume(fill_large, '-O', '^no-holes', '--csum', 'xxhash', mount='compress-force=zlib'))
    save('lzo', volume(fill, '--csum', 'sha256', mount='compress-force=lzo'))
    save('blake2', volume(fill, '--csum', 'blake2'))
    save('bad-feature', poked(small, 0xbc, struct.pack('<Q', 1 << 40)))
    save('zoned', poked(small, 0xbc, struct.pack('<Q', 0x1000)))
    save('bad-sum-type', poked(small, 0xc4, b'\x09'))
    save('bad-node-size', poked(small, 0x94, struct.pack('<I', 12345)))
    save('bad-chunks', poked(small, 0xa0, struct.pack('<I', 50)))
    save('bad-level', poked(small, 0xc6, b'\x07'))
    save('bad-root', poked(small, 0x50, struct.pack('<Q', 1 << 20)))
    save('a-log', poked(small, 0x60, struct.pack('<Q', 1 << 22)))
    save_parts(small)
    save_packed()


if __name__ == '__main__':
    main()
