/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - the daemon's lists, as they change, and what was decided by them, once a second.
 *
 * The daemon may end and come back at any time. What it told last stays in force meanwhile, and a
 * restart that takes less than a second is nobody's business.
 */
#include "proxy/daemon/link.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "proxy/daemon/asking.h"
#include "wire/frame.h"

enum {
	PAUSE_MS = 1000,
	PACE_MS = 50, /* between two attempts that do not fail: changes may come in rows */
	REPORT_BYTES = FRAME_REQUEST_MAX - 1024, /* of records in one call */
	TROUBLE_MAX = 320,
};

struct link {
	struct link_options options;
	struct asking *question, *report;
	struct event *ask_again, *report_again;
	struct lists *lists;
	int64_t asked_ms;
	bool is_whole;	   /* ask for all of it: what came is not understood */
	unsigned n_failed; /* in a row */
	bool is_told;	   /* that it fails */
	char trouble[TROUBLE_MAX];
	struct writer records; /* on their way */
};

/* --- troubles */

static void set_trouble(struct link *link, int r, const char *bytes, size_t n)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *path = link->options.control;

	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
		snprintf(link->trouble, TROUBLE_MAX,
			 "uidwalld does not run (nothing listens on %s)", path);
		break;
	case -EREMOTEIO:
		snprintf(link->trouble, TROUBLE_MAX, "uidwalld says: %s",
			 text_printable(arena, bytes, n, TROUBLE_MAX / 2));
		break;
	case -ETIMEDOUT:
		snprintf(link->trouble, TROUBLE_MAX, "uidwalld does not answer at %s", path);
		break;
	case -ECONNRESET:
		snprintf(link->trouble, TROUBLE_MAX, "uidwalld at %s has hung up", path);
		break;
	case -EPROTO:
		snprintf(link->trouble, TROUBLE_MAX,
			 "what answers at %s is not uidwalld, or of another version", path);
		break;
	default:
		snprintf(link->trouble, TROUBLE_MAX, "uidwalld cannot be asked at %s: %s", path,
			 strerror(-r));
	}
}

static void log_trouble(struct link *link)
{
	if (link->options.on_trouble)
		link->options.on_trouble(link->options.data, link->trouble);
	if (link->is_told)
		return;
	link->is_told = true;
	log_warning("%s; %s", link->trouble,
		    link->lists ? "what it told last stays in force" :
				  "nobody gets out until it tells who may");
}

static void log_lists(struct link *link)
{
	size_t n = lists_count(link->lists);

	log_info("%s%zu %s", link->is_told ? "uidwalld answers again: lists of " : "lists of ", n,
		 n == 1 ? "service" : "services");
	link->is_told = false;
}

/* --- lists */

static void set_timer(struct event *timer, int64_t ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(timer, &t);
}

static void ask(struct link *link)
{
	uint64_t generation = link->lists && !link->is_whole ? lists_generation(link->lists) : 0;
	struct writer w;

	writer_init(&w, FRAME_REQUEST_MAX);
	writer_begin(&w, '{');
	writer_put_text(&w, "call", "lists");
	writer_put_int(&w, "generation", (int64_t)generation);
	writer_end(&w, '}');
	link->asked_ms = clock_now_ms();
	if (w.failed)
		set_timer(link->ask_again, link->options.pause_ms);
	else
		asking_start(link->question, w.bytes, w.n, true);
	writer_done(&w);
}

static void ask_in(struct link *link, int64_t ms)
{
	int64_t left_ms = link->asked_ms + ms - clock_now_ms();

	set_timer(link->ask_again, left_ms > 0 ? left_ms : 0);
}

static void on_ask_again(evutil_socket_t fd, short what, void *data)
{
	ask(data);
}

/* The first failure may be a restart; the second attempt comes at once, where there was none for
 * long.
 */
static void fail(struct link *link)
{
	if (++link->n_failed > 1 || !link->lists)
		log_trouble(link);
	ask_in(link, link->options.pause_ms);
}

static int take_lists(struct link *link, const char *bytes, size_t n)
{
	AUTO(mem) char *error = NULL;
	struct lists *next, *before = link->lists;
	int r = lists_parse(bytes, n, before, &next, &error);

	if (r < 0) {
		snprintf(link->trouble, TROUBLE_MAX, "the lists of uidwalld make no sense (%s)",
			 error ? error : strerror(-r));
		return r;
	}
	link->lists = next;
	link->options.on_lists(link->options.data, next);
	lists_free(before);
	return 0;
}

static void on_answer(void *data, int r, const char *bytes, size_t n)
{
	struct link *link = data;

	if (r < 0)
		set_trouble(link, r, bytes, n);
	else
		r = take_lists(link, bytes, n);
	link->is_whole = r == -EINVAL || r == -ESTALE;
	if (r < 0) {
		fail(link);
		return;
	}
	link->n_failed = 0;
	link->trouble[0] = '\0';
	log_lists(link);
	ask_in(link, PACE_MS);
}

/* --- records */

static void begin_report(struct link *link)
{
	struct writer *w = &link->records;

	writer_init(w, FRAME_REQUEST_MAX);
	writer_begin(w, '{');
	writer_put_text(w, "call", "record");
	writer_key(w, "records");
	writer_begin(w, '[');
	tally_take(link->options.tally, w, REPORT_BYTES);
	writer_end(w, ']');
	writer_end(w, '}');
	if (w->failed)
		writer_done(w);
}

static void on_report_again(evutil_socket_t fd, short what, void *data)
{
	struct link *link = data;

	if (!link->records.bytes && tally_has_news(link->options.tally))
		begin_report(link);
	if (link->records.bytes)
		asking_start(link->report, link->records.bytes, link->records.n, false);
}

/* What does not arrive is told again; what is not wanted is not. */
static void on_report(void *data, int r, const char *bytes, size_t n)
{
	struct link *link = data;

	if (r == 0 || r == -EREMOTEIO)
		writer_done(&link->records);
	if (link->records.bytes || tally_has_news(link->options.tally))
		set_timer(link->report_again, link->options.pause_ms);
}

static void on_news(void *data)
{
	struct link *link = data;

	if (!asking_is_busy(link->report) && !evtimer_pending(link->report_again, NULL))
		set_timer(link->report_again, link->options.pause_ms);
}

/* --- the handle */

const struct lists *link_lists(const struct link *link)
{
	return link->lists;
}

const char *link_trouble(const struct link *link)
{
	return link->trouble[0] ? link->trouble : "uidwalld has not said yet who may go where";
}

DEFINE_CLEANUP(link, struct link *, link_free)

int link_new(const struct link_options *options, struct link **ret_link)
{
	AUTO(link) struct link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->options = *options;
	if (!link->options.pause_ms)
		link->options.pause_ms = PAUSE_MS;
	link->ask_again = evtimer_new(options->base, on_ask_again, link);
	link->report_again = evtimer_new(options->base, on_report_again, link);
	if (!link->ask_again || !link->report_again)
		return -ENOMEM;
	r = asking_new(options->base, options->control, on_answer, link, &link->question);
	if (r == 0)
		r = asking_new(options->base, options->control, on_report, link, &link->report);
	if (r < 0)
		return r;
	if (options->tally)
		tally_on_news(options->tally, on_news, link);
	ask(link);
	*ret_link = TAKE(link);
	return 0;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	if (link->options.tally)
		tally_on_news(link->options.tally, NULL, NULL);
	asking_free(link->question);
	asking_free(link->report);
	if (link->ask_again)
		event_free(link->ask_again);
	if (link->report_again)
		event_free(link->report_again);
	writer_done(&link->records);
	lists_free(link->lists);
	free(link);
}
