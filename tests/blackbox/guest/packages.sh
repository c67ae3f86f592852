#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `apps` lists of a Linux what its own package manager lists: dpkg-query, rpm (in each form of its
# database), pacman; and those whose records are plain files.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mke2fs rpm rpmbuild db5.3_load pacman dpkg-query python3 jq
here=$top/tests/blackbox/guest
cd "$tmp"

# disk TREE: an ext4 of this folder, which is made a Linux, as TREE.img
disk() {
	mkdir -p "$1/etc" "$1/usr/bin"
	echo 'PRETTY_NAME="Some Linux"' >"$1/etc/os-release"
	truncate -s 24M "$1.img"
	mke2fs -q -F -t ext4 -d "$1" "$1.img"
}
# listed IMAGE SOURCE: the table that the judges print, in order
listed() {
	"$SHAREVM" apps "$1" --json | jq -r --arg source "$2" '.apps[] | select(.source == $source) |
		[.name, .version // "", .arch // "(none)", .publisher // "(none)", .size // 0] | @tsv' | sort
}
# same_list A B: two tables are equal, and not empty
same_list() { [ -s "$1" ] && diff "$1" "$2"; }

# ---- dpkg -----------------------------------------------------------------------------------
mkdir -p deb/var/lib/dpkg/info deb/var/lib/dpkg/updates
cp /var/lib/dpkg/status deb/var/lib/dpkg/
cp -p /var/lib/dpkg/info/*.list deb/var/lib/dpkg/info/
record() { # NAME VERSION STATUS...
	name=$1 version=$2
	shift 2
	printf 'Package: %s\nStatus: %s\nMaintainer: Zoë <z@example.org>\nInstalled-Size: 7\n' "$name" "$*"
	printf 'Architecture: all\nVersion: %s\nDescription: x\n .\n more\n\n' "$version"
}
{
	record sv-gone 1 deinstall ok config-files
	record sv-half 2 install ok half-configured
	record sv-newer 1:3-1 install ok installed
	record sv-removed 4 install ok installed
} >>deb/var/lib/dpkg/status
record sv-newer 1:3-2 install ok installed >deb/var/lib/dpkg/updates/0000
record sv-removed 4 deinstall ok config-files >deb/var/lib/dpkg/updates/0001
record sv-newer 1:3-3 install ok installed >deb/var/lib/dpkg/updates/0002
disk deb
dpkg-query --admindir=deb/var/lib/dpkg -W -f \
	'${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${Maintainer}\t${Installed-Size}\n' |
	awk -F '\t' -v OFS='\t' '$1 != "config-files" && $1 != "not-installed" {
		print $2, $3, $4, $5, $6 * 1024 }' | sort >deb.want
listed deb.img dpkg >deb.have
sed '3d' deb.have >deb.fewer
check "a list with one package fewer is another one" rejects same_list deb.fewer deb.want
check "apps equals dpkg-query" same_list deb.have deb.want
# shellcheck disable=SC2016 # jq's own variables
check "a package has the day of its installation" jq -en --arg day "$(date -u \
	-r deb/var/lib/dpkg/info/dpkg.list +%Y-%m-%dT%H:%M:%SZ)" --arg have "$("$SHAREVM" apps deb.img --json |
	jq -r '.apps[] | select(.name == "dpkg") | .installed')" '$day == $have'

mkdir -p tiny/var/lib/dpkg/status.d
printf 'Package: base\nVersion: 11.1\nArchitecture: arm64\n' >tiny/var/lib/dpkg/status.d/base
echo none >tiny/var/lib/dpkg/status.d/base.md5sums
disk tiny
listed tiny.img dpkg >tiny.have
printf 'base\t11.1\tarm64\t(none)\t0\n' >tiny.want
check "containers keep a file for each package" same_list tiny.have tiny.want

# ---- rpm ------------------------------------------------------------------------------------
cat >sv.spec <<'SPEC'
Name: sv-alpha
Version: 1.0
Release: 1
Summary: x
License: GPL
Vendor: Alpha, Ltd.
BuildArch: noarch
%description
x
%package beta
Summary: x
Epoch: 3
Version: 2~rc1
%description beta
x
%package gamma
Summary: x
Epoch: 0
%description gamma
x
%install
mkdir -p %{buildroot}/opt
head -c 40000 /dev/zero >%{buildroot}/opt/some
%files
%files beta
/opt/some
%files gamma
SPEC
made() { # some are small enough to lie in a page of Berkeley DB, one is not
	HOME=$tmp rpmbuild --quiet --define "_topdir $tmp/top" -bb sv.spec &&
		mkdir -p db && rpm --dbpath "$tmp/db" --define '_db_backend sqlite' --initdb &&
		rpm --dbpath "$tmp/db" --define '_db_backend sqlite' -i --justdb --nodeps --noscripts \
			--nosignature --ignorearch --ignoreos top/RPMS/noarch/*.rpm
}
check "rpm installs packages" made
query() { # DBPATH: as listed()
	rpm --dbpath "$1" --define '_db_backend sqlite' -qa \
		--qf '%{NAME}\t%{EVR}\t%{ARCH}\t%{VENDOR}\t%{LONGSIZE}\n' | sort
}
query "$tmp/db" >rpm.want
check "rpm knows three" test "$(wc -l <rpm.want)" -eq 3
sqlite3_file=$tmp/db/rpmdb.sqlite
rpm_case() { # NAME FILE... : the database is these files
	mkdir -p "$1/usr/lib/sysimage/rpm"
	for file in "$@"; do
		[ "$file" = "$1" ] || cp "$file" "$1/usr/lib/sysimage/rpm/"
	done
	disk "$1"
	listed "$1.img" rpm >"$1.have"
}
rpm_case sqlite "$sqlite3_file"
sed '1d' sqlite.have >sqlite.fewer
check "a list with one package fewer is another one" rejects same_list sqlite.fewer rpm.want
check "apps equals rpm -qa (SQLite)" same_list sqlite.have rpm.want

python3 "$here/make-packages.py" ndb "$sqlite3_file" Packages.db
rpm_case ndb Packages.db
check "apps equals rpm -qa (ndb)" same_list ndb.have rpm.want

python3 "$here/make-packages.py" bdb "$sqlite3_file" dump.txt
for order in 1234 4321; do
	for page in 512 4096; do
		rm -f Packages
		db5.3_load -c db_pagesize=$page -c db_lorder=$order -f dump.txt Packages
		rpm_case "bdb-$order-$page" Packages
		check "apps equals rpm -qa (Berkeley DB, order $order, pages of $page)" \
			same_list "bdb-$order-$page.have" rpm.want
	done
done

mkdir wal journal
python3 "$here/make-packages.py" wal "$sqlite3_file" "$tmp/wal"
check "the log is there" test -s wal/rpmdb.sqlite-wal
rpm_case with-wal wal/rpmdb.sqlite wal/rpmdb.sqlite-wal
query "$tmp/wal" >wal.want
check "one was removed" test "$(wc -l <wal.want)" -eq 2
check "apps equals rpm -qa (SQLite, the log not brought in)" same_list with-wal.have wal.want
python3 "$here/make-packages.py" journal "$sqlite3_file" "$tmp/journal"
check "the journal is there" test -s journal/rpmdb.sqlite-journal
check "the database is half-written" rejects cmp journal/rpmdb.sqlite "$sqlite3_file"
rpm_case with-journal journal/rpmdb.sqlite journal/rpmdb.sqlite-journal
check "apps lists what was before a cut (SQLite, with a journal)" same_list with-journal.have rpm.want

# damage: what can be read is listed, and told
mkdir -p torn/var/lib/rpm
head -c "$(($(wc -c <Packages.db) - 100))" Packages.db >torn/var/lib/rpm/Packages.db
disk torn
check_exit 7 "a database cut short is told" "$SHAREVM" apps torn.img
check "and read as far as it goes" test "$(grep -c sv-alpha "$tmp/check.log")" -eq 2
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
if [ -f "$corpus/EXPECTED.tsv" ]; then
	for row in cbl-mariner-2.0/rpmdb.sqlite sle15-bci/Packages.db libuuid/Packages; do
		xz -dc "$corpus/go-rpmdb/$row.xz" >"${row#*/}"
		rpm_case "real-${row%%/*}" "${row#*/}"
		want=$(awk -F '\t' -v f="go-rpmdb/$row" '$1 == f && $4 == "rpm.packages" { print $5 }' \
			"$corpus/EXPECTED.tsv")
		check "$row has $want packages" test "$(wc -l <"real-${row%%/*}.have")" -eq "$want"
	done
fi

# ---- pacman ---------------------------------------------------------------------------------
db=arch/var/lib/pacman/local
mkdir -p "$db/linux-6.1-1" "$db/filesystem-2023.01-1"
echo 9 >"$db/ALPM_DB_VERSION"
printf '%%NAME%%\nlinux\n\n%%VERSION%%\n6.1-1\n\n%%DESC%%\nA kernel\n\n%%ARCH%%\nx86_64\n\n%%PACKAGER%%\n%s\n\n%%SIZE%%\n1234\n\n%%INSTALLDATE%%\n1700000000\n\n' \
	'Zoë <z@example.org>' >"$db/linux-6.1-1/desc"
printf '%%NAME%%\nfilesystem\n\n%%VERSION%%\n2023.01-1\n\n%%ARCH%%\nany\n\n' >"$db/filesystem-2023.01-1/desc"
touch "$db/linux-6.1-1/files" "$db/filesystem-2023.01-1/files"
disk arch
pacman --root "$tmp/arch" --dbpath "$tmp/arch/var/lib/pacman" -Q | tr ' ' '\t' | sort >arch.want
listed arch.img pacman | cut -f 1,2 >arch.have
check "apps equals pacman -Q" same_list arch.have arch.want
"$SHAREVM" apps arch.img --json >arch.json || fail "apps --json of the pacman system"
check "with size, date and packager" jq -e '.apps[] | select(.name == "linux") | .size == 1234 and
	.installed == "2023-11-14T22:13:20Z" and .publisher == "Zoë <z@example.org>"' arch.json

# ---- records that are plain files -----------------------------------------------------------
mkdir -p misc/lib/apk/db misc/var/db/pkg/sys-devel/gcc-13.2.1_p20230826-r1 \
	misc/var/db/pkg/sys-devel/-MERGING-x-1 misc/var/db/pkg/app-misc/a-1b-2.0 \
	misc/var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable misc/snap/core22/1033 misc/snap/bin \
	misc/var/lib/snapd/snaps misc/usr/local/lib/python3.11/dist-packages/requests-2.31.0.dist-info \
	misc/usr/lib/python3.11/site-packages/distro_thing-1.0.dist-info misc/usr/lib/opkg \
	misc/home/zoe/.local/lib/python3.11/site-packages/black-23.1.dist-info \
	misc/usr/local/lib/node_modules/npm misc/usr/local/lib/node_modules/@angular/cli
printf 'C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:1\nI:622592\nm:T <t@example.org>\nF:lib\nM:0:0:755\nR:x\n\nP:zlib\nV:1.3\n\n' \
	>misc/lib/apk/db/installed
printf 'Package: busybox\nVersion: 1.36\nArchitecture: mips\nStatus: install user installed\nInstalled-Time: 1700000000\n\n' \
	>misc/usr/lib/opkg/status
echo 12 >misc/var/db/pkg/sys-devel/gcc-13.2.1_p20230826-r1/SIZE
echo x86_64-pc-linux-gnu >misc/var/db/pkg/sys-devel/gcc-13.2.1_p20230826-r1/CHOST
echo gentoo >misc/var/db/pkg/sys-devel/gcc-13.2.1_p20230826-r1/repository
ln -s 1033 misc/snap/core22/current
head -c 77 /dev/zero >misc/var/lib/snapd/snaps/core22_1033.snap
echo pip >misc/usr/local/lib/python3.11/dist-packages/requests-2.31.0.dist-info/INSTALLER
echo debian >misc/usr/lib/python3.11/site-packages/distro_thing-1.0.dist-info/INSTALLER
echo pip >misc/home/zoe/.local/lib/python3.11/site-packages/black-23.1.dist-info/INSTALLER
echo '{"name":"npm","version":"9.2.0","author":{"name":"GitHub"}}' >misc/usr/local/lib/node_modules/npm/package.json
echo '{"name":"@angular/cli","version":"17"}' >misc/usr/local/lib/node_modules/@angular/cli/package.json
mkdir -p misc/etc
echo 'zoe:x:1000:1000::/home/zoe:/bin/sh' >misc/etc/passwd
disk misc
"$SHAREVM" apps misc.img --json >misc.json
jq -r '.apps[] | [.source, .name, .version, .arch // "", .publisher // "", .size // 0, .user // ""] |
	join("|")' misc.json | sort >misc.have
sort >misc.want <<'WANT'
apk|musl|1.2.4-r2|x86_64|T <t@example.org>|622592|
apk|zlib|1.3|||0|
flatpak|org.gimp.GIMP|stable|x86_64||0|
npm|@angular/cli|17|||0|
npm|npm|9.2.0||GitHub|0|
opkg|busybox|1.36|mips||0|
pip|black|23.1|||0|zoe
pip|requests|2.31.0|||0|
portage|app-misc/a-1b|2.0|||0|
portage|sys-devel/gcc|13.2.1_p20230826-r1|x86_64|gentoo|12|
snap|core22|1033|||77|
WANT
check "each kind of record is read" same_list misc.have misc.want
echo "ok: packages"
