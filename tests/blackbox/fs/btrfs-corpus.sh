#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A btrfs that another project publishes in a VHDX, with zlib, LZO, a sparse file and a subvolume:
# each entry must be what EXPECTED.tsv of the corpus says, and there must be no other.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires python3
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
packed=$corpus/discutils/btrfs.vhdx image=$tmp/btrfs.vhdx
[ -f "$corpus/EXPECTED.tsv" ] || skip "no corpus folder ($corpus; SHAREVM_CORPUS names another)"
if [ -f "$packed.xz" ]; then
	xz -dc "$packed.xz" >"$image"
elif [ -f "$packed.gz" ]; then
	gzip -dc "$packed.gz" >"$image"
else
	cp "$packed" "$image"
fi

python3 - "$corpus/EXPECTED.tsv" >"$tmp/want" <<'END'
import sys
for line in open(sys.argv[1], encoding='utf-8'):
    cells = line.rstrip('\n').split('\t')
    if cells[0].endswith('btrfs.vhdx') and cells[3].startswith('entry@2048:') and \
            cells[4].startswith('type='):
        print(cells[3].removeprefix('entry@2048:'), cells[4])
END
python3 - "$tmp/want" >"$tmp/wanted.txt" <<'END'
import sys
print('\n'.join(sorted(l.split(' type=')[0] for l in open(sys.argv[1]))))
END
[ "$(wc -l <"$tmp/want")" -ge 12 ] || fail "EXPECTED.tsv says little of it"
"$SHAREVM" ls -R "$image:/" | sed 's|^|/|; s|/$||' | sort >"$tmp/listed.txt"
check "every entry and no other is listed" diff "$tmp/wanted.txt" "$tmp/listed.txt"
while read -r path what; do
	case $what in
	*sha256=*)
		sum=$("$SHAREVM" cat "$image:$path" | sha256sum | cut -d' ' -f1)
		[ "$sum" = "${what##*sha256=}" ] || fail "$path: its content is $sum, expected $what"
		echo "ok: $path"
		;;
	esac
done <"$tmp/want"
