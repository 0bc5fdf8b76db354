/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - which boot of the machine this is, and for how long it has lasted. */
#include "runtime/boot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define INIT_PATH "/proc/1/stat"

enum { UUID_LENGTH = 36, START_TIME = 22 - 3 /* words after "(comm) ", proc(5) */ };

/* When the first process started. Empty where others' processes are not to be seen (hidepid). */
static int read_init_start(char *ret_start, size_t size)
{
	AUTO(mem) char *text = NULL;
	char *at, *word = NULL;
	size_t length;
	int r = file_read(INIT_PATH, 4096, &text, &length);

	*ret_start = '\0';
	if (r == -ENOENT || r == -EACCES || r == -EPERM)
		return 0;
	if (r < 0)
		return r;
	at = strrchr(text, ')'); /* comm may hold anything, blanks and brackets too */
	if (!at || !at[1])
		return -EBADMSG;
	at += 2;
	for (int i = 0; i <= START_TIME; i++)
		word = strsep(&at, " ");
	if (!word || (size_t)snprintf(ret_start, size, ".%s", word) >= size)
		return -EBADMSG;
	return 0;
}

int boot_read_id(char ret_id[BOOT_ID_MAX + 1])
{
	char start[BOOT_ID_MAX - UUID_LENGTH + 1];
	AUTO(mem) char *text = NULL;
	size_t length;
	int r = file_read(BOOT_ID_PATH, 4096, &text, &length);

	if (r == 0)
		r = read_init_start(start, sizeof(start));
	if (r < 0)
		return r;
	if (length < UUID_LENGTH)
		return -EBADMSG;
	snprintf(ret_id, BOOT_ID_MAX + 1, "%.*s%s", UUID_LENGTH, text, start);
	return 0;
}

int64_t boot_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
