/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - what is in force → JSON, as much of it as the caller may see. */
#ifndef UIDWALL_RUNTIME_REPORT_H
#define UIDWALL_RUNTIME_REPORT_H

#include "runtime/proxy_seen.h"
#include "runtime/sandbox.h"
#include "runtime/server.h"
#include "runtime/wall.h"

/* The daemon itself. */
struct report_process {
	const struct server_counts *counts;
	const struct sandbox *sandbox;
};

/* service NULL: all, for root and admins. Else only this one, and nothing that concerns others. */
void report_status(const struct wall *wall, const struct service *service, bool may_see_all,
		   const struct report_process *process, const struct proxy_seen *seen,
		   struct writer *w);

void report_show(const struct wall *wall, const struct service *service,
		 const struct proxy_seen *seen, struct writer *w);

/* "proxy": which one, whether it runs, and what it decided: the numbers for those who may see all.
 */
void report_proxy(const struct wall *wall, const struct report_process *process,
		  const struct proxy_seen *seen, bool may_see_all, struct writer *w);

/* "by_name": how often the proxy decided what. */
void report_proxy_counts(const struct seen_counts *counts, struct writer *w);

/* "unit": its control groups that are in force, and how many are held although they are gone; null
 * where the service has none.
 */
void report_unit(const struct policy_set *set, const struct service *service, struct writer *w);

/* "units": how many services have one, how many of those run, in how many groups. */
void report_units(const struct policy_set *set, struct writer *w);

/* "diags": all of them, or those about one file. */
void report_diags(struct writer *w, const struct diags *diags, const char *path);

/* What came of the last change: members of an object that the caller has begun. */
void report_change(const struct wall *wall, struct writer *w);

/* "waiting" and "rolled_back": objects, or null where nothing waits or went back. */
void report_undo(const struct wall *wall, struct writer *w);

/* A change of that time was confirmed. */
void report_confirmed(const struct wall *wall, int64_t since, struct writer *w);

#endif
