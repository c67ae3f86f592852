#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What shellcheck says of every script of the tree. Not asked: what it cannot see of sourced
# files: variables that they set or use (SC2154, SC2034), functions with optional arguments
# (SC2119, SC2120), and paths that are only known at run time (SC1091).
set -eu
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "skip: shellcheck is not installed"; exit 77; }

# the judge first: a cd that may fail unseen must be rejected
if printf '#!/bin/sh\ncd /nowhere\nrm x\n' | shellcheck -S warning - >/dev/null; then
	echo "shellcheck accepts an unchecked cd: no judge"
	exit 1
fi
find tools tests .ci -name '*.sh' -o -path .ci/run | sort | xargs shellcheck -x -S warning -e SC1091,SC2034,SC2119,SC2120,SC2154
