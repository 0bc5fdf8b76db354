/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.h - where in a policy file something was said; it goes with a rule all the way. */
#ifndef UIDWALL_BASE_PLACE_H
#define UIDWALL_BASE_PLACE_H

#include <stdint.h>

/* The file as messages show it; line and column count from 1, in bytes; line 0: the whole file. */
struct place {
	const char *file;
	uint32_t line;
	uint32_t column;
};

#endif
