/* SPDX-License-Identifier: GPL-2.0-or-later */
/* follow.c - folders of control groups made and removed → the map from groups to services.
 *
 * cgroup2 is a file system in which inotify(7) works: making a folder is seen before anything can
 * run in it. Folders are watched before they are read, so none is missed. From the making to the
 * element in the kernel it takes a millisecond or two; systemd needs longer to start a program.
 */
#include "runtime/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "runtime/change.h"
#include "runtime/groups.h"

enum { RETRY_MS = 500 };

struct follow {
	struct wall *wall;
	struct event_base *base;
	int fd; /* inotify; -1: no policy in force has a unit */
	struct event *readable, *retry;
	bool is_blind; /* the kernel gives no more watches; said once */
};

static bool has_units(const struct policy_set *set)
{
	for (size_t i = 0; i < set->n_services; i++)
		if (set->services[i].policy->unit)
			return true;
	return false;
}

/* --- what comes and goes */

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

/* Both sorted by id. With say: logs what differs. */
static bool compare(const struct policy_set *before, const struct policy_set *now, bool say)
{
	size_t i = 0, j = 0;
	bool same = true;

	while (i < before->n_groups || j < now->n_groups) {
		const struct unit_group *a = i < before->n_groups ? &before->groups[i] : NULL;
		const struct unit_group *b = j < now->n_groups ? &now->groups[j] : NULL;

		if (a && b && same_group(a, b)) {
			i++, j++;
			continue;
		}
		same = false;
		if (b && say && (!a || b->id <= a->id))
			log_info("%s: control group /%s (%" PRIu64 ") %s", service_name(now, b),
				 b->path, b->id,
				 b->is_gone ? "has ended; what it left behind stays governed" :
					      "is governed");
		i += a && (!b || a->id <= b->id);
		j += b && (!a || b->id <= a->id);
	}
	return same;
}

static void watch_folder(const char *folder, void *data)
{
	struct follow *follow = data;

	if (inotify_add_watch(follow->fd, folder, IN_CREATE | IN_DELETE | IN_ONLYDIR) >= 0 ||
	    errno == ENOENT || errno == ENOTDIR || follow->is_blind)
		return;
	follow->is_blind = true;
	log_error(
		"%s cannot be watched: %s; units that start there are governed by their users only "
		"until the next reload%s",
		folder, strerror(errno),
		errno == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "");
}

/* Looks once, and puts in force what is new. */
static int catch_up(struct follow *follow)
{
	struct wall *wall = follow->wall;
	struct arena *arena = arena_new();
	AUTO(diags) struct diags diags;
	struct policy_set now, before = wall->current->set;
	bool same;
	int r;

	diags_init(&diags);
	groups_find(&wall->current->set, &wall->current->set, watch_folder, follow, arena, &now,
		    &diags);
	same = compare(&before, &now, false);
	if (same) {
		arena_free(arena);
		return 0;
	}
	compare(&before, &now, true);
	r = change_groups(wall, &now, arena, &diags);
	log_diags(&diags);
	if (r < 0)
		arena_free(arena);
	return r;
}

static void retry_later(struct follow *follow)
{
	const struct timeval delay = { 0, RETRY_MS * 1000 };

	evtimer_add(follow->retry, &delay);
}

static void try_to_catch_up(struct follow *follow)
{
	if (catch_up(follow) < 0) {
		log_error("units that have just started are not governed by their control groups "
			  "yet; trying again");
		retry_later(follow);
	}
}

/* --- events */

/* Whether a folder of this name is a unit's, or one in which units are. */
static bool matters(const struct policy_set *set, const char *name)
{
	const char *dot = strrchr(name, '.');

	if (dot && strcmp(dot, ".slice") == 0)
		return true;
	for (size_t i = 0; i < set->n_services; i++) {
		const char *unit = set->services[i].policy->unit;

		if (unit && (unit[0] == '/' || units_match(unit, name)))
			return true;
	}
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct follow *follow = data;
	union {
		struct inotify_event align;
		char bytes[16 * 1024];
	} buffer;
	bool any = false;
	ssize_t n;

	while ((n = read(fd, &buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(const void *)(buffer.bytes + at);

			any = any || event->mask & IN_Q_OVERFLOW ||
			      (event->len && matters(&follow->wall->current->set, event->name));
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	if (any)
		try_to_catch_up(follow);
}

static void on_retry(evutil_socket_t fd, short what, void *data)
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
	follow->retry = evtimer_new(base, on_retry, follow);
	if (!follow->retry)
		return -ENOMEM;
	*ret_follow = TAKE(follow);
	return 0;
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	stop(follow);
	if (follow->retry)
		event_free(follow->retry);
	free(follow);
}
