#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_iso, in the sparse form of sparse.h: volumes made by xorriso and by
genisoimage (which moves deep folders), and volumes that are wrong in a way of their own."""

import os
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, image):
    folder = os.path.join(HERE, 'corpus', 'iso')
    os.makedirs(folder, exist_ok=True)
    image = bytes(image).ljust(-len(image) % 4096 + len(image), b'\0')
    out = bytearray(struct.pack('<HH', len(image) // 4096, 0))
    for sector in range(len(image) // 512):
        piece = image[sector * 512:sector * 512 + 512].rstrip(b'\0')
        if piece:
            out += struct.pack('<HH', sector, len(piece)) + piece
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(out)


def make(program, *options):
    with tempfile.TemporaryDirectory() as tmp:
        top = tmp + '/top'
        os.makedirs(top + '/a/b/c/d/e/f/g/h/i')
        for name, data in (('hello.txt', b'hello\n'), ('Größe 日本.text', b'x' * 700),
                           ('a/b/c/d/e/f/g/h/i/deep', b'y' * 2500), ('n' * 60, b'')):
            with open(top + '/' + name, 'wb') as f:
                f.write(data)
        os.symlink('../hello.txt', top + '/a/link')
        os.symlink('/' + '/'.join(['component'] * 40), top + '/a/long')
        os.mkfifo(top + '/pipe')
        os.link(top + '/hello.txt', top + '/a/same')
        subprocess.run([*program, *options, '-o', tmp + '/image', top], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(tmp + '/image', 'rb') as f:
            return bytearray(f.read())


def main():
    xorriso = ['xorriso', '-as', 'mkisofs', '-quiet', '-no-pad']
    rock = make(xorriso, '-R', '-J')
    save('rock', rock)
    save('joliet', make(xorriso, '--norock', '-J'))
    save('plain', make(xorriso, '--norock'))
    save('moved', make(['genisoimage', '-quiet', '-no-pad'], '-R'))
    at = 16 * 2048
    root = struct.unpack_from('<I', rock, at + 158)[0] * 2048
    second = root + rock[root]
    third = second + rock[second]
    for name, where, what in (('no-magic', at + 1, b'XX'), ('block', at + 128, b'\x03'),
                              ('root-far', at + 158, b'\xff\xff\xff'), ('long', root, b'\xff'),
                              ('loop', third + 2, rock[root + 2:root + 10]),
                              ('pieces', third + 25, b'\x80'), ('apart', third + 26, b'\1'),
                              ('short-use', third + 70, b'\1\1\1\1'), ('big', third + 10, b'\xff' * 8)):
        bad = bytearray(rock)
        bad[where:where + len(what)] = what
        save('bad-' + name, bad)
    save('cut', rock[:root + 4096])


main()
