/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeds.h - random tests that can be repeated: UIDWALL_SEED=N tries that one, UIDWALL_ROUNDS=N
 * more. */
#ifndef UIDWALL_TESTS_LIB_SEEDS_H
#define UIDWALL_TESTS_LIB_SEEDS_H

/* The number in an environment variable. */
unsigned long env_number(const char *name, unsigned long otherwise);

/* The seed that is being tried; 0: none. */
extern unsigned seed_tried;

/* A teardown: prints how to repeat the seed at which the test ended. */
int seed_report(void **state);

#endif
