/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-resolve.c - the proxy's resolver against a name server of ours, which runs in the same loop
 * and has a way of its own to answer for each name. Time is pushed on by hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proxy/resolve/resolve.h"

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TIMEOUT_MS = 700, PACKET_MAX = 8192 };

int64_t __real_clock_now_ms(void);
int64_t __wrap_clock_now_ms(void);

static int64_t skipped_ms;

int64_t __wrap_clock_now_ms(void)
{
	return __real_clock_now_ms() + skipped_ms;
}

/* --- a name server */

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t n;
};

struct question {
	char name[256];
	int type;
	size_t end; /* in the packet */
};

struct peer {
	int fd;
	struct sockaddr_storage address;
	socklen_t length;
	bool is_tcp;
};

static struct event_base *base;
static struct event *udp_event, *tcp_event;
static uint16_t server_port;
static unsigned n_asked, n_by_tcp;
static uint16_t ports[4096];
static size_t n_ports;

static void put(struct packet *packet, const void *bytes, size_t n)
{
	assert_true(packet->n + n <= PACKET_MAX);
	memcpy(packet->bytes + packet->n, bytes, n);
	packet->n += n;
}

static void put16(struct packet *packet, unsigned value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(packet, bytes, sizeof(bytes));
}

static void put_name(struct packet *packet, const char *name)
{
	while (*name) {
		uint8_t n = (uint8_t)strcspn(name, ".");

		put(packet, &n, 1);
		put(packet, name, n);
		name += n + (name[n] == '.');
	}
	put(packet, "", 1);
}

static void put_record(struct packet *packet, const char *name, int type, uint32_t ttl,
		       const void *data, size_t n)
{
	put_name(packet, name);
	put16(packet, (unsigned)type);
	put16(packet, 1);
	put16(packet, ttl >> 16);
	put16(packet, ttl & 0xffff);
	put16(packet, (unsigned)n);
	put(packet, data, n);
	packet->bytes[7]++; /* answers, fewer than 256 */
}

/* 192.0.2.number or 2001:db8::number, whatever is asked for. */
static void put_address(struct packet *packet, const struct question *q, const char *name,
			uint32_t ttl, uint8_t number)
{
	const uint8_t v4[] = { 192, 0, 2, number };
	const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = number };

	if (q->type == TYPE_A)
		put_record(packet, name, TYPE_A, ttl, v4, sizeof(v4));
	else
		put_record(packet, name, TYPE_AAAA, ttl, v6, sizeof(v6));
}

static void put_alias(struct packet *packet, const char *name, const char *target, uint32_t ttl)
{
	struct packet data = { .n = 0 };

	put_name(&data, target);
	put_record(packet, name, TYPE_CNAME, ttl, data.bytes, data.n);
}

static struct question read_question(const uint8_t *bytes, size_t n)
{
	struct question q = { .end = 12 };
	size_t at = 0;

	while (q.end < n && bytes[q.end]) {
		memcpy(q.name + at, bytes + q.end + 1, bytes[q.end]);
		at += bytes[q.end];
		q.name[at++] = '.';
		q.end += bytes[q.end] + 1u;
	}
	q.name[at ? at - 1 : 0] = '\0';
	q.type = bytes[q.end + 1] << 8 | bytes[q.end + 2];
	q.end += 5;
	return q;
}

static struct packet begin(const uint8_t *bytes, const struct question *q, unsigned rcode)
{
	struct packet packet = { .n = 0 };
	const uint8_t header[] = { bytes[0], bytes[1], 0x81, (uint8_t)(0x80 | rcode), 0, 1, 0, 0, 0,
				   0,	     0,	       0 };

	put(&packet, header, sizeof(header));
	put(&packet, bytes + 12, q->end - 12);
	return packet;
}

static void answer(const struct peer *peer, const struct packet *packet)
{
	struct packet framed = { .n = 0 };

	if (!peer->is_tcp) {
		sendto(peer->fd, packet->bytes, packet->n, 0,
		       (const struct sockaddr *)&peer->address, peer->length);
		return;
	}
	put16(&framed, (unsigned)packet->n);
	put(&framed, packet->bytes, packet->n);
	assert_int_equal(send(peer->fd, framed.bytes, framed.n, MSG_NOSIGNAL), framed.n);
}

struct later {
	struct peer peer;
	struct packet packet;
};

static void on_later(evutil_socket_t fd, short events, void *data)
{
	struct later *later = data;

	answer(&later->peer, &later->packet);
	free(later);
}

static void answer_later(const struct peer *peer, const struct packet *packet, int ms)
{
	const struct timeval in = { .tv_usec = ms * 1000 };
	struct later *later = calloc(1, sizeof(*later));

	assert_non_null(later);
	*later = (struct later){ *peer, *packet };
	event_base_once(base, -1, EV_TIMEOUT, on_later, later, &in);
}

static void forge(const struct peer *peer, const uint8_t *bytes, const struct question *q)
{
	struct question other = *q;
	struct packet packet = begin(bytes, q, 0);

	packet.bytes[0] ^= 1; /* another ID */
	put_address(&packet, q, q->name, 60, 66);
	answer(peer, &packet);
	packet = begin(bytes, &other, 0); /* another question */
	packet.bytes[13] ^= 1;
	put_address(&packet, q, q->name, 60, 66);
	answer(peer, &packet);
	packet = (struct packet){ .n = 5 };
	answer(peer, &packet);
}

static void reply(const struct peer *peer, const uint8_t *bytes, size_t n)
{
	struct question q = read_question(bytes, n);
	struct packet packet = begin(bytes, &q, 0);
	bool is_v4 = q.type == TYPE_A;

	n_asked++;
	n_by_tcp += peer->is_tcp;
	assert_true(is_v4 || q.type == TYPE_AAAA);
	if (!strncmp(q.name, "silent", 6) || (!is_v4 && !strcmp(q.name, "half.test")))
		return;
	if (!strcmp(q.name, "none.test") || !strcmp(q.name, "fails.test")) {
		packet = begin(bytes, &q, q.name[0] == 'n' ? 3 : 2);
	} else if (!strcmp(q.name, "many.test")) {
		for (uint8_t i = 0; peer->is_tcp && i < 100; i++)
			put_address(&packet, &q, q.name, 60, i);
		packet.bytes[2] |= peer->is_tcp ? 0 : 2; /* truncated */
	} else if (!strcmp(q.name, "alias.test")) {
		put_alias(&packet, q.name, "second.test", 300);
		put_alias(&packet, "second.test", "third.test", 7);
		put_address(&packet, &q, "third.test", 600, 3);
	} else if (!strcmp(q.name, "dangling.test")) {
		put_alias(&packet, q.name, "nowhere.test", 300);
	} else if (!strcmp(q.name, "four.test")) {
		for (uint8_t i = 1; is_v4 && i <= 3; i++)
			put_address(&packet, &q, q.name, 60, i);
	} else if (!strcmp(q.name, "others.test")) {
		put_address(&packet, &q, "somebody.test", 60, 9);
	} else if (!strcmp(q.name, "zero.test") || !strcmp(q.name, "ages.test")) {
		put_address(&packet, &q, q.name, q.name[0] == 'z' ? 0 : 0x7fffffff, 1);
	} else if (!strcmp(q.name, "flip.test")) {
		put_address(&packet, &q, q.name, 20, (uint8_t)n_asked);
	} else if (!strcmp(q.name, "late.test") && !is_v4) {
		put_address(&packet, &q, q.name, 60, 1);
		answer_later(peer, &packet, 250);
		return;
	} else if (strcmp(q.name, "empty.test") != 0) {
		if (!strcmp(q.name, "forged.test"))
			forge(peer, bytes, &q);
		put_address(&packet, &q, q.name, 60, 1);
	}
	answer(peer, &packet);
}

static void on_udp(evutil_socket_t fd, short events, void *data)
{
	struct peer peer = { .fd = fd, .length = sizeof(peer.address) };
	uint8_t bytes[PACKET_MAX];
	ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer.address,
			     &peer.length);

	assert_true(n > 12);
	if (n_ports < ARRAY_SIZE(ports))
		ports[n_ports++] = ((struct sockaddr_in *)&peer.address)->sin_port;
	reply(&peer, bytes, (size_t)n);
}

struct tcp_peer {
	struct peer peer;
	struct event *event;
	uint8_t bytes[512];
	size_t n;
};

static void on_tcp_read(evutil_socket_t fd, short events, void *data)
{
	struct tcp_peer *tcp = data;
	ssize_t n = recv(fd, tcp->bytes + tcp->n, sizeof(tcp->bytes) - tcp->n, 0);
	size_t length;

	if (n <= 0) {
		event_free(tcp->event);
		close(fd);
		free(tcp);
		return;
	}
	tcp->n += (size_t)n;
	while (tcp->n >= 2 &&
	       (length = (size_t)(tcp->bytes[0] << 8 | tcp->bytes[1])) + 2 <= tcp->n) {
		reply(&tcp->peer, tcp->bytes + 2, length);
		tcp->n -= length + 2;
		memmove(tcp->bytes, tcp->bytes + length + 2, tcp->n);
	}
}

static void on_tcp_accept(evutil_socket_t fd, short events, void *data)
{
	struct tcp_peer *tcp = calloc(1, sizeof(*tcp));

	assert_non_null(tcp);
	tcp->peer = (struct peer){ .fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC), .is_tcp = true };
	tcp->event = event_new(base, tcp->peer.fd, EV_READ | EV_PERSIST, on_tcp_read, tcp);
	event_add(tcp->event, NULL);
}

/* A UDP and a TCP socket on one port. */
static int start_server(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int udp, tcp = -1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	base = event_base_new();
	for (int i = 0; base && i < 50; i++) {
		address.sin_port = 0;
		udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(udp, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    getsockname(udp, (struct sockaddr *)&address, &length) < 0)
			return -1;
		if (bind(tcp, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    listen(tcp, 64) == 0) {
			server_port = ntohs(address.sin_port);
			udp_event = event_new(base, udp, EV_READ | EV_PERSIST, on_udp, NULL);
			tcp_event = event_new(base, tcp, EV_READ | EV_PERSIST, on_tcp_accept, NULL);
			event_add(udp_event, NULL);
			event_add(tcp_event, NULL);
			return 0;
		}
		close(udp);
		close(tcp);
	}
	return -1;
}

static int stop_server(void **state)
{
	close(event_get_fd(udp_event));
	close(event_get_fd(tcp_event));
	event_free(udp_event);
	event_free(tcp_event);
	event_base_loop(base, EVLOOP_NONBLOCK); /* connections that were closed */
	event_base_free(base);
	return 0;
}

/* --- asking it */

static struct resolver *resolver;
static char hosts_path[] = "/tmp/test-resolve-XXXXXX";

struct asked {
	bool is_answered;
	struct resolution resolution;
	char words[128];
	struct resolver_query *query;
	struct asked *cancels; /* when it is answered */
	const char *asks;      /* likewise */
	struct asked *other;
};

static struct resolver *new_resolver(const char *const *servers, size_t n, const char *hosts)
{
	struct prefix addresses[4];
	struct resolve_options options = { .base = base,
					   .servers = addresses,
					   .n_servers = n,
					   .port = server_port,
					   .timeout_ms = TIMEOUT_MS,
					   .hosts_file = hosts };
	struct resolver *made = NULL;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse_address(servers[i], &addresses[i]), 0);
	assert_int_equal(resolver_new(&options, &made), 0);
	return made;
}

static const char *const loopback[] = { "127.0.0.1" };

static int start_resolver(void **state)
{
	event_base_loop(base, EVLOOP_NONBLOCK); /* questions of the test before */
	skipped_ms = 0;
	n_asked = n_by_tcp = 0;
	n_ports = 0;
	resolver = new_resolver(loopback, 1, NULL);
	return 0;
}

static int stop_resolver(void **state)
{
	resolver_free(resolver);
	resolver = NULL;
	return 0;
}

static void ask(struct asked *asked, const char *name);

static void on_answer(void *data, const struct resolution *resolution)
{
	struct asked *asked = data;

	assert_false(asked->is_answered);
	asked->is_answered = true;
	asked->query = NULL;
	asked->resolution = *resolution;
	snprintf(asked->words, sizeof(asked->words), "%s",
		 resolution->words ? resolution->words : "");
	if (asked->cancels) {
		resolver_cancel(asked->cancels->query);
		asked->cancels->query = NULL;
	}
	if (asked->asks)
		ask(asked->other, asked->asks);
}

static void ask(struct asked *asked, const char *name)
{
	assert_int_equal(resolver_ask(resolver, name, on_answer, asked, &asked->query), 0);
	assert_false(asked->is_answered);
}

static void wait_for(const bool *done)
{
	int64_t end = __real_clock_now_ms() + 20000;

	while (!*done) {
		assert_true(__real_clock_now_ms() < end);
		event_base_loop(base, EVLOOP_ONCE);
	}
}

static void on_pause(evutil_socket_t fd, short events, void *data)
{
	*(bool *)data = true;
}

static void pause_ms(int ms)
{
	const struct timeval in = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	bool done = false;

	event_base_once(base, -1, EV_TIMEOUT, on_pause, &done, &in);
	wait_for(&done);
}

static struct asked ask_and_wait(const char *name)
{
	struct asked asked = { .is_answered = false };

	ask(&asked, name);
	wait_for(&asked.is_answered);
	return asked;
}

static void format_addresses(const struct resolution *resolution, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	for (uint8_t i = 0; i < resolution->n; i++) {
		char text[PREFIX_TEXT_MAX];
		size_t n = strlen(ret_text);

		format_prefix(&resolution->addresses[i], text);
		snprintf(ret_text + n, size - n, "%s%s", i ? " " : "", text);
	}
}

static void assert_addresses(const struct resolution *resolution, const char *expected)
{
	char text[1024];

	format_addresses(resolution, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* --- tests */

static void test_answers(void **state)
{
	static const struct {
		const char *name, *addresses;
		int error;
		const char *words;
	} cases[] = {
		{ "plain.test", "2001:db8::1 192.0.2.1", 0, "" },
		{ "alias.test", "2001:db8::3 192.0.2.3", 0, "" },
		{ "forged.test", "2001:db8::1 192.0.2.1", 0, "" },
		{ "four.test", "192.0.2.1 192.0.2.2 192.0.2.3", 0, "" },
		{ "none.test", "", -ENOENT, "none.test does not exist" },
		{ "empty.test", "", -ENODATA, "empty.test has no address" },
		{ "dangling.test", "", -ENODATA, "dangling.test has no address" },
		{ "others.test", "", -ENODATA, "others.test has no address" },
		{ "fails.test", "", -EIO,
		  "fails.test cannot be looked up: 127.0.0.1 refuses, fails or does not run" },
		{ "localhost", "::1 127.0.0.1", 0, "" },
		{ "app.localhost", "::1 127.0.0.1", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct asked asked = ask_and_wait(cases[i].name);
		const struct resolution *known = resolver_known(resolver, cases[i].name);

		assert_string_equal(asked.words, cases[i].words);
		assert_int_equal(asked.resolution.error, cases[i].error);
		assert_addresses(&asked.resolution, cases[i].addresses);
		assert_non_null(known);
		assert_int_equal(known->error, cases[i].error);
		assert_addresses(known, cases[i].addresses);
	}
}

static void test_long_answers_come_by_tcp(void **state)
{
	struct asked asked = ask_and_wait("many.test");

	assert_int_equal(asked.resolution.n, RESOLVE_ADDRESSES_MAX);
	assert_int_equal(n_by_tcp, 2);
	for (uint8_t i = 0; i < asked.resolution.n; i++)
		assert_int_equal(asked.resolution.addresses[i].family, i % 2 ? ADDR_V4 : ADDR_V6);
}

static void test_one_question_for_many(void **state)
{
	struct asked asked[50] = { { .is_answered = false } };

	assert_null(resolver_known(resolver, "plain.test"));
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		ask(&asked[i], "plain.test");
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		wait_for(&asked[i].is_answered);
	assert_int_equal(n_asked, 2);
	ask_and_wait("plain.test");
	assert_int_equal(n_asked, 2);
}

/* name, and whether it is still known after so many seconds */
static void test_lifetimes(void **state)
{
	static const struct {
		const char *name;
		int seconds;
		bool is_known;
	} cases[] = {
		{ "plain.test", 59, true },  { "plain.test", 61, false },
		{ "alias.test", 6, true },   { "alias.test", 8, false },
		{ "zero.test", 4, true },    { "zero.test", 6, false },
		{ "ages.test", 3599, true }, { "ages.test", 3601, false },
		{ "none.test", 4, true },    { "none.test", 6, false },
		{ "empty.test", 4, true },   { "empty.test", 6, false },
		{ "localhost", 59, true },   { "localhost", 61, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		skipped_ms += 2 * RESOLVE_TTL_MAX_S * 1000;
		ask_and_wait(cases[i].name);
		skipped_ms += cases[i].seconds * 1000;
		assert_int_equal(resolver_known(resolver, cases[i].name) != NULL,
				 cases[i].is_known);
	}
}

static void test_one_family_keeps_us_waiting(void **state)
{
	int64_t start_ms = __real_clock_now_ms();
	struct asked asked = ask_and_wait("half.test");

	assert_addresses(&asked.resolution, "192.0.2.1");
	assert_true(__real_clock_now_ms() - start_ms < TIMEOUT_MS);

	asked = ask_and_wait("late.test");
	assert_addresses(&asked.resolution, "192.0.2.1");
	while (resolver_known(resolver, "late.test")->n < 2)
		pause_ms(10);
	assert_addresses(resolver_known(resolver, "late.test"), "2001:db8::1 192.0.2.1");
}

static void test_no_answer(void **state)
{
	int64_t start_ms = __real_clock_now_ms();
	struct asked asked = ask_and_wait("silent.test");

	assert_int_equal(asked.resolution.error, -ETIMEDOUT);
	assert_string_equal(asked.words, "no answer from 127.0.0.1 in 0.7 s");
	assert_in_range(__real_clock_now_ms() - start_ms, TIMEOUT_MS - 50, TIMEOUT_MS * 3);
	assert_non_null(resolver_known(resolver, "silent.test"));
}

static void test_other_servers(void **state)
{
	static const char *const second[] = { "127.0.0.2", "127.0.0.1" };
	static const char *const nobody[] = { "127.0.0.2", "127.0.0.3" };
	struct asked asked;

	stop_resolver(NULL);
	resolver = new_resolver(second, 2, NULL);
	asked = ask_and_wait("plain.test");
	assert_addresses(&asked.resolution, "2001:db8::1 192.0.2.1");
	stop_resolver(NULL);
	resolver = new_resolver(nobody, 2, NULL);
	asked = ask_and_wait("plain.test");
	assert_int_equal(asked.resolution.error, -EIO);
	assert_string_equal(asked.words, "plain.test cannot be looked up: 127.0.0.2, 127.0.0.3 "
					 "refuses, fails or does not run");
}

static void test_no_descriptor(void **state)
{
	struct rlimit before, none = { 0 };
	int fd = dup(STDOUT_FILENO);
	struct asked asked;

	close(fd);
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_cur = (rlim_t)fd;
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	asked = ask_and_wait("plain.test");
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(asked.resolution.error, -EMFILE);
	assert_string_equal(asked.words, "plain.test cannot be looked up: Too many open files");
	skipped_ms += 6000;
	asked = ask_and_wait("plain.test");
	assert_addresses(&asked.resolution, "2001:db8::1 192.0.2.1");
}

static void set_servers(const char *text)
{
	struct prefix server;

	assert_int_equal(parse_address(text, &server), 0);
	resolver_set_servers(resolver, &server, NULL, 1);
}

/* A question that is open goes on where it is; new ones go to the new servers. */
static void test_servers_change(void **state)
{
	static const char *const nobody[] = { "127.0.0.2" };
	struct asked silent = { .is_answered = false }, asked;

	ask(&silent, "silent.test");
	event_base_loop(base, EVLOOP_NONBLOCK);
	set_servers(nobody[0]);
	asked = ask_and_wait("plain.test");
	assert_int_equal(asked.resolution.error, -EIO);
	assert_string_equal(asked.words,
			    "plain.test cannot be looked up: 127.0.0.2 refuses, fails or does not "
			    "run");
	set_servers(loopback[0]);
	skipped_ms += 6000;
	asked = ask_and_wait("plain.test");
	assert_addresses(&asked.resolution, "2001:db8::1 192.0.2.1");
	wait_for(&silent.is_answered);
	assert_int_equal(silent.resolution.error, -ETIMEDOUT);
	resolver_set_servers(resolver, NULL, NULL, 0); /* changes nothing */
	asked = ask_and_wait("alias.test");
	assert_int_equal(asked.resolution.error, 0);
}

static void write_hosts(const char *text)
{
	FILE *f = fopen(hosts_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_hosts_file(void **state)
{
	static const struct {
		const char *name, *addresses;
	} cases[] = {
		{ "plain.test", "2001:db8::77 192.0.2.77 198.51.100.77" },
		{ "alias.test", "192.0.2.78" },
		{ "last.test", "192.0.2.78" },
		{ "test", "" },
		{ "lain.test", "2001:db8::1 192.0.2.1" },
		{ "commented.test", "2001:db8::1 192.0.2.1" },
		{ "192.0.2.78", "2001:db8::1 192.0.2.1" },
		{ "zone.test", "2001:db8::1 192.0.2.1" },
		{ "localhost", "127.0.0.5" },
	};
	int fd = mkstemp(hosts_path);
	struct asked asked;

	assert_true(fd >= 0);
	close(fd);
	write_hosts("# comment commented.test\n192.0.2.77 Plain.TEST\n198.51.100.77\tx plain.test\n"
		    "2001:db8::77 plain.test # commented.test\nnonsense plain.test\n"
		    "fe80::1%lo zone.test\n127.0.0.5 localhost\n192.0.2.78 alias.test\t last.test");
	stop_resolver(NULL);
	resolver = new_resolver(loopback, 1, hosts_path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (*cases[i].addresses) {
			asked = ask_and_wait(cases[i].name);
			assert_addresses(&asked.resolution, cases[i].addresses);
		}

	write_hosts("192.0.2.79 lain.test\n");
	assert_addresses(resolver_known(resolver, "plain.test"), cases[0].addresses);
	skipped_ms += 1100;
	assert_null(resolver_known(resolver, "plain.test"));
	asked = ask_and_wait("lain.test");
	assert_addresses(&asked.resolution, "192.0.2.79");
	unlink(hosts_path);
	skipped_ms += 1100;
	asked = ask_and_wait("lain.test");
	assert_addresses(&asked.resolution, "2001:db8::1 192.0.2.1");
}

static void test_bounds(void **state)
{
	enum { NAMES = RESOLVE_NAMES_MAX + 100 };
	static struct asked asked[NAMES];
	char name[32];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%zu.test", i);
		ask_and_wait(name);
		if (i >= 50) /* asked for again and again, it stays */
			assert_non_null(resolver_known(resolver, "n50.test"));
	}
	assert_null(resolver_known(resolver, "n0.test"));
	assert_null(resolver_known(resolver, "n49.test"));
	assert_non_null(resolver_known(resolver, "n200.test"));

	for (; n < NAMES && r == 0; n++) {
		snprintf(name, sizeof(name), "silent%zu.test", n);
		r = resolver_ask(resolver, name, on_answer, &asked[n], &asked[n].query);
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(n, 513);
	for (size_t i = 0; i < n - 1; i++)
		wait_for(&asked[i].is_answered);
}

static void test_ports_differ(void **state)
{
	struct asked asked[16] = { { .is_answered = false } };
	size_t n_different = 0;

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%zu.test", i);
		ask(&asked[i], name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		wait_for(&asked[i].is_answered);
	assert_int_equal(n_ports, 2 * ARRAY_SIZE(asked));
	for (size_t i = 0; i < n_ports; i++) {
		size_t j = 0;

		while (ports[j] != ports[i])
			j++;
		n_different += j == i;
	}
	assert_int_equal(n_different, ARRAY_SIZE(asked));
}

static void test_cancel(void **state)
{
	struct asked first = { .is_answered = false }, second = first, third = first,
		     fourth = first;

	ask(&first, "plain.test");
	ask(&second, "plain.test");
	ask(&third, "plain.test");
	first.cancels = &second; /* of the same question */
	third.asks = "plain.test";
	third.other = &fourth;
	wait_for(&third.is_answered);
	assert_true(first.is_answered);
	assert_false(second.is_answered);
	assert_false(fourth.is_answered); /* its turn is the next one */
	wait_for(&fourth.is_answered);

	second = first = (struct asked){ .is_answered = false };
	ask(&first, "alias.test");
	resolver_cancel(first.query);
	ask(&second, "plain.test"); /* known already */
	resolver_cancel(second.query);
	resolver_cancel(NULL);
	pause_ms(50);
	assert_false(first.is_answered || second.is_answered);
	assert_non_null(resolver_known(resolver, "alias.test"));
}

static void test_end_with_questions_open(void **state)
{
	struct asked asked[3] = { { .is_answered = false } };
	const char *const follow[] = { "flip.test", "silent.test" };

	ask_and_wait("plain.test");
	assert_int_equal(resolver_follow(resolver, follow, 2), 0);
	pause_ms(20);
	ask(&asked[0], "silent.test");
	ask(&asked[1], "plain.test");
	ask(&asked[2], "many.test");
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	stop_resolver(NULL);
	pause_ms(20);
	assert_false(asked[0].is_answered);
	assert_false(asked[2].is_answered);
}

static bool had(const char *name, const char *address)
{
	struct prefix parsed;

	assert_int_equal(parse_address(address, &parsed), 0);
	return resolver_had(resolver, name, &parsed);
}

static void test_follow(void **state)
{
	const char *const names[] = { "plain.test", "flip.test", "none.test" };
	char first[1024], *v4, *end;
	struct asked asked;

	assert_false(had("plain.test", "192.0.2.1"));
	assert_int_equal(resolver_follow(resolver, names, ARRAY_SIZE(names)), 0);
	asked = ask_and_wait("flip.test");
	ask_and_wait("plain.test");
	format_addresses(&asked.resolution, first, sizeof(first));
	v4 = strchr(first, ' ') + 1;
	end = v4 + strlen(v4);
	assert_true(had("plain.test", "192.0.2.1"));
	assert_true(had("plain.test", "2001:db8::1"));
	assert_false(had("plain.test", "192.0.2.2"));
	assert_false(had("none.test", "192.0.2.1"));
	assert_true(had("flip.test", v4));

	skipped_ms += 30 * 1000; /* its time is over: the next answer is another one */
	asked = ask_and_wait("flip.test");
	assert_int_equal(*end, '\0');
	assert_true(had("flip.test", v4));
	format_addresses(&asked.resolution, first + 512, 512);
	assert_string_not_equal(first + 512, first);
	skipped_ms += (RESOLVE_GRACE_S - 5) * 1000;
	assert_false(had("flip.test", v4));
	assert_true(had("flip.test", strchr(first + 512, ' ') + 1));

	assert_int_equal(resolver_follow(resolver, names, 1), 0);
	assert_false(had("flip.test", strchr(first + 512, ' ') + 1));
	assert_true(had("plain.test", "192.0.2.1"));
	assert_int_equal(resolver_follow(resolver, NULL, 0), 0);
	assert_false(had("plain.test", "192.0.2.1"));
}

static void test_followed_are_asked_again(void **state)
{
	const char *const names[] = { "flip.test", "silent.test" };
	const struct resolution *known;
	unsigned before;

	skipped_ms = 0;
	assert_int_equal(resolver_follow(resolver, names, ARRAY_SIZE(names)), 0);
	while (n_asked < 4 || !resolver_known(resolver, "flip.test"))
		pause_ms(10);
	before = n_asked;
	known = resolver_known(resolver, "flip.test");
	assert_non_null(known);
	assert_int_equal(known->n, 2);
	assert_true(resolver_had(resolver, "flip.test", &known->addresses[0]));
	assert_true(resolver_had(resolver, "flip.test", &known->addresses[1]));
	assert_int_equal(resolver_follow(resolver, names, 1), 0);
	pause_ms(30);
	assert_in_range(n_asked, before, before + 2); /* what is known is not asked for again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RESOLVER_TEST(f) cmocka_unit_test_setup_teardown(f, start_resolver, stop_resolver)
		RESOLVER_TEST(test_answers),
		RESOLVER_TEST(test_long_answers_come_by_tcp),
		RESOLVER_TEST(test_one_question_for_many),
		RESOLVER_TEST(test_lifetimes),
		RESOLVER_TEST(test_one_family_keeps_us_waiting),
		RESOLVER_TEST(test_no_answer),
		RESOLVER_TEST(test_other_servers),
		RESOLVER_TEST(test_servers_change),
		RESOLVER_TEST(test_no_descriptor),
		RESOLVER_TEST(test_hosts_file),
		RESOLVER_TEST(test_bounds),
		RESOLVER_TEST(test_ports_differ),
		RESOLVER_TEST(test_cancel),
		RESOLVER_TEST(test_end_with_questions_open),
		RESOLVER_TEST(test_follow),
		RESOLVER_TEST(test_followed_are_asked_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("resolve", tests, start_server, stop_server);
}
