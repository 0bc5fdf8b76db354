/* SPDX-License-Identifier: GPL-2.0-or-later */
/* folder.c - a temporary state folder, its files, and its end. */
#include "lib/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

char folder_name[] = "/tmp/uidwall-test-XXXXXX";

int folder_make(void)
{
	return mkdtemp(folder_name) ? 0 : -1;
}

const char *folder_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder_name, name);
	return path;
}

int folder_remove(void **state)
{
	static const char *const names[] = { "last-good", "previous", "trial", "off", "file" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(folder_path(names[i]));
	return rmdir(folder_name);
}

void folder_put(const char *name, const char *bytes, size_t n, mode_t mode)
{
	FILE *f;

	unlink(folder_path(name));
	f = fopen(folder_path(name), "w");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0 ||
	    chmod(folder_path(name), mode) < 0)
		abort();
}
