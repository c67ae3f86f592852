#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows what sharevm does, and proves it: makes a VMware machine whose 8 GB C: drive is 97 % full,
# gives it 60 GB, and lets other people's tools judge the result. Everything lies in demo/
# (12 GB at most) beside the sources; no root is needed. DEMO_SIZE and DEMO_TO change the sizes.
#
# The machine of an earlier run is used again where it is still as it was made.
# shellcheck disable=SC2034 # read by lib.sh
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
lib_dir=$top/tests/blackbox
demo=${DEMO_DIR:-$top/demo}
from=${DEMO_SIZE:-8G}
to=${DEMO_TO:-60G}
mkdir -p "$demo"
TMPDIR=$demo
export TMPDIR
. "$lib_dir/lib.sh"

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$(printf '\033[1m') green=$(printf '\033[32m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
else
	bold='' green='' red='' plain=''
fi

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", b - a }'; }
title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }

proofs=0 faults=0
# prove WHAT COMMAND...: a line with a mark and the time; what the command said, when it failed
prove() {
	what=$1
	shift
	[ ! -t 1 ] || printf '  ...  %s' "$what"
	begun=$(now)
	if "$@" >"$tmp/proof.log" 2>&1; then
		mark="${green}ok${plain} "
	else
		mark="${red}NO${plain} "
		faults=$((faults + 1))
	fi
	proofs=$((proofs + 1))
	[ ! -t 1 ] || printf '\r'
	printf '  %s  %-60s %8s\n' "$mark" "$what" "$(since "$begun")"
	[ "$mark" = "${green}ok${plain} " ] || sed 's/^/       /' "$tmp/proof.log" | tail -12
}

all_files() { # VOLUME MANIFEST: every file and named stream by 7-Zip; the sparse one by icat
	python3 "$top/tools/hash-with-7z.py" "$1" "$2" --without ProgramData/sparse.db || return 1
	inode=$(ifind -f ntfs -n /ProgramData/sparse.db "$1") || return 1
	[ "$(icat -f ntfs "$1" "$inode" | openssl dgst -sha256 -r | cut -c 1-64)" = \
		"$(sed -n 's|^\([0-9a-f]*\)  ProgramData/sparse.db$|\1|p' "$2")" ]
}

boots() { # DISK: it boots from C:, and the system in it finds its files
	timeout 300 qemu-system-x86_64 -machine pc,accel=tcg -m 1024 -nodefaults -no-user-config \
		-display none -vga std -no-reboot -serial "file:$tmp/serial" -nic none \
		-drive "file=$1,format=vmdk,if=ide,snapshot=on" || return 1
	grep -a 'sharevm-sample' "$tmp/serial"
	grep -aq 'sharevm-sample: all is well' "$tmp/serial"
}

gib() { awk -v n="$1" 'BEGIN { n /= 1073741824; printf n < 10 ? "%.2f GB" : "%.1f GB", n }'; }
field() { jq -r "$1" "$tmp/result.json"; }

# ---- the machine -----------------------------------------------------------------------------
begun_all=$(now)
sample=$demo/machine
title "1. A machine with a full C: drive"
if [ -f "$sample/layout.env" ] && . "$sample/layout.env" && [ -f "$demo/sums" ] &&
	[ "$made_for" = "$from" ] && judge_originals "$(dirname "$vmx")" "$demo/sums" >/dev/null; then
	echo "  The one of an earlier run is still as it was made; delete demo/ for a new one."
else
	rm -rf "$sample" "$demo/sums"
	begun=$(now)
	echo "  Made by mkntfs, ntfs-3g, sfdisk, qemu-img and GRUB; sharevm takes no part."
	"$top/tools/make-sample-vm.sh" "$sample" --size "$from" --boot
	echo "made_for=$from" >>"$sample/layout.env"
	. "$sample/layout.env"
	sums_of "$(dirname "$vmx")" >"$demo/sums"
	echo "  made in $(since "$begun")"
fi
manifest=$sample/manifest.sha256
rm -rf "$demo/extended"
title "2. sharevm show"
"$SHAREVM" show "$vmx"

# ---- the extension ---------------------------------------------------------------------------
title "3. sharevm extend --to $to --linked"
begun=$(now)
"$SHAREVM" extend "$vmx" --to "$to" --linked --yes --into "$demo/extended" --json \
	>"$tmp/result.json" 2>"$tmp/extend.err" || {
	cat "$tmp/extend.err"
	exit 1
}
took=$(since "$begun")
config=$(field .result.config)
result=$(dirname "$config")/$(sed -n 's/^scsi0:0.fileName = "\(.*\)"$/\1/p' "$config")

volume_of() { # VMX: "SIZE FREE" of the largest volume
	"$SHAREVM" show --json "$1" | jq -r '[.disks[].volumes[] | select(.fs == "ntfs")] |
		max_by(.size) | "\(.size) \(.free)"'
}
# shellcheck disable=SC2046 # two words each
set -- $(volume_of "$vmx") $(volume_of "$config")
printf '  %-24s %12s %12s\n' '' before after
printf '  %-24s %12s %12s\n' 'virtual disk' "$(gib "$disk_size")" "$(gib "$(field .plan.to)")"
printf '  %-24s %12s %12s\n' 'C:' "$(gib "$1")" "$(gib "$3")"
printf '  %-24s %12s %12s\n' 'free on C:' "$(gib "$2")" "$(gib "$4")"
printf '\n  %s%s%s, %s bytes written\n' "$bold" "$took" "$plain" "$(field .result.bytes_written)"

# ---- the proof -------------------------------------------------------------------------------
title "4. What other people's tools say of the result"
size_to=$(numfmt --from=iec "$to")
prove "qemu-img: the disk has $to, no fault in the chain" judge_chain "$result"
prove "qemu-img: the size is exact" judge_size "$result" "$size_to"
fuse_view "$result" "$tmp/view" "$c_start" "$3"
view=$tmp/view/c.raw
prove "ntfsresize, ntfsfix: no fault, every cluster accounted for" judge_ntfs "$view"
prove "ntfs-3g: C: fills its partition" judge_ntfs_fills "$view" "$sector"
prove "7-Zip: SHA-256 of all $(wc -l <"$manifest") files is as written" all_files "$view" "$manifest"
prove "QEMU: boots from C:, which finds its files from inside" boots "$result"
grep -a 'C: has' "$tmp/serial" | sed 's/.*sharevm-sample: /       the guest says: /' | tail -1
prove "openssl: SHA-256 of every original is as before" judge_originals \
	"$(dirname "$vmx")" "$demo/sums"
rm -f "$tmp/serial"

title "Result"
echo "  C: has $(gib "$3") now, it had $(gib "$1"); that took $took."
echo "  $((proofs - faults)) of $proofs proofs hold; all in $(since "$begun_all")."
echo "  look at it: build/sharevm show '$config'"
echo "  undo it:    build/sharevm rollback '$demo/extended'"
[ "$faults" -eq 0 ]
