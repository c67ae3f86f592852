#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: compare-trees.py A B [--seconds]

Are two folders the same by names, types, modes, owners, devices, link groups, sizes, content,
times, targets and extended attributes? Prints what differs and exits 1; --seconds: times by
whole seconds. A folder lost+found at the top does not count, nor do times of the two folders
themselves."""

import hashlib
import os
import stat
import sys


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def content(path, st):
    if stat.S_ISREG(st.st_mode):
        return st.st_size, digest(path)
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        return st.st_rdev
    return None


def attributes(path):
    return sorted((name, os.getxattr(path, name, follow_symlinks=False))
                  for name in os.listxattr(path, follow_symlinks=False))


def objects(top):
    found, groups = {}, {}
    for folder, dirs, files in os.walk(top):
        if folder == top and b'lost+found' in dirs:
            dirs.remove(b'lost+found')
        for name in dirs + files:
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, top)
            st = os.lstat(path)
            links = None if stat.S_ISDIR(st.st_mode) else (st.st_dev, st.st_ino)
            groups.setdefault(links, []).append(rel)
            found[rel] = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns,
                          content(path, st), attributes(path), links]
    for facts in found.values():
        if facts[-1]:
            facts[-1] = sorted(groups[facts[-1]])
        if '--seconds' in sys.argv:
            facts[3] //= 10 ** 9
    return found


def main():
    a, b = (objects(os.fsencode(path.rstrip('/'))) for path in sys.argv[1:3])
    names = ['mode', 'uid', 'gid', 'mtime', 'content', 'attributes', 'second names']
    faults = 0
    for path in sorted(a.keys() | b.keys()):
        if path not in a or path not in b:
            faults += 1
            print('%s: only in %s' % (path, sys.argv[1 if path in a else 2]))
            continue
        for name, x, y in zip(names, a[path], b[path]):
            if x != y:
                faults += 1
                print('%s: %s %s, %s' % (path, name, x, y))
    print('%d objects, %d differences' % (len(a), faults))
    sys.exit(1 if faults or not a else 0)


main()
