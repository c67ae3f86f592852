#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What shellcheck says of every script of the tree. Not asked: variables that a sourced file
# sets (SC2154, and SC1091 for a path that is only known at run time).
set -eu
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "skip: shellcheck is not installed"; exit 77; }

# the judge first: an unquoted expansion must be rejected
# shellcheck disable=SC2016 # the text is a script, not to be expanded here
if printf '#!/bin/sh\nrm $1/x\n' | shellcheck - >/dev/null; then
	echo "shellcheck accepts an unquoted expansion: no judge"
	exit 1
fi
find tools tests .ci -name '*.sh' -o -path .ci/run | sort | xargs shellcheck -x -e SC1091,SC2154
