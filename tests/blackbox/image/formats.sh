#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: formats.sh MAN-FOLDER
#
# What README.md and sharevm-image(1) say of the formats: the same in both, all kinds that the
# program makes, and nothing that it does not make.
man=$1
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/../cli/checks.sh"
requires python3

cat >same.py <<-'END'
	import re, sys

	def rows(readme):
	    on = False
	    for line in open(readme):
	        on = line.startswith("| disk |") or (on and line.startswith("|"))
	        cells = [c.strip(" ¹²") for c in line.strip().strip("|").split("|")]
	        if on and len(cells) == 7 and cells[1] in ("yes", "-"):
	            yield cells

	def sentence(cells):
	    done = ", ".join(w for w, c in zip(("read", "write", "make"), cells[1:4]) if c == "yes")
	    more = {"-": "", "chains": "; chains", "both": "; snapshots and chains"}[cells[4]]
	    return f"{done}{more}; judged by {cells[6]}"

	page = open(sys.argv[2]).read().replace("\\-", "-")
	listed = dict(re.findall(r"^\.TP\n\.B (.*)\n(.*; judged by .*)$", page, re.M))
	told = {c[0]: sentence(c) for c in rows(sys.argv[1])}
	for name in sorted(listed.keys() | told.keys()):
	    if listed.get(name) != told.get(name):
	        sys.exit(f"{name}: the page has {listed.get(name)!r}, README {told.get(name)!r}")
	if len(told) < 12:
	    sys.exit(f"README lists only {len(told)}")
END
page=$man/sharevm-image.1
sed 's/| yes | yes | yes |/| yes | yes | - |/' "$top/README.md" >twin
check "another table is seen" rejects python3 same.py twin "$page"
check "README and the page agree" python3 same.py "$top/README.md" "$page"

run 2 image create x --size 1M
truncate -s 1M one.img
formats=$(sed -n 's/^hint: name one of: //p' err | tr -d ' ' | tr , ' ')
for format in $formats; do
	grep -qi "^| ${format}[ :].*| yes | yes | yes |" "$top/README.md" ||
		fail "README has no row that says that $format is made"
	run 2 image create x --size 1M --format "$format" --subformat nonsense
	for kind in $(sed -n 's/^hint: the kinds are: //p' err | tr -d ,); do
		has "$page" "$kind"
		# a plain or split Parallels disk is a folder
		run 0 image convert one.img "made.$format.$kind.hdd" --to "$format" --subformat "$kind"
	done
done
echo "all passed"
