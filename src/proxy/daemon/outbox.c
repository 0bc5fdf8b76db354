/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbox.c - a queue of copied records between threads.
 *
 * The main thread is woken for the first of many, and waits a little before it takes them all: at
 * ten thousand decisions a second it sleeps all the same.
 */
#include "proxy/daemon/outbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"

enum { RECORDS_MAX = 8192, AT_ONCE = 64 };

/* One allocation: the record, and behind it what it points to. */
struct letter {
	struct record record;
	struct prefix address;
	char text[];
};

struct outbox {
	struct tally *tally;
	pthread_mutex_t lock;
	struct letter *letters[RECORDS_MAX];
	unsigned n;
	uint64_t n_lost;
	bool is_told; /* the main thread knows that something is here */
	int wake;
	struct event *woken, *take;
};

static const char *copy_text(char **at, const char *text)
{
	char *start = *at;
	size_t n;

	if (!text)
		return NULL;
	n = strlen(text) + 1;
	memcpy(start, text, n);
	*at += n;
	return start;
}

static size_t length_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static struct letter *copy(const struct record *record)
{
	struct letter *letter = malloc(sizeof(*letter) + length_of(record->service) +
				       length_of(record->user) + length_of(record->host) +
				       length_of(record->file) + length_of(record->entry) +
				       length_of(record->detail) + length_of(record->process));
	char *at;

	if (!letter)
		return NULL;
	letter->record = *record;
	if (record->address) {
		letter->address = *record->address;
		letter->record.address = &letter->address;
	}
	at = letter->text;
	letter->record.service = copy_text(&at, record->service);
	letter->record.user = copy_text(&at, record->user);
	letter->record.host = copy_text(&at, record->host);
	letter->record.file = copy_text(&at, record->file);
	letter->record.entry = copy_text(&at, record->entry);
	letter->record.detail = copy_text(&at, record->detail);
	letter->record.process = copy_text(&at, record->process);
	return letter;
}

void outbox_add(struct outbox *outbox, const struct record *record)
{
	struct letter *letter = copy(record);
	const uint64_t one = 1;
	bool tell;

	pthread_mutex_lock(&outbox->lock);
	if (letter && outbox->n < RECORDS_MAX) {
		outbox->letters[outbox->n++] = letter;
		letter = NULL;
	} else {
		outbox->n_lost++;
	}
	tell = !outbox->is_told;
	outbox->is_told = true;
	pthread_mutex_unlock(&outbox->lock);
	free(letter);
	if (tell && write(outbox->wake, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it is awake */
}

static void hand_on(struct outbox *outbox)
{
	struct letter *letters[AT_ONCE];
	uint64_t n_lost;
	unsigned n;

	do {
		pthread_mutex_lock(&outbox->lock);
		n = outbox->n < AT_ONCE ? outbox->n : AT_ONCE;
		memcpy(letters, outbox->letters, n * sizeof(*letters));
		outbox->n -= n;
		memmove(outbox->letters, outbox->letters + n, outbox->n * sizeof(*letters));
		outbox->is_told = n > 0;
		n_lost = outbox->n_lost;
		outbox->n_lost = 0;
		pthread_mutex_unlock(&outbox->lock);
		for (unsigned i = 0; i < n; i++) {
			tally_add(outbox->tally, &letters[i]->record);
			free(letters[i]);
		}
		if (n_lost)
			log_warning("%llu records are lost: decisions come faster than they can be "
				    "written down",
				    (unsigned long long)n_lost);
	} while (n > 0);
}

static void on_take(evutil_socket_t fd, short what, void *data)
{
	hand_on(data);
}

static void on_woken(evutil_socket_t fd, short what, void *data)
{
	const struct timeval delay = { 0, OUTBOX_DELAY_MS * 1000 };
	struct outbox *outbox = data;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) > 0)
		event_add(outbox->take, &delay);
}

DEFINE_CLEANUP(outbox, struct outbox *, outbox_free)

int outbox_new(struct event_base *base, struct tally *tally, struct outbox **ret_outbox)
{
	AUTO(outbox) struct outbox *outbox = calloc(1, sizeof(*outbox));

	if (!outbox)
		return -ENOMEM;
	pthread_mutex_init(&outbox->lock, NULL);
	outbox->tally = tally;
	outbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (outbox->wake < 0)
		return -errno;
	outbox->take = evtimer_new(base, on_take, outbox);
	outbox->woken = event_new(base, outbox->wake, EV_READ | EV_PERSIST, on_woken, outbox);
	if (!outbox->take || !outbox->woken || event_add(outbox->woken, NULL) < 0)
		return -ENOMEM;
	*ret_outbox = TAKE(outbox);
	return 0;
}

void outbox_free(struct outbox *outbox)
{
	if (!outbox)
		return;
	hand_on(outbox);
	if (outbox->take)
		event_free(outbox->take);
	if (outbox->woken)
		event_free(outbox->woken);
	fd_close(outbox->wake);
	pthread_mutex_destroy(&outbox->lock);
	free(outbox);
}
