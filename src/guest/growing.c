/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is likely to go on growing: see growing.h. The places are those of Windows XP to 11 and
 * of the usual Linux distributions, as their manuals name them. Rules that come first win.
 */
#include "guest/growing.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

#define WIN   "windows"
#define LINUX "linux"

static const struct sv_growing rules[] = {
	/* ---- Windows ---- */
	{WIN, "/pagefile.sys", "page-file", "the page file",
		"Windows lets it grow with what programs ask for, up to three times the memory.",
		"Set a fixed size: System, Advanced, Performance, Virtual memory."},
	{WIN, "/swapfile.sys", "page-file", "the page file of apps",
		"Windows swaps idle apps to it.", "It goes where the page file is turned off."},
	{WIN, "/hiberfil.sys", "hibernation", "the hibernation file",
		"It holds the memory while the machine hibernates, and grows with the memory.",
		"If nobody hibernates it: powercfg /h off"},
	{WIN, "/Windows/SoftwareDistribution", "update", "downloads of Windows Update",
		"Updates are kept here after they were installed.",
		"Run Disk Cleanup (cleanmgr), \"Windows Update Cleanup\"."},
	{WIN, "/Windows/WinSxS", "update", "the component store (WinSxS)",
		"Each update keeps the versions that it replaced.",
		"Run: Dism /Online /Cleanup-Image /StartComponentCleanup"},
	{WIN, "/Windows/Installer", "update", "installers of programs",
		"Each program and patch leaves its installer here; it is needed to remove it.",
		"Do not delete files here; uninstall programs that nobody uses."},
	{WIN, "/Windows.old", "update", "the Windows before the last upgrade",
		"It is kept for going back, and no longer needed after that.",
		"Run Disk Cleanup (cleanmgr), \"Previous Windows installations\"."},
	{WIN, "/Windows/MEMORY.DMP", "dump", "a memory dump",
		"A crash of Windows writes all of its memory.",
		"Delete it once the crash is understood."},
	{WIN, "/Windows/Minidump", "dump", "memory dumps", "Each crash of Windows adds one.",
		"Delete what is old."},
	{WIN, "/Windows/LiveKernelReports", "dump", "reports of the kernel",
		"Each fault of a driver adds a dump.", "Delete what is old."},
	{WIN, "/ProgramData/Microsoft/Windows/WER", "dump", "error reports",
		"Each crash of a program adds one.",
		"Run Disk Cleanup (cleanmgr), \"Windows error reports\"."},
	{WIN, "/Users/*/AppData/Local/CrashDumps", "dump", "dumps of programs",
		"Each crash of a program adds one.", "Delete what is old."},
	{WIN, "/System Volume Information", "snapshot", "restore points and shadow copies",
		"What changes on the drive is kept here in its old form.",
		"Limit it: vssadmin resize shadowstorage, or System Protection."},
	{WIN, "/$Recycle.Bin", "trash", "the recycle bin", "Deleted files wait here.",
		"Empty it, of every user."},
	{WIN, "/RECYCLER", "trash", "the recycle bin", "Deleted files wait here.",
		"Empty it, of every user."},
	{WIN, "/Windows/Temp", "temporary", "temporary files of the system",
		"Programs that crash leave theirs behind.",
		"Delete what is older than a week."},
	{WIN, "/Users/*/AppData/Local/Temp", "temporary", "temporary files of users",
		"Programs that crash leave theirs behind.",
		"Run Disk Cleanup (cleanmgr), \"Temporary files\"."},
	{WIN, "/Documents and Settings/*/Local Settings/Temp", "temporary",
		"temporary files of users", "Programs that crash leave theirs behind.",
		"Run Disk Cleanup (cleanmgr), \"Temporary files\"."},
	{WIN, "/inetpub/logs", "log", "logs of the web server (IIS)",
		"Each request adds a line, and nothing deletes old files.",
		"Delete or pack what is old, by a scheduled task."},
	{WIN, "/Windows/Logs", "log", "logs of Windows", "Set-up and servicing write here.",
		"Delete CBS logs that are old."},
	{WIN, "/Windows/System32/winevt/Logs", "log", "event logs",
		"Events are added up to the size that each log allows.",
		"Limit the sizes in Event Viewer, Properties."},
	{WIN, "/Windows/System32/LogFiles", "log", "logs of services",
		"Services add lines, and few delete old files.", "Delete what is old."},
	{WIN, "/ProgramData/Microsoft/Search", "database", "the search index",
		"It grows with the number of files and mails.",
		"Rebuild it: Indexing Options, Advanced."},
	{WIN, "/ProgramData/Microsoft/Windows Defender", "log", "data of Windows Defender",
		"Definitions, history and quarantine add up.", "Limit the history's days."},
	{WIN, "/ProgramData/Docker", "container", "containers of Docker",
		"Images and layers that nobody uses stay.", "Run: docker system prune"},
	{WIN, "/Users/*/AppData/Local/Packages/*/LocalState/ext4.vhdx", "disk-image",
		"disks of the Linux subsystem (WSL)",
		"Such a disk grows with its files and never shrinks by itself.",
		"Shut WSL down and compact the disk (diskpart, compact vdisk)."},
	{WIN, "/Users/*/AppData/Local/Docker", "disk-image", "disks of Docker Desktop",
		"Such a disk grows with its images and never shrinks by itself.",
		"Run docker system prune, then compact the disk."},
	{WIN, "/Users/*/AppData/Local/*/*/User Data/*/Cache", "cache", "caches of browsers",
		"What was looked at is kept.", "Empty the cache in the browser."},
	{WIN, "/Users/*/AppData/Local/Mozilla/Firefox/Profiles/*/cache2", "cache",
		"caches of browsers", "What was looked at is kept.",
		"Empty the cache in the browser."},
	{WIN, "/Users/*/AppData/Local/Microsoft/Windows/INetCache", "cache",
		"caches of browsers", "What was looked at is kept.",
		"Run Disk Cleanup (cleanmgr), \"Temporary Internet Files\"."},

	/* ---- Linux ---- */
	{LINUX, "/var/log/journal", "log", "the journal of systemd",
		"Every service writes to it, up to a tenth of the file system.",
		"Run: journalctl --vacuum-size=200M, and set SystemMaxUse= in journald.conf"},
	{LINUX, "/var/log", "log", "logs", "Services add lines; logrotate keeps some weeks.",
		"See that logrotate packs and deletes them; look for one that it does not know."},
	{LINUX, "/var/lib/docker", "container", "containers of Docker",
		"Images, layers and logs that nobody uses stay.", "Run: docker system prune"},
	{LINUX, "/var/lib/containers", "container", "containers of Podman",
		"Images and layers that nobody uses stay.", "Run: podman system prune"},
	{LINUX, "/home/*/.local/share/containers", "container", "containers of users",
		"Images and layers that nobody uses stay.",
		"Run, as that user: podman system prune"},
	{LINUX, "/var/lib/containerd", "container", "containers",
		"Images and layers that nobody uses stay.", "Run: crictl rmi --prune"},
	{LINUX, "/var/lib/lxc", "container", "containers of LXC", "They grow as machines do.",
		"Remove those that nobody uses."},
	{LINUX, "/var/lib/mysql", "database", "databases of MySQL or MariaDB",
		"Tables never shrink by themselves, and binary logs add up.",
		"Limit binlog_expire_logs_seconds; OPTIMIZE TABLE after large deletions."},
	{LINUX, "/var/lib/postgresql", "database", "databases of PostgreSQL",
		"Tables keep the room of deleted rows, and write-ahead logs add up.",
		"See that autovacuum runs, and that no replication slot is left behind."},
	{LINUX, "/var/lib/pgsql", "database", "databases of PostgreSQL",
		"Tables keep the room of deleted rows, and write-ahead logs add up.",
		"See that autovacuum runs, and that no replication slot is left behind."},
	{LINUX, "/var/lib/mongodb", "database", "databases of MongoDB",
		"Collections never shrink by themselves.", "Run compact on large collections."},
	{LINUX, "/var/lib/elasticsearch", "database", "indices of Elasticsearch",
		"Each day adds indices.", "Delete old ones by a lifecycle policy."},
	{LINUX, "/var/lib/prometheus", "database", "series of Prometheus",
		"Measurements are added for as long as they are kept.",
		"Limit --storage.tsdb.retention.size."},
	{LINUX, "/var/lib/influxdb", "database", "series of InfluxDB",
		"Measurements are added for as long as they are kept.",
		"Set a retention policy."},
	{LINUX, "/var/lib/redis", "database", "databases of Redis",
		"It grows with the keys in memory.", "Set maxmemory."},
	{LINUX, "/var/lib/libvirt/images", "disk-image", "disks of virtual machines",
		"Such a disk grows with what its guest writes.",
		"Trim in the guest (fstrim), or compact the disk."},
	{LINUX, "/var/cache/apt/archives", "cache", "packages that were downloaded",
		"Each upgrade adds its packages.", "Run: apt-get clean"},
	{LINUX, "/var/cache/dnf", "cache", "packages that were downloaded",
		"Each upgrade adds its packages.", "Run: dnf clean all"},
	{LINUX, "/var/cache/yum", "cache", "packages that were downloaded",
		"Each upgrade adds its packages.", "Run: yum clean all"},
	{LINUX, "/var/cache/zypp", "cache", "packages that were downloaded",
		"Each upgrade adds its packages.", "Run: zypper clean --all"},
	{LINUX, "/var/cache/pacman/pkg", "cache", "packages that were downloaded",
		"Each upgrade adds its packages.", "Run: paccache -r"},
	{LINUX, "/var/lib/snapd", "update", "snap packages", "Old revisions of each snap stay.",
		"Run: snap set system refresh.retain=2"},
	{LINUX, "/var/lib/flatpak", "update", "flatpak programs",
		"Runtimes that nothing uses stay.", "Run: flatpak uninstall --unused"},
	{LINUX, "/var/crash", "dump", "crash dumps", "Each crash adds one.",
		"Delete what is old."},
	{LINUX, "/var/lib/systemd/coredump", "dump", "core dumps",
		"Each crash of a program adds one.",
		"Delete what is old; limit it in coredump.conf"},
	{LINUX, "/var/spool", "queue", "queues of mail and printers",
		"What cannot be delivered waits here.", "Look at the queues: mailq, lpstat"},
	{LINUX, "/var/mail", "mail", "mailboxes",
		"Mail of the system is added, and seldom read.",
		"Read and delete it, or forward it."},
	{LINUX, "/var/tmp", "temporary", "temporary files", "Programs that crash leave theirs.",
		"Delete what is older than a month."},
	{LINUX, "/tmp", "temporary", "temporary files", "Programs that crash leave theirs.",
		"Restart it, or delete what is old."},
	{LINUX, "/home/*/.cache", "cache", "caches of users", "Programs keep what they loaded.",
		"It can be deleted while the user is logged out."},
	{LINUX, "/root/.cache", "cache", "caches of users", "Programs keep what they loaded.",
		"It can be deleted."},
	{LINUX, "/home/*/.local/share/Trash", "trash", "the rubbish of users",
		"Deleted files wait here.", "Empty it, of every user."},
	{LINUX, "/swapfile", "page-file", "the swap file",
		"It has the size that it was made with.",
		"Make it smaller if memory suffices."},
	{LINUX, "/swap.img", "page-file", "the swap file",
		"It has the size that it was made with.",
		"Make it smaller if memory suffices."},
	{LINUX, "/boot", "update", "kernels", "Each update of the kernel adds one.",
		"Run: apt-get autoremove --purge, or dnf remove --oldinstallonly"},

	/* ---- wherever they lie ---- */
	{"", "*.mdf", "database", "databases of SQL Server", "They grow with their tables.",
		"Limit their growth; archive old rows."},
	{"", "*.ldf", "log", "transaction logs of SQL Server",
		"A log grows until the database is backed up.",
		"Back the log up, then shrink it."},
	{"", "*.edb", "database", "databases of Exchange, Active Directory or Search",
		"They keep the room of what was deleted.",
		"Defragment them offline (esentutl /d)."},
	{"", "*.ost", "mail", "copies of mailboxes (Outlook)", "They grow with the mailbox.",
		"Keep fewer months offline: account settings."},
	{"", "*.pst", "mail", "mail files (Outlook)", "Mail is added, room is not given back.",
		"Compact them: account settings, data files."},
	{"", "*.dmp", "dump", "dumps", "Each crash adds one.", "Delete what is old."},
	{"", "*.hprof", "dump", "heap dumps of Java", "Each lack of memory adds one.",
		"Delete what is old."},
	{"", "*.ibd", "database", "databases of MySQL or MariaDB",
		"Tables never shrink by themselves.", "OPTIMIZE TABLE after large deletions."},
	{"", "*.vhdx", "disk-image", "virtual disks",
		"They grow and do not shrink by themselves.",
		"Compact them, or move them to another disk."},
	{"", "*.vmdk", "disk-image", "virtual disks",
		"They grow and do not shrink by themselves.",
		"Compact them, or move them to another disk."},
	{"", "*.qcow2", "disk-image", "virtual disks",
		"They grow and do not shrink by themselves.",
		"Compact them, or move them to another disk."},
	{"", "*.log", "log", "other log files", "Lines are added.",
		"Find out who writes them; delete or pack what is old."},
};

const struct sv_growing *sv_growing_rule(size_t i)
{
	return i < SV_ARRAY_LEN(rules) ? &rules[i] : NULL;
}

/* Does the last name of the pattern fit? Spares nearly all patterns. */
static bool may_fit(const char *pattern, const char *name, bool folds)
{
	const char *slash = strrchr(pattern, '/'), *last = slash ? slash + 1 : pattern;

	if (!strpbrk(last, "*?"))
		return !(folds ? strcasecmp : strcmp)(last, name);
	return !fnmatch(last, name, folds ? FNM_CASEFOLD : 0);
}

int sv_growing_find(const char *family, const char *path, const char *name)
{
	bool folds = !strcmp(family, WIN);

	for (size_t i = 0; i < SV_ARRAY_LEN(rules); i++) {
		const struct sv_growing *r = &rules[i];
		bool anywhere = r->pattern[0] != '/';

		if (*r->family && strcmp(r->family, family) != 0)
			continue;
		if (!may_fit(r->pattern, name, folds || anywhere))
			continue;
		if (anywhere ||
			!fnmatch(r->pattern, path, FNM_PATHNAME | (folds ? FNM_CASEFOLD : 0)))
			return (int)i;
	}
	return -1;
}
