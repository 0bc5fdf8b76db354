/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scene.h - a folder of policies that changes, and what was good in it before. */
#ifndef UIDWALL_TESTS_LIB_SCENE_H
#define UIDWALL_TESTS_LIB_SCENE_H

#include "policy/policy_set.h"

struct scene {
	char *folder;	      /* holds uidwall.json and policies/ */
	struct arena *memory; /* of last_good */
	struct last_good_set last_good;
	struct arena *arena; /* of set and diags, made anew by every scene_read() */
	struct policy_set set;
	struct diags diags;
};

struct scene *scene_new(void);
void scene_free(struct scene *scene); /* removes the folder */
DEFINE_CLEANUP(scene, struct scene *, scene_free)

/* A file in policies/; text NULL removes it. */
void scene_write(struct scene *scene, const char *file, const char *text);
void scene_write_bytes(struct scene *scene, const char *file, const char *bytes, size_t length);
const char *scene_path(struct scene *scene, const char *file); /* lives until the next read */
void scene_write_config(struct scene *scene, const char *text);

/* Reads all into scene->set; what policy_set_read() returned. */
int scene_read(struct scene *scene);

/* What is good now is what was good before from here on, as the daemon keeps it: services that are
 * last good stay so, those that are gone are forgotten.
 */
void scene_remember(struct scene *scene);

/* Both. Aborts where a policy is not good, with what is wrong with it. */
void scene_begin(struct scene *scene);

/* The ruleset as text; the caller frees it. */
char *scene_plan(const struct policy_set *set);

/* The part of a text that is the chain of that name, or NULL; the caller frees it. */
char *scene_chain(const char *text, const char *chain);

#endif
