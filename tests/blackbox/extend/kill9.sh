#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# kill -9 at a random moment of a real run, linked, as a copy and in place in turn. A folder is
# finished or there is nothing but a .partial, which the next run removes; a disk in place is
# old, or rollback makes it old again; the originals never change.
#
#   kill9.sh RUNS [SEED]        the seed is printed, for the same moments again
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires python3
runs=${SHAREVM_SOAK:+200} runs=${runs:-$1} seed=${2:-$(date +%s)}
echo "seed $seed"
small_machine
fresh
made=$folder-extended
contents() { sums_of "$folder" | sed 's/ [0-9]* \.\// .\//'; } # without times
sums_of "$folder" >"$tmp/sums"
contents >"$tmp/contents"

# killed HOW SECONDS: "ended" or "killed"
killed() {
	python3 - "$2" "$SHAREVM" extend "$vmx" "--$1" --to $to --yes <<'PY'
import subprocess, sys
p = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    p.wait(float(sys.argv[1]))
except subprocess.TimeoutExpired:
    p.kill()
print("killed" if p.wait() == -9 else "ended" if p.returncode == 0 else "failed")
PY
}

# The usual time of a run
sum=0
for how in linked copy in-place linked copy in-place; do
	began=$(date +%s%N)
	extend_small $how >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "extending ($how)"; }
	took=$((($(date +%s%N) - began) / 1000000))
	sum=$((sum + took))
	if [ "$how" = in-place ]; then undo=$vmx; else undo=$made; fi
	"$SHAREVM" rollback "$undo" --yes >"$tmp/out"
done
[ "$(contents)" = "$(cat "$tmp/contents")" ] || fail "a plain rollback does not bring all back"
sums_of "$folder" >"$tmp/sums"
usual=$((sum / 6))
echo "a run takes $usual ms"
python3 -c "
import random
dice = random.Random($seed)
for i in range($runs):
    print('%.4f' % (dice.random() * $usual * 1.2 / 1000))" >"$tmp/moments"

after_folder() { # HOW
	judge_originals "$folder" "$tmp/sums" >"$tmp/diff" || { cat "$tmp/diff"; fail "run $i: the originals"; }
	for entry in "$room"/* "$room"/.[!.]*; do
		case $entry in
		"$folder" | "$made" | "$made.partial" | "$room/.[!.]*") ;;
		*) fail "run $i: $entry is left" ;;
		esac
	done
	if [ -e "$made" ]; then
		finished=$((finished + 1))
		[ ! -e "$made.partial" ] || fail "run $i: both the folder and a .partial"
		"$SHAREVM" verify "$made" >"$tmp/out" 2>&1 ||
			{ cat "$tmp/out"; fail "run $i: a finished folder is not sound"; }
	else
		[ ! -e "$made.partial" ] || partials=$((partials + 1))
		extend_small "$1" >"$tmp/out" 2>&1 ||
			{ cat "$tmp/out"; fail "run $i: the next run"; }
		[ ! -e "$made.partial" ] || fail "run $i: the next run leaves the .partial"
	fi
	"$SHAREVM" rollback "$made" --yes >"$tmp/out" 2>&1 ||
		{ cat "$tmp/out"; fail "run $i: rollback"; }
	[ "$(ls -A "$room")" = "Windows 7" ] || fail "run $i: left: $(ls -A "$room")"
}

# VMware's locks, which a killed run leaves: they are told as ours, with the way back
judge_stale_locks() {
	[ -n "$(find "$folder" -path '*.lck/M*')" ] || return 0
	stale=$((stale + 1))
	"$SHAREVM" show "$vmx" --json | jq -e '.vm.state == "stale-lock"' >/dev/null ||
		fail "run $i: the lock is not told as stale"
	code=0
	extend_small linked >"$tmp/out" 2>&1 || code=$?
	[ $code -eq 3 ] || { cat "$tmp/out"; fail "run $i: extending what was cut off ends with $code"; }
	tr -s '\n' ' ' <"$tmp/out" | grep -q "sharevm was cut off .*sharevm rollback '$vmx'" ||
		{ cat "$tmp/out"; fail "run $i: the way back is not told"; }
}

after_in_place() {
	judge_stale_locks
	code=0
	"$SHAREVM" rollback "$vmx" --yes >"$tmp/out" 2>&1 || code=$?
	case $code in
	0) undone=$((undone + 1)) ;;
	1) grep -q "no extension here" "$tmp/out" || { cat "$tmp/out"; fail "run $i: rollback"; } ;;
	*) cat "$tmp/out"; fail "run $i: rollback ends with $code" ;;
	esac
	# an undo file or a lock that never got its name stays until the next run makes its own
	if [ -n "$(find "$folder" -name '*.sharevm-new' -o -name 'E*.lck')" ]; then
		half=$((half + 1))
		extend_small in-place >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "run $i: the next run"; }
		"$SHAREVM" rollback "$vmx" --yes >"$tmp/out"
	fi
	contents | diff "$tmp/contents" - || fail "run $i: the disk is not as it was"
	[ -z "$(find "$folder" -path '*.lck/*')" ] || fail "run $i: a lock is left"
	sums_of "$folder" >"$tmp/sums"
}

i=0 killed=0 finished=0 partials=0 undone=0 half=0 stale=0
while read -r moment; do
	case $((i % 3)) in 0) how=linked ;; 1) how=copy ;; 2) how=in-place ;; esac
	result=$(killed "$how" "$moment")
	[ "$result" != failed ] || fail "run $i ($how): it failed by itself"
	[ "$result" != killed ] || killed=$((killed + 1))
	if [ "$how" = in-place ]; then after_in_place; else after_folder "$how"; fi
	i=$((i + 1))
done <"$tmp/moments"
echo "$i runs, $killed killed: $finished finished folders, $partials left a .partial, $undone" \
	"disks brought back, $stale with locks left, $half undo files or locks without a name; the" \
	"originals intact each time"
[ $killed -gt $((runs / 5)) ] || fail "only $killed of $runs runs were killed: this proves little"
