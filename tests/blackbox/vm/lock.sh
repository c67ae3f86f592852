#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Our lock on a file, and VMware's own lock code: each shuts the other out, a dead holder of ours
# is cleared away by both, and of two that come at once never both get it.
#
#   lock.sh LOCKHOLD [TIMES]
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires python3
lockhold=$1 times=${2:-40}
vmware() { python3 "$top/tests/blackbox/vm/vmware_lock.py" "$@"; }
vmware probe || skip "no libvmtools.so.0 (package open-vm-tools)"
disk=$tmp/disk.vmdk
: >"$disk"

mkfifo "$tmp/in"
holder= # holding COMMAND...: runs until released
holding() {
	: >"$tmp/held"
	"$@" <"$tmp/in" >"$tmp/held" &
	holder=$!
	exec 3>"$tmp/in"
	until grep -q held "$tmp/held"; do
		kill -0 $holder 2>/dev/null || fail "it does not hold the lock: $*"
		sleep 0.05
	done
}
released() {
	exec 3>&-
	wait $holder || fail "the holder failed"
}
nothing_left() {
	[ ! -e "$disk.lck" ] || { ls -la "$disk.lck"; fail "something is left in $disk.lck"; }
}

check "VMware gets a free lock" vmware take "$disk"
nothing_left

holding "$lockhold" hold "$disk"
cp "$disk".lck/M* "$tmp/member"
check "while we hold it, VMware sees it" vmware locked "$disk"
check "and cannot take it" rejects vmware take "$disk"
check "and has not removed it" cmp "$tmp/member" "$disk".lck/M*
released
nothing_left

# twins of our member: VMware does look at what it says
twin_of_member() {
	mkdir "$disk.lck"
	cp "$tmp/member" "$disk.lck/M00001.lck"
}
twin_of_member
truncate -s 511 "$disk.lck/M00001.lck"
check "VMware takes a member of another size for garbage" vmware take "$disk"
twin_of_member
check "VMware takes a process that is gone for no holder" vmware take "$disk"
twin_of_member
printf @ | dd of="$disk.lck/M00001.lck" conv=notrunc status=none
check "VMware respects a lock of another machine" rejects vmware take "$disk"
rm -r "$disk.lck"

holding vmware hold "$disk"
check_exit 3 "while VMware holds it, we do not get it" "$lockhold" hold "$disk"
grep -q "process [0-9]* (python.*) holds it" "$tmp/check.log" || fail "its process is not told"
released
nothing_left

holding "$lockhold" hold "$disk"
kill -9 $holder
wait $holder 2>/dev/null || :
exec 3>&-
check "a lock of ours that was killed is still there" vmware locked "$disk"
check "VMware clears it away" vmware take "$disk"
nothing_left

# race OURS THEIRS: the two files that they lock
race() {
	rm -f "$tmp/owner.start"
	mkfifo "$tmp/owner.start"
	"$lockhold" race "$1" "$times" "$tmp/owner" >"$tmp/ours" 2>&1 &
	ours=$! code=0
	vmware race "$2" "$times" "$tmp/owner" >"$tmp/theirs" 2>&1 || code=1
	wait $ours || code=1
	rm -f "$tmp/owner"
	echo "we $(cat "$tmp/ours"), VMware $(cat "$tmp/theirs")"
	return $code
}
check "two who do not lock the same file do meet" rejects race "$disk" "$disk.other"
check "of two who come at once never both get it, $times times each" race "$disk" "$disk"
sed 's/^/    /' "$tmp/check.log"
nothing_left
