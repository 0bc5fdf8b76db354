/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.h - messages that the kernel carries out together or not at all. */
#ifndef UIDWALL_BACKEND_NL_BATCH_H
#define UIDWALL_BACKEND_NL_BATCH_H

#include "backend/nl/socket.h"

/* What a message is about, so that a refusal finds its policy line. */
enum nl_subject {
	NL_TABLE,
	NL_COUNTER,
	NL_CHAIN,
	NL_SET,
	NL_ELEMENTS, /* index: of the first element */
	NL_RULE,
};

struct nl_item {
	uint8_t subject; /* enum nl_subject */
	bool of_current; /* the index is one of the ruleset that goes, not of the one that comes */
	uint32_t index;	 /* in the ruleset's counters, chains, ... */
};

/* Memory that grows in place of being copied, and goes back to the system at once. */
struct nl_area {
	uint8_t *bytes;
	size_t used;
	size_t size;
};

struct nl_batch {
	struct nl_area messages; /* from the batch's first message, NFNL_MSG_BATCH_BEGIN */
	struct nl_area items;	 /* struct nl_item for each message between the first and last */
	const char *table;	 /* that its messages are about; IR_TABLE_NAME at first */
	size_t message_at;	 /* the message under construction starts here */
	uint32_t n_messages;
	int error; /* -ENOMEM: what was added since is lost */
};

void nl_batch_init(struct nl_batch *batch);
void nl_batch_done(struct nl_batch *batch);
__attribute__((unused)) static inline void nl_batch_cleanup(struct nl_batch *batch)
{
	nl_batch_done(batch);
}

/* Starts a message; there is room for NL_MESSAGE_MAX bytes of attributes. nl_batch_end() finishes
 * it. */
struct nlmsghdr *nl_batch_start(struct nl_batch *batch, uint16_t type, uint16_t flags,
				struct nl_item item);
void nl_batch_end(struct nl_batch *batch);
bool nl_batch_is_empty(const struct nl_batch *batch);
void nl_batch_reset(struct nl_batch *batch); /* to an empty one that keeps its memory */
const struct nlmsghdr *nl_batch_last(const struct nl_batch *batch); /* the message added last */

/* A message the kernel refused. */
struct nl_refusal {
	bool has_item; /* else the batch as a whole was refused */
	struct nl_item item;
	const struct nlmsghdr *message;
	int error; /* -errno */
	uint32_t attr_offset;
	char text[128]; /* the kernel's explanation, or "" */
};

enum { NL_REFUSALS_MAX = 16 };

struct nl_outcome {
	struct nl_refusal refusals[NL_REFUSALS_MAX];
	unsigned n_refusals; /* may be more than are kept */
	unsigned kernel_us;
	uint32_t holder; /* the port of whoever owns the table, where known; not set here */
};

/* Has the kernel carry it out, provided that the generation is still the one given (0: any).
 * 0 once it is known to be in force; else nothing has changed: -ERESTART when the generation is
 * another, or the first refusal's error. -ETIMEDOUT or -ENOBUFS: not known.
 */
int nl_batch_commit(struct nl_batch *batch, struct nl_sock *sock, uint32_t generation,
		    struct nl_outcome *ret_outcome);

/* The same, but the kernel takes it back again: whether it would. */
int nl_batch_try(struct nl_batch *batch, struct nl_sock *sock, struct nl_outcome *ret_outcome);

#endif
