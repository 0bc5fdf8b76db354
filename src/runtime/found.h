/* SPDX-License-Identifier: GPL-2.0-or-later */
/* found.h - what a start finds in the kernel, held against what was left there. */
#ifndef UIDWALL_RUNTIME_FOUND_H
#define UIDWALL_RUNTIME_FOUND_H

#include "runtime/wall.h"

/* Writes down which table stands and, as that takes longer, what it holds, so that the next start
 * can tell whether others were at it. Where nothing stands there is nothing to tell.
 */
void found_leave(struct wall *wall, bool with_rules);

/* Before the first rules are put in force: where the kernel does not hold what was left there,
 * wall->taken says so, and the log. What these rules would be is needed for a comparison only.
 */
void found_look(struct wall *wall, const struct ir_ruleset *rules);

#endif
