#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Going back, and what comes after an extension: rollback takes away only what extend made and
# only while nobody used it; flatten makes a linked result independent; verify tells what holds
# and what changed.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires qemu-img qemu-io
small_machine
to_bytes=$((200 << 20))

# says CODE WHAT PROOF REMEDY COMMAND...: ends so, says so, and changes nothing in $room
says() {
	want=$1 what=$2 proof=$3 remedy=$4
	shift 4
	tree_of "$room" >"$tmp/tree"
	code=0
	"$SHAREVM" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
	[ $code -eq "$want" ] || { cat "$tmp/out" "$tmp/err"; fail "$what: exit $code, not $want"; }
	judge_words "$tmp/err" "$proof" "$remedy" >"$tmp/words" ||
		{ cat "$tmp/words"; fail "$what: the message"; }
	tree_of "$room" | diff "$tmp/tree" - || fail "$what: something was changed"
	echo "ok: $what: exit $want, told, nothing changed"
}

# the machine's own folder is as it was
judge_room() { tree_of "$folder" | diff "$tmp/original" -; }

# a fresh machine and its result, in $made, of which $made_disk is the disk
made() { # HOW
	fresh
	tree_of "$folder" >"$tmp/original"
	made=$folder-extended
	extend_small "$1" >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "extending ($1)"; }
	made_disk="$made/Windows 7-extended.vmdk"
	[ -e "$made_disk" ] || fail "no $made_disk"
}

write_guest() { # DISK: one sector, as a machine that runs would
	qemu-io -f vmdk -c 'write -P 0x5a 30M 512' "$1"
}

for how in linked copy; do
	# ---- a folder ----
	made $how
	tree_of "$room" >"$tmp/tree"
	check "$how: a dry run tells what would be deleted" "$SHAREVM" rollback "$made" --dry-run
	tree_of "$room" | diff "$tmp/tree" - || fail "$how: a dry run deleted something"
	says 2 "$how: without --yes and without a terminal it asks in vain" "." "--yes" \
		rollback "$made"
	check "$how: it is undone" "$SHAREVM" rollback "$made" --yes
	if [ -e "$made" ] || [ -e "$made.partial" ]; then
		fail "$how: something of the folder is left"
	fi
	check "$how: nothing else was touched" judge_room

	made "$how"
	echo "my notes" >"$made/notes.txt"
	says 5 "$how: a foreign file in the folder" "notes.txt: it is not something that extend made" \
		"move it out" rollback "$made" --yes
	says 5 "$how: also with --discard-changes" "notes.txt: it is not something" "move it out" \
		rollback "$made" --yes --discard-changes
	rm "$made/notes.txt"
	mkdir "$made/folder"
	says 5 "$how: a foreign folder in it" "folder: it is not something" "move it out" \
		rollback "$made" --yes --discard-changes
	rmdir "$made/folder"
	ln -s "$folder" "$made/link"
	says 5 "$how: a symbolic link in it" "link: it is not something" "move it out" \
		rollback "$made" --yes --discard-changes
	rm "$made/link"
	check "$how: without them it is undone" "$SHAREVM" rollback "$made" --yes

	made "$how"
	check "$how: QEMU writes to the result" write_guest "$made_disk"
	says 5 "$how: a used result" "was used since it was made: .*Windows 7-extended" \
		"rollback --discard-changes '$made'" rollback "$made" --yes
	check "$how: verify says that it was used" "$SHAREVM" verify "$made"
	check "$how: with --discard-changes it is deleted" "$SHAREVM" rollback "$made" --yes \
		--discard-changes
	[ ! -e "$made" ] || fail "$how: $made is left"
	check "$how: the original is as it was" judge_room

	made "$how"
	: >"$made/vmware.log"
	says 5 "$how: VMware's log in the folder" "vmware.log: .*was started since" \
		"--discard-changes" rollback "$made" --yes
	check "$how: with --discard-changes the log goes too" "$SHAREVM" rollback "$made" --yes \
		--discard-changes
	[ ! -e "$made" ] || fail "$how: $made is left"

	# ---- cut off in the middle of a rollback, as the next run finds it ----
	made "$how"
	mv "$made" "$made.partial"
	check "$how: the next run removes what a rollback left" extend_small "$how"
	[ ! -e "$made.partial" ] || fail "$how: $made.partial is left"
	check "$how: the original is as it was" judge_room
done

if command -v qemu-system-x86_64 >/dev/null; then
	made linked
	qemu-system-x86_64 -display none -nodefaults -m 64 -accel tcg -boot order=c \
		-drive "format=vmdk,file=$made_disk" -monitor none -serial none \
		-qmp "unix:$tmp/qmp,server=on,wait=off" 2>"$tmp/qemu.log" &
	guest=$!
	on_exit "kill $guest 2>/dev/null"
	while [ ! -S "$tmp/qmp" ] && kill -0 $guest; do sleep 0.1; done
	sleep 1
	says 3 "a result that runs in QEMU" "runs .*process $guest .qemu-system" "shut the machine down" \
		rollback "$made" --yes
	says 3 "even with --discard-changes" "runs .*process $guest" "shut the machine down" \
		rollback "$made" --yes --discard-changes
	kill $guest
	wait $guest || :
fi

# ---- verify ----
made linked
check "verify: sound" "$SHAREVM" verify "$made"
grep -q sound "$tmp/check.log" || fail "verify does not say that it is sound"
check "verify --full: records the hashes" "$SHAREVM" verify "$made" --full
check "verify --full: compares them" "$SHAREVM" verify "$made" --full
faulty() { # WHAT PROOF OPTION...
	what=$1 proof=$2
	shift 2
	check_exit 8 "verify: $what" "$SHAREVM" verify "$made" "$@"
	tr -s '\n ' '  ' <"$tmp/check.log" >"$tmp/said" # a terminal's lines are wrapped
	grep -Eq -- "$proof" "$tmp/said" || { cat "$tmp/check.log"; fail "verify: $what: not told"; }
	"$SHAREVM" verify "$made" --json "$@" 2>&1 | jq -e '.faults | length > 0' >/dev/null ||
		fail "verify --json: $what"
}
cp -a --sparse=always "$flat" "$tmp/flat"
poke "$flat" $(((c_start + c_size) / 2)) XYZ
faulty "an original was written" "Windows 7-flat.vmdk: the original has changed"
touch -r "$tmp/flat" "$flat"
faulty "an original was written and its time put back" "Windows 7-flat.vmdk: the original.* changed" \
	--full
cp -a --sparse=always "$tmp/flat" "$flat"
check "verify: the old original is right again" "$SHAREVM" verify "$made" --full
mv "$flat" "$flat.away"
faulty "an original is gone" "Windows 7-flat.vmdk"
mv "$flat.away" "$flat"
mv "$made/Windows 7-extended.vmx" "$tmp/vmx"
faulty "a file of the result is gone" "Windows 7-extended.vmx: it is missing"
mv "$tmp/vmx" "$made/Windows 7-extended.vmx"
says 1 "verify of a folder that extend did not make" "not a folder that extend made" \
	"sharevm extend" verify "$folder"

# ---- flatten ----
raw_view "$made_disk" "$tmp/linked.raw"
check "flatten: dry run" "$SHAREVM" flatten "$made" --dry-run
check "flatten: works" "$SHAREVM" flatten "$made" --yes
check "flatten: the original is as it was" judge_room
mv "$folder" "$room/away"
made_disk=$(sed -n "s|^scsi0:0.fileName = \"\(.*\)\"|$made/\1|p" "$made/Windows 7-extended.vmx")
check "flatten: the disk opens without its original" judge_chain "$made_disk"
check "flatten: its size" judge_size "$made_disk" "$to_bytes"
check "flatten: the guest sees the same" judge_same_guest "$tmp/linked.raw" "$made_disk"
check "flatten: verify, without the original" "$SHAREVM" verify "$made" --full
check "flatten: rollback, without the original" "$SHAREVM" rollback "$made" --yes
[ ! -e "$made" ] || fail "$made is left"
mv "$room/away" "$folder"
check "flatten: the original is as it was in the end" judge_room
rm "$tmp/linked.raw"

# ---- in place ----
in_place() {
	fresh
	bytes_of "$folder" >"$tmp/before"
	extend_small in-place >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "extending in place"; }
}
judge_back() { bytes_of "$folder" | diff "$tmp/before" -; }
in_place
check "in place: it comes back" "$SHAREVM" rollback "$vmx" --yes
check "in place: byte for byte" judge_back
says 1 "in place: twice is once too often" "no extension here" "name the folder" \
	rollback "$vmx" --yes
in_place
check "in place: QEMU writes to the disk" write_guest "$desc"
says 5 "in place: a used disk" "was used since it was extended" "keep the extended disk" \
	rollback "$vmx" --yes
says 5 "in place: --discard-changes does not help" "was used since" "keep the extended disk" \
	rollback "$vmx" --yes --discard-changes
in_place
poke "$flat" $((c_start + c_size / 2)) X
touch -d @1600000000 "$flat"
says 5 "in place: another time of the disk" "was used since" "keep the extended disk" \
	rollback "$vmx" --yes

# twice, and then one by one back
tells() { # WORDS COMMAND...: says them, on however many lines
	words=$1
	shift
	"$@" >"$tmp/out" 2>&1 || return 1
	tr -s ' \n' ' ' <"$tmp/out" | grep -Eq -- "$words" || { cat "$tmp/out"; return 1; }
}
in_place
cp -a --sparse=always "$flat" "$tmp/once"
check "in place, twice: the plan tells of both ways back" tells "note 1 earlier extension of this \
disk can still be undone" "$SHAREVM" extend "$vmx" --to 300M --in-place --yes
check "in place, twice: rollback tells of the next" tells "an earlier extension of it can be undone" \
	"$SHAREVM" rollback "$vmx" --yes
check "in place, twice: between the two" cmp "$flat" "$tmp/once"
check "in place, twice: the next rollback" "$SHAREVM" rollback "$vmx" --yes
check "in place, twice: byte for byte" judge_back
fresh
check "in place" extend_small in-place --no-chkdsk
check "in place: QEMU writes to the disk" write_guest "$desc"
cp -a --sparse=always "$flat" "$tmp/once"
check "in place, used, again: the plan tells" tells "can no longer be undone" \
	"$SHAREVM" extend "$vmx" --to 300M --in-place --yes
check "in place, used, again: it comes back" "$SHAREVM" rollback "$vmx" --yes
check "in place, used, again: to what was there before" cmp "$flat" "$tmp/once"
says 1 "in place, used, again: there is no way to before" "no extension here" "name the folder" \
	rollback "$vmx" --yes
if [ -e "$desc.sharevm-undo" ] || [ -e "$desc.sharevm.json" ]; then
	fail "in place, used, again: something is left beside the disk"
fi
rm "$tmp/once"

# a change that was cut off, made by taking its last step away
in_place
rm "$desc.sharevm.json"
says 5 "in place: a change that was cut off is no start for another" "was cut off" \
	"sharevm rollback '$vmx'" extend "$vmx" --to 300M --in-place --yes
check "in place: it is undone" "$SHAREVM" rollback "$vmx" --yes
check "in place: byte for byte again" judge_back
in_place
rm "$desc.sharevm.json"
poke "$flat" 3 ZZZZ
poke "$flat" $((c_start + 80)) ZZZZZZZZ
says 5 "in place: cut off, and used then" "was used since" "keep the extended disk" \
	rollback "$vmx" --yes
in_place
poke "$desc.sharevm-undo" 100 XXXX
says 1 "in place: a damaged undo file" "undo file is damaged" "backup" rollback "$vmx" --yes
