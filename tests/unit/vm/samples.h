/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configurations as VMware Workstation and Fusion write them, written for these tests. */
#ifndef SV_TESTS_VM_SAMPLES_H
#define SV_TESTS_VM_SAMPLES_H

/* Workstation for Windows: CRLF, a national encoding, two disks, a CD image. */
#define WORKSTATION_VMX                                                                        \
	".encoding = \"windows-1252\"\r\n"                                                     \
	"config.version = \"8\"\r\n"                                                           \
	"virtualHW.version = \"19\"\r\n"                                                       \
	"pciBridge0.present = \"TRUE\"\r\n"                                                    \
	"vmci0.present = \"TRUE\"\r\n"                                                         \
	"nvram = \"Win10.nvram\"\r\n"                                                          \
	"displayName = \"B\xfcro |22PC|22\"\r\n"                                               \
	"guestOS = \"windows9-64\"\r\n"                                                        \
	"sata0.present = \"TRUE\"\r\n"                                                         \
	"scsi0.present = \"TRUE\"\r\n"                                                         \
	"scsi0.virtualDev = \"lsisas1068\"\r\n"                                                \
	"scsi0:0.present = \"TRUE\"\r\n"                                                       \
	"scsi0:0.fileName = \"Win10.vmdk\"\r\n"                                                \
	"scsi0:10.present = \"TRUE\"\r\n"                                                      \
	"scsi0:10.fileName = \"sub\\data.vmdk\"\r\n"                                           \
	"scsi0:10.mode = \"independent-persistent\"\r\n"                                       \
	"sata0:1.present = \"TRUE\"\r\n"                                                       \
	"sata0:1.deviceType = \"cdrom-image\"\r\n"                                             \
	"sata0:1.fileName = \"tools.iso\"\r\n"                                                 \
	"sata0:2.present = \"TRUE\"\r\n"                                                       \
	"sata0:2.deviceType = \"cdrom-raw\"\r\n"                                               \
	"sata0:2.fileName = \"auto detect\"\r\n"                                               \
	"floppy0.fileType = \"file\"\r\n"                                                      \
	"floppy0.fileName = \"boot.flp\"\r\n"                                                  \
	"serial0.present = \"TRUE\"\r\n"                                                       \
	"serial0.fileType = \"file\"\r\n"                                                      \
	"serial0.fileName = \"console.txt\"\r\n"                                               \
	"serial1.fileType = \"pipe\"\r\n"                                                      \
	"serial1.fileName = \"\\\\.\\pipe\\com_1\"\r\n"                                        \
	"ethernet0.present = \"TRUE\"\r\n"                                                     \
	"ethernet0.addressType = \"generated\"\r\n"                                            \
	"ethernet0.generatedAddress = \"00:0C:29:3A:5B:7C\"\r\n"                               \
	"ethernet0.generatedAddressOffset = \"0\"\r\n"                                         \
	"extendedConfigFile = \"Win10.vmxf\"\r\n"                                              \
	"uuid.bios = \"56 4d 3e 11 22 33 44 55-66 77 88 99 aa 3a 5b 7c\"\r\n"                  \
	"uuid.location = \"56 4d 3e 11 22 33 44 55-66 77 88 99 aa 3a 5b 7c\"\r\n"              \
	"vmxstats.filename = \"Win10.scoreboard\"\r\n"                                         \
	"sched.swap.derivedName = \"D:\\VMs\\Win10\\Win10-1f2e3d.vswp\"\r\n"                   \
	"checkpoint.vmState = \"\"\r\n"                                                        \
	"scsi0:0.redo = \"\"\r\n"                                                              \
	"annotation = \"first line|0D|0Asecond | line\"\r\n"                                   \
	"# a note of the owner\r\n"                                                            \
	"some.future.key = \"kept\"\r\n"

/* Fusion: LF, UTF-8, an NVMe disk that a snapshot stands on. */
#define FUSION_VMX                                                                             \
	".encoding = \"UTF-8\"\n"                                                              \
	"config.version = \"8\"\n"                                                             \
	"displayName = \"Windows 11 \xe2\x80\x93 B\xc3\xbcro\"\n"                              \
	"guestOS = \"arm-windows11-64\"\n"                                                     \
	"nvme0.present = \"TRUE\"\n"                                                           \
	"nvme0:0.present = \"TRUE\"\n"                                                         \
	"nvme0:0.fileName = \"Virtual Disk-000002.vmdk\"\n"                                    \
	"sata0.present = \"TRUE\"\n"                                                           \
	"sata0:0.present = \"FALSE\"\n"                                                        \
	"sata0:0.fileName = \"old.vmdk\"\n"                                                    \
	"firmware = \"efi\"\n"                                                                 \
	"uuid.action = \"create\"\n"                                                           \
	"floppy0.present = \"FALSE\"\n"

#define FUSION_VMSD                                                                            \
	".encoding = \"UTF-8\"\n"                                                              \
	"snapshot.lastUID = \"3\"\n"                                                           \
	"snapshot.current = \"3\"\n"                                                           \
	"snapshot.mru0.uid = \"3\"\n"                                                          \
	"snapshot0.uid = \"1\"\n"                                                              \
	"snapshot0.filename = \"Windows 11-Snapshot1.vmsn\"\n"                                 \
	"snapshot0.displayName = \"clean\"\n"                                                  \
	"snapshot0.createTimeHigh = \"385643\"\n"                                              \
	"snapshot0.createTimeLow = \"-1201474720\"\n"                                          \
	"snapshot0.numDisks = \"1\"\n"                                                         \
	"snapshot0.disk0.fileName = \"Virtual Disk.vmdk\"\n"                                   \
	"snapshot0.disk0.node = \"nvme0:0\"\n"                                                 \
	"snapshot2.uid = \"3\"\n"                                                              \
	"snapshot2.filename = \"Windows 11-Snapshot3.vmsn\"\n"                                 \
	"snapshot2.parent = \"1\"\n"                                                           \
	"snapshot2.displayName = \"with |22Office|22\"\n"                                      \
	"snapshot2.type = \"1\"\n"                                                             \
	"snapshot2.disk0.fileName = \"Virtual Disk-000001.vmdk\"\n"                            \
	"snapshot2.disk0.node = \"nvme0:0\"\n"                                                 \
	"snapshot.numSnapshots = \"2\"\n"

#endif
