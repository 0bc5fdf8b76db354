/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-record.c - decisions as lines of JSON, for readers who are quick, slow, stuck and gone; and
 * as sums that the daemon takes.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/daemon/record.h"
#include "wire/request.h"

enum { MANY = 20000, BYTES_MAX = 16 * 1024 * 1024 };

static struct event_base *base;

static int make_base(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test-record");
	base = event_base_new();
	return base ? 0 : -1;
}

static int free_base(void **state)
{
	event_base_free(base);
	return 0;
}

static struct tally *make_tally(int fd)
{
	struct tally *tally;

	assert_int_equal(tally_new(base, fd, &tally), 0);
	return tally;
}

static struct record record_of(const char *service, const char *host, uint16_t port,
			       enum record_verdict verdict)
{
	return (struct record){ .start_ms = 1769860800123,
				.duration_us = 2500000,
				.service = service,
				.uid = -1,
				.way = RECORD_CONNECT,
				.verdict = (uint8_t)verdict,
				.host = host,
				.port = port,
				.reason = "listed",
				.sent = 10,
				.received = 20 };
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* What is there to be read by now. */
static size_t read_all(int fd, char *text, size_t max)
{
	size_t n = 0;
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (n < max && (got = read(fd, text + n, max - n)) > 0)
		n += (size_t)got;
	text[n < max ? n : max - 1] = '\0';
	return n;
}

/* --- lines */

static void a_line_in_full(void **state)
{
	struct prefix address;
	struct record record = record_of("blog", "api.example.org", 443, RECORD_REFUSED);
	char text[4096];
	struct tally *tally;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(parse_address("2001:db8::1", &address), 0);
	tally = make_tally(fds[1]);
	record.user = "blog";
	record.uid = 2003;
	record.address = &address;
	record.reason = "not-listed";
	record.detail = "a \"sentence\"\n";
	record.file = "blog.json";
	record.line = 5;
	record.entry = "api.example.org";
	tally_add(tally, &record);
	assert_int_equal(read_all(fds[0], text, sizeof(text)), 0); /* at the end of the turn */
	turn();
	read_all(fds[0], text, sizeof(text));
	assert_string_equal(
		text,
		"{\"time\":\"2026-01-31T12:00:00.123Z\",\"source\":\"proxy\",\"service\":\"blog\","
		"\"user\":\"blog\",\"uid\":2003,\"process\":null,\"protocol\":\"tcp\","
		"\"way\":\"connect\",\"host\":\"api.example.org\",\"port\":443,"
		"\"address\":\"2001:db8::1\",\"verdict\":\"refused\",\"reason\":\"not-listed\","
		"\"detail\":\"a \\\"sentence\\\"\\n\",\"policy\":\"blog.json:5\","
		"\"add\":\"api.example.org\",\"sent\":10,\"received\":20,"
		"\"duration_us\":2500000}\n");
	tally_free(tally);
	close(fds[0]);
	close(fds[1]);
}

/* Nothing is known of them, and a host's bytes are anybody's. */
static void a_line_of_strangers(void **state)
{
	struct record record = record_of(NULL, "\xff\x1b[2J", 1, RECORD_CUT);
	char text[4096];
	struct tally *tally;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	tally = make_tally(fds[1]);
	record.reason = NULL;
	record.file = "x.json";
	record.start_ms = 0;
	tally_add(tally, &record);
	tally_free(tally); /* writes what is left */
	read_all(fds[0], text, sizeof(text));
	assert_non_null(strstr(text, "\"time\":\"1970-01-01T00:00:00.000Z\""));
	assert_non_null(strstr(text, "\"service\":null,\"user\":null,\"uid\":null"));
	assert_non_null(strstr(text, "\"host\":\"\xef\xbf\xbd\\u001b[2J\""));
	assert_non_null(strstr(text, "\"policy\":\"x.json\",\"add\":null"));
	assert_non_null(strstr(text, "\"verdict\":\"cut\",\"reason\":null,\"detail\":null"));
	close(fds[0]);
	close(fds[1]);
}

static size_t add_many(struct tally *tally, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char host[64];
		struct record record;

		snprintf(host, sizeof(host), "host-%zu.example", i);
		record = record_of("blog", host, 443, RECORD_ALLOWED);
		tally_add(tally, &record);
	}
	return n;
}

/* Each line whole; the sum of lines and of what others say that is missing. */
static void count_lines(char *text, size_t *ret_lines, size_t *ret_lost)
{
	char *line, *lost;

	*ret_lines = *ret_lost = 0;
	while ((line = strsep(&text, "\n")) && *line) {
		size_t n = strlen(line);

		assert_memory_equal(line, "{\"time\":\"", 9);
		assert_int_equal(line[n - 1], '}');
		lost = strstr(line, "\"lost\":");
		if (lost)
			*ret_lost += strtoull(lost + 7, NULL, 10);
		else
			++*ret_lines;
	}
}

/* Nobody reads, then somebody does: no time is lost, and what is missing is said. */
static void be_stuck(int reader, int writer)
{
	AUTO(mem) char *text = malloc(BYTES_MAX);
	struct tally *tally = make_tally(writer);
	int64_t start = clock_now_ms();
	size_t n = 0, lines, lost, sum = add_many(tally, MANY);

	turn();
	assert_true(clock_now_ms() - start < 2000);
	for (int i = 0; i < 1000; i++) {
		size_t got = read_all(reader, text + n, BYTES_MAX - n);

		n += got;
		turn();
		if (!got)
			break;
	}
	sum += add_many(tally, 5); /* it flows again */
	turn();
	n += read_all(reader, text + n, BYTES_MAX - n);
	count_lines(text, &lines, &lost);
	assert_true(lost > 0);
	assert_true(lines > 100);
	assert_int_equal(lines + lost, sum);
	tally_free(tally);
}

static void a_stuck_pipe(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	be_stuck(fds[0], fds[1]);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0); /* it is not only ours */
	close(fds[0]);
	close(fds[1]);
}

static void a_stuck_socket(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	be_stuck(fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
}

static void a_file(void **state)
{
	AUTO(mem) char *text = malloc(BYTES_MAX);
	char path[] = "/tmp/test-record-XXXXXX";
	int fd = mkstemp(path);
	struct tally *tally = make_tally(fd);
	size_t lines, lost;

	unlink(path);
	add_many(tally, MANY);
	turn();
	lseek(fd, 0, SEEK_SET);
	read_all(fd, text, BYTES_MAX);
	count_lines(text, &lines, &lost);
	assert_int_equal(lines, MANY);
	assert_int_equal(lost, 0);
	tally_free(tally);
	close(fd);
}

static void a_reader_who_is_gone(void **state)
{
	struct tally *tally;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	tally = make_tally(fds[1]);
	add_many(tally, 5);
	turn();
	close(fds[0]);
	add_many(tally, 1000);
	turn();
	turn();
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	tally_free(tally);
	close(fds[1]);
}

/* --- sums */

/* Takes them as the daemon does. */
static struct request take(struct tally *tally, size_t max_bytes, struct arena *arena)
{
	struct request request;
	const char *error = NULL;
	struct writer w;

	writer_init(&w, 64 * 1024);
	writer_begin(&w, '{');
	writer_put_text(&w, "call", "record");
	writer_key(&w, "records");
	writer_begin(&w, '[');
	tally_take(tally, &w, max_bytes);
	writer_end(&w, ']');
	writer_end(&w, '}');
	assert_false(w.failed);
	if (request_parse(w.bytes, w.n, arena, &request, &error) < 0)
		fail_msg("%s in %s", error, w.bytes);
	writer_done(&w);
	return request;
}

static void on_news(void *data)
{
	++*(int *)data;
}

static void what_is_alike_is_one(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct record records[] = { record_of("blog", "a.example", 443, RECORD_ALLOWED),
				    record_of("blog", "a.example", 443, RECORD_ALLOWED),
				    record_of("blog", "a.example", 443, RECORD_REFUSED),
				    record_of("blog", "a.example", 80, RECORD_ALLOWED),
				    record_of("erp", "a.example", 443, RECORD_ALLOWED),
				    record_of(NULL, "", 0, RECORD_REFUSED) };
	struct tally *tally = make_tally(open("/dev/null", O_WRONLY | O_CLOEXEC));
	struct request request;
	int n_news = 0;

	tally_on_news(tally, on_news, &n_news);
	assert_false(tally_has_news(tally));
	records[1].start_ms += 7000;
	records[2].line = 4;
	records[2].entry = "a.example";
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		tally_add(tally, &records[i]);
	assert_int_equal(n_news, 1);
	assert_true(tally_has_news(tally));
	request = take(tally, 60000, arena);
	assert_int_equal(request.n_records, 5);
	for (size_t i = 0; i < request.n_records; i++) {
		const struct request_record *r = &request.records[i];
		bool is_first = r->service && strcmp(r->service, "blog") == 0 && r->port == 443 &&
				r->verdict == RECORD_ALLOWED;

		assert_int_equal(r->count, is_first ? 2 : 1);
		assert_int_equal(r->sent, is_first ? 20 : 10);
		assert_int_equal(r->received, is_first ? 40 : 20);
		assert_int_equal(r->first, 1769860800);
		assert_int_equal(r->last, is_first ? 1769860809 : 1769860802);
		if (r->verdict == RECORD_REFUSED && r->service) {
			assert_int_equal(r->line, 4);
			assert_string_equal(r->entry, "a.example");
			assert_string_equal(r->reason, "listed");
		}
	}
	assert_false(tally_has_news(tally));
	tally_add(tally, &records[0]);
	assert_int_equal(n_news, 2);
	assert_int_equal(take(tally, 60000, arena).n_records, 1);
	tally_free(tally);
}

/* In portions, and nothing is lost but names. */
static void more_than_there_is_room_for(void **state)
{
	enum { N = 5000, SERVICES = 700 };
	struct tally *tally = make_tally(open("/dev/null", O_WRONLY | O_CLOEXEC));
	int64_t sum = 0, named = 0;
	unsigned n_calls = 0;

	for (int i = 0; i < N; i++) {
		char host[64], service[32];
		struct record record;

		snprintf(host, sizeof(host), "host-%d.example", i);
		snprintf(service, sizeof(service), "s%d", i % SERVICES);
		record = record_of(service, host, 443, RECORD_REFUSED);
		tally_add(tally, &record);
	}
	for (; tally_has_news(tally); n_calls++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct request request = take(tally, 20000, arena);

		for (size_t i = 0; i < request.n_records; i++) {
			sum += request.records[i].count;
			named += request.records[i].host ? request.records[i].count : 0;
		}
	}
	assert_true(n_calls > 5);
	assert_int_equal(sum, N);
	assert_int_equal(named, 1024);
	tally_free(tally);
}

static void a_row_larger_than_the_call(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct record record = record_of("blog", "a.example", 443, RECORD_FAILED);
	struct tally *tally = make_tally(open("/dev/null", O_WRONLY | O_CLOEXEC));

	tally_add(tally, &record);
	assert_int_equal(take(tally, 1, arena).n_records, 1);
	assert_false(tally_has_news(tally));
	tally_free(tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_in_full),
		cmocka_unit_test(a_line_of_strangers),
		cmocka_unit_test(a_stuck_pipe),
		cmocka_unit_test(a_stuck_socket),
		cmocka_unit_test(a_file),
		cmocka_unit_test(a_reader_who_is_gone),
		cmocka_unit_test(what_is_alike_is_one),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(a_row_larger_than_the_call),
	};

	return cmocka_run_group_tests(tests, make_base, free_base);
}
