#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_xfs: small volumes made by mkfs.xfs and filled by the kernel (as
root), in the sparse form of sparse.h; and volumes that are wrong in a way of their own."""

import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# lets mkfs.xfs make volumes below 300 MiB
SMALL = dict(os.environ, TEST_DIR='x', TEST_DEV='x', QA_CHECK_FS='x')


def save(name, image):
    folder = os.path.join(HERE, 'corpus', 'xfs')
    os.makedirs(folder, exist_ok=True)
    out = bytearray(struct.pack('<HH', len(image) // 4096, 0))
    for sector in range(len(image) // 512):
        piece = bytes(image[sector * 512:sector * 512 + 512]).rstrip(b'\0')
        if piece:
            out += struct.pack('<HH', sector, len(piece)) + piece
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(out)


def put(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def fill(top):
    put(top + 'hello', b'hello\n')
    os.mkdir(top + 'folder')
    for i in range(12):
        put(top + f'folder/file number {i}', b'')
    os.symlink('folder/target', top + 'link')
    os.symlink('y' * 900, top + 'long link')
    os.mknod(top + 'device', 0o20600, os.makedev(8, 1))
    os.setxattr(top + 'hello', 'user.short', b'value')


def fill_large(top):
    fill(top)
    os.mkdir(top + 'many')
    for i in range(60):
        put(top + f'many/a name that is long enough to fill blocks {i}', b'')
    with open(top + 'pieces', 'wb') as f:
        for i in range(40):
            f.seek(i * 8192)
            f.write(b'p')
        f.truncate(400000)
    for i in range(90):
        os.setxattr(top + 'hello', f'user.attribute {i}', b'v' * 40)
    acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in (
        (1, 6, 0xffffffff), (2, 7, 1000), (4, 4, 0xffffffff), (16, 7, 0xffffffff),
        (32, 4, 0xffffffff)))
    os.setxattr(top + 'folder', 'system.posix_acl_access', acl)
    os.setxattr(top + 'many', 'system.posix_acl_default', acl)
    fd = os.open(top + 'reserved', os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, 50000)
    os.close(fd)
    put(top + 'large', b'x')
    os.setxattr(top + 'large', 'user.value', b'z' * 5000)
    os.setxattr(top + 'large', 'trusted.t', b't')


def volume(script, *options):
    with tempfile.TemporaryDirectory() as tmp:
        image, mnt = tmp + '/image', tmp + '/mnt/'
        put(image, b'')
        os.truncate(image, 16 << 20)
        os.mkdir(mnt)
        subprocess.run(['mkfs.xfs', '-q', '-f', '-d', 'agcount=1', *options, image], check=True,
                       env=SMALL)
        subprocess.run(['mount', '-o', 'loop', image, mnt], check=True)
        try:
            script(mnt)
        finally:
            subprocess.run(['umount', mnt], check=True)
        with open(image, 'rb') as f:
            data = bytearray(f.read())
        # the log holds all that was written once more: only its last record is needed
        block, start, blocks = (struct.unpack_from('>I', data, 4)[0],
                                struct.unpack_from('>Q', data, 48)[0],
                                struct.unpack_from('>I', data, 96)[0])
        shift = data[124]
        at = start & ((1 << shift) - 1)
        data[at * block:(at + blocks) * block] = bytes(blocks * block)
        return data


def poked(image, at, data):
    out = bytearray(image)
    out[at:at + len(data)] = data
    return out


def with_record(image, operations, flags):
    # the log's first record, and nothing behind it
    block, start = struct.unpack_from('>I', image, 4)[0], struct.unpack_from('>Q', image, 48)[0]
    at = (start & ((1 << image[124]) - 1)) * block
    header = bytearray(512)
    struct.pack_into('>III', header, 0, 0xfeedbabe, 1, 2)
    struct.pack_into('>I', header, 40, operations)
    struct.pack_into('>I', header, 320, 32768)
    return poked(image, at, header + struct.pack('>IIBB', 1, 8, 0xaa, flags))


def main():
    small = volume(fill)
    save('small', small)
    save('rich', volume(fill_large, '-b', 'size=1024', '-i', 'size=512'))
    save('rich-nrext64', volume(fill_large, '-b', 'size=1024', '-i', 'nrext64=1', '-n',
                                'size=4096'))
    save('log-unmounted', with_record(small, 1, 0x20))
    save('log-dirty', with_record(small, 3, 1))
    save('bad-block-size', poked(small, 4, b'\0\0\x30\0'))
    save('bad-groups', poked(small, 88, b'\0\0\0\x09'))
    save('bad-version', poked(small, 100, b'\xb4\xa3'))
    save('bad-inode-size', poked(small, 104, b'\x7f\0'))
    save('bad-folder-blocks', poked(small, 192, b'\x20'))
    save('bad-feature', poked(small, 216, b'\x80\0\0\0'))
    save('bad-root', poked(small, 56, b'\0\0\0\x7f\0\0\0\0'))
    save('version-4', poked(small, 100, b'\xb4\xa4'))


if __name__ == '__main__':
    main()
