/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.h - which files a program may touch, and what it may do with TCP and with others, by
 * Landlock.
 *
 * glibc has no functions for this, and Debian 12's header ends at version 2; the numbers are those
 * of linux/landlock.h, which never change.
 */
#ifndef UIDWALL_SANDBOX_LANDLOCK_H
#define UIDWALL_SANDBOX_LANDLOCK_H

#include <linux/landlock.h>

#include "base/util.h"

enum landlock_more {
	LANDLOCK_FS_REFER = 1 << 13,	/* version 2 */
	LANDLOCK_FS_TRUNCATE = 1 << 14, /* 3 */
	LANDLOCK_FS_IOCTL = 1 << 15,	/* 5: of devices */
	LANDLOCK_FS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	LANDLOCK_FS_CHANGE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
			     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
			     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
			     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
			     LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_FS_REFER | LANDLOCK_FS_TRUNCATE |
			     LANDLOCK_FS_IOCTL,
	LANDLOCK_TCP_BIND = 1 << 0,    /* 4 */
	LANDLOCK_TCP_CONNECT = 1 << 1, /* 4 */
	LANDLOCK_ABSTRACT = 1 << 0,    /* 6: connecting to abstract unix sockets of others */
	LANDLOCK_SIGNAL = 1 << 1,      /* 6: signals to others */
};

/* Below a path, or its folder, these rights stay. */
struct landlock_rule {
	const char *path;
	bool parent;
	uint64_t rights;
};

/* What goes, as far as the kernel knows it. */
struct landlock_policy {
	uint64_t fs, net, scope;
	const struct landlock_rule *rules;
	size_t n_rules;
};

/* For good. Returns the version of the kernel's Landlock, 0 where it has none. */
unsigned landlock_enter(const struct landlock_policy *policy);

#endif
