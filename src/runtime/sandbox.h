/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what the daemon gives up before it reads a byte that somebody else wrote. */
#ifndef UIDWALL_RUNTIME_SANDBOX_H
#define UIDWALL_RUNTIME_SANDBOX_H

#include "sandbox/user.h"

/* Paths as on the command line. */
struct sandbox_options {
	const char *config, *policies, *state, *control;
	bool no_seccomp;
};

/* What is on, as read back from the kernel. */
struct sandbox {
	struct user_rights rights; /* with CAP_NET_ADMIN, without which nothing will work */
	char *stays_root;	   /* started by root, and why it is root still; malloc'd */
	unsigned n_calls;	   /* system calls allowed; 0: all */
	unsigned landlock;	   /* version of the kernel's Landlock; 0: none */
};

/* Gives up all but what the daemon needs, for good. What this kernel lacks is logged and left out:
 * a daemon that does not start protects nobody.
 */
void sandbox_enter(const struct sandbox_options *options, struct sandbox *ret_sandbox);

/* The same for the process that runs modules of the name service, which may read where they like:
 * it changes no file, sends no signal to others, and calls nothing that no such module needs.
 */
void sandbox_enter_modules(void);

/* Whether anything is missing that could be there. */
bool sandbox_is_complete(const struct sandbox *sandbox);
void sandbox_done(struct sandbox *sandbox);

#endif
