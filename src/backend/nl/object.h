/* SPDX-License-Identifier: GPL-2.0-or-later */
/* object.h - tables, counters, chains and rules → messages of a batch. Sets are in set.h. */
#ifndef UIDWALL_BACKEND_NL_OBJECT_H
#define UIDWALL_BACKEND_NL_OBJECT_H

#include "backend/nl/batch.h"
#include "backend/nl/stmt.h"
#include "plan/ir.h"

/* linux/netfilter/nf_tables.h of Debian 12 lacks it: keep the table when its owner goes. Linux 6.9.
 */
enum { NL_TABLE_OWNER = 0x2, NL_TABLE_PERSIST = 0x4 };

/* Where messages go, and what their indices are of. */
struct nl_writer {
	struct nl_batch *batch;
	struct nl_exprs *exprs;
	const struct ir_ruleset *ruleset;
	bool is_current; /* the ruleset is the one that goes */
};

struct nlmsghdr *nl_writer_start(const struct nl_writer *writer, uint16_t type, uint16_t flags,
				 enum nl_subject subject, uint32_t index);

/* The comment as nft keeps it in user data; returns its length, 0 for none. */
unsigned nl_comment(const struct ir_origin *origin, uint8_t ret_userdata[IR_COMMENT_MAX + 2]);

/* create_flags: NLM_F_CREATE, with NLM_F_EXCL where it must not exist yet. */
void nl_add_table(const struct nl_writer *writer, const char *name, uint32_t table_flags,
		  uint16_t create_flags);
void nl_delete_table(const struct nl_writer *writer);

void nl_add_counter(const struct nl_writer *writer, uint32_t counter, uint64_t packets,
		    uint64_t bytes);
void nl_delete_counter(const struct nl_writer *writer, uint32_t counter);

void nl_add_chain(const struct nl_writer *writer, uint32_t chain);
void nl_flush_chain(const struct nl_writer *writer, uint32_t chain);
void nl_delete_chain(const struct nl_writer *writer, uint32_t chain);

void nl_add_rule(const struct nl_writer *writer, uint32_t chain, uint32_t rule);
void nl_fill_chain(const struct nl_writer *writer, uint32_t chain); /* adds all its rules */

#endif
