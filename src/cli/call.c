/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call.c - ask the daemon, and say what to do where it does not answer. */
#include "cli/call.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* --- showing that we wait --------------------------------------------------------------------- */

/* A thread, because client_call() blocks and a signal would interrupt its connect(). */
struct progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_running, is_over;
};

static void *progress_run(void *data)
{
	struct progress *progress = data;
	struct timespec next;
	unsigned seconds = 0;

	clock_gettime(CLOCK_REALTIME, &next);
	pthread_mutex_lock(&progress->lock);
	for (next.tv_sec++; !progress->is_over; next.tv_sec++) {
		if (pthread_cond_timedwait(&progress->over, &progress->lock, &next) != ETIMEDOUT) {
			next.tv_sec--;
			continue;
		}
		fprintf(stderr, "\ruidwalld is working: %u s ", ++seconds);
	}
	if (seconds)
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&progress->lock);
	return NULL;
}

static void progress_start(struct progress *progress)
{
	*progress = (struct progress){ .is_running = false };
	pthread_mutex_init(&progress->lock, NULL);
	pthread_cond_init(&progress->over, NULL);
	if (is_terminal(stderr))
		progress->is_running =
			pthread_create(&progress->thread, NULL, progress_run, progress) == 0;
}

static void progress_end(struct progress *progress)
{
	pthread_mutex_lock(&progress->lock);
	progress->is_over = true;
	pthread_cond_signal(&progress->over);
	pthread_mutex_unlock(&progress->lock);
	if (progress->is_running)
		pthread_join(progress->thread, NULL);
	pthread_mutex_destroy(&progress->lock);
	pthread_cond_destroy(&progress->over);
}

/* --- calls ------------------------------------------------------------------------------------ */

int call_send(struct cli *cli, json_t *request, int timeout_ms, json_t **ret_answer,
	      const char **ret_error)
{
	AUTO(mem) char *error = NULL;
	struct progress progress;
	json_t *answer = NULL;
	int r;

	progress_start(&progress);
	r = client_call(cli->control, request, timeout_ms, &answer, &error);
	progress_end(&progress);
	json_decref(request);
	if (r == 0 && !json_is_object(answer)) {
		json_decref(answer);
		r = -EPROTO;
	}
	if (r < 0)
		*ret_error = error ? printable(cli, error) : strerror(-r);
	else
		*ret_answer = answer;
	return r;
}

int call_ask(struct cli *cli, const char *name, const char *service, int timeout_ms,
	     json_t **ret_answer, const char **ret_error)
{
	json_t *request = json_pack("{s:s}", "call", name);

	if (service)
		json_object_set_new(request, "service", json_text(cli, service));
	return call_send(cli, request, timeout_ms, ret_answer, ret_error);
}

enum cli_status call_explain(struct cli *cli, int r, const char *error)
{
	if (!client_is_unreachable(r) && r != -ECONNRESET && r != -EPROTO)
		return fail(cli, "%s", error);
	say(cli, "%s", error);
	if (r == -ENOENT || r == -ECONNREFUSED)
		fputs("Start it with \"systemctl start uidwalld\"; \"journalctl -u uidwalld\" says "
		      "why it ended.\n",
		      stderr);
	if (r == -ETIMEDOUT)
		fputs("It may still be at work: look again with \"uidwall status\".\n", stderr);
	if (r == -EACCES)
		fprintf(stderr, "Everybody should be able to open it: see \"ls -l %s\".\n",
			printable(cli, cli->control));
	fputs("The rules in the kernel stand regardless: \"nft list table inet uidwall\" shows "
	      "them.\n",
	      stderr);
	return CLI_UNREACHABLE;
}

/* The known service whose name is closest; NULL where the name is known, or nothing is close. */
static const char *suggest_service(struct cli *cli, const char *name)
{
	const char *error, **names, *suggestion = NULL;
	json_t *answer = NULL, *services;
	bool is_known = false;
	size_t i, n;

	if (call_ask(cli, "status", NULL, CALL_ASK_MS, &answer, &error) < 0)
		return NULL;
	services = json_object_get(answer, "services");
	n = json_array_size(services);
	names = arena_alloc(cli->arena, n * sizeof(*names));
	for (i = 0; i < n; i++) {
		names[i] = get_text(cli, json_array_get(services, i), "service");
		is_known = is_known || strcmp(names[i], name) == 0;
	}
	if (!is_known)
		suggestion = text_suggest(name, names, n);
	json_decref(answer);
	return suggestion;
}

int call_ask_service(struct cli *cli, const char *name, const char *service, int timeout_ms,
		     json_t **ret_answer, const char **ret_error)
{
	int r = call_ask(cli, name, service, timeout_ms, ret_answer, ret_error);
	const char *suggestion;

	if (r != -EREMOTEIO)
		return r;
	suggestion = suggest_service(cli, service);
	if (suggestion)
		*ret_error = arena_printf(cli->arena, "%s; did you mean \"%s\"?", *ret_error,
					  suggestion);
	return r;
}
