/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - decisions → lines of JSON on standard output, and sums for the daemon.
 *
 * Whoever reads the lines may be slow, stuck or gone. O_NONBLOCK would be everybody's who shares
 * the descriptor, a terminal with its shell among them, so each write is one that cannot block: of
 * no more than a pipe's page, once poll() has said that there is room for it (pipe(7)).
 */
#include "proxy/daemon/record.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "proxy/daemon/sums.h"

enum {
	PAGE = 4096,
	FLUSH_BYTES = 64 * 1024,
	PENDING_MAX = 256 * 1024, /* whole lines; what comes then is lost */
	LINE_MAX_BYTES = 8 * 1024,
	TIME_TEXT_MAX = 32,
};

enum sink { SINK_FILE, SINK_SOCKET, SINK_OTHER };

struct tally {
	struct sums *sums;
	int fd;
	enum sink sink;
	struct event *flush;	/* at the end of the loop's turn */
	struct event *writable; /* NULL where it always is */
	struct writer line;	/* one at a time */
	char *pending;
	size_t n_pending, n_written;
	uint64_t n_lines; /* in pending */
	uint64_t n_lost;
	bool is_torn; /* the last line was cut by an error */
	bool is_stuck;
	int error; /* of the last write; logged once */
	time_t second;
	char second_text[TIME_TEXT_MAX];
};

/* --- lines */

const char *record_way_name(enum record_way way)
{
	static const char *const names[] = {
		[RECORD_CONNECT] = "connect", [RECORD_HTTP] = "http",
		[RECORD_TLS] = "tls",	      [RECORD_PLAIN_HTTP] = "plain-http",
		[RECORD_OTHER] = "other",     [RECORD_UNKNOWN] = "unknown",
	};
	static_assert(ARRAY_SIZE(names) == RECORD_WAY_COUNT, "every way needs a name");

	return way < RECORD_WAY_COUNT ? names[way] : "unknown";
}

/* "2026-01-31T12:00:00.123Z"; the second's part is made once a second. */
static void put_time(struct tally *tally, int64_t ms)
{
	time_t second = (time_t)(ms / 1000);
	char text[TIME_TEXT_MAX + 8];
	struct tm tm;

	if (second != tally->second || !*tally->second_text) {
		if (!gmtime_r(&second, &tm))
			tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
		strftime(tally->second_text, sizeof(tally->second_text), "%Y-%m-%dT%H:%M:%S", &tm);
		tally->second = second;
	}
	snprintf(text, sizeof(text), "%s.%03uZ", tally->second_text, (unsigned)(ms % 1000));
	writer_put_text(&tally->line, "time", text);
}

static void put_policy(struct writer *w, const struct record *record)
{
	char text[320];

	if (record->file && record->line)
		snprintf(text, sizeof(text), "%s:%u", record->file, record->line);
	writer_put_text(w, "policy", record->file && record->line ? text : record->file);
}

static void begin_line(struct tally *tally, int64_t ms)
{
	tally->line.n = 0;
	tally->line.needs_comma = tally->line.failed = tally->line.lacked_memory = false;
	writer_begin(&tally->line, '{');
	put_time(tally, ms);
	writer_put_text(&tally->line, "source", "proxy");
}

static void put_record(struct writer *w, const struct record *record)
{
	char address[PREFIX_TEXT_MAX];

	if (record->address)
		format_prefix(record->address, address);
	writer_put_text(w, "service", record->service);
	writer_put_text(w, "user", record->user);
	writer_key(w, "uid");
	if (record->uid >= 0)
		writer_int(w, record->uid);
	else
		writer_text(w, NULL);
	writer_put_text(w, "process", record->process);
	writer_put_text(w, "protocol", "tcp");
	writer_put_text(w, "way", record_way_name(record->way));
	writer_put_text(w, "host", record->host && *record->host ? record->host : NULL);
	writer_put_int(w, "port", record->port);
	writer_put_text(w, "address", record->address ? address : NULL);
	writer_put_text(w, "verdict", record_verdict_name(record->verdict));
	writer_put_text(w, "reason", record->reason);
	writer_put_text(w, "detail", record->detail);
	put_policy(w, record);
	writer_put_text(w, "add", record->entry);
	writer_put_int(w, "sent", (int64_t)record->sent);
	writer_put_int(w, "received", (int64_t)record->received);
	writer_put_int(w, "duration_us", record->duration_us);
}

/* --- standard output */

/* What is written, or -EAGAIN: nothing more now. */
static ssize_t write_some(const struct tally *tally)
{
	const char *from = tally->pending + tally->n_written;
	size_t n = tally->n_pending - tally->n_written;
	struct pollfd p = { .fd = tally->fd, .events = POLLOUT };
	ssize_t written;

	if (tally->sink == SINK_OTHER) {
		if (poll(&p, 1, 0) <= 0)
			return -EAGAIN;
		n = n < PAGE ? n : PAGE;
	}
	written = tally->sink == SINK_SOCKET ?
			  send(tally->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL) :
			  write(tally->fd, from, n);
	return written < 0 ? -errno : written;
}

/* What waits is lost; who comes later may have more luck. */
static void give_up(struct tally *tally, int error)
{
	if (error != tally->error)
		log_warning("records cannot be written to standard output: %s", strerror(error));
	tally->error = error;
	tally->is_torn = tally->n_written && tally->pending[tally->n_written - 1] != '\n';
	tally->n_lost += tally->n_lines;
	tally->n_pending = tally->n_written = tally->n_lines = 0;
}

static void write_pending(struct tally *tally)
{
	while (tally->n_written < tally->n_pending) {
		ssize_t n = write_some(tally);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			tally->is_stuck = true;
			if (tally->writable)
				event_add(tally->writable, NULL);
			return;
		}
		if (n < 0) {
			give_up(tally, (int)-n);
			return;
		}
		tally->n_written += (size_t)n;
		tally->error = 0;
	}
	tally->is_stuck = false;
	tally->n_pending = tally->n_written = tally->n_lines = 0;
}

static bool append(struct tally *tally, const char *bytes, size_t n)
{
	if (n > PENDING_MAX - tally->n_pending)
		return false;
	memcpy(tally->pending + tally->n_pending, bytes, n);
	tally->n_pending += n;
	return true;
}

/* The line that was begun; false: there is no room for it. */
static bool end_line(struct tally *tally)
{
	size_t before = tally->n_pending;

	writer_end(&tally->line, '}');
	if (tally->line.failed)
		return false;
	if ((tally->is_torn && !append(tally, "\n", 1)) ||
	    !append(tally, tally->line.bytes, tally->line.n) || !append(tally, "\n", 1)) {
		tally->n_pending = before;
		return false;
	}
	tally->is_torn = false;
	tally->n_lines++;
	return true;
}

/* Where lines are missing. */
static bool tell_lost(struct tally *tally)
{
	struct timespec now;

	if (!tally->n_lost)
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	begin_line(tally, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	writer_put_int(&tally->line, "lost", (int64_t)tally->n_lost);
	if (!end_line(tally))
		return false;
	tally->n_lost = 0;
	return true;
}

static void on_flush(evutil_socket_t fd, short what, void *data)
{
	struct tally *tally = data;

	if (!tally->is_stuck)
		write_pending(tally);
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
	struct tally *tally = data;

	write_pending(tally);
	if (!tally->n_pending && tally->n_lost && !tally->error && tell_lost(tally))
		write_pending(tally);
}

/* After a loss lines are taken again once all that waited is written: else there would be as many
 * gaps as lines.
 */
static bool put_line(struct tally *tally, const struct record *record)
{
	if (tally->n_lost && tally->n_pending)
		return false;
	if (!tell_lost(tally))
		return false;
	begin_line(tally, record->start_ms);
	put_record(&tally->line, record);
	return end_line(tally);
}

void tally_add(struct tally *tally, const struct record *record)
{
	sums_add(tally->sums, record);
	if (!put_line(tally, record)) {
		tally->n_lost++;
		return;
	}
	if (tally->is_stuck)
		return;
	if (tally->n_pending >= FLUSH_BYTES)
		write_pending(tally);
	else if (!event_pending(tally->flush, EV_READ | EV_TIMEOUT, NULL))
		event_active(tally->flush, EV_READ, 0);
}

/* --- sums */

bool tally_has_news(const struct tally *tally)
{
	return sums_count(tally->sums) > 0;
}

void tally_take(struct tally *tally, struct writer *w, size_t max_bytes)
{
	sums_take(tally->sums, w, max_bytes);
}

void tally_on_news(struct tally *tally, void (*fn)(void *data), void *data)
{
	sums_on_news(tally->sums, fn, data);
}

/* --- the handle */

static enum sink sink_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return SINK_OTHER;
	return S_ISREG(st.st_mode) ? SINK_FILE : S_ISSOCK(st.st_mode) ? SINK_SOCKET : SINK_OTHER;
}

DEFINE_CLEANUP(tally, struct tally *, tally_free)

int tally_new(struct event_base *base, int fd, struct tally **ret_tally)
{
	AUTO(tally) struct tally *tally = calloc(1, sizeof(*tally));
	int r;

	if (!tally)
		return -ENOMEM;

	tally->fd = fd;
	tally->sink = sink_of(fd);
	writer_init(&tally->line, LINE_MAX_BYTES);
	tally->pending = malloc(PENDING_MAX);
	tally->flush = event_new(base, -1, 0, on_flush, tally);
	if (tally->sink != SINK_FILE)
		tally->writable = event_new(base, fd, EV_WRITE, on_writable, tally);
	r = sums_new(&tally->sums);
	if (r < 0 || !tally->pending || !tally->flush ||
	    (tally->sink != SINK_FILE && !tally->writable))
		return -ENOMEM;
	*ret_tally = TAKE(tally);
	return 0;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	if (tally->pending)
		write_pending(tally);
	if (tally->flush)
		event_free(tally->flush);
	if (tally->writable)
		event_free(tally->writable);
	sums_free(tally->sums);
	writer_done(&tally->line);
	free(tally->pending);
	free(tally);
}
