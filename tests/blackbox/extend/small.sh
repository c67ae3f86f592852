# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One small machine, made once and copied for each case: a flat disk of 40 MiB, so that a test
# can change any byte of it with dd, and looks at what extend says and leaves behind.
#
#   small_machine [OPTION of make-sample-vm.sh...]   makes it
#   fresh                                            a copy of it: $room, $folder, $vmx, $desc,
#                                                    $flat
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
sample_requires
requires openssl jq

poke() { # FILE OFFSET BYTES, as printf writes them
	# shellcheck disable=SC2059 # the bytes are escapes
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

small_machine() {
	rm -rf "$tmp/base"
	make_sample "$tmp/base" --size 40M --files 30 --fill 45 --chain 1 \
		--subformat monolithicFlat "$@"
}

fresh() {
	room=$tmp/room
	rm -rf "$room"
	mkdir "$room"
	cp -a --sparse=always "$tmp/base/Windows 7" "$room/"
	folder="$room/Windows 7"
	vmx="$folder/Windows 7.vmx" desc="$folder/Windows 7.vmdk" flat="$folder/Windows 7-flat.vmdk"
}

# in_volume COMMAND...: runs it with a copy of C: as its last word, and puts the copy back
in_volume() {
	dd if="$flat" of="$tmp/c" bs=1M skip=$((c_start >> 20)) count=$((c_size >> 20)) \
		conv=sparse status=none
	"$@" "$tmp/c" >"$tmp/volume.log" 2>&1 || { cat "$tmp/volume.log"; fail "changing C:: $*"; }
	dd if="$tmp/c" of="$flat" bs=1M seek=$((c_start >> 20)) conv=notrunc status=none
	rm "$tmp/c"
}

# twin WHAT...: C: becomes odd in that way (tests/blackbox/fs/ntfs_twin.py)
twin() {
	in_volume twin_last "$@"
}
twin_last() { # WHAT... VOLUME
	for last; do :; done
	n=$#
	for word; do # the volume goes first
		shift
		n=$((n - 1))
		[ $n -eq 0 ] || set -- "$@" "$word"
	done
	python3 "$top/tests/blackbox/fs/ntfs_twin.py" "$last" "$@"
}

# tree_of DIR: each name below it with what it is, and each file's content and time
tree_of() {
	(cd "$1" && find . ! -type f -printf '%y %p %l\n' | LC_ALL=C sort)
	sums_of "$1"
}

# the same without times
bytes_of() {
	sums_of "$1" | sed 's/ [0-9]* \.\// .\//'
}

# What the program said must be of use to a worried person: who speaks, what is wrong, what to do.
judge_words() { # FILE PROOF REMEDY, as extended regular expressions
	# shellcheck disable=SC2016
	sed 's/^/    /' "$1"
	grep -q '^sharevm: ' "$1" || { echo "no line begins with sharevm:"; return 1; }
	# on a terminal both are folded into several lines
	sed -n '/^sharevm: /,$p' "$1" | sed '/^hint: /,$d' | tr -s ' \r\n' ' ' | grep -Eq -- "$2" ||
		{ echo "the proof is not told: $2"; return 1; }
	sed -n '/^hint: /,$p' "$1" | tr -s ' \r\n' ' ' | grep -Eq -- "$3" ||
		{ echo "the remedy is not told: $3"; return 1; }
}

# refused CODE WHAT PROOF REMEDY [OPTION...]: extending $vmx in each of the ways of $ways ends
# with CODE, tells proof and remedy, and leaves everything in $room as it was.
ways="linked copy in-place"
to=200M
refused() {
	want=$1 what=$2 proof=$3 remedy=$4
	shift 4
	tree_of "$room" >"$tmp/tree"
	for way in $ways; do
		code=0
		"$SHAREVM" extend "$vmx" --to $to "--$way" --yes "$@" >"$tmp/out" 2>"$tmp/err" \
			</dev/null || code=$?
		[ $code -eq "$want" ] ||
			{ cat "$tmp/out" "$tmp/err"; fail "$what, --$way: exit $code, not $want"; }
		judge_words "$tmp/err" "$proof" "$remedy" >"$tmp/words" ||
			{ cat "$tmp/words"; fail "$what, --$way: the message"; }
		tree_of "$room" | diff "$tmp/tree" - || fail "$what, --$way: something was written"
	done
	echo "ok: $what: exit $want, told, nothing written"
	[ -z "${SHOW-}" ] || sed 's/^/    /' "$tmp/err"
}

extend_small() { # HOW OPTION...
	how=$1
	shift
	"$SHAREVM" extend "$vmx" "--$how" --to $to --yes "$@"
}
