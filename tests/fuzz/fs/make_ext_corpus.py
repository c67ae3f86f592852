#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of the ext fuzzers: volumes made by mke2fs of small trees, with and without
a journal that debugfs filled, in the sparse form of sparse.h; superblocks with what follows
them taken from such volumes; notes of fast commits written here. Needs no rights."""

import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SECTOR = 512


def save(fuzzer, name, data):
    folder = os.path.join(HERE, 'corpus', fuzzer)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)
    os.utime(path, (1000000000, 1000000000))


def fill(top):
    put(top + '/small', b'hello\n')
    put(top + '/tiny', b'x' * 50)
    put(top + '/middle', b'0123456789abcdef' * 9)
    put(top + '/many/a', b'')
    for i in range(14):
        put(top + '/many/entry-%d' % i, b'')
    put(top + '/Größe/日本', b'y' * 3000)
    os.link(top + '/small', top + '/second')
    os.symlink('small', top + '/link')
    os.symlink('z' * 100, top + '/long-link')
    os.mkfifo(top + '/pipe')
    with open(top + '/pieces', 'wb') as f:
        for i in range(12):
            f.seek(i * 4096)
            f.write(b'piece %d' % i)
    try:
        os.setxattr(top + '/small', 'user.a', b'value')
        os.setxattr(top + '/middle', 'user.long', b'v' * 200)
        acl = ((1, 6, -1), (2, 7, 1000), (4, 5, -1), (16, 7, -1), (32, 0, -1))
        os.setxattr(top + '/many', 'system.posix_acl_default', struct.pack('<I', 2) +
                    b''.join(struct.pack('<HHi', *e) for e in acl))
    except OSError as e:
        sys.exit('attributes do not work here: %s' % e)


def make_volume(size, options, commands=()):
    with tempfile.TemporaryDirectory() as tmp:
        image, tree = tmp + '/image', tmp + '/tree'
        os.mkdir(tree)
        fill(tree)
        subprocess.run(['mke2fs', '-q', '-F', '-N', '48', '-m', '0', '-U',
                        '01234567-89ab-cdef-0123-456789abcdef', '-d', tree, *options, image, size],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands:
            subprocess.run(['debugfs', '-w', '-f', '-', image], input=command.encode(), check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(image, 'rb') as f:
            return bytearray(f.read())


def sparse(image):
    """What is not zero, in the form of sparse.h."""
    out = bytearray(struct.pack('<HH', (len(image) + 4095) // 4096, 0))
    at = 0
    while at < len(image):
        end = at
        while end < len(image) and any(image[end:end + SECTOR]) and end - at < 65024:
            end += SECTOR
        if end > at:
            piece = bytes(image[at:end]).rstrip(b'\0')
            out += struct.pack('<HH', at // SECTOR, len(piece)) + piece
        at = max(end, at + SECTOR)
    return bytes(out)


VOLUMES = {
    'ext2': ('1M', ['-t', 'ext2', '-b', '1024']),
    'ext2-128': ('1M', ['-t', 'ext2', '-b', '1024', '-I', '128', '-r', '0']),
    'ext4': ('1M', ['-t', 'ext4', '-b', '1024', '-O', '^has_journal,^metadata_csum']),
    'ext4-sums': ('1M', ['-t', 'ext4', '-b', '1024', '-O', '^has_journal']),
    'ext4-gdt-sums': ('1M', ['-t', 'ext4', '-b', '1024', '-O',
                             '^has_journal,^metadata_csum,uninit_bg']),
    'ext4-inline': ('1M', ['-t', 'ext4', '-b', '1024', '-O',
                           '^has_journal,^metadata_csum,inline_data', '-I', '512']),
    'ext4-ea-inode': ('1M', ['-t', 'ext4', '-b', '1024', '-O',
                             '^has_journal,^metadata_csum,ea_inode', '-I', '128']),
    'ext4-meta-bg': ('3M', ['-t', 'ext4', '-b', '1024', '-g', '512', '-O',
                            '^has_journal,^metadata_csum,meta_bg,^resize_inode,^flex_bg']),
    'ext4-bigalloc': ('2M', ['-t', 'ext4', '-b', '1024', '-C', '4096', '-O',
                             '^has_journal,^metadata_csum,bigalloc']),
    'ext4-4k': ('2M', ['-t', 'ext4', '-b', '4096', '-O', '^has_journal,^metadata_csum']),
    'ext4-casefold': ('1M', ['-t', 'ext4', '-b', '1024', '-O',
                             '^has_journal,^metadata_csum,casefold', '-E', 'encoding=utf8']),
}

# what debugfs puts into the journal: a block of the root folder again, one revoked, one escaped
JOURNALED = ('3M', ['-t', 'ext4', '-b', '1024', '-J', 'size=1', '-O'])


def make_journals(tmp):
    copy, escaped = tmp + '/copy', tmp + '/escaped'
    with open(escaped, 'wb') as f:
        f.write(struct.pack('>III', 0xc03b3998, 0, 0) + b'data' * 253)
    for name, features, opening in (('journal', '^metadata_csum,^64bit', 'jo\n'),
                                    ('journal-64bit', '^metadata_csum,64bit', 'jo\n'),
                                    ('journal-sums', 'metadata_csum', 'jo -c\n')):
        size, options = JOURNALED
        image = make_volume(size, options + [features])
        with open(copy, 'wb') as f:
            f.write(image[1024:2048] + image[1024:2048])
        image = make_volume(size, options + [features], [
            opening + 'jw -b 1 %s\njw -b 2000,2001 %s\njw -b 2002 %s\njw -r 2001\njw -b 2003 %s\njc\n'
            % (copy, copy, escaped, escaped)])
        save('ext', name, sparse(image))


def make_parse():
    image = make_volume('1M', ['-t', 'ext4', '-b', '1024', '-O', '^has_journal,^metadata_csum'])
    sums = make_volume('1M', ['-t', 'ext4', '-b', '1024', '-O', '^has_journal'])
    old = make_volume('1M', ['-t', 'ext4', '-b', '1024', '-O',
                             '^has_journal,^metadata_csum,uninit_bg'])
    for name, volume in (('plain', image), ('sums', sums), ('old-sums', old)):
        head = bytes(volume[1024:2048])
        table = struct.unpack_from('<I', volume, 2048 + 8)[0] * 1024
        save('ext_parse', 'group-' + name, head + b'\0' + bytes(volume[2048:2112]))
        save('ext_parse', 'inode-' + name, head + b'\1' + bytes(volume[table + 256:table + 512]))
        save('ext_parse', 'super-' + name, head)
    head = bytes(image[1024:2048])
    extent = struct.pack('<IHHI', 0, 5, 0, 100) + struct.pack('<IHHI', 9, 32770, 0, 200)
    node = struct.pack('<HHHHI', 0xf30a, 2, 4, 0, 0) + extent
    save('ext_parse', 'leaf', head + b'\2' + node)
    index = struct.pack('<IIHH', 0, 77, 0, 0) + struct.pack('<IIHH', 1000, 78, 0, 0)
    save('ext_parse', 'index', head + b'\2' + struct.pack('<HHHHI', 0xf30a, 2, 4, 1, 0) + index)
    for name, volume in (('folder', image), ('folder-sums', sums)):
        for at in range(0, len(volume), 1024):
            block = bytes(volume[at:at + 1024])
            if block[8:9] == b'.' and block[20:22] == b'..':
                save('ext_parse', name, head + b'\3' + block)
    tree = struct.pack('<IHBB', 2, 12, 1, 2) + b'.\0\0\0' + struct.pack('<IHBB', 2, 1012, 2, 2)
    tree += b'..\0\0' + struct.pack('<IBBBB', 0, 1, 8, 0, 0) + struct.pack('<HHI', 120, 2, 1)
    tree += struct.pack('<II', 99, 2)
    save('ext_parse', 'folder-tree', head + b'\3' + tree.ljust(1024, b'\0'))
    save('ext_parse', 'folder-node', head + b'\3' + (struct.pack('<IHBB', 0, 1024, 0, 0) +
         struct.pack('<HHI', 100, 2, 1) + struct.pack('<II', 99, 2)).ljust(1024, b'\0'))
    attrs = struct.pack('<BBHIII', 1, 1, 60, 0, 5, 0) + b'a\0\0\0'
    attrs += struct.pack('<BBHIII', 3, 6, 0, 13, 900, 0) + b'cap\0' + bytes(8)
    save('ext_parse', 'attributes', head + b'\4' + (b'\0' + attrs).ljust(80, b'v'))
    acl = struct.pack('<I', 1) + struct.pack('<HH', 1, 7) + struct.pack('<HHI', 2, 6, 1000)
    save('ext_parse', 'acl', head + b'\4\0' + acl + struct.pack('<HH', 32, 4))


def note(tag, value):
    return struct.pack('<HH', tag, len(value)) + value


def make_journal_blocks():
    super_2 = struct.pack('>9I', 0xc03b3998, 4, 0, 1024, 4096, 1, 7, 1, 0)
    super_2 += struct.pack('>3I', 0, 3, 0) + bytes(16) + struct.pack('>I', 1)
    tags = struct.pack('>III', 0xc03b3998, 1, 7) + struct.pack('>IHHI', 50, 0, 1, 0) + bytes(16)
    tags += struct.pack('>IHHI', 51, 0, 2 | 8, 0)
    save('ext_journal', 'log', b'\0' + super_2.ljust(1024, b'\0') + tags.ljust(1024, b'\0'))
    fast = super_2[:40] + struct.pack('>I', 0x33) + super_2[44:]
    save('ext_journal', 'log-fast', b'\0' + fast.ljust(1024, b'\0') + tags.ljust(1024, b'\0'))
    extent = struct.pack('<IHHI', 3, 4, 0, 600)
    inode = struct.pack('<HHI', 0o100644, 0, 5000) + bytes(24) + struct.pack('<I', 0x80000)
    notes = note(9, struct.pack('<II', 0, 7))
    notes += note(3, struct.pack('<II', 2, 13) + b'made') + note(4, struct.pack('<II', 2, 12) + b'x')
    notes += note(5, struct.pack('<II', 2, 12) + b'gone') + note(1, struct.pack('<I', 13) + extent)
    notes += note(2, struct.pack('<III', 13, 4, 1))
    notes += note(6, struct.pack('<I', 13) + inode.ljust(160, b'\0'))
    notes += note(1, struct.pack('<I', 13) + struct.pack('<IHHI', 4, 32770, 0, 700))
    notes += note(7, bytes(20))
    first = notes + struct.pack('<HH', 8, 1024 - len(notes) - 4) + bytes(8)
    second = note(9, struct.pack('<II', 0, 7)) + note(5, struct.pack('<II', 2, 13) + b'made')
    second += note(3, struct.pack('<II', 2, 14) + b'again')
    second += struct.pack('<HH', 8, 1024 - len(second) - 4) + bytes(8)
    save('ext_journal', 'fast', b'\1' + first.ljust(1024, b'\0') + second.ljust(1024, b'\0'))


def main():
    for name, (size, options) in VOLUMES.items():
        save('ext', name, sparse(make_volume(size, options)))
    with tempfile.TemporaryDirectory() as tmp:
        make_journals(tmp)
    make_parse()
    make_journal_blocks()


if __name__ == '__main__':
    main()
