/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h - uidwalld from its start to its end. */
#ifndef UIDWALL_RUNTIME_DAEMON_H
#define UIDWALL_RUNTIME_DAEMON_H

#include "base/util.h"

struct daemon_options {
	const char *config;
	const char *policies;
	const char *control;
	const char *state;
	bool no_seccomp;
};

/* Returns the exit status: 0 after SIGTERM or SIGINT. The wall stands on in any case. */
int daemon_run(const struct daemon_options *options);

#endif
