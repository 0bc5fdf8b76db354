/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_set.h - all policies of a machine: read, checked against each other, made safe.
 *
 * A mistake in one file never changes what any other service may do: the service keeps its last
 * good policy, or, if it never had one, is refused everything.
 */
#ifndef UIDWALL_POLICY_POLICY_SET_H
#define UIDWALL_POLICY_POLICY_SET_H

#include "policy/config.h"
#include "policy/identity.h"
#include "policy/nss.h"
#include "policy/policy.h"

enum policy_state {
	POLICY_GOOD,	  /* as the file says; after going back, as it said */
	POLICY_LAST_GOOD, /* the file is wrong: what it said before */
	POLICY_REFUSED,	  /* the file is wrong and never was right: everything is refused */
	POLICY_OFF,	  /* taken down on purpose: not governed */
};

const char *policy_state_name(enum policy_state state); /* "good", "last-good", ... */

struct service {
	struct policy *policy; /* what is in force; for POLICY_REFUSED only its subjects count */
	uint8_t state;	       /* enum policy_state */
	const char *problem;   /* "blog.json:5:3: error: ...", or NULL */
};

enum { NO_SERVICE = UINT32_MAX };

/* Whose uids these are. */
struct uid_owner {
	struct number_range uids;
	uint32_t service;   /* index; NO_SERVICE: two services share them, everything is refused */
	struct place place; /* the claim, or the line of /etc/subuid */
	bool is_subuid;
};

/* A control group that a policy's unit has right now. */
struct unit_group {
	uint64_t id;	      /* what the kernel compares: the number of its folder's inode */
	uint8_t level;	      /* folders between it and the root of cgroup2; 1: directly below */
	uint32_t service;     /* index; NO_SERVICE: two services name it, everything is refused */
	const char *path;     /* below the mount, "system.slice/blog.service" */
	const char *nft_path; /* as nft takes it: below /sys/fs/cgroup */
	bool is_gone;	      /* removed: what its processes left behind is still governed */
};

struct policy_set {
	struct config config;
	struct service *services; /* sorted by name, without duplicates */
	size_t n_services;
	struct uid_owner *named; /* single uids, sorted; these win ... */
	size_t n_named;
	struct uid_owner *ranges; /* ... over these; sorted, disjoint */
	size_t n_ranges;
	struct unit_group *groups; /* sorted by id; units.h */
	size_t n_groups;
	const struct nss_question *unknown; /* names that the name service did not know */
	size_t n_unknown;
	int unread; /* -errno: accounts or resolvers could not be read; what is known goes without
		     */
	bool lacks_nat;	    /* the kernel cannot lead connections to the proxy */
	bool keeps_options; /* the kernel cannot strip TCP options: before Linux 5.18 */
};

/* A policy that was in force before, with the uids it had then. */
struct last_good {
	const char *service;
	const char *file;
	const char *text;
	size_t text_length;
	const struct subject *subjects; /* place counts for nothing */
	size_t n_subjects;
	bool is_refused; /* its file never was right: only the subjects count, and a unit in the
			    text */
};

struct last_good_set {
	struct last_good *list; /* in any order */
	size_t n;
	const char *config_text; /* NULL: there was no file */
	size_t config_length;
};

struct policy_set_options {
	const char *const *paths; /* files and folders of policies */
	size_t n_paths;
	const char *config_path;
	const char *resolv_conf;	       /* NULL: /etc/resolv.conf */
	uid_t owner;			       /* files may belong to root or to this user */
	const struct last_good_set *last_good; /* NULL: none; every bad file counts as never good */
};

/* Reads and checks. Mistakes in policies are diags, not failures: the result is always usable. It
 * fails (-errno) only where nothing can be said about any service: a folder or the configuration
 * cannot be read. Everything lives in the arena.
 */
int policy_set_read(const struct policy_set_options *options, struct arena *arena,
		    struct policy_set *ret_set, struct diags *diags);

/* Only what was in force before, for when policy_set_read() fails or its files are not wanted. What
 * the machine says of itself may be missing: set.unread.
 */
int policy_set_from_last_good(const struct policy_set_options *options, struct arena *arena,
			      struct policy_set *ret_set, struct diags *diags);

/* The service of that name, or NULL. */
struct service *policy_set_find(const struct policy_set *set, const char *name);

/* Whose a uid is, or NULL. */
const struct uid_owner *policy_set_find_owner(const struct policy_set *set, uint32_t uid);

/* The user's name at the place of a claim, or NULL: a number, a group or a range stands there. */
const char *policy_claimed_name(const struct policy *policy, struct place place);

/* The service that governs a uid, or NULL. One that two services share is governed by neither. */
struct service *policy_set_find_uid(const struct policy_set *set, uint32_t uid);

#endif
