/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-live.c - sockets that this program has open, judged by policies about its own user.
 *
 * Listing needs no privilege; closing does, and is seen to be refused. Run as root the program
 * becomes an ordinary user first. Other programs' sockets are in the list, too: ours are known by
 * their ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/scene.h"
#include "plan/plan.h"
#include "runtime/judge.h"
#include "runtime/live.h"

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

enum { SOMEBODY = 54321, ENOUGH = 1 << 26 };

static struct live *live;
static struct scene *scene;
static struct ir_ruleset rules;
static struct live_judgement judgement;

/* --- sockets */

static int open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	assert_true(fd >= 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 address; /* the port is where sockaddr_in has it */
	socklen_t n = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	return ntohs(address.sin6_port);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Bound to a port of 127.0.0.1 that was free. */
static int bind_socket(int type, int protocol)
{
	struct sockaddr_in address = loopback(0);
	int fd = open_socket(AF_INET, type, protocol);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int listen_socket(void)
{
	int fd = bind_socket(SOCK_STREAM, 0), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void connect_to(int fd, uint16_t port)
{
	struct sockaddr_in address = loopback(port);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static int connect_socket(int type, int protocol, uint16_t port)
{
	int fd = open_socket(AF_INET, type, protocol);

	connect_to(fd, port);
	return fd;
}

static int connect_mapped(int type, uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fd_close(fd);
		return -1; /* no IPv6 here */
	}
	return fd;
}

/* --- policies */

/* "@" stands for the user that this program is, "#" for the port. */
static void write_policy(const char *file, const char *text, unsigned port)
{
	AUTO(mem) char *filled = NULL;
	size_t n;
	FILE *out = open_memstream(&filled, &n);

	assert_non_null(out);
	for (; *text; text++)
		if (*text == '@')
			fprintf(out, "%u", geteuid());
		else if (*text == '#')
			fprintf(out, "%u", port);
		else
			putc(*text, out);
	assert_int_equal(fclose(out), 0);
	scene_write(scene, file, filled);
}

static void judge_set(void)
{
	plan_build(&scene->set, scene->arena, &rules);
	judgement = (struct live_judgement){ 0 };
	assert_int_equal(
		live_judge(live, &scene->set, &rules, scene->arena, &judgement, &scene->diags), 0);
	assert_true(judgement.n_judged >= judgement.n_refused);
}

static void judge(void)
{
	scene_begin(scene);
	judge_set();
}

/* What was found about the socket between these ports, or NULL: it is not refused. */
static const struct live_refused *find(uint8_t l4proto, uint16_t sport, uint16_t dport)
{
	for (size_t i = 0; i < judgement.n_refused; i++) {
		const struct live_refused *r = &judgement.refused[i];

		if (r->socket.l4proto == l4proto && r->socket.sport == sport &&
		    r->socket.dport == dport)
			return r;
	}
	return NULL;
}

static void assert_refused(const struct live_refused *refused, const char *service, const char *why)
{
	assert_non_null(refused);
	assert_string_equal(refused->service, service);
	assert_string_equal(refused->why, why);
	assert_int_equal(refused->socket.uid, geteuid());
	assert_int_equal(refused->socket.to.family, ADDR_V4);
	assert_true(prefix_is_loopback(&refused->socket.to));
}

static int set_up(void **state)
{
	scene = scene_new();
	return live_open(&live, &scene->diags);
}

static int tear_down(void **state)
{
	scene_free(scene);
	live_close(live);
	return 0;
}

/* --- tests */

static const struct families no_families;

static void test_next_packet(void **state)
{
	static const struct {
		uint8_t l4proto, state, flags;
	} cases[] = {
		{ IPPROTO_TCP, TCP_ESTABLISHED, TH_ACK },
		{ IPPROTO_TCP, TCP_SYN_SENT, TH_SYN },
		{ IPPROTO_TCP, TCP_SYN_RECV, TH_SYN | TH_ACK },
		{ IPPROTO_TCP, TCP_FIN_WAIT1, TH_ACK },
		{ IPPROTO_TCP, TCP_CLOSE_WAIT, TH_ACK },
		{ IPPROTO_UDP, TCP_ESTABLISHED, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct live_socket socket = { .l4proto = cases[i].l4proto,
					      .state = cases[i].state,
					      .uid = 7,
					      .sport = 1,
					      .dport = 2 };
		struct packet packet;

		judge_packet(&socket, &no_families, 5, &packet);
		assert_int_equal(packet.tcp_flags, cases[i].flags);
		assert_int_equal(packet.uid, 7);
		assert_int_equal(packet.sport, 1);
		assert_int_equal(packet.dport, 2);
		assert_int_equal(packet.time_ns, 5);
	}
}

/* The kernel tells the innermost group; the rules ask for those above it. */
static void test_groups_of_a_socket(void **state)
{
	struct family_member members[] = {
		{ 20, { 10, 20 }, 2 },
		{ 21, { 10, 20, 21 }, 3 },
		{ 30, { 0, 30 }, 2 },
	};
	const struct families families = { members, ARRAY_SIZE(members), false };
	static const struct {
		uint64_t cgroup;
		int member; /* -1: none */
	} cases[] = {
		{ 20, 0 }, { 21, 1 }, { 30, 2 }, { 10, -1 }, { 22, -1 }, { 31, -1 }, { 0, -1 }
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct live_socket socket = { .l4proto = IPPROTO_TCP, .cgroup = cases[i].cgroup };
		struct packet packet;

		judge_packet(&socket, &families, 5, &packet);
		if (cases[i].member < 0) {
			assert_int_equal(packet.n_groups, 0);
			continue;
		}
		assert_int_equal(packet.n_groups, members[cases[i].member].n_groups);
		assert_ptr_equal(packet.groups, members[cases[i].member].groups);
	}
}

static void test_old_mptcp_is_told(void **state)
{
	for (int is_mptcp = 0; is_mptcp <= 1; is_mptcp++) {
		struct live_socket socket = { .l4proto = IPPROTO_TCP, .is_mptcp = is_mptcp };
		struct packet packet;

		judge_packet(&socket, &no_families, 5, &packet);
		assert_int_equal(packet.has_mptcp, is_mptcp);
	}
}

static void test_orphans_are_told(void **state)
{
	static const struct {
		uint32_t inode;
		uint8_t state;
		bool is_orphan;
	} cases[] = {
		{ 9, TCP_FIN_WAIT1, false },
		{ 0, TCP_FIN_WAIT1, true },
		{ 0, TCP_LAST_ACK, true },
		{ 0, TCP_ESTABLISHED, false }, /* nobody has accepted it yet */
		{ 0, TCP_CLOSE_WAIT, false },
		{ 0, TCP_SYN_RECV, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct live_socket socket = { .inode = cases[i].inode, .state = cases[i].state };

		assert_int_equal(sockets_is_orphan(&socket), cases[i].is_orphan);
	}
}

static void test_kernels_that_forget(void **state)
{
	assert_true(sockets_forget_owners("5.15.0-100-generic"));
	assert_true(sockets_forget_owners("6.1.0-18-amd64"));
	assert_true(sockets_forget_owners("6.16.12"));
	assert_false(sockets_forget_owners("6.17.0"));
	assert_false(sockets_forget_owners("7.0.0-rc1"));
	assert_false(sockets_forget_owners("something else"));
}

static void test_connections(void **state)
{
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener);
	AUTO(fd) int tcp = connect_socket(SOCK_STREAM, 0, port);
	AUTO(fd) int udp = connect_socket(SOCK_DGRAM, 0, port);
	AUTO(fd) int mapped = connect_mapped(SOCK_STREAM, port);
	AUTO(fd) int lite = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE);
	AUTO(fd) int unconnected = bind_socket(SOCK_DGRAM, 0);

	if (lite >= 0)
		connect_to(lite, port);
	write_policy("blog.json", "{ \"user\": @ }", 0);
	judge();
	assert_refused(find(IPPROTO_TCP, port_of(tcp), port), "blog",
		       "blog.json no line allows it");
	assert_refused(find(IPPROTO_UDP, port_of(udp), port), "blog",
		       "blog.json no line allows it");
	/* the other end, which waits to be accepted, cannot answer either */
	assert_refused(find(IPPROTO_TCP, port, port_of(tcp)), "blog",
		       "blog.json no line allows it");
	assert_false(sockets_is_orphan(&find(IPPROTO_TCP, port, port_of(tcp))->socket));
	if (mapped >= 0)
		assert_refused(find(IPPROTO_TCP, port_of(mapped), port), "blog",
			       "blog.json no line allows it");
	if (lite >= 0)
		assert_refused(find(IPPROTO_UDPLITE, port_of(lite), port), "blog",
			       "blog.json no line allows it");
	for (size_t i = 0; i < judgement.n_refused; i++) {
		const struct live_socket *s = &judgement.refused[i].socket;

		assert_true(s->dport != 0 || s->l4proto != IPPROTO_TCP);
		assert_false(s->l4proto == IPPROTO_UDP && s->sport == port_of(unconnected));
	}

	write_policy("blog.json",
		     "{ \"user\": @, \"connect\": [{ \"to\": \"127.0.0.1\", \"port\": # }],\n"
		     "  \"listen\": [{ \"port\": # }] }",
		     port);
	judge();
	assert_null(find(IPPROTO_TCP, port_of(tcp), port));
	assert_null(find(IPPROTO_TCP, port, port_of(tcp)));
	if (mapped >= 0)
		assert_null(find(IPPROTO_TCP, port_of(mapped), port));
	assert_non_null(find(IPPROTO_UDP, port_of(udp), port)); /* tcp was meant */

	write_policy("blog.json", "{ \"user\": @, \"mode\": \"monitor\" }", 0);
	judge();
	assert_null(find(IPPROTO_TCP, port_of(tcp), port));
}

/* A policy about somebody else closes connections of ours. */
static void test_guard(void **state)
{
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener);
	AUTO(fd) int tcp = connect_socket(SOCK_STREAM, 0, port);

	write_policy("gitea.json",
		     "{ \"user\": 54399,\n  \"listen\": [{ \"port\": #, \"from\": [54398] }] }",
		     port);
	judge();
	assert_refused(find(IPPROTO_TCP, port_of(tcp), port), "gitea",
		       "gitea.json:2 listen: from does not name them");
	assert_null(find(IPPROTO_TCP, port, port_of(tcp)));

	write_policy("gitea.json",
		     "{ \"user\": 54399, \"listen\": [{ \"port\": #, \"from\": [@] }] }", port);
	judge();
	assert_null(find(IPPROTO_TCP, port_of(tcp), port));
}

/* Nobody has it any more, and it would go on sending. */
static void test_orphan(void **state)
{
	static const uint8_t bytes[65536];
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener), own;
	int tcp = connect_socket(SOCK_STREAM, 0, port);
	const struct live_refused *refused;

	own = port_of(tcp);
	assert_int_equal(fcntl(tcp, F_SETFL, O_NONBLOCK), 0);
	while (send(tcp, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		;
	close(tcp);
	write_policy("blog.json", "{ \"user\": @ }", 0);
	judge();
	refused = find(IPPROTO_TCP, own, port);
	if (refused && refused->socket.uid == 0)
		skip(); /* a kernel that forgets whose it was */
	assert_refused(refused, "blog", "blog.json no line allows it");
	assert_true(sockets_is_orphan(&refused->socket));
	assert_string_equal(sockets_state_name(&refused->socket), "fin-wait-1");
}

/* Its next datagram may be an answer. */
static void test_udp_listener(void **state)
{
	AUTO(fd) int peer = bind_socket(SOCK_DGRAM, 0);
	AUTO(fd) int server = bind_socket(SOCK_DGRAM, 0);
	uint16_t port = port_of(server);

	connect_to(server, port_of(peer));
	write_policy("blog.json",
		     "{ \"user\": @, \"listen\": [{ \"port\": #, \"protocol\": \"udp\" }] }", port);
	judge();
	assert_true(rules.uses_conntrack);
	assert_null(find(IPPROTO_UDP, port, port_of(peer)));
	write_policy("blog.json", "{ \"user\": @ }", 0);
	judge();
	assert_non_null(find(IPPROTO_UDP, port, port_of(peer)));
}

/* Two services share the user, as ranges of subordinate ids may: neither decides alone. */
static void test_shared_user(void **state)
{
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener);
	AUTO(fd) int tcp = connect_socket(SOCK_STREAM, 0, port);
	const struct live_refused *refused;

	write_policy("blog.json", "{ \"user\": @ }", 0);
	scene_begin(scene);
	assert_int_equal(scene->set.n_named, 1);
	scene->set.named[0].service = NO_SERVICE;
	judge_set();
	refused = find(IPPROTO_TCP, port_of(tcp), port);
	assert_non_null(refused);
	assert_null(refused->service);
	assert_string_equal(refused->why, "two policies claim this user");
}

/* An ordinary user may look, not touch. */
static void test_closing_needs_privilege(void **state)
{
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener);
	AUTO(fd) int tcp = connect_socket(SOCK_STREAM, 0, port);
	struct live_judgement one = { .n_refused = 1 };
	struct live_refused refused;
	size_t before;

	write_policy("blog.json", "{ \"user\": @ }", 0);
	judge();
	refused = *find(IPPROTO_TCP, port_of(tcp), port);
	one.refused = &refused;
	before = scene->diags.n;
	assert_int_equal(live_destroy(live, &one, &scene->diags), 0);
	assert_int_equal(scene->diags.n, before + 1);
	assert_int_equal(scene->diags.list[before].severity, DIAG_WARNING);
	assert_non_null(strstr(scene->diags.list[before].message, "cannot be closed"));
	assert_int_equal(send(tcp, "x", 1, MSG_NOSIGNAL), 1);

	/* gone by itself: no failure, and not ours */
	refused.socket.id.idiag_cookie[0]++;
	before = scene->diags.n;
	live_destroy(live, &one, &scene->diags);
	assert_int_equal(scene->diags.n, before);
}

static void test_json(void **state)
{
	AUTO(fd) int listener = listen_socket();
	uint16_t port = port_of(listener);
	AUTO(fd) int tcp = connect_socket(SOCK_STREAM, 0, port);
	struct writer w;
	json_t *root, *list, *first = NULL;
	const char *from, *to, *service, *protocol, *state_name, *why;
	AUTO(mem) char *expected = NULL;
	int uid, by_unit, orphan, can_close, judged, n;

	write_policy("blog.json", "{ \"user\": @ }", 0);
	judge();
	writer_init(&w, ENOUGH);
	writer_begin(&w, '{');
	live_write(live, &judgement, &w);
	writer_end(&w, '}');
	root = json_loads(w.bytes, 0, NULL);
	assert_int_equal(json_unpack(root, "{s:{s:i, s:i, s:b, s:o}}", "sockets", "judged", &judged,
				     "refused", &n, "can_close", &can_close, "list", &list),
			 0);
	assert_int_equal(judged, judgement.n_judged);
	assert_int_equal(n, judgement.n_refused);
	assert_int_equal(json_array_size(list), n < 100 ? n : 100);
	assert_true(asprintf(&expected, "127.0.0.1:%u", port_of(tcp)) > 0);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "from")),
			   expected) == 0)
			first = json_array_get(list, i);
	assert_int_equal(json_unpack(first, "{s:s, s:i, s:b, s:s, s:s, s:s, s:s, s:b, s:s !}",
				     "service", &service, "uid", &uid, "by_unit", &by_unit,
				     "protocol", &protocol, "from", &from, "to", &to, "state",
				     &state_name, "orphan", &orphan, "why", &why),
			 0);
	assert_string_equal(service, "blog");
	assert_int_equal(uid, geteuid());
	assert_string_equal(protocol, "tcp");
	assert_string_equal(state_name, "established");
	assert_false(orphan);
	assert_false(by_unit);
	assert_string_equal(why, "blog.json no line allows it");
	json_decref(root);
	writer_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_packet),
		cmocka_unit_test(test_groups_of_a_socket),
		cmocka_unit_test(test_old_mptcp_is_told),
		cmocka_unit_test(test_orphans_are_told),
		cmocka_unit_test(test_kernels_that_forget),
		cmocka_unit_test_setup_teardown(test_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_orphan, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp_listener, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_closing_needs_privilege, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
	};

	if (geteuid() == 0 && (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
			       setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)) {
		perror("test-live");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
