/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - the bytes of a call → what is asked. */
#ifndef UIDWALL_WIRE_REQUEST_H
#define UIDWALL_WIRE_REQUEST_H

#include "base/arena.h"

enum request_call {
	CALL_STATUS,
	CALL_SHOW,
	CALL_APPLY,
	CALL_OFF,
	CALL_ON,
};

struct request {
	enum request_call call;
	const char *service; /* NULL: none given */
};

/* Strings live in the arena. 0, or -EINVAL and *ret_error says in one printable line what is wrong
 * with it.
 */
int request_parse(const char *bytes, size_t n, struct arena *arena, struct request *ret_request,
		  const char **ret_error);

const char *request_call_name(enum request_call call);

#endif
