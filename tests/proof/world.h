/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - policies as JSON, with all that files cannot say: something to make smaller.
 *
 * { "config": { ... },
 *   "services": [ { "file": "s1.json", "state": "good", "policy": { ... } } ],
 *   "subuids": [ { "first": 100000, "last": 165535, "service": "s1" } ] }      no service: shared
 */
#ifndef UIDWALL_TESTS_PROOF_WORLD_H
#define UIDWALL_TESTS_PROOF_WORLD_H

#include <jansson.h>

#include "policy/policy_set.h"

/* The world in which that set is; config is the text of the configuration. */
json_t *world_of(const struct policy_set *set, const char *config);

/* Reads the policies again. 0, or -EINVAL where one is not good: such a world does not count. */
int world_read(const json_t *world, struct arena *arena, struct policy_set *ret_set);

#endif
