#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the Debian packages that building, testing and trying sharevm need, by name, from
# whatever archive this machine already uses. Installs only what is missing, says what it does,
# and returns at once when there is nothing to do. Works as root or through sudo.
#
#   tools/setup.sh [--check] PROFILE...      PROFILE: build test demo fuzz bench
#
# --check installs nothing: it names what is missing and exits 1.
# SHAREVM_NO_SETUP=1 trusts that everything is there (for systems other than Debian).
set -eu

usage() {
	echo "usage: tools/setup.sh [--check] build|test|demo|fuzz|bench..." >&2
	exit 2
}

# The release decides a few names; an unknown or newer one is treated like the newest.
debian_release() {
	release=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release)
	echo "${release:-99}"
}

packages_of() {
	case $1 in
	build)
		echo gcc libc6-dev make meson ninja-build pkgconf python3
		echo libseccomp-dev
		echo libssl-dev libexpat1-dev zlib1g-dev libdeflate-dev libzstd-dev liblzma-dev liblzo2-dev
		echo libjansson-dev libsqlite3-dev ntfs-3g-dev
		;;
	test)
		packages_of build
		echo libcmocka-dev qemu-utils ntfs-3g sleuthkit fdisk gdisk mount
		echo open-vm-tools # VMware's own lock code, in a library; its service does not start
		echo libfsntfs-utils libvhdi-utils libhivex-bin libwin-hivex-perl jq openssl gzip xz-utils zstd shellcheck
		echo e2fsprogs dosfstools xfsprogs btrfs-progs exfatprogs attr acl cryptsetup-bin xorriso
		echo qemu-system-x86 busybox-static cpio kmod lvm2 mdadm strace
		echo rpm db5.3-util pacman-package-manager wimtools # package databases, packed files
		echo ldmtool parted # dynamic disks, other partition tables
		echo genisoimage f2fs-tools nilfs-tools jfsutils squashfs-tools erofs-utils # named volumes
		if [ "$(debian_release)" -le 12 ]; then
			echo p7zip-full clang-format-14
		else
			echo 7zip
		fi
		;;
	demo)
		packages_of test
		echo grub-pc-bin grub-common
		;;
	fuzz)
		packages_of build
		echo libcmocka-dev clang llvm libclang-rt-dev
		;;
	bench)
		packages_of test
		echo time
		;;
	*) usage ;;
	esac
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
	for package in $(for profile; do packages_of "$profile"; done | tr ' ' '\n' | sort -u); do
		is_installed "$package" || printf '%s ' "$package"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "setup: neither root nor sudo here; as root, run: $*" >&2
		exit 1
	fi
}

check_only=no
if [ "${1-}" = --check ]; then
	check_only=yes
	shift
fi
[ $# -gt 0 ] || usage
for profile; do packages_of "$profile" >/dev/null; done

[ -z "${SHAREVM_NO_SETUP-}" ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "setup: this is no Debian; install the like of these, then set SHAREVM_NO_SETUP=1:" >&2
	for profile; do packages_of "$profile"; done | tr ' ' '\n' | sort -u | tr '\n' ' ' >&2
	echo >&2
	exit 1
fi

missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0
if [ "$check_only" = yes ]; then
	echo "setup: missing: $missing"
	exit 1
fi

echo "setup: installing: $missing"
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 update
# shellcheck disable=SC2086 # a list of names
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
	install --no-install-recommends $missing
echo "setup: done"
