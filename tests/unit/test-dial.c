/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-dial.c - connections to one address and to several, to servers that listen, refuse or stay
 * silent; all on loopback.
 */
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include <cmocka.h>

#include "proxy/out/dial.h"

enum { TIMEOUT_MS = 400, FILLERS = 8 };

static struct event_base *base;
static struct dialer *dialer;
static struct dial_result last;
static unsigned n_results;

static struct prefix address(const char *text)
{
	struct prefix found;

	assert_int_equal(parse_address(text, &found), 0);
	return found;
}

/* A listening socket on 127.0.0.1 or ::1, and its port. */
static int listen_at(int family, int backlog, uint16_t *port)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(*port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr *to = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t n = family == AF_INET ? sizeof(v4) : sizeof(v6);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, to, n), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, to, &n), 0);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static void on_result(void *data, const struct dial_result *result)
{
	struct dial **dial = data;

	*dial = NULL;
	last = *result;
	n_results++;
	event_base_loopbreak(base);
}

/* Until it is done; the time limit is the dialer's. */
static void connect_to(const struct prefix *addresses, size_t n, uint16_t port)
{
	const struct dial_target target = { .addresses = addresses,
					    .n_addresses = n,
					    .port = port };
	struct dial *dial;

	n_results = 0;
	last = (struct dial_result){ .fd = -1 };
	assert_int_equal(dial_start(dialer, &target, on_result, &dial, &dial), 0);
	while (n_results == 0)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(n_results, 1);
	assert_null(dial);
}

static void assert_connected(const char *to)
{
	struct prefix expected = address(to);
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer);

	assert_true(last.fd >= 0);
	assert_int_equal(getpeername(last.fd, (void *)&peer, &n), 0);
	assert_memory_equal(&last.address, &expected, sizeof(expected));
	/* libcurl has let go of it: it is still the same after more connections. */
	assert_int_equal(send(last.fd, "x", 1, MSG_NOSIGNAL), 1);
	close(last.fd);
}

static void test_listens(void **state)
{
	struct prefix both[] = { address("::1"), address("127.0.0.1") };
	uint16_t port = 0;
	int v4 = listen_at(AF_INET, 16, &port), v6;

	for (unsigned i = 0; i < 3; i++) {
		connect_to(&both[1], 1, port);
		assert_connected("127.0.0.1");
	}
	/* Only one of them answers. */
	connect_to(both, 2, port);
	assert_connected("127.0.0.1");
	v6 = listen_at(AF_INET6, 16, &port);
	for (unsigned i = 0; i < 3; i++) {
		connect_to(both, 2, port);
		assert_connected("::1");
		connect_to(both, 1, port);
		assert_connected("::1");
	}
	close(v4);
	close(v6);
}

static void test_refuses(void **state)
{
	struct prefix some[] = { address("127.0.0.3"), address("127.0.0.2"), address("127.0.0.1") };
	uint16_t port = 0;
	int fd = listen_at(AF_INET, 16, &port);

	connect_to(some, 1, port);
	assert_int_equal(last.fd, -1);
	assert_int_equal(last.error, -ECONNREFUSED);
	assert_string_equal(last.words, strerror(ECONNREFUSED));
	connect_to(some, 2, port);
	assert_int_equal(last.fd, -1);
	assert_int_equal(last.error, -ECONNREFUSED);
	connect_to(some, 3, port);
	assert_connected("127.0.0.1");
	close(fd);
}

/* A full queue answers nobody. */
static void test_silent(void **state)
{
	struct prefix some[] = { address("127.0.0.1"), address("127.0.0.1") };
	int fillers[FILLERS], fd;
	uint16_t port = 0;

	fd = listen_at(AF_INET, 0, &port);
	for (unsigned i = 0; i < FILLERS; i++) {
		struct sockaddr_in to = {
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr = { htonl(INADDR_LOOPBACK) },
		};

		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(connect(fillers[i], (void *)&to, sizeof(to)) == 0 ||
			    errno == EINPROGRESS);
	}
	connect_to(some, 1, port);
	assert_int_equal(last.error, -ETIMEDOUT);
	connect_to(some, 2, port);
	assert_int_equal(last.error, -ETIMEDOUT);
	for (unsigned n = 1; n <= 2; n++) {
		const struct dial_target target = { .addresses = some,
						    .n_addresses = n,
						    .port = port };
		struct dial *dial;

		n_results = 0;
		assert_int_equal(dial_start(dialer, &target, on_result, &dial, &dial), 0);
		assert_non_null(dial);
		dial_cancel(dial);
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(n_results, 0);
	}
	for (unsigned i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(fd);
}

static void test_no_address(void **state)
{
	const struct dial_target target = { .port = 1 };
	struct dial *dial = NULL;

	assert_int_equal(dial_start(dialer, &target, on_result, &dial, &dial), -EINVAL);
}

static int set_up(void **state)
{
	base = event_base_new();
	return curl_global_init(CURL_GLOBAL_NOTHING) ||
	       dialer_new(&(struct dialer_options){ .base = base, .timeout_ms = TIMEOUT_MS },
			  &dialer);
}

static int tear_down(void **state)
{
	dialer_free(dialer);
	event_base_free(base);
	curl_global_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listens),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
