/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Appliances as VMware, VirtualBox and others write them, and what is refused in them. */
#include "vm/ovf.h"

#include "tempdir.h"

#include "base/num.h"
#include "io/tar.h"
#include "vm/vm.h"

#define HEAD                                                                                   \
	"<?xml version=\"1.0\"?>\n<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" " \
	"xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\" xmlns:rasd=\"r\">"
#define TAIL "</Envelope>\n"
#define FILES                                                                                  \
	"<References><File ovf:id=\"f1\" ovf:href=\"one.vmdk\"/>"                              \
	"<File ovf:id=\"f2\" ovf:href=\"two%20x.vmdk\"/></References>"                         \
	"<DiskSection><Disk ovf:diskId=\"d1\" ovf:fileRef=\"f1\" ovf:capacity=\"1\"/>"         \
	"<Disk ovf:diskId=\"d2\" ovf:fileRef=\"f2\" ovf:capacity=\"1\"/></DiskSection>"
#define CONTROLLER(id, type, address)                                                          \
	"<Item><rasd:Address>" address "</rasd:Address><rasd:InstanceID>" id                   \
	"</rasd:InstanceID><rasd:ResourceType>" type "</rasd:ResourceType></Item>"
#define DISK(resource, parent, unit)                                                           \
	"<Item><rasd:AddressOnParent>" unit                                                    \
	"</rasd:AddressOnParent><rasd:HostResource>" resource                                  \
	"</rasd:HostResource><rasd:Parent>" parent                                             \
	"</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>"
#define SYSTEM(name, items)                                                                    \
	"<VirtualSystem ovf:id=\"id1\"><Info>x</Info>" name "<VirtualHardwareSection>" items   \
	"</VirtualHardwareSection></VirtualSystem>"

static char *dir;
static struct sv_host *host;

static int set_up(void **state)
{
	(void)state;
	dir = make_temp_dir();
	host = sv_tar_host(sv_host_posix(), NULL);
	return host ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(dir);
	sv_host_close(host);
	return 0;
}

static void sh(const char *command)
{
	sv_autofree char *line = sv_format("cd '%s' && %s", dir, command);

	assert_int_equal(system(line), 0);
}

static int try_open(const char *name, struct sv_vm **ret, struct sv_err *err)
{
	sv_autofree char *path = in_dir(dir, name);

	return sv_vm_open(host, path, ret, err);
}

static struct sv_vm *open_vm(const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;

	assert_ok(try_open(name, &vm, &err));
	return vm;
}

/* The disk's path ends so. */
static void assert_disk(const struct sv_vm *vm, size_t i, const char *id, const char *end)
{
	assert_true(i < vm->n_disks);
	assert_string_equal(vm->disks[i].id, id);
	assert_true(sv_ends_with(vm->disks[i].path, end));
	assert_null(vm->disks[i].problem);
}

/* ---- reading ---- */

static void reads_disks_on_their_controllers(void **state)
{
	struct sv_vm *vm;

	(void)state;
	put_text(dir, "two x.vmdk", "");
	put_text(dir, "a.ovf",
		HEAD FILES SYSTEM("<Name> Web &amp; mail </Name>",
			CONTROLLER("3", "6", "1") CONTROLLER("4", "20", "0") DISK(
				"ovf:/disk/d2", "4", "2") DISK("/disk/d1", "3", "15")) TAIL);
	vm = open_vm("a.ovf");
	assert_string_equal(vm->name, "Web & mail");
	assert_string_equal(vm->hypervisor, "ovf");
	assert_true(vm->is_appliance);
	assert_int_equal(vm->state, SV_VM_OFF);
	assert_int_equal(vm->n_disks, 2);
	assert_disk(vm, 0, "sata0:2", "/two x.vmdk");
	assert_disk(vm, 1, "scsi1:15", "/one.vmdk");
	assert_string_equal(vm->disks[1].as_written, "one.vmdk");
	sv_vm_close(vm);
}

/* VirtualBox: two IDE controllers as two items; files named directly; a CD drive without. */
static void reads_other_makers_forms(void **state)
{
	struct sv_vm *vm;

	(void)state;
	put_text(dir, "b.ovf",
		HEAD FILES SYSTEM("",
			CONTROLLER("3", "5", "0") CONTROLLER("4", "5", "1") DISK("ovf:/file/f1",
				"4",
				"0") "<Item><rasd:ResourceType>15</rasd:ResourceType></Item>"
				     "<StorageItem><HostResource>ovf:/disk/d2</HostResource>"
				     "<ResourceType>17</ResourceType></StorageItem>") TAIL);
	vm = open_vm("b.ovf");
	assert_string_equal(vm->name, "id1");
	assert_int_equal(vm->n_disks, 2);
	assert_disk(vm, 0, "ide1:0", "/one.vmdk");
	assert_disk(vm, 1, "disk1", "/two x.vmdk");
	sv_vm_close(vm);
	/* no hardware: the list of disks; and the draft's element for a machine */
	put_text(dir, "c.ovf", HEAD FILES "<Content ovf:id=\"old\"><Info/></Content>" TAIL);
	vm = open_vm("c.ovf");
	assert_string_equal(vm->name, "old");
	assert_int_equal(vm->n_disks, 2);
	assert_disk(vm, 0, "disk0", "/one.vmdk");
	sv_vm_close(vm);
	put_text(dir, "d.ovf", HEAD TAIL);
	vm = open_vm("d.ovf");
	assert_string_equal(vm->name, "d");
	assert_int_equal(vm->n_disks, 0);
	sv_vm_close(vm);
}

static void opens_disks_inside_an_archive(void **state)
{
	static const char *const formats[] = {"ustar", "gnu", "posix"};
	char command[200];

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(formats); i++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_image *img = NULL;
		struct sv_vm *vm;
		char got[6] = "";

		put_text(dir, "box.ovf",
			HEAD
			"<References><File ovf:id=\"f1\" ovf:href=\"box-disk1.img\"/>"
			"</References><DiskSection><Disk ovf:diskId=\"d1\" ovf:fileRef=\"f1\"/>"
			"</DiskSection>" TAIL);
		snprintf(command, sizeof command,
			"printf inside >box-disk1.img && truncate -s 1M box-disk1.img && "
			"tar --format=%s -cf box.ova box.ovf ./box-disk1.img && rm box.ovf "
			"box-disk1.img",
			formats[i]);
		sh(command);
		sh("rm -rf folder && mkdir folder && cp box.ova folder/");
		vm = open_vm("folder");
		assert_int_equal(vm->n_disks, 1);
		sv_vm_close(vm);
		vm = open_vm("box.ova");
		assert_int_equal(vm->n_disks, 1);
		assert_disk(vm, 0, "disk0", "/box.ova/box-disk1.img");
		assert_ok(sv_image_open(host, vm->disks[0].path, NULL, &img, &err));
		assert_int_equal(sv_dev_size(sv_image_dev(img)), SV_MIB);
		assert_ok(sv_dev_read(sv_image_dev(img), got, 6, 0, &err));
		assert_memory_equal(got, "inside", 6);
		sv_image_close(img);
		sv_vm_close(vm);
	}
}

/* ---- what cannot be opened as it is ---- */

static void names_disks_that_cannot_be_read_in_place(void **state)
{
	static const struct {
		const char *file, *disk, *problem, *remedy;
	} cases[] = {
		{"ovf:href=\"x.vmdk.gz\" ovf:compression=\"gzip\"", "", "packed", "gzip -dc"},
		{"ovf:href=\"x.vmdk.gz\"", "", "packed", "gzip -dc"},
		{"ovf:href=\"x.vmdk\" ovf:chunkSize=\"1000\"", "", "chunks", "cat"},
		{"ovf:href=\"../x.vmdk\"", "", "outside", "without a path"},
		{"ovf:href=\"a/%2e%2E/../x.vmdk\"", "", "outside", "without a path"},
		{"ovf:href=\"/etc/passwd\"", "", "outside", "without a path"},
		{"ovf:href=\"http://example.org/x.vmdk\"", "", "outside", "without a path"},
		{"ovf:href=\"x.vmdk\"", "ovf:parentRef=\"d0\"", "delta", "import"},
		{"", "", "empty", "import"},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		sv_autofree char *text = sv_format(HEAD
			"<References><File ovf:id=\"f1\" %s/></References>"
			"<DiskSection><Disk ovf:diskId=\"d1\" ovf:fileRef=\"f1\" "
			"%s/></DiskSection>" TAIL,
			cases[i].file, cases[i].disk);
		struct sv_vm *vm;

		put_text(dir, "p.ovf", text);
		vm = open_vm("p.ovf");
		assert_int_equal(vm->n_disks, 1);
		assert_non_null(vm->disks[0].problem);
		assert_non_null(strstr(vm->disks[0].problem, cases[i].problem));
		assert_non_null(strstr(vm->disks[0].remedy, cases[i].remedy));
		sv_vm_close(vm);
	}
}

static void refuses_what_is_no_single_machine(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;

	(void)state;
	put_text(dir, "two.ovf",
		HEAD "<VirtualSystemCollection>" SYSTEM("", "")
			SYSTEM("", "") "</VirtualSystemCollection>" TAIL);
	assert_fails(try_open("two.ovf", &vm, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "2 virtual machines"));
	put_text(dir, "no.ovf", HEAD FILES SYSTEM("", DISK("ovf:/disk/d9", "3", "0")) TAIL);
	assert_fails(try_open("no.ovf", &vm, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "ovf:/disk/d9"));
	sh("echo x >y.txt && tar -cf none.ova y.txt");
	assert_fails(try_open("none.ova", &vm, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, ".ovf"));
	put_text(dir, "short.ova", "x");
	assert_fails(try_open("short.ova", &vm, &err), SV_CORRUPT, 1);
	sh("truncate -s 9M big.ovf && tar -cf big.ova big.ovf");
	assert_fails(try_open("big.ova", &vm, &err), SV_CORRUPT, 512);
	assert_fails(try_open("big.ovf", &vm, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(try_open("missing.ova", &vm, &err), SV_NOTFOUND, UINT64_MAX);
}

/* ---- hostile XML ---- */

static int parse(const char *text, struct sv_err *err)
{
	struct sv_ovf o = {0};
	int rc = sv_ovf_parse(text, strlen(text), &o, err);

	sv_ovf_clear(&o);
	return rc;
}

static void refuses_xml_that_is_none_with_its_offset(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_fails(parse("", &err), SV_CORRUPT, 0);
	assert_fails(parse("hello", &err), SV_CORRUPT, 0);
	assert_fails(parse("<Envelope><File></Envelope>", &err), SV_CORRUPT, 18);
	assert_fails(parse("<html></html>", &err), SV_CORRUPT, 0);
	assert_non_null(strstr(err.message, "<html>"));
	assert_fails(parse("<Envelope>", &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_entities_before_they_grow(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_fails(parse("<!DOCTYPE Envelope [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
			   "\"&a;&a;&a;&a;\">]><Envelope>&b;</Envelope>",
			     &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(parse("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Envelope/>", &err),
		SV_UNSUPPORTED, UINT64_MAX);
}

/* `inner`, n times over, in an envelope. */
static char *repeated(const char *inner, size_t n, const char *behind)
{
	struct sv_str s = {0};

	sv_str_add(&s, "<Envelope>");
	for (size_t i = 0; i < n; i++)
		sv_str_add(&s, inner);
	sv_str_add(&s, behind);
	sv_str_add(&s, "</Envelope>");
	return sv_str_take(&s);
}

static void refuses_more_than_its_limits(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	static const char *const lists[] = {"<File/>", "<Disk/>", "<Item></Item>"};
	sv_autofree char *deep = repeated("<a>", SV_OVF_DEPTH_MAX, "");
	sv_autofree char *wide = NULL;
	sv_autofree char *value = NULL;

	(void)state;
	assert_fails(parse(deep, &err), SV_CORRUPT, 10 + 3 * (SV_OVF_DEPTH_MAX - 1));
	for (size_t i = 0; i < SV_ARRAY_LEN(lists); i++) {
		sv_autofree char *most = repeated(lists[i], SV_OVF_LIST_MAX, "");
		sv_autofree char *more = repeated(lists[i], SV_OVF_LIST_MAX + 1, "");

		assert_ok(parse(most, &err));
		assert_fails(
			parse(more, &err), SV_CORRUPT, 10 + strlen(lists[i]) * SV_OVF_LIST_MAX);
	}
	value = repeated("x", SV_OVF_TEXT_MAX + 1, "");
	wide = sv_format("<Envelope><Item><Parent>%s</Parent></Item></Envelope>",
		value + strlen("<Envelope>"));
	*strstr(wide, "</Envelope>") = 0;
	assert_fails(parse(wide, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "value"));
	free(wide);
	wide = sv_format("<Envelope><File id=\"%.*s\"/></Envelope>", SV_OVF_TEXT_MAX + 1,
		value + strlen("<Envelope>"));
	assert_fails(parse(wide, &err), SV_CORRUPT, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_disks_on_their_controllers),
		cmocka_unit_test(reads_other_makers_forms),
		cmocka_unit_test(opens_disks_inside_an_archive),
		cmocka_unit_test(names_disks_that_cannot_be_read_in_place),
		cmocka_unit_test(refuses_what_is_no_single_machine),
		cmocka_unit_test(refuses_xml_that_is_none_with_its_offset),
		cmocka_unit_test(refuses_entities_before_they_grow),
		cmocka_unit_test(refuses_more_than_its_limits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
