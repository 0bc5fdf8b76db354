/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.h - the key tables → JSON Schema and the key reference of the manual. */
#ifndef UIDWALL_POLICY_SCHEMA_H
#define UIDWALL_POLICY_SCHEMA_H

#include "policy/keys.h"

extern const struct key_table config_keys; /* config.c; policy_keys is in parse.h */

/* The schema (draft 2020-12) of a file with these keys. */
void schema_write(const struct key_table *table, const char *title, FILE *out);

/* The keys as an mdoc list, for uidwall-policy(5). */
void schema_write_manual(const struct key_table *table, FILE *out);

#endif
