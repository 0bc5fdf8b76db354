/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - what the daemon remembers in its state folder: policies that were in force, what was
 * switched off on purpose, and a change that waits to be confirmed.
 */
#ifndef UIDWALL_RUNTIME_STATE_H
#define UIDWALL_RUNTIME_STATE_H

#include "policy/policy_set.h"

/* The policies in force: of a service whose file is wrong the last good one, of one whose file
 * never was right the uids that are refused everything. With the time at which each one's text came
 * into force.
 */
struct memory {
	struct last_good_set set; /* sorted by service */
	int64_t *since;		  /* of each entry, seconds since 1970 */
	int64_t applied;	  /* when all of it together came into force; 0: not known */
	uint64_t checksum;	  /* the same for the same policies, uids, configuration, times */
};

/* The entry of a service, or NULL; *ret_since may be NULL. */
const struct last_good *memory_find(const struct memory *memory, const char *service,
				    int64_t *ret_since);

/* To be called once all else is set; what is read from a file has its checksum. */
void memory_seal(struct memory *memory);

/* Reads FOLDER/last-good into the arena. -ENOENT where there is none; another -errno, with diags,
 * for one that is not to be trusted: torn, edited, or writable for others. ret_checksum is for
 * state_save_memory().
 */
int state_load_memory(const char *folder, struct arena *arena, struct memory *ret_memory,
		      uint64_t *ret_checksum, struct diags *diags);

/* Replaces FOLDER/last-good, unless *checksum says that it already holds just this. On failure
 * *checksum is 0: nobody knows.
 */
int state_save_memory(const char *folder, const struct memory *memory, uint64_t *checksum,
		      struct diags *diags);

/* FOLDER/previous: what was in force before the last change, for going back. saved_checksum is that
 * of FOLDER/last-good. -errno where it cannot be written, without diags: it is then as it was.
 */
int state_save_previous(const char *folder, const struct memory *memory, uint64_t saved_checksum);
/* As state_load_memory(). */
int state_load_previous(const char *folder, struct arena *arena, struct memory *ret_memory,
			struct diags *diags);
int state_remove_previous(const char *folder);

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

/* A change that goes back unless somebody confirms it, or that went back. */
enum trial_state {
	TRIAL_NONE,	   /* what the files said at the last reload is in force */
	TRIAL_WAITING,	   /* what was in force before comes back at the deadline */
	TRIAL_ROLLED_BACK, /* policies from before, until somebody applies the files again */
};

enum trial_reason { TRIAL_ASKED, TRIAL_TIME_OVER, TRIAL_REBOOTED };

const char *trial_reason_name(enum trial_reason reason); /* "asked", "time", "reboot" */

enum { TRIAL_SECONDS_MAX = 24 * 60 * 60 };

struct trial {
	enum trial_state state;
	int64_t since;		  /* it came into force, or went back; seconds since 1970 */
	int64_t seconds;	  /* waiting: how long in all */
	int64_t deadline_ms;	  /* waiting: as boot_now_ms() */
	bool is_of_this_boot;	  /* waiting */
	uint64_t checksum;	  /* waiting: of what comes back, as in struct memory */
	enum trial_reason reason; /* rolled back */
};

/* How long until it goes back: 0 or less when it should have. */
int64_t trial_left_ms(const struct trial *trial);

/* Reads FOLDER/trial. Nothing waits where there is none or it cannot be trusted (then -errno with
 * diags).
 */
int state_load_trial(const char *folder, struct trial *ret_trial, struct diags *diags);
/* Lasting once it returns 0; on -errno, without diags, it may or may not have been written. */
int state_save_trial(const char *folder, const struct trial *trial);

/* Why a file was not read, in words. */
const char *state_why_not(int r);

/* FNV-1a, 64 bits. */
uint64_t state_checksum(const char *bytes, size_t n);

#endif
