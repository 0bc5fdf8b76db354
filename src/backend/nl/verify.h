/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.h - whether the kernel still holds exactly the ruleset that was put there. */
#ifndef UIDWALL_BACKEND_NL_VERIFY_H
#define UIDWALL_BACKEND_NL_VERIFY_H

#include "backend/nl/apply.h"
#include "backend/nl/socket.h"
#include "backend/nl/stmt.h"

/* 0: it does, or did a moment ago: see to it that the generation is still that of before. -ESTALE:
 * it does not. -EINTR: others commit so often that no dump could be finished. Else -errno.
 * Of -ESTALE ret_place, which may be NULL, says where it was seen first: "chain svc-blog",
 * printable.
 */
int nl_verify(struct nl_sock *sock, struct nl_exprs *exprs, const struct ir_ruleset *ruleset,
	      char ret_place[NL_PLACE_MAX]);

#endif
