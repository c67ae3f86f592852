#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a mounted NTFS volume with a tree like that of a Windows machine, and keeps the list of
SHA-256 sums of what it wrote. The same seed writes the same bytes.

usage: sample-tree.py tree ROOT MANIFEST FILES [HIVES]   a fresh tree of about FILES files
       sample-tree.py change ROOT MANIFEST STAGE         what a user does after a snapshot
       sample-tree.py noise FILE BYTES SEED              one large file; prints its sum

MANIFEST is in the format of sha256sum, with paths below ROOT; a named stream has its own line,
"path:stream". HIVES is a folder with registry hives to put where Windows has them.
"""
import hashlib
import os
import random
import struct
import sys

BLOCK = 4096
CHUNK = 4 << 20
COMPRESSED = 0x800  # FILE_ATTRIBUTE_COMPRESSED

SYLLABLES = ("net win sys drv api ms adv crypt shell user gdi kern ole com rpc dns tcp usb pci "
             "wlan audio video print task cert perf event log disk vol").split()
PEOPLE = ["Anna", "Björn", "Дарья", "渡辺 健", "Zoë 😀"]


class Manifest:
    """path -> sum; written back sorted, so that two runs can be compared."""

    def __init__(self, path):
        self.path = path
        self.sums = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.sums = {line[66:].rstrip("\n"): line[:64] for line in f}

    def save(self):
        with open(self.path, "w", encoding="utf-8") as f:
            for name in sorted(self.sums):
                f.write(f"{self.sums[name]}  {name}\n")


class Noise:
    """Bytes that do not compress and differ in every 4 KiB block: the block's number and the
    seed are stamped into each, so a block that lands elsewhere is found."""
    pool = bytearray(random.Random(1).randbytes(CHUNK))

    def __init__(self, seed):
        self.seed = seed
        self.number = 0

    def chunk(self, size):
        for at in range(0, min(size, CHUNK), BLOCK):
            struct.pack_into("<QQ", self.pool, at, self.seed, self.number)
            self.number += 1
        return memoryview(self.pool)[:size]

    def chunks(self, size):
        while size:
            step = min(size, CHUNK)
            yield self.chunk(step)
            size -= step


def text_of(rng, size):
    words = [rng.choice(SYLLABLES) for _ in range(64)]
    line = " ".join(words).encode() + b"\r\n"
    return (line * (size // len(line) + 1))[:size]


class Tree:
    def __init__(self, root, manifest):
        self.root = root
        self.manifest = manifest

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        self.manifest.sums[name] = hashlib.sha256(data).hexdigest()

    def write_noise(self, name, size, seed):
        self.write(name, bytes(Noise(seed).chunk(size)) if size <= CHUNK
                   else b"".join(bytes(c) for c in Noise(seed).chunks(size)))

    def stream(self, name, stream, data):
        os.setxattr(self.path(name), f"user.{stream}", data)
        self.manifest.sums[f"{name}:{stream}"] = hashlib.sha256(data).hexdigest()

    def remove(self, name):
        os.unlink(self.path(name))
        for key in [k for k in self.manifest.sums if k == name or k.startswith(name + ":")]:
            del self.manifest.sums[key]

    def rehash(self, name):
        h = hashlib.sha256()
        with open(self.path(name), "rb") as f:
            while data := f.read(CHUNK):
                h.update(data)
        self.manifest.sums[name] = h.hexdigest()

    def compressed_folder(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        raw = os.getxattr(self.path(name), "system.ntfs_attrib")
        (bits,) = struct.unpack("=I", raw)
        os.setxattr(self.path(name), "system.ntfs_attrib", struct.pack("=I", bits | COMPRESSED))


def size_of(rng):
    """Most files are small, a few are not: as on a system volume."""
    kind = rng.random()
    if kind < 0.15:
        return rng.randrange(0, 700)  # lies within its MFT record
    if kind < 0.80:
        return rng.randrange(700, 24 << 10)
    return rng.randrange(24 << 10, 160 << 10)


def system_files(tree, rng, n):
    folders = ["Windows/System32", "Windows/System32/drivers", "Windows/SysWOW64",
               "Windows/Fonts", "Program Files/Common Files/System",
               "Program Files (x86)/Notes/bin"]
    folders += [f"Windows/WinSxS/amd64_{rng.choice(SYLLABLES)}-{rng.choice(SYLLABLES)}_"
                f"{rng.randrange(1 << 64):016x}_6.1.7601.{i}_none_{rng.randrange(1 << 64):016x}"
                for i in range(max(n // 40, 1))]
    for i in range(n):
        name = f"{rng.choice(SYLLABLES)}{rng.choice(SYLLABLES)}{i}"
        end = rng.choice([".dll", ".exe", ".sys", ".mui", ".inf", ".cat"])
        tree.write_noise(f"{rng.choice(folders)}/{name}{end}", size_of(rng), 1000 + i)


def user_files(tree, rng, n):
    for i in range(n):
        person = rng.choice(PEOPLE)
        folder = rng.choice(["Documents", "Desktop", "Pictures/Urlaub – Ĝenevo", "文档"])
        tree.write(f"Users/{person}/{folder}/{rng.choice(SYLLABLES)} {i}.txt",
                   text_of(rng, size_of(rng)))


def odd_files(tree, rng):
    """What a reader or writer of NTFS is apt to get wrong."""
    tree.write("Users/Anna/" + "n" * 251 + ".txt", b"the longest name\r\n")
    tree.write("Users/Anna/" + "長" * 70 + ".txt", text_of(rng, 3000))
    tree.write("Users/Anna/empty.txt", b"")
    deep = "Users/Anna/deep/" + "/".join(f"level {i}" for i in range(40))
    tree.write(deep + "/bottom.txt", b"forty levels down\r\n")
    for i in range(300):  # an index of several blocks
        tree.write(f"ProgramData/many/file with a rather long name {i:04}.dat", b"%d" % i)
    tree.compressed_folder("Windows/Logs")
    for i in range(4):
        tree.write(f"Windows/Logs/CBS/log{i}.log", text_of(rng, 300_000 + i))
    tree.write("Users/Anna/with streams.docx", text_of(rng, 20_000))
    tree.stream("Users/Anna/with streams.docx", "Zone.Identifier",
                b"[ZoneTransfer]\r\nZoneId=3\r\n")
    tree.stream("Users/Anna/with streams.docx", "large", bytes(Noise(7).chunk(50_000)))
    sparse = tree.path("ProgramData/sparse.db")
    with open(sparse, "wb") as f:
        for i in range(8):
            f.seek(i * (1 << 20))
            f.write(Noise(50 + i).chunk(8192))
    tree.rehash("ProgramData/sparse.db")


def hives(tree, folder):
    for name in ("SYSTEM", "SOFTWARE"):
        with open(os.path.join(folder, name), "rb") as f:
            tree.write(f"Windows/System32/config/{name}", f.read())


def make_tree(root, manifest, n_files, hive_folder):
    rng = random.Random(2026)
    tree = Tree(root, manifest)
    if hive_folder:
        hives(tree, hive_folder)
    system_files(tree, rng, n_files * 3 // 4)
    user_files(tree, rng, n_files // 4)
    odd_files(tree, rng)


def change_tree(root, manifest, stage):
    """Some files go, some come, some are overwritten in part, a folder is renamed away."""
    rng = random.Random(9000 + stage)
    tree = Tree(root, manifest)
    plain = sorted(n for n in manifest.sums if n.endswith((".dll", ".txt")) and
                   n.startswith(("Windows/SysWOW64", "Users")) and os.path.isfile(tree.path(n)))
    for name in rng.sample(plain, min(20, len(plain) // 4)):
        tree.remove(name)
    for name in rng.sample(sorted(n for n in plain if n in manifest.sums), 10):
        with open(tree.path(name), "r+b") as f:
            f.seek(rng.randrange(0, 5000))
            f.write(b"changed in stage %d" % stage)
        tree.rehash(name)
    for i in range(30):
        tree.write_noise(f"Windows/SoftwareDistribution/stage {stage}/update{i}.cab",
                         size_of(rng), stage * 10_000 + i)


def make_noise(path, size, seed):
    h = hashlib.sha256()
    with open(path, "wb", buffering=0) as f:
        for chunk in Noise(seed).chunks(size):
            h.update(chunk)
            f.write(chunk)
    print(h.hexdigest())


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "noise":
        make_noise(args[0], int(args[1]), int(args[2]))
        return
    manifest = Manifest(args[1])
    if what == "tree":
        make_tree(args[0], manifest, int(args[2]), args[3] if len(args) > 3 else None)
    elif what == "change":
        change_tree(args[0], manifest, int(args[2]))
    else:
        sys.exit(__doc__)
    manifest.save()


if __name__ == "__main__":
    main()
