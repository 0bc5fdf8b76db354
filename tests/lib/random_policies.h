/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random_policies.h - a seed → policies with everything in them that a policy may hold.
 *
 * The same seed gives the same policies on every machine: users are numbers, the resolvers stand in
 * the configuration. The policy of service i depends on the seed and on i alone.
 */
#ifndef UIDWALL_TESTS_LIB_RANDOM_POLICIES_H
#define UIDWALL_TESTS_LIB_RANDOM_POLICIES_H

#include "policy/policy_set.h"

/* A sequence of numbers: small, fast, good enough for tests (splitmix64). */
struct random {
	uint64_t state;
};

struct random random_start(unsigned seed, unsigned stream);
uint32_t random_below(struct random *random, uint32_t n); /* 0 to n - 1 */
bool random_chance(struct random *random, unsigned one_in);

/* The policy of service `number` as JSON; named "s<number>" unless the file's name says otherwise.
 */
void random_policy_print(unsigned seed, unsigned number, FILE *out);

/* A configuration; without subordinate ids, which are this machine's. */
void random_config_print(unsigned seed, FILE *out);

/* Makes folder/uidwall.json and folder/policies/s<number>.json; folder exists. 0 or -errno. */
int random_policies_write(unsigned seed, unsigned n_services, const char *folder);

/* Reads what random_policies_write() made; every policy in it is good. Aborts where one is not, and
 * prints why.
 */
void random_policies_read(const char *folder, struct arena *arena, struct policy_set *ret_set);

/* A set that never was in files: it also has what those cannot say, services that are off, refused
 * or last good, and subordinate ids. Everything lives in the arena.
 */
void random_policies_make(unsigned seed, unsigned n_services, struct arena *arena,
			  struct policy_set *ret_set);

#endif
