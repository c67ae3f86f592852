#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Colour only on a terminal and only when wanted; a reader that goes away is no error; a full
# disk is.
# shellcheck source=tests/blackbox/cli/lib.sh
. "$(dirname "$0")/lib.sh"

esc=$(printf '\033')
no_escapes() { ! grep -q "$esc" "$1" || bad "$2: escape sequences"; }
escapes() { grep -q "$esc" "$1" || bad "$2: no escape sequences"; }

# Runs the words on a terminal of 80 columns of its own; what it showed is in the file out.
on_terminal() {
	python3 - "$@" >out 2>err <<'PY' || bad "no pseudo-terminal"
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
PY
}

run 0 help
no_escapes out "not on a terminal"
run 0 help --color=always
escapes out "--color=always"
run 0 --color always help
escapes out "--color always before the command"
run 2 no-such-command
no_escapes err "errors, not on a terminal"

export TERM=xterm
on_terminal "$SHAREVM" help
escapes out "on a terminal"
on_terminal env NO_COLOR=1 "$SHAREVM" help
no_escapes out "NO_COLOR"
on_terminal env NO_COLOR= "$SHAREVM" help
escapes out "an empty NO_COLOR"
on_terminal env NO_COLOR=1 "$SHAREVM" help --color=always
escapes out "--color=always beats NO_COLOR"
on_terminal env TERM=dumb "$SHAREVM" help
no_escapes out "TERM=dumb"
on_terminal "$SHAREVM" help --color=never
no_escapes out "--color=never"
on_terminal "$SHAREVM" help --plain
no_escapes out "--plain"

# EPIPE: nobody reads
python3 - "$SHAREVM" >out 2>err <<'PY'
import os, subprocess, sys
r, w = os.pipe()
os.close(r)
p = subprocess.run([sys.argv[1], "help"], stdout=w, stderr=subprocess.PIPE)
print(p.returncode, p.stderr.decode(), end="")
PY
[ "$(cat out)" = "0 " ] || bad "a reader that went away"

"$SHAREVM" help >/dev/full 2>err && bad "/dev/full is no success"
has err "No space left on device"
