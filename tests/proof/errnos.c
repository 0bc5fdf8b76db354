/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errnos.c - what programs see of a refusal, call by call, held to packet_errno().
 *
 * A service that may do nothing calls three times with one socket. What the first call that fails
 * says is what packet_errno() says; the others are here so that the whole of it is known.
 */
#include "errnos.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "plan/plan.h"
#include "proof.h"
#include "world.h"

enum { USER = 4001, CALLS = 3, PORT = 25, PAUSE_MS = 20, GIVE_UP_MS = 30000 };

enum option { CONNECTED = 1, RECVERR = 2, MAPPED = 4, FOREIGN = 8, ROUTED = 16, OPTIONS = 32 };

#define V4 "198.51.100.9"
#define V6 "2001:db8::9"

static const char nothing_allowed[] =
	"{ \"config\": { \"resolvers\": [], \"proxy\": {} }, \"subuids\": [], \"services\": ["
	" { \"file\": \"s.json\", \"state\": \"good\", \"policy\": { \"user\": 4001 } } ] }";

/* What the calls fail with; 0: they do not. A connection: what connect() comes to. */
static const struct {
	const char *name;
	enum shot_kind kind;
	const char *to;
	unsigned options;
	int calls[CALLS];
} cases[] = {
	{ "UDP", SHOT_UDP, V4, 0, { EPERM, EPERM, EPERM } },
	{ "UDP", SHOT_UDP, V6, 0, { EPERM, EPERM, EPERM } },
	{ "UDP", SHOT_UDP, V4, CONNECTED, { EPERM, EHOSTUNREACH, EPERM } },
	{ "UDP", SHOT_UDP, V6, CONNECTED, { EPERM, EACCES, EPERM } },
	{ "UDP", SHOT_UDP, V4, CONNECTED | MAPPED, { EPERM, EHOSTUNREACH, EPERM } },
	{ "UDP", SHOT_UDP, V4, RECVERR, { EPERM, EHOSTUNREACH, EPERM } },
	{ "UDP", SHOT_UDP, V6, RECVERR, { EPERM, EACCES, EPERM } },
	{ "UDP", SHOT_UDP, V4, OPTIONS, { EPERM, EPERM, EPERM } },
	{ "UDP", SHOT_UDP, V6, ROUTED, { EPERM, EPERM, EPERM } },
	{ "UDP", SHOT_UDP, V6, CONNECTED | FOREIGN, { EPERM, EPERM, EPERM } },
	{ "UDP-Lite", SHOT_UDPLITE, V4, 0, { EPERM, EPERM, EPERM } },
	{ "UDP-Lite", SHOT_UDPLITE, V6, CONNECTED, { EPERM, EACCES, EPERM } },
	{ "ICMP", SHOT_PING, V4, 0, { EPERM, EPERM, EPERM } },
	{ "ICMP", SHOT_PING, V4, CONNECTED, { EPERM, EHOSTUNREACH, EPERM } },
	{ "ICMP", SHOT_PING, V4, RECVERR, { EPERM, EHOSTUNREACH, EPERM } },
	{ "ICMPv6", SHOT_PING, V6, 0, { 0, 0, 0 } },
	{ "ICMPv6", SHOT_PING, V6, CONNECTED, { 0, EACCES, 0 } },
	{ "ICMPv6", SHOT_PING, V6, RECVERR, { 0, EACCES, 0 } },
	{ "ICMPv6", SHOT_PING, V6, CONNECTED | FOREIGN, { 0, 0, 0 } },
	{ "TCP", SHOT_TCP, V4, 0, { ECONNREFUSED } },
	{ "TCP", SHOT_TCP, V6, 0, { ECONNREFUSED } },
	{ "TCP", SHOT_TCP, V4, MAPPED, { ECONNREFUSED } },
	{ "TCP", SHOT_TCP, V4, OPTIONS, { ECONNREFUSED } },
	{ "TCP", SHOT_TCP, V6, FOREIGN, { ETIMEDOUT } },
	{ "TCP", SHOT_TCP, V6, ROUTED, { ETIMEDOUT } },
	{ "MPTCP", SHOT_MPTCP, V4, 0, { ECONNREFUSED } },
};

static void pause_ms(unsigned ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&t, NULL);
}

/* --- in the user's process: results are small numbers, packed into `error` ---------------------
 */

static int call_again(int fd, const struct shot *shot, const struct sockaddr *to, socklen_t length)
{
	uint8_t echo[8] = { shot->to.family == ADDR_V4 ? 8 : 128 };
	ssize_t n = shot->is_connected ? send(fd, echo, sizeof(echo), 0) :
					 sendto(fd, echo, sizeof(echo), 0, to, length);

	pause_ms(PAUSE_MS); /* an answer comes before the next call */
	return n < 0 ? errno : 0;
}

static int connect_and_wait(int fd, const struct sockaddr *to, socklen_t length)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	if (connect(fd, to, length) < 0 && errno != EINPROGRESS)
		return errno;
	if (poll(&p, 1, GIVE_UP_MS) <= 0)
		return EINPROGRESS;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

static void call_three_times(const void *bytes, size_t n, struct sent *ret_sent)
{
	struct sockaddr_storage to;
	struct shot shot;
	AUTO(fd) int fd = -1;
	unsigned length;

	memcpy(&shot, bytes, sizeof(shot));
	fd = socket_prepare(&shot, &to, &length);
	if (fd < 0) {
		ret_sent->not_sent = -fd;
		return;
	}
	if (shot_protocol(&shot) == IPPROTO_TCP) {
		ret_sent->error = connect_and_wait(fd, (struct sockaddr *)&to, length);
		return;
	}
	if (shot.is_connected && connect(fd, (struct sockaddr *)&to, length) < 0)
		ret_sent->not_sent = errno;
	for (unsigned i = 0; i < CALLS; i++)
		ret_sent->error |= call_again(fd, &shot, (struct sockaddr *)&to, length) << (8 * i);
}

/* --- refusals --------------------------------------------------------------------------------- */

static struct prefix address(const char *text)
{
	struct prefix address;

	if (parse_address(text, &address) < 0)
		abort();
	return address;
}

static struct shot make_shot(size_t i)
{
	unsigned options = cases[i].options;
	struct shot shot = {
		.kind = cases[i].kind,
		.uid = USER,
		.to = address(cases[i].to),
		.dport = PORT,
		.is_connected = options & CONNECTED,
		.recverr = options & RECVERR,
		.is_mapped = options & MAPPED,
		.ip_options = options & OPTIONS,
	};

	if (options & FOREIGN)
		shot.from = address("2001:db8:bad::1");
	if (options & ROUTED) {
		shot.via = shot.to;
		shot.to = address("2001:db8:77::7");
	}
	return shot;
}

static int predicted(const struct proof *proof, const struct shot *shot)
{
	struct sent sent = { .from = shot->from };
	struct eval_result result;
	struct packet packet;

	if (sent.from.family == ADDR_NONE)
		sent.from = address(shot->to.family == ADDR_V4 ? "198.51.100.2" : "2001:db8::a");
	forecast_verdict(&proof->plain, shot, &sent, &proof->flows, &packet, &result);
	return packet_errno(&packet, &result);
}

static const char *error_name(int error)
{
	return error ? strerrorname_np(error) : "0";
}

static bool prove_case(const struct proof *proof, size_t i, char *ret_name, size_t size)
{
	static const char *const words[] = { "connected",      "asks for errors", "mapped",
					     "foreign source", "routing header",  "IP options" };
	struct shot shot = make_shot(i);
	struct sent sent;
	int first = 0, said = predicted(proof, &shot);
	bool good = true;
	size_t at = (size_t)snprintf(ret_name, size, "errno: %s to %s", cases[i].name, cases[i].to);

	for (unsigned j = 0; j < ARRAY_SIZE(words); j++)
		if (cases[i].options & 1U << j)
			at += (size_t)snprintf(ret_name + at, size - at, ", %s", words[j]);
	worker_run(USER, call_three_times, &shot, sizeof(shot), &sent);
	for (unsigned j = 0; j < CALLS; j++) {
		int error = sent.error >> 8 * j & 0xff;

		good = good && error == cases[i].calls[j];
		first = first ? first : error;
		if (j == 0 || shot_protocol(&shot) != IPPROTO_TCP)
			at += (size_t)snprintf(ret_name + at, size - at, "%s %s", j ? "," : ":",
					       error_name(error));
	}
	if (sent.not_sent)
		snprintf(ret_name + at, size - at, ", not sent: %s", error_name(sent.not_sent));
	/* who is told nothing may still be refused: what would be told is told to others */
	if (said != first &&
	    !(first == 0 && shot.kind == SHOT_PING && !shot.is_connected && !shot.recverr)) {
		snprintf(ret_name + at, size - at, "; packet_errno() says %s", error_name(said));
		good = false;
	}
	return good && !sent.not_sent;
}

/* --- a connection that was allowed before ------------------------------------------------------
 */

/* In the user's process. The first time with an address to connect to, the second time without. */
static void use_stream(const void *bytes, size_t n, struct sent *ret_sent)
{
	static int fd = -1; /* stays open between the two */
	struct sockaddr_in to;
	char byte;

	if (n == sizeof(to)) {
		memcpy(&to, bytes, sizeof(to));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			ret_sent->not_sent = errno;
		return;
	}
	ret_sent->error = send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? errno : 0;
	pause_ms(PAUSE_MS);
	ret_sent->error |= (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0) << 8;
	ret_sent->error |= (send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? errno : 0) << 16;
	close(fd);
}

static int listen_somewhere(struct sockaddr_in *ret_address)
{
	socklen_t length = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, length) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret_address, &length) < 0)
		abort();
	return fd;
}

static void load(struct proof *proof, const char *text)
{
	struct arena *arena = arena_new();
	json_t *world = json_loads(text, 0, NULL);
	struct ir_ruleset ruleset;
	struct policy_set set;

	if (!world || world_read(world, arena, &set) < 0)
		abort();
	json_decref(world);
	plan_build(&set, arena, &ruleset);
	if (!proof_load(proof, &ruleset, arena))
		abort();
}

/* Data of a connection is reset: the reset comes while send() is on its way. */
static bool prove_stream(struct proof *proof, char *ret_name, size_t size)
{
	struct packet packet = { .l4proto = IPPROTO_TCP, .tcp_flags = TH_PUSH | TH_ACK };
	const struct eval_result refused = { .verdict = EVAL_RESET };
	AUTO(mem) char *allowed = NULL;
	struct sockaddr_in address;
	AUTO(fd) int fd = listen_somewhere(&address);
	struct sent before, after;
	int calls[CALLS];

	if (asprintf(&allowed,
		     "{ \"config\": {}, \"subuids\": [], \"services\": [ { \"file\": \"s.json\","
		     " \"state\": \"good\", \"policy\": { \"user\": %d, \"connect\":"
		     " [ { \"to\": \"127.0.0.1\", \"port\": %d } ] } } ] }",
		     USER, ntohs(address.sin_port)) < 0)
		abort();
	box_let_in(true);
	load(proof, allowed);
	worker_run(USER, use_stream, &address, sizeof(address), &before);
	load(proof, nothing_allowed);
	worker_run(USER, use_stream, NULL, 0, &after);
	box_let_in(false);
	for (unsigned i = 0; i < CALLS; i++)
		calls[i] = after.error >> 8 * i & 0xff;
	snprintf(ret_name, size, "errno: TCP, allowed before: send() %s, recv() %s, send() %s%s",
		 error_name(calls[0]), error_name(calls[1]), error_name(calls[2]),
		 before.not_sent ? ", not connected" : "");
	return !before.not_sent && calls[0] == 0 && calls[1] == packet_errno(&packet, &refused) &&
	       calls[1] == ECONNRESET && calls[2] == EPIPE;
}

void errnos_prove(void (*result)(bool good, const char *name))
{
	struct proof proof;
	char name[256];
	bool good;

	proof_open(&proof);
	good = prove_stream(&proof, name, sizeof(name));
	result(good, name);
	load(&proof, nothing_allowed);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		good = prove_case(&proof, i, name, sizeof(name));
		result(good, name);
	}
	workers_end();
	proof_close(&proof);
}
