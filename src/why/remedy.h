/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remedy.h - a verdict → the smallest change of policies that would turn it. */
#ifndef UIDWALL_WHY_REMEDY_H
#define UIDWALL_WHY_REMEDY_H

#include "why/reason.h"

/* One address of a question: the packets that all have to pass. */
struct asked {
	struct target target;
	bool has_call, has_answer;
	struct probe call;
	struct probe answer;
	const struct service *server; /* whose port is asked about; NULL: somebody calls out */
};

bool asked_is_refused(const struct asked *asked);   /* with the wall up */
bool asked_is_monitored(const struct asked *asked); /* passes, because some service only monitors */

struct remedy {
	struct changes turn; /* all of them turn the verdict; none: no line can */
	/* For what monitor mode lets pass: what allows it once it enforces. */
	struct changes enforce;
	const char *hint; /* where no line can: what does; or NULL */
};

void remedy_find(const struct why_world *world, const struct asked *asked, struct arena *arena,
		 struct remedy *ret_remedy);

/* Adds those that are not among them yet; both loopbacks become "localhost". */
void changes_merge(struct changes *changes, const struct changes *more);

#endif
