/* SPDX-License-Identifier: GPL-2.0-or-later */
/* follow.c - folders of control groups made and removed → the map from groups to services.
 *
 * cgroup2 is a file system in which inotify(7) works: making a folder is seen before anything can
 * run in it. Folders are watched before they are read, so none is missed. A folder that is a unit's
 * becomes an element in the kernel at once, by itself; where there is more to see (a slice, a path,
 * two policies) everything is looked at. What ends is not urgent: it stays governed.
 */
#include "runtime/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "runtime/change.h"
#include "runtime/groups.h"

enum {
	RETRY_MS = 500,
	TIDY_MS = 100, /* after something has ended */
};

struct folder {
	int wd;
	unsigned level; /* of what is in it; 0: nothing there is a unit */
	char *path;	/* malloc'd */
};

struct follow {
	struct wall *wall;
	struct event_base *base;
	int fd; /* inotify; -1: no policy in force has a unit */
	struct event *readable, *again;
	bool is_blind;		/* the kernel gives no more watches; said once */
	struct folder *folders; /* watched */
	size_t n_folders;
	struct arena *arena; /* of the names */
	struct units_names names;
};

static bool has_units(const struct policy_set *set)
{
	for (size_t i = 0; i < set->n_services; i++)
		if (set->services[i].policy->unit)
			return true;
	return false;
}

/* --- what comes and goes */

static struct folder *find_folder(const struct follow *follow, int wd)
{
	for (size_t i = follow->n_folders; i-- > 0;)
		if (follow->folders[i].wd == wd)
			return &follow->folders[i];
	return NULL;
}

static const char *service_name(const struct policy_set *set, const struct unit_group *group)
{
	return group->service == NO_SERVICE ? "(two services)" :
					      set->services[group->service].policy->service;
}

static bool same_group(const struct unit_group *a, const struct unit_group *b)
{
	return a->id == b->id && a->service == b->service && a->level == b->level &&
	       a->is_gone == b->is_gone;
}

enum difference { SAME, ENDED, OTHERS };

static void say(const struct policy_set *set, const struct unit_group *group)
{
	log_info("%s: control group /%s (%" PRIu64 ") %s", service_name(set, group), group->path,
		 group->id,
		 group->is_gone ? "has ended; what it left behind stays governed" : "is governed");
}

/* Both sorted by id. Logs what is new. ENDED: as before, but that some have. */
static enum difference compare(const struct policy_set *before, const struct policy_set *now)
{
	size_t i = 0, j = 0;
	enum difference difference = SAME;

	while (i < before->n_groups || j < now->n_groups) {
		const struct unit_group *a = i < before->n_groups ? &before->groups[i] : NULL;
		const struct unit_group *b = j < now->n_groups ? &now->groups[j] : NULL;
		bool both = a && b && a->id == b->id;

		if (!both || a->service != b->service || a->level != b->level)
			difference = OTHERS;
		else if (a->is_gone != b->is_gone && difference == SAME)
			difference = ENDED;
		if (b && (!a || b->id < a->id || (both && !same_group(a, b))))
			say(now, b);
		i += a && (!b || a->id <= b->id);
		j += b && (!a || b->id <= a->id);
	}
	return difference;
}

static void note_folder(struct follow *follow, int wd, const char *path, unsigned level)
{
	struct folder *folder = find_folder(follow, wd), *list;

	if (folder) { /* on the way of a path as well */
		folder->level = level > folder->level ? level : folder->level;
		return;
	}
	list = reallocarray(follow->folders, follow->n_folders + 1, sizeof(*list));
	if (!list)
		abort();
	follow->folders = list;
	list[follow->n_folders] = (struct folder){ wd, level, strdup(path) };
	if (!list[follow->n_folders++].path)
		abort();
}

static void forget_folder(struct follow *follow, int wd)
{
	struct folder *folder = find_folder(follow, wd);

	if (!folder)
		return;
	free(folder->path);
	*folder = follow->folders[--follow->n_folders];
}

static void watch_folder(const char *path, unsigned level, void *data)
{
	struct follow *follow = data;
	int wd = inotify_add_watch(follow->fd, path, IN_CREATE | IN_DELETE | IN_ONLYDIR);

	if (wd >= 0)
		note_folder(follow, wd, path, level);
	if (wd >= 0 || errno == ENOENT || errno == ENOTDIR || follow->is_blind)
		return;
	follow->is_blind = true;
	log_error(
		"%s cannot be watched: %s; units that start there are governed by their users only "
		"until the next reload%s",
		path, strerror(errno),
		errno == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "");
}

/* In place: the rules refer to the groups' texts. */
static void note_ended(struct policy_set *set, const struct policy_set *now)
{
	for (size_t i = 0; i < set->n_groups; i++)
		set->groups[i].is_gone = now->groups[i].is_gone;
}

/* Looks once, and puts in force what is new. */
static int catch_up(struct follow *follow)
{
	struct wall *wall = follow->wall;
	struct arena *arena = arena_new();
	AUTO(diags) struct diags diags;
	struct policy_set now, before = wall->current->set;
	enum difference difference;
	int r = 0;

	diags_init(&diags);
	groups_find(&wall->current->set, &wall->current->set, watch_folder, follow, arena, &now,
		    &diags);
	difference = compare(&before, &now);
	if (difference == OTHERS)
		r = change_groups(wall, &now, arena, &diags);
	else if (difference == ENDED)
		note_ended(&wall->current->set, &now);
	log_diags(&diags);
	if (r < 0 || difference != OTHERS)
		arena_free(arena);
	return r;
}

static void look_later(struct follow *follow, unsigned ms)
{
	const struct timeval delay = { 0, ms * 1000 };

	if (!evtimer_pending(follow->again, NULL))
		evtimer_add(follow->again, &delay);
}

static void try_to_catch_up(struct follow *follow)
{
	if (catch_up(follow) < 0) {
		log_error("units that have just started are not governed by their control groups "
			  "yet; trying again");
		look_later(follow, RETRY_MS);
	}
}

/* --- events */

static int compare_ids(const void *a, const void *b)
{
	const struct unit_group *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_known(const struct policy_set *set, const struct unit_group *group)
{
	return set->n_groups &&
	       bsearch(group, set->groups, set->n_groups, sizeof(*group), compare_ids);
}

/* What the events of one reading say. */
struct news {
	struct arena *arena;
	struct unit_group *started;
	size_t n_started;
	bool all; /* everything has to be looked at, at once */
};

static void note_started(struct follow *follow, const struct inotify_event *event,
			 struct news *news)
{
	struct generation *current = follow->wall->current;
	const struct folder *folder = find_folder(follow, event->wd);
	struct unit_group group;

	if (!folder || !current->groups ||
	    !units_find_started(&follow->names, folder->path, folder->level, event->name,
				current->groups, &group))
		news->all = true;
	else if (!is_known(&current->set, &group))
		*ARENA_APPEND(news->arena, news->started, news->n_started) = group;
}

static void note_event(struct follow *follow, const struct inotify_event *event, struct news *news)
{
	if (event->mask & IN_IGNORED)
		forget_folder(follow, event->wd);
	if (event->mask & IN_Q_OVERFLOW)
		news->all = true;
	if (!event->len || !units_matter(&follow->names, event->name))
		return;
	if (event->mask & IN_CREATE)
		note_started(follow, event, news);
	else
		look_later(follow, TIDY_MS);
}

static void heed(struct follow *follow, struct news *news)
{
	struct wall *wall = follow->wall;

	if (news->n_started && !news->all) {
		qsort(news->started, news->n_started, sizeof(*news->started), compare_ids);
		if (change_groups_started(wall, news->started, news->n_started) < 0)
			news->all = true;
	}
	if (news->all)
		try_to_catch_up(follow);
	else
		for (size_t i = 0; i < news->n_started; i++)
			say(&wall->current->set, &news->started[i]);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct follow *follow = data;
	union {
		struct inotify_event align;
		char bytes[16 * 1024];
	} buffer;
	ssize_t n;

	while ((n = read(follow->fd, &buffer, sizeof(buffer))) > 0) {
		AUTO(arena) struct arena *arena = arena_new();
		struct news news = { .arena = arena };

		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(const void *)(buffer.bytes + at);

			note_event(follow, event, &news);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
		heed(follow, &news);
	}
}

void follow_look(struct follow *follow)
{
	if (follow->is_blind)
		try_to_catch_up(follow);
	else if (follow->fd >= 0)
		on_readable(follow->fd, EV_READ, follow);
}

static void on_again(evutil_socket_t fd, short what, void *data)
{
	try_to_catch_up(data);
}

/* --- the handle */

static void stop(struct follow *follow)
{
	if (follow->readable)
		event_free(follow->readable);
	follow->readable = NULL;
	fd_close(follow->fd);
	follow->fd = -1;
	follow->is_blind = false;
	while (follow->n_folders)
		forget_folder(follow, follow->folders[0].wd);
	arena_free(follow->arena);
	follow->arena = NULL;
}

static int start(struct follow *follow)
{
	follow->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (follow->fd < 0)
		return -errno;
	follow->readable =
		event_new(follow->base, follow->fd, EV_READ | EV_PERSIST, on_readable, follow);
	return follow->readable && event_add(follow->readable, NULL) == 0 ? 0 : -ENOMEM;
}

/* Watches of folders that no longer matter go with the old descriptor. */
void follow_update(struct follow *follow)
{
	int r;

	stop(follow);
	if (!has_units(&follow->wall->current->set))
		return;
	follow->arena = arena_new();
	units_read_names(&follow->wall->current->set, follow->arena, &follow->names);
	r = start(follow);
	follow->is_blind = r < 0;
	if (r < 0)
		log_error("units cannot be followed: %s; those that start from now on are governed "
			  "by "
			  "their users only until the next reload",
			  strerror(-r));
	try_to_catch_up(follow);
}

int follow_new(struct event_base *base, struct wall *wall, struct follow **ret_follow)
{
	AUTO(follow) struct follow *follow = calloc(1, sizeof(*follow));

	if (!follow)
		return -ENOMEM;
	follow->wall = wall;
	follow->base = base;
	follow->fd = -1;
	follow->again = evtimer_new(base, on_again, follow);
	if (!follow->again)
		return -ENOMEM;
	*ret_follow = TAKE(follow);
	return 0;
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	stop(follow);
	free(follow->folders);
	if (follow->again)
		event_free(follow->again);
	free(follow);
}
