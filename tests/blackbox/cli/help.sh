#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every help screen fits 24 lines of 80 columns, begins with examples, and goes to stdout.
#   help.sh GENDOC
gendoc=$1
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"

screen() {
	[ "$(wc -l <out)" -le 24 ] || bad "$1: $(wc -l <out) lines"
	[ "$(wc -L <out)" -le 80 ] || bad "$1: $(wc -L <out) columns"
	[ "$(head -1 out)" = "Examples:" ] || bad "$1: does not begin with examples"
	empty err
}

run 0 --help
screen "sharevm --help"
run 0 help
screen "sharevm help"
cp out all
"$gendoc" names >commands || bad "gendoc names"
[ "$(wc -l <commands)" -ge 10 ] || bad "fewer than 10 commands"

while read -r name; do
	# those of a group share a line, and so do some others
	grep -qE "^  ([a-z]+, )*${name%% *}(,|  )" all || bad "the overview lacks $name"
	[ "${name#* }" = "$name" ] || sed -n "s/^  ${name%% *} .*: //p" all | grep -qw "${name#* }" ||
		bad "the overview lacks $name"
	# shellcheck disable=SC2086 # "image info" is two words
	run 0 $name --help
	screen "$name --help"
	cp out first
	# shellcheck disable=SC2086
	run 0 help $name
	cmp -s first out || bad "'$name --help' and 'help $name' differ"
	has out "Usage: sharevm $name"
	# examples are of this program and of this command
	sed -n '/^Examples:/,/^$/p' out | grep -q "sharevm.*${name%% *}" ||
		bad "$name: no example of it"
done <commands

run 0 help image
has out "image check"
lacks out "extend"
run 0 --version
grep -qxE 'sharevm [0-9]+\.[0-9]+\.[0-9]+' out || bad "version: $(cat out)"
