/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of partition types, and the text form of a GUID (UEFI 2.10 appendix A: the first three
 * fields little-endian). The GPT types are those of the UEFI specification, of Microsoft's
 * PARTITION_INFORMATION_GPT page and of the Discoverable Partitions Specification.
 */
#include "volume/table.h"

#include "base/endian.h"
#include "base/num.h"
#include "volume/labels.h"
#include "volume/parts.h"

#include <stdio.h>
#include <string.h>

void sv_guid_text(const uint8_t guid[16], char out[SV_GUID_TEXT])
{
	snprintf(out, SV_GUID_TEXT, "%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X",
		sv_load_le32(guid), sv_load_le16(guid + 4), sv_load_le16(guid + 6), guid[8],
		guid[9], guid[10], guid[11], guid[12], guid[13], guid[14], guid[15]);
}

#define RECOVERY  "Windows recovery"
#define DYNAMIC   "Windows dynamic disk"
#define DYNAMIC_2 "Windows dynamic disk database"

static const struct {
	const char *guid;
	const char *name;
} gpt_types[] = {
	{"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EFI system"},
	{"21686148-6449-6E6F-744E-656564454649", "BIOS boot"},
	{"E3C9E316-0B5C-4DB8-817D-F92DF00215AE", "Microsoft reserved"},
	{"EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "Microsoft basic data"},
	{"DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", RECOVERY},
	{"AF9B60A0-1431-4F62-BC68-3311714A69AD", DYNAMIC},
	{"5808C8AA-7E8F-42E0-85D2-E1E90434CFB3", DYNAMIC_2},
	{"E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D", "Microsoft Storage Spaces"},
	{"0FC63DAF-8483-4772-8E79-3D69D8477DE4", "Linux"},
	{"44479540-F297-41B2-9AF7-D131D5F0458A", "Linux root (x86)"},
	{"4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "Linux root (x86-64)"},
	{"B921B045-1DF0-41C3-AF44-4C6F280D3FAE", "Linux root (ARM64)"},
	{"8484680C-9521-48C6-9C11-B0720656F69E", "Linux /usr (x86-64)"},
	{"933AC7E1-2EB4-4F13-B844-0E14E2AEF915", "Linux home"},
	{"3B8F8425-20E0-4F3B-907F-1A25A76F98E8", "Linux server data"},
	{"4D21B016-B534-45C2-A9FB-5C16E091FD2D", "Linux /var"},
	{"BC13C2FF-59E6-4262-A352-B275FD6F7172", "Linux boot"},
	{"0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "Linux swap"},
	{"E6D6D379-F507-44C2-A23C-238F2A3DF928", "Linux LVM"},
	{"A19D880F-05FC-4D3B-A006-743F0F84911E", "Linux RAID"},
	{"CA7D7CCB-63ED-4C53-861C-1742536059CC", "LUKS"},
	{"8DA63339-0007-60C0-C436-083AC8230908", "Linux reserved"},
	{"48465300-0000-11AA-AA11-00306543ECAC", "Apple HFS+"},
	{"7C3457EF-0000-11AA-AA11-00306543ECAC", "Apple APFS"},
	{"426F6F74-0000-11AA-AA11-00306543ECAC", "Apple boot"},
	{"83BD6B9D-7F41-11DC-BE0B-001560B84F0F", "FreeBSD boot"},
	{"516E7CB4-6ECF-11D6-8FF8-00022D09712B", "FreeBSD"},
	{"516E7CB5-6ECF-11D6-8FF8-00022D09712B", "FreeBSD swap"},
	{"516E7CB6-6ECF-11D6-8FF8-00022D09712B", "FreeBSD UFS"},
	{"516E7CBA-6ECF-11D6-8FF8-00022D09712B", "FreeBSD ZFS"},
	{"6A898CC3-1DD2-11B2-99A6-080020736631", "Solaris /usr or ZFS"},
	{"AA31E02A-400F-11DB-9590-000C2911D1B8", "VMware VMFS"},
	{"9D275380-40AD-11DB-BF97-000C2911D1B8", "VMware vmkcore"},
	{"9198EFFC-31C0-11DB-8F78-000C2911D1B8", "VMware reserved"},
};

static const char *const mbr_types[256] = {
	[0x00] = "empty",
	[0x01] = "FAT12",
	[0x04] = "FAT16",
	[0x05] = "extended",
	[0x06] = "FAT16",
	[0x07] = "NTFS or exFAT",
	[0x0B] = "FAT32",
	[0x0C] = "FAT32",
	[0x0E] = "FAT16",
	[0x0F] = "extended",
	[0x11] = "hidden FAT12",
	[0x12] = "OEM service",
	[0x14] = "hidden FAT16",
	[0x16] = "hidden FAT16",
	[0x17] = "hidden NTFS",
	[0x1B] = "hidden FAT32",
	[0x1C] = "hidden FAT32",
	[0x1E] = "hidden FAT16",
	[0x27] = RECOVERY,
	[0x42] = DYNAMIC,
	[0x82] = "Linux swap",
	[0x83] = "Linux",
	[0x84] = "hibernation",
	[0x85] = "extended",
	[0x8E] = "Linux LVM",
	[0xA5] = "FreeBSD",
	[0xA6] = "OpenBSD",
	[0xA8] = "macOS UFS",
	[0xA9] = "NetBSD",
	[0xAF] = "Apple HFS+",
	[0xBF] = "Solaris",
	[0xDE] = "Dell utility",
	[0xEE] = "GPT protective",
	[0xEF] = "EFI system",
	[0xFB] = "VMware VMFS",
	[0xFC] = "VMware vmkcore",
	[0xFD] = "Linux RAID",
};

const char *sv_partition_type_name(const struct sv_table *t, const struct sv_partition *p)
{
	char text[SV_GUID_TEXT];

	if (t->kind == SV_TABLE_APM)
		return sv_apm_type_name(p->mbr_type);
	if (p->letter)
		return sv_bsd_type_name(p->mbr_type);
	if (t->kind != SV_TABLE_GPT)
		return mbr_types[p->mbr_type] ? mbr_types[p->mbr_type] : "unknown type";
	sv_guid_text(p->type_guid, text);
	for (size_t i = 0; i < SV_ARRAY_LEN(gpt_types); i++) {
		if (strcmp(text, gpt_types[i].guid) == 0)
			return gpt_types[i].name;
	}
	return "unknown type";
}

bool sv_partition_is_dynamic(const struct sv_table *t, const struct sv_partition *p)
{
	const char *name = sv_partition_type_name(t, p);

	return strcmp(name, DYNAMIC) == 0 || strcmp(name, DYNAMIC_2) == 0;
}

bool sv_partition_is_recovery(const struct sv_table *t, const struct sv_partition *p)
{
	return strcmp(sv_partition_type_name(t, p), RECOVERY) == 0;
}
