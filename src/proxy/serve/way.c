/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way.c - what was allowed → addresses, each of them judged → a connected socket → bytes flow.
 *
 * An address is judged where it is handed to the dialer, which opens sockets to no other: between
 * the check and the connection there is no second look-up that could answer something else.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "names/special.h"
#include "proxy/parse/answer.h"
#include "proxy/serve/conn.h"

static bool is_enforced(const struct conn *conn)
{
	return conn->list->mode == LIST_ENFORCE;
}

/* --- connected */

/* What was read before goes first: the hello, or what followed CONNECT's head. */
static int begin_tunnel(struct conn *conn)
{
	int r;

	if (conn->way == RECORD_CONNECT) {
		size_t n = strlen(answer_established);
		ssize_t sent = send(conn->client, answer_established, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return -errno;
		sent = sent < 0 ? 0 : sent;
		r = relay_put(&conn->relay, RELAY_DOWN, answer_established + sent,
			      n - (size_t)sent);
		if (r < 0)
			return r;
	}
	conn->has_answered = true;
	conn->stage = CONN_RELAYING;
	r = relay_put(&conn->relay, RELAY_UP, conn->in, conn->n_in);
	conn_forget(conn);
	return r;
}

static void on_connected(struct conn *conn, const struct dial_result *result)
{
	conn->address = result->address;
	if (conn_join(conn, result->fd) < 0) {
		judge_fail(conn, 503, "no-memory", "uidwall-proxy has no memory left");
		return;
	}
	if (conn->request) {
		exchange_begin(conn);
		return;
	}
	if (begin_tunnel(conn) < 0) {
		conn_break(conn);
		return;
	}
	if (conn->is_silent && conn->relay.ways[RELAY_UP].can_read)
		judge_read(conn);
	else
		conn_push(conn);
}

static void fail_to_connect(struct conn *conn, const struct dial_result *result)
{
	char sentence[HOST_TEXT_MAX + 200], address[PREFIX_TEXT_MAX] = "";
	bool is_late = result->error == -ETIMEDOUT;

	conn->address = result->address;
	if (result->address.family)
		format_prefix(&result->address, address);
	snprintf(sentence, sizeof(sentence), "%s port %u cannot be reached%s%s: %s",
		 conn->host.name, conn->port, address[0] ? ", last tried " : "", address,
		 result->words);
	judge_fail(conn, is_late ? 504 : 502,
		   is_late			  ? "timeout" :
		   result->error == -ECONNREFUSED ? "connection-refused" :
		   result->error == -ENETUNREACH || result->error == -EHOSTUNREACH ?
						    "unreachable" :
						    "not-connected",
		   sentence);
}

static void on_dialed(void *data, const struct dial_result *result)
{
	struct conn *conn = data;

	conn->dial = NULL;
	if (result->fd < 0)
		fail_to_connect(conn, result);
	else
		on_connected(conn, result);
}

void way_dial(struct conn *conn, const struct prefix *addresses, size_t n)
{
	const struct dial_target target = {
		.addresses = addresses,
		.n_addresses = n,
		.host = conn->host.name[0] ? conn->host.name : NULL,
		.port = conn->port,
		.to_proxy = conn->request != NULL,
	};

	conn->stage = CONN_DIALING;
	conn->deadline_ms = 0; /* the dialer has its own */
	if (dial_start(conn->all->options.dialer, &target, on_dialed, conn, &conn->dial) < 0)
		judge_fail(conn, 503, "no-memory", "uidwall-proxy has no memory left");
}

/* --- resolved */

/* Takes out what no name may stand for. Returns how many are left. */
static size_t admit(struct conn *conn, const struct prefix *from, size_t n, struct prefix *ret_to,
		    const char **ret_purpose)
{
	size_t n_to = 0;
	uint32_t line;

	*ret_purpose = NULL;
	for (size_t i = 0; i < n; i++) {
		if (host_list_admits(conn->list->hosts, &from[i], conn->port, &line))
			ret_to[n_to++] = from[i];
		else
			*ret_purpose = special_purpose(&from[i]);
	}
	return n_to;
}

static void refuse_special(struct conn *conn, const struct prefix *address, const char *purpose)
{
	char why[200], text[PREFIX_TEXT_MAX];

	format_prefix(address, text);
	conn->address = *address;
	snprintf(why, sizeof(why), "has no address but %s (%s), and no line of hosts lists it",
		 text, purpose ? purpose : "special");
	judge_refuse(conn, host_verdict_name(HOST_ADDRESS_SPECIAL), why);
}

static void fail_to_resolve(struct conn *conn, const struct resolution *resolution)
{
	bool is_late = resolution->error == -ETIMEDOUT;

	judge_fail(conn, is_late ? 504 : 502,
		   is_late			? "no-answer-from-resolver" :
		   resolution->error == -ENOENT ? "no-such-name" :
						  "not-resolved",
		   resolution->words);
}

static void use_resolution(struct conn *conn, const struct resolution *resolution)
{
	struct prefix addresses[RESOLVE_ADDRESSES_MAX];
	const char *purpose;
	size_t n;

	if (resolution->error) {
		fail_to_resolve(conn, resolution);
		return;
	}
	/* The site's proxy may be anywhere, and resolves by itself. */
	if (conn->all->options.upstream) {
		way_dial(conn, resolution->addresses, resolution->n);
		return;
	}
	n = admit(conn, resolution->addresses, resolution->n, addresses, &purpose);
	if (n == 0 && is_enforced(conn)) {
		refuse_special(conn, &resolution->addresses[0], purpose);
		return;
	}
	if (n == 0) {
		conn->verdict = RECORD_WOULD_REFUSE;
		conn->would_be_refused = true;
		conn->reason = host_verdict_name(HOST_ADDRESS_SPECIAL);
		n = resolution->n;
		memcpy(addresses, resolution->addresses, n * sizeof(*addresses));
	}
	way_dial(conn, addresses, n);
}

static void on_resolved(void *data, const struct resolution *resolution)
{
	struct conn *conn = data;

	conn_answered(conn);
	use_resolution(conn, resolution);
}

static void resolve(struct conn *conn, const char *name)
{
	struct resolver *resolver = conn->all->options.resolver;
	const struct resolution *known = resolver_known(resolver, name);

	if (known) {
		use_resolution(conn, known);
		return;
	}
	if (conn_ask(conn, name, on_resolved) < 0)
		judge_fail(conn, 503, "too-many", "too many names are being resolved");
}

void way_out(struct conn *conn)
{
	const char *upstream = conn->all->options.upstream;
	struct resolution itself = { .n = 1 };

	event_del(&conn->silence);
	conn->deadline_ms = 0;
	if (upstream) {
		if (parse_address(upstream, &itself.addresses[0]) == 0)
			use_resolution(conn, &itself);
		else
			resolve(conn, upstream);
		return;
	}
	itself.addresses[0] = conn->way == RECORD_OTHER ? conn->caller.to : conn->host.address;
	if (itself.addresses[0].family)
		use_resolution(conn, &itself);
	else
		resolve(conn, conn->host.name);
}
