#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Colour only on a terminal and only when wanted; a reader that goes away is no error; a full
# disk is.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"

esc=$(printf '\033')
no_escapes() { ! grep -q "$esc" "$1" || bad "$2: escape sequences"; }
escapes() { grep -q "$esc" "$1" || bad "$2: no escape sequences"; }

run 0 help
no_escapes out "not on a terminal"
run 0 help --color=always
escapes out "--color=always"
run 0 --color always help
escapes out "--color always before the command"
run 2 no-such-command
no_escapes err "errors, not on a terminal"

export TERM=xterm
on_terminal "" "$SHAREVM" help
escapes out "on a terminal"
on_terminal "" env NO_COLOR=1 "$SHAREVM" help
no_escapes out "NO_COLOR"
on_terminal "" env NO_COLOR= "$SHAREVM" help
escapes out "an empty NO_COLOR"
on_terminal "" env NO_COLOR=1 "$SHAREVM" help --color=always
escapes out "--color=always beats NO_COLOR"
on_terminal "" env TERM=dumb "$SHAREVM" help
no_escapes out "TERM=dumb"
on_terminal "" "$SHAREVM" help --color=never
no_escapes out "--color=never"
on_terminal "" "$SHAREVM" help --plain
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
