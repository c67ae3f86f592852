#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Machines that must not be extended as they are: in use, suspended, encrypted, with a broken
# chain, with parts elsewhere. Each is refused with its code, the proof and a remedy, in every
# way of extending, and nothing is written.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires qemu-img qemu-storage-daemon
small_machine

# ---- in use ----
sleep 1000 &
sleeper=$!
on_exit "kill $sleeper"
start=$(sed 's/.*) //' /proc/$sleeper/stat | cut -d ' ' -f 20)

# What VMware on this computer puts into its locks: a hash of the host's name, and eth0's MAC.
me=$(python3 - <<'PY'
import base64, os, struct
h = 5381
for c in os.uname().nodename.encode():
    h = (h * 33 + c) & 0xffffffff
mac = b""
for i in range(8):
    try:
        mac = bytes.fromhex(open("/sys/class/net/eth%d/address" % i).read().strip().replace(":", ""))
        break
    except OSError:
        pass
print(base64.b64encode(struct.pack("<I8s", h, mac)).decode().replace("/", "-"))
PY
)
lock() { # FILE MACHINE PID-START(NAME)
	mkdir "$1.lck"
	printf '%s %s 4 X 0 lc=on' "$2" "$3" >"$1.lck/M40711.lck"
	truncate -s 512 "$1.lck/M40711.lck"
}

fresh
lock "$vmx" "$me" "$sleeper-$start(vmware-vmx)"
refused 3 "the machine runs" "the machine runs .*M40711.lck: process $sleeper" "shut the machine down"
fresh
lock "$desc" "$me" "$sleeper-$start(vmware-vmx)"
refused 3 "its disk is locked" "the machine runs .*Windows 7.vmdk.lck.*process $sleeper" \
	"shut the machine down"
"$SHAREVM" extend "$vmx" --to 200M --yes --json >"$tmp/out" 2>"$tmp/err" </dev/null && fail "--json"
check "--json: the same, for programs" jq -e '.error | .code and .message and .hint and .path' \
	"$tmp/err"
fresh
lock "$vmx" "uuid=01-02-03-04-05-06-07-08-09-0a-0b-0c-0d-0e-0f-10" "$sleeper-$start(vmware-vmx)"
refused 3 "another computer holds it" "in use by another computer .*M40711.lck" \
	"computer that runs it; if none does, delete .*M40711.lck"
fresh
sh -c 'exit 0' &
gone=$!
wait $gone
lock "$vmx" "$me" "$gone-1(vmware-vmx)"
refused 3 "a stale lock" "stale lock .*$gone .*no longer runs" \
	"if no program uses the machine, delete .*M40711.lck"
fresh
lock "$vmx" "$me" "$sleeper-$((start + 77))(vmware-vmx)"
refused 3 "a stale lock whose number lives again" "stale lock .*no longer runs" "delete .*M40711.lck"
fresh
mkdir "$vmx.lck"
echo "nonsense" >"$vmx.lck/M1.lck"
refused 3 "a lock that is not understood" "M1.lck" "M1.lck"

fresh
qemu-storage-daemon --pidfile "$tmp/qsd.pid" --daemonize \
	--blockdev "driver=file,node-name=f,filename=$flat" \
	--blockdev driver=raw,node-name=r,file=f \
	--nbd-server addr.type=unix,addr.path="$tmp/nbd" \
	--export type=nbd,id=e,node-name=r,writable=on
daemon=$(cat "$tmp/qsd.pid")
on_exit "kill $daemon 2>/dev/null"
refused 3 "QEMU has the disk open" "(qemu-storage-da|open for writing|in use)" "close|stop|shut"
kill "$daemon"
while kill -0 "$daemon" 2>/dev/null; do sleep 0.05; done

# ---- suspended, encrypted ----
fresh
echo 'checkpoint.vmState = "Windows 7-a1b2.vmss"' >>"$vmx"
refused 3 "a suspended machine" "suspended .*Windows 7-a1b2.vmss" "resume the machine and shut it down"
fresh
: >"$folder/Windows 7-a1b2.vmss"
refused 3 "a saved state beside it" "suspended .*Windows 7-a1b2.vmss" "resume the machine"
fresh
: >"$folder/564d0000-1111-2222-3333-444455556666.vmem"
refused 3 "a crashed machine" "crashed .*\.vmem" "start the machine and shut it down"
fresh
echo 'encryption.keySafe = "vmware:key/list/(pair/(phrase/x,y,z))"' >>"$vmx"
refused 5 "an encrypted machine" "the virtual machine is encrypted" "remove the encryption"

# ---- permission ----
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	fresh
	program=$SHAREVM
	cp "$program" "$tmp/sharevm"
	chmod 711 "$tmp"
	chmod 600 "$flat"
	printf '#!/bin/sh\nexec setpriv --reuid 65534 --clear-groups "%s" "$@"\n' "$tmp/sharevm" \
		>"$tmp/as-nobody"
	chmod 755 "$tmp/as-nobody" "$tmp/sharevm"
	SHAREVM=$tmp/as-nobody
	refused 4 "a disk that may not be read" "Windows 7-flat.vmdk: .*denied" "the right to it"
	chmod 644 "$flat"
	ways="linked copy" refused 4 "a place that may not be written" "denied" "the right to it"
	ways=in-place refused 4 "in place, a disk that may not be written" "denied" "the right to it"
	SHAREVM=$program
fi

# ---- sizes ----
fresh
to=20M refused 2 "smaller than now" "has 40M already, more than the 20M" "never smaller"
to=40M refused 2 "as large as now" "has 40M already" "ask for more than 40M"
to=3T refused 5 "an MBR beyond 2 TiB" "an MBR counts to 2T" "2T at most, or make it a GPT disk"
check "an MBR of 2 TiB works" "$SHAREVM" extend "$vmx" --to 2T --linked --yes
"$SHAREVM" rollback "$folder-extended" --yes >"$tmp/out"
ways="linked copy" refused 1 "a folder of that name exists" "exists" "--into" --into "$folder"

# ---- chains ----
chain() { # a machine whose disk is a snapshot
	fresh
	(cd "$folder" && qemu-img create -q -f vmdk -b "Windows 7.vmdk" -F vmdk "Windows 7-000001.vmdk")
	sed -i 's/^scsi0:0.fileName = .*/scsi0:0.fileName = "Windows 7-000001.vmdk"/' "$vmx"
}
chain
ways="in-place" refused 5 "a snapshot in place" "snapshots" "leave --in-place away"
rm "$desc"
ways="linked copy" refused 1 "a missing parent" "Windows 7.vmdk: .*missing" "put the file back"
chain
sed -i 's/^CID=.*/CID=01020304/' "$desc"
ways="linked copy" refused 1 "a parent that was written since" \
	"Windows 7.vmdk: its content id is 01020304" "bring back the right file"
fresh
truncate -s 30M "$flat"
refused 1 "an extent shorter than described" "Windows 7-flat.vmdk: .*the file has 31457280" "cut short.*backup"
fresh
rm "$flat"
refused 1 "a missing extent" "Windows 7-flat.vmdk: .*missing" "bring the file back"
for size in 18446744073709551615 36028797018963968 9223372036854775807 99999999999999999999999; do
	fresh
	sed -i "s/^RW [0-9]* /RW $size /" "$desc"
	refused 1 "a descriptor with $size sectors" "Windows 7.vmdk: offset 0x[0-9a-f]*: the extent's size" "backup"
done
fresh
sed -i "s/^RW [0-9]* FLAT .*/RW 81920 FLAT \"Windows 7-flat.vmdk\" 99999999999/" "$desc"
refused 1 "an extent that begins beyond its file" "Windows 7-flat.vmdk: .*the file has" "cut short.*backup"

# ---- elsewhere ----
fresh
mkdir "$room/elsewhere"
mv "$flat" "$room/elsewhere/disk.bin"
sed -i "s|FLAT .*|FLAT \"$room/elsewhere/disk.bin\" 0|" "$desc"
refused 5 "an extent outside the machine's folder" \
	"elsewhere/disk.bin: a part of the disk lies outside" "--allow-path '$room/elsewhere'"
for way in linked copy in-place; do
	check "with --allow-path, --$way works" extend_small $way --allow-path "$room/elsewhere"
	if [ $way = in-place ]; then
		check "and is undone" "$SHAREVM" rollback "$vmx" --yes
	else
		check "and is undone" "$SHAREVM" rollback "$folder-extended" --yes
	fi
done
fresh
mkdir "$room/elsewhere"
mv "$flat" "$room/elsewhere/"
ln -s "../elsewhere/Windows 7-flat.vmdk" "$flat"
refused 5 "a symbolic link in place of an extent" "elsewhere/Windows 7-flat.vmdk: .*outside" \
	"--allow-path '$room/elsewhere'"
fresh
mkdir "$room/elsewhere"
mv "$desc" "$flat" "$room/elsewhere/"
ln -s "../elsewhere/Windows 7.vmdk" "$desc"
ways=in-place refused 5 "a symbolic link in place of a disk, to be written" \
	"elsewhere/Windows 7.vmdk: .*outside" "--allow-path '$room/elsewhere'"
check "a symbolic link in place of a disk is read, linked" extend_small linked
check "and what is made is sound" "$SHAREVM" verify "$folder-extended" --full
"$SHAREVM" rollback "$folder-extended" --yes >"$tmp/out"
check "with --allow-path it is written" extend_small in-place --allow-path "$room/elsewhere"
check "and undone" "$SHAREVM" rollback "$vmx" --yes
fresh
sed -i 's|^RW .*|RW 81920 FLAT "/dev/zero" 0|' "$desc"
refused 5 "a device as an extent" "not a regular file" "only files are read as disks"
fresh
mkfifo "$folder/pipe"
sed -i 's|^RW .*|RW 81920 FLAT "pipe" 0|' "$desc"
refused 5 "a pipe as an extent" "not a regular file" "only files are read as disks"
