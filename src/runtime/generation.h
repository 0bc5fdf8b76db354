/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generation.h - all that a reload brings: policies, what to remember of them, rules. */
#ifndef UIDWALL_RUNTIME_GENERATION_H
#define UIDWALL_RUNTIME_GENERATION_H

#include "plan/plan.h"
#include "runtime/state.h"

/* Rules have an arena of their own: `uidwall off blog` plans anew from the policies as they are in
 * force, whatever the files say by now.
 */
struct rules {
	struct arena *arena;
	struct ir_ruleset set;
	bool room; /* plan_unit_started() */
};

void rules_done(struct rules *rules);
__attribute__((unused)) static inline void rules_cleanup(struct rules *rules)
{
	rules_done(rules);
}

struct generation {
	struct arena *arena;
	struct policy_set set;
	uint8_t *states;      /* of each service, as if nothing were switched off */
	struct memory memory; /* what to fall back to from here on */
	const struct uid_owner *
		*owners; /* of service i: from first_owner[i] to first_owner[i + 1] */
	size_t *first_owner;
	struct rules rules;
	struct arena *groups; /* what set.groups lives in, or NULL: in `arena` */
};

enum generation_source {
	FROM_FILES,
	FROM_MEMORY, /* the files cannot be read, or the kernel does not take them */
	FROM_BEFORE, /* from memory, too, but because what the files say by now is not wanted */
};

/* Policies without rules yet. Nothing of `memory` is referred to afterwards. */
int generation_read(enum generation_source source, const char *config, const char *policies,
		    const struct memory *memory, struct generation **ret_generation,
		    struct diags *diags);
void generation_free(struct generation *generation); /* NULL is fine */
DEFINE_CLEANUP(generation, struct generation *, generation_free)

/* Takes the control groups of `set`; the arena is the generation's from then on. */
void generation_take_groups(struct generation *generation, const struct policy_set *set,
			    struct arena *arena);

/* Marks what is switched off. */
void generation_mark(struct generation *generation, const struct switches *switches);

/* Marks it and plans the rest. */
void generation_plan(struct generation *generation, const struct switches *switches,
		     struct rules *ret_rules);

#endif
