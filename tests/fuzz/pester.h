/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pester.h - what is sent to the control socket, and how. */
#ifndef UIDWALL_TESTS_FUZZ_PESTER_H
#define UIDWALL_TESTS_FUZZ_PESTER_H

#include "lib/random_policies.h"

enum { PESTER_BYTES_MAX = 128 * 1024 };

/* Bytes for one connection, header and all. */
struct pester_input {
	char bytes[PESTER_BYTES_MAX];
	size_t n;
	bool is_whole; /* the header says how much follows, and that much does: there is an answer
			*/
};

/* may_change: calls that change what is in force are among them. */
void pester_make(struct random *random, bool may_change, struct pester_input *ret_input);

#endif
