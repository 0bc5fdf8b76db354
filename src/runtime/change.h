/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - the steps of a change of what is in force, each change between change_begin() and
 * change_end(). For wall.c and undo.c.
 */
#ifndef UIDWALL_RUNTIME_CHANGE_H
#define UIDWALL_RUNTIME_CHANGE_H

#include "runtime/wall.h"

/* Makes `result` (of the wall) wall->last, and empty. */
struct wall_result *change_begin(struct wall *wall, struct wall_result *result);
/* Logs what came of it. */
void change_end(struct wall *wall, int r);
void change_result_done(struct wall_result *result);

/* The first error in one line, or what `r` means where there is none; malloc'd. */
char *change_error_text(const struct diags *diags, int r);

/* Policies with their rules, not in force yet. */
int change_read(const struct wall *wall, enum generation_source source, const struct memory *memory,
		struct generation **ret_next);

/* The open connections that these rules would refuse, as far as a change to them closes anything.
 * before: what the kernel enforces now; NULL where nothing is, or it is not known.
 */
int change_judge(const struct wall *wall, const struct generation *before,
		 const struct policy_set *set, const struct ir_ruleset *rules, struct arena *arena,
		 struct live_judgement *ret_judgement, struct diags *diags);

/* Puts them in force and takes them. */
int change_generation(struct wall *wall, struct generation **next, struct writer *explain);

/* Puts the rules in force back where others changed them, and closes the connections that came
 * about meanwhile. deed: all that they did, or NULL. Nothing is logged. 0 or -errno.
 */
struct change_restored {
	bool is_changed; /* something had to be put back ... */
	int64_t us;	 /* ... and then nobody got out any more; as clock_now_us() */
};
int change_restore(struct wall *wall, const struct nl_deed *deed,
		   struct change_restored *ret_restored, struct diags *diags);

/* Plans the policies in force anew, with these switches, and puts the rules in force. On failure
 * the services' states are those of the switches all the same.
 */
int change_rules(struct wall *wall, const struct switches *switches, struct writer *explain);

/* Adds groups, sorted by id and with texts in the arena of the generation's groups, to what is in
 * force: costs little. -errno: nothing happened, and change_groups() is the way.
 */
int change_groups_started(struct wall *wall, const struct unit_group *groups, size_t n);

/* Puts the policies in force with the control groups of `set`, which live in the arena, and takes
 * both; no change as change_begin() has them. -errno with diags: nothing happened.
 */
int change_groups(struct wall *wall, const struct policy_set *set, struct arena *arena,
		  struct diags *diags);

#endif
