/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-link.c - the proxy's calls, to a daemon that answers, holds, ends, comes back and talks
 * nonsense. The daemon is in the same event loop.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/daemon/link.h"
#include "wire/frame.h"

enum { PATIENCE_MS = 5000, PAUSE_MS = 200 };

static struct event_base *base;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

/* --- the daemon */

static struct daemon {
	int fd;
	struct event *event;
	const char *payload; /* for "lists"; NULL: held */
	const char *error;   /* instead */
	const char *raw;     /* instead, without a frame */
	size_t n_raw;
	const char *record_error;
	bool is_deaf; /* to records: hangs up */
	int held;
	unsigned n_lists, n_records;
	json_t *last; /* request */
	json_int_t n_counted;
} daemon_;

static void put(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	fcntl(fd, F_SETFL, 0);
	while (n) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += sent;
		n -= (size_t)sent;
	}
}

static void put_frame(int fd, const char *text)
{
	uint8_t header[FRAME_HEADER];

	frame_put_length(header, (uint32_t)strlen(text));
	put(fd, header, sizeof(header));
	put(fd, text, strlen(text));
}

static void answer(int fd, const char *payload, const char *error)
{
	if (daemon_.raw)
		put(fd, daemon_.raw, daemon_.n_raw);
	else if (error)
		put_frame(fd, error);
	else {
		put_frame(fd, "");
		put_frame(fd, payload);
	}
	close(fd);
}

static json_t *take_request(int fd)
{
	uint8_t header[FRAME_HEADER];
	AUTO(mem) char *text = NULL;
	uint32_t n;

	assert_int_equal(recv(fd, header, sizeof(header), MSG_WAITALL), sizeof(header));
	n = frame_get_length(header);
	assert_true(n <= FRAME_REQUEST_MAX);
	text = malloc(n);
	assert_int_equal(recv(fd, text, n, MSG_WAITALL), n);
	return json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
}

static void take_records(int fd)
{
	const json_t *record;
	size_t i;

	daemon_.n_records++;
	if (daemon_.is_deaf) {
		close(fd);
		return;
	}
	json_array_foreach(json_object_get(daemon_.last, "records"), i, record)
		daemon_.n_counted += json_integer_value(json_object_get(record, "count"));
	answer(fd, "{}", daemon_.record_error);
}

static void on_client(evutil_socket_t listener, short what, void *data)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	const char *call;

	json_decref(daemon_.last);
	daemon_.last = take_request(fd);
	call = json_string_value(json_object_get(daemon_.last, "call"));
	assert_non_null(call);
	if (strcmp(call, "record") == 0) {
		take_records(fd);
		return;
	}
	assert_string_equal(call, "lists");
	daemon_.n_lists++;
	if (daemon_.payload || daemon_.error || daemon_.raw) {
		answer(fd, daemon_.payload, daemon_.error);
		daemon_.payload = NULL; /* once */
		return;
	}
	fd_close(daemon_.held);
	daemon_.held = fd;
}

static void daemon_start(void)
{
	unlink(address.sun_path);
	daemon_.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(daemon_.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(daemon_.fd, 8), 0);
	daemon_.event = event_new(base, daemon_.fd, EV_READ | EV_PERSIST, on_client, NULL);
	event_add(daemon_.event, NULL);
}

static void daemon_end(void)
{
	if (daemon_.event)
		event_free(daemon_.event);
	fd_close(daemon_.fd);
	fd_close(daemon_.held);
	json_decref(daemon_.last);
	unlink(address.sun_path);
	daemon_ = (struct daemon){ .fd = -1, .held = -1 };
}

/* Something changed: the held call is answered. */
static void daemon_tell(const char *payload)
{
	assert_true(daemon_.held >= 0);
	answer(daemon_.held, payload, NULL);
	daemon_.held = -1;
}

/* --- the proxy */

static struct link_options link_options;
static struct link *link_;
static struct tally *tally;
static unsigned n_told;
static uint64_t told_generation;

static void on_lists(void *data, const struct lists *lists)
{
	n_told++;
	told_generation = lists_generation(lists);
}

static int set_up(void **state)
{
	struct link_options options = { .on_lists = on_lists,
					.control = address.sun_path,
					.pause_ms = PAUSE_MS };

	daemon_ = (struct daemon){ .fd = -1, .held = -1 };
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-link-%d", getpid());
	n_told = 0;
	told_generation = 0;
	base = options.base = event_base_new();
	tally_new(base, open("/dev/null", O_WRONLY | O_CLOEXEC), &tally);
	options.tally = tally;
	link_options = options;
	return 0;
}

static void start(void)
{
	assert_int_equal(link_new(&link_options, &link_), 0);
}

static int tear_down(void **state)
{
	link_free(TAKE(link_));
	tally_free(tally);
	daemon_end();
	event_base_free(base);
	return 0;
}

static void on_time(evutil_socket_t fd, short what, void *data)
{
	event_base_loopbreak(base);
}

static void run_ms(int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };
	struct event *timer = evtimer_new(base, on_time, NULL);

	event_add(timer, &t);
	event_base_dispatch(base);
	event_free(timer);
}

/* Says how long it took. */
static int64_t run_until(bool (*is_so)(void))
{
	int64_t start = clock_now_ms();

	while (!is_so()) {
		if (clock_now_ms() - start > PATIENCE_MS)
			fail_msg("waited in vain: %s", link_trouble(link_));
		run_ms(5);
	}
	return clock_now_ms() - start;
}

#define LISTS(N)                                                                                   \
	"{\"generation\":" N ",\"services\":[{\"service\":\"a\",\"file\":\"a.json\",\"mode\":"     \
	"\"enforce\",\"uids\":[],\"hash\":\"0000000000000001\",\"hosts\":[],\"lines\":[]}]}"

static bool is_told_5(void)
{
	return told_generation == 5;
}

static bool is_told_6(void)
{
	return told_generation == 6;
}

static bool is_held(void)
{
	return daemon_.held >= 0;
}

static bool has_counted_3(void)
{
	return daemon_.n_counted >= 3;
}

static bool has_reported_twice(void)
{
	return daemon_.n_records >= 2;
}

static json_int_t asked_generation(void)
{
	return json_integer_value(json_object_get(daemon_.last, "generation"));
}

static void get_lists(void)
{
	daemon_.payload = LISTS("5");
	daemon_start();
	start();
	run_until(is_told_5);
	run_until(is_held);
}

/* --- lists */

static void lists_come_as_they_change(void **state)
{
	get_lists();
	assert_int_equal(asked_generation(), 5);
	assert_int_equal(lists_count(link_lists(link_)), 1);
	daemon_tell(LISTS("6"));
	assert_true(run_until(is_told_6) < 50);
	run_until(is_held);
	assert_int_equal(asked_generation(), 6);
	assert_int_equal(n_told, 2);
	assert_int_equal(lists_generation(link_lists(link_)), 6);
}

static void one_call_is_enough(void **state)
{
	get_lists();
	run_ms(200);
	assert_int_equal(daemon_.n_lists, 2);
}

/* Answers at once, again and again. */
static void a_daemon_that_changes_all_the_time(void **state)
{
	int64_t end = clock_now_ms() + 400;

	daemon_start();
	start();
	while (clock_now_ms() < end) {
		daemon_.payload = LISTS("5");
		run_ms(1);
	}
	assert_in_range(daemon_.n_lists, 2, 10);
}

static void no_daemon(void **state)
{
	start();
	assert_non_null(strstr(link_trouble(link_), "not said yet"));
	run_ms(20);
	assert_non_null(strstr(link_trouble(link_), "does not run"));
	assert_null(link_lists(link_));
}

static void the_daemon_comes_back(void **state)
{
	get_lists();
	daemon_end();
	run_ms(20);
	assert_non_null(strstr(link_trouble(link_), "has hung up"));
	run_ms(PAUSE_MS);
	assert_int_equal(lists_generation(link_lists(link_)), 5);
	assert_non_null(strstr(link_trouble(link_), "does not run"));
	daemon_start();
	run_until(is_held);
	assert_int_equal(asked_generation(), 5);
	daemon_tell(LISTS("6"));
	run_until(is_told_6);
}

static void there_are_pauses(void **state)
{
	daemon_.error = "no\nway";
	daemon_start();
	start();
	run_ms(2 * PAUSE_MS + PAUSE_MS / 2);
	assert_in_range(daemon_.n_lists, 2, 3);
	assert_string_equal(link_trouble(link_), "uidwalld says: no\\x0away");
}

static void nonsense_leaves_the_old_lists(void **state)
{
	static const char empty[] = "\0\0\0\0\0\0\0\0", huge[] = "\0\0\0\0\xff\xff\xff\xff",
			  loud[] = "\xff\0\0\0", short_[] = "\0\0\0\0\0\0\0\5{}";
	static const struct {
		const char *bytes;
		size_t n;
		const char *trouble;
	} cases[] = {
		{ empty, 8, "make no sense" }, { huge, 8, "not uidwalld" },
		{ loud, 4, "not uidwalld" },   { short_, 10, "hung up" },
		{ short_, 3, "hung up" },
	};

	get_lists();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		daemon_.raw = cases[i].bytes;
		daemon_.n_raw = cases[i].n;
		daemon_tell(NULL);
		run_ms(20);
		if (!strstr(link_trouble(link_), cases[i].trouble))
			fail_msg("%s in %s", cases[i].trouble, link_trouble(link_));
		assert_int_equal(lists_generation(link_lists(link_)), 5);
		daemon_.raw = NULL;
		run_until(is_held);
		/* what was not understood is asked for as a whole */
		assert_int_equal(asked_generation(), i ? 5 : 0);
	}
	assert_int_equal(n_told, 1);
}

/* Hosts that it leaves out although they are not known. */
static void lists_that_do_not_fit(void **state)
{
	get_lists();
	daemon_tell("{\"generation\":6,\"services\":[{\"service\":\"a\",\"file\":\"a\",\"mode\":"
		    "\"enforce\",\"hash\":\"0000000000000002\"}]}");
	daemon_.payload = LISTS("6");
	run_until(is_told_6);
	assert_int_equal(daemon_.n_lists, 3);
}

/* --- records */

static void add_record(void)
{
	struct record record = { .start_ms = 1769860800000,
				 .service = "a",
				 .host = "a.example",
				 .uid = -1,
				 .port = 443 };

	tally_add(tally, &record);
}

static void records_go_after_a_pause(void **state)
{
	int64_t ms;

	get_lists();
	add_record();
	add_record();
	add_record();
	ms = run_until(has_counted_3);
	assert_in_range(ms, PAUSE_MS - 20, PAUSE_MS + 400);
	assert_int_equal(daemon_.n_records, 1);
	run_ms(PAUSE_MS + 50);
	assert_int_equal(daemon_.n_records, 1); /* there is no news */
}

static void records_wait_for_the_daemon(void **state)
{
	get_lists();
	add_record();
	add_record();
	daemon_.is_deaf = true;
	run_until(has_reported_twice);
	add_record();
	daemon_.is_deaf = false;
	run_until(has_counted_3);
	assert_int_equal(daemon_.n_counted, 3);
}

static void records_that_nobody_wants(void **state)
{
	get_lists();
	daemon_.record_error = "not now";
	add_record();
	run_ms(3 * PAUSE_MS);
	assert_int_equal(daemon_.n_records, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_come_as_they_change),
		TEST(one_call_is_enough),
		TEST(a_daemon_that_changes_all_the_time),
		TEST(no_daemon),
		TEST(the_daemon_comes_back),
		TEST(there_are_pauses),
		TEST(nonsense_leaves_the_old_lists),
		TEST(lists_that_do_not_fit),
		TEST(records_go_after_a_pause),
		TEST(records_wait_for_the_daemon),
		TEST(records_that_nobody_wants),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("test-link");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
