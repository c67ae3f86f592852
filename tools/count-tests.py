#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts meson's testlog.json and prints the closing line of tools/run-tests.sh.

usage: count-tests.py TESTLOG.JSON ALLOWED-SKIPS MESON-EXIT-CODE

Each skipped test is shown with the reason that it printed ("skip: REASON"). With CI set in the
environment a skip whose reason matches no line of ALLOWED-SKIPS counts as failed. Exits 0 only
when at least one test passed, none failed, and meson itself agrees.
"""
import fnmatch
import json
import os
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def allowed_patterns(path):
    with open(path, encoding="utf-8") as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def skip_reason(test):
    for line in (test.get("stdout") or "").splitlines():
        if line.startswith("skip: "):
            return line[len("skip: "):]
    return "no reason given"


def main():
    log, allowed_file, meson_code = sys.argv[1], sys.argv[2], int(sys.argv[3])
    allowed = allowed_patterns(allowed_file)
    strict = bool(os.environ.get("CI"))
    passed = failed = skipped = 0
    with open(log, encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            if test["result"] in PASSED:
                passed += 1
            elif test["result"] in SKIPPED:
                reason = skip_reason(test)
                refused = strict and not any(fnmatch.fnmatch(reason, p) for p in allowed)
                print(f"{'SKIPPED, NOT ALLOWED' if refused else 'skipped'}: "
                      f"{test['name']}: {reason}")
                skipped += not refused
                failed += refused
            else:
                print(f"FAILED ({test['result'].lower()}): {test['name']}")
                failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if passed and not failed and meson_code == 0 else 1)


if __name__ == "__main__":
    main()
