/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c - verdicts ↔ their names in JSON. */
#include "wire/verdict.h"

#include <string.h>

static const char *const names[] = {
	[RECORD_ALLOWED] = "allowed",
	[RECORD_REFUSED] = "refused",
	[RECORD_WOULD_REFUSE] = "would-refuse",
	[RECORD_FAILED] = "failed",
	[RECORD_CUT] = "cut",
};
static_assert(ARRAY_SIZE(names) == RECORD_VERDICT_COUNT, "every verdict needs a name");

const char *record_verdict_name(enum record_verdict verdict)
{
	return verdict < RECORD_VERDICT_COUNT ? names[verdict] : "unknown";
}

enum record_verdict record_verdict_parse(const char *name)
{
	unsigned i = 0;

	while (i < RECORD_VERDICT_COUNT && strcmp(names[i], name) != 0)
		i++;
	return (enum record_verdict)i;
}
