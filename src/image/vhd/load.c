/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opening a VHD's structures. Of the two copies of the footer the one at the end counts when
 * it is sound (a fixed disk may hold a VHD, whose front copy is then guest data), else the one
 * at the front. Where no copy has the right checksum, or the header has not, the image can be
 * read, as its owners' programs do, but nothing is ever written to it.
 */
#include "image/vhd/vhd.h"

#include <string.h>

/* ---- footer ---- */

struct copy {
	struct sv_vhd_disk_footer disk;
	struct sv_vhd_footer footer;
	struct sv_err err;
	uint64_t at;
	bool read; /* it can be understood */
};

static int read_copy(
	struct sv_dev *file, uint64_t at, size_t n, struct copy *ret, struct sv_err *err)
{
	*ret = (struct copy){.at = at};
	if (sv_dev_read(file, &ret->disk, n, at, err) < 0)
		return -1;
	ret->read = sv_vhd_footer_parse(&ret->disk, n, &ret->footer, &ret->err) == 0;
	sv_err_shift(&ret->err, at);
	return 0;
}

static int read_copies(
	struct sv_dev *file, struct copy *front, struct copy *end, struct sv_err *err)
{
	uint64_t size = sv_dev_size(file);
	const size_t n = SV_VHD_FOOTER_SIZE;

	if (size < n)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the file has %llu bytes, a VHD has at least 512",
			(unsigned long long)size);
	if (read_copy(file, 0, n, front, err) < 0 || read_copy(file, size - n, n, end, err) < 0)
		return -1;
	if (front->read && front->footer.type == SV_VHD_FIXED)
		front->read = false; /* guest data: a fixed image has no copy there */
	if (end->read || size % SV_SECTOR != SV_SECTOR - 1)
		return 0;
	return read_copy(file, size - (n - 1), n - 1, end, err);
}

static int choose_footer(struct sv_vhd *v, struct sv_err *err)
{
	const size_t n = SV_VHD_FOOTER_SIZE;
	struct copy front, end;
	const struct copy *best;

	if (read_copies(v->file, &front, &end, err) < 0)
		return -1;
	if (end.read && (end.footer.sum_ok || !front.read || !front.footer.sum_ok))
		best = &end;
	else
		best = &front;
	if (!best->read) {
		sv_err_copy(err, &end.err);
		return -1;
	}
	v->disk_footer = best->disk;
	v->footer = best->footer;
	v->footer_at = best->at;
	v->damaged = !best->footer.sum_ok;
	v->front_bad = !front.read || !front.footer.sum_ok;
	v->end_bad = !end.read || !end.footer.sum_ok;
	/* a change of both that was cut off between them: the end is written first */
	v->front_old = !v->front_bad && !v->end_bad && memcmp(&front.disk, &end.disk, n) != 0;
	v->front_bad |= v->front_old;
	v->next = end.read ? end.at : sv_align_up(sv_dev_size(v->file), SV_SECTOR);
	/* a footer of 511 bytes: nothing that the old program could not read is added */
	v->damaged |= end.read && (end.at + SV_VHD_FOOTER_SIZE != sv_dev_size(v->file));
	return 0;
}

/* ---- header and table ---- */

static int read_header(struct sv_vhd *v, struct sv_err *err)
{
	uint64_t at = v->footer.header_at, file_size = sv_dev_size(v->file);
	struct sv_vhd_disk_header h;

	if (!sv_in_range(at, sizeof h, file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			v->footer_at + offsetof(struct sv_vhd_disk_footer, header_at),
			"the VHD header is said to be at byte %llu, the file has %llu",
			(unsigned long long)at, (unsigned long long)file_size);
	if (sv_dev_read(v->file, &h, sizeof h, at, err) < 0)
		return -1;
	if (sv_vhd_header_parse(&h, sizeof h, v->footer.size, file_size, &v->header, err) < 0)
		return sv_err_shift(err, at);
	v->damaged |= !v->header.sum_ok;
	return v->footer.type == SV_VHD_DIFFERENCING ? sv_vhd_read_names(v, &h, err) : 0;
}

static int read_table(struct sv_vhd *v, struct sv_err *err)
{
	uint64_t n = v->header.n_blocks, table_end = v->header.table_at + n * 4;

	v->bat = malloc(n * 4);
	v->fresh = v->link.writable ? calloc(n / 8 + 1, 1) : NULL;
	if (!v->bat || (v->link.writable && !v->fresh))
		return sv_fail_nomem(err);
	if (sv_dev_read(v->file, v->bat, n * 4, v->header.table_at, err) < 0)
		return -1;
	table_end = sv_align_up(table_end, SV_SECTOR);
	v->end_bad |= v->next < table_end; /* the footer lies on the table */
	v->next = SV_MAX(v->next, table_end);
	for (uint64_t i = 0; i < n; i++)
		v->bat[i] = sv_load_be32(&v->bat[i]);
	return 0;
}

static int check_fixed(const struct sv_vhd *v, struct sv_err *err)
{
	if (v->next >= v->footer.size)
		return 0;
	sv_fail_at(err, SV_CORRUPT, NULL, v->next,
		"the disk has %llu bytes, the file has only %llu before its footer",
		(unsigned long long)v->footer.size, (unsigned long long)v->next);
	return sv_hint(err, "a copy of the disk that was cut short looks like this");
}

static int refuse_damaged(const struct sv_vhd *v, struct sv_err *err)
{
	if (!v->link.writable || (!v->damaged && !v->footer.saved))
		return 0;
	if (v->footer.saved) {
		sv_fail(err, SV_BUSY, NULL, "the VHD belongs to a machine in saved state");
		return sv_hint(err, "start the machine and shut it down");
	}
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"the VHD is open for reading only: the checksum of its footer or header is "
		"wrong, and there is no good copy");
	return sv_hint(err, "copy what it shows into a new image and use that");
}

int sv_vhd_load(struct sv_dev *file, bool writable, struct sv_vhd **ret, struct sv_err *err)
{
	struct sv_vhd *v = calloc(1, sizeof *v);
	bool fixed;

	if (!v)
		return sv_fail_nomem(err);
	v->link.driver = &sv_vhd_driver;
	v->link.writable = writable;
	v->file = sv_dev_ref(file);
	pthread_mutex_init(&v->lock, NULL);
	if (choose_footer(v, err) < 0)
		goto fail;
	fixed = v->footer.type == SV_VHD_FIXED;
	if ((fixed ? check_fixed(v, err) : read_header(v, err)) < 0 ||
		refuse_damaged(v, err) < 0 || (!fixed && read_table(v, err) < 0) ||
		(!fixed && writable && sv_vhd_refuse_faults(v, err) < 0))
		goto fail;
	*ret = v;
	return 0;
fail:
	sv_vhd_close(&v->link);
	return sv_err_path(err, sv_dev_name(file));
}

void sv_vhd_close(struct sv_link *l)
{
	struct sv_vhd *v = (struct sv_vhd *)l;

	for (size_t i = 0; i < SV_ARRAY_LEN(v->hints); i++)
		free(v->hints[i]);
	free(v->parent_name);
	free(v->bat);
	free(v->fresh);
	free(v->fresh_list);
	free(v->slots);
	pthread_mutex_destroy(&v->lock);
	sv_dev_close(v->file);
	free(v);
}
