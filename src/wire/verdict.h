/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.h - what became of somebody's wish to reach a host, and its name. */
#ifndef UIDWALL_WIRE_VERDICT_H
#define UIDWALL_WIRE_VERDICT_H

#include "base/util.h"

enum record_verdict {
	RECORD_ALLOWED,
	RECORD_REFUSED,
	RECORD_WOULD_REFUSE, /* monitor mode: it passed */
	RECORD_FAILED,	     /* allowed, and no connection came about */
	RECORD_CUT,	     /* allowed, and ended by us: its host was taken off the list */
	RECORD_VERDICT_COUNT
};

const char *record_verdict_name(enum record_verdict verdict); /* "would-refuse" */
/* RECORD_VERDICT_COUNT where none is called so. */
enum record_verdict record_verdict_parse(const char *name);

#endif
