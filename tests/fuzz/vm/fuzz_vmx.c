/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a .vmx: they print as they were read, a value that is set is read again, and a
 * clone of the configuration is a configuration.
 */
#include "base/str.h"
#include "vm/parts.h"

#include <string.h>

#define REQUIRE(what)                                                                          \
	do {                                                                                   \
		if (!(what))                                                                   \
			__builtin_trap();                                                      \
	} while (0)

static int no_stat(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
	struct sv_err *err)
{
	(void)h;
	(void)follow;
	(void)ret;
	return sv_fail(err, SV_NOTFOUND, path, "nothing is there");
}

/* A host on which no file exists. */
static const struct sv_host_ops empty_ops = {.stat = no_stat};

static void check_print(const struct sv_vmx *vmx, const uint8_t *bytes, size_t n)
{
	size_t len = 0;
	char *text = sv_vmx_print(vmx, &len, NULL);

	REQUIRE(text && len == n && !memcmp(text, bytes, n));
	free(text);
}

/* Gives each name its own value again: all are read back after printing and parsing. */
static void check_set(const struct sv_vmx *vmx)
{
	struct sv_vmx *copy = sv_vmx_copy(vmx, NULL), *again;
	const char *name, *value;
	size_t pos = 0;

	for (int i = 0; i < 50 && sv_vmx_next(vmx, &pos, &name, &value); i++)
		REQUIRE(sv_vmx_set(copy, name, value, NULL) == 0);
	sv_vmx_remove(copy, "displayname");
	REQUIRE(sv_vmx_set(copy, "sharevm.new", "|\"\n", NULL) == 0);
	again = sv_vmx_copy(copy, NULL);
	REQUIRE(!strcmp(sv_vmx_get(again, "sharevm.NEW"), "|\"\n"));
	REQUIRE(!sv_vmx_get(again, "displayName"));
	for (pos = 0; sv_vmx_next(copy, &pos, &name, &value);) {
		const char *got = sv_vmx_get(again, name);

		REQUIRE(got && !strcmp(got, value) && !strcmp(got, sv_vmx_get(copy, name)));
	}
	sv_vmx_free(again);
	sv_vmx_free(copy);
}

static void check_clone(struct sv_vmx *vmx)
{
	struct sv_host empty = {&empty_ops};
	struct sv_vm vm = {.config = strdup("/vm/a.vmx"),
		.folder = strdup("/vm"),
		.nvram = strdup("/vm/a.nvram"),
		.vmx = vmx};
	const struct sv_vm_clone how = {"clone", "/new", NULL, sv_vmx_has(vmx, "uuid.bios")};
	struct sv_vmx *parsed = NULL;
	char *text = NULL, *nvram = NULL;

	if (sv_vm_collect_disks(&empty, &vm, NULL) == 0 &&
		sv_vm_clone_config(&vm, &how, &text, &nvram, NULL) == 0) {
		/* it may have grown beyond the cap by absolute paths */
		if (sv_vmx_parse(text, strlen(text), &parsed, NULL) == 0)
			REQUIRE(!strcmp(sv_vmx_get(parsed, "displayName"), "clone"));
		sv_vmx_free(parsed);
		free(text);
		free(nvram);
	}
	sv_vm_free_disks(&vm);
	free(vm.config);
	free(vm.folder);
	free(vm.nvram);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = NULL;
	char *text;

	if (sv_vmx_parse(bytes, n, &vmx, &err) < 0) {
		REQUIRE(err.code == SV_CORRUPT);
		return 0;
	}
	check_print(vmx, bytes, n);
	check_set(vmx);
	text = sv_vmx_get_text(vmx, "displayName");
	if (text && sv_utf8_valid(text, strlen(text)))
		(void)sv_vmx_set_text(vmx, "annotation", text, NULL);
	free(text);
	check_clone(vmx);
	sv_vmx_free(vmx);
	return 0;
}
