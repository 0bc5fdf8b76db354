/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.h - how many packets of which kind were judged how: a proof must not become empty. */
#ifndef UIDWALL_TESTS_PROOF_STATS_H
#define UIDWALL_TESTS_PROOF_STATS_H

#include "proof.h"

enum { STATS_CLASSES_MAX = 128, STATS_NAME_MAX = 96 };

struct stats {
	unsigned n_shots, n_not_sent, n_answers, n_plain;
	struct stats_class {
		char name[STATS_NAME_MAX];
		unsigned n;
	} classes[STATS_CLASSES_MAX];
	unsigned n_classes;
};

void stats_add(struct stats *stats, const struct proof *proof, const struct shot *shot,
	       const struct verdict *verdict);
void stats_print(const struct stats *stats, FILE *out);

/* Whether every class that there should be got its share; prints those that did not. */
bool stats_are_broad(const struct stats *stats, FILE *out);

#endif
