/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-server.c - the server of the control socket against clients of all kinds, ours among them.
 *
 * The server runs in a child, its clients here. SO_PASSRIGHTS, which keeps descriptors out on new
 * kernels, is left at its default, so that the way of older ones is seen.
 */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "runtime/server.h"
#include "wire/client.h"
#include "wire/frame.h"

enum {
	DEADLINE_MS = 600,
	SLOW_MS = 20,
	PATIENCE_MS = 20000,
	LARGE = 3 * 1024 * 1024,
	SOMEBODY = 12345
};

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static pid_t server_pid;

/* --- the server */

static struct server *server;

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* The third byte of the request says what is wanted: {"E... */
static int answer(void *data, const struct server_caller *caller, const char *request, size_t n,
		  struct writer *w, char **ret_error)
{
	const struct server_counts *counts = server_get_counts(server);
	static bool has_news;

	switch (n > 2 ? request[2] : '?') {
	case 'H': /* held until there is news */
		if (!has_news)
			return SERVER_HOLD;
		writer_text(w, "news");
		return 0;
	case 'N':
	case 'W':
		has_news = request[2] == 'N';
		server_wake(server);
		writer_text(w, "woken");
		return 0;
	case 'E':
		*ret_error = strdup("no such luck");
		return -ENOENT;
	case 'e':
		return -EIO; /* without a word */
	case 'S':
		usleep(SLOW_MS * 1000);
		writer_text(w, "slow");
		return 0;
	case 'X':
		w->failed = true;
		return 0;
	case 'L':
		writer_begin(w, '[');
		for (int i = 0; i < LARGE / 8; i++)
			writer_text(w, "12345");
		writer_end(w, ']');
		return 0;
	default:
		writer_begin(w, '{');
		writer_put_int(w, "n", (int64_t)n);
		writer_put_int(w, "uid", caller->uid);
		writer_put_int(w, "pid", caller->pid);
		writer_put_int(w, "descriptors", count_descriptors());
		writer_put_int(w, "refused", (int64_t)counts->refused);
		writer_put_int(w, "evicted", (int64_t)counts->evicted);
		writer_put_int(w, "late", (int64_t)counts->late);
		writer_put_int(w, "held", (int64_t)counts->held);
		writer_put_int(w, "released", counts->released);
		writer_end(w, '}');
		return 0;
	}
}

static void serve(int fd)
{
	struct server_options options = {
		.base = event_base_new(), .fd = fd, .deadline_ms = DEADLINE_MS, .answer = answer
	};

	if (!options.base || server_new(&options, &server) < 0)
		_exit(1);
	event_base_dispatch(options.base);
	_exit(0);
}

static int start_server(void **state)
{
	const int on = 1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-server-%d", getpid());
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 || listen(fd, 512) < 0)
		return -1;
	server_pid = fork();
	if (server_pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		serve(fd);
	}
	close(fd);
	return server_pid > 0 ? 0 : -1;
}

static int end_server(void **state)
{
	int status;

	kill(server_pid, SIGKILL);
	waitpid(server_pid, &status, 0);
	unlink(address.sun_path);
	/* It did not end before we ended it. */
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

/* --- clients */

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void put(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static void put_request(int fd, const char *text)
{
	uint8_t header[FRAME_HEADER];

	frame_put_length(header, (uint32_t)strlen(text));
	put(fd, header, sizeof(header));
	put(fd, text, strlen(text));
}

/* All that comes until the end; closes. */
static size_t drain(int fd, char *bytes, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n < max && (got = recv(fd, bytes + n, max - n, 0)) > 0)
		n += (size_t)got;
	close(fd);
	return n;
}

static void expect_error(int fd, const char *words)
{
	char bytes[4096];
	size_t n = drain(fd, bytes, sizeof(bytes) - 1);

	bytes[n] = '\0';
	assert_true(n > FRAME_HEADER);
	assert_int_equal(frame_get_length((uint8_t *)bytes), n - FRAME_HEADER);
	if (!strstr(bytes + FRAME_HEADER, words))
		fail_msg("expected \"%s\", got \"%s\"", words, bytes + FRAME_HEADER);
}

static json_t *ask(const char *text)
{
	json_t *request = json_pack("{s:i}", text, 1), *got = NULL;
	char *error = NULL;
	int r;

	r = client_call(address.sun_path, request, PATIENCE_MS, &got, &error);
	if (r < 0)
		fail_msg("%d: %s", r, error);
	json_decref(request);
	free(error);
	return got;
}

static json_int_t ask_number(const char *name)
{
	json_t *got = ask("?");
	json_int_t n = json_integer_value(json_object_get(got, name));

	json_decref(got);
	return n;
}

static void answers(void **state)
{
	json_t *got = ask("hello");

	assert_int_equal(json_integer_value(json_object_get(got, "n")), 11);
	assert_int_equal(json_integer_value(json_object_get(got, "uid")), getuid());
	assert_int_equal(json_integer_value(json_object_get(got, "pid")), getpid());
	json_decref(got);
}

static void answers_in_pieces(void **state)
{
	static const uint8_t frame[] = { 0, 0, 0, 3, '?', '?', '?' };
	int fd = dial();
	char bytes[512];
	size_t n;

	for (size_t i = 0; i < sizeof(frame); i++) {
		put(fd, frame + i, 1);
		usleep(5000);
	}
	n = drain(fd, bytes, sizeof(bytes));
	assert_true(n > 2 * FRAME_HEADER);
	assert_int_equal(frame_get_length((uint8_t *)bytes), 0);
	assert_int_equal(frame_get_length((uint8_t *)bytes + FRAME_HEADER), n - 2 * FRAME_HEADER);
}

static void errors_are_never_empty(void **state)
{
	int fd = dial();

	put_request(fd, "{\"E");
	expect_error(fd, "no such luck");
	fd = dial();
	put_request(fd, "{\"e");
	expect_error(fd, "failed");
	fd = dial();
	put_request(fd, "{\"X");
	expect_error(fd, "too large");
}

static void refuses_lengths(void **state)
{
	static const uint8_t lengths[][FRAME_HEADER] = { { 255, 255, 255, 255 },
							 { 0, 1, 0, 1 },
							 { 128, 0, 0, 0 } };
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = dial();
		put(fd, lengths[i], FRAME_HEADER);
		expect_error(fd, "larger than 65536");
	}
	fd = dial();
	put(fd, "\0\0\0\0", FRAME_HEADER);
	expect_error(fd, "empty");
}

static void takes_the_largest(void **state)
{
	static char text[FRAME_REQUEST_MAX + 1];
	int fd = dial();
	char bytes[512];

	memset(text, '?', FRAME_REQUEST_MAX);
	put_request(fd, text);
	assert_true(drain(fd, bytes, sizeof(bytes)) > 2 * FRAME_HEADER);
	assert_non_null(memmem(bytes, sizeof(bytes), "\"n\":65536", 9));
}

static void cuts_off_who_does_not_ask(void **state)
{
	json_int_t late = ask_number("late");
	int quiet = dial(), half = dial(), body = dial();

	put(half, "\0", 1);
	put(body, "\0\0\0\x09{", 5);
	expect_error(quiet, "in time");
	expect_error(half, "in time");
	expect_error(body, "in time");
	assert_int_equal(ask_number("late"), late + 3);
}

static void cuts_off_who_does_not_read(void **state)
{
	json_int_t late = ask_number("late");
	int fd = dial();

	put_request(fd, "{\"L");
	for (int i = 0; i < 200 && ask_number("late") == late; i++)
		usleep(20000);
	assert_int_equal(ask_number("late"), late + 1);
	close(fd);
}

static void answers_large(void **state)
{
	char *bytes = malloc(LARGE + 100);
	int fd = dial();
	size_t n;

	assert_non_null(bytes);
	put_request(fd, "{\"L");
	n = drain(fd, bytes, LARGE + 100);
	assert_int_equal(frame_get_length((uint8_t *)bytes + FRAME_HEADER), n - 2 * FRAME_HEADER);
	assert_int_equal(n - 2 * FRAME_HEADER, LARGE / 8 * 8 + 1);
	free(bytes);
}

static void who_hangs_up_is_forgotten(void **state)
{
	json_int_t before = ask_number("descriptors");

	for (int i = 0; i < 100; i++) {
		int fd = dial();

		if (i % 4 == 1)
			put(fd, "\0\0", 2);
		if (i % 4 == 2)
			put_request(fd, "?");
		if (i % 4 == 3)
			put_request(fd, "{\"L");
		close(fd);
	}
	for (int i = 0; i < 100 && ask_number("descriptors") > before; i++)
		usleep(20000);
	assert_int_equal(ask_number("descriptors"), before);
}

static void send_descriptors(int fd, int n)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(100 * sizeof(int))];
	} control = { .bytes = { 0 } };
	char text[] = "\0\0\0\1?";
	struct iovec part = { text, 5 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int *fds = (int *)CMSG_DATA(header);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		fds[i] = STDERR_FILENO;
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), 5);
}

static void takes_no_descriptors(void **state)
{
	json_int_t before = ask_number("descriptors"), refused = ask_number("refused");
	static const int numbers[] = { 1, 2, 3, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int fd = dial();

		send_descriptors(fd, numbers[i]);
		expect_error(fd, "descriptors are not taken");
	}
	assert_int_equal(ask_number("refused"), refused + 4);
	assert_int_equal(ask_number("descriptors"), before);
}

/* Another process sends on a connection of ours. */
static void refuses_other_senders(void **state)
{
	int fd = dial(), status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(send(fd, "\0\0\0\1?", 5, MSG_NOSIGNAL) != 5);
	}
	waitpid(pid, &status, 0);
	expect_error(fd, "not who connected");
	fd = dial();
	put(fd, "\0\0", 2); /* begun by us, ended by another */
	pid = fork();
	if (pid == 0) {
		_exit(send(fd, "\0\1?", 3, MSG_NOSIGNAL) != 3);
	}
	waitpid(pid, &status, 0);
	expect_error(fd, "not who connected");
}

/* A connection more than allowed costs this user its oldest. */
static void evicts_the_oldest(void **state)
{
	json_int_t evicted = ask_number("evicted");
	int fds[SERVER_SLOTS_EACH + 1];

	for (int i = 0; i <= SERVER_SLOTS_EACH; i++)
		fds[i] = dial();
	expect_error(fds[0], "the oldest");
	put_request(fds[SERVER_SLOTS_EACH], "{\"E");
	expect_error(fds[SERVER_SLOTS_EACH], "no such luck");
	for (int i = 1; i < SERVER_SLOTS_EACH; i++)
		close(fds[i]);
	assert_int_equal(ask_number("evicted"), evicted + 1);
}

static void expect_text(int fd, const char *text)
{
	char bytes[512];
	size_t n = drain(fd, bytes, sizeof(bytes) - 1);

	bytes[n] = '\0';
	assert_true(n > 2 * FRAME_HEADER);
	assert_string_equal(bytes + 2 * FRAME_HEADER, text);
}

static int hold(void)
{
	json_int_t held = ask_number("held");
	int fd = dial();

	put_request(fd, "{\"H");
	for (int i = 0; i < 200 && ask_number("held") == held; i++)
		usleep(1000);
	return fd;
}

static void wake(const char *how)
{
	int fd = dial();

	put_request(fd, how);
	expect_text(fd, "\"woken\"");
}

/* Longer than any deadline, and also where it is asked in vain. */
static void held_until_there_is_news(void **state)
{
	int fd = hold(), other = hold();
	char byte;

	assert_int_equal(ask_number("held"), 2);
	wake("{\"W");
	usleep((DEADLINE_MS + 200) * 1000);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(ask_number("held"), 2);
	wake("{\"N");
	expect_text(fd, "\"news\"");
	expect_text(other, "\"news\"");
	wake("{\"W");
	assert_int_equal(ask_number("held"), 0);
	assert_in_range(ask_number("released"), time(NULL) - 2, time(NULL));
}

static void holds_only_some(void **state)
{
	json_int_t before = ask_number("descriptors");
	int first = hold(), second = hold(), third = dial();

	put_request(third, "{\"H");
	expect_error(first, "in its place");
	assert_int_equal(ask_number("held"), SERVER_HELD_EACH);
	close(second);
	put(third, "?", 1); /* it has said all that there was to say */
	for (int i = 0; i < 100 && ask_number("held") > 0; i++)
		usleep(20000);
	assert_int_equal(ask_number("held"), 0);
	close(third);
	assert_int_equal(ask_number("descriptors"), before);
}

/* All at once, each is answered; those that come after the slow ones have filled the time wait. */
static void slow_calls_are_answered(void **state)
{
	enum { N = SERVER_SLOTS_EACH };
	int fds[N];
	char bytes[64];

	for (int i = 0; i < N; i++) {
		fds[i] = dial();
		put_request(fds[i], i % 4 ? "{\"S" : "{\"E");
	}
	for (int i = 0; i < N; i++)
		if (i % 4)
			assert_int_equal(drain(fds[i], bytes, sizeof(bytes)), 2 * FRAME_HEADER + 6);
		else
			expect_error(fds[i], "no such luck");
}

/* --- our client against servers that are none */

static void client_without_server(void **state)
{
	json_t *request = json_object(), *got = NULL;
	char *error = NULL;

	assert_int_equal(client_call("/nonexistent/socket", request, 1000, &got, &error), -ENOENT);
	assert_true(client_is_unreachable(-ENOENT));
	assert_non_null(strstr(error, "does not run"));
	free(error);
	json_decref(request);
}

struct odd_server {
	const char *bytes;
	size_t n;
	int r;
};

static void client_with_odd_servers(void **state)
{
	static const struct odd_server cases[] = {
		{ "", 0, -ECONNRESET },
		{ "\0\0\0\0", 4, -ECONNRESET },
		{ "\0\0\0\0\0\0\0\2{", 9, -ECONNRESET },
		{ "\0\0\0\0\0\0\0\1{", 9, -EPROTO },
		{ "\0\0\0\0\0\0\0\0", 8, -EPROTO },
		{ "\xff\xff\xff\xff", 4, -EPROTO },
		{ "\0\0\0\3no\x1b", 7, -EREMOTEIO },
		{ "\0\0\0\0\0\0\0\2{}", 10, 0 },
	};
	char path[] = "/tmp/test-client-XXXXXX";
	struct sockaddr_un odd = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(mkdtemp(path));
	snprintf(odd.sun_path, sizeof(odd.sun_path), "%s/s", path);
	assert_int_equal(bind(listener, (struct sockaddr *)&odd, sizeof(odd)), 0);
	assert_int_equal(listen(listener, 8), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *request = json_object(), *got = NULL;
		char *error = NULL;
		pid_t pid = fork();
		int r, status;

		if (pid == 0) {
			char request_bytes[64];
			int fd = accept(listener, NULL, NULL);

			_exit(recv(fd, request_bytes, sizeof(request_bytes), 0) <= 0 ||
			      send(fd, cases[i].bytes, cases[i].n, MSG_NOSIGNAL) < 0);
		}
		r = client_call(odd.sun_path, request, PATIENCE_MS, &got, &error);
		if (r != cases[i].r)
			fail_msg("case %zu: %d %s", i, r, error);
		assert_true((r == 0) == (got != NULL) && (r == 0) == (error == NULL));
		if (r == -EREMOTEIO)
			assert_string_equal(error, "no\\x1b");
		waitpid(pid, &status, 0);
		json_decref(got);
		json_decref(request);
		free(error);
	}
	/* It accepts nothing more: the client waits as long as it was told. */
	json_t *request = json_object(), *got = NULL;
	char *error = NULL;

	assert_int_equal(client_call(odd.sun_path, request, 100, &got, &error), -ETIMEDOUT);
	free(error);
	json_decref(request);
	close(listener);
	unlink(odd.sun_path);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(answers_in_pieces),
		cmocka_unit_test(errors_are_never_empty),
		cmocka_unit_test(refuses_lengths),
		cmocka_unit_test(takes_the_largest),
		cmocka_unit_test(cuts_off_who_does_not_ask),
		cmocka_unit_test(cuts_off_who_does_not_read),
		cmocka_unit_test(answers_large),
		cmocka_unit_test(who_hangs_up_is_forgotten),
		cmocka_unit_test(takes_no_descriptors),
		cmocka_unit_test(refuses_other_senders),
		cmocka_unit_test(evicts_the_oldest),
		cmocka_unit_test(held_until_there_is_news),
		cmocka_unit_test(holds_only_some),
		cmocka_unit_test(slow_calls_are_answered),
		cmocka_unit_test(client_without_server),
		cmocka_unit_test(client_with_odd_servers),
	};

	/* Root has privileges here. */
	if (getuid() == 0 && (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
			      setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0))
		return 77;
	return cmocka_run_group_tests_name("server", tests, start_server, end_server);
}
