/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shrink.h - a mismatch → the smallest world and the fewest shots that still show it. */
#ifndef UIDWALL_TESTS_PROOF_SHRINK_H
#define UIDWALL_TESTS_PROOF_SHRINK_H

#include <jansson.h>

#include "proof.h"

/* { "config", "services", "subuids", "shots": [ ... ] }: see world.h. The last shot is the one on
 * which the evaluator and the kernel differ; the others only lead to it. Takes the world.
 */
json_t *case_make(json_t *world, const struct shot *shots, size_t n);

enum case_outcome { CASE_AGREES, CASE_DIFFERS, CASE_INVALID };

/* Runs it: loads the policies, sends the shots. out: what differs is printed there, or NULL. */
enum case_outcome case_run(struct proof *proof, const json_t *box_case, FILE *out);

/* Makes it smaller as long as it differs. Bounded. Returns how many runs that took. */
unsigned case_shrink(struct proof *proof, json_t *box_case);

#endif
