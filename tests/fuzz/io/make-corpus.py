#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_tar into corpus/tar beside this script."""
import io
import os
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, content):
    folder = os.path.join(HERE, "corpus", "tar")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def archive(members, kind, **pax):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.pax_headers = pax
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()[:6 * 512 + 1024]


SMALL = (("a.ovf", b"<Envelope/>"), ("./d/disk.vmdk", b"x" * 600))
LONG = (("n" * 150, b"long"),)
save("ustar", archive(SMALL, tarfile.USTAR_FORMAT))
save("gnu-long", archive(LONG, tarfile.GNU_FORMAT))
save("pax-long", archive(LONG, tarfile.PAX_FORMAT))
save("ustar-prefix", archive((("p" * 90 + "/" + "q" * 50, b"divided"),), tarfile.USTAR_FORMAT))
save("pax-size", archive((("big", b"1"),), tarfile.PAX_FORMAT, size="5000"))
save("pax-sparse", archive((("s", b"1"),), tarfile.PAX_FORMAT, **{"GNU.sparse.major": "1"}))
save("cut-off", archive(SMALL, tarfile.USTAR_FORMAT)[:1800])
binary = bytearray(archive(SMALL, tarfile.USTAR_FORMAT))
binary[124:136] = b"\x80" + bytes(9) + b"\2\0"
save("binary-size", bytes(binary))
wrong = bytearray(archive(SMALL, tarfile.USTAR_FORMAT))
wrong[0] ^= 1
save("wrong-sum", bytes(wrong))
bad = bytearray(archive(SMALL, tarfile.USTAR_FORMAT))
bad[124:136] = b"-0000000012\0"
save("bad-size", bytes(bad))
for number, text in enumerate((b"12 path=abc\n9 size=1\n", b"13 path=abc\n", b"10 size=1x\n",
                               b"22 GNU.sparse.size=10\n")):
    save(f"records-{number}", text)
