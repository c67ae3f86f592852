#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs every fuzzer for SECONDS_EACH (60) with the address and behaviour sanitizers, then prints
# how much of each parser's lines its corpus and finds have reached: an idle harness is none.
#
#   tools/fuzz.sh [NAME...]       all fuzzers, or those named (vmx, mbr ...)
#
# A finding ends the run with exit 1; the input that caused it is left in build-fuzz/findings/.
# New inputs stay in build-fuzz/corpus/; none is added to the tree by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}

tool() { # NAME: as it is, or with the version of Debian 12
	command -v "$1" || command -v "$1-14" || {
		echo "fuzz: $1 is missing; run tools/setup.sh fuzz" >&2
		exit 1
	}
}
clang=$(tool clang)
cov=$(tool llvm-cov)
profdata=$(tool llvm-profdata)

configure() { # FOLDER OPTION...
	[ -f "$1/build.ninja" ] || CC=$clang meson setup "$@" -Db_lundef=false >/dev/null
}
configure build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
# here the fuzzers replay a corpus (standalone.c) and count lines
LLVM_PROFILE_FILE=/dev/null configure build-cov -Dc_args='-fprofile-instr-generate -fcoverage-mapping' \
	-Dc_link_args=-fprofile-instr-generate

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	mapfile -t names < <(ninja -C build-fuzz -t targets all |
		sed -n 's|^tests/fuzz/fuzz-\([^.:]*\): .*|\1|p' | sort -u)
fi
[ ${#names[@]} -gt 0 ] || {
	echo "fuzz: there is no fuzzer"
	exit 1
}

for folder in build-fuzz build-cov; do
	ninja -C $folder "${names[@]/#/tests/fuzz/fuzz-}" >build-fuzz/build.log || {
		tail -30 build-fuzz/build.log
		exit 1
	}
done

seeds_of() { # NAME: the folder in the tree
	find tests/fuzz -type d -path "*/corpus/$1" | head -1
}

findings=0
mkdir -p build-fuzz/findings
for name in "${names[@]}"; do
	seeds=$(seeds_of "$name")
	grown=build-fuzz/corpus/$name
	mkdir -p "$grown"
	log=build-fuzz/$name.log
	if "build-fuzz/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -rss_limit_mb=2048 \
		-timeout=10 -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$name-" \
		"$grown" "$seeds" >"$log" 2>&1; then
		printf '%-24s %10s inputs tried, %5s kept\n' "$name" \
			"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
			"$(find "$grown" -type f | wc -l)"
	else
		echo "$name: FINDING, see $log"
		tail -5 "$log"
		findings=$((findings + 1))
	fi
done

# The lines of the parser: those files of src/ of which a fuzzer's run reaches the most.
echo
echo "lines reached, by file (corpus of the tree and what was found):"
objects=()
rm -f build-cov/*.profraw
for name in "${names[@]}"; do
	program=build-cov/tests/fuzz/fuzz-$name
	LLVM_PROFILE_FILE=build-cov/$name-%p.profraw "$program" "build-fuzz/corpus/$name" >/dev/null
	LLVM_PROFILE_FILE=build-cov/$name-%p.profraw "$program" "$(seeds_of "$name")" >/dev/null
	objects+=(-object "$program")
done
"$profdata" merge -o build-cov/all.profdata build-cov/*.profraw
"$cov" export -summary-only -instr-profile build-cov/all.profdata "${objects[@]}" |
	python3 -c '
import json, os, sys
for f in json.load(sys.stdin)["data"][0]["files"]:
    lines, name = f["summary"]["lines"], os.path.relpath(f["filename"])
    if name.startswith("src/") and lines["percent"] >= 25:
        percent, count = lines["percent"], lines["count"]
        print(f"{percent:6.1f} %  of {count:4} lines  {name}")' | sort -rn

[ "$findings" -eq 0 ] || {
	echo "$findings fuzzers found something"
	exit 1
}
echo
echo "${#names[@]} fuzzers, no finding"
