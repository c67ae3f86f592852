#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The machines of a folder and of a user's libraries: what is listed and what is not, in what
# state, and machines named by their names.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mke2fs qemu-img jq

# linux NAME HOSTNAME: a raw disk with a Linux on it
linux() {
	rm -rf tree
	mkdir -p tree/etc tree/usr/lib tree/var
	printf 'PRETTY_NAME="Debian %s"\nID=debian\nVERSION_ID="12"\n' "$2" >tree/etc/os-release
	echo "$2" >tree/etc/hostname
	mke2fs -q -F -t ext4 -d tree "$1" 16M >mke2fs.log 2>&1
}
# vmx FILE NAME DISK
vmx() {
	printf '%s = "%s"\n' .encoding UTF-8 displayName "$2" scsi0.present TRUE \
		scsi0:0.present TRUE scsi0:0.fileName "$3" >"$1"
}

mkdir -p vms/web/sub vms/old vms/lone vms/.hidden vms/bad home/.vmware home/elsewhere
linux one.raw one

# a machine with a chain of snapshots, one of them not its own any more
qemu-img convert -O vmdk one.raw vms/web/web.vmdk
for n in 1 2; do
	qemu-img create -q -f vmdk -b web.vmdk -F vmdk vms/web/web-00000$n.vmdk
done
vmx vms/web/web.vmx "Web server" web-000001.vmdk
cp vms/web/web.vmx vms/web/._web.vmx
# split and flat disks: their parts are no machines
qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse one.raw vms/old/old.vmdk
qemu-img convert -O vmdk -o subformat=monolithicFlat one.raw vms/old/flat.vmdk
# images of other kinds, one on top of another; a name that is no part
qemu-img convert -O qcow2 one.raw vms/lone/base.qcow2
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 vms/lone/top.qcow2
qemu-img convert -O vhdx one.raw vms/lone/disk.vhdx
qemu-img convert -O vdi one.raw vms/lone/box.vdi
cp one.raw "vms/lone/$(printf 'evil\033[31m').raw"
cp one.raw vms/lone/name-flat.img
ln one.raw vms/lone/hard.raw
ln vms/lone/hard.raw vms/web/sub/hard-again.raw
ln -s .. vms/web/sub/loop
cp one.raw vms/.hidden/no.raw
head -c 70000 /dev/urandom >vms/bad/broken.qcow2
printf 'QFI\373\0\0\0\011' | dd of=vms/bad/broken.qcow2 conv=notrunc status=none
vmx vms/bad/gone.vmx "Gone disk" no-such.vmdk

run 7 list --in vms --json
valid_json out
is out 'd["schema"]' sharevm.list/1
names='", ".join(sorted(v["name"] for v in d["vms"]))'
is out "$names" "$(printf 'Gone disk, Web server, box, broken, disk, evil\033[31m, flat, hard, name-flat, old, top')"
vm='{v["name"]: v for v in d["vms"]}'
is out "$vm"'["Web server"]["os"]["product"]' "Debian one"
is out "$vm"'["Web server"]["hypervisor"]' vmware
is out "$vm"'["Web server"]["virtual_size"]' 16777216
is out "$vm"'["Web server"]["system_volume"]["size"] > '"$vm"'["Web server"]["system_volume"]["used"] > 0' True
is out "$vm"'["top"]["os"]["hostname"]' one
is out "$vm"'["Gone disk"]["state"]' off
is out "$vm"'["broken"]["problem"] != ""' True
[ "$(grep -c '^{"error"' err)" -eq 2 ] || bad "two machines are broken"

run 7 list --in vms
[ "$(head -1 out | cut -c 1-4)" = NAME ] || bad "no heading"
lacks out "$(printf '\033')"
has err broken.qcow2
on_terminal "" "$SHAREVM" list --color=never --in vms/web --in vms/old
grep -v '^sharevm' out >table
[ "$(wc -L <table)" -le 80 ] || bad "the table is wider than 80 columns"
run 7 list --in vms --plain
[ "$(wc -l <out)" -eq 11 ] || bad "not a line for each machine"
run 0 list -v --in vms/old --plain
has out "vms/old/old.vmdk"
run 0 list --in vms/web/sub vms/old/old.vmdk --json
is out 'len(d["vms"])' 2

mkdir empty
run 0 list --in empty
has err "no virtual machines"
run 1 list --in nowhere
run 0 list --in empty --json
is out 'd["vms"]' '[]'

# ---- a user's libraries ----
export HOME="$tmp/home"
vmx home/elsewhere/mail.vmx "Mail server" mail.vmdk
qemu-img convert -O vmdk one.raw home/elsewhere/mail.vmdk
printf '%s = "%s"\n' .encoding UTF-8 vmlist1.config "$HOME/elsewhere/mail.vmx" \
	vmlist1.DisplayName old vmlist2.config "" vmlist3.config /gone.vmx >home/.vmware/inventory.vmls
printf 'pref.mruVM0.filename = "%s"\n' "$HOME/elsewhere/mail.vmx" >home/.vmware/preferences
mkdir -p home/.config/VirtualBox home/boxes/b "home/VirtualBox VMs/c"
cat >home/.config/VirtualBox/VirtualBox.xml <<EOF
<?xml version="1.0"?><VirtualBox xmlns="http://www.virtualbox.org/"><Global><MachineRegistry>
<MachineEntry uuid="{1}" src="$HOME/boxes/b/b.vbox"/></MachineRegistry></Global></VirtualBox>
EOF
qemu-img convert -O vdi one.raw home/boxes/b/boxed.vdi
qemu-img convert -O vdi one.raw "home/VirtualBox VMs/c/mailbox.vdi"
run 0 list --json
is out "$names" "Mail server, boxed, mailbox"
run 0 cat "Mail server:/etc/hostname"
[ "$(cat out)" = one ] || bad "a machine by its name"
run 0 cat "mail s:/etc/hostname"
run 0 show BOXED
run 2 show mail
has err "Mail server, mailbox"
run 1 show nobody
has err "sharevm list"
# a file wins over a name
cp one.raw boxed
run 0 show boxed --json
is out 'd["vm"]["hypervisor"]' image
echo '<!DOCTYPE a [<!ENTITY a "b">]><VirtualBox/>' >home/.config/VirtualBox/VirtualBox.xml
run 0 list --json
is out "$names" "Mail server, mailbox"
HOME='' run 0 list --plain

# ---- several at once: in the order of the words, whatever goes wrong with one ----
set --
for i in 1 2 3 4 5 6 7 8; do
	set -- "$@" vms/lone/top.qcow2 vms/bad/broken.qcow2
done
run 7 show --json "$@"
[ "$(grep -c '^{"schema":"sharevm.show/1"' out)" -eq 8 ] || bad "eight machines open"
[ "$(grep -c '^{"error"' err)" -eq 8 ] || bad "eight do not"
run 0 show vms/web/web.vmx vms/lone/top.qcow2 vms/old/old.vmdk
grep -E '^(Web server|top|old)( |$)' out | cut -d ' ' -f 1 | tr '\n' ' ' >order
[ "$(cat order)" = "Web top old " ] || bad "not in the order of the words: $(cat order)"
[ "$(grep -c '^$' out)" -ge 2 ] || bad "no blank line between them"
run 5 show vms/bad/broken.qcow2 vms/bad/broken.qcow2
