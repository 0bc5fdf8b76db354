/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - /etc/passwd, /etc/group and /etc/subuid → sorted tables.
 *
 * Only names that are not in the files are asked of the name service: before the network is up it
 * may hang (nss_ldap), and nothing local should wait for it.
 */
#include "policy/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "policy/nss.h"
#include "policy/values.h"

struct user_entry {
	const char *name;
	uint32_t uid;
	uint32_t gid;
	bool missing; /* the name service does not know it either */
};

struct group_entry {
	const char *name;
	uint32_t gid;
	const char **members;
	size_t n_members;
};

struct identity {
	struct arena *arena;
	struct user_entry *users; /* sorted by name */
	struct user_entry **by_uid;
	size_t n_users;
	struct group_entry *groups; /* sorted by name */
	size_t n_groups;
	struct user_entry *asked; /* answers of the name service, ... */
	size_t n_asked;
	uint32_t *asked_slots; /* ... by the hash of their name: index + 1, 0 free */
	size_t n_slots;
	struct nss_question *unknown; /* names that nobody has, or has told */
	size_t n_unknown;
	int unheard; /* -errno: the name service did not say whether there is such a name */
	struct subuid_range *subuids;
	size_t n_subuids;
};

static int compare_users(const void *a, const void *b)
{
	return strcmp(((const struct user_entry *)a)->name, ((const struct user_entry *)b)->name);
}

static int compare_uids(const void *a, const void *b)
{
	const struct user_entry *x = *(struct user_entry *const *)a;
	const struct user_entry *y = *(struct user_entry *const *)b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct group_entry *)a)->name, ((const struct group_entry *)b)->name);
}

static int compare_subuids(const void *a, const void *b)
{
	const struct subuid_range *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x->place.line < y->place.line ? -1 : x->place.line > y->place.line;
}

/* A file that cannot be read to its end is not taken for a shorter one: who is missing in it would
 * be governed no more.
 */
static int report_reading(const char *path, int r, struct diags *diags)
{
	if (r < 0)
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 }, "cannot be read: %s",
			 strerror(-r));
	return r;
}

static int read_users(struct identity *identity)
{
	AUTO(file) FILE *f = NULL;
	const struct passwd *line;
	int r = file_open_lines("/etc/passwd", &f);
	size_t n;

	while (f && (line = fgetpwent(f)))
		*ARENA_APPEND(identity->arena, identity->users, identity->n_users) =
			(struct user_entry){
				.name = arena_strdup(identity->arena, line->pw_name),
				.uid = line->pw_uid,
				.gid = line->pw_gid,
			};
	if (r == 0)
		r = file_lines_end(f);
	n = identity->n_users;
	identity->by_uid = arena_alloc(identity->arena, n * sizeof(*identity->by_uid));
	if (!n)
		return r;
	qsort(identity->users, n, sizeof(*identity->users), compare_users);
	for (size_t i = 0; i < n; i++)
		identity->by_uid[i] = &identity->users[i];
	qsort(identity->by_uid, n, sizeof(*identity->by_uid), compare_uids);
	return r;
}

static void copy_members(struct arena *arena, char *const *names, struct group_entry *ret_group)
{
	for (; *names; names++)
		*ARENA_APPEND(arena, ret_group->members, ret_group->n_members) =
			arena_strdup(arena, *names);
}

static int read_groups(struct identity *identity)
{
	AUTO(file) FILE *f = NULL;
	const struct group *line;
	int r = file_open_lines("/etc/group", &f);

	while (f && (line = fgetgrent(f))) {
		struct group_entry entry = {
			.name = arena_strdup(identity->arena, line->gr_name),
			.gid = line->gr_gid,
		};

		copy_members(identity->arena, line->gr_mem, &entry);
		*ARENA_APPEND(identity->arena, identity->groups, identity->n_groups) = entry;
	}
	if (r == 0)
		r = file_lines_end(f);
	if (identity->n_groups)
		qsort(identity->groups, identity->n_groups, sizeof(*identity->groups),
		      compare_groups);
	return r;
}

/* subuid(5): "user:first:count", the user by name or number. The ranges of users that do not
 * exist belong to nobody.
 */
static int read_subuids(struct identity *identity, struct diags *diags)
{
	AUTO(file) FILE *f = NULL;
	AUTO(mem) char *line = NULL;
	size_t capacity = 0;
	uint32_t number = 0;
	int r = file_open_lines("/etc/subuid", &f);

	while (f && getline(&line, &capacity, f) >= 0) {
		struct place place = { "/etc/subuid", ++number, 1 };
		struct subuid_range range = { .place = place };
		char *rest = line, *owner = strsep(&rest, ":");
		char *first = strsep(&rest, ":"), *count = rest;
		struct number_range start, n;

		if (!count) {
			if (line[strspn(line, " \t\n")] && line[0] != '#')
				diag_add(diags, DIAG_WARNING, place,
					 "expected user:first:count; the line is ignored");
			continue;
		}
		count[strcspn(count, "\r\n")] = '\0';
		if (parse_number_range(first, UID_LAST, &start) < 0 ||
		    parse_number_range(count, UID_LAST, &n) < 0 || start.first != start.last ||
		    n.first != n.last) {
			diag_add(diags, DIAG_WARNING, place,
				 "expected user:first:count with numbers; the line is ignored");
			continue;
		}
		if (n.first == 0)
			continue;
		range.uids.first = start.first ? start.first : 1;
		range.uids.last = UID_LAST - start.first < n.first - 1 ?
					  UID_LAST :
					  start.first + (n.first - 1);
		if (range.uids.last < range.uids.first)
			continue;
		if (identity_find_user(identity, owner, &range.owner) < 0) {
			struct number_range uid;

			if (parse_number_range(owner, UID_LAST, &uid) < 0 || uid.first != uid.last)
				continue;
			range.owner = uid.first;
		}
		*ARENA_APPEND(identity->arena, identity->subuids, identity->n_subuids) = range;
	}
	if (r == 0)
		r = file_lines_end(f);
	if (identity->n_subuids)
		qsort(identity->subuids, identity->n_subuids, sizeof(*identity->subuids),
		      compare_subuids);
	return r;
}

int identity_read(struct arena *arena, struct identity **ret_identity, struct diags *diags)
{
	struct identity *identity = arena_alloc(arena, sizeof(*identity));
	int r_users, r_groups, r_subuids;

	identity->arena = arena;
	r_users = report_reading("/etc/passwd", read_users(identity), diags);
	r_groups = report_reading("/etc/group", read_groups(identity), diags);
	r_subuids = report_reading("/etc/subuid", read_subuids(identity, diags), diags);
	*ret_identity = identity;
	return r_users < 0 ? r_users : r_groups < 0 ? r_groups : r_subuids;
}

/* --- the name service ------------------------------------------------------------------------- */

/* The slot of a name, or the free one where it belongs. */
static uint32_t *find_slot(const struct identity *identity, const char *name)
{
	size_t i;

	for (i = hash_text(name) % identity->n_slots; identity->asked_slots[i];
	     i = (i + 1) % identity->n_slots)
		if (strcmp(identity->asked[identity->asked_slots[i] - 1].name, name) == 0)
			break;
	return &identity->asked_slots[i];
}

static void grow_slots(struct identity *identity)
{
	identity->n_slots = identity->n_slots ? identity->n_slots * 2 : 64;
	identity->asked_slots =
		arena_alloc(identity->arena, identity->n_slots * sizeof(*identity->asked_slots));
	for (size_t i = 0; i < identity->n_asked; i++)
		*find_slot(identity, identity->asked[i].name) = (uint32_t)i + 1;
}

static int ask(struct identity *identity, enum nss_kind kind, const char *name, uint32_t id,
	       struct nss_answer *ret_answer)
{
	const struct nss_question question = { kind, name, id };
	int r = nss_ask(&question, identity->arena, ret_answer);

	if (r < 0 && r != -ENOENT)
		identity->unheard = r;
	if (r < 0 && name)
		*ARENA_APPEND(identity->arena, identity->unknown, identity->n_unknown) =
			(struct nss_question){ kind, arena_strdup(identity->arena, name), 0 };
	return r;
}

static const struct user_entry *ask_user(struct identity *identity, const char *name)
{
	struct user_entry *entry;
	struct nss_answer answer = { 0 };
	uint32_t *slot;

	if (identity->n_asked >= identity->n_slots / 2)
		grow_slots(identity);
	slot = find_slot(identity, name);
	if (*slot)
		return &identity->asked[*slot - 1];
	*slot = (uint32_t)identity->n_asked + 1;
	entry = ARENA_APPEND(identity->arena, identity->asked, identity->n_asked);
	entry->name = arena_strdup(identity->arena, name);
	entry->missing = ask(identity, NSS_USER, name, 0, &answer) < 0;
	entry->uid = answer.id;
	entry->gid = answer.gid;
	return entry;
}

static const struct group_entry *ask_group(struct identity *identity, const char *name,
					   uint32_t gid)
{
	struct group_entry *entry;
	struct nss_answer answer;

	if (ask(identity, name ? NSS_GROUP : NSS_GROUP_OF_GID, name, gid, &answer) < 0)
		return NULL;
	entry = arena_alloc(identity->arena, sizeof(*entry));
	*entry = (struct group_entry){ answer.name, answer.id, answer.members, answer.n_members };
	return entry;
}

size_t identity_unknown(const struct identity *identity, const struct nss_question **ret_questions)
{
	*ret_questions = identity->unknown;
	return identity->n_unknown;
}

int identity_unheard(const struct identity *identity)
{
	return identity->unheard;
}

/* --- look-ups --------------------------------------------------------------------------------- */

static const struct user_entry *find_local_user(const struct identity *identity, const char *name)
{
	struct user_entry key = { .name = name };

	return identity->n_users ? bsearch(&key, identity->users, identity->n_users, sizeof(key),
					   compare_users) :
				   NULL;
}

int identity_find_local_user(const struct identity *identity, const char *name, uint32_t *ret_uid)
{
	const struct user_entry *found = find_local_user(identity, name);

	if (!found)
		return -ENOENT;
	*ret_uid = found->uid;
	return 0;
}

int identity_find_user(struct identity *identity, const char *name, uint32_t *ret_uid)
{
	const struct user_entry *found = find_local_user(identity, name);

	if (!found)
		found = ask_user(identity, name);
	if (found->missing)
		return -ENOENT;
	*ret_uid = found->uid;
	return 0;
}

static const struct group_entry *find_group(struct identity *identity, const char *name)
{
	struct group_entry key = { .name = name };
	const struct group_entry *found = NULL;

	if (identity->n_groups)
		found = bsearch(&key, identity->groups, identity->n_groups, sizeof(key),
				compare_groups);
	return found ? found : ask_group(identity, name, 0);
}

int identity_find_group(struct identity *identity, const char *name, uint32_t *ret_gid)
{
	const struct group_entry *found = find_group(identity, name);

	if (!found)
		return -ENOENT;
	*ret_gid = found->gid;
	return 0;
}

/* The first of by_uid with at least that uid. */
static size_t lower_bound(const struct identity *identity, uint32_t uid)
{
	size_t low = 0, high = identity->n_users;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (identity->by_uid[middle]->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *identity_first_user(struct identity *identity, struct number_range uids,
				uint32_t *ret_uid)
{
	size_t i = lower_bound(identity, uids.first);

	if (i == identity->n_users || identity->by_uid[i]->uid > uids.last)
		return NULL;
	*ret_uid = identity->by_uid[i]->uid;
	return identity->by_uid[i]->name;
}

const char *identity_user_name(struct identity *identity, uint32_t uid)
{
	uint32_t found;
	const char *name = identity_first_user(identity, (struct number_range){ uid, uid }, &found);

	if (name)
		return name;
	for (size_t i = 0; i < identity->n_asked; i++)
		if (!identity->asked[i].missing && identity->asked[i].uid == uid)
			return identity->asked[i].name;
	return NULL;
}

bool identity_has_account(struct identity *identity, uint32_t uid)
{
	struct number_range uids = { uid, uid };
	struct nss_answer unused;
	uint32_t found;

	return identity_first_user(identity, uids, &found) ||
	       ask(identity, NSS_USER_OF_UID, NULL, uid, &unused) == 0;
}

size_t identity_group_members(struct identity *identity, uint32_t gid, const uint32_t **ret_uids)
{
	const struct group_entry *group = NULL;
	uint32_t *uids = NULL, uid;
	size_t n = 0;

	for (size_t i = 0; i < identity->n_groups && !group; i++)
		if (identity->groups[i].gid == gid)
			group = &identity->groups[i];
	if (!group)
		group = ask_group(identity, NULL, gid);
	for (size_t i = 0; group && i < group->n_members; i++)
		if (identity_find_user(identity, group->members[i], &uid) == 0)
			*ARENA_APPEND(identity->arena, uids, n) = uid;
	for (size_t i = 0; i < identity->n_users; i++)
		if (identity->users[i].gid == gid)
			*ARENA_APPEND(identity->arena, uids, n) = identity->users[i].uid;
	*ret_uids = uids;
	return n;
}

const char *identity_suggest_user(struct identity *identity, const char *name)
{
	const char **names = arena_alloc(identity->arena, identity->n_users * sizeof(*names));

	for (size_t i = 0; i < identity->n_users; i++)
		names[i] = identity->users[i].name;
	return text_suggest(name, names, identity->n_users);
}

const char *identity_suggest_group(struct identity *identity, const char *name)
{
	const char **names = arena_alloc(identity->arena, identity->n_groups * sizeof(*names));

	for (size_t i = 0; i < identity->n_groups; i++)
		names[i] = identity->groups[i].name;
	return text_suggest(name, names, identity->n_groups);
}

size_t identity_subuids(struct identity *identity, const struct subuid_range **ret_ranges)
{
	*ret_ranges = identity->subuids;
	return identity->n_subuids;
}
