#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Is every C file laid out as .clang-format says? Version 14 decides: others differ in details.
set -eu
cd "$(dirname "$0")/../.."
command -v clang-format-14 >/dev/null || { echo "skip: clang-format-14 is not installed"; exit 77; }

files=$(find src include tests -name '*.[ch]' 2>/dev/null | sort)
# the judge first: it must reject a badly laid-out twin
if printf 'int  main( ) {return 0 ;}\n' | clang-format-14 --assume-filename=src/x.c -Werror \
	--dry-run 2>/dev/null; then
	echo "clang-format-14 accepts a badly laid-out file: no judge"
	exit 1
fi
# shellcheck disable=SC2086 # a list of names without blanks
clang-format-14 --dry-run -Werror $files ||
	{ echo "repair with: clang-format-14 -i FILE"; exit 1; }
