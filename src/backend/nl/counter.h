/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counter.h - the values of named counters. */
#ifndef UIDWALL_BACKEND_NL_COUNTER_H
#define UIDWALL_BACKEND_NL_COUNTER_H

#include "backend/nl/apply.h"
#include "backend/nl/socket.h"

/* As nl_table_read_counters(), without the message. -ENOENT is no error: all are 0. */
int nl_read_counters(struct nl_sock *sock, const struct ir_ruleset *ruleset,
		     struct nl_counter_value **ret_values);
int nl_read_counter(struct nl_sock *sock, const char *name, struct nl_counter_value *ret_value);

#endif
