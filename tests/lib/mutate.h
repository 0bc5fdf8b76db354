/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mutate.h - random policies that are changed, in meaning or only in words. */
#ifndef UIDWALL_TESTS_LIB_MUTATE_H
#define UIDWALL_TESTS_LIB_MUTATE_H

#include <jansson.h>

#include "lib/random_policies.h"

struct mutable
{
	json_t *files; /* name → policy */
	json_t *config;
	unsigned seed;
	unsigned n_made; /* policies that there ever were */
};

struct mutable mutable_new(unsigned seed, unsigned n_services);
void mutable_free(struct mutable *policies);

/* Changes something, mostly in meaning. show: says what on stdout. */
void mutable_change(struct mutable *policies, struct random *random, bool show);

/* Says the same in other words. */
void mutable_reword(struct mutable *policies, struct random *random, bool show);

/* The set as it would be in force; returns the number of errors, for a change may have made a
 * policy wrong. show: prints them.
 */
size_t mutable_read(const struct mutable *policies, struct arena *arena, struct policy_set *ret_set,
		    bool show);

#endif
