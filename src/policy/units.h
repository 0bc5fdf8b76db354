/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.h - systemd units and paths → the control groups that they have right now.
 *
 * A unit's group is made when it starts and removed when it stops, and the number that the kernel
 * compares is never used again: whoever governs a unit has to look again and again.
 */
#ifndef UIDWALL_POLICY_UNITS_H
#define UIDWALL_POLICY_UNITS_H

#include "policy/cgroup_mount.h"
#include "policy/claims.h"

/* The level of the group that systemd gives a unit where its file does not say otherwise
 * (systemd.slice(5)), or of a path; from 1.
 */
unsigned units_level(const char *unit);

/* Candidates that name one unit, in the same words, fall back to what they were before; see
 * claims_settle().
 */
bool units_settle(struct candidate *candidates, size_t n,
		  void (*demote)(struct candidate *candidate, void *data), void *data,
		  struct diags *diags);

/* Called for each folder in which groups come and go that matter, before it is read. level: of the
 * entries that may be units; 0: the folder is only on the way of a path, too.
 */
typedef void (*units_visit_fn)(const char *folder, unsigned level, void *data);

/* What the units of a set are called, sorted: for those who are told of each folder that is made.
 */
struct units_name {
	const char *unit;
	uint32_t service;
};
struct units_names {
	struct units_name *names; /* of units ... */
	size_t n_names;
	const char **ways; /* ... and of each folder on the ways of paths */
	size_t n_ways;
	struct cgroup_mount mount; /* looked for only where there is a unit */
};
/* Lives in the arena, and refers to the set's policies. */
void units_read_names(const struct policy_set *set, struct arena *arena,
		      struct units_names *ret_names);

/* Whether an entry of that name in a folder that was visited is a unit's, or on the way to one. */
bool units_matter(const struct units_names *names, const char *name);

/* The group of a unit that has just started, from an entry of a folder that was visited; lives in
 * the arena. False where that is not all there is to see (a slice, a path): look at everything.
 */
bool units_find_started(const struct units_names *names, const char *folder, unsigned level,
			const char *name, struct arena *arena, struct unit_group *ret_group);

/* Fills in set->groups with what there is of the units that its services name; lives in the arena.
 * Missing ones are no error; diags hear of a machine without cgroup2. visit may be NULL.
 */
void units_find(struct policy_set *set, struct arena *arena, units_visit_fn visit, void *data,
		struct diags *diags);

#endif
