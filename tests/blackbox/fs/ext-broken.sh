#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The broken volumes that e2fsprogs tests e2fsck with (tests/*/image.gz of its source package,
# which SHAREVM_E2FSPROGS names): each is shown, listed, copied and walked without a crash or a
# hang, and what e2fsck made whole lists as many files as debugfs and the kernel see.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires gunzip timeout e2fsck debugfs

source=${SHAREVM_E2FSPROGS:-$top/../shared/e2fsprogs}
[ -d "$source/tests/f_lpf" ] ||
	skip "no source of e2fsprogs ($source; SHAREVM_E2FSPROGS names it: apt-get source e2fsprogs)"

# sane WHAT COMMAND...: it ends by itself, in time, with a code that the manual tells
sane() {
	what=$1
	shift
	code=0
	timeout -k 5 300 "$@" >"$tmp/out" 2>"$tmp/err" || code=$?
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

images=0 readable=0
for packed in "$source"/tests/*/image.gz; do
	name=$(basename "$(dirname "$packed")")
	gunzip -c "$packed" >"$tmp/image" 2>/dev/null || continue
	images=$((images + 1))
	sane "$name" "$SHAREVM" show "$tmp/image"
	sane "$name" "$SHAREVM" ls -R -l "$tmp/image:/" </dev/null
	[ $code -ne 0 ] || readable=$((readable + 1))
	# a damaged size makes a stream as long as it says: the beginning is enough
	sane "$name" sh -c '"$0" cp "$1" - | head -c 100000000' "$SHAREVM" "$tmp/image:/" </dev/null
	sane "$name" "$SHAREVM" cp --archive "$tmp/image:/" "$tmp/copy"
	rm -rf "$tmp/copy"
done
[ $images -gt 100 ] || fail "only $images images below $source"
echo "ok: $images images, $readable of them list without a complaint"

# debugfs dumps all 60 bytes that an inode has for a short file's content, whatever the file's
# size is; the kernel reads up to the size (ext4_read_inline_page), and so do we. The judge's
# files are cut to the size that it tells itself.
cut_inline() { # IMAGE DIR
	find "$2" -type f -size -61c | while IFS= read -r file; do
		size=$(debugfs -R "stat \"${file#"$2"}\"" "$1" 2>/dev/null | sed -n 's/.*Size: \([0-9]*\)$/\1/p' | head -1)
		[ -z "$size" ] || [ "$(stat -c %s "$file")" -le "$size" ] || truncate -s "$size" "$file"
	done
}

# what e2fsck has made whole is read without a complaint, and is what debugfs reads
whole=0
for packed in "$source"/tests/*/image.gz; do
	name=$(basename "$(dirname "$packed")")
	gunzip -c "$packed" >"$tmp/image" 2>/dev/null || continue
	e2fsck -fy "$tmp/image" >/dev/null 2>&1 || :
	e2fsck -fy "$tmp/image" >/dev/null 2>&1 || :
	e2fsck -fn "$tmp/image" >/dev/null 2>&1 || continue
	"$SHAREVM" cp -q --archive "$tmp/image:/" "$tmp/ours" >"$tmp/err" 2>&1 || {
		cat "$tmp/err"
		fail "$name, made whole by e2fsck, cannot be copied"
	}
	mkdir "$tmp/theirs"
	debugfs -R "rdump / $tmp/theirs" "$tmp/image" >/dev/null 2>&1
	cut_inline "$tmp/image" "$tmp/theirs"
	(cd "$tmp/ours" && find . -type f -exec sha256sum {} + | sort) >"$tmp/a"
	(cd "$tmp/theirs" && find . -type f -exec sha256sum {} + | sort) >"$tmp/b"
	cmp -s "$tmp/a" "$tmp/b" || {
		diff "$tmp/a" "$tmp/b" | head -5
		fail "$name, made whole by e2fsck, reads as something else"
	}
	rm -rf "$tmp/ours" "$tmp/theirs"
	whole=$((whole + 1))
done
[ $whole -gt 100 ] || fail "e2fsck made only $whole images whole"
echo "ok: $whole images that e2fsck made whole read as debugfs reads them"
