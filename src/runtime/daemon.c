/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.c - start, events, end.
 *
 * The order of the start is that of what matters: nothing is touched while another daemon answers
 * on the control socket; then all rights but the needed ones go (sandbox.h); then the wall goes up,
 * even where the socket cannot be made; only then does the service manager hear that we are ready,
 * and let the network come up.
 *
 * A start that fails ends in a failed unit (docs/decisions/start.md). In peace nothing wakes
 * the process but the service manager's watchdog, if there is one: libevent sleeps without a
 * time-out when no timer is set.
 */
#include "runtime/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "runtime/asker.h"
#include "runtime/calls.h"
#include "runtime/control.h"
#include "runtime/deadline.h"
#include "runtime/follow.h"
#include "runtime/guard.h"
#include "runtime/names.h"
#include "runtime/proxy_lists.h"
#include "runtime/proxy_seen.h"
#include "runtime/sandbox.h"
#include "runtime/undo.h"
#include "runtime/watch.h"
#include "service/notify.h"

enum { MMAP_THRESHOLD = 128 * 1024 };

struct daemon {
	struct control control;
	struct sandbox sandbox;
	struct wall *wall;
	struct event_base *base;
	struct event *hangup, *terminate, *interrupt, *watchdog;
	struct watch *resolv_conf;
	struct names *names;
	struct follow *follow;
	struct guard *guard;
	struct deadline *deadline; /* of a change that waits to be confirmed */
	struct server *server;
	struct proxy_lists *lists;
	struct proxy_seen *seen;
	struct calls calls;
};

/* What a sysadmin should see first. */
static const char *alarm_words(const struct wall *wall)
{
	switch (wall->undo.trial.state) {
	case TRIAL_NONE:
		return wall->reload.ok ? "" : "LAST RELOAD FAILED; ";
	case TRIAL_WAITING:
		return "WAITS FOR \"uidwall confirm\"; ";
	case TRIAL_ROLLED_BACK:
		return "ROLLED BACK, the files are not in force; ";
	}
	abort();
}

static void notify_ready(const struct wall *wall)
{
	struct wall_counts counts = wall_count(wall);

	if (wall->switches.all_off)
		notify_send("READY=1\nSTATUS=%sOFF: nothing is enforced", alarm_words(wall));
	else
		notify_send("READY=1\nSTATUS=%s%zu services: %zu good, %zu last good, %zu refused, "
			    "%zu off",
			    alarm_words(wall), wall->current->set.n_services, counts.n[POLICY_GOOD],
			    counts.n[POLICY_LAST_GOOD], counts.n[POLICY_REFUSED],
			    counts.n[POLICY_OFF]);
}

/* After whatever may have changed what is in force. */
static void settle(struct daemon *daemon)
{
	follow_update(daemon->follow);
	guard_update(daemon->guard);
	proxy_seen_prune(daemon->seen, &daemon->wall->current->set);
	server_wake(daemon->server);
	notify_ready(daemon->wall);
	if (deadline_set(daemon->deadline, undo_next_ms(daemon->wall)) < 0)
		log_error("no timer for the change that waits to be confirmed: it goes back at the "
			  "next start");
}

static void on_deadline(void *data)
{
	struct daemon *daemon = data;

	undo_expire(daemon->wall);
	settle(daemon);
}

/* What the proxy knows of units is out of date. */
static void on_regrouping(void *data)
{
	struct daemon *daemon = data;

	server_wake(daemon->server);
}

static void on_hangup(evutil_socket_t fd, short what, void *data)
{
	struct daemon *daemon = data;

	notify_reloading();
	wall_reload(daemon->wall, 0, NULL);
	settle(daemon);
}

static void on_end(evutil_socket_t fd, short what, void *data)
{
	struct daemon *daemon = data;

	log_info("ending; the wall stands");
	notify_send("STOPPING=1\nSTATUS=ending; the wall stands");
	event_base_loopbreak(daemon->base);
}

static void on_watchdog(evutil_socket_t fd, short what, void *data)
{
	notify_alive();
}

/* A call may have changed what the status line says. */
static int answer(void *data, const struct server_caller *caller, const char *request, size_t n,
		  struct writer *ret_answer, char **ret_error)
{
	struct daemon *daemon = data;
	const uint64_t before = daemon->wall->n_changes;
	int r;

	follow_look(daemon->follow); /* a unit may wait for the answer before it starts */
	r = calls_answer(&daemon->calls, caller, request, n, ret_answer, ret_error);

	if (daemon->wall->n_changes != before)
		settle(daemon);
	return r;
}

/* At boot the wall is up before the network, and its name servers are not known yet. */
static void on_resolv_conf(void *data)
{
	struct daemon *daemon = data;

	wall_refresh_resolvers(daemon->wall);
	settle(daemon);
}

/* At boot, too: whom only a name service knows may not be known yet. */
static void on_names(void *data)
{
	settle(data);
}

static int watch_signals(struct daemon *daemon)
{
	signal(SIGPIPE, SIG_IGN);
	daemon->hangup = evsignal_new(daemon->base, SIGHUP, on_hangup, daemon);
	daemon->terminate = evsignal_new(daemon->base, SIGTERM, on_end, daemon);
	daemon->interrupt = evsignal_new(daemon->base, SIGINT, on_end, daemon);
	if (!daemon->hangup || !daemon->terminate || !daemon->interrupt ||
	    event_add(daemon->hangup, NULL) < 0 || event_add(daemon->terminate, NULL) < 0 ||
	    event_add(daemon->interrupt, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int start_watchdog(struct daemon *daemon)
{
	uint64_t us = notify_interval_us();
	struct timeval interval = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	if (!us)
		return 0;
	daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST, on_watchdog, daemon);
	return daemon->watchdog && event_add(daemon->watchdog, &interval) == 0 ? 0 : -ENOMEM;
}

static int start_server(struct daemon *daemon)
{
	struct server_options options = {
		.base = daemon->base,
		.fd = daemon->control.fd,
		.deadline_ms = SERVER_DEADLINE_MS,
		.answer = answer,
		.data = daemon,
	};
	int r = server_new(&options, &daemon->server);

	if (r == 0)
		r = proxy_lists_new(&daemon->lists);
	if (r == 0)
		r = proxy_seen_new(&daemon->seen);
	daemon->calls = (struct calls){ daemon->wall, daemon->server, &daemon->sandbox,
					daemon->lists, daemon->seen };
	daemon->wall->on_regrouping = on_regrouping;
	daemon->wall->regrouping_data = daemon;
	return r;
}

/* What needs more rights than the daemon has later, and reads nothing that somebody else wrote. The
 * folders are the units' work, for a daemon that is started by hand.
 */
static int open_control(struct daemon *daemon, const struct handed *handed,
			const struct daemon_options *options)
{
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	file_make_folder(options->state, false, 0750);
	file_make_folder(options->control, true, 0755);
	r = control_open(options->control, handed, &daemon->control, &diags);
	log_diags(&diags);
	return r;
}

static int start(struct daemon *daemon, const struct daemon_options *options)
{
	struct wall_options wall_options = { options->config, options->policies, options->state,
					     notify_phase, -1 };
	struct sandbox_options sandbox_options = { options->config, options->policies,
						   options->state, options->control,
						   options->no_seccomp };
	struct handed handed;
	int r, r_control;

	handed_take(&handed);
	wall_options.table_fd = handed.table;
	r_control = open_control(daemon, &handed, options);
	if (r_control == -EADDRINUSE)
		return r_control;
	sandbox_enter(&sandbox_options, &daemon->sandbox);
	r = wall_open(&wall_options, &daemon->wall);
	if (r == 0)
		r = wall_start(daemon->wall);
	if (r < 0)
		return r;
	/* While the manager keeps this socket the table has an owner, whatever becomes of us. */
	if (nl_table_features(daemon->wall->table)->owner_persist)
		notify_store(nl_table_fd(daemon->wall->table), HANDED_TABLE);
	if (r_control < 0) {
		log_error("the wall stands, but without a control socket nobody can ask or change "
			  "anything; giving up");
		return r_control;
	}
	daemon->base = event_base_new();
	r = daemon->base ? watch_signals(daemon) : -ENOMEM;
	if (r == 0)
		r = deadline_new(daemon->base, on_deadline, daemon, &daemon->deadline);
	if (r == 0)
		r = follow_new(daemon->base, daemon->wall, &daemon->follow);
	if (r == 0)
		r = guard_new(daemon->base, daemon->wall, &daemon->guard);
	if (r == 0)
		r = start_server(daemon);
	if (r == 0)
		r = start_watchdog(daemon);
	if (r == 0 && watch_new(daemon->base, "/etc/resolv.conf", on_resolv_conf, daemon,
				&daemon->resolv_conf) < 0)
		log_warning("cannot watch /etc/resolv.conf: reload when the name servers change");
	if (r == 0)
		r = names_new(daemon->base, daemon->wall, on_names, daemon, &daemon->names);
	return r;
}

static void event_release(struct event *event)
{
	if (event)
		event_free(event);
}

static void done(struct daemon *daemon)
{
	watch_free(daemon->resolv_conf);
	names_free(daemon->names);
	deadline_free(daemon->deadline);
	follow_free(daemon->follow);
	guard_free(daemon->guard);
	server_free(daemon->server);
	proxy_lists_free(daemon->lists);
	proxy_seen_free(daemon->seen);
	event_release(daemon->hangup);
	event_release(daemon->terminate);
	event_release(daemon->interrupt);
	event_release(daemon->watchdog);
	if (daemon->base)
		event_base_free(daemon->base);
	wall_close(daemon->wall);
	control_close(&daemon->control);
	asker_end();
	sandbox_done(&daemon->sandbox);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = { .control.fd = -1 };
	int r;

	/* glibc raises this by itself to the size of whatever was freed, up to 32 MiB; from then on
	 * the chunks of arenas come from a heap that cannot shrink (mallopt(3)).
	 */
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	notify_init();
	asker_start(); /* before anything is open that it would hold open */
	r = start(&daemon, options);
	if (r == 0) {
		settle(&daemon);
		if (event_base_dispatch(daemon.base) < 0)
			r = -EIO;
	} else {
		log_error("not started: %s; rules of an earlier run, if any, stay in force",
			  strerror(-r));
		notify_send("STATUS=not started: %s\nERRNO=%d", strerror(-r), -r);
	}
	done(&daemon);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
