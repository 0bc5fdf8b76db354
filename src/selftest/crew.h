/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew.h - jobs → processes that become users and try, many at a time → what was seen. */
#ifndef UIDWALL_SELFTEST_CREW_H
#define UIDWALL_SELFTEST_CREW_H

#include "selftest/watch.h"

enum { CREW_MAX = 128 }; /* processes at a time */

/* Calls done for each job, in the order in which they end; ends itself, whatever becomes of the
 * processes. watch NULL: nobody looks what leaves. 0 or -errno.
 */
int crew_run(const struct job *jobs, size_t n, struct watch *watch,
	     void (*done)(size_t index, const struct seen *seen));

#endif
