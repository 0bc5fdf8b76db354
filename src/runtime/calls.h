/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.h - the calls of the control socket, and who may make which. */
#ifndef UIDWALL_RUNTIME_CALLS_H
#define UIDWALL_RUNTIME_CALLS_H

#include "runtime/proxy_lists.h"
#include "runtime/proxy_seen.h"
#include "runtime/sandbox.h"
#include "runtime/server.h"
#include "runtime/wall.h"

struct calls {
	struct wall *wall;
	struct server *server; /* for its counts */
	const struct sandbox *sandbox;
	struct proxy_lists *lists;
	struct proxy_seen *seen;
};

/* For struct server_options; data is a struct calls. */
int calls_answer(void *data, const struct server_caller *caller, const char *request, size_t n,
		 struct writer *ret_answer, char **ret_error);

#endif
