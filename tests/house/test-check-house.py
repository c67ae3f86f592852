#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows tools/check-house.py a sound tree, which it must accept, and broken twins of it, each of
which it must reject at the right line."""
import os
import subprocess
import sys
import tempfile

CHECK = sys.argv[1]
LICENCE = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"

SOUND = {
    "src/base/err.h": LICENCE,
    "src/io/dev.h": LICENCE + '#include "base/err.h"\n',
    "src/fs/ntfs/ntfs.c": LICENCE + '#include "io/dev.h"\n/* no system(3), no strcpy() here */\n',
    "src/cli/main.c": LICENCE + '#include "fs/ntfs/ntfs.h"\nconst char *s = "call gets() now";\n',
}

BROKEN = [
    ("an arrow upwards", "src/base/err.c", LICENCE + '#include "io/dev.h"\n', ":2:"),
    ("a sibling", "src/fs/ntfs/ntfs.c", LICENCE + '#include "volume/table.h"\n', ":2:"),
    ("an operation that sees another", "src/run/x.c", LICENCE + '# include "extend/extend.h"\n',
     ":2:"),
    ("a relative include", "src/io/x.c", LICENCE + '\n#include "../fs/fs.h"\n', ":3:"),
    ("an unknown room", "src/attic/x.c", LICENCE, ":1:"),
    ("a banned call", "src/io/x.c", LICENCE + "\n\nvoid f(void) { system (0); }\n", ":4:"),
    ("a note to self", "src/io/x.c", LICENCE + "/* TO" "DO */\n", ":2:"),
    ("no licence", "src/io/x.c", "int x;\n", ":1:"),
    ("a file too long", "tests/unit/x.c", LICENCE + "\n" * 1000, ":1001:"),
]


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True)
        return done.returncode, done.stdout


def main():
    wrong = 0
    code, out = run(SOUND)
    if code != 0:
        print(f"the sound tree was rejected:\n{out}")
        wrong += 1
    for name, path, text, line in BROKEN:
        code, out = run({**SOUND, path: text})
        if code != 1 or path + line not in out:
            print(f"{name}: not rejected at {path}{line} (exit {code}):\n{out}")
            wrong += 1
    code, _ = run({})
    if code == 0:
        print("an empty tree was accepted: a check of nothing is none")
        wrong += 1
    print(f"{len(BROKEN) + 2 - wrong} of {len(BROKEN) + 2} trees judged rightly")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
