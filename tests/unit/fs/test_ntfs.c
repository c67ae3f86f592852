/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NTFS reader on ordinary volumes of every geometry, beside ntfs-3g. */
#include "ntfs_judge.h"

static const char ordinary[] =
	"umask 022\n"
	"echo small >small; : >empty; head -c 700 /dev/urandom >resident\n"
	"head -c 3000001 /dev/urandom >large; seq 200000 >numbers\n"
	"mkdir -p 'größe/日本語/Ελληνικά'; echo x >'größe/日本語/файл.txt'\n"
	"echo smile >'😀 smile.txt'; echo a >\"quo'te\"; echo b >'sp ace '\n"
	"ln large 'größe/hard link'; ln large 'größe/second'\n"
	"ln -s small soft; ln -s ../nowhere/日本 'größe/soft'\n"
	"d=deep; for i in $(seq 40); do d=$d/level$i; done; mkdir -p $d; echo down >$d/bottom\n"
	"truncate -s 30M hole; echo middle | dd of=hole bs=1 seek=15000000 conv=notrunc "
	"status=none\n"
	"truncate -s 5000 allhole\n"
	"mkdir many; (cd many; for i in $(seq 1500); do echo $i >name-that-is-long-$i; done)\n"
	"mkdir gone; for i in $(seq 300); do echo $i >gone/$i; done; rm gone/*[3-7]\n"
	"touch -d '1965-03-04 05:06:07Z' small; touch -d '2107-01-01Z' empty\n";

static void agrees_on_an_ordinary_volume(void **state)
{
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "120M", "-c 4096 -L Ordinary");
	compare_with_the_mount(&f, fill(&f, "rw", ordinary));
	fixture_free(&f);
}

static void agrees_with_clusters_of_512_bytes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "120M", "-c 512");
	compare_with_the_mount(&f, fill(&f, "rw", ordinary));
	fixture_free(&f);
}

static void agrees_with_clusters_of_two_mebibytes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "2G", "-c 2097152");
	compare_with_the_mount(&f, fill(&f, "rw", ordinary));
	fixture_free(&f);
}

static void agrees_with_sectors_of_4096_bytes(void **state)
{
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "120M", "-s 4096 -c 4096");
	compare_with_the_mount(&f, fill(&f, "rw", ordinary));
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_on_an_ordinary_volume),
		cmocka_unit_test(agrees_with_clusters_of_512_bytes),
		cmocka_unit_test(agrees_with_clusters_of_two_mebibytes),
		cmocka_unit_test(agrees_with_sectors_of_4096_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
