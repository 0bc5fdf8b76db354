/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherited.c - $LISTEN_FDS → descriptors and their names. */
#include "service/inherited.h"

#include <string.h>

enum { FIRST_FD = 3, FDS_MAX = 1024, NAME_MAX_LENGTH = 255 /* sd_listen_fds(3) */ };

static int count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n = 0;

	if (pid && fds && strtol(pid, NULL, 10) == getpid())
		n = strtol(fds, NULL, 10);
	return n > 0 && n < FDS_MAX ? (int)n : 0;
}

/* The next of "NAME:NAME:..."; sets *names to what follows. */
static void next_name(const char **names, char ret_name[NAME_MAX_LENGTH + 1])
{
	size_t n = *names ? strcspn(*names, ":") : 0;

	snprintf(ret_name, NAME_MAX_LENGTH + 1, "%.*s", (int)n, *names ? *names : "");
	if (*names)
		*names = (*names)[n] ? *names + n + 1 : NULL;
}

void inherited_take(void (*fn)(void *data, int fd, const char *name), void *data)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char name[NAME_MAX_LENGTH + 1];
	int n = count();

	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
		next_name(&names, name);
		fn(data, fd, name);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
