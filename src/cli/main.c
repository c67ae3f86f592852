/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program. */
#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argc;
	fprintf(stderr, "%s: no command is built in yet\n", argv[0]);
	return 2;
}
