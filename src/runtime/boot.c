/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - which boot of the machine this is, and for how long it has lasted. */
#include "runtime/boot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

int boot_read_id(char ret_id[BOOT_ID_LENGTH + 1])
{
	AUTO(mem) char *text = NULL;
	size_t length;
	int r = file_read(BOOT_ID_PATH, 4096, &text, &length);

	if (r < 0)
		return r;
	if (length < BOOT_ID_LENGTH)
		return -EBADMSG;
	memcpy(ret_id, text, BOOT_ID_LENGTH);
	ret_id[BOOT_ID_LENGTH] = '\0';
	return 0;
}

int64_t boot_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
