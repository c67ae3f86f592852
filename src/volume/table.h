/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Partition tables: read with validation, and edited one entry at a time. Nothing is ever
 * rebuilt: numbers, identifiers, attributes, boot code and unknown bytes stay as they are.
 *
 * Sources: MBR and EBR as in "Partition types" practice (Linux block/partitions/msdos.c
 * documents the chain); GPT: UEFI 2.10 section 5.
 */
#ifndef SV_VOLUME_TABLE_H
#define SV_VOLUME_TABLE_H

#include "base/job.h"
#include "io/dev.h"

enum sv_table_kind {
	SV_TABLE_NONE, /* a file system on the whole disk ("superfloppy"), or nothing */
	SV_TABLE_MBR,
	SV_TABLE_GPT,
	SV_TABLE_APM, /* Apple's partition map; read, never edited, as the next one */
	SV_TABLE_BSD, /* a disklabel on the whole disk */
};

/* Entries kept: a GPT of 128 is usual, MBR chains end sooner. */
#define SV_PARTITIONS_MAX 1024

/* Places and sizes are in bytes, counted from the disk's start. */
struct sv_partition {
	/* as Linux: MBR 1-4, logical from 5 in chain order, GPT and APM slot + 1; BSD 'a' is 1,
	 * in a slice the number of the slice */
	unsigned number;
	char letter; /* BSD: 'a' and on; 0 elsewhere */
	uint64_t start;
	uint64_t size;                   /* above 0 */
	uint8_t mbr_type;                /* MBR; BSD and APM: their own */
	uint8_t type_guid[16], guid[16]; /* GPT only, as they lie on the disk */
	uint64_t attributes;             /* GPT only */
	char *name;                      /* GPT, APM: UTF-8; "" elsewhere */
	bool active;                     /* MBR boot flag */
	bool logical;                    /* MBR, inside the extended one */
	bool extended;                   /* MBR, the container itself (types 05, 0f, 85) */
	uint64_t entry;                  /* where its entry lies in the table that was used */
};

struct sv_table {
	enum sv_table_kind kind;
	uint32_t sector_size;       /* 512 or 4096: the unit that the table counts in */
	uint32_t mbr_signature;     /* MBR: disk signature; of a GPT's protective MBR too */
	uint8_t disk_guid[16];      /* GPT */
	struct sv_partition *parts; /* ordered by start; extended containers included */
	size_t n;
	struct sv_partition *nested; /* MBR: what the disklabels in BSD partitions list */
	size_t n_nested;
	uint64_t *ebrs; /* MBR: every extended boot record in chain order, empty ones too */
	size_t n_ebrs;
	bool odd_chain; /* MBR: an EBR has more entries than two: logicals are not grown */
	bool hybrid; /* GPT whose MBR lists partitions too: the GPT is read, nothing edited */
	/* GPT: which headers were good. Exactly one good header is usable and is said so. */
	bool primary_ok, backup_ok;
	uint64_t gpt_first_usable; /* start of the first usable sector */
	uint64_t gpt_last_usable;  /* end of the last one */
	uint64_t gpt_backup_lba;   /* as the used header tells */
	uint64_t gpt_backup_area;  /* what entries and header need at the disk's end */
	char *warning;             /* "" or sentences about what was passed over */
};

/*
 * Reads the table of a disk. A disk without one gives SV_TABLE_NONE and n = 0; so do the boot
 * sector of a file system at sector 0, entries that cannot be a table (a status byte other than
 * 00 and 80, a partition that begins at sector 0), and four empty entries without a disk
 * signature. Where none of these is found, Apple's partition map and a BSD disklabel are looked
 * for. SV_CORRUPT for: partitions that overlap or go beyond the disk (GPT: beyond the
 * usable sectors), an EBR loop or a chain outside its container, two bad GPT headers, a GPT
 * whose entries cannot be (size not 128*2^n, more than 16 MiB). A GPT counts only when the MBR
 * announces it (type EE). The sector size is found by the place of "EFI PART" (512 first, then
 * 4096); of an MBR by where volumes begin (512 unless they show 4096).
 */
int sv_table_read(struct sv_dev *disk, struct sv_table *ret, struct sv_err *err);
void sv_table_free(struct sv_table *t); /* frees the content */

const struct sv_partition *sv_table_find(const struct sv_table *t, unsigned number);
/* Has the partition partitions of its own (t->nested)? */
bool sv_partition_is_nest(const struct sv_table *t, const struct sv_partition *p);
/* "EFI system", "Microsoft basic data", "Windows recovery", "Linux", ...: never NULL. */
const char *sv_partition_type_name(const struct sv_table *t, const struct sv_partition *p);
/* Of a Windows dynamic disk (LDM), which keeps a second table that an edit here would
 * contradict. */
bool sv_partition_is_dynamic(const struct sv_table *t, const struct sv_partition *p);
/* The text form of a GUID as it lies on the disk (mixed endian); upper case. */
#define SV_GUID_TEXT 37
void sv_guid_text(const uint8_t guid[16], char out[SV_GUID_TEXT]);

/*
 * What growing partition `number` to `new_size` bytes on a disk of `disk_size` bytes would
 * meet. SV_UNSUPPORTED, with names and a hint, when: another partition is in the way, the end
 * would pass 2 TiB on an MBR (2^32 - 1 sectors; 16 TiB with sectors of 4096 bytes), the size is
 * not above the present one, the disk is too small, the MBR is a hybrid or its chain odd, the
 * partition is an extended container, holds a disklabel, or is part of a Windows dynamic disk,
 * or the table is neither MBR nor GPT; SV_NOTFOUND for a
 * number that is not there; SV_USAGE for a size that is no whole number of sectors. *ret_max
 * (may be NULL) is what sv_table_max_size() tells, also when it fails; a size up to the very
 * last sector is accepted.
 */
int sv_table_check_grow(const struct sv_table *t, unsigned number, uint64_t new_size,
	uint64_t disk_size, uint64_t *ret_max, struct sv_err *err);
/* The largest size that partition `number` may have on a disk of disk_size bytes: up to the
 * next partition, the GPT's backup area (33 sectors or as its entries need), 2 TiB on an MBR;
 * rounded down to 1 MiB of disk offset where that leaves it larger than now. */
int sv_table_max_size(const struct sv_table *t, unsigned number, uint64_t disk_size,
	uint64_t *ret_size, struct sv_err *err);

/*
 * Edits the table on `disk` (already of its new size; `t` may have been read before it grew).
 * Checks what sv_table_check_grow() checks and that the entry on the disk is the one in `t`.
 * Order of writes, with a flush after each, so that one good copy of the table exists at every
 * moment:
 *   GPT: backup entries, backup header (at the new end), primary entries, primary header, size
 *        in the protective MBR, then the old backup header is erased. When the primary was the
 *        bad one, it is written before the backup. Both are good afterwards.
 *   MBR: the extended container, the link to the logical's EBR, then the entry itself.
 * End CHS fields are set as Windows does (255 heads, 63 sectors, FE FF FF beyond). `number` 0
 * moves the GPT's backup only, and does nothing on an MBR.
 */
int sv_table_grow(struct sv_dev *disk, const struct sv_table *t, unsigned number,
	uint64_t new_size, struct sv_job *job, struct sv_err *err);

#endif
