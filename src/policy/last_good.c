/* SPDX-License-Identifier: GPL-2.0-or-later */
/* last_good.c - policies that were in force before: found for a file, and made policies again. */
#include "policy/last_good.h"

#include <errno.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/users.h"

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_file(const void *a, const void *b)
{
	return strcmp((*(const struct last_good *const *)a)->file,
		      (*(const struct last_good *const *)b)->file);
}

static int compare_service(const void *a, const void *b)
{
	return strcmp((*(const struct last_good *const *)a)->service,
		      (*(const struct last_good *const *)b)->service);
}

void last_good_index(const struct last_good_set *set, struct arena *arena,
		     struct last_good_index *ret_index)
{
	struct last_good_index index = { 0 };
	size_t max = set ? set->n : 0;

	index.by_file = arena_alloc(arena, max * sizeof(struct last_good *));
	index.by_service = arena_alloc(arena, max * sizeof(struct last_good *));
	for (size_t i = 0; i < max; i++)
		if (!set->list[i].is_refused) {
			index.by_file[index.n] = index.by_service[index.n] = &set->list[i];
			index.n++;
		}
	if (index.n) {
		qsort(index.by_file, index.n, sizeof(struct last_good *), compare_file);
		qsort(index.by_service, index.n, sizeof(struct last_good *), compare_service);
	}
	*ret_index = index;
}

/* By the file's name first: the service's name may be what the mistake is in. By the service's name
 * only where the file it was in is gone, or a file could take another service's policy for its own.
 */
const struct last_good *last_good_find(const struct last_good_index *index, const char *file,
				       const char *service, const char *const *files,
				       size_t n_files)
{
	struct last_good key = { .service = service, .file = file }, *p = &key;
	const struct last_good **found;

	if (!index->n)
		return NULL;
	found = bsearch(&p, index->by_file, index->n, sizeof(p), compare_file);
	if (found || !service)
		return found ? *found : NULL;
	found = bsearch(&p, index->by_service, index->n, sizeof(p), compare_service);
	if (!found || bsearch(&(*found)->file, files, n_files, sizeof(*files), compare_texts))
		return NULL;
	return *found;
}

/* Nothing to say about it: it was good then. */
int last_good_restore(const struct last_good *last, struct identity *identity, struct arena *arena,
		      const char *path, struct policy **ret_policy)
{
	AUTO(diags) struct diags silent;
	struct policy *policy = arena_alloc(arena, sizeof(*policy));
	struct source source = {
		.path = path,
		.file = arena_strdup(arena, last->file),
		.text = arena_strndup(arena, last->text, last->text_length),
		.length = last->text_length,
	};
	int r;

	diags_init(&silent);
	r = policy_parse(&source, arena, policy, &silent);
	if (last->is_refused)
		r = -EINVAL;
	policy->service = arena_strdup(arena, last->service);
	policy->subjects = NULL;
	policy->n_subjects = 0;
	for (size_t i = 0; i < last->n_subjects; i++) {
		struct subject *s = ARENA_APPEND(arena, policy->subjects, policy->n_subjects);

		*s = last->subjects[i];
		s->place = policy->place;
	}
	users_resolve_from(policy, identity, false, &silent);
	*ret_policy = policy;
	return r;
}
