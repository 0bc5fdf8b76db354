/* SPDX-License-Identifier: GPL-2.0-or-later */
/* whole.h - all that the table holds, replaced. */
#ifndef UIDWALL_BACKEND_NL_WHOLE_H
#define UIDWALL_BACKEND_NL_WHOLE_H

#include "backend/nl/turn.h"

/* The rest of a way round (nl_change_detour()): what is in force means the same already. */
void nl_finish_detour(struct nl_attempt *a, const struct ir_ruleset *detour,
		      const struct ir_ruleset *next);

/* Makes the kernel hold the ruleset, whatever it has under the name now; in IR_TABLE_NAME or, while
 * another process owns that, in NL_TABLE_STANDBY. On failure the kernel keeps what it had; -EPERM,
 * with outcome.holder: both are owned by others.
 */
int nl_apply_whole(struct nl_attempt *a, const struct ir_ruleset *next);

#endif
