/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VMware's lock folders, see lock.h. */
#include "vm/lock.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 16 /* of a member, as in FileLockMemberValues */

/* ---- a member's text ---- */

/* "4711-123456(vmware-vmx)", "4711-123456", "4711(vmware-vmx)", "4711" */
static bool parse_process(const char *word, struct sv_lock_member *m)
{
	char *end;
	const char *close;

	if (!isdigit((unsigned char)*word))
		return false;
	m->pid = strtoll(word, &end, 10);
	if (m->pid <= 0 || m->pid > UINT32_MAX)
		return false;
	if (*end == '-' && isdigit((unsigned char)end[1]))
		m->start = strtoull(end + 1, &end, 10);
	if (!*end)
		return true;
	close = strrchr(end, ')');
	if (*end != '(' || !close || close[1])
		return false;
	snprintf(m->process, sizeof m->process, "%.*s", (int)(close - end - 1), end + 1);
	return true;
}

static bool is_number(const char *word)
{
	size_t n = strspn(word, "0123456789");

	return n > 0 && n <= 10 && !word[n];
}

static int split_words(char *text, char *words[WORDS_MAX])
{
	char *rest = NULL;
	int n = 0;

	for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		if (n == WORDS_MAX)
			return -1;
		words[n++] = w;
	}
	return n;
}

static int parse_words(char *words[], int n, struct sv_lock_member *m, struct sv_err *err)
{
	if (n < 4)
		return sv_fail(err, SV_CORRUPT, NULL,
			"a lock of %d words, at least 4 and at most %d expected", n, WORDS_MAX);
	if (strlen(words[0]) >= sizeof m->machine || !parse_process(words[1], m))
		return sv_fail(
			err, SV_CORRUPT, NULL, "a lock that names no machine and process");
	if (!is_number(words[2]))
		return sv_fail(err, SV_CORRUPT, NULL, "a lock without a Lamport number");
	if (strcmp(words[3], "S") != 0 && strcmp(words[3], "X") != 0)
		return sv_fail(
			err, SV_CORRUPT, NULL, "a lock of unknown type, S or X expected");
	/* the fifth word is a payload or "["; name=value follows */
	for (int i = 5; i < n; i++) {
		const char *equals = strchr(words[i], '=');

		if (!equals || equals == words[i] || !equals[1])
			return sv_fail(err, SV_CORRUPT, NULL, "a lock with a bad property");
	}
	snprintf(m->machine, sizeof m->machine, "%s", words[0]);
	m->number = (uint32_t)SV_MIN(strtoull(words[2], NULL, 10), UINT32_MAX - 1ULL);
	m->exclusive = words[3][0] == 'X';
	return 0;
}

int sv_lock_parse(const void *bytes, size_t n, struct sv_lock_member *ret, struct sv_err *err)
{
	struct sv_lock_member m = {0};
	char text[SV_LOCK_MEMBER_MAX + 1];
	char *words[WORDS_MAX];

	if (n > SV_LOCK_MEMBER_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"a lock of %zu bytes, the largest allowed is %d", n,
			SV_LOCK_MEMBER_MAX);
	if (n)
		memcpy(text, bytes, n);
	text[n] = 0; /* the text may fill the file, or end at its first NUL */
	if (parse_words(words, split_words(text, words), &m, err) < 0)
		return -1;
	*ret = m;
	return 0;
}

/* ---- whose machine? ---- */

static void base64_12(const uint8_t in[12], char out[17])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < 12; i += 3, out += 4) {
		uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

		for (int j = 0; j < 4; j++)
			out[j] = digits[v >> (18 - 6 * j) & 63];
	}
	*out = 0;
}

/* A hash of the host's name (DJB2), then the MAC address in eight bytes; "/" is written "-"
 * because the text was once used as a file name. */
void sv_lock_machine_text(const struct sv_computer *machine, char out[128])
{
	uint8_t raw[12] = {0};
	uint32_t hash = 5381;

	for (const char *p = machine->host_name; *p; p++)
		hash = hash * 33 + (uint8_t)*p;
	sv_store_le32(raw, hash);
	memcpy(raw + 4, machine->mac, sizeof machine->mac);
	base64_12(raw, out);
	for (; *out; out++)
		*out = *out == '/' ? '-' : *out;
}

/* The same UUID with its first three fields in the other byte order: before SMBIOS 2.6 they
 * were printed as they lie in memory. */
static void swap_fields(uint8_t u[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	uint8_t old[16];

	memcpy(old, u, sizeof old);
	for (int i = 0; i < 16; i++)
		u[i] = old[order[i]];
}

/* "uuid=bf-ef-05-3f-..." */
static bool is_of_uuid(const char *text, const struct sv_computer *machine)
{
	uint8_t told[16], own[16];
	char digits[33];
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (n == 32 || !isxdigit((unsigned char)*text))
			return false;
		digits[n++] = *text;
	}
	digits[n] = 0;
	if (n != 32 || !sv_unhex(digits, told, 16))
		return false;
	memcpy(own, machine->uuid, sizeof own);
	if (memcmp(told, own, sizeof own) == 0)
		return true;
	swap_fields(own);
	return memcmp(told, own, sizeof own) == 0;
}

bool sv_lock_is_of_machine(const struct sv_lock_member *m, const struct sv_computer *machine)
{
	char own[128];

	if (sv_starts_with(m->machine, "uuid="))
		return machine->has_uuid && is_of_uuid(m->machine + 5, machine);
	if (!machine->host_name[0])
		return false;
	sv_lock_machine_text(machine, own);
	return strcmp(m->machine, own) == 0;
}

/* ---- the folder ---- */

__attribute__((format(printf, 4, 5))) static void report(struct sv_lock_finding *found,
	enum sv_lock_kind kind, const char *file, const char *fmt, ...)
{
	va_list ap;

	if (kind <= found->kind)
		return;
	found->kind = kind;
	snprintf(found->file, sizeof found->file, "%s", file);
	va_start(ap, fmt);
	vsnprintf(found->reason, sizeof found->reason, fmt, ap);
	va_end(ap);
}

/* VMware's user interface locks the .vmx of each machine that it shows. */
static bool is_window(const char *process)
{
	static const char *const names[] = {"vmware", "vmware.exe", "vmplayer", "vmplayer.exe",
		"VMware Fusion", "VMware_Fusion"};

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (strcasecmp(process, names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_alive(const struct sv_lock_member *m, const struct sv_computer *machine,
	struct sv_process *ret)
{
	if (!sv_host_process_exists(machine->host, m->pid, ret))
		return false;
	return !m->start || !ret->start || m->start == ret->start;
}

static bool is_sharevm(const struct sv_lock_member *m)
{
	return strcmp(m->process, SV_LOCK_PROCESS) == 0;
}

static bool is_own_process(const struct sv_lock_member *m)
{
	struct sv_process own;

	sv_process_own(&own);
	return is_sharevm(m) && m->pid == own.pid && m->start == own.start;
}

void sv_lock_judge(const struct sv_lock_member *m, const char *file,
	const struct sv_computer *machine, struct sv_lock_finding *found)
{
	struct sv_process p;
	const char *name;

	if (!sv_lock_is_of_machine(m, machine)) {
		report(found, SV_LOCK_ELSEWHERE, file,
			"process %" PRId64 " (%s) of another machine (%s) holds it", m->pid,
			m->process[0] ? m->process : "unnamed", m->machine);
		return;
	}
	if (is_own_process(m))
		return;
	if (!is_alive(m, machine, &p)) {
		report(found, is_sharevm(m) ? SV_LOCK_STALE_OWN : SV_LOCK_STALE, file,
			"process %" PRId64 " (%s), which made it, no longer runs", m->pid,
			m->process[0] ? m->process : "unnamed");
		return;
	}
	name = p.name[0] ? p.name : m->process;
	report(found, is_window(name) ? SV_LOCK_WINDOW : SV_LOCK_HELD, file,
		"process %" PRId64 " (%s) holds it", m->pid, name[0] ? name : "unnamed");
}

void sv_lock_look_at(struct sv_host *host, const char *file, const struct sv_computer *machine,
	struct sv_lock_finding *found)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock_member m;
	size_t n = 0;
	sv_autofree char *text = sv_host_read_file(host, file, SV_LOCK_MEMBER_MAX, &n, &err);

	if (!text && err.code == SV_NOTFOUND)
		return; /* it was released in this moment */
	if (!text)
		report(found, SV_LOCK_UNCLEAR, file, "it cannot be read: %s", err.message);
	else if (sv_lock_parse(text, n, &m, &err) < 0)
		report(found, SV_LOCK_UNCLEAR, file, "it is not understood: %s", err.message);
	else
		sv_lock_judge(&m, file, machine, found);
}

/* M is a member. D and E are what a locker makes for the moment of locking; it looks for the
 * members of others then, and makes its own. */
static bool is_member(const char *name)
{
	return name[0] == 'M' && sv_ends_with(name, ".lck");
}

static void look_into_folder(struct sv_host *host, const char *folder,
	const struct sv_computer *machine, struct sv_lock_finding *found)
{
	struct sv_err err = SV_ERR_INIT;
	char **names = NULL;
	size_t n = 0;

	if (sv_host_list(host, folder, &names, &n, &err) < 0) {
		/* not found: it was released in this moment */
		if (err.code != SV_NOTFOUND)
			report(found, SV_LOCK_UNCLEAR, folder, "it cannot be read: %s",
				err.message);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *file = sv_path_join(folder, names[i]);

		if (!file)
			report(found, SV_LOCK_UNCLEAR, folder, "out of memory");
		else if (is_member(names[i]))
			sv_lock_look_at(host, file, machine, found);
	}
	sv_host_free_names(names, n);
}

void sv_lock_look(struct sv_host *host, const char *path, const struct sv_computer *machine,
	struct sv_lock_finding *found)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *folder = sv_format("%s.lck", path);
	struct sv_host_stat st;

	if (!folder) {
		report(found, SV_LOCK_UNCLEAR, path, "out of memory");
		return;
	}
	if (sv_host_stat(host, folder, &st, &err) < 0) {
		if (err.code != SV_NOTFOUND)
			report(found, SV_LOCK_UNCLEAR, folder, "it cannot be looked at: %s",
				err.message);
		return;
	}
	if (st.type == SV_HOST_DIR)
		look_into_folder(host, folder, machine, found);
	else
		report(found, SV_LOCK_UNCLEAR, folder, "it is a lock of an unknown kind");
}
