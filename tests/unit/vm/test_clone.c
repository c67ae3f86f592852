/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tempdir.h"

#include "samples.h"
#include "vm/vm.h"

struct fixture {
	char *dir;
	struct sv_vm *vm;
};

static void open_again(struct fixture *f, const char *text)
{
	struct sv_err err = SV_ERR_INIT;
	char *path = in_dir(f->dir, "Win10.vmx");

	put_text(f->dir, "Win10.vmx", text);
	sv_vm_close(f->vm);
	f->vm = NULL;
	assert_ok(sv_vm_open(sv_host_posix(), path, &f->vm, &err));
	free(path);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = make_temp_dir();
	put_text(f->dir, "Win10.nvram", "vars");
	open_again(f, WORKSTATION_VMX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sv_vm_close(f->vm);
	remove_tree(f->dir);
	free(f);
	return 0;
}

/* The clone, parsed again; *ret_nvram is the caller's. */
static struct sv_vmx *clone_of(
	const struct fixture *f, const struct sv_vm_clone *how, char **ret_nvram)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmx *vmx = NULL;
	char *text = NULL;

	assert_ok(sv_vm_clone_config(f->vm, how, &text, ret_nvram, &err));
	assert_ok(sv_vmx_parse(text, strlen(text), &vmx, &err));
	free(text);
	return vmx;
}

static void assert_value(const struct sv_vmx *vmx, const char *name, const char *want)
{
	const char *value = sv_vmx_get(vmx, name);

	if (!want && value)
		fail_msg("%s is still there: %s", name, value);
	if (want && !value)
		fail_msg("%s is gone", name);
	if (want)
		assert_string_equal(value, want);
}

static void assert_in_folder(
	const struct fixture *f, const struct sv_vmx *vmx, const char *name, const char *file)
{
	char *want = in_dir(f->vm->folder, file);

	assert_value(vmx, name, want);
	free(want);
}

static void keeps_the_identity_and_what_it_does_not_know(void **state)
{
	const struct fixture *f = *state;
	const char *const disks[] = {"Win10-big.vmdk", NULL};
	const struct sv_vm_clone how = {"Win10 \"60G\"", "/vm/new", disks, false};
	char *nvram;
	struct sv_vmx *vmx = clone_of(f, &how, &nvram);

	assert_value(vmx, "displayName", "Win10 \"60G\"");
	assert_value(vmx, "uuid.action", "keep");
	assert_value(vmx, "uuid.bios", "56 4d 3e 11 22 33 44 55-66 77 88 99 aa 3a 5b 7c");
	assert_value(vmx, "uuid.location", "56 4d 3e 11 22 33 44 55-66 77 88 99 aa 3a 5b 7c");
	assert_value(vmx, "ethernet0.generatedAddress", "00:0C:29:3A:5B:7C");
	assert_value(vmx, "ethernet0.generatedAddressOffset", "0");
	assert_value(vmx, "some.future.key", "kept");
	assert_value(vmx, ".encoding", "windows-1252");
	assert_value(vmx, "annotation", "first line\r\nsecond | line");
	assert_value(vmx, "scsi0:0.fileName", "Win10-big.vmdk");
	assert_in_folder(f, vmx, "scsi0:10.fileName", "sub\\data.vmdk");
	assert_value(vmx, "scsi0:10.mode", "independent-persistent");
	assert_value(vmx, "nvram", "Win10 _60G_.nvram");
	assert_true(sv_ends_with(nvram, "/Win10.nvram"));
	free(nvram);
	sv_vmx_free(vmx);
}

static void drops_what_belongs_to_the_original_alone(void **state)
{
	struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, false};
	char *nvram;
	struct sv_vmx *vmx = clone_of(f, &how, &nvram);

	assert_value(vmx, "checkpoint.vmState", NULL);
	assert_value(vmx, "vmxstats.filename", NULL);
	assert_value(vmx, "sched.swap.derivedName", NULL);
	assert_value(vmx, "extendedConfigFile", NULL);
	free(nvram);
	sv_vmx_free(vmx);
	open_again(f, "templateVM = \"TRUE\"\nworkingDir = \"/vm/old\"\nsnapshot0.uid = \"1\"\n"
		      "snapshot.current = \"1\"\nsnapshot.action = \"keep\"\n"
		      "log.fileName = \"/var/log/w.log\"\nmigrate.hostlog = \"./x.hlog\"\n"
		      "checkpoint.vmState.readOnly = \"FALSE\"\nsnapshot0 = \"kept\"\n"
		      "ide0:0.present = \"TRUE\"\nide0:0.fileName = \"a.vmdk\"\n"
		      "ide0:0.redo = \"./a.vmdk.REDO_x\"\n");
	vmx = clone_of(f, &how, &nvram);
	assert_value(vmx, "templateVM", NULL);
	assert_value(vmx, "workingDir", NULL);
	assert_value(vmx, "snapshot0.uid", NULL);
	assert_value(vmx, "snapshot.current", NULL);
	assert_value(vmx, "snapshot.action", "keep");
	assert_value(vmx, "snapshot0", "kept");
	assert_value(vmx, "log.fileName", NULL);
	assert_value(vmx, "migrate.hostlog", NULL);
	assert_value(vmx, "checkpoint.vmState.readOnly", NULL);
	assert_value(vmx, "ide0:0.redo", "");
	/* the original had no variables of its own name but for this file */
	assert_true(sv_ends_with(nvram, "/Win10.nvram"));
	assert_value(vmx, "nvram", "c.nvram");
	free(nvram);
	sv_vmx_free(vmx);
}

static void makes_the_paths_of_other_files_absolute(void **state)
{
	const struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, false};
	char *nvram;
	struct sv_vmx *vmx = clone_of(f, &how, &nvram);

	assert_in_folder(f, vmx, "sata0:1.fileName", "tools.iso");
	assert_in_folder(f, vmx, "floppy0.fileName", "boot.flp");
	assert_in_folder(f, vmx, "serial0.fileName", "console.txt");
	assert_value(vmx, "sata0:2.fileName", "auto detect");
	assert_value(vmx, "serial1.fileName", "\\\\.\\pipe\\com_1");
	free(nvram);
	sv_vmx_free(vmx);
}

static void leaves_absolute_and_foreign_paths_alone(void **state)
{
	struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, false};
	char *nvram;
	struct sv_vmx *vmx;

	open_again(f,
		"ide1:0.fileName = \"/iso/a.iso\"\nide1:0.deviceType = \"cdrom-image\"\n"
		"ide1:1.fileName = \"D:\\iso\\b.iso\"\nide1:1.deviceType = \"cdrom-image\"\n"
		"floppy0.fileName = \"/dev/fd0\"\nfloppy1.fileName = \"A:\"\n"
		"parallel0.fileType = \"file\"\nparallel0.fileName = \"\"\n"
		"parallel1.fileType = \"FILE\"\nparallel1.fileName = \"out\"\n"
		"bios440.filename = \"custom.rom\"\nsata0:0.fileName = \"old.vmdk\"\n"
		"sound.fileName = \"-1\"\nsata0:1.fileName = \"x.ISO\"\n");
	vmx = clone_of(f, &how, &nvram);
	assert_value(vmx, "ide1:0.fileName", "/iso/a.iso");
	assert_value(vmx, "ide1:1.fileName", "D:\\iso\\b.iso");
	assert_value(vmx, "floppy0.fileName", "/dev/fd0");
	assert_value(vmx, "floppy1.fileName", "A:");
	assert_value(vmx, "parallel0.fileName", "");
	assert_in_folder(f, vmx, "parallel1.fileName", "out");
	assert_in_folder(f, vmx, "bios440.filename", "custom.rom");
	assert_value(vmx, "sata0:0.fileName", "old.vmdk");
	assert_in_folder(f, vmx, "sata0:1.fileName", "x.ISO");
	assert_value(vmx, "sound.fileName", "-1");
	free(nvram);
	sv_vmx_free(vmx);
}

static void makes_a_new_identity_when_asked(void **state)
{
	const struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, true};
	char *nvram;
	struct sv_vmx *vmx = clone_of(f, &how, &nvram);

	assert_value(vmx, "uuid.action", "create");
	assert_value(vmx, "uuid.bios", NULL);
	assert_value(vmx, "uuid.location", NULL);
	assert_value(vmx, "ethernet0.generatedAddress", NULL);
	assert_value(vmx, "ethernet0.generatedAddressOffset", NULL);
	assert_value(vmx, "ethernet0.addressType", "generated");
	free(nvram);
	sv_vmx_free(vmx);
}

static void replaces_a_uuid_action_that_would_ask_or_renew(void **state)
{
	struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, false};
	char *nvram;
	struct sv_vmx *vmx;

	remove_name(f->dir, "Win10.nvram");
	open_again(f, FUSION_VMX);
	vmx = clone_of(f, &how, &nvram);
	assert_value(vmx, "uuid.action", "keep");
	assert_value(vmx, "nvram", NULL);
	assert_string_equal(nvram, "");
	free(nvram);
	sv_vmx_free(vmx);
}

static void leaves_the_original_as_it_was(void **state)
{
	const struct fixture *f = *state;
	const struct sv_vm_clone how = {"c", "/vm/new", NULL, true};
	char *nvram, *text;

	sv_vmx_free(clone_of(f, &how, &nvram));
	free(nvram);
	text = sv_vmx_print(f->vm->vmx, NULL, NULL);
	assert_string_equal(text, WORKSTATION_VMX);
	free(text);
}

static void refuses_encrypted_machines_bare_images_and_odd_names(void **state)
{
	struct fixture *f = *state;
	struct sv_vm_clone how = {"\xe6\xbc\xa2", "/vm/new", NULL, false};
	struct sv_err err = SV_ERR_INIT;
	char *text = NULL, *nvram = NULL;
	struct sv_vm image = {.config = (char *)"/vm/a.img"};

	assert_fails(sv_vm_clone_config(f->vm, &how, &text, &nvram, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_true(sv_ends_with(err.path, "/Win10.vmx"));
	how.name = "c";
	assert_fails(
		sv_vm_clone_config(&image, &how, &text, &nvram, &err), SV_INTERNAL, UINT64_MAX);
	open_again(f, "encryptedVM.guid = \"{1}\"\n");
	assert_fails(sv_vm_clone_config(f->vm, &how, &text, &nvram, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_true(err.hint[0] != 0);
	assert_null(text);
	assert_null(nvram);
}

static void makes_file_names_that_every_system_can_hold(void **state)
{
	static const char *const pairs[][2] = {{"Win 10", "Win 10.vmx"},
		{"a/b\\c:d", "a_b_c_d.vmx"}, {"*?\"<>|\n", "_______.vmx"}, {"", "machine.vmx"},
		{"..", "_..vmx"}, {"B\xc3\xbcro", "B\xc3\xbcro.vmx"}};

	char longest[128], *name;

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		name = sv_vm_file_name(pairs[i][0], ".vmx");

		assert_string_equal(name, pairs[i][1]);
		free(name);
	}
	/* 119 letters and one of two bytes do not fit */
	memset(longest, 'x', 119);
	memcpy(longest + 119,
		"\xc3\xbc"
		"y",
		4);
	name = sv_vm_file_name(longest, ".vmx");
	assert_int_equal(strlen(name), 119 + 4);
	assert_string_equal(name + 118, "x.vmx");
	free(name);
}

#define WITH_VM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VM(keeps_the_identity_and_what_it_does_not_know),
		WITH_VM(drops_what_belongs_to_the_original_alone),
		WITH_VM(makes_the_paths_of_other_files_absolute),
		WITH_VM(leaves_absolute_and_foreign_paths_alone),
		WITH_VM(makes_a_new_identity_when_asked),
		WITH_VM(replaces_a_uuid_action_that_would_ask_or_renew),
		WITH_VM(leaves_the_original_as_it_was),
		WITH_VM(refuses_encrypted_machines_bare_images_and_odd_names),
		cmocka_unit_test(makes_file_names_that_every_system_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
