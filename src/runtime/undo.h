/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.h - the way back: a change that waits to be confirmed, and going back to what was in force
 * before. docs/decisions/confirm.md has the order of what is written, and why.
 */
#ifndef UIDWALL_RUNTIME_UNDO_H
#define UIDWALL_RUNTIME_UNDO_H

#include "runtime/wall.h"

/* --- for a start */

/* What the start is to begin from in place of the files: the policies that come back, or NULL.
 * `saved` is what FOLDER/last-good holds, NULL where it cannot be read. Lives in the arena, or as
 * long as the change waits.
 */
const struct memory *undo_start(struct wall *wall, const struct memory *saved, struct arena *arena);
/* With what came of beginning from it; returns r. */
int undo_started(struct wall *wall, int r);
void undo_done(struct wall *wall);

/* --- for a reload, in this order */

/* Before the kernel hears of it: keeps what is in force, to go back to. With confirm_s the way back
 * is promised; -errno, with wall->last->error, where that cannot be.
 */
int undo_prepare(struct wall *wall, const struct memory *next, int64_t confirm_s);
/* The kernel refused it: all is as it was. */
void undo_withdraw(struct wall *wall, const struct trial *before);
/* It is in force. */
void undo_settle(struct wall *wall);
/* Says in the log what waits, or that something went back. */
void undo_log(const struct wall *wall);

/* --- for calls; errors are lines in the arena */

/* -EBUSY: a change waits, and this one does not say what becomes of it. */
int undo_check_apply(const struct wall *wall, int64_t confirm_s, struct arena *arena,
		     const char **ret_error);
/* What waits stays. -ENOENT where nothing does. */
int undo_confirm(struct wall *wall, struct arena *arena, const char **ret_error);
/* Goes back now, to before what waits or else to before the last change; wall->last says what came
 * of it; explain as in wall_reload(). -ENOENT where there is nothing to go back to.
 */
int undo_roll_back(struct wall *wall, struct writer *explain, struct arena *arena,
		   const char **ret_error);

/* --- for the event loop */

/* When undo_expire() is to be called, as boot_now_ms(); 0: never. */
int64_t undo_next_ms(const struct wall *wall);
void undo_expire(struct wall *wall);

#endif
