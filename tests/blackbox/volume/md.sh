#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# md arrays of every level and layout, made and filled by the Linux kernel, read by us: whole,
# and with as many disks missing as the level bears. The kernel tells each array's SHA-256.
#
#   md.sh VOLUMES [NAME]...        only the arrays of these names (see the list below)
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
volumes=$1
shift
requires mdadm sfdisk qemu-system-x86_64
disks=6
size=8 # MiB of a member

# name | level | members | metadata | how many may be missing | more of mdadm's options
cat >"$tmp/all" <<-'END'
	r0 raid0 5 1.2 0 --chunk=64
	r1 raid1 2 1.0 1
	r4 raid4 4 1.2 1 --chunk=32
	r5la raid5 4 1.2 1 --chunk=16 --layout=left-asymmetric
	r5ra raid5 4 1.2 1 --chunk=16 --layout=right-asymmetric
	r5ls raid5 5 1.1 1 --chunk=64 --layout=left-symmetric
	r5rs raid5 4 1.2 1 --chunk=16 --layout=right-symmetric
	r5pf raid5 3 1.2 1 --chunk=16 --layout=parity-first
	r5pl raid5 3 1.2 1 --chunk=16 --layout=parity-last
	r6ls raid6 6 1.2 2 --chunk=64 --layout=left-symmetric
	r6la raid6 5 1.2 2 --chunk=16 --layout=left-asymmetric
	r6ra raid6 5 1.2 2 --chunk=16 --layout=right-asymmetric
	r6rs raid6 5 1.2 2 --chunk=16 --layout=right-symmetric
	r6dz raid6 5 1.2 2 --chunk=16 --layout=ddf-zero-restart
	r6dr raid6 5 1.2 2 --chunk=16 --layout=ddf-N-restart
	r6dc raid6 5 1.2 2 --chunk=16 --layout=ddf-N-continue
	r6l6 raid6 5 1.2 2 --chunk=16 --layout=left-symmetric-6
	r10n raid10 5 1.2 1 --chunk=64 --layout=n2
	r10n3 raid10 5 1.2 2 --chunk=16 --layout=n3
	r10f raid10 4 1.2 1 --chunk=64 --layout=f2
	r10o raid10 5 1.2 1 --chunk=16 --layout=o2
	lin linear 4 1.2 0
	old5 raid5 4 0.90 1 --chunk=64
	old1 raid1 3 0.90 2
END
if [ $# -gt 0 ]; then
	for name; do
		grep "^$name " "$tmp/all" || fail "no array is called $name"
	done >"$tmp/arrays"
else
	mv "$tmp/all" "$tmp/arrays"
fi

# a partition of each disk for each array
count=$(wc -l <"$tmp/arrays")
{
	echo 'label: gpt'
	i=0
	while [ "$i" -lt "$count" ]; do
		echo "size=${size}MiB"
		i=$((i + 1))
	done
} >"$tmp/table"
paths=
i=0
while [ "$i" -lt "$disks" ]; do
	truncate -s $((count * size + 4))M "$tmp/disk$i"
	sfdisk -q "$tmp/disk$i" <"$tmp/table"
	paths="$paths $tmp/disk$i"
	i=$((i + 1))
done

# In the little Linux: makes each, fills it, says its sum. Member k of array i is partition i of
# disk k; the arrays are called by their names.
{
	echo 'fail() { echo "failed: $*"; exit 1; }'
	i=0
	while read -r name level members metadata _ options; do
		i=$((i + 1))
		parts=
		k=0
		for letter in a b c d e f; do
			[ "$k" -lt "$members" ] && parts="$parts /dev/vd$letter$i"
			k=$((k + 1))
		done
		[ "$metadata" = 0.90 ] || options="$options --name=$name --homehost=any"
		[ "$level" = raid0 ] || [ "$level" = linear ] || options="$options --assume-clean"
		cat <<-END
			mdadm --create /dev/md$i --run --level=$level --raid-devices=$members \\
				--metadata=$metadata $options $parts >/tmp/out 2>&1 ||
				{ cat /tmp/out; fail $name; }
			dd if=/dev/urandom of=/dev/md$i bs=64k 2>/dev/null
			sync
			echo "$name \$(sha256sum </dev/md$i | cut -c 1-64) \$(cat /sys/block/md$i/size)"
			mdadm --stop /dev/md$i >/dev/null 2>&1 || fail "stopping $name"
		END
	done <"$tmp/arrays"
} >"$tmp/script"
code=0
# shellcheck disable=SC2086
"$lib_dir/linux.sh" -t 500 -m raid456 -m raid1 -m raid10 -m raid0 -m linear -p mdadm \
	"$tmp/script" $paths >"$tmp/kernel" || code=$?
[ $code -ne 77 ] || skip "$(cat "$tmp/kernel")"
[ $code -eq 0 ] || {
	cat "$tmp/kernel"
	fail "the kernel could not make the arrays (exit $code)"
}


# without FIRST [SECOND]: the disks with these two taken out
without() {
	list=
	k=0
	while [ "$k" -lt "$disks" ]; do
		if [ "$k" = "$1" ] || [ "$k" = "${2:-}" ]; then
			list="$list -"
		else
			list="$list $tmp/disk$k"
		fi
		k=$((k + 1))
	done
	echo "$list"
}

# all arrays at once: the list that our program prints is made once per set of disks
look() { # SET...
	# shellcheck disable=SC2046,SC2086
	"$volumes" $(without "$@") >"$tmp/ours-${1:-}-${2:-}"
}
look none
for k in 0 1 2 3 4; do
	look $k
	for other in 0 1 2 3 4; do
		[ "$other" -le "$k" ] || look $k "$other"
	done
done

compare() { # LIST NAME BYTES SUM
	grep -q "^md/$2 $3 $4 " "$1" && return
	grep "^md/$2 " "$1" || echo "no array $2 in $1"
	fail "$2: expected $3 bytes with $4 (${1##*/})"
}
i=0
while read -r name _ members metadata missing _; do
	i=$((i + 1))
	read -r _ sum sectors <<-END
		$(grep "^$name " "$tmp/kernel")
	END
	bytes=$((sectors * 512))
	[ "$metadata" = 0.90 ] && name=$i
	compare "$tmp/ours-none-" "$name" "$bytes" "$sum"
	k=0
	while [ "$missing" -gt 0 ] && [ "$k" -lt "$members" ] && [ "$k" -lt 5 ]; do
		compare "$tmp/ours-$k-" "$name" "$bytes" "$sum"
		other=$((k + 1))
		while [ "$missing" -gt 1 ] && [ "$other" -lt "$members" ] && [ "$other" -lt 5 ]; do
			compare "$tmp/ours-$k-$other" "$name" "$bytes" "$sum"
			other=$((other + 1))
		done
		k=$((k + 1))
	done
	echo "ok: $name: whole and with $missing missing"
done <"$tmp/arrays"

# too many are missing: named, not guessed
grep -q '^md/r5ls .* - .*are missing' "$tmp/ours-0-1" || fail "r5ls was built of three of five"
echo "ok: an array with too many disks missing is named"
