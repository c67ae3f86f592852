/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registry hives in the files of a guest: see hive_file.h. */
#include "guest/hive_file.h"

#include "base/str.h"
#include "guest/file_dev.h"

/* 0 with *ret NULL where there is no such log. */
static int open_log(struct sv_fs *fs, const char *path, const char *ending, struct sv_job *job,
	struct sv_dev **ret, struct sv_err *err)
{
	sv_autofree char *file = sv_format("%s%s", path, ending);
	struct sv_err why = SV_ERR_INIT;

	if (!file)
		return sv_fail_nomem(err);
	*ret = sv_guest_file_open(fs, file, job, &why);
	if (*ret || (why.code != SV_NOMEM && why.code != SV_CANCELLED))
		return 0;
	sv_err_copy(err, &why);
	return -1;
}

static void close_logs(struct sv_hive_logs *l)
{
	sv_dev_close(l->log);
	sv_dev_close(l->log1);
	sv_dev_close(l->log2);
}

static int open_with_logs(struct sv_fs *fs, const char *path, struct sv_dev *dev,
	struct sv_job *job, struct sv_hive **ret, struct sv_err *err)
{
	SV_CLEANUP(close_logs) struct sv_hive_logs logs = {0};

	if (open_log(fs, path, ".LOG", job, &logs.log, err) < 0 ||
		open_log(fs, path, ".LOG1", job, &logs.log1, err) < 0 ||
		open_log(fs, path, ".LOG2", job, &logs.log2, err) < 0)
		return -1;
	return sv_hive_open(dev, &logs, ret, err);
}

int sv_guest_hive_open(struct sv_fs *fs, const char *path, struct sv_job *job,
	struct sv_hive **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_hive_closep) struct sv_hive *h = NULL;
	sv_autodev struct sv_dev *dev = sv_guest_file_open(fs, path, job, err);
	struct sv_err why = SV_ERR_INIT;

	if (!dev)
		return -1;
	if (sv_hive_open(dev, NULL, &h, &why) < 0 || sv_hive_state(h)->dirty) {
		sv_hive_close(h);
		h = NULL;
		if (open_with_logs(fs, path, dev, job, &h, err) < 0)
			return -1;
	}
	if (sv_hive_state(h)->problem[0])
		sv_job_note(job, "the registry hive %s: %s", path, sv_hive_state(h)->problem);
	*ret = SV_STEAL(h);
	return 0;
}
