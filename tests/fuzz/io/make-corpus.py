#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_tar and fuzz_broker into corpus/NAME beside this script."""
import io
import os
import struct
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, content, fuzzer="tar"):
    folder = os.path.join(HERE, "corpus", fuzzer)
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


def question(name, op, text=b"", data=b"", a=0, b=0, nsec=0):
    head = struct.pack("=4I2Q2q6I", op, len(text), len(data), 0, a, b, 0, 0, nsec, 0, 1, 0o644, 0, 0)
    save(name, head + text + data, "broker")


question("open", 0, b"/vm/a.vmx\0")
question("list", 2, b"/vm\0")
question("writer", 6, data=bytes(32))
question("recode", 8, b"windows-1252\0", b"caf\xe9\0")
question("leave", 12)
question("put", 16, b"a\0", b"content")
question("link", 17, b"a\0", b"b\0")
question("link-no-string", 17, b"a\0", b"b")
question("no-text", 0)
question("late", 12, nsec=1000000000)
question("beyond", 99)
