#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Manual pages exist for every command and groff has nothing to say against them; the bash
# completion is a valid script and offers what it should.
#   docs.sh GENDOC MAN-FOLDER COMPLETION-FOLDER
gendoc=$1
man=$2
completions=$3
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"

warnings() { { groff -man -Tutf8 -ww "$1" >/dev/null; } 2>&1; }
if command -v groff >/dev/null; then
	# the judge first
	printf '.TH X 1\n.SH NAME\n.nosuchmacro\n' >broken.1
	[ -n "$(warnings broken.1)" ] || bad "groff accepts a macro that there is not"
else
	warnings() { :; }
fi

"$gendoc" names >commands
while read -r name; do
	page=$man/sharevm-$(echo "$name" | tr ' ' -).1
	[ -s "$page" ] || bad "$name has no manual page"
	[ -z "$(warnings "$page")" ] || bad "$page: $(warnings "$page")"
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES; do
		has "$page" ".SH $section"
	done
	has "$man/sharevm.1" "sharevm $name"
	# every option of the help is in the page
	# shellcheck disable=SC2086
	"$SHAREVM" $name --help | sed -n 's/^  .*--\([a-z-]*\).*/\1/p' | while read -r option; do
		has "$page" "$(echo "--$option" | sed 's/-/\\-/g')"
	done || exit 1
done <commands
[ -z "$(warnings "$man/sharevm.1")" ] || bad "sharevm.1: $(warnings "$man/sharevm.1")"

! command -v zsh >/dev/null || zsh -n "$completions/_sharevm" ||
	bad "the zsh completion is no script"
command -v bash >/dev/null || exit 0
bash -n "$completions/sharevm" || bad "the bash completion is no script"

# offers WORD... : what bash would offer for the last word
offers() {
	bash -c '
		compopt() { :; }
		. "$0"
		COMP_WORDS=(sharevm "$@")
		COMP_CWORD=$#
		_sharevm
		printf "%s\n" "${COMPREPLY[@]}"' "$completions/sharevm" "$@" >out 2>err
	empty err
}
offers ext
[ "$(cat out)" = extend ] || bad "completion of a command"
offers image ch
[ "$(cat out)" = check ] || bad "completion of a second word"
offers extend --li
[ "$(cat out)" = --linked ] || bad "completion of an option"
offers extend --drop
[ -z "$(tr -d '\n' <out)" ] || bad "a hidden option is offered"
offers show --color = ne
[ "$(cat out)" = never ] || bad "completion of a value"
mkdir machines
: >machines.vmx
offers show mach
has out machines.vmx
offers verify mach
lacks out machines.vmx
has out machines
