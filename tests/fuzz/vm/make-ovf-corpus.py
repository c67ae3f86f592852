#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the seeds of fuzz_ovf into corpus/ovf beside this script."""
import io
import os
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ('<References><File id="f1" href="one.vmdk"/><File id="f2" href="two%20x.vmdk" '
         'size="1"/></References><DiskSection><Info>x</Info><Disk diskId="d1" fileRef="f1" '
         'capacity="1"/><Disk diskId="d2" fileRef="f2"/></DiskSection>')


def envelope(inner):
    return f'<?xml version="1.0"?>\n<Envelope xmlns:ovf="o" xmlns:rasd="r">{inner}</Envelope>\n'


def item(**values):
    return "<Item>" + "".join(f"<rasd:{k}>{v}</rasd:{k}>" for k, v in values.items()) + "</Item>"


def system(items, name="<Name> My &amp; own </Name>"):
    return (f'<VirtualSystem ovf:id="vm"><Info/>{name}<VirtualHardwareSection>{items}'
            "</VirtualHardwareSection></VirtualSystem>")


DISK = {"ResourceType": 17, "Parent": 3, "AddressOnParent": 1, "HostResource": "ovf:/disk/d1"}
SEEDS = {
    "scsi": FILES + system(item(InstanceID=3, ResourceType=6, Address=0) + item(**DISK)),
    "ide": FILES + system(item(InstanceID=2, ResourceType=5) +
                          item(InstanceID=3, ResourceType=5) + item(**DISK)),
    "sata": FILES + system(item(InstanceId=3, ResourceType=20, Address="x") + item(**DISK)),
    "no-controller": FILES + system(item(**DISK), ""),
    "file": FILES + system(item(ResourceType=17, HostResource="ovf:/file/f2")),
    "not-described": FILES + system(item(ResourceType=17, HostResource="ovf:/disk/d7")),
    "no-type": FILES + system(item(ResourceType="disk", HostResource="ovf:/disk/d1")),
    "list-only": FILES,
    "draft": FILES + '<Content ovf:id="old"><Section/></Content>',
    "two": system("") + system(""),
    "packed": '<File id="f" href="x.gz" compression="gzip"/><Disk diskId="d" fileRef="f"/>',
    "chunks": '<File id="f" href="x" chunkSize="7"/><Disk diskId="d" fileRef="f"/>',
    "outside": '<File id="f" href="%2e%2e/x"/><Disk diskId="d" fileRef="f"/>',
    "url": '<File id="f" href="http://h/x"/><Disk diskId="d" fileRef="f"/>',
    "delta": '<Disk diskId="d" parentRef="e" fileRef="f"/>',
    "empty-disk": '<Disk diskId="d"/>',
    "deep": "<a>" * 70 + "</a>" * 70,
    "unfinished": "<File>",
}

folder = os.path.join(HERE, "corpus", "ovf")
os.makedirs(folder, exist_ok=True)
for seed, inner in SEEDS.items():
    with open(os.path.join(folder, seed), "w", encoding="utf-8") as f:
        f.write(envelope(inner))
for seed, text in {"no-xml": "hello", "other": "<html/>", "nothing": "",
                   "doctype": '<!DOCTYPE x [<!ENTITY a "a">]><Envelope>&a;</Envelope>'}.items():
    with open(os.path.join(folder, seed), "w", encoding="utf-8") as f:
        f.write(text)


def archive(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()[:8 * 512]


SCSI = envelope(SEEDS["scsi"]).encode()
for seed, data in {"ova": archive("a.ovf", SCSI), "ova-none": archive("a.txt", b"x"),
                   "ova-packed": archive("a.ovf", envelope(SEEDS["packed"]).encode()),
                   "ova-cut": archive("a.ovf", SCSI)[:700]}.items():
    with open(os.path.join(folder, seed), "wb") as f:
        f.write(data)
