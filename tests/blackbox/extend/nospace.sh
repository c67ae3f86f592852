#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A host's file system that is too small, or that fills up while extend writes: exit 6, told
# before or told when it happens, and nothing is left; the originals are as they were.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires python3
[ "$(id -u)" -eq 0 ] || skip "needs root to mount a file system of its own"
mkdir "$tmp/small"
mount -t tmpfs -o size=90M none "$tmp/small" 2>/dev/null || skip "no tmpfs can be mounted"
on_exit "umount -l '$tmp/small'"
small_machine

# ---- told before ----
fresh
cp -a --sparse=always "$folder" "$tmp/kept"
fallocate -l 60M "$tmp/small/ballast"
ways="linked copy" refused 6 "a file system that is full" "would be written, .* free on the host" \
	"--into a? ?folder" --into "$tmp/small/result"
rm "$tmp/small/ballast"
fallocate -l 10M "$tmp/small/ballast"
ways=copy refused 6 "no room for a copy" "would be written, .* free on the host" "use --linked" \
	--into "$tmp/small/result"
check "but for a linked result" extend_small linked --into "$tmp/small/result"
"$SHAREVM" rollback "$tmp/small/result" --yes >"$tmp/out"
rm "$tmp/small/ballast"

# ---- told when it happens ----
# The plan is made while there is room; it is filled while extend waits for its answer.
full_after_plan() { # HOW ROOM-LEFT-IN-KIB OPTION...
	how=$1 left=$2
	shift 2
	python3 - "$tmp/small" "$left" "$SHAREVM" extend "$vmx" --to $to "--$how" "$@" <<'PY'
import fcntl, os, pty, re, struct, sys, termios, time
place, left, command = sys.argv[1], int(sys.argv[2]) * 1024, sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    # so wide that no message is broken into lines
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 1000, 0, 0))
    os.execv(command[0], command)
said = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    said += piece
    if re.search(rb"(Go on|Change the disk)\?[^\n]*$", said):
        said += b"\n"
        with open(place + "/ballast", "wb") as f:
            room = os.statvfs(place)
            os.posix_fallocate(f.fileno(), 0, max(1, room.f_bavail * room.f_frsize - left))
        os.write(fd, b"y\n")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.unlink(place + "/ballast")
text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", said).decode().replace("\r", "\n")
print(text)
sys.exit(code)
PY
}

tree_of "$folder" >"$tmp/tree"
for left in 0 4 64 400 5000; do
	for how in linked copy; do
		# a linked result of this machine takes less than 500 KiB
		[ $how = copy ] || [ $left -lt 400 ] || continue
		check_exit 6 "--$how, $left KiB left after the plan" full_after_plan $how $left \
			--into "$tmp/small/result"
		judge_words "$tmp/check.log" "No space|no space|full|free" "free some space" >"$tmp/words" ||
			{ cat "$tmp/words"; fail "--$how, $left KiB left: the message"; }
		[ -z "$(ls -A "$tmp/small")" ] || fail "left there: $(ls -A "$tmp/small")"
		tree_of "$folder" | diff "$tmp/tree" - || fail "the original was changed"
	done
done
check "with room again it works" extend_small copy --into "$tmp/small/result"
"$SHAREVM" rollback "$tmp/small/result" --yes >"$tmp/out"

# In place: the machine lies on the full file system. Somewhere between the sizes the undo file
# has room and the disk has not.
rm -rf "$room"
without_times() { tree_of "$folder" | sed 's/ [0-9]* \.\// .\//'; }
for left in 0 4 64 72 80 88 96 140; do
	rm -rf "$tmp/small/Windows 7"
	cp -a --sparse=always "$tmp/kept" "$tmp/small/Windows 7"
	folder="$tmp/small/Windows 7" vmx="$tmp/small/Windows 7/Windows 7.vmx"
	without_times >"$tmp/tree"
	code=0
	full_after_plan in-place $left >"$tmp/said" 2>&1 || code=$?
	if [ $code -eq 0 ] && [ "$left" -gt 64 ]; then
		echo "ok: --in-place, $left KiB are enough"
	else
		[ $code -eq 6 ] || { cat "$tmp/said"; fail "--in-place, $left KiB left: exit $code, not 6"; }
		judge_words "$tmp/said" "[Nn]o space" "free some space|changed back" >"$tmp/words" ||
			{ cat "$tmp/words"; fail "--in-place, $left KiB left: the message"; }
		echo "ok: --in-place, $left KiB left after the plan: told"
	fi
	if [ -e "$folder/Windows 7.vmdk.sharevm-undo" ]; then
		check "  with room again it is brought back" "$SHAREVM" rollback "$vmx" --yes
	fi
	without_times | diff "$tmp/tree" - || fail "--in-place, $left KiB left: not as it was"
	check "  and then it works" extend_small in-place
done

# ---- the largest file that a process may write ----
if command -v prlimit >/dev/null; then
	rm -rf "$tmp/small/Windows 7"
	fresh
	tree_of "$room" >"$tmp/tree"
	for limit in 8000 100000 1000000; do
		for how in linked copy in-place; do
			[ $how = copy ] || [ $limit -lt 100000 ] || continue
			check_exit 6 "--$how, no file above $limit bytes" \
				prlimit --fsize=$limit "$SHAREVM" extend "$vmx" --to $to "--$how" --yes
			judge_words "$tmp/check.log" "File too large" "free some space" >"$tmp/words" ||
				{ cat "$tmp/words"; fail "--$how, no file above $limit bytes: the message"; }
			tree_of "$room" | diff "$tmp/tree" - || fail "--$how: something is left"
		done
	done
fi
