#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""same-reg.py A B: do two exports of regedit's format (UTF-16 or UTF-8) say the same?

Strings between quotes and the same string as bytes are the same; keys and values are compared
as sets. Prints the first differences and exits with 1.
"""
import re
import sys


def text_of(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\xff\xfe":
        return data.decode("utf-16", "surrogatepass")
    # hivexregedit writes each line in Latin-1 where that suffices, else in UTF-8
    return "".join(decoded(line) for line in data.splitlines(True))


def decoded(line):
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def unquote(text):
    return re.sub(r"\\(.)", r"\1", text, flags=re.S)


def data_of(text):
    if text.startswith("dword:"):
        return 4, int(text[6:], 16).to_bytes(4, "little")
    if text.startswith('"'):
        return 1, (unquote(text[1:-1]) + "\0").encode("utf-16-le", "surrogatepass")
    kind, digits = re.fullmatch(r"hex(?:\(([0-9a-f]+)\))?:(.*)", text, re.S).groups()
    return int(kind or "3", 16), bytes.fromhex(digits.replace(",", " "))


def parse(path):
    text = text_of(path)
    assert text.startswith("Windows Registry Editor Version 5.00"), path
    text = re.sub(r"\\\r?\n\s*", "", text)
    keys, key = {}, None
    for line in re.split(r"\r?\n", text)[1:]:
        if line.startswith("["):
            key = keys.setdefault(line[1:-1].rstrip("\\").lower(), {})
        elif line:
            name, data = re.match(r'(@|"(?:[^"\\]|\\.)*")=(.*)', line, re.S).groups()
            key["" if name == "@" else unquote(name[1:-1])] = data_of(data)
    return keys


def main():
    a, b = (parse(path) for path in sys.argv[1:3])
    bad = [f"only in one: [{key}]" for key in sorted(a.keys() ^ b.keys())]
    for key in a.keys() & b.keys():
        for name in sorted(a[key].keys() | b[key].keys()):
            if a[key].get(name) != b[key].get(name):
                bad.append(f"[{key}] {name}: {a[key].get(name)} and {b[key].get(name)}")
    print("\n".join(bad[:5]))
    print(f"{len(a)} keys, {sum(map(len, a.values()))} values, {len(bad)} differences")
    return 1 if bad or not a else 0


sys.exit(main())
