#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the tests of a build folder and closes with one plain line, "N passed, N failed,
# N skipped", counted from meson's own record of the run, never from its exit code alone.
#
#   tools/run-tests.sh [BUILD [SUITE...]]     all suites but soak, unless named
#
# In CI (CI set) a skipped test is a failure, unless its reason is listed in
# tests/allowed-skips: a tool that quietly went missing must not look like a pass.
# A run that executed no test fails.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${1:-build}
[ $# -eq 0 ] || shift
if [ $# -eq 0 ]; then
	set -- --no-suite soak
else
	suites=$*
	set --
	for suite in $suites; do set -- "$@" --suite "$suite"; done
	case " $suites " in *" soak "*) set -- "$@" --timeout-multiplier 20 ;; esac
fi

record=$build/meson-logs/testlog.json
rm -f "$record"
meson test -C "$build" --print-errorlogs "$@"
code=$?
[ -s "$record" ] || { echo "run-tests: meson ran no test"; exit 1; }
exec python3 tools/count-tests.py "$record" tests/allowed-skips "$code"
