/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.h - ruleset → kernel, in one netlink batch: the kernel has the old one or the new one.
 *
 * The handle is bound to the network namespace in which it was opened and owns the table as long as
 * it is open, where the kernel knows table owners (flags owner and persist, Linux 6.9).
 */
#ifndef UIDWALL_BACKEND_NL_APPLY_H
#define UIDWALL_BACKEND_NL_APPLY_H

#include "base/diag.h"
#include "plan/ir.h"

struct nl_table;
struct nl_deed; /* monitor.h */

/* While another process owns the table, ours has this name; and it stands in for a moment while the
 * table is deleted and made anew.
 */
#define NL_TABLE_STANDBY IR_TABLE_NAME "-standby"

/* Opens the netlink socket and probes what the kernel can; changes no rules. -errno with diags. */
int nl_table_open(struct nl_table **ret_table, struct diags *diags);
/* The same with the socket of an earlier process, which is closed where it cannot be used. */
int nl_table_adopt(int fd, struct nl_table **ret_table, struct diags *diags);
int nl_table_fd(const struct nl_table *table); /* to be left to a later process */
void nl_table_close(struct nl_table *table);   /* the rules stay; NULL is fine */
DEFINE_CLEANUP(nl_table, struct nl_table *, nl_table_close)

struct nl_result {
	unsigned chains_changed; /* added, replaced and removed */
	unsigned elements_changed;
	unsigned retries;    /* another tool committed in between */
	bool replaced_whole; /* the table was made anew (first load, or somebody had changed it) */
	size_t bytes_sent;   /* 0: the kernel held it already */
	unsigned kernel_us;  /* from the first byte sent to the commit acknowledged */
};

/* Makes the kernel hold `next`. `current` is what the last call put there, or NULL when unknown:
 * then, and when the table is no longer as it was left, the whole table is replaced (still in one
 * batch; counters of the same name start from their old values). On failure the kernel keeps
 * what it had: -errno, and diags name the policy lines of the rules the kernel did not like. Both
 * rulesets must outlive the call only.
 */
int nl_table_apply(struct nl_table *table, const struct ir_ruleset *current,
		   const struct ir_ruleset *next, struct nl_result *ret_result,
		   struct diags *diags);

/* Adds n elements to what the last call put there: the last ones of a set of `next`, which is
 * otherwise the same. Costs less than nl_table_apply(), which is to be called where this fails.
 * -errno, and nothing happened.
 */
int nl_table_add_elements(struct nl_table *table, const struct ir_ruleset *next, uint32_t set,
			  uint32_t n);

/* Whether the kernel holds exactly this ruleset under the table's name: 0, or -ESTALE with the
 * place where it was first seen to differ; -EPERM: another process owns the table. Changes nothing.
 */
enum { NL_PLACE_MAX = 96 };
int nl_table_compare(struct nl_table *table, const struct ir_ruleset *ruleset,
		     char ret_place[NL_PLACE_MAX]);

/* Takes the whole table down. 0 also where there is none. */
int nl_table_remove(struct nl_table *table, struct diags *diags);

struct nl_counter_value {
	const char *name; /* as in the ruleset, or as asked */
	uint64_t packets;
	uint64_t bytes;
};

/* Reads all named counters of the table in one dump; values are in the order of the ruleset's
 * counters, those missing in the kernel are 0. ret_values has ruleset->n_counters entries,
 * malloc'd.
 */
int nl_table_read_counters(struct nl_table *table, const struct ir_ruleset *ruleset,
			   struct nl_counter_value **ret_values, struct diags *diags);
/* Of one counter only (a single request, no dump). -ENOENT, without a message: there is none. */
int nl_table_read_counter(struct nl_table *table, const char *name,
			  struct nl_counter_value *ret_value, struct diags *diags);

/* A control group, and the chain that judges what its sockets send. */
struct nl_group {
	uint64_t id;
	const char *chain;
};

/* Those in the map `units`, as an earlier daemon left it: none where there is no such map, or it
 * cannot be read.
 */
void nl_table_read_groups(struct nl_table *table, struct arena *arena, struct nl_group **ret_groups,
			  size_t *ret_n);

/* What the kernel can: "owner, persist" and the like, for `status`. */
struct nl_features {
	bool owner_persist;
	bool strips_options; /* IR_STMT_STRIP; Linux 5.18 */
	bool has_nat;	     /* IR_STMT_DNAT in an inet table: modules that may be left out */
};
const struct nl_features *nl_table_features(const struct nl_table *table);

/* "uidwall", or NL_TABLE_STANDBY. */
const char *nl_table_name(const struct nl_table *table);
/* Then the netlink port of whoever owns "uidwall", often its pid; else 0. */
uint32_t nl_table_holder(const struct nl_table *table);
/* The same as it is now, whatever name ours has. */
uint32_t nl_table_find_holder(struct nl_table *table);
/* Of the table in the kernel, another number for each one that was ever made; 0: there is none. */
uint64_t nl_table_handle(struct nl_table *table);

/* Where others can change the table: a descriptor that is readable when somebody may have done it.
 * -1 where they cannot, or where the kernel's messages cannot be had (with diags).
 */
int nl_table_watch(struct nl_table *table, struct diags *diags);
/* The next deed of others, of those that are known by now: 1, or 0 where there is none. -ENOBUFS:
 * there may have been some that nobody heard of. -EAGAIN: later.
 */
int nl_table_next_deed(struct nl_table *table, struct nl_deed *ret_deed);

/* Puts back the rules of chains of these names, which others changed, and nothing else: what takes
 * longer can follow. -ENOENT: one of them is none of the ruleset's.
 */
int nl_table_refill(struct nl_table *table, const struct ir_ruleset *ruleset,
		    const struct nl_deed *deed);

/* From here on as on a kernel without table owners, so that tests see that way too. */
void nl_table_forgo_owner(struct nl_table *table);

#endif
