/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handed.c - inherited descriptors → the control socket, and what an earlier process left with the
 * service manager.
 */
#include "runtime/handed.h"

#include <string.h>

#include "service/inherited.h"

static void take(void *data, int fd, const char *name)
{
	struct handed *handed = data;

	if (strcmp(name, HANDED_TABLE) == 0) {
		fd_close(handed->table);
		handed->table = fd;
	} else {
		handed->control = fd;
		handed->n_control++;
	}
}

void handed_take(struct handed *ret_handed)
{
	*ret_handed = (struct handed){ .control = -1, .table = -1 };
	inherited_take(take, ret_handed);
}
