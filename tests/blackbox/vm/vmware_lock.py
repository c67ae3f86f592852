#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMware's own lock code (lib/file of open-vm-tools, in libvmtools.so.0 of Debian's package
open-vm-tools) as a judge of ours.

    vmware_lock.py probe              0 when the library is here, else 77
    vmware_lock.py locked FILE        0 when VMware finds a lock on FILE, else 1
    vmware_lock.py take FILE          0 when VMware gets the lock at once (and gives it back)
    vmware_lock.py hold FILE          says "held" and holds it until its input ends
    vmware_lock.py race FILE TIMES OWNER   takes it so many times; see lockhold.c
"""
import ctypes
import errno
import os
import sys
import time


def load():
    try:
        lib = ctypes.CDLL(os.environ.get("SHAREVM_VMTOOLS", "libvmtools.so.0"))
        lib.FileLock_Lock.restype = ctypes.c_void_p
        return lib
    except (OSError, AttributeError):
        return None


LIB = load()


def lock(path):
    """The lock's token, or None where somebody else has it."""
    err, messages = ctypes.c_int(0), ctypes.c_void_p(0)
    token = LIB.FileLock_Lock(os.fsencode(path), ctypes.c_char(0), ctypes.c_uint32(0),
                              ctypes.byref(err), ctypes.byref(messages))
    if not token and err.value not in (0, errno.EAGAIN):
        sys.exit(f"FileLock_Lock({path}): {os.strerror(err.value)}")
    return token


def unlock(token):
    err, messages = ctypes.c_int(0), ctypes.c_void_p(0)
    LIB.FileLock_Unlock(ctypes.c_void_p(token), ctypes.byref(err), ctypes.byref(messages))


def is_locked(path):
    err, messages = ctypes.c_int(0), ctypes.c_void_p(0)
    return bool(LIB.FileLock_IsLocked(os.fsencode(path), ctypes.byref(err),
                                      ctypes.byref(messages)))


def take(path):
    token = lock(path)
    if token:
        unlock(token)
    return 0 if token else 1


def hold(path):
    token = lock(path)
    if not token:
        return 1
    print("held", flush=True)
    sys.stdin.read()
    unlock(token)
    return 0


def work_alone(owner):
    try:
        os.close(os.open(owner, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        sys.exit(f"{owner}: somebody else has the lock, too")
    time.sleep(0.002)
    os.unlink(owner)


def race(path, times, owner):
    had = tried = 0
    os.close(os.open(owner + ".start", os.O_WRONLY))
    while had < times:
        token = lock(path)
        tried += 1
        if token:
            work_alone(owner)
            unlock(token)
            had += 1
        time.sleep(0.001)
    print(f"had it {had} times of {tried}")
    return 0


def main(verb, *args):
    if LIB is None:
        return 77
    if verb == "probe":
        return 0
    if verb == "locked":
        return 0 if is_locked(args[0]) else 1
    if verb == "race":
        return race(args[0], int(args[1]), args[2])
    return {"take": take, "hold": hold}[verb](args[0])


sys.exit(main(*sys.argv[1:]))
