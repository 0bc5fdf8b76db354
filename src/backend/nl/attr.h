/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr.h - attributes of dumped messages, held against those that we would send. */
#ifndef UIDWALL_BACKEND_NL_ATTR_H
#define UIDWALL_BACKEND_NL_ATTR_H

#include <linux/netlink.h>

#include "base/util.h"

/* The first attribute of that type among n bytes of attributes, or NULL. */
const struct nlattr *nl_attr_find(const struct nlattr *attrs, size_t n, uint16_t type);

/* The attributes of an nf_tables message. */
const struct nlattr *nl_message_attrs(const struct nlmsghdr *nlh, size_t *ret_n);

/* Whether `dumped` holds all that `ours` says, but for an attribute of type skip (0: none); lists
 * have to be of the same length. What the kernel adds (handles, counts, positions) is passed over.
 */
bool nl_message_covers(const struct nlmsghdr *dumped, const struct nlmsghdr *ours, uint16_t skip);
bool nl_attr_covers(const struct nlattr *dumped, const struct nlattr *ours); /* of nested ones */

/* The text of an attribute of that type where the message is about this table of the family inet,
 * else NULL.
 */
const char *nl_message_name(const struct nlmsghdr *nlh, const char *table, uint16_t type);

#endif
