#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# btrfs over several disks in each profile, filled by the kernel: read whole, with a disk taken
# away, and with a disk full of damage. A file whose only copy is damaged is told, with the place,
# and the others are read.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkfs.btrfs btrfs losetup mount python3 jq
[ "$(id -u)" = 0 ] || skip "needs root"
grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null || skip "this kernel has no btrfs"
losetup -f >/dev/null 2>&1 || skip "no loop device"
manifest=$lib_dir/fs/manifest.py
mkdir "$tmp/mnt"
loops=
let_go() {
	umount "$tmp/mnt" 2>/dev/null || :
	for loop in $loops; do losetup -d "$loop" 2>/dev/null || :; done
	loops=
}
on_exit let_go

machine() { # NAME DISK...: $tmp/NAME.vmx with these raw disks
	vmx=$tmp/$1.vmx
	shift
	printf 'config.version = "8"\nscsi0.present = "TRUE"\n' >"$vmx"
	i=0
	for disk; do
		printf '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n' >"$disk.vmdk"
		printf 'createType="monolithicFlat"\nRW %s FLAT "%s" 0\n' \
			$(($(stat -c %s "$disk") / 512)) "$(basename "$disk")" >>"$disk.vmdk"
		printf 'scsi0:%s.present = "TRUE"\nscsi0:%s.fileName = "%s.vmdk"\n' \
			$i $i "$(basename "$disk")" >>"$vmx"
		i=$((i + 1))
	done
}

attach() { # DISK...
	for disk; do loops="$loops $(losetup -f --show "$disk")"; done
}

fill() {
	python3 - <<-'END'
		import os
		open('random', 'wb').write(os.urandom(3_000_001))
		open('numbers', 'w').write(''.join(f'{i:09}\n' for i in range(300000)))
		os.makedirs('many')
		for i in range(400):
		    open(f'many/file {i}', 'w').write(f'{i}' * i)
		with open('pieces', 'wb') as f:
		    for i in range(300):
		        f.seek(i * 70000)
		        f.write(bytes([i & 255]) * 20000)
	END
	btrfs -q subvolume create sub
	cp --reflink=always numbers sub/shared
}

compare() { # WHAT: of $vmx, with $tmp/want
	"$SHAREVM" cp "$vmx:/" - >"$tmp/out.tar" 2>"$tmp/cp.log" || {
		cat "$tmp/cp.log"
		fail "$1: cp"
	}
	python3 "$manifest" "$tmp/out.tar" >"$tmp/got"
	check "$1" diff "$tmp/want" "$tmp/got"
}

damage() { # DISK: all but its superblocks
	python3 - "$1" <<-'END'
		import os, sys
		with open(sys.argv[1], 'r+b') as f:
		    f.seek(1 << 20)
		    f.write(os.urandom(63 << 20))
		    f.seek((64 << 20) + 4096)
		    f.write(os.urandom(f.seek(0, 2) - (64 << 20) - 4096))
	END
}

one() { # NAME DISKS LOST MKFS-OPTION...: LOST: whole | computed | told: what remains without the last disk
	name=$1 n=$2 lost=$3
	shift 3
	set -- "$@" --
	disks=
	for i in $(seq "$n"); do
		truncate -s 150M "$tmp/$name$i.raw"
		disks="$disks $tmp/$name$i.raw"
	done
	# shellcheck disable=SC2086 # lists of names without spaces
	attach $disks
	# shellcheck disable=SC2086
	mkfs.btrfs -q -f "$@" $loops >"$tmp/mkfs.log" 2>&1 || {
		cat "$tmp/mkfs.log"
		fail "mkfs.btrfs $*"
	}
	btrfs device scan >/dev/null 2>&1 || :
	if ! mount -o compress=zstd "${loops##* }" "$tmp/mnt" 2>/dev/null; then
		echo "passed over: this kernel does not mount btrfs made with: $*"
		let_go
		return
	fi
	(cd "$tmp/mnt" && fill)
	sync -f "$tmp/mnt"
	python3 "$manifest" "$tmp/mnt" >"$tmp/want"
	let_go
	[ "$(wc -l <"$tmp/want")" -gt 400 ] || fail "$name: the kernel shows too little"
	# shellcheck disable=SC2086
	machine "$name" $disks
	compare "$name: all is as the kernel shows it"
	"$SHAREVM" show --json "$vmx" | jq -e '[.disks[].volumes[]] | (map(select(.fs == "btrfs" and
		(.problem // "") == "")) | length) == 1 and length == '"$n" >/dev/null ||
		fail "$name: show tells not one file system"
	# shellcheck disable=SC2086
	machine "$name-lost" ${disks% *}
	if [ "$lost" = computed ]; then
		compare "$name: without a disk all is computed from the others"
		# shellcheck disable=SC2086
		machine "$name-first-lost" ${disks#* * }
		compare "$name: nor is the first one needed"
	elif [ "$lost" = whole ]; then
		compare "$name: without a disk all is read from the copies"
		"$SHAREVM" show --json "$vmx" | grep -q missing || fail "$name: show says nothing"
		damage "$tmp/${name}1.raw"
		# shellcheck disable=SC2086
		machine "$name-damaged" $disks
		compare "$name: a disk full of damage is not believed"
	else
		code=0
		"$SHAREVM" cp "$vmx:/" - >"$tmp/out.tar" 2>"$tmp/cp.log" || code=$?
		[ "$code" -ne 0 ] || fail "$name: a disk is missing, and nothing is said"
		grep -q missing "$tmp/cp.log" || {
			cat "$tmp/cp.log"
			fail "$name: what is missing is not named"
		}
		echo "ok: $name: without a disk that is told"
	fi
	rm -f "$tmp/$name"*
}

one single 2 told -d single -m raid1
one raid0 3 told -d raid0 -m raid0
one raid1 2 whole -d raid1 -m raid1
one raid10 4 whole -d raid10 -m raid10
one raid1c3 3 whole -d raid1c3 -m raid1c3
one raid5 3 computed -d raid5 -m raid1
one raid6 4 computed -d raid6 -m raid6

# ---- damage without a copy ----

truncate -s 150M "$tmp/bad.raw"
mkfs.btrfs -q -d single -m dup "$tmp/bad.raw" >/dev/null 2>&1
mount -o loop "$tmp/bad.raw" "$tmp/mnt"
seq 100000 >"$tmp/mnt/first"
sed 's/^/marked for damage /' "$tmp/mnt/first" >"$tmp/mnt/second"
cp "$tmp/mnt/first" "$tmp/mnt-first"
umount "$tmp/mnt"
at() { grep -abo -m1 "$1" "$tmp/bad.raw" | head -1 | cut -d: -f1; }
place=$(at 'marked for damage 99999')
begin=$(at 'marked for damage 1')
printf X | dd of="$tmp/bad.raw" bs=1 seek="$place" conv=notrunc 2>/dev/null
sector=$((place / 4096 * 4096))
check_exit 7 "a file with a wrong checksum is told" "$SHAREVM" cp "$tmp/bad.raw:/" "$tmp/out"
check "the file beside it" cmp "$tmp/mnt-first" "$tmp/out/first"
"$SHAREVM" cat "$tmp/bad.raw:/second" >"$tmp/got" 2>"$tmp/cat.log" && fail "cat shows damage"
grep -q "$(printf 'offset 0x%x: byte %d .*the checksum of data is 0x.*, expected 0x' "$sector" \
	$((sector - begin)))" "$tmp/cat.log" || {
	cat "$tmp/cat.log"
	fail "the checksum and its place are not told"
}
