#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Volumes that are recognised, but not read: type, label and UUID as blkid tells them; ls names
# them and ends with 5. Tools that are not here are left out; five kinds at least must be tried.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires blkid jq
tried=0

ask() { # FIELD: of the volume
	jq -r ".disks[0].volumes[0].$1 // \"\"" "$tmp/json"
}
probe() { # OURS BLKID'S-TYPE TOOL COMMAND...: makes $tmp/image and compares
	ours=$1
	theirs=$2
	tool=$3
	shift 3
	command -v "$tool" >/dev/null || {
		echo "not asked: $tool is not here"
		return 0
	}
	rm -f "$tmp/image"
	truncate -s 200M "$tmp/image"
	"$@" >"$tmp/log" 2>&1 || {
		cat "$tmp/log"
		fail "$*"
	}
	tried=$((tried + 1))
	[ "$(blkid -p -o value -s TYPE "$tmp/image")" = "$theirs" ] || fail "blkid: no $theirs"
	"$SHAREVM" show --json "$tmp/image" >"$tmp/json"
	[ "$(ask fs)" = "$ours" ] || fail "$ours: we say \"$(ask fs)\""
	for field in LABEL UUID; do
		want=$(blkid -p -o value -s $field "$tmp/image" || true)
		got=$(ask "$(echo $field | tr '[:upper:]' '[:lower:]')")
		[ "$got" = "$want" ] || fail "$ours: $field is \"$want\", we say \"$got\""
	done
	code=0
	"$SHAREVM" ls "$tmp/image:@disk0:/" >"$tmp/out" 2>&1 || code=$?
	if [ $code -ne 5 ] || ! grep -q "$ours\|LUKS" "$tmp/out"; then
		cat "$tmp/out"
		fail "$ours: ls ended with $code"
	fi
	echo "ok: $ours"
}
squash() {
	mkdir -p "$tmp/tree"
	echo x >"$tmp/tree/x"
	rm -f "$tmp/image"
	"$@" && truncate -s 1M "$tmp/image"
}

probe swap swap mkswap mkswap -L "swap label" "$tmp/image"
probe luks crypto_LUKS cryptsetup sh -c "echo pw | cryptsetup -q luksFormat --type luks2 \
	--label 'luks label' --pbkdf pbkdf2 --pbkdf-force-iterations 1000 '$tmp/image' -"
probe f2fs f2fs mkfs.f2fs mkfs.f2fs -l "f2fs ü label" "$tmp/image"
probe nilfs2 nilfs2 mkfs.nilfs2 mkfs.nilfs2 -L nilfslabel "$tmp/image"
probe jfs jfs mkfs.jfs mkfs.jfs -q -L jfslabel "$tmp/image"
probe reiserfs reiserfs mkreiserfs mkreiserfs -q -f -l reiserlabel "$tmp/image"
probe erofs erofs mkfs.erofs squash mkfs.erofs "$tmp/image" "$tmp/tree"
probe squashfs squashfs mksquashfs squash mksquashfs "$tmp/tree" "$tmp/image" -noappend
probe minix minix mkfs.minix mkfs.minix "$tmp/image"
probe bcache bcache make-bcache make-bcache -B "$tmp/image"
probe hfs hfs hformat hformat -l "hfs label" "$tmp/image"
[ "$tried" -ge 5 ] || skip "only $tried of the tools are installed"
