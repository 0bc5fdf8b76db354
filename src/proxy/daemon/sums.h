/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sums.h - decisions that are alike → how many they were, for the daemon. */
#ifndef UIDWALL_PROXY_SUMS_H
#define UIDWALL_PROXY_SUMS_H

#include "proxy/daemon/record.h"

struct sums;

int sums_new(struct sums **ret_sums);
void sums_free(struct sums *sums); /* NULL is fine */

void sums_add(struct sums *sums, const struct record *record);
size_t sums_count(const struct sums *sums);

/* As tally_take(). */
void sums_take(struct sums *sums, struct writer *w, size_t max_bytes);

/* As tally_on_news(). */
void sums_on_news(struct sums *sums, void (*fn)(void *data), void *data);

#endif
