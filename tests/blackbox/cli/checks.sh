# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What the scripts of this folder share beside ../lib.sh: short checks of a command's exit code,
# output and JSON. They run in the temporary folder.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
unset NO_COLOR COLUMNS
cd "$tmp"

# bad WHAT: fails, with what the last command printed.
bad() {
	for f in out err; do
		[ ! -s "$tmp/$f" ] || { echo "--- $f"; head -40 "$tmp/$f"; }
	done
	fail "$*"
}

# run EXPECTED-EXIT-CODE WORD...: sharevm WORD..., its output in the files out and err.
run() {
	want=$1 code=0
	shift
	"$SHAREVM" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
	[ "$code" -eq "$want" ] || bad "sharevm $*: exit code $code, not $want"
}

# The text must (not) be in the file; fixed strings.
has() { grep -qF -e "$2" "$1" || bad "$1 lacks: $2"; }
lacks() { ! grep -qF -e "$2" "$1" || bad "$1 has: $2"; }
empty() { [ ! -s "$1" ] || bad "$1 is not empty"; }

# Is the file one valid JSON document?
valid_json() {
	python3 -m json.tool <"$1" >/dev/null || bad "$1 is no JSON: $(cat "$1")"
}

# field FILE EXPRESSION: a value of a JSON document d, by Python.
field() {
	python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"$1" "$2" || bad "$1: $2"
}

# is FILE EXPRESSION VALUE
is() {
	got=$(field "$1" "$2")
	[ "$got" = "$3" ] || bad "$1: $2 is $got, not $3"
}

# on_terminal INPUT WORD...: runs the words on a terminal of 80 columns of its own and types
# INPUT (printf's escapes) when it is asked. What was shown is in the file out, the exit code
# in $code.
on_terminal() {
	typed=$1 code=0
	shift
	python3 - "$typed" "$@" >"$tmp/out" 2>"$tmp/err" <<'PY' || code=$?
import fcntl, os, pty, signal, struct, sys, termios

answer = sys.argv[1].encode().decode("unicode_escape").encode()
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs the tests may ignore it
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if answer and (b"/n] " in shown or b"/N] " in shown):
        os.write(fd, answer)
        answer = b""
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
PY
}
