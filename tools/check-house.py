#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the rules of the house that a compiler does not see.

usage: check-house.py [ROOT]        (default: the folder above this script)

- arrows: a file in src/ROOM includes only its own room and the rooms that MAY_SEE allows;
- no file of the tree is longer than 1000 lines;
- no call in src/ of a function that cannot be used safely (BANNED);
- each source file begins with its licence; no notes to self are left in it.

Prints `FILE:LINE: what is wrong` for each fault and exits 1 when there is one.
"""
import os
import re
import sys

# Each room and the rooms below it. Two siblings (image, volume, fs, hive) never see each other.
BASE = {"base"}
IO = BASE | {"io"}
DISK = IO | {"image", "volume", "fs", "hive"}
GUEST = DISK | {"guest"}
VM = GUEST | {"vm"}
VERSION = VM | {"store", "version"}
OPERATIONS = VERSION | {"extend", "tidy", "layer", "run"}
MAY_SEE = {
    "base": set(),
    "io": BASE,
    "image": IO, "volume": IO, "fs": IO, "hive": IO, "store": IO,
    "guest": DISK,
    "vm": GUEST,
    "extend": VM, "tidy": VM, "run": VM,
    "version": VM | {"store"},
    "layer": VERSION,
    "serve": OPERATIONS,
    "web": OPERATIONS | {"serve"},
    "cli": OPERATIONS | {"serve", "web"},
}

MAX_LINES = 1000
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|alloca|system|popen|strtok|"
    r"mktemp|tmpnam|scanf|sscanf)\s*\(")
NOTE_TO_SELF = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"
CODE = (".c", ".h")
COUNTED = (".c", ".h", ".py", ".sh", ".build", ".js", ".md")


def without_comments_and_strings(text):
    """The code alone, line by line: comments and literals become blanks."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def arrow_faults(room, lines):
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        target = found.group(1)
        to = target.split("/")[0] if "/" in target else room
        if to.startswith("."):
            yield number, f'"{target}": include by the path below src/, not by a relative one'
        elif to not in MAY_SEE:
            yield number, f'"{target}": no room "{to}" is known'
        elif to != room and to not in MAY_SEE[room]:
            allowed = ", ".join(sorted(MAY_SEE[room])) or "nothing"
            yield number, f'"{target}": {room} may not see {to} (it may see: {allowed})'


def call_faults(text):
    for number, line in enumerate(without_comments_and_strings(text).split("\n"), 1):
        for call in BANNED.findall(line):
            yield number, f"{call}() is not used in this house"


def word_faults(text):
    if SPDX not in text.split("\n", 1)[0]:
        yield 1, f"the first line is not the licence ({SPDX})"
    for number, line in enumerate(text.split("\n"), 1):
        for note in NOTE_TO_SELF.findall(line):
            yield number, f"{note}: finish it, or open an issue"


def faults_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        text = f.read()
    lines = text.count("\n")
    if lines > MAX_LINES:
        yield MAX_LINES + 1, f"{lines} lines; split it (at most {MAX_LINES})"
    parts = path.split(os.sep)
    if path.endswith(CODE) and parts[0] == "src" and len(parts) > 2:
        if parts[1] not in MAY_SEE:
            yield 1, f'the room "{parts[1]}" has no arrows; add it to tools/check-house.py'
        else:
            yield from arrow_faults(parts[1], text.split("\n"))
        yield from call_faults(text)
    if path.endswith(CODE):
        yield from word_faults(text)


def files_of(root):
    for top in ("src", "include", "tests", "tools"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith(COUNTED):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(here)
    seen = faults = 0
    for path in files_of(root):
        seen += 1
        for number, what in faults_of(root, path):
            print(f"{path}:{number}: {what}")
            faults += 1
    print(f"{seen} files, {faults} faults")
    sys.exit(1 if faults or not seen else 0)


if __name__ == "__main__":
    main()
