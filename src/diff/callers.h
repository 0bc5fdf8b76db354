/* SPDX-License-Identifier: GPL-2.0-or-later */
/* callers.h - guards before and after → who gained and who lost which declared port. */
#ifndef UIDWALL_DIFF_CALLERS_H
#define UIDWALL_DIFF_CALLERS_H

#include "diff/guards.h"

struct callers_change {
	const char *service; /* that declares the port */
	size_t service_length;
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	struct ranges ports;
	struct ranges before, now; /* whom the service lets connect */
	struct ranges gained,
		lost; /* what comes of it, other services' lines on the port considered */
	const struct ir_origin *from_line, *to_line; /* NULL: none */
};

/* Sorted by protocol and port. */
struct callers_change *callers_compare(const struct guards *from, const struct guards *to,
				       struct arena *arena, size_t *ret_n);

#endif
