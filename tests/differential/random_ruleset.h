/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random_ruleset.h - a seed for each service → a ruleset with everything that the IR can say. */
#ifndef UIDWALL_TESTS_RANDOM_RULESET_H
#define UIDWALL_TESTS_RANDOM_RULESET_H

#include "base/arena.h"
#include "plan/ir.h"

enum { RANDOM_SERVICES_MAX = 24 };

/* The same seeds give the same services, so two specs that differ in one differ in one service. */
struct random_spec {
	uint64_t base;				/* of what belongs to no service */
	uint64_t services[RANDOM_SERVICES_MAX]; /* 0: there is no such service */
};

uint64_t rng_next(uint64_t *state); /* never 0 */
unsigned rng_below(uint64_t *state, unsigned n);

void random_spec(uint64_t *state, struct random_spec *ret_spec);
void random_mutate(uint64_t *state, struct random_spec *spec); /* changes a few services */
void random_ruleset(const struct random_spec *spec, struct arena *arena,
		    struct ir_ruleset *ret_ruleset);

#endif
