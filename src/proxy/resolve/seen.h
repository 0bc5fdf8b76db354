/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seen.h - the addresses that a name had lately, each with the end of its time. */
#ifndef UIDWALL_PROXY_SEEN_H
#define UIDWALL_PROXY_SEEN_H

#include "base/addr.h"

struct seen {
	struct seen_address *list; /* malloc'd */
	size_t n, size;
};

/* At most max: the one whose time ends first gives way. Without memory some are forgotten. */
void seen_note(struct seen *seen, const struct prefix *address, int64_t until_ms, size_t max);
int64_t seen_until(const struct seen *seen,
		   const struct prefix *address); /* INT64_MIN: never seen */
void seen_done(struct seen *seen);

#endif
