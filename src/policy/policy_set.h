/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_set.h - all policies of a machine: read, checked against each other, made safe.
 *
 *     policy_set_read()    folder → files → policies and diags
 *     policy_set_check()   names → uids; claims against each other; what falls back to last good
 *
 * A mistake in one file never changes what any other service may do: the service keeps its last
 * good policy, or, if it never had one, is refused everything.
 */
#ifndef UIDWALL_POLICY_POLICY_SET_H
#define UIDWALL_POLICY_POLICY_SET_H

#include "policy/config.h"
#include "policy/identity.h"
#include "policy/policy.h"

enum policy_state {
	POLICY_GOOD,	  /* as the file says */
	POLICY_LAST_GOOD, /* the file is wrong: what it said before */
	POLICY_REFUSED,	  /* the file is wrong and never was right: everything is refused */
	POLICY_OFF,	  /* taken down on purpose: not governed */
};

struct service {
	struct policy *policy;	 /* what is in force; for POLICY_REFUSED only its subjects count */
	uint8_t state;		 /* enum policy_state */
	const char *problem;	 /* first error of its file, "blog.json:5:3: ...", or NULL */
};

struct policy_set {
	struct config config;
	struct service *services; /* sorted by name, without duplicates */
	size_t n_services;
};

/* A policy that was in force before, with the uids it had then. */
struct last_good {
	const char *service;
	const char *file;
	const char *text;
	size_t text_length;
	const struct subject *subjects;
	size_t n_subjects;
};

struct last_good_set {
	struct last_good *list; /* sorted by service */
	size_t n;
};

struct policy_set_options {
	const char *const *paths; /* files and folders of policies */
	size_t n_paths;
	const char *config_path;
	const char *resolv_conf;	/* NULL: /etc/resolv.conf */
	uid_t owner;			/* files may belong to root or to this user */
	const struct last_good_set *last_good; /* NULL: none; every bad file counts as never good */
};

/* Reads and checks. Mistakes in policies are diags, not failures: the result is always usable. It
 * fails (-errno) only where nothing can be said about any service: the folder or the config cannot
 * be read. Everything lives in the arena.
 */
int policy_set_read(const struct policy_set_options *options, struct arena *arena,
		    struct policy_set *ret_set, struct diags *diags);

/* The service of that name, or NULL. */
struct service *policy_set_find(const struct policy_set *set, const char *name);

/* The service that governs a uid, or NULL. */
const struct service *policy_set_find_uid(const struct policy_set *set, uint32_t uid);

#endif
