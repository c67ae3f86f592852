#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_fat: volumes made by mkfs.fat and filled by mtools, and made by
mkfs.exfat and filled through exfat-fuse (as root, with /dev/fuse), in the sparse form of
sparse.h; and volumes that are wrong in a way of their own."""

import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, image):
    folder = os.path.join(HERE, 'corpus', 'fat')
    os.makedirs(folder, exist_ok=True)
    out = bytearray(struct.pack('<HH', len(image) // 4096, 0))
    for sector in range(len(image) // 512):
        piece = bytes(image[sector * 512:sector * 512 + 512]).rstrip(b'\0')
        if piece:
            out += struct.pack('<HH', sector, len(piece)) + piece
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(out)


def fill(top, put, mkdir):
    put('hello.txt', b'hello\n')
    put('a long name of a file.text', b'x' * 700)
    mkdir('folder')
    for i in range(20):
        put(f'folder/file number {i}.txt', b'%d' % i)
    mkdir('folder/deeper')
    put('folder/deeper/Größe 日本', b'y' * 1500)


def fat(size, *options):
    with tempfile.TemporaryDirectory() as tmp:
        image = tmp + '/image'
        with open(image, 'wb') as f:
            f.truncate(size)
        subprocess.run(['mkfs.fat', *options, image], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        env = dict(os.environ, MTOOLS_SKIP_CHECK='1', LC_ALL='C.UTF-8')

        def put(name, data):
            with open(tmp + '/data', 'wb') as f:
                f.write(data)
            subprocess.run(['mcopy', '-i', image, tmp + '/data', '::' + name], check=True, env=env)

        def mkdir(name):
            subprocess.run(['mmd', '-i', image, '::' + name], check=True, env=env)

        fill('', put, mkdir)
        with open(image, 'rb') as f:
            return bytearray(f.read())


def exfat(size, *options):
    with tempfile.TemporaryDirectory() as tmp:
        image, mnt = tmp + '/image', tmp + '/mnt/'
        with open(image, 'wb') as f:
            f.truncate(size)
        os.mkdir(mnt)
        subprocess.run(['mkfs.exfat', '-b', '4096', *options, image], check=True, stdout=subprocess.DEVNULL)
        loop = subprocess.check_output(['losetup', '-f', '--show', image], text=True).strip()
        subprocess.run(['mount.exfat-fuse', loop, mnt], check=True, stdout=subprocess.DEVNULL)
        try:
            fill(mnt, lambda n, d: open(mnt + n, 'wb').write(d), lambda n: os.mkdir(mnt + n))
            with open(mnt + 'pieces', 'wb') as a, open(mnt + 'other', 'wb') as b:
                for _ in range(4):
                    a.write(b'a' * 3000)
                    a.flush()
                    b.write(b'b' * 3000)
                    b.flush()
            os.truncate(mnt + 'hello.txt', 9000)
        finally:
            subprocess.run(['umount', mnt], check=True)
            subprocess.run(['losetup', '-d', loop], check=True)
        with open(image, 'rb') as f:
            return bytearray(f.read())


def poked(image, at, data):
    out = bytearray(image)
    out[at:at + len(data)] = data
    return out


def main():
    small = fat(64 << 10, '-F', '12', '-s', '1', '-n', 'LABEL')
    save('fat12', small)
    save('fat16', fat(4 << 20, '-F', '16', '-s', '1'))
    # what a FAT32 of this size has used lies in its first MiB
    wide = fat(40 << 20, '-F', '32', '-s', '1')[:1 << 20]
    save('fat32', wide)
    big = exfat(1 << 20, '-c', '512', '-L', 'LABEL')
    save('exfat', big)
    save('exfat-4k', exfat(2 << 20, '-c', '4096'))
    # chains that loop: each entry of the first FAT names the cluster itself
    loop = bytearray(wide)
    start = struct.unpack_from('<H', wide, 14)[0] * 512
    for i in range(2, 200):
        struct.pack_into('<I', loop, start + 4 * i, i)
    save('fat32-loop', loop)
    save('fat32-second-copy', poked(wide, 40, struct.pack('<H', 0x81)))
    save('fat12-no-sectors', poked(small, 19, b'\0\0'))
    save('fat12-odd-cluster', poked(small, 13, b'\3'))
    save('fat12-odd-sector', poked(small, 11, b'\1\2'))
    save('exfat-root-beyond', poked(big, 96, struct.pack('<I', 0x7fffffff)))
    save('exfat-sectors', poked(big, 72, b'\xff' * 8))
    save('exfat-shift', poked(big, 108, b'\x20'))
    save('exfat-clusters', poked(big, 92, b'\xff' * 4))
    save('exfat-heap', poked(big, 88, b'\x01\0\0\0'))
    save('no-mark', poked(small, 510, b'\0\0'))


if __name__ == '__main__':
    main()
