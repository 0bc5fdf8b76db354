/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handed.c - $LISTEN_FDS → the control socket, and what an earlier process left with the service
 * manager.
 */
#include "runtime/handed.h"

#include <string.h>

enum { FIRST_FD = 3 };

static int count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n = 0;

	if (pid && fds && strtol(pid, NULL, 10) == getpid())
		n = strtol(fds, NULL, 10);
	return n > 0 && n < 1024 ? (int)n : 0;
}

/* Sets *names to what follows. */
static bool is_next_named(const char **names, const char *name)
{
	size_t n = *names ? strcspn(*names, ":") : 0;
	bool is_named = *names && strlen(name) == n && memcmp(*names, name, n) == 0;

	if (*names)
		*names = (*names)[n] ? *names + n + 1 : NULL;
	return is_named;
}

void handed_take(struct handed *ret_handed)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int n = count();

	*ret_handed = (struct handed){ .control = -1, .table = -1 };
	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
		if (is_next_named(&names, HANDED_TABLE)) {
			fd_close(ret_handed->table);
			ret_handed->table = fd;
		} else {
			ret_handed->control = fd;
			ret_handed->n_control++;
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
