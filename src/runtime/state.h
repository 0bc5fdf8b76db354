/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - what the daemon remembers in its state folder: policies that were in force, and what
 * was switched off on purpose.
 */
#ifndef UIDWALL_RUNTIME_STATE_H
#define UIDWALL_RUNTIME_STATE_H

#include "policy/policy_set.h"

/* The last good policy of each service, with the time at which its text came into force. */
struct memory {
	struct last_good_set set; /* sorted by service */
	int64_t *since;		  /* of each entry, seconds since 1970 */
};

/* The entry of a service, or NULL; *ret_since may be NULL. */
const struct last_good *memory_find(const struct memory *memory, const char *service,
				    int64_t *ret_since);

/* Reads FOLDER/last-good into the arena. -ENOENT where there is none; another -errno, with diags,
 * for one that is not to be trusted: torn, edited, or writable for others. ret_checksum is for
 * state_save_memory().
 */
int state_load_memory(const char *folder, struct arena *arena, struct memory *ret_memory,
		      uint64_t *ret_checksum, struct diags *diags);

/* Replaces FOLDER/last-good, unless *checksum says that it already holds just this. */
int state_save_memory(const char *folder, const struct memory *memory, uint64_t *checksum,
		      struct diags *diags);

/* What `uidwall off` took down. It holds until the machine is booted anew. */
struct switches {
	bool all_off;
	char **services; /* sorted; malloc'd */
	size_t n_services;
};

void switches_done(struct switches *switches);
__attribute__((unused)) static inline void switches_cleanup(struct switches *switches)
{
	switches_done(switches);
}
int switches_copy(const struct switches *from, struct switches *ret_to);
bool switches_has(const struct switches *switches, const char *service);
int switches_add(struct switches *switches, const char *service);
void switches_remove(struct switches *switches, const char *service);

/* Reads FOLDER/off. Nothing is off where there is none, it is of another boot, or cannot be trusted
 * (then with diags).
 */
int state_load_switches(const char *folder, struct switches *ret_switches, struct diags *diags);
int state_save_switches(const char *folder, const struct switches *switches, struct diags *diags);

#endif
