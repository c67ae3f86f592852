#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of this room's fuzzers into corpus/ beside it. usage: make-corpus.py"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))

WORKSTATION = """\
.encoding = "windows-1252"
#!/usr/bin/vmware
config.version = "8"
displayName = "B\xfcro |22PC|22 |7C |0D|0A |00 |zz"
nvram = "Win10.nvram"
scsi0.present = "TRUE"
scsi0.sharedBus = "none"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "Win10.vmdk"
scsi0:0.redo = "./x.REDO"
scsi0:1.present = "TRUE"
scsi0:1.fileName = "sub\\data.vmdk"   # a comment
scsi0:1.mode = "independent-persistent"
scsi0:1.sharing = "multi-writer"
nvme0:0.present = "1"
nvme0:0.fileName = "c.vmdk"
nvme0:0.deviceType = "rawDisk"
ide1:0.present = "TRUE"
ide1:0.deviceType = "cdrom-image"
ide1:0.fileName = "tools.iso"
sata0:1.present = "TRUE"
sata0:1.fileName = "auto detect"
floppy0.fileType = "file"
floppy0.fileName = "boot.flp"
serial0.fileType = "file"
serial0.fileName = "/tmp/x"
bios440.filename = "rom"
ethernet0.generatedAddress = "00:0C:29:3A:5B:7C"
uuid.bios = "56 4d 3e 11 22 33 44 55-66 77 88 99 aa 3a 5b 7c"
checkpoint.vmState = ""
SCSI0:0.FILENAME = "Other.vmdk"
bare=word
broken = "x
"""

SNAPSHOTS = """\
.encoding = "UTF-8"
snapshot.lastUID = "3"
snapshot.current = "3"
snapshot0.uid = "1"
snapshot0.displayName = "clean"
snapshot0.clone0 = "/vm/a/a.vmx"
snapshot0.clone1 = "D:\\b.vmx"
snapshot2.uid = "3"
snapshot2.parent = "1"
snapshot2.type = "1"
snapshot2.displayName = "with |22Office|22"
snapshot99999999999.uid = "1"
snapshotx.uid = "1"
snapshot.numSnapshots = "2"
"""

SEEDS = {
    "vmx/workstation": WORKSTATION.replace("\n", "\r\n").encode("latin-1"),
    "vmx/fusion": b'\xef\xbb\xbf.encoding = "UTF-8"\ndisplayName = "B\xc3\xbcro"\n'
                  b'nvme0:0.present = "TRUE"\nnvme0:0.fileName = "V.vmdk"\n',
    "vmx/two-marks": b'\xef\xbb\xbf\xef\xbb\xbfa = "1"\n\xef\xbb\xbfb = "2"\n',
    "vmx/gbk": b'.encoding = "GBK"\r\ndisplayName = "\xd0\xe9\xc4\xe2"\r\n',
    "vmx/unknown-encoding": b'.encoding = "klingon"\ndisplayName = "\xd0"\n',
    "vmx/encrypted": b'encryption.keySafe = "vmware:key/list/(pair/(x))"\nvtpm.present = "TRUE"\n',
    "vmx/zero-byte": b'a = "\0"\n',
    "vmx/empty": b"",
    "vmsd/two": SNAPSHOTS.encode(),
    "vmsd/leading-zeros": b'snapshot0.uid = "1"\nsnapshot000.uid = "2"\n',
    "vmsd/none": b'.encoding = "UTF-8"\nsnapshot.current = "0"\n',
    "vmsd/clones": b"".join(b'snapshot0.clone%d = "c"\n' % i for i in range(20)),
    "vmsd/zero-byte": b"\0",
    "vmlock/windows": b"uuid=01-02-03-04-05-06-07-08-09-0a-0b-0c-0d-0e-0f-10 "
                      b"25156-134219857720971604(vmware.exe) 7 X 99 lc=1".ljust(512, b"\0"),
    "vmlock/swapped": b"uuid=04-03-02-01-06-05-08-07-09-0a-0b-0c-0d-0e-0f-10 2(x) 0 S",
    "vmlock/linux": b"rDH59AAMKREiMwAA 4194300-123(vmware-vmx) 0 X [ lc=5".ljust(512, b"\0"),
    "vmlock/alive": b"rDH59AAMKREiMwAA 1 0 S",
    "vmlock/elsewhere": b"host 1-2 0 S",
    "vmlock/bad-uuid": b"uuid=zz 1-2 0 S",
    "vmlock/words": b"a 1 0 X 5 6=6 7=7 8=8 9=9 a=a b=b c=c d=d e=e f=f g=g h=h",
    "vmlock/bad-property": b"a 1 0 X 5 6=",
    "vmlock/bad-type": b"a 1 0 Y",
    "vmlock/bad-number": b"a 1 x X",
    "vmlock/bad-process": b"a 1(x 0 X",
    "vmlock/empty": b"",
    "vmlock/long": b"a" * 5000,
}

for name, data in SEEDS.items():
    path = os.path.join(HERE, "corpus", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
