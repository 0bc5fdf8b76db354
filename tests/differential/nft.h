/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.h - network namespaces of a test's own, each with an nft in it. */
#ifndef UIDWALL_TESTS_NFT_H
#define UIDWALL_TESTS_NFT_H

#include "base/util.h"

/* Says why tests against the kernel cannot run here, or NULL. */
const char *space_unavailable(void);

struct space;

struct space *space_new(void);	      /* made and entered; aborts where that fails */
struct space *space_here(void);	      /* of the namespace that we are in */
void space_free(struct space *space); /* with it goes the namespace, once nobody is in it */
void space_enter(const struct space *space);

/* Runs nft commands there. 0, or -EINVAL with nft's errors on stderr. */
int space_run(struct space *space, const char *commands);
int space_run_quietly(struct space *space, const char *commands);

/* "nft list table inet uidwall", without table flags and owner; malloc'd, "" where there is none.
 */
char *space_list(struct space *space);

/* What nft would send for the commands, as "nft --debug=netlink -c" shows it; malloc'd. */
char *space_bytecode(struct space *space, const char *commands);

/* The listing's blocks (counters, sets, chains) in the order of their text; malloc'd. */
char *listing_sorted(const char *listing);

#endif
