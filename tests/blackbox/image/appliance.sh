#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Appliances (.ova, .ovf) as a person uses them: shown, listed, read and converted in place, and
# refused where they cannot be. GNU tar packs them; qemu-img and cmp are the judges.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/../cli/checks.sh"
requires qemu-img tar mke2fs

mkdir -p tree/dir
echo "read in place" >tree/dir/file.txt
mke2fs -q -t ext4 -d tree disk.raw 32M
run 0 image convert disk.raw 'my disk.vmdk' --subformat streamOptimized
check "qemu-img reads the stream" qemu-img compare -q disk.raw 'my disk.vmdk'
cp disk.raw twin.raw
printf x | dd of=twin.raw bs=1 seek=20000 conv=notrunc 2>/dev/null
if qemu-img compare -q twin.raw 'my disk.vmdk'; then bad "the judge takes a broken twin"; fi

describe() { # HREF ATTRIBUTES
	cat <<-END
		<?xml version="1.0"?>
		<Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r">
		<References><File ovf:id="f1" ovf:href="$1" $2/></References>
		<DiskSection><Disk ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection>
		<VirtualSystem ovf:id="box"><Name>The box</Name><VirtualHardwareSection>
		<Item><rasd:Address>0</rasd:Address><rasd:InstanceID>3</rasd:InstanceID>
		<rasd:ResourceType>6</rasd:ResourceType></Item>
		<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:Parent>3</rasd:Parent>
		<rasd:HostResource>ovf:/disk/d1</rasd:HostResource>
		<rasd:ResourceType>17</rasd:ResourceType></Item>
		</VirtualHardwareSection></VirtualSystem></Envelope>
	END
}

describe 'my%20disk.vmdk' '' >box.ovf
for format in ustar gnu pax; do
	tar --format=$format -cf box.ova box.ovf 'my disk.vmdk'
	before=$(sha256sum box.ova)
	run 0 show box.ova
	has out "The box"
	has out "my disk.vmdk"
	run 0 show box.ova --json
	is out 'd["disks"][0]["id"]' scsi0:0
	is out 'd["vm"]["hypervisor"]' ovf
	run 0 ls box.ova:/dir
	has out file.txt
	run 0 cat box.ova:/dir/file.txt
	has out "read in place"
	run 0 image check 'box.ova/my disk.vmdk'
	rm -f out.raw
	run 0 image convert 'box.ova/my disk.vmdk' out.raw
	check "the disk in the archive ($format) is the disk" cmp out.raw disk.raw
	[ "$before" = "$(sha256sum box.ova)" ] || bad "the archive was written to"
done
run 0 show box.ovf
has out "The box"
run 0 cat box.ovf:/dir/file.txt
has out "read in place"

# ---- refused
run 5 extend box.ova --to 64M --yes
has err "package for transport"
run 2 image info box.ova
has err "sharevm show"
run 1 image info box.ova/other.vmdk
has err "no file \"other.vmdk\" is in the archive"
gzip -c 'my disk.vmdk' >disk.vmdk.gz
describe disk.vmdk.gz 'ovf:compression="gzip"' >packed.ovf
tar -cf packed.ova packed.ovf disk.vmdk.gz
run 5 show packed.ova
has err "its file is packed"
has err "gzip -dc"
head -c 40000 box.ova >cut.ova
run 1 show cut.ova
has err "copy or download it again"
describe '../disk.raw' '' >outside.ovf
run 5 show outside.ovf
has err "outside the appliance"
