/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_set.c - folders of files → the services in force.
 *
 * A file with a mistake becomes what its service was before, or a service that is refused
 * everything; whose sockets that is about is kept even of a file that is no JSON.
 */
#include "policy/policy_set.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "policy/absent.h"
#include "policy/advice.h"
#include "policy/claims.h"
#include "policy/folder.h"
#include "policy/last_good.h"
#include "policy/parse.h"
#include "policy/units.h"
#include "policy/users.h"

enum {
	MISTAKES_PER_FILE_MAX = 50,
	READ_TRIES = 5,	    /* of a folder that changes meanwhile ... */
	READ_PAUSE_MS = 20, /* ... doubled each time */
};

const char *policy_state_name(enum policy_state state)
{
	static const char *const names[] = { "good", "last-good", "refused", "off" };

	return names[state];
}

/* --- reading ---------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct reader {
	const struct policy_set_options *options;
	struct arena *arena;
	struct identity *identity;
	struct candidate *candidates;
	size_t n;
	struct last_good_index last_good;
	const char **files; /* the names of all files without their folders, sorted */
	size_t n_files;
	unsigned n_unnamed;
	bool is_stale; /* a file was not the one that had been listed */
	int shortage;  /* -errno: a file could not be read, and that was not the file's fault */
	struct diags *diags;
};

static void index_files(struct reader *reader, const struct path_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *path = list->files[i].path, *slash = strrchr(path, '/');

		*ARENA_APPEND(reader->arena, reader->files, reader->n_files) =
			slash ? slash + 1 : path;
	}
	if (reader->n_files)
		qsort(reader->files, reader->n_files, sizeof(*reader->files), compare_texts);
}

/* Of a file that never was good, all that counts is whom to refuse. */
static void refuse(struct reader *reader, struct candidate *candidate)
{
	AUTO(diags) struct diags silent;
	struct policy *policy = candidate->policy;
	uint32_t uid;

	diags_init(&silent);
	candidate->state = POLICY_REFUSED;
	claims_resolve(policy, reader->identity, reader->arena, false, &silent);
	/* Not even that can be read: services are commonly named like their user. */
	if (!policy->n_claims && policy->service &&
	    identity_find_user(reader->identity, policy->service, &uid) == 0 && uid != 0)
		*ARENA_APPEND(reader->arena, policy->subjects, policy->n_subjects) =
			(struct subject){ .uids = { uid, uid },
					  .is_named = true,
					  .place = policy->place };
}

static void demote(struct candidate *candidate, void *data)
{
	struct reader *reader = data;

	if (candidate->state != POLICY_GOOD)
		return;
	if (candidate->last_good) {
		struct policy *restored;
		int r = last_good_restore(candidate->last_good, reader->identity, reader->arena,
					  candidate->policy->path, &restored);

		candidate->policy = restored;
		candidate->state = r < 0 ? POLICY_REFUSED : POLICY_LAST_GOOD;
		return;
	}
	refuse(reader, candidate);
}

/* Says no more than a bounded number of things about one file, until release_messages(). */
static void bound_messages(struct diags *diags)
{
	diags->bound = diags->n + MISTAKES_PER_FILE_MAX;
	diags->n_hidden = 0;
}

static void release_messages(struct diags *diags, const char *path)
{
	diags->bound = 0;
	if (diags->n_hidden)
		diag_add(diags, DIAG_NOTE, (struct place){ .file = path },
			 "%zu more messages about this file are not shown", diags->n_hidden);
}

/* Fills in what can be known of a file; -errno where it has a mistake. */
static int read_policy(struct reader *reader, const struct listed_file *file, struct policy *policy)
{
	const char *path = file->path;
	struct source source;
	int r = source_read(path, reader->options->owner, POLICY_FILE_MAX, reader->arena, &source,
			    reader->diags);

	if (r < 0) {
		AUTO(diags) struct diags silent;
		const char *slash = strrchr(path, '/');

		diags_init(&silent);
		source = (struct source){ .path = path,
					  .file = slash ? slash + 1 : path,
					  .text = "" };
		policy_parse(&source, reader->arena, policy, &silent);
		return r;
	}
	if (file->inode && (source.device != file->device || source.inode != file->inode))
		reader->is_stale = true;
	r = policy_parse(&source, reader->arena, policy, reader->diags);
	if (claims_resolve(policy, reader->identity, reader->arena, true, reader->diags) < 0)
		r = -EINVAL;
	if (users_resolve_from(policy, reader->identity, true, reader->diags) < 0)
		r = -EINVAL;
	return r;
}

/* What fails now and not in a moment: no reason to take a file for wrong. */
static bool is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -EINTR ||
	       r == -EAGAIN;
}

static void read_file(struct reader *reader, const struct listed_file *file)
{
	const char *path = file->path;
	struct policy *policy = arena_alloc(reader->arena, sizeof(*policy));
	struct candidate candidate = { .policy = policy, .state = POLICY_GOOD };
	size_t before = reader->diags->n;
	struct stat st;
	int r;

	bound_messages(reader->diags);
	r = read_policy(reader, file, policy);
	/* Removed between the listing and now, or in another folder by now. */
	if (r == -ENOENT && lstat(path, &st) < 0 && errno == ENOENT) {
		reader->is_stale = true;
		reader->diags->n = before;
		reader->diags->n_errors--;
		reader->diags->bound = 0;
		return;
	}
	release_messages(reader->diags, path);
	if (is_shortage(r))
		reader->shortage = r;
	candidate.last_good = last_good_find(&reader->last_good, policy->file, policy->service,
					     reader->files, reader->n_files);
	if (r < 0)
		demote(&candidate, reader);
	else if (candidate.last_good)
		absent_keep(policy, candidate.last_good, reader->identity, reader->arena,
			    reader->diags);
	*ARENA_APPEND(reader->arena, reader->candidates, reader->n) = candidate;
}

/* --- names ------------------------------------------------------------------------------------ */

/* The names of the services that have a policy to live by, sorted. */
static const char **list_names(const struct reader *reader, size_t *ret_n)
{
	const char **names = NULL;
	size_t n = 0;

	for (size_t i = 0; i < reader->n; i++)
		if (reader->candidates[i].state != POLICY_REFUSED)
			*ARENA_APPEND(reader->arena, names, n) =
				reader->candidates[i].policy->service;
	if (n)
		qsort(names, n, sizeof(*names), compare_texts);
	*ret_n = n;
	return names;
}

/* A file whose name is no service's name has none; rules need one all the same. Nor may a file with
 * mistakes cost another service its policy by being named like it.
 */
static void name_unnamed(struct reader *reader)
{
	size_t n;
	const char **names = list_names(reader, &n);

	for (size_t i = 0; i < reader->n; i++) {
		struct candidate *c = &reader->candidates[i];
		const char *name = c->policy->service;

		while (c->state == POLICY_REFUSED &&
		       (!name || (n && bsearch(&name, names, n, sizeof(*names), compare_texts))))
			name = arena_printf(reader->arena, "unnamed_policy_file_%u",
					    ++reader->n_unnamed);
		c->policy->service = name;
	}
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int r = strcmp(x->policy->service, y->policy->service);

	return r ? r : strcmp(x->policy->path, y->policy->path);
}

static void report_same_name(const struct policy *mine, const struct policy *other,
			     struct diags *diags)
{
	diag_add_in(diags, DIAG_ERROR, mine->place, mine->text, mine->text_length,
		    "two policies for service \"%s\": the other one is %s; expected one file a "
		    "service",
		    mine->service, other->path);
}

static bool same_service(const struct candidate *a, const struct candidate *b)
{
	return strcmp(a->policy->service, b->policy->service) == 0;
}

/* Says what is wrong with several files for one service and makes each what it was before. Files
 * that were good before may be another service then. False: there was nothing to do.
 */
static bool demote_same_names(struct reader *reader, struct candidate *group, size_t n)
{
	bool any_good = false;

	for (size_t i = 0; i < n; i++)
		any_good = any_good || group[i].state == POLICY_GOOD;
	if (n < 2 || !any_good)
		return false;
	for (size_t i = 1; i < n; i++) {
		report_same_name(group[0].policy, group[i].policy, reader->diags);
		report_same_name(group[i].policy, group[0].policy, reader->diags);
	}
	for (size_t i = 0; i < n; i++)
		demote(&group[i], reader);
	return true;
}

/* Several that were one service before are that one; those that are refused are refused together.
 */
static void join_same_names(struct reader *reader)
{
	size_t kept = 0;

	for (size_t i = 0; i < reader->n; i++) {
		struct candidate *next = &reader->candidates[i];
		struct candidate *first = kept ? &reader->candidates[kept - 1] : NULL;

		if (!first || !same_service(first, next)) {
			reader->candidates[kept++] = *next;
			continue;
		}
		if (first->state != POLICY_REFUSED)
			continue;
		for (size_t j = 0; j < next->policy->n_subjects; j++)
			*ARENA_APPEND(reader->arena, first->policy->subjects,
				      first->policy->n_subjects) = next->policy->subjects[j];
		claims_sort_subjects(first->policy);
	}
	reader->n = kept;
}

/* Two files for one service are both mistaken: the service stays what it was. */
static void merge_same_names(struct reader *reader)
{
	bool again = reader->n > 0;

	while (again) {
		name_unnamed(reader);
		qsort(reader->candidates, reader->n, sizeof(*reader->candidates),
		      compare_candidates);
		again = false;
		for (size_t first = 0, i = 1; i <= reader->n; i++) {
			if (i < reader->n &&
			    same_service(&reader->candidates[first], &reader->candidates[i]))
				continue;
			if (demote_same_names(reader, &reader->candidates[first], i - first))
				again = true;
			first = i;
		}
	}
	join_same_names(reader);
}

/* A service has one file, and a uid and a unit one service. */
static void settle(struct reader *reader)
{
	bool again = true;

	while (again) {
		merge_same_names(reader);
		again = claims_settle(reader->candidates, reader->n, reader->identity,
				      reader->arena, demote, reader, reader->diags);
		again |= units_settle(reader->candidates, reader->n, demote, reader, reader->diags);
	}
	claims_yield(reader->candidates, reader->n, reader->arena);
}

/* --- problems --------------------------------------------------------------------------------- */

static int compare_diags(const void *a, const void *b)
{
	const struct diag *x = *(const struct diag *const *)a, *y = *(const struct diag *const *)b;
	int r = strcmp(x->place.file, y->place.file);

	return r ? r : x < y ? -1 : x > y;
}

/* Hands each service the first error of its file. */
static void find_problems(struct policy_set *set, const struct diags *diags, struct arena *arena)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const struct diag **errors = NULL;
	size_t n = 0;

	for (size_t i = 0; i < diags->n; i++)
		if (diags->list[i].severity == DIAG_ERROR && diags->list[i].place.file)
			*ARENA_APPEND(scratch, errors, n) = &diags->list[i];
	if (n)
		qsort(errors, n, sizeof(struct diag *), compare_diags);
	for (size_t i = 0; i < set->n_services; i++) {
		struct service *service = &set->services[i];
		const char *path = service->policy->path;
		size_t low = 0, high = n;

		if (service->state == POLICY_GOOD)
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;

			if (strcmp(errors[middle]->place.file, path) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == n || strcmp(errors[low]->place.file, path) != 0)
			continue;
		if (errors[low]->place.line)
			service->problem = arena_printf(
				arena, "%s:%u:%u: error: %s", path, errors[low]->place.line,
				errors[low]->place.column, errors[low]->message);
		else
			service->problem =
				arena_printf(arena, "%s: error: %s", path, errors[low]->message);
	}
}

/* --- the set ---------------------------------------------------------------------------------- */

static void finish_set(struct reader *reader, struct policy_set *set)
{
	set->services = arena_alloc(reader->arena, reader->n * sizeof(*set->services));
	set->n_services = reader->n;
	for (size_t i = 0; i < reader->n; i++)
		set->services[i] = (struct service){ .policy = reader->candidates[i].policy,
						     .state = reader->candidates[i].state };
	set->n_unknown = identity_unknown(reader->identity, &set->unknown);
	claims_index(set, reader->identity, reader->arena, reader->diags);
	units_find(set, reader->arena, NULL, NULL, reader->diags);
	advice_give(set, reader->identity, reader->diags);
	find_problems(set, reader->diags, reader->arena);
}

static void report_unheard(const struct reader *reader)
{
	int r = identity_unheard(reader->identity);

	if (r < 0)
		diag_add(reader->diags, DIAG_WARNING, (struct place){ 0 },
			 "the name service does not answer (%s): who is not in /etc/passwd or "
			 "/etc/group is unknown for now, and stays as it was",
			 strerror(-r));
}

/* Files of which `list` were the names. -ESTALE: by now the names are others. */
static int read_listed(struct reader *reader, const struct path_list *list, struct policy_set *set)
{
	const struct policy_set_options *options = reader->options;
	struct path_list again = { 0 };
	AUTO(diags) struct diags silent;

	diags_init(&silent);
	last_good_index(options->last_good, reader->arena, &reader->last_good);
	index_files(reader, list);
	for (size_t i = 0; i < list->n; i++)
		read_file(reader, &list->files[i]);
	if (reader->is_stale ||
	    folder_list(options->paths, options->n_paths, options->owner, reader->arena, &again,
			&silent) < 0 ||
	    !path_list_same(list, &again))
		return -ESTALE;
	report_unheard(reader);
	settle(reader);
	if (reader->shortage < 0)
		return reader->shortage;
	finish_set(reader, set);
	return 0;
}

static int read_once(const struct policy_set_options *options, struct arena *arena,
		     struct policy_set *ret_set, struct diags *diags)
{
	struct reader reader = { .options = options, .arena = arena, .diags = diags };
	struct path_list list = { 0 };
	struct policy_set set = { 0 };
	int r = config_read(options->config_path, options->owner, options->resolv_conf, arena,
			    &set.config, diags);
	int r_list =
		folder_list(options->paths, options->n_paths, options->owner, arena, &list, diags);
	int r_identity, r_files;

	if (r_list < 0)
		return r < 0 ? r : r_list;
	r_identity = identity_read(arena, &reader.identity, diags);
	if (r == 0)
		users_resolve_admins(&set.config, reader.identity, diags);
	users_resolve_proxy(&set.config, reader.identity);
	/* Whatever is wrong so far, the mistakes of the policies are told as well. */
	r_files = read_listed(&reader, &list, &set);
	if (r_files == -ESTALE || r == 0)
		r = r_files;
	if (r == 0)
		r = r_identity;
	if (r == 0)
		*ret_set = set;
	return r;
}

static void forget_messages(struct diags *diags, const struct diags *before)
{
	diags->n = before->n;
	diags->n_errors = before->n_errors;
	diags->n_warnings = before->n_warnings;
}

static void pause_ms(unsigned ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

/* Files that are exchanged one by one, or the whole folder for another one, while they are read
 * would make a set that nobody wrote: then all is read again.
 */
int policy_set_read(const struct policy_set_options *options, struct arena *arena,
		    struct policy_set *ret_set, struct diags *diags)
{
	const struct diags before = *diags;
	int r = -ESTALE;

	for (unsigned i = 0; r == -ESTALE && i < READ_TRIES; i++) {
		if (i)
			pause_ms(READ_PAUSE_MS << i);
		forget_messages(diags, &before);
		r = read_once(options, arena, ret_set, diags);
	}
	if (r == -ESTALE)
		diag_add(diags, DIAG_ERROR, (struct place){ .file = options->paths[0] },
			 "the folder of policies changes all the time while it is read; try again");
	return r == -ESTALE ? -EAGAIN : r;
}

int policy_set_from_last_good(const struct policy_set_options *options, struct arena *arena,
			      struct policy_set *ret_set, struct diags *diags)
{
	const struct last_good_set *last = options->last_good;
	struct reader reader = { .options = options, .arena = arena, .diags = diags };
	struct policy_set set = { 0 };
	int r = config_from_text(options->config_path, last ? last->config_text : NULL,
				 last ? last->config_length : 0, options->resolv_conf, arena,
				 &set.config, diags);

	/* Remembered by another version, which took what this one does not: the defaults are
	 * narrower than anything it could have said.
	 */
	if (r < 0)
		r = config_from_text(options->config_path, NULL, 0, options->resolv_conf, arena,
				     &set.config, diags);
	if (r < 0)
		return r;
	r = identity_read(arena, &reader.identity, diags);
	set.unread = r < 0 ? r : set.config.unread;
	users_resolve_admins(&set.config, reader.identity, diags);
	users_resolve_proxy(&set.config, reader.identity);
	for (size_t i = 0; last && i < last->n; i++) {
		struct candidate candidate = { .state = POLICY_LAST_GOOD,
					       .last_good = &last->list[i] };

		if (last_good_restore(&last->list[i], reader.identity, arena,
				      arena_strdup(arena, last->list[i].file),
				      &candidate.policy) < 0)
			candidate.state = POLICY_REFUSED;
		*ARENA_APPEND(arena, reader.candidates, reader.n) = candidate;
	}
	settle(&reader);
	finish_set(&reader, &set);
	*ret_set = set;
	return 0;
}

struct service *policy_set_find(const struct policy_set *set, const char *name)
{
	size_t low = 0, high = set->n_services;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = strcmp(set->services[middle].policy->service, name);

		if (r == 0)
			return &set->services[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
