/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - which of many names this is: a hash over an array of structs that begin with one. */
#ifndef UIDWALL_BACKEND_NL_NAMES_H
#define UIDWALL_BACKEND_NL_NAMES_H

#include "base/util.h"

struct names {
	const void *array;
	size_t stride;
	uint32_t *slots; /* index + 1, 0: free */
	uint32_t mask;
};

/* array: n structs of `stride` bytes, the first member of which is const char *name. 0 or -ENOMEM.
 * The array must outlive it.
 */
int names_init(struct names *names, const void *array, size_t n, size_t stride);
void names_done(struct names *names);
__attribute__((unused)) static inline void names_cleanup(struct names *names)
{
	names_done(names);
}

uint32_t names_find(const struct names *names, const char *name); /* UINT32_MAX: none */

#endif
