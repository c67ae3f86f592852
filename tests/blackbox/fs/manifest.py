#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints a line for each object below a folder, sorted, with all that a copy should keep: type,
mode, owners, size, time, content's SHA-256, target, device, extended attributes, and which
other name is the same object.

usage: manifest.py FOLDER
       manifest.py FILE.tar     the same of a tar archive, whose first folder is left out
"""
import decimal
import hashlib
import os
import stat
import sys
import tarfile


def attributes(path):
    found = []
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith('trusted.SGI_ACL'):
            continue  # how XFS keeps what system.posix_acl_* shows
        value = os.getxattr(path, name, follow_symlinks=False)
        found.append(f'{name}={hashlib.sha256(value).hexdigest()[:16]}')
    return ','.join(found) or '-'


def describe(path, st):
    kind = stat.S_IFMT(st.st_mode)
    if kind == stat.S_IFREG:
        with open(path, 'rb') as f:
            return f'file {st.st_size} {hashlib.file_digest(f, "sha256").hexdigest()}'
    if kind == stat.S_IFLNK:
        return f'link {os.readlink(path)!r}'
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        return f'device {kind == stat.S_IFBLK} {os.major(st.st_rdev)}:{os.minor(st.st_rdev)}'
    return {stat.S_IFDIR: 'folder', stat.S_IFIFO: 'fifo', stat.S_IFSOCK: 'socket'}[kind]


def of_folder(top):
    os.chdir(top)
    names = []
    for folder, folders, files in os.walk('.'):
        names += [os.path.join(folder, n) for n in folders + files]
    first = {}
    for path in sorted(names):
        st = os.lstat(path)
        what = describe(path, st)
        mode = 0 if what.startswith('link') else stat.S_IMODE(st.st_mode)
        same = '-'
        if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
            same = first.setdefault((st.st_dev, st.st_ino), path)
        time = 0 if what.startswith('link') else st.st_mtime_ns
        print(f'{path!r} {mode:o} {st.st_uid}:{st.st_gid} {time} {same} {attributes(path)} {what}')


def describe_member(tar, m):
    if m.isreg():
        return f'file {m.size} {hashlib.sha256(tar.extractfile(m).read()).hexdigest()}'
    if m.issym():
        return f'link {m.linkname!r}'
    if m.ischr() or m.isblk():
        return f'device {m.isblk()} {m.devmajor}:{m.devminor}'
    return 'folder' if m.isdir() else 'fifo'


def attributes_of_member(m):
    found = []
    for key in sorted(m.pax_headers):
        if key.startswith('SCHILY.xattr.'):
            value = m.pax_headers[key].encode('utf-8', 'surrogateescape')
            name = key.removeprefix('SCHILY.xattr.')
            found.append(f'{name}={hashlib.sha256(value).hexdigest()[:16]}')
    return ','.join(found) or '-'


def of_tar(path):
    tar = tarfile.open(path, encoding='utf-8', errors='surrogateescape')
    members = {}
    for m in tar:
        members[m.name.rstrip('/')] = m
    inside = {n: './' + n.split('/', 1)[1] for n in members if '/' in n}
    groups = {}
    for n, m in members.items():
        if m.islnk():
            groups.setdefault(m.linkname, [m.linkname]).append(n)
    same = {n: min(inside[k] for k in g) for g in groups.values() for n in g}
    for n in sorted(inside, key=lambda k: inside[k]):
        m = members[members[n].linkname] if members[n].islnk() else members[n]
        what = describe_member(tar, m)
        mode = 0 if m.issym() else m.mode
        time = 0 if m.issym() else int(decimal.Decimal(m.pax_headers['mtime']) * 10**9)
        print(f'{inside[n]!r} {mode:o} {m.uid}:{m.gid} {time} {same.get(n, "-")} '
              f'{attributes_of_member(m)} {what}')


def main():
    if os.path.isdir(sys.argv[1]):
        of_folder(sys.argv[1])
    else:
        of_tar(sys.argv[1])


main()
