#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package databases in the forms that no tool of this machine writes.

make-packages.py ndb DB.sqlite OUT      the headers of rpm's SQLite database as "Packages.db"
make-packages.py bdb DB.sqlite OUT      as a text that db5.3_load makes a "Packages" of
make-packages.py wal DB.sqlite DIR      a copy that was cut before its log was brought in: one
                                        package fewer
make-packages.py journal DB.sqlite DIR  one that was cut within a transaction that removed all
"""
import os
import shutil
import sqlite3
import struct
import sys
import zlib

BLOCK, PAGE = 16, 4096


def headers(path):
    with sqlite3.connect(path) as db:
        return db.execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()


def ndb(rows, out):
    """rpm's lib/backend/ndb/rpmpkg.c: slots, then blobs in blocks of 16 bytes"""
    slots, blobs, at = b"", b"", PAGE // BLOCK
    for index, blob in rows:
        head = struct.pack("<4sIII", b"BlbS", index, 1, len(blob))
        blocks = -(-(len(head) + len(blob) + 12) // BLOCK)
        body = (head + blob).ljust(blocks * BLOCK - 12, b"\0")
        blobs += body + struct.pack("<II4s", zlib.adler32(body), len(blob), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", index, at, blocks)
        at += blocks
    slots += b"Slot".ljust(16, b"\0") * ((PAGE - 32 - len(slots)) // 16)
    header = struct.pack("<4sIIII12x", b"RpmP", 0, len(rows), 1, rows[-1][0] + 1)
    with open(out, "wb") as f:
        f.write(header + slots + blobs)


def bdb(rows, out):
    with open(out, "w", encoding="ascii") as f:
        f.write("VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n")
        f.write(f" 00000000\n {struct.pack('=I', rows[-1][0]).hex()}\n")
        for index, blob in rows:
            f.write(f" {struct.pack('=I', index).hex()}\n {blob.hex()}\n")
        f.write("DATA=END\n")


def crash(path, folder, mode, change):
    """What lies on the disk while a program with these changes is at work."""
    work = os.path.join(folder, "work")
    os.makedirs(work)
    shutil.copy(path, f"{work}/rpmdb.sqlite")
    db = sqlite3.connect(f"{work}/rpmdb.sqlite", isolation_level=None)
    db.execute(f"PRAGMA journal_mode = {mode}")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA cache_size = 1")  # pages go to the file before the end
    for statement in change:
        db.execute(statement)
    for name in os.listdir(work):
        if not name.endswith("-shm"):
            shutil.copy(f"{work}/{name}", folder)
    db.close()
    shutil.rmtree(work)


what, source, target = sys.argv[1:]
if what == "ndb":
    ndb(headers(source), target)
elif what == "bdb":
    bdb(headers(source), target)
elif what == "wal":
    crash(source, target, "wal",
          ["DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)"])
elif what == "journal":
    crash(source, target, "delete",
          ["BEGIN", "UPDATE Packages SET blob = zeroblob(length(blob))", "DELETE FROM Packages",
           "CREATE TABLE filler (x)", "INSERT INTO filler VALUES (zeroblob(200000))"])
else:
    sys.exit(__doc__)
