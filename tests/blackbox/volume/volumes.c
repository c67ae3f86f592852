/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints what the guest room makes of raw disks, a line for each volume:
 *
 *   ID SIZE SHA-256 TYPE          or          ID SIZE - PROBLEM
 *
 *   volumes DISK...               "-" in place of a disk: it is missing
 */
#include "base/hash.h"
#include "guest/guest.h"
#include "io/host.h"

#include <stdio.h>
#include <string.h>

static void print_volume(const struct sv_guest_volume *v)
{
	struct sv_err err = SV_ERR_INIT;
	char hex[SV_SHA256_TEXT] = "-";
	uint8_t sum[SV_SHA256_SIZE];
	const char *text = v->problem;

	if (v->group && text[0] && v->problem_code != SV_UNSUPPORTED) {
		/* it could not be put together */
	} else if (sv_dev_hash(v->dev, 0, sv_dev_size(v->dev), sum, NULL, &err) == 0) {
		sv_hex(sum, sizeof sum, hex);
		text = v->type_name;
	} else {
		text = err.message;
	}
	printf("%s %llu %s %s\n", v->id, (unsigned long long)v->size, hex, text);
}

static size_t open_disks(int argc, char **argv, struct sv_dev **disks, struct sv_err *err)
{
	struct sv_host *host = sv_host_posix();
	size_t n = 0;

	for (int i = 1; i < argc && n < SV_GUEST_DISKS_MAX; i++) {
		if (!strcmp(argv[i], "-"))
			continue;
		if (sv_host_open(host, argv[i], SV_OPEN_READ, &disks[n], err) < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], err->message);
			exit(1);
		}
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sv_dev *disks[SV_GUEST_DISKS_MAX];
	struct sv_err err = SV_ERR_INIT;
	size_t n = open_disks(argc, argv, disks, &err);
	struct sv_guest *g;

	if (sv_guest_open(disks, n, NULL, &g, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (size_t i = 0; i < g->n_volumes; i++)
		print_volume(&g->volumes[i]);
	sv_guest_close(g);
	for (size_t i = 0; i < n; i++)
		sv_dev_close(disks[i]);
	return 0;
}
