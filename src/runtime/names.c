/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - names that the name service did not know at the start → a reload, once it does.
 *
 * The daemon is up before the network, and a name service after it: until somebody reloads, whoever
 * is in no file would be what was remembered. So it is asked again, for as long as a boot takes.
 * Later nobody asks: a name that is wrong stays wrong, and files that somebody edits are read when
 * they say so. For the same reason any reload before that puts an end to it.
 */
#include "runtime/names.h"

#include <errno.h>

#include "base/log.h"
#include "policy/nss.h"

enum { FIRST_WAIT_S = 5, TRIES = 6 }; /* after 5, 10, 20 ... s: 5 minutes in all */

struct names {
	struct wall *wall;
	void (*reloaded)(void *data);
	void *data;
	struct event *timer;
	uint64_t reload_us; /* what the start took: as good as a number of it */
	unsigned n_tries;
};

/* Whether what is in force is what the start read. New name servers and units change nothing of it.
 */
static bool is_of_the_start(const struct names *names)
{
	return names->wall->reload.total_us == names->reload_us &&
	       names->wall->undo.trial.state == TRIAL_NONE;
}

static int set_timer(struct names *names)
{
	struct timeval wait = { .tv_sec = FIRST_WAIT_S << names->n_tries };

	return names->n_tries++ < TRIES && evtimer_add(names->timer, &wait) < 0 ? -ENOMEM : 0;
}

/* The first that is known by now, or NULL. */
static const char *find_known(const struct policy_set *set)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct nss_answer unused;

	for (size_t i = 0; i < set->n_unknown; i++) {
		int r = nss_ask(&set->unknown[i], arena, &unused);

		if (r == 0)
			return set->unknown[i].name;
		if (r != -ENOENT)
			return NULL; /* nor would it answer the next question */
	}
	return NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct names *names = data;
	const char *known;

	if (!is_of_the_start(names))
		return;
	known = find_known(&names->wall->current->set);
	if (!known) {
		(void)set_timer(names);
		return;
	}
	log_notice("\"%s\" is known now: reading the files again", known);
	wall_reload(names->wall, 0, NULL);
	names->reloaded(names->data);
}

int names_new(struct event_base *base, struct wall *wall, void (*reloaded)(void *data), void *data,
	      struct names **ret_names)
{
	AUTO(names) struct names *names = NULL;
	int r;

	if (!wall->reload.ok || wall->undo.trial.state != TRIAL_NONE ||
	    !wall->current->set.n_unknown)
		return 0;
	names = calloc(1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	*names = (struct names){ wall, reloaded, data, NULL, wall->reload.total_us, 0 };
	names->timer = evtimer_new(base, on_timer, names);
	r = names->timer ? set_timer(names) : -ENOMEM;
	if (r == 0)
		*ret_names = TAKE(names);
	return r;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	if (names->timer)
		event_free(names->timer);
	free(names);
}
