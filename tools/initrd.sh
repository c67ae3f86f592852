# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A Debian kernel and a small system in memory, for the scripts that boot one in QEMU. Sourced.
# The caller has set `work`, a folder of its own, and die(). Kernel: that of this machine where
# it is Debian's, else the package is fetched (not installed: that would change what this
# machine boots).
: "${work:?}"

# Sets kernel, release, modules (the folder that holds lib/modules).
find_kernel() {
	local image
	for image in /boot/vmlinuz-*-cloud-amd64 /boot/vmlinuz-*[0-9]-amd64; do
		release=${image#/boot/vmlinuz-}
		if [ -r "$image" ] && [ -f "/lib/modules/$release/modules.dep" ]; then
			kernel=$image modules=
			return
		fi
	done
	fetch_kernel
}

fetch_kernel() {
	local package
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	[ -n "$package" ] || die "no Debian kernel on this machine, and apt knows none to fetch"
	(cd "$work" && apt-get -q download "$package" >/dev/null) || die "cannot fetch $package"
	dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
	kernel=$(echo "$work"/kernel/boot/vmlinuz-*)
	release=${kernel##*/vmlinuz-}
	modules=$work/kernel
	[ -d "$modules/lib/modules" ] || modules=$work/kernel/usr
	depmod -b "$modules" "$release"
}

# The module and what it needs, last first, as modules.dep tells.
files_of_module() {
	awk -v want="/$1.ko" -F': *' '
		{ path = $1; sub(/\.(xz|zst|gz)$/, "", path) }
		substr(path, length(path) - length(want) + 1) == want { print $2; print $1 }' \
		"$modules/lib/modules/$release/modules.dep" | tr ' ' '\n' | awk 'NF' |
		awk '{ line[NR] = $0 } END { for (i = NR - 1; i > 0; i--) print line[i]; print line[NR] }'
}

# Sets root, the folder that becomes the initrd, with busybox in it.
make_root() {
	root=$work/root
	mkdir -p "$root"/{bin,dev,proc,sys,modules,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ldd "$root/bin/busybox" >/dev/null 2>&1 && die "busybox is not static; install busybox-static"
	: >"$root/modules/order"
}

pack_root() {
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -1)
}

add_modules() { # NAME...: in the order to load them; what is built in needs none
	local name path
	for name in "$@"; do
		for path in $(files_of_module "$name"); do
			grep -qx "$(basename "${path%%.ko*}").ko" "$root/modules/order" && continue
			path=$modules/lib/modules/$release/$path
			case $path in
			*.xz) xz -dc "$path" >"$root/modules/$(basename "$path" .xz)" ;;
			*.zst) zstd -qdc "$path" >"$root/modules/$(basename "$path" .zst)" ;;
			*) cp "$path" "$root/modules/" ;;
			esac
			path=${path##*/}
			echo "${path%%.ko*}.ko" >>"$root/modules/order"
		done
	done
}

add_program() { # PATH: with the libraries that it loads
	local library
	cp "$1" "$root/bin/"
	chmod 755 "$root/bin/${1##*/}"
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
}
