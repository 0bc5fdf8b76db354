/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set.h - sets, maps and their elements → messages of a batch. */
#ifndef UIDWALL_BACKEND_NL_SET_H
#define UIDWALL_BACKEND_NL_SET_H

#include "backend/nl/object.h"

void nl_add_set(const struct nl_writer *writer, uint32_t set);
void nl_flush_set(const struct nl_writer *writer, uint32_t set);
void nl_delete_set(const struct nl_writer *writer, uint32_t set);

/* Adds or deletes elements one by one; a message takes as many as fit. Of an interval set all
 * elements are added, in order, or none.
 */
struct nl_elements {
	const struct nl_writer *writer;
	uint32_t set;
	bool add;	      /* else they are deleted */
	struct nlmsghdr *nlh; /* NULL: no message under construction */
	struct nlattr *list;
};

void nl_elements_init(struct nl_elements *elements, const struct nl_writer *writer, uint32_t set,
		      bool add);
void nl_elements_put(struct nl_elements *elements, uint32_t element);
void nl_elements_end(struct nl_elements *elements);

void nl_fill_set(const struct nl_writer *writer, uint32_t set); /* adds all its elements */

/* Which of our key types the kernel's number stands for; IR_KEY_TYPE_COUNT: none. */
enum ir_key_type nl_key_type(uint32_t type);

/* The key as the kernel has it: of IR_KEY_MAX bytes. */
void nl_element_key(const struct ir_set *set, const uint8_t *key, uint8_t ret_key[IR_KEY_MAX]);

#endif
