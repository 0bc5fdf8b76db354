/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.h - objects are parsed from tables of their keys.
 *
 * Unknown and missing keys, "did you mean", the JSON Schema and the key reference of the manual all
 * come from the same rows.
 */
#ifndef UIDWALL_POLICY_KEYS_H
#define UIDWALL_POLICY_KEYS_H

#include "policy/source.h"

struct key_table;

/* What a value may be. Exactly one of parse and object is set. */
struct value_type {
	const char *expected; /* "a port number from 1 to 65535" */
	/* void *: every parser fits the table; it points at the member of the row's offset */
	int (*parse)(struct cursor at, void *ret, struct diags *diags);
	const char *schema;		/* JSON Schema, with ' for " */
	const struct key_table *object; /* of the object, or of the objects in the list */
};

enum key_flags {
	KEY_OPTIONAL = 0,
	KEY_REQUIRED = 1,
	KEY_IGNORED = 2,   /* allowed, has no effect */
	KEY_NO_PLACE = -1, /* as place_offset */
};

struct key {
	const char *name;
	int flags;
	const struct value_type *type;
	size_t offset;	  /* of the member in the struct */
	int place_offset; /* of the struct place that learns where the value stands, or KEY_NO_PLACE
			   */
	const char *fallback; /* the default, for the manual */
	const char *help;     /* one line for the manual and the schema */
};

struct key_table {
	const char *name; /* "a policy" */
	const struct key *keys;
	size_t n_keys;
	const char
		*schema_extra; /* further members of the object's schema, with ' for "; or NULL */
};

/* Fills the struct that ret points at. Reports every mistake, then returns -EINVAL. */
int keys_parse(const struct key_table *table, struct cursor at, void *ret, struct diags *diags);

/* Whether an object has the key, or one that was probably meant to be it: then "unknown key" has
 * been said and "missing key" would say it twice.
 */
bool keys_mention(const struct key_table *table, struct cursor at, const char *key);

/* A member of an object, or a cursor with value NULL. */
struct cursor keys_find(struct cursor at, const char *key);

#endif
