/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.h - systemd units and paths → the control groups that they have right now.
 *
 * A unit's group is made when it starts and removed when it stops, and the number that the kernel
 * compares is never used again: whoever governs a unit has to look again and again.
 */
#ifndef UIDWALL_POLICY_UNITS_H
#define UIDWALL_POLICY_UNITS_H

#include "policy/claims.h"

/* The level of the group that systemd gives a unit where its file does not say otherwise
 * (systemd.slice(5)), or of a path; from 1.
 */
unsigned units_level(const char *unit);

/* Whether `name`, a folder's, is that of the unit or of an instance of the template. */
bool units_match(const char *unit, const char *name);

/* Candidates that name one unit, in the same words, fall back to what they were before; see
 * claims_settle().
 */
bool units_settle(struct candidate *candidates, size_t n,
		  void (*demote)(struct candidate *candidate, void *data), void *data,
		  struct diags *diags);

/* Called for each folder in which groups come and go that matter, before it is read. */
typedef void (*units_visit_fn)(const char *folder, void *data);

/* Fills in set->groups with what there is of the units that its services name; lives in the arena.
 * Missing ones are no error; diags hear of a machine without cgroup2. visit may be NULL.
 */
void units_find(struct policy_set *set, struct arena *arena, units_visit_fn visit, void *data,
		struct diags *diags);

#endif
