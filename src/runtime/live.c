/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.c - sockets that the rules refuse → closed, with a line for each; or shown as JSON. */
#include "runtime/live.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "runtime/judge.h"

enum {
	LOGGED_MAX = 20,
	WRITTEN_MAX = 100,
	ENDPOINT_TEXT_MAX = PREFIX_TEXT_MAX + 16,
};

struct live {
	struct sockets *sockets;
};

int live_open(struct live **ret_live, struct diags *diags)
{
	AUTO(live) struct live *live = calloc(1, sizeof(*live));
	int r = live ? sockets_open(&live->sockets) : -ENOMEM;

	if (r < 0) {
		diag_add(diags, DIAG_WARNING, (struct place){ 0 },
			 "open connections cannot be listed: %s; those that the policies refuse "
			 "stay open",
			 strerror(-r));
		return r;
	}
	*ret_live = TAKE(live);
	return 0;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	sockets_close(live->sockets);
	free(live);
}

bool live_can_destroy(const struct live *live)
{
	return sockets_can_destroy(live->sockets);
}

int live_judge(struct live *live, const struct policy_set *set, const struct ir_ruleset *rules,
	       struct arena *arena, struct live_judgement *ret_judgement, struct diags *diags)
{
	return judge_sockets(live->sockets, set, rules, arena, ret_judgement, diags);
}

/* --- words
 * ----------------------------------------------------------------------------------------
 */

static const char *protocol_name(uint8_t l4proto)
{
	static const struct {
		uint8_t l4proto;
		const char *name;
	} names[] = {
		{ IPPROTO_TCP, "tcp" },		{ IPPROTO_UDP, "udp" },
		{ IPPROTO_ICMP, "icmp" },	{ IPPROTO_ICMPV6, "icmpv6" },
		{ IPPROTO_UDPLITE, "udplite" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].l4proto == l4proto)
			return names[i].name;
	return "raw";
}

/* "192.0.2.1:80", "[2001:db8::1]:80", or the address alone where there are no ports. */
static void format_endpoint(const struct prefix *address, uint16_t port,
			    char ret_text[ENDPOINT_TEXT_MAX])
{
	char text[PREFIX_TEXT_MAX];
	bool v6 = address->family == ADDR_V6;

	format_prefix(address, text);
	if (port)
		snprintf(ret_text, ENDPOINT_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", text, port);
	else
		snprintf(ret_text, ENDPOINT_TEXT_MAX, "%s", text);
}

/* --- closing -------------------------------------------------------------------------------------
 */

static void log_closed(const struct live_refused *refused)
{
	const struct live_socket *s = &refused->socket;
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];

	format_endpoint(&s->from, s->sport, from);
	format_endpoint(&s->to, s->dport, to);
	log_notice("closed: %s%s%s %s → %s of uid %u%s%s (%s)",
		   refused->service ? refused->service : "", refused->service ? " " : "",
		   protocol_name(s->l4proto), from, to, s->uid,
		   refused->is_by_unit ? " in its unit" : "",
		   sockets_is_orphan(s) ? ", which its program had left" : "", refused->why);
}

/* What stays open, and what that means: the same whatever kept it from being closed. */
static void warn_left(size_t n, size_t n_tcp, const char *why, struct diags *diags)
{
	diag_add(diags, DIAG_WARNING, (struct place){ 0 },
		 "%zu connection%s that the policies refuse cannot be closed: %s; the next packet "
		 "is "
		 "refused all the same%s",
		 n, n == 1 ? "" : "s", why,
		 n_tcp ? ", a TCP connection then ends with a reset, but what its program has "
			 "already closed may still be sent" :
			 "");
}

size_t live_destroy(struct live *live, const struct live_judgement *judgement, struct diags *diags)
{
	size_t n_closed = 0, n_left = 0, n_left_tcp = 0;
	int why = 0;

	for (size_t i = 0; i < judgement->n_refused; i++) {
		const struct live_refused *refused = &judgement->refused[i];
		int r = sockets_destroy(live->sockets, &refused->socket);

		if (r == 0 && n_closed++ < LOGGED_MAX)
			log_closed(refused);
		if (r == 0 || r == -ENOENT)
			continue;
		n_left++;
		n_left_tcp += refused->socket.l4proto == IPPROTO_TCP;
		why = r;
	}
	if (n_closed > LOGGED_MAX)
		log_notice("closed: %zu more", n_closed - LOGGED_MAX);
	if (n_left)
		warn_left(n_left, n_left_tcp,
			  !live_can_destroy(live) ? "this kernel has no CONFIG_INET_DIAG_DESTROY" :
						    strerror(-why),
			  diags);
	return n_closed;
}

/* --- showing -------------------------------------------------------------------------------------
 */

static void put_refused(struct writer *w, const struct live_refused *refused)
{
	const struct live_socket *s = &refused->socket;
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];

	format_endpoint(&s->from, s->sport, from);
	format_endpoint(&s->to, s->dport, to);
	writer_begin(w, '{');
	writer_put_text(w, "service", refused->service);
	writer_put_int(w, "uid", s->uid);
	writer_put_bool(w, "by_unit", refused->is_by_unit);
	writer_put_text(w, "protocol", protocol_name(s->l4proto));
	writer_put_text(w, "from", from);
	writer_put_text(w, "to", to);
	writer_put_text(w, "state", sockets_state_name(s));
	writer_put_bool(w, "orphan", sockets_is_orphan(s));
	writer_put_text(w, "why", refused->why);
	writer_end(w, '}');
}

void live_write(const struct live *live, const struct live_judgement *judgement, struct writer *w)
{
	writer_key(w, "sockets");
	writer_begin(w, '{');
	writer_put_int(w, "judged", (int64_t)judgement->n_judged);
	writer_put_int(w, "refused", (int64_t)judgement->n_refused);
	writer_put_bool(w, "can_close", live_can_destroy(live));
	writer_key(w, "list");
	writer_begin(w, '[');
	for (size_t i = 0; i < judgement->n_refused && i < WRITTEN_MAX; i++)
		put_refused(w, &judgement->refused[i]);
	writer_end(w, ']');
	writer_end(w, '}');
}
