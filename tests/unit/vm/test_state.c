/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening a machine and finding out whether it is off: open.c, disks.c, state.c. */
#include "tempdir.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/endian.h"
#include "io/process.h"
#include "samples.h"
#include "vm/vm.h"

static int set_up(void **state)
{
	*state = make_temp_dir();
	put_text(*state, "Win10.vmx", WORKSTATION_VMX);
	put_text(*state, "Win10.vmdk", "disk");
	return 0;
}

static int tear_down(void **state)
{
	remove_tree(*state);
	return 0;
}

static struct sv_vm *open_vm(const char *dir, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	char *path = in_dir(dir, name);
	struct sv_vm *vm = NULL;

	assert_ok(sv_vm_open(sv_host_posix(), path, &vm, &err));
	free(path);
	return vm;
}

static void assert_state(const char *dir, const char *name, enum sv_vm_state want)
{
	struct sv_vm *vm = open_vm(dir, name);

	assert_string_equal(sv_vm_state_name(vm->state), sv_vm_state_name(want));
	assert_int_equal(vm->state == SV_VM_OFF, !vm->state_reason[0]);
	assert_int_equal(vm->state == SV_VM_OFF, !vm->state_file[0]);
	sv_vm_close(vm);
}

/* The refusal must name the file that proves it, in its message or its hint. */
static void assert_refused(
	const char *dir, const char *name, const char *proof, const char *hint)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = open_vm(dir, name);

	assert_fails(sv_vm_require_off(vm, &err), SV_BUSY, UINT64_MAX);
	if (!strstr(err.message, proof))
		fail_msg("no '%s' in: %s", proof, err.message);
	if (!strstr(err.hint, hint))
		fail_msg("no '%s' in: %s", hint, err.hint);
	sv_vm_close(vm);
}

/* This machine's word in a lock, made independently of lock.c. */
static void own_machine(char word[32])
{
	struct sv_computer m;
	uint8_t raw[12] = {0};
	uint32_t hash = 5381;

	sv_machine_look(&m);
	for (char *p = m.host_name; *p; p++)
		hash = (hash << 5) + hash + (uint8_t)*p;
	sv_store_le32(raw, hash);
	memcpy(raw + 4, m.mac, 6);
	EVP_EncodeBlock((uint8_t *)word, raw, 12);
	for (; *word; word++) {
		if (*word == '/')
			*word = '-';
	}
}

static void put_lock(const char *dir, const char *file, const char *machine, int pid)
{
	char folder[64], member[80], text[512] = "", own[32];
	struct sv_process p;

	own_machine(own);
	sv_process_exists(pid, &p);
	snprintf(folder, sizeof folder, "%s.lck", file);
	snprintf(member, sizeof member, "%s/M12345.lck", folder);
	snprintf(text, sizeof text, "%s %d-%llu(vmware-vmx) 1 X 0", machine ? machine : own,
		pid, (unsigned long long)(p.start ? p.start : 1));
	put_dir(dir, folder);
	put_bytes(dir, member, text, sizeof text);
}

static int dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* ---- opening ---- */

static void opens_a_configuration_and_lists_its_disks(void **state)
{
	struct sv_vm *vm;

	put_dir(*state, "sub");
	put_text(*state, "sub/data.vmdk", "disk");
	put_text(*state, "Win10.nvram", "vars");
	vm = open_vm(*state, "Win10.vmx");
	assert_string_equal(vm->name, "B\xc3\xbcro \"PC\"");
	assert_string_equal(vm->hypervisor, "vmware");
	assert_true(sv_ends_with(vm->config, "/Win10.vmx"));
	assert_true(sv_starts_with(vm->config, vm->folder));
	assert_true(sv_ends_with(vm->nvram, "/Win10.nvram"));
	assert_int_equal(vm->state, SV_VM_OFF);
	assert_int_equal(sv_vm_require_off(vm, NULL), 0);
	assert_false(vm->encrypted || vm->has_snapshots || vm->is_template);
	assert_int_equal(vm->n_disks, 2);
	assert_string_equal(vm->disks[0].id, "scsi0:0");
	assert_string_equal(vm->disks[0].as_written, "Win10.vmdk");
	assert_false(vm->disks[0].independent_persistent);
	assert_string_equal(vm->disks[1].id, "scsi0:10");
	assert_string_equal(vm->disks[1].as_written, "sub\\data.vmdk");
	assert_true(sv_ends_with(vm->disks[1].path, "/sub/data.vmdk"));
	assert_true(vm->disks[1].independent_persistent);
	sv_vm_close(vm);
	sv_vm_close(NULL);
}

static void tells_disks_from_other_devices(void **state)
{
	struct sv_vm *vm;

	put_text(*state, "Win10.vmx",
		"scsi1.present = \"TRUE\"\nscsi1.sharedBus = \"virtual\"\n"
		"scsi1:2.present = \"true\"\nscsi1:2.fileName = \"a.vmdk\"\n"
		"scsi1:2.deviceType = \"scsi-hardDisk\"\n"
		"scsi0:1.present = \"TRUE\"\nscsi0:1.fileName = \"b.vmdk\"\n"
		"scsi0:1.sharing = \"multi-writer\"\n"
		"nvme0:0.present = \"TRUE\"\nnvme0:0.fileName = \"c.vmdk\"\n"
		"nvme0:0.mode = \"independent-nonpersistent\"\n"
		"ide0:0.present = \"TRUE\"\nide0:0.fileName = \"/dev/sdz\"\n"
		"ide0:0.deviceType = \"rawDisk\"\n"
		"ide0:1.present = \"TRUE\"\nide0:1.fileName = \"d.vmdk\"\n"
		"ide0:1.readonly = \"TRUE\"\n"
		/* none of these is a disk */
		"ide1:0.present = \"TRUE\"\nide1:0.deviceType = \"atapi-cdrom\"\n"
		"ide1:0.fileName = \"x.vmdk\"\n"
		"ide1:1.present = \"TRUE\"\nide1:1.fileName = \"auto detect\"\n"
		"sata0:0.present = \"TRUE\"\nsata0:0.fileName = \"tools.ISO\"\n"
		"sata0:1.present = \"FALSE\"\nsata0:1.fileName = \"off.vmdk\"\n"
		"sata0:2.fileName = \"unset.vmdk\"\n"
		"sata0:3.present = \"TRUE\"\n"
		"sata1.present = \"FALSE\"\nsata1:0.present = \"TRUE\"\nsata1:0.fileName = \"e.vmdk\"\n"
		"scsi0:3.present = \"TRUE\"\nscsi0:3.deviceType = \"tape\"\n"
		"scsi0:3.fileName = \"tape\"\n"
		"scsi0:07.present = \"TRUE\"\nscsi0:x.present = \"TRUE\"\nscsi0.present = \"TRUE\"\n"
		"scsi0:1000.present = \"TRUE\"\nusb0:0.present = \"TRUE\"\n");
	vm = open_vm(*state, "Win10.vmx");
	assert_string_equal(vm->name, "Win10");
	assert_int_equal(vm->n_disks, 5);
	assert_string_equal(vm->disks[0].id, "ide0:0");
	assert_true(vm->disks[0].physical);
	assert_string_equal(vm->disks[0].path, "/dev/sdz");
	assert_string_equal(vm->disks[1].id, "ide0:1");
	assert_true(vm->disks[1].read_only && !vm->disks[1].shared && !vm->disks[1].physical);
	assert_string_equal(vm->disks[2].id, "nvme0:0");
	assert_true(vm->disks[2].independent_nonpersistent && !vm->disks[2].read_only);
	assert_string_equal(vm->disks[3].id, "scsi0:1");
	assert_true(vm->disks[3].shared);
	assert_string_equal(vm->disks[4].id, "scsi1:2");
	assert_true(vm->disks[4].shared);
	sv_vm_close(vm);
}

static void finds_a_disk_whose_name_is_in_another_encoding(void **state)
{
	struct sv_vm *vm;

	put_text(*state, "B\xc3\xbcro.vmdk", "disk");
	put_text(*state, "Win10.vmx",
		".encoding = \"windows-1252\"\nide0:0.present = \"TRUE\"\n"
		"ide0:0.fileName = \"B\xfcro.vmdk\"\n"
		"ide0:1.present = \"TRUE\"\nide0:1.fileName = \"D:\\vm\\x.vmdk\"\n");
	vm = open_vm(*state, "Win10.vmx");
	assert_true(sv_ends_with(vm->disks[0].path, "/B\xc3\xbcro.vmdk"));
	assert_true(sv_starts_with(vm->disks[1].path, vm->folder));
	assert_string_equal(vm->disks[1].as_written, "D:\\vm\\x.vmdk");
	sv_vm_close(vm);
	/* a host whose names are in that encoding too */
	remove_name(*state, "B\xc3\xbcro.vmdk");
	put_text(*state, "B\xfcro.vmdk", "disk");
	vm = open_vm(*state, "Win10.vmx");
	assert_true(sv_ends_with(vm->disks[0].path, "/B\xfcro.vmdk"));
	sv_vm_close(vm);
}

static void opens_a_folder_that_holds_one_machine(void **state)
{
	struct sv_vm *vm;

	put_text(*state, "._Win10.vmx", "junk of another system");
	put_text(*state, "Win10.vmx~", "backup");
	vm = open_vm(*state, ".");
	assert_true(sv_ends_with(vm->config, "/Win10.vmx"));
	sv_vm_close(vm);
	put_dir(*state, "Mac.vmwarevm");
	put_text(*state, "Mac.vmwarevm/Mac.vmx", FUSION_VMX);
	vm = open_vm(*state, "Mac.vmwarevm");
	assert_string_equal(vm->name, "Windows 11 \xe2\x80\x93 B\xc3\xbcro");
	assert_int_equal(vm->n_disks, 1);
	sv_vm_close(vm);
}

static void names_the_candidates_where_it_cannot_choose(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;
	char name[32];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "m%d.vmx", i);
		put_text(*state, name, "");
	}
	assert_fails(sv_vm_open(sv_host_posix(), *state, &vm, &err), SV_USAGE, UINT64_MAX);
	assert_non_null(strstr(err.message, "11"));
	assert_string_equal(err.hint,
		"name one of them: Win10.vmx, m0.vmx, m1.vmx, m2.vmx, m3.vmx, "
		"m4.vmx, m5.vmx, m6.vmx and 3 more");
}

static void names_disks_or_bundles_where_no_configuration_lies(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;

	remove_name(*state, "Win10.vmx");
	assert_fails(sv_vm_open(sv_host_posix(), *state, &vm, &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.hint, "name one of them: Win10.vmdk");
	put_dir(*state, "Mac.vmwarevm");
	assert_fails(sv_vm_open(sv_host_posix(), *state, &vm, &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.hint, "name one of them: Mac.vmwarevm");
	remove_name(*state, "Mac.vmwarevm");
	remove_name(*state, "Win10.vmdk");
	assert_fails(sv_vm_open(sv_host_posix(), *state, &vm, &err), SV_NOTFOUND, UINT64_MAX);
	assert_true(err.hint[0] != 0);
}

static void refuses_what_is_no_machine(void **state)
{
	static const char *const names[] = {"a.vmsd", "a.nvram", "a.LOG", "a.vmx~", "a.iso"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;
	char *path;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		put_text(*state, names[i], "x");
		path = in_dir(*state, names[i]);
		assert_fails(
			sv_vm_open(sv_host_posix(), path, &vm, &err), SV_USAGE, UINT64_MAX);
		free(path);
	}
	path = in_dir(*state, "absent.vmx");
	assert_fails(sv_vm_open(sv_host_posix(), path, &vm, &err), SV_NOTFOUND, UINT64_MAX);
	free(path);
	assert_fails(sv_vm_open(sv_host_posix(), "/dev/null", &vm, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	put_bytes(*state, "zero.vmx", "a\0b", 3);
	path = in_dir(*state, "zero.vmx");
	assert_fails(sv_vm_open(sv_host_posix(), path, &vm, &err), SV_CORRUPT, 1);
	assert_true(sv_ends_with(err.path, "/zero.vmx"));
	free(path);
}

static void sees_snapshots_templates_and_encryption(void **state)
{
	struct sv_vm *vm;

	put_text(*state, "Win10.vmsd", FUSION_VMSD);
	vm = open_vm(*state, "Win10.vmx");
	assert_true(vm->has_snapshots && !vm->is_template);
	sv_vm_close(vm);
	put_text(*state, "Win10.vmsd",
		"snapshot0.uid = \"1\"\nsnapshot0.clone0 = \"/gone/for/good.vmx\"\n");
	vm = open_vm(*state, "Win10.vmx");
	assert_false(vm->is_template);
	sv_vm_close(vm);
	put_text(*state, "Win10.vmsd", "snapshot0.clone0 = \"D:\\vm\\clone.vmx\"\n");
	vm = open_vm(*state, "Win10.vmx");
	assert_true(vm->is_template && !vm->has_snapshots);
	sv_vm_close(vm);
	put_text(*state, "b.vmx",
		"templateVM = \"TRUE\"\nencryption.keySafe = \"vmware:key\"\n");
	vm = open_vm(*state, "b.vmx");
	assert_true(vm->is_template && vm->encrypted);
	sv_vm_close(vm);
	put_text(*state, "b.vmx", "vtpm.present = \"TRUE\"\n");
	vm = open_vm(*state, "b.vmx");
	assert_true(vm->encrypted && !vm->is_template);
	sv_vm_close(vm);
}

/* ---- states ---- */

static void is_running_while_a_living_process_holds_a_lock(void **state)
{
	put_lock(*state, "Win10.vmx", NULL, getpid());
	assert_state(*state, "Win10.vmx", SV_VM_RUNNING);
	assert_state(*state, "Win10.vmdk", SV_VM_RUNNING);
	assert_refused(
		*state, "Win10.vmx", "Win10.vmx.lck/M12345.lck", "shut the machine down");
}

static void is_running_while_a_disk_or_its_memory_is_locked(void **state)
{
	put_lock(*state, "Win10.vmdk", NULL, getpid());
	assert_state(*state, "Win10.vmx", SV_VM_RUNNING);
	assert_state(*state, "Win10.vmdk", SV_VM_RUNNING);
	remove_name(*state, "Win10.vmdk.lck/M12345.lck");
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	put_lock(*state, "564d3e11.vmem", NULL, getpid());
	assert_state(*state, "Win10.vmx", SV_VM_RUNNING);
}

static void is_stale_when_the_process_is_gone_and_names_the_file(void **state)
{
	put_lock(*state, "Win10.vmx", NULL, dead_pid());
	assert_state(*state, "Win10.vmx", SV_VM_STALE_LOCK);
	assert_refused(*state, "Win10.vmx", "no longer runs", "Win10.vmx.lck/M12345.lck");
}

static void runs_elsewhere_when_another_machine_holds_it(void **state)
{
	put_lock(*state, "Win10.vmx", "uuid=00-01-02-03-04-05-06-07-08-09-0a-0b-0c-0d-0e-0f",
		dead_pid());
	assert_state(*state, "Win10.vmx", SV_VM_RUNNING_ELSEWHERE);
	assert_refused(*state, "Win10.vmx", "another machine", "M12345.lck");
}

static void is_unknown_when_a_lock_is_not_understood(void **state)
{
	put_dir(*state, "Win10.vmx.lck");
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	put_text(*state, "Win10.vmx.lck/M12345.lck", "what?");
	assert_state(*state, "Win10.vmx", SV_VM_UNKNOWN);
	assert_refused(*state, "Win10.vmx", "not understood", "M12345.lck");
}

static void sees_the_lock_beside_the_link_that_was_named(void **state)
{
	char *link = in_dir(*state, "links"), *target = in_dir(*state, "Win10.vmx"), *path;

	assert_int_equal(mkdir(link, 0777), 0);
	path = in_dir(link, "W.vmx");
	assert_int_equal(symlink(target, path), 0);
	assert_state(link, "W.vmx", SV_VM_OFF);
	put_lock(link, "W.vmx", NULL, getpid());
	assert_state(link, "W.vmx", SV_VM_RUNNING);
	free(path);
	free(target);
	free(link);
}

/* A child that has the file open for writing. */
static pid_t writer_of(const char *dir, const char *name)
{
	char *path = in_dir(dir, name), c;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (open(path, O_WRONLY) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	free(path);
	return pid;
}

static void is_locked_while_a_program_has_an_extent_open(void **state)
{
	char proof[64];
	pid_t pid;

	put_text(*state, "Win10-flat.vmdk", "data");
	put_text(*state, "Win10b.vmdk", "another machine's");
	pid = writer_of(*state, "Win10-flat.vmdk");
	snprintf(proof, sizeof proof, "Win10-flat.vmdk: process %d (", pid);
	assert_state(*state, "Win10.vmx", SV_VM_LOCKED);
	assert_refused(*state, "Win10.vmx", proof, "close the machine");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	pid = writer_of(*state, "Win10b.vmdk");
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void is_suspended_by_its_configuration_or_a_saved_state(void **state)
{
	put_text(*state, "Win10.vmss", "state");
	assert_state(*state, "Win10.vmx", SV_VM_SUSPENDED);
	assert_refused(*state, "Win10.vmx", "Win10.vmss", "resume");
	assert_state(*state, "Win10.vmdk", SV_VM_SUSPENDED);
	remove_name(*state, "Win10.vmss");
	put_text(*state, "Win10.vmx",
		"ide0:0.present = \"TRUE\"\nide0:0.fileName = \"Win10.vmdk\"\n"
		"checkpoint.vmState = \"Win10-5cf61512.vmss\"\n");
	assert_state(*state, "Win10.vmx", SV_VM_SUSPENDED);
	assert_state(*state, "Win10.vmdk", SV_VM_SUSPENDED);
	put_text(*state, "Win10.vmx",
		"checkpoint.vmState = \"Win10-Snapshot3.vmsn\"\n"
		"checkpoint.vmState.readOnly = \"TRUE\"\n");
	assert_state(*state, "Win10.vmx", SV_VM_MEMORY_SNAPSHOT);
}

static void is_crashed_when_its_memory_file_was_left(void **state)
{
	put_text(*state, "Win10-Snapshot1.vmem", "memory");
	put_text(*state, "Win10-Snapshot1.vmsn", "of a snapshot");
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	put_text(*state, "564d3e11-2233-4455-6677-8899aa3a5b7c.vmem", "memory");
	assert_state(*state, "Win10.vmx", SV_VM_CRASHED);
	/* with two machines in the folder it need not be this one's */
	put_text(*state, "Other.vmx", "");
	assert_state(*state, "Win10.vmx", SV_VM_OFF);
	put_text(*state, "Win10.vmem", "memory");
	assert_state(*state, "Win10.vmx", SV_VM_CRASHED);
	assert_state(*state, "Other.vmx", SV_VM_OFF);
	assert_refused(*state, "Win10.vmx", "Win10.vmem", "Win10.vmem");
}

static void reports_the_gravest_of_several_findings(void **state)
{
	put_text(*state, "Win10.vmem", "memory");
	put_lock(*state, "Win10.vmx", NULL, dead_pid());
	assert_state(*state, "Win10.vmx", SV_VM_STALE_LOCK);
	put_text(*state, "Win10.vmss", "state");
	assert_state(*state, "Win10.vmx", SV_VM_SUSPENDED);
	put_lock(*state, "Win10.vmdk", NULL, getpid());
	assert_state(*state, "Win10.vmx", SV_VM_RUNNING);
}

static void looks_again_when_it_is_asked(void **state)
{
	struct sv_vm *vm = open_vm(*state, "Win10.vmx");
	struct sv_err err = SV_ERR_INIT;

	put_lock(*state, "Win10.vmx", NULL, getpid());
	assert_int_equal(vm->state, SV_VM_OFF);
	assert_ok(sv_vm_refresh_state(sv_host_posix(), vm, &err));
	assert_int_equal(vm->state, SV_VM_RUNNING);
	remove_name(*state, "Win10.vmx.lck/M12345.lck");
	assert_ok(sv_vm_refresh_state(sv_host_posix(), vm, &err));
	assert_int_equal(vm->state, SV_VM_OFF);
	sv_vm_close(vm);
}

static void gives_a_bare_image_the_state_of_the_machine_that_uses_it(void **state)
{
	struct sv_vm *vm;

	put_text(*state, "Win10.vmsd", FUSION_VMSD);
	put_text(*state, "broken.vmx", "");
	put_text(*state, "alone.img", "disk");
	vm = open_vm(*state, "Win10.vmdk");
	assert_string_equal(vm->hypervisor, "image");
	assert_string_equal(vm->name, "Win10");
	assert_null(vm->vmx);
	assert_int_equal(vm->n_disks, 1);
	assert_string_equal(vm->disks[0].path, vm->config);
	assert_true(vm->has_snapshots);
	sv_vm_close(vm);
	vm = open_vm(*state, "alone.img");
	assert_false(vm->has_snapshots);
	sv_vm_close(vm);
	put_text(*state, "Win10.vmx",
		"ide0:0.present = \"TRUE\"\nide0:0.fileName = \"Win10-000001.vmdk\"\n");
	put_text(*state, "Win10.vmss", "state");
	assert_state(*state, "Win10.vmdk", SV_VM_SUSPENDED);
	assert_state(*state, "alone.img", SV_VM_OFF);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(opens_a_configuration_and_lists_its_disks),
		WITH_DIR(tells_disks_from_other_devices),
		WITH_DIR(finds_a_disk_whose_name_is_in_another_encoding),
		WITH_DIR(opens_a_folder_that_holds_one_machine),
		WITH_DIR(names_the_candidates_where_it_cannot_choose),
		WITH_DIR(names_disks_or_bundles_where_no_configuration_lies),
		WITH_DIR(refuses_what_is_no_machine),
		WITH_DIR(sees_snapshots_templates_and_encryption),
		WITH_DIR(is_running_while_a_living_process_holds_a_lock),
		WITH_DIR(is_running_while_a_disk_or_its_memory_is_locked),
		WITH_DIR(is_stale_when_the_process_is_gone_and_names_the_file),
		WITH_DIR(runs_elsewhere_when_another_machine_holds_it),
		WITH_DIR(is_unknown_when_a_lock_is_not_understood),
		WITH_DIR(sees_the_lock_beside_the_link_that_was_named),
		WITH_DIR(is_locked_while_a_program_has_an_extent_open),
		WITH_DIR(is_suspended_by_its_configuration_or_a_saved_state),
		WITH_DIR(is_crashed_when_its_memory_file_was_left),
		WITH_DIR(reports_the_gravest_of_several_findings),
		WITH_DIR(looks_again_when_it_is_asked),
		WITH_DIR(gives_a_bare_image_the_state_of_the_machine_that_uses_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
