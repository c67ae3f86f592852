#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# image create, convert, map and compare as a person uses them: what they print, their JSON,
# their exit codes, and that nothing stays behind.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/../cli/checks.sh"
requires qemu-img qemu-io

# ---- create
run 0 image create disk.vmdk --size 40M
has out "disk.vmdk: vmdk monolithicSparse, 40M"
qemu-io -c 'write -P 17 1M 3M' -c 'write -P 34 20M 70k' disk.vmdk >/dev/null
run 1 image create disk.vmdk --size 40M
run 2 image create other.vmdk
has err "add --size"
run 2 image create other --size 40M
has err "vmdk"
run 2 image create other.vmdk --size 40M --subformat round
has err monolithicFlat
run 0 image create top.qcow2 --parent disk.vmdk --json
is out 'd["virtual_size"]' $((40 << 20))
check "qemu-img opens the new chain" judge_chain top.qcow2
run 0 image create dry.vmdk --size 1G -n
has out "Would make"
[ ! -e dry.vmdk ] || bad "a dry run has made an image"
run 5 image create large.vhd --size 3T
has err "2040 GiB"

# ---- convert
run 0 image convert -n disk.vmdk new.qcow2
has out "new.qcow2"
[ ! -e new.qcow2 ] || bad "a dry run has made an image"
run 0 image convert disk.vmdk new.qcow2
has out "new.qcow2: qcow2, 40M"
check "qemu-img sees the same disk" judge_same_guest disk.vmdk new.qcow2
[ ! -e new.qcow2.partial ] || bad "a .partial folder is left"
run 1 image convert disk.vmdk new.qcow2
has err "there is a file of this name already"
run 0 image convert disk.vmdk new.img --json
is out 'd["result"]["read"]' $(((3 << 20) + (128 << 10)))
is out 'd["plan"]["images"][0]["virtual_size"]' $((40 << 20))
check "qemu-img sees the same disk in raw" judge_same_guest disk.vmdk new.img
run 0 image convert top.qcow2 new.vmdk --subformat twoGbMaxExtentSparse -q
empty out
check "qemu-img sees the same disk in parts" judge_same_guest disk.vmdk new.vmdk
qemu-img snapshot -c monday new.qcow2
qemu-io -c 'write -P 51 30M 1M' new.qcow2 >/dev/null
run 0 image convert new.qcow2@monday monday.vmdk
check "a snapshot is what it was" judge_same_guest disk.vmdk monday.vmdk
run 2 image convert disk.vmdk
run 2 image convert disk.vmdk x.vmdk --flatten --keep-chain

# a disk in use: QEMU holds its locks
qemu-io -c 'sleep 5000' disk.vmdk >/dev/null &
user=$!
sleep 1
run 3 image convert disk.vmdk busy.img
kill $user
wait $user || :

# ---- a raw disk in parts; a format that is only known by its name
split -b 16M -a 3 --numeric-suffixes=1 new.img parts.
run 0 image info parts.001
has out "split raw"
run 0 image convert parts.001 whole.qcow2
check "qemu-img sees the same disk, joined" judge_same_guest disk.vmdk whole.qcow2
run 2 image info parts.002
has err "parts.001"
mv parts.002 away
run 1 image info parts.001
has err "parts.002: this part of a split disk is missing"
qemu-img create -q -f qed disk.qed 1M
run 5 image info disk.qed
has err "qemu-img convert -f qed"

# ---- packed raw disks, read where they are
for packer in gzip xz 'zstd -q'; do
	$packer -c <new.img >new.img.packed
	run 0 image info new.img.packed
	has out "${packer% *} raw"
	run 0 image convert new.img.packed "from-$packer.qcow2"
	check "qemu-img sees the same disk, unpacked" judge_same_guest disk.vmdk "from-$packer.qcow2"
	run 0 image check new.img.packed
	truncate -s -100 new.img.packed
	run 8 image check new.img.packed
done
run 1 image info new.img.packed
has err "cut off"

# ---- compare
run 0 image compare disk.vmdk monday.vmdk
has out equal
run 8 image compare disk.vmdk new.qcow2
has out "different from byte 0x1e00000"
run 8 image compare disk.vmdk new.qcow2 --json
is out 'd["first_difference"]' $((30 << 20))
run 0 image create long.img --size 50M
run 0 image create short.img --size 40M
run 0 image compare long.img short.img
has out "zeros behind the shorter one"
run 8 image compare long.img short.img --strict
has out "in size alone"

# ---- map: the sums of the pieces are the disk, and the data are where qemu-img sees them
run 0 image map top.qcow2
has out "link 1:"
run 0 image map disk.vmdk --json
is out 'sum(e["length"] for e in d["extents"])' $((40 << 20))
is out 'sum(e["length"] for e in d["extents"] if e["kind"] == "data")' $(((3 << 20) + (128 << 10)))
qemu-img map --output=json disk.vmdk >qemu.json
cat >places.py <<-'END'
	import json, sys
	ours = json.load(open(sys.argv[1]))["extents"]
	want = {(e["start"], e["offset"]) for e in json.load(open(sys.argv[2])) if e["data"]}
	got = {(e["start"], e["host_offset"]) for e in ours if e["kind"] == "data"}
	sys.exit(not got <= want)
END
check "qemu-img finds the data at the same places" python3 places.py out qemu.json
run 0 image map disk.vmdk --plain
lacks out START
echo "all passed"
