#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The broken volumes that btrfs-progs tests its tools with (tests/ of its source package, which
# SHAREVM_BTRFS_PROGS names): each is shown, listed, copied and searched without a crash or a
# hang, within the memory that browsing may take.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires xz timeout btrfs-image

source=${SHAREVM_BTRFS_PROGS:-$top/../shared/btrfs-progs}
[ -d "$source/tests/fuzz-tests" ] ||
	skip "no source of btrfs-progs ($source; SHAREVM_BTRFS_PROGS names it: apt-get source btrfs-progs)"

# sane WHAT COMMAND...: it ends by itself, in time, with a code that the manual tells
sane() {
	what=$1
	shift
	code=0
	timeout -k 5 120 "$@" >"$tmp/out" 2>"$tmp/err" || code=$?
	case $code in
	0 | 1 | 5 | 7) ;;
	*)
		tail -20 "$tmp/err"
		fail "$what: exit $code of $*"
		;;
	esac
	# an error says what is wrong (show: within its page); and memory was left in peace
	[ $code -eq 0 ] || [ -s "$tmp/err" ] || grep -q '! disk0' "$tmp/out" || fail "$what: exit $code without a word, of $*"
	! grep -E 'AddressSanitizer|runtime error|LeakSanitizer' "$tmp/err" || fail "$what: of $*"
}

unpack() { # PACKED IMAGE: false where it is none
	case $1 in
	*.img.xz | *.raw.xz) xz -dc "$1" >"$2" 2>/dev/null ;;
	*.img) btrfs-image -r "$1" "$2" >/dev/null 2>&1 ;;
	*) false ;;
	esac
}

images=0 readable=0
find "$source/tests" -name '*.img' -o -name '*.img.xz' -o -name '*.raw.xz' | sort >"$tmp/list"
while read -r packed; do
	rm -f "$tmp/image"
	unpack "$packed" "$tmp/image" || continue
	name=$(basename "$(dirname "$packed")")/$(basename "$packed")
	images=$((images + 1))
	sane "$name" "$SHAREVM" show "$tmp/image" </dev/null
	sane "$name" "$SHAREVM" ls -R -l "$tmp/image:/" </dev/null
	[ $code -ne 0 ] || readable=$((readable + 1))
	# a damaged size makes a stream as long as it says: the beginning is enough
	sane "$name" sh -c '"$0" cp "$1" - | head -c 100000000' "$SHAREVM" "$tmp/image:/" </dev/null
	sane "$name" "$SHAREVM" find "$tmp/image:/" </dev/null
done <"$tmp/list"
[ $images -gt 50 ] || fail "only $images images below $source"
echo "ok: $images images, $readable of them list without a complaint"
