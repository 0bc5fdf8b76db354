/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.h - who a program is and what it may do, given up for good. */
#ifndef UIDWALL_SANDBOX_USER_H
#define UIDWALL_SANDBOX_USER_H

#include <sys/types.h>

#include "base/util.h"

enum { USER_NO_CAPABILITY = -1, USER_NAME_MAX = 32 };

struct user {
	uid_t uid;
	gid_t gid;
};

/* As read back from the kernel. */
struct user_rights {
	char user[USER_NAME_MAX]; /* or a number */
	bool has_capability;	  /* the one that was to be kept */
	unsigned n_other_caps;	  /* others, in whichever set but the bounding one */
	bool is_bound;		  /* nor can a program that it starts get others */
	bool no_new_privileges;
};

/* Looks in /etc/passwd alone: at boot a name service may hang. Never finds root. */
bool user_find(const char *name, struct user *ret_user);

/* Root becomes that user (NULL: stays root), in no other group, with no capability but that one.
 * -EPERM, with a line in the log: not all of it went.
 */
int user_become(const struct user *user, int capability);

/* The same for one who is not root, but may have been given capabilities. */
void user_drop(int capability);

/* No program that is executed from here on gains anything. */
void user_forbid_new_privileges(void);

void user_look(int capability, struct user_rights *ret_rights);

#endif
