#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The process that reads a machine is shut off: what the kernel says of it while it works, what
# becomes of a command when it dies or its parent does, and that what it may have is what the
# command line says. The reader is held still by a pipe that nobody empties.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mkfs.ext4 qemu-img

mkdir src vm other
head -c 4000000 /dev/urandom >src/big
echo small >src/small
ln -s /etc/passwd src/passwd
mkdir src/many
python3 - <<'PY'
for i in range(1500):
    open("src/many/%0100d" % i, "w")
PY
truncate -s 32M vm/d.img
mkfs.ext4 -q -d src vm/d.img
cp vm/d.img vm/e.img

"$SHAREVM" ls --sandbox=require vm/d.img >out 2>err || skip "no seccomp filter in this build or on this kernel"
run 0 show -v vm/d.img
lacks err "shut off"

# hold WORD...: starts sharevm with its output in a full pipe; $parent and $worker
mkfifo pipe
hold() {
	"$SHAREVM" "$@" >pipe 2>err &
	parent=$!
	exec 3<pipe
	# one byte came: it reads the machine
	dd bs=1 count=1 <&3 >first 2>/dev/null
	worker=$(cat "/proc/$parent/task/$parent/children")
	worker=${worker%% *}
}
# let_go: the rest of the output goes to the file out, the exit code to $code
let_go() {
	cat <&3 >out
	exec 3<&-
	code=0
	wait "$parent" || code=$?
}
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
is_gone() { [ ! -d "/proc/$1" ] || [ "$(status "$1" State | cut -c 1)" = Z ]; }
becomes() { # WHAT COMMAND...: true within ten seconds
	what=$1 tries=100
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || bad "$what"
		sleep 0.1
	done
}

hold cat vm/d.img:/big
[ "$(status "$worker" Seccomp)" = 2 ] || bad "the reader has no filter"
[ "$(status "$worker" NoNewPrivs)" = 1 ] || bad "the reader may get privileges"
[ "$(status "$worker" CapEff)" = 0000000000000000 ] || bad "the reader has privileges"
[ "$(status "$parent" Seccomp)" = "$(status $$ Seccomp)" ] || bad "the parent has a filter"
let_go
[ "$code" -eq 0 ] || bad "cat ended with $code"
cat first out | cmp - src/big || bad "cat through a slow pipe"
echo "ok: the kernel tells of a filter, no privileges"

hold cat vm/d.img:/big vm/e.img:/small
kill -SEGV "$worker"
let_go
[ "$code" -eq 1 ] || bad "a dead reader gave $code"
has err "vm/d.img:/big: the process that reads it stopped (signal 11)"
[ "$(tail -c 6 out)" = small ] || bad "the next machine was not read"
echo "ok: a dead reader is an error, and the next machine is read"

hold find vm/d.img:/many vm/e.img:/many vm/d.img:/small
kill -SEGV "$worker"
let_go
[ "$code" -eq 0 ] || bad "find after one of its processes died: $code"
[ "$(grep -c 'vm/e.img:/many/' out)" -eq 1500 ] || bad "find lost names"
[ "$(tail -1 out)" = vm/d.img:/small ] || bad "find lost the last machine"
run 0 list --in vm
has out "disk image"

hold cat vm/d.img:/big --json
kill -SYS "$worker"
let_go
[ "$code" -eq 1 ] || bad "a stopped reader gave $code"
valid_json err
has err "did what no reader does"

hold cat vm/d.img:/big
kill -TERM "$parent"
sleep 1 # it must hear that before its reader can go on, and end, for the pipe is read
let_go
[ "$code" -eq 130 ] || bad "SIGTERM to the parent gave $code"
is_gone "$worker" || bad "the reader outlived SIGTERM"

hold cat vm/d.img:/big
kill -KILL "$parent"
becomes "the reader outlived its parent" is_gone "$worker"
let_go
echo "ok: a reader ends with its parent"

hold cat --sandbox=off vm/d.img:/big
[ -z "$worker" ] || bad "--sandbox=off made a process"
let_go
[ "$code" -eq 0 ] || bad "cat without a sandbox: $code"

# without standard descriptors, as --sandbox=off does
for how in off auto; do
	code=0
	timeout 60 "$SHAREVM" cat --sandbox=$how vm/d.img:/big <&- >&- 2>&- || code=$?
	[ "$how" = off ] || [ "$code" -eq "$off" ] || bad "closed descriptors: $code, not $off"
	off=$code
done

# ---- what the words grant ----

qemu-img create -q -f qcow2 other/base 32M
qemu-img convert -O qcow2 vm/d.img other/base
qemu-img create -q -f qcow2 -b ../other/base -F qcow2 vm/leaf.qcow2
run 0 cat vm/leaf.qcow2:/small
[ "$(cat out)" = small ] || bad "a chain whose parent lies elsewhere"
cp vm/d.img other/plain
qemu-img create -q -f qcow2 -b ../other/plain -F raw vm/raw.qcow2
run 4 cat vm/raw.qcow2:/small
has err "does not look like a disk"
has err "--allow-path '$(cd other && pwd -P)'"
run 0 cat --allow-path other vm/raw.qcow2:/small

# ---- cp makes files through the broker ----

mkdir dest
run 0 cp vm/d.img:/ dest
cmp src/big dest/d*/big || bad "a large file"
cmp src/small dest/d*/small || bad "a small file"
[ -z "$(find dest -name passwd)" ] || bad "a link out of the copy was made"
run 0 cp vm/d.img:/small one
cmp src/small one || bad "a file under a new name"
run 7 cp vm/d.img:/small one
has err "--force replaces it"
run 0 cp -f vm/d.img:/big one
cmp src/big one || bad "a file that was replaced"
run 0 cp -a vm/d.img:/passwd link
[ "$(readlink link)" = /etc/passwd ] || bad "a link of its own"
(ulimit -f 1000 && run 6 cp vm/d.img:/big two)
[ -z "$(find . -name '.*part*')" ] || bad "half a file was left"
