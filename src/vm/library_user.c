/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where hypervisors keep a user's machines: VMware's inventory and its list of machines that
 * were opened last (both in the dictionary format of vmx.h), VirtualBox' registry
 * (VirtualBox.xml: MachineEntry, defaultMachineFolder), and the folders that each proposes.
 */
#include "vm/found.h"
#include "vm/library.h"
#include "vm/vmx.h"

#include "base/num.h"
#include "base/str.h"

#include <expat.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX (4u << 20) /* of a registry: some 300 bytes a machine */

static const char *const home_folders[] = {"vmware", "Virtual Machines.localized",
	"Documents/Virtual Machines.localized", "VirtualBox VMs", ".local/share/libvirt/images",
	".local/share/gnome-boxes/images", "Parallels",
	"Library/Containers/com.utmapp.UTM/Data/Documents"};
static const char *const dictionaries[] = {".vmware/inventory.vmls", ".vmware/preferences",
	"Library/Application Support/VMware Fusion/vmInventory"};
static const char *const registries[] = {".config/VirtualBox/VirtualBox.xml",
	".VirtualBox/VirtualBox.xml", "Library/VirtualBox/VirtualBox.xml"};
static const char *const system_folders[] = {"/var/lib/libvirt/images"};

/* A registry's text; NULL where there is none, which is no error. */
static char *read_text(struct sv_found *f, const char *home, const char *name, size_t *ret_n)
{
	sv_autofree char *path = sv_path_join(home, name);

	return path ? sv_host_read_file(f->host, path, TEXT_MAX, ret_n, NULL) : NULL;
}

/* ---- VMware ---- */

/* "vmlist7.config", "pref.mruVM3.filename" */
static bool names_a_machine(const char *key)
{
	return (!strncasecmp(key, "vmlist", 6) && sv_ends_with_nocase(key, ".config")) ||
	       (!strncasecmp(key, "pref.mruVM", 10) && sv_ends_with_nocase(key, ".filename"));
}

static int add_dictionary(
	struct sv_found *f, const char *home, const char *name, struct sv_err *err)
{
	SV_CLEANUP(sv_vmx_freep) struct sv_vmx *vmx = NULL;
	sv_autofree char *text = NULL;
	const char *key, *value;
	size_t n = 0, pos = 0;

	text = read_text(f, home, name, &n);
	if (!text || sv_vmx_parse(text, n, &vmx, NULL) < 0)
		return 0;
	while (sv_vmx_next(vmx, &pos, &key, &value)) {
		if (names_a_machine(key) && value[0] == '/' &&
			sv_ends_with_nocase(value, ".vmx") &&
			sv_found_add(f, value, true, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- VirtualBox ---- */

struct registry {
	struct sv_found *f;
	XML_Parser xml;
	struct sv_err *err;
	int rc;
};

static const char *attribute(const char **attrs, const char *name)
{
	for (; attrs && attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return NULL;
}

static void on_element(void *user, const char *name, const char **attrs)
{
	struct registry *r = user;
	const char *src = attribute(attrs, "src");
	const char *dir = attribute(attrs, "defaultMachineFolder");
	sv_autofree char *folder = NULL;

	if (r->rc < 0)
		return;
	if (!strcmp(name, "MachineEntry") && src && src[0] == '/') {
		folder = sv_path_dir(src);
		r->rc = folder ? sv_found_walk(r->f, folder, true, r->err)
			       : sv_fail_nomem(r->err);
	} else if (!strcmp(name, "SystemProperties") && dir && dir[0] == '/') {
		r->rc = sv_found_walk(r->f, dir, true, r->err);
	}
}

/* Entities could make a small text large: there are none in these files. */
static void refuse_doctype(
	void *user, const char *name, const char *system, const char *public_id, int internal)
{
	struct registry *r = user;

	(void)name, (void)system, (void)public_id, (void)internal;
	XML_StopParser(r->xml, XML_FALSE);
}

static int add_virtualbox(
	struct sv_found *f, const char *home, const char *name, struct sv_err *err)
{
	struct registry r = {.f = f, .err = err};
	sv_autofree char *text = NULL;
	size_t n = 0;

	text = read_text(f, home, name, &n);
	if (!text)
		return 0;
	r.xml = XML_ParserCreate(NULL);
	if (!r.xml)
		return sv_fail_nomem(err);
	XML_SetUserData(r.xml, &r);
	XML_SetStartElementHandler(r.xml, on_element);
	XML_SetStartDoctypeDeclHandler(r.xml, refuse_doctype);
	XML_Parse(
		r.xml, text, (int)n, 1); /* what a damaged one tells before its fault counts */
	XML_ParserFree(r.xml);
	return r.rc;
}

/* ---- all of them ---- */

static int add_folders(struct sv_found *f, const char *home, struct sv_err *err)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(home_folders); i++) {
		sv_autofree char *path = sv_path_join(home, home_folders[i]);

		if (!path)
			return sv_fail_nomem(err);
		if (sv_found_walk(f, path, true, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(system_folders); i++)
		if (sv_found_walk(f, system_folders[i], true, err) < 0)
			return -1;
	return 0;
}

int sv_found_add_user(struct sv_found *f, const char *home, struct sv_err *err)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(dictionaries); i++)
		if (add_dictionary(f, home, dictionaries[i], err) < 0)
			return -1;
	for (size_t i = 0; i < SV_ARRAY_LEN(registries); i++)
		if (add_virtualbox(f, home, registries[i], err) < 0)
			return -1;
	return add_folders(f, home, err);
}

/* ---- where all of it lies ---- */

struct places {
	struct sv_host *host;
	const char *home;
	sv_library_place_fn fn;
	void *user;
};

static int tell_places(struct places *p, const char *const *names, size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *path = sv_path_join(p->home, names[i]);

		if (!path)
			return sv_fail_nomem(err);
		if (sv_host_exists(p->host, path) && p->fn(p->user, path, err) < 0)
			return -1;
	}
	return 0;
}

/* Where the user's registries say that machines are. */
static int tell_machines(struct places *p, struct sv_err *err)
{
	struct sv_found f = {.host = p->host};
	int rc = sv_found_add_user(&f, p->home, err);

	for (size_t i = 0; rc == 0 && i < f.n; i++)
		rc = p->fn(p->user, f.files[i].path, err);
	sv_found_free(&f);
	return rc;
}

int sv_library_places(struct sv_host *host, const char *home, sv_library_place_fn fn,
	void *user, struct sv_err *err)
{
	struct places p = {host, home, fn, user};

	if (tell_places(&p, home_folders, SV_ARRAY_LEN(home_folders), err) < 0 ||
		tell_places(&p, dictionaries, SV_ARRAY_LEN(dictionaries), err) < 0 ||
		tell_places(&p, registries, SV_ARRAY_LEN(registries), err) < 0 ||
		tell_places(&p, system_folders, SV_ARRAY_LEN(system_folders), err) < 0)
		return -1;
	return tell_machines(&p, err);
}
