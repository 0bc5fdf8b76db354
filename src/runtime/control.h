/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - the control socket, made here or handed over by the service manager. */
#ifndef UIDWALL_RUNTIME_CONTROL_H
#define UIDWALL_RUNTIME_CONTROL_H

#include <sys/types.h>

#include "base/diag.h"
#include "runtime/handed.h"

struct control {
	int fd;
	char *path; /* malloc'd; NULL where it was handed over: not ours to remove */
	dev_t device;
	ino_t inode;
};

/* -EADDRINUSE: another daemon answers there. */
int control_open(const char *path, const struct handed *handed, struct control *ret_control,
		 struct diags *diags);
void control_close(struct control *control); /* removes the socket if it still is ours */

#endif
