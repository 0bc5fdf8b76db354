/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h - what is known of one address of a question, as JSON. */
#ifndef UIDWALL_WHY_ANSWER_H
#define UIDWALL_WHY_ANSWER_H

#include "why/edit.h"
#include "why/remedy.h"

/* A question that is being answered. */
struct why {
	const struct why_world *world;
	const struct why_question *question;
	const struct service *own; /* the service that is asked about; NULL: a user without one */
	struct sender sender;	   /* whose sockets; of the service that is connected to, if any */
	bool is_inbound;
	bool is_unresolved; /* no address of the host is known, so the proxy's verdict is all there
			       is */
	struct sender caller; /* inbound: who connects, unless it is from_address */
	bool has_caller;
	struct prefix from_address;
	struct arena *arena;
	struct writer *w;
	struct texts texts;
	const char *error;
};

/* "service", "file", "line", ... of an object that was begun. */
void answer_put_place(struct why *why, const struct policy *policy, struct place place);

/* "changes", "to_enforce" and "hint". */
void answer_put_remedy(struct why *why, const struct remedy *remedy);

/* One object. */
void answer_put_asked(struct why *why, const struct asked *asked, const struct remedy *remedy);

#endif
