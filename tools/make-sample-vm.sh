#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a VMware machine with a full NTFS volume, with other people's tools only: mkntfs,
# ntfs-3g, ntfscp, sfdisk, fdisk, qemu-img, GRUB. Nothing of sharevm takes part, so that what is
# made can judge sharevm.
#
#   tools/make-sample-vm.sh OUTDIR [OPTION...]
#     --size SIZE       of the disk (8G; with --small 256M)
#     --table T         mbr | mbr-logical | gpt | gpt4k (4096-byte sectors)
#     --subformat F     monolithicSparse | monolithicFlat | twoGbMaxExtentSparse | twoGbMaxExtentFlat
#     --chain N         links of the disk's chain: the base and N-1 snapshots (2)
#     --before SIZE     a partition of that size, never written, lies before C:; added to --size
#     --fill PERCENT    how full C: is (97)
#     --files N         about how many small files (4000; with --small 250)
#     --boot            C: boots a small Linux that checks C: from inside (mbr only)
#     --name NAME       of the machine ("Windows 7")
#     --small           defaults for tests: made in a few seconds
#
# Leaves in OUTDIR: NAME/ with the machine (.vmx .vmsd .vmdk ...), manifest.sha256 with the sum
# of each file of C: (named streams as "path:stream"), layout.env with what a judge must know
# (where C: lies, sector size). Needs /dev/fuse; root is not needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

size=8G table=mbr subformat=twoGbMaxExtentSparse chain=2 before=0 fill=97 files=4000
boot=no name="Windows 7" volume_label=Windows

die() {
	echo "make-sample-vm: $*" >&2
	exit 1
}

[ $# -gt 0 ] || die "where to? usage: tools/make-sample-vm.sh OUTDIR [OPTION...]"
out=$1
shift
while [ $# -gt 0 ]; do
	case $1 in
	--small) size=256M files=250 ;;
	--boot) boot=yes ;;
	--size | --table | --subformat | --chain | --before | --fill | --files | --name)
		[ $# -gt 1 ] || die "$1 needs a value"
		declare "${1#--}=$2"
		shift
		;;
	*) die "unknown option $1" ;;
	esac
	shift
done
[ ! -e "$out" ] || [ -z "$(ls -A "$out")" ] || die "$out is not empty"
[ -e /dev/fuse ] || die "no /dev/fuse: ntfs-3g cannot mount the volume"

bytes() { numfmt --from=iec "$1"; }

size=$(($(bytes "$size") + $(bytes "$before")))
before=$(bytes "$before")
mib=$((1 << 20))
sector=512
[ "$table" != gpt4k ] || sector=4096
links=$subformat # of the snapshots: never flat
case $subformat in
monolithic*) links=monolithicSparse ;;
twoGb*) links=twoGbMaxExtentSparse ;;
*) die "unknown subformat $subformat" ;;
esac

mkdir -p "$out/$name"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$out/.work-XXXXXX")
mounter=
finish() {
	[ -z "$mounter" ] || unmount
	rm -rf "$work" "${noise-}"
}
trap finish EXIT
mkdir "$work/mnt"
manifest=$out/manifest.sha256

say() { [ -n "${QUIET-}" ] || echo "  $*"; }
# a line that the next one replaces, on a terminal; without text it is wiped
tick() { [ -n "${QUIET-}" ] || [ ! -t 1 ] || printf '\r\033[K%s' "${1:+  $1}"; }

# A large file exists for a moment before it goes into the volume: in memory, where there is room.
noise=$work/noise
if [ "$(df --output=avail -m /dev/shm 2>/dev/null | tail -1)" -gt 2000 ] 2>/dev/null; then
	noise=$(mktemp /dev/shm/sharevm-noise-XXXXXX)
fi

# ---- the table -------------------------------------------------------------------------------
# Written to an empty disk of the right size; head and tail are then cut from it, and the volume
# is put between them by a VMDK descriptor: nothing is copied to assemble the disk.

# Each table_ function writes the script of its tool and sets c_start, c_size and c_index.
line() { printf '%s\n' "$*" >>"$work/script"; }

dos_entry() { # START SIZE REST, in bytes
	line "start=$(($1 / 512)), size=$(($2 / 512)), $3"
}

table_mbr() {
	c_start=$((mib + before)) c_index=$((before > 0 ? 2 : 1))
	c_size=$((size - c_start))
	line "label: dos"
	[ "$before" -eq 0 ] || dos_entry $mib "$before" type=12
	dos_entry "$c_start" "$c_size" "type=7, bootable"
	sfdisk -q "$1" <"$work/script"
}

# A small primary, then an extended partition to the end of the disk; each logical one starts
# 1 MiB behind the record that describes it.
table_mbr_logical() {
	local extended=$((17 * mib))
	c_start=$((extended + mib + (before > 0 ? before + mib : 0)))
	c_size=$((size - c_start)) c_index=$((before > 0 ? 6 : 5))
	line "label: dos"
	dos_entry $mib $((16 * mib)) "type=7, bootable"
	dos_entry $extended $((size - extended)) type=f
	[ "$before" -eq 0 ] || dos_entry $((extended + mib)) "$before" type=7
	dos_entry "$c_start" "$c_size" type=7
	sfdisk -q "$1" <"$work/script"
}

gpt_entry() { # INDEX START SIZE, in bytes
	printf '%s\n' n "$1" $(($2 / sector)) $((($2 + $3) / sector - 1)) >>"$work/script"
}

# fdisk and not sfdisk: it knows 4096-byte sectors of a file. Types are given by their GUIDs:
# EFI system, Microsoft reserved, Microsoft basic data.
table_gpt() {
	local esp=$((32 * mib)) msr=$((16 * mib))
	local efi_type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
	local msr_type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE
	local data_type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
	c_start=$((mib + esp + msr + before)) c_index=$((before > 0 ? 4 : 3))
	c_size=$((size - mib - c_start))
	line g
	gpt_entry 1 $mib $esp
	gpt_entry 2 $((mib + esp)) $msr
	[ "$before" -eq 0 ] || gpt_entry 3 $((mib + esp + msr)) "$before"
	gpt_entry $c_index "$c_start" "$c_size"
	printf '%s\n' t 1 $efi_type t 2 $msr_type t $c_index $data_type >>"$work/script"
	[ "$before" -eq 0 ] || printf '%s\n' t 3 $data_type >>"$work/script"
	line w
	fdisk -b "$sector" -w always -W always "$1" <"$work/script" >"$work/fdisk.log" 2>&1 ||
		die "fdisk: $(tail -1 "$work/fdisk.log")"
}

make_table() {
	truncate -s "$size" "$work/table.raw"
	case $table in
	mbr) table_mbr "$work/table.raw" ;;
	mbr-logical) table_mbr_logical "$work/table.raw" ;;
	gpt | gpt4k) table_gpt "$work/table.raw" ;;
	*) die "unknown table $table" ;;
	esac
	truncate -s "$c_start" "$work/head.raw"
	dd if="$work/table.raw" of="$work/head.raw" bs=1M conv=sparse,notrunc \
		count=$((c_start / mib)) status=none
	dd if="$work/table.raw" of="$work/tail.raw" bs=1M conv=sparse status=none \
		skip=$(((c_start + c_size) / mib))
	truncate -s $((size - c_start - c_size)) "$work/tail.raw"
	rm "$work/table.raw"
}

# The assembled disk, as a descriptor over three plain files.
make_disk() {
	truncate -s "$c_size" "$work/c.raw"
	{
		printf '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n'
		printf 'createType="twoGbMaxExtentFlat"\n'
		for part in head c tail; do
			local n
			n=$(stat -c %s "$work/$part.raw")
			[ "$n" -eq 0 ] || printf 'RW %d FLAT "%s.raw" 0\n' $((n / 512)) "$part"
		done
		printf 'ddb.adapterType = "lsilogic"\n'
	} >"$work/disk.vmdk"
}

# ---- the volume ------------------------------------------------------------------------------
format_volume() {
	mkntfs -F -Q -q -L "$volume_label" -c 4096 -s "$sector" -p $((c_start / sector)) \
		-H 255 -S 63 "$work/c.raw" >"$work/mkntfs.log" 2>&1 ||
		die "mkntfs: $(tail -1 "$work/mkntfs.log")"
}

unmount() {
	"$here/unmount-ntfs.sh" "$work/mnt"
	wait "$mounter" # the volume is whole only when ntfs-3g has ended
	mounter=
}

with_volume() { # COMMAND...: with C: mounted on $work/mnt
	ntfs-3g -o no_detach,noatime,big_writes,compression,streams_interface=xattr \
		"$work/c.raw" "$work/mnt" 2>"$work/ntfs-3g.log" &
	mounter=$!
	until mountpoint -q "$work/mnt"; do
		kill -0 $mounter 2>/dev/null || die "ntfs-3g: $(tail -1 "$work/ntfs-3g.log")"
		sleep 0.02
	done
	"$@"
	unmount
}

free_bytes() { # that must be used until C: is PERCENT full
	python3 - "$work/mnt" "$1" <<-'PY'
		import os, sys
		v = os.statvfs(sys.argv[1])
		used = v.f_blocks - v.f_bfree
		print(max(0, int(v.f_blocks * float(sys.argv[2]) / 100) - used) * v.f_frsize)
	PY
}

measure() { free_bytes "$1" >"$work/want"; }

# Large files go in by ntfscp, several times faster than through a mount. It cannot allocate
# across some layouts of free space ("No space left"); the mount then can.
put_large() { # FROM TO
	ntfscp -q -f "$work/c.raw" "$1" "$2" 2>"$work/ntfscp.log" ||
		with_volume cp "$1" "$work/mnt/$2"
}

add_large_files() { # STAGE PERCENT
	local want n=0 step sum path all
	with_volume measure "$2"
	want=$(cat "$work/want")
	all=$want
	while [ "$want" -gt $((2 * mib)) ]; do
		step=$((want - mib < 512 * mib ? want - mib : 512 * mib))
		path="ProgramData/media/recording $1-$n.vob"
		sum=$(python3 "$here/sample-tree.py" noise "$noise" "$step" $((100000 + 1000 * $1 + n)))
		put_large "$noise" "$path"
		printf '%s  %s\n' "$sum" "$path" >>"$manifest"
		rm "$noise"
		want=$((want - step))
		n=$((n + 1))
		tick "large files: $((100 - want * 100 / all)) %"
	done
	tick
}

first_stage() {
	python3 "$here/sample-tree.py" tree "$work/mnt" "$manifest" "$files" ${hives:+"$hives"}
	mkdir -p "$work/mnt/ProgramData/media"
	if [ "$boot" = yes ]; then
		"$here/make-boot-files.sh" "$work/boot" "$manifest"
		cp -r "$work/boot/on-c/." "$work/mnt/"
		(cd "$work/boot/on-c" && find . -type f -printf '%P\0' | xargs -0 sha256sum) >>"$manifest"
	fi
}

put_boot_code() {
	dd if="$work/boot/mbr.img" of="$work/head.raw" conv=notrunc status=none
	dd if="$work/boot/core.img" of="$work/head.raw" bs=512 seek=1 conv=notrunc status=none
}

later_stage() { python3 "$here/sample-tree.py" change "$work/mnt" "$manifest" "$1"; }

# Registry hives (45 MB) that other projects publish, where a copy lies beside the tree and C: is
# large enough for them.
unpack_hives() {
	local corpus=${SHAREVM_CORPUS:-$here/../../shared/corpus}
	hives=
	[ -f "$corpus/plaso/SYSTEM.xz" ] && [ "$size" -ge $((200 * mib)) ] || return 0
	hives=$work/hives
	mkdir "$hives"
	xz -dc "$corpus/plaso/SYSTEM.xz" >"$hives/SYSTEM"
	xz -dc "$corpus/plaso/SOFTWARE.xz" >"$hives/SOFTWARE"
}

# ---- the chain -------------------------------------------------------------------------------
link_name() { # of link I: 0 is the base
	if [ "$1" -eq 0 ]; then echo "$name.vmdk"; else printf '%s-%06d.vmdk\n' "$name" "$1"; fi
}

publish_base() {
	qemu-img convert -t unsafe -f vmdk -O vmdk -o "subformat=$subformat,adapter_type=lsilogic" \
		"$work/disk.vmdk" "$out/$name/$(link_name 0)"
}

# The difference between the disk as it is now and the last link becomes a new link: rebase
# compares the two, convert keeps to what rebase found.
publish_link() {
	local parent
	parent=$(link_name $(($1 - 1)))
	qemu-img create -q -f qcow2 -b "$work/disk.vmdk" -F vmdk "$work/delta.qcow2"
	qemu-img rebase -t unsafe -f qcow2 -b "$out/$name/$parent" -F vmdk "$work/delta.qcow2"
	(cd "$out/$name" && qemu-img convert -t unsafe -f qcow2 -O vmdk -B "$parent" -F vmdk \
		-o "subformat=$links,adapter_type=lsilogic" "$work/delta.qcow2" "$(link_name "$1")")
	rm "$work/delta.qcow2"
}

# ---- the machine's configuration, as VMware Workstation writes it ------------------------------
write_vmx() {
	cat <<-END
		.encoding = "UTF-8"
		config.version = "8"
		virtualHW.version = "19"
		mks.enable3d = "TRUE"
		pciBridge0.present = "TRUE"
		pciBridge4.present = "TRUE"
		pciBridge4.virtualDev = "pcieRootPort"
		pciBridge4.functions = "8"
		vmci0.present = "TRUE"
		hpet0.present = "TRUE"
		nvram = "$name.nvram"
		displayName = "$name"
		guestOS = "windows7"
		memsize = "2048"
		numvcpus = "2"
		cpuid.coresPerSocket = "2"
		scsi0.virtualDev = "lsisas1068"
		scsi0.present = "TRUE"
		scsi0:0.fileName = "$(link_name $((chain - 1)))"
		scsi0:0.present = "TRUE"
		sata0.present = "TRUE"
		sata0:1.deviceType = "cdrom-raw"
		sata0:1.fileName = "auto detect"
		sata0:1.present = "TRUE"
		sata0:1.autodetect = "TRUE"
		floppy0.present = "FALSE"
		ethernet0.connectionType = "nat"
		ethernet0.addressType = "generated"
		ethernet0.virtualDev = "e1000"
		ethernet0.present = "TRUE"
		ethernet0.generatedAddress = "00:0c:29:5e:aa:01"
		ethernet0.generatedAddressOffset = "0"
		extendedConfigFile = "$name.vmxf"
		uuid.bios = "56 4d 7c 1f 4a 33 0b 90-8d 52 ee 1a 3c 5e aa 01"
		uuid.location = "56 4d 7c 1f 4a 33 0b 90-8d 52 ee 1a 3c 5e aa 01"
		cleanShutdown = "TRUE"
		softPowerOff = "TRUE"
	END
	[ "$table" = mbr ] || [ "$table" = mbr-logical ] || echo 'firmware = "efi"'
}

write_vmsd() {
	local i
	echo '.encoding = "UTF-8"'
	[ "$chain" -gt 1 ] || return 0
	printf 'snapshot.lastUID = "%d"\nsnapshot.current = "%d"\n' $((chain - 1)) $((chain - 1))
	for ((i = 0; i < chain - 1; i++)); do
		cat <<-END
			snapshot$i.uid = "$((i + 1))"
			snapshot$i.filename = "$name-Snapshot$((i + 1)).vmsn"
			snapshot$i.displayName = "Snapshot $((i + 1))"
			snapshot$i.createTimeHigh = "387640"
			snapshot$i.createTimeLow = "-15963$i"
			snapshot$i.numDisks = "1"
			snapshot$i.disk0.fileName = "$(link_name "$i")"
			snapshot$i.disk0.node = "scsi0:0"
		END
		[ "$i" -eq 0 ] || echo "snapshot$i.parent = \"$i\""
	done
	printf 'snapshot.numSnapshots = "%d"\n' $((chain - 1))
}

# ---- all of it -------------------------------------------------------------------------------
[ "$boot" = no ] || [ "$table" = mbr ] || die "--boot needs --table mbr"
unpack_hives
make_table
make_disk
format_volume
say "$(numfmt --to=iec "$size") disk, $table, C: of $(numfmt --to=iec "$c_size")"
with_volume first_stage
[ "$boot" = no ] || put_boot_code
add_large_files 0 $((chain > 1 ? fill - 10 : fill))
say "base written: $(wc -l <"$manifest") files"
publish_base
for ((link = 1; link < chain; link++)); do
	with_volume later_stage "$link"
	add_large_files "$link" $((link == chain - 1 ? fill : fill - 10 + link))
	publish_link "$link"
	say "snapshot $link written: $(wc -l <"$manifest") files"
done
LC_ALL=C sort -k 2 -o "$manifest" "$manifest"

write_vmx >"$out/$name/$name.vmx"
write_vmsd >"$out/$name/$name.vmsd"
cat >"$out/layout.env" <<-END
	vmx='$out/$name/$name.vmx'
	disk='$out/$name/$(link_name $((chain - 1)))'
	table=$table
	subformat=$subformat
	chain=$chain
	sector=$sector
	disk_size=$size
	c_start=$c_start
	c_size=$c_size
	c_index=$c_index
END
say "C: is $fill % full"
