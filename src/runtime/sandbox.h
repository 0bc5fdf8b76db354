/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what the daemon gives up before it reads a byte that somebody else wrote. */
#ifndef UIDWALL_RUNTIME_SANDBOX_H
#define UIDWALL_RUNTIME_SANDBOX_H

#include "base/util.h"

/* Paths as on the command line. */
struct sandbox_options {
	const char *config, *policies, *state, *control;
	bool no_seccomp;
};

/* What is on, as read back from the kernel. */
struct sandbox {
	char user[32];	       /* or a number */
	char *stays_root;      /* started by root, and why it is root still; malloc'd */
	bool has_net_admin;    /* else nothing will work */
	unsigned n_other_caps; /* capabilities besides it, in whichever set but the bounding one */
	bool is_bound;	       /* nor can a program that it starts get others */
	bool no_new_privileges;
	unsigned n_calls;  /* system calls allowed; 0: all */
	unsigned landlock; /* version of the kernel's Landlock; 0: none */
};

/* Gives up all but what the daemon needs, for good. What this kernel lacks is logged and left out:
 * a daemon that does not start protects nobody.
 */
void sandbox_enter(const struct sandbox_options *options, struct sandbox *ret_sandbox);

/* Whether anything is missing that could be there. */
bool sandbox_is_complete(const struct sandbox *sandbox);
void sandbox_done(struct sandbox *sandbox);

#endif
