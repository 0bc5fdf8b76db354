/* SPDX-License-Identifier: GPL-2.0-or-later */
/* culprit.h - a pid → who that is, in words for somebody woken at night. */
#ifndef UIDWALL_RUNTIME_CULPRIT_H
#define UIDWALL_RUNTIME_CULPRIT_H

#include "base/util.h"

/* nft (pid 4711: "nft flush ruleset", nftables.service)
 *
 * name: what the kernel says the process is called; NULL where only the pid is known. What else can
 * be had of it is gone with the process, and is not believed unless its name is the same. malloc'd;
 * printable.
 */
char *culprit_words(uint32_t pid, const char *name);

/* The same of whoever has a netlink socket of that port: the kernel gives the first one of a
 * process the number of its pid, so this is a guess, and says so.
 */
char *culprit_of_port(uint32_t port);

/* Whether the process of that port is of the same name as the caller, but another one. */
bool culprit_is_kin(uint32_t port);

#endif
