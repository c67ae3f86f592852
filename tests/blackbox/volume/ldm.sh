#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Windows dynamic disks of every kind, on MBR and GPT. make_ldm.py writes them; libldm lists them
# and has the Linux kernel put them together, which tells what they hold; then we read them, whole
# and with a disk missing, with damaged copies of the headers, and through the program.
#
#   ldm.sh VOLUMES
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
volumes=$1
requires ldmtool mkntfs ntfscp python3
make_ldm=$(dirname "$0")/make_ldm.py
disks="-d $tmp/d0 -d $tmp/d1 -d $tmp/d2"
size=16 # MiB of a disk
kinds="Single:simple:3:1 Long:spanned:5:0,2 Stripe:striped:6 Parity:raid5:6 Twin:mirrored:4:0,1"

same() { # LIST FACTS [NAME...]: our lines have the bytes and the sums of make_ldm.py's
	list=$1
	facts=$2
	shift 2
	[ $# -gt 0 ] || set -- Single Long Stripe Parity Twin
	for name; do
		read -r _ bytes sum <<-END
			$(grep "^$name " "$facts")
		END
		grep -q "^Test-Dg0/$name $bytes $sum " "$list" || {
			cat "$list"
			fail "$name: expected $bytes bytes with $sum"
		}
	done
}

for options in "" "--gpt --fragments"; do
	# shellcheck disable=SC2086
	python3 "$make_ldm" --size $size $options "$tmp/d0" "$tmp/d1" "$tmp/d2" -- $kinds >"$tmp/facts"
	# the judge: it is a database that libldm takes, with these volumes
	# shellcheck disable=SC2086
	ldmtool $disks scan >"$tmp/groups" 2>/dev/null || fail "ldmtool does not know the disks"
	group=$(tr -d '[]", \n' <"$tmp/groups")
	for name in Single Long Stripe Parity Twin; do
		# shellcheck disable=SC2086
		ldmtool $disks show volume "$group" "$name" 2>/dev/null | grep -q '"guid"' ||
			fail "ldmtool does not show $name ($options)"
	done
	"$volumes" "$tmp/d0" "$tmp/d1" "$tmp/d2" >"$tmp/ours"
	same "$tmp/ours" "$tmp/facts"
	"$volumes" "$tmp/d2" "$tmp/d1" >"$tmp/ours"
	same "$tmp/ours" "$tmp/facts" Single Parity Twin
	grep -q '^Test-Dg0/Stripe .* - dynamic disk Disk1 (.*) is missing' "$tmp/ours" ||
		fail "stripes were read without a disk"
	grep -q '^Test-Dg0/Parity .*degraded: no Disk1' "$tmp/ours" || fail "degraded, unsaid"
	"$volumes" "$tmp/d1" >"$tmp/ours"
	grep -q '^Test-Dg0/Parity .* - dynamic disk .* is missing' "$tmp/ours" ||
		fail "a RAID 5 was read from one of three disks"
	echo "ok: ${options:-mbr}: whole, and with disks missing"
done

# large sectors: libldm takes those of a file for 512 bytes, so the bytes alone tell
# shellcheck disable=SC2086
python3 "$make_ldm" --gpt --sector 4096 --size 32 "$tmp/d0" "$tmp/d1" "$tmp/d2" -- $kinds >"$tmp/facts"
"$volumes" "$tmp/d0" "$tmp/d1" "$tmp/d2" >"$tmp/ours"
same "$tmp/ours" "$tmp/facts"
echo "ok: sectors of 4096 bytes"

# damaged copies: the last options left a GPT; now an MBR
# shellcheck disable=SC2086
python3 "$make_ldm" --size $size "$tmp/d0" "$tmp/d1" "$tmp/d2" -- $kinds >"$tmp/facts"
zero() { dd if=/dev/zero of="$1" bs=512 seek="$2" count=1 conv=notrunc 2>/dev/null; }
config=$((size * 2048 - 2048))
zero "$tmp/d0" 6
zero "$tmp/d1" $((config + 1))
zero "$tmp/d1" $((config + 2))
zero "$tmp/d2" 6
zero "$tmp/d2" $((config + 1856))
"$volumes" "$tmp/d0" "$tmp/d1" "$tmp/d2" >"$tmp/ours"
same "$tmp/ours" "$tmp/facts"
zero "$tmp/d2" $((config + 2047))
"$volumes" "$tmp/d0" "$tmp/d1" "$tmp/d2" >"$tmp/ours"
same "$tmp/ours" "$tmp/facts" Single Parity Twin
grep -q '^ldm/disk2p1 .* - .*no copy of PRIVHEAD' "$tmp/ours" || fail "a lost disk is not named"
echo "ok: damaged copies of the headers"

# through the program: NTFS in a mirror, read from either disk alone; extend refuses
truncate -s 8M "$tmp/ntfs"
mkntfs -qF "$tmp/ntfs" 2>/dev/null
echo "in a mirror" >"$tmp/text"
ntfscp -f "$tmp/ntfs" "$tmp/text" text.txt
python3 "$make_ldm" --size $size "$tmp/d0" "$tmp/d1" -- Twin:mirrored:8:0,1:"$tmp/ntfs" >/dev/null
for k in 0 1; do
	check "reads a file of a mirror from disk $k" \
		sh -c "[ \"\$('$SHAREVM' cat '$tmp/d$k:@Test-Dg0/Twin:/text.txt')\" = 'in a mirror' ]"
done
"$SHAREVM" show "$tmp/d1" >"$tmp/page"
check "show tells what is missing" grep -q 'degraded: dynamic disk Disk1 is missing' "$tmp/page"
check_exit 5 "ls refuses the partition itself" "$SHAREVM" ls "$tmp/d0:@disk0p1:/"
check_exit 5 "extend refuses the volume" \
	"$SHAREVM" extend "$tmp/d0" --to 100M --volume Test-Dg0/Twin --dry-run
check_exit 5 "extend refuses the partition" \
	"$SHAREVM" extend "$tmp/d0" --to 100M --volume disk0p1 --dry-run

# the kernel's own view of what libldm makes of it
command -v qemu-system-x86_64 >/dev/null || exit 0
# shellcheck disable=SC2086
python3 "$make_ldm" --size $size "$tmp/d0" "$tmp/d1" "$tmp/d2" -- $kinds >"$tmp/facts"
cat >"$tmp/script" <<'END'
ldmtool -d /dev/vda -d /dev/vdb -d /dev/vdc create all >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
cd /dev/mapper
for f in ldm_vol_*; do
	echo "${f#ldm_vol_Test-Dg0_} $(blockdev --getsize64 $f) $(sha256sum <$f | cut -c 1-64)"
done
END
code=0
"$lib_dir/linux.sh" -t 300 -m dm-mod -m raid456 -m raid1 -m dm-raid -p ldmtool "$tmp/script" \
	"$tmp/d0" "$tmp/d1" "$tmp/d2" >"$tmp/kernel" || code=$?
[ $code -ne 77 ] || {
	echo "not asked: the kernel ($(cat "$tmp/kernel"))"
	exit 0
}
[ $code -eq 0 ] || {
	cat "$tmp/kernel"
	fail "the kernel could not put the volumes together (exit $code)"
}
sort "$tmp/facts" >"$tmp/expected"
sort "$tmp/kernel" | cmp "$tmp/expected" - || {
	cat "$tmp/expected" "$tmp/kernel"
	fail "the kernel reads something else"
}
echo "ok: the kernel reads the same"
