/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.c - the sockets that are open, by the packet each would send next → those that are refused.
 *
 * The owner of a packet is who opened the socket's file; sock_diag tells the owner of its inode.
 * They are the same uid but where root gave the socket away with fchown(2). An orphan's packets
 * have no owner, so that no rule about users holds them: it is judged as its owner's, and
 * this is the only thing that ends it.
 */
#include "runtime/judge.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "kernel/route.h"
#include "kernel/tracked.h"
#include "plan/names.h"

enum {
	TRIES = 5,	     /* to list sockets undisturbed */
	INTERFACES_MAX = 64, /* that rules name */
};

static const struct {
	uint8_t l4proto;
	const char *name;
	bool is_needed; /* without it there is no judgement */
} protocols[] = {
	{ IPPROTO_TCP, "tcp", true },
	{ IPPROTO_UDP, "udp", false },
	{ IPPROTO_UDPLITE, "udplite", false },
	{ IPPROTO_RAW, "raw", false },
};

static int64_t real_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- a socket's next packet ----------------------------------------------------------------------
 */

static uint8_t next_flags(const struct live_socket *socket)
{
	if (socket->l4proto != IPPROTO_TCP)
		return 0;
	switch (socket->state) {
	case TCP_SYN_SENT:
		return TH_SYN;
	case TCP_SYN_RECV:
		return TH_SYN | TH_ACK;
	default:
		return TH_ACK;
	}
}

void judge_packet(const struct live_socket *socket, const struct families *families,
		  int64_t time_ns, struct packet *ret_packet)
{
	const struct family_member *member = families_find(families, socket->cgroup);

	*ret_packet = (struct packet){
		.uid = socket->uid,
		.to = socket->to,
		.l4proto = socket->l4proto,
		.sport = socket->sport,
		.dport = socket->dport,
		.tcp_flags = next_flags(socket),
		.oifname = "",
		.direction = PACKET_ORIGINAL,
		.nat = EVAL_NAT_LATER,
		.has_mptcp = socket->is_mptcp,
		.time_ns = time_ns,
	};
	if (member) {
		ret_packet->groups = member->groups;
		ret_packet->n_groups = member->n_groups;
	}
}

/* --- its verdict ---------------------------------------------------------------------------------
 */

/* A socket, and what decides about it: the rules' names for it come later, once for each line. */
struct finding {
	struct live_socket socket;
	const struct ir_origin *origin; /* NULL: two policies claim the user, or the unit */
	uint32_t chain;
	bool is_by_unit; /* whose it is, its control group says */
};

struct judge {
	struct sockets *sockets;
	const struct ir_ruleset *rules;
	struct routes *routes;
	struct tracked *tracked; /* NULL: not needed yet, or not to be had */
	struct families families;
	struct arena *arena; /* of the findings */
	int64_t time_ns;
	struct finding *findings;
	size_t n_findings, n_judged, n_unknown;
	/* that rules name, looked for when first needed: before that, n_interfaces is SIZE_MAX */
	const char *interfaces[INTERFACES_MAX];
	size_t n_interfaces;
};

static void evaluate(const struct judge *judge, const struct packet *packet,
		     struct eval_result *ret_result)
{
	struct eval_packet fields;

	packet_fields(packet, &fields);
	eval_packet(judge->rules, &fields, NULL, NULL, ret_result);
}

/* A UDP socket on a declared port may answer, whoever it is connected to: only conntrack knows
 * whether its next datagram is an answer.
 */
static bool is_refused(const struct judge *judge, struct packet *packet,
		       struct eval_result *ret_result)
{
	struct eval_result as_reply;

	evaluate(judge, packet, ret_result);
	if (!eval_is_refused(ret_result))
		return false;
	if (packet->l4proto != IPPROTO_UDP || !judge->rules->uses_conntrack)
		return true;
	packet->direction = PACKET_REPLY;
	evaluate(judge, packet, &as_reply);
	packet->direction = PACKET_ORIGINAL;
	return eval_is_refused(&as_reply);
}

static void find_interfaces(struct judge *judge)
{
	judge->n_interfaces = 0;
	for (size_t i = 0; i < judge->rules->n_stmts; i++) {
		const struct ir_stmt *s = &judge->rules->stmts[i];
		size_t j = 0;

		if (s->kind != IR_STMT_MATCH || s->field != IR_OIFNAME)
			continue;
		while (j < judge->n_interfaces &&
		       strcmp(judge->interfaces[j], (const char *)s->value) != 0)
			j++;
		if (j == judge->n_interfaces && j < INTERFACES_MAX)
			judge->interfaces[judge->n_interfaces++] = (const char *)s->value;
	}
}

/* There is no way at the moment, so nothing says by which interface it would leave. It goes only
 * where no interface would let it stay: a tunnel that is down may come back.
 */
static bool is_refused_anyway(struct judge *judge, struct packet *packet,
			      struct eval_result *ret_result)
{
	struct eval_result with_interface;

	if (!is_refused(judge, packet, ret_result))
		return false;
	if (judge->n_interfaces == SIZE_MAX)
		find_interfaces(judge);
	for (size_t i = 0; i < judge->n_interfaces; i++) {
		packet->oifname = judge->interfaces[i];
		if (!is_refused(judge, packet, &with_interface))
			return false;
	}
	return true;
}

/* Elements of the map of units have a path. */
static bool is_by_unit(const struct ir_ruleset *rules, const struct eval_result *result)
{
	for (unsigned i = 0; i < result->n_steps; i++)
		if (result->steps[i].element != IR_NONE &&
		    rules->elements[result->steps[i].element].path)
			return true;
	return false;
}

/* The step that eval_origin() found, or the last one where no policy had a say: what two of them
 * claim goes straight to the refusal.
 */
static void explain(const struct judge *judge, const struct eval_result *result,
		    struct finding *finding)
{
	const struct ir_ruleset *rules = judge->rules;
	const struct ir_origin *origin = eval_origin(rules, result);

	finding->origin = origin;
	finding->chain = IR_NONE;
	finding->is_by_unit = is_by_unit(rules, result);
	for (unsigned i = result->n_steps; i-- > 0;) {
		const struct eval_step *step = &result->steps[i];
		const struct ir_origin *of_element =
			step->element == IR_NONE ? NULL : &rules->elements[step->element].origin;

		if (origin &&
		    (of_element == origin || &rules->rules[step->rule].origin == origin)) {
			finding->chain = step->chain;
			return;
		}
		if (!origin && of_element && of_element->what)
			finding->origin = of_element; /* "declared by several services" */
	}
}

/* Whether a connection that the rules would lead to the proxy is one that they did not: it is older
 * than they are, and goes where it says. Where the kernel cannot be asked, its next packet is
 * refused all the same.
 */
static bool is_astray(struct judge *judge, const struct live_socket *socket)
{
	if (!judge->tracked && tracked_open(&judge->tracked) < 0)
		return false;
	return tracked_is_led(judge->tracked, &socket->from, socket->sport, &socket->to,
			      socket->dport) == 0;
}

static int judge_socket(const struct live_socket *socket, void *data)
{
	struct judge *judge = data;
	struct route own, way;
	struct eval_result result;
	struct finding *finding;
	struct packet packet;
	bool refused;
	int r;

	judge->n_judged++;
	judge_packet(socket, &judge->families, judge->time_ns, &packet);
	judge->n_unknown += !packet.n_groups && !sockets_knows_owner(judge->sockets, socket);
	r = routes_find(judge->routes, &socket->from, 0, &own);
	if (r < 0 && !routes_is_unreachable(r))
		return r;
	packet.is_foreign = r < 0 || !own.is_local;
	r = routes_find_for(judge->routes, socket->uid, packet.is_foreign ? NULL : &socket->from,
			    &socket->to, socket->ifindex, &way);
	if (r < 0 && !routes_is_unreachable(r))
		return r;
	if (r == 0)
		packet.oifname = way.oifname;
	refused = r == 0 ? is_refused(judge, &packet, &result) :
			   is_refused_anyway(judge, &packet, &result);
	if (!refused && result.led && is_astray(judge, socket)) {
		packet.nat = EVAL_NAT_NONE;
		refused = is_refused(judge, &packet, &result);
	}
	if (!refused)
		return 0;
	finding = ARENA_APPEND(judge->arena, judge->findings, judge->n_findings);
	finding->socket = *socket;
	explain(judge, &result, finding);
	return 0;
}

/* --- all of them ---------------------------------------------------------------------------------
 */

static int list_all(struct judge *judge, struct diags *diags)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		int r = sockets_list(judge->sockets, protocols[i].l4proto, judge_socket, judge);

		if (r == -ENOENT && !protocols[i].is_needed)
			continue; /* built without: RAW often is */
		if (r == -EINTR)
			return r;
		if (r < 0) {
			diag_add(
				diags, DIAG_WARNING, (struct place){ 0 },
				"open %s connections cannot be listed: %s; those that the policies "
				"refuse stay open",
				protocols[i].name,
				r == -ENOENT ? "this kernel has no CONFIG_INET_TCP_DIAG" :
					       strerror(-r));
			return r;
		}
	}
	return 0;
}

static int find_all(struct judge *judge, struct diags *diags)
{
	int r = -EINTR;

	for (unsigned i = 0; i < TRIES && r == -EINTR; i++) {
		judge->findings = NULL;
		judge->n_findings = judge->n_judged = judge->n_unknown = 0;
		r = list_all(judge, diags);
	}
	if (r == -EINTR)
		diag_add(diags, DIAG_WARNING, (struct place){ 0 },
			 "open connections cannot be listed: they change too fast; those that the "
			 "policies refuse stay open");
	return r;
}

static void note_unknown(size_t n, struct diags *diags)
{
	diag_add(diags, DIAG_NOTE, (struct place){ 0 },
		 "%zu connection%s that a program closed and that still send%s cannot be judged: "
		 "this "
		 "kernel does not tell whose (Linux 6.17 and later do)",
		 n, n == 1 ? "" : "s", n == 1 ? "s" : "");
}

static void note_cut(struct diags *diags)
{
	diag_add(diags, DIAG_WARNING, (struct place){ 0 },
		 "the units have too many control groups of their own (more than %u, or %u deep), "
		 "so "
		 "that not all of their open connections can be judged",
		 FAMILIES_MAX, FAMILIES_DEPTH_MAX);
}

static const char *service_of(const struct policy_set *set, const char *chain)
{
	char name[SERVICE_NAME_MAX + 1];
	const struct service *service;
	const char *start;
	size_t length;

	if (name_parse_chain(chain, &start, &length) == CHAIN_SHARED || length >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)length, start);
	service = policy_set_find(set, name);
	return service ? service->policy->service : NULL;
}

static int compare_deciders(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->origin != y->origin)
		return (uintptr_t)x->origin < (uintptr_t)y->origin ? -1 : 1;
	if (x->chain != y->chain)
		return x->chain < y->chain ? -1 : 1;
	return x->is_by_unit - y->is_by_unit;
}

static int compare_text(const char *a, const char *b)
{
	return !a || !b ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

#define COMPARE(x, y) ((x) < (y) ? -1 : (x) > (y))

static int compare_refused(const void *a, const void *b)
{
	const struct live_refused *x = a, *y = b;
	int r = compare_text(x->service, y->service);

	r = r ? r : COMPARE(x->socket.uid, y->socket.uid);
	r = r ? r : COMPARE(x->socket.l4proto, y->socket.l4proto);
	r = r ? r : prefix_compare(&x->socket.to, &y->socket.to);
	r = r ? r : COMPARE(x->socket.dport, y->socket.dport);
	r = r ? r : prefix_compare(&x->socket.from, &y->socket.from);
	return r ? r : COMPARE(x->socket.sport, y->socket.sport);
}

static const char *reason(const struct finding *finding, struct arena *arena)
{
	char text[IR_COMMENT_MAX];

	if (!finding->origin)
		return finding->is_by_unit ? "two policies claim this unit" :
					     "two policies claim this user";
	ir_format_origin(finding->origin, text);
	return arena_strdup(arena, text);
}

/* Ten thousand sockets are refused by one line: its words are made once. */
static void name_all(const struct judge *judge, const struct policy_set *set, struct arena *arena,
		     struct live_refused *ret_refused)
{
	const struct finding *findings = judge->findings;

	if (judge->n_findings)
		qsort(judge->findings, judge->n_findings, sizeof(*findings), compare_deciders);
	for (size_t i = 0; i < judge->n_findings; i++) {
		struct live_refused *refused = &ret_refused[i];

		if (i && compare_deciders(&findings[i - 1], &findings[i]) == 0) {
			*refused = ret_refused[i - 1];
		} else {
			refused->why = reason(&findings[i], arena);
			refused->is_by_unit = findings[i].is_by_unit;
			if (findings[i].chain != IR_NONE)
				refused->service = service_of(
					set, judge->rules->chains[findings[i].chain].name);
		}
		refused->socket = findings[i].socket;
	}
	qsort(ret_refused, judge->n_findings, sizeof(*ret_refused), compare_refused);
}

int judge_sockets(struct sockets *sockets, const struct policy_set *set,
		  const struct ir_ruleset *rules, struct arena *arena,
		  struct live_judgement *ret_judgement, struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	AUTO(routes) struct routes *routes = NULL;
	struct judge judge = {
		.sockets = sockets,
		.rules = rules,
		.arena = scratch,
		.time_ns = real_time_ns(),
		.n_interfaces = SIZE_MAX,
	};
	int64_t start = clock_now_us();
	int r = routes_open(&routes);

	if (r < 0) {
		diag_add(diags, DIAG_WARNING, (struct place){ 0 },
			 "open connections cannot be judged, routes cannot be asked for: %s",
			 strerror(-r));
		return r;
	}
	judge.routes = routes;
	/* What the groups below a unit's are now is enough: a socket in one that was made later is
	 * younger than the rules. One that is gone, and never was a unit's own, cannot be found out
	 * about; its next packet is refused all the same.
	 */
	families_read(set, scratch, &judge.families);
	r = find_all(&judge, diags);
	tracked_close(judge.tracked);
	if (r < 0)
		return r;
	if (judge.n_unknown)
		note_unknown(judge.n_unknown, diags);
	if (judge.families.is_cut)
		note_cut(diags);
	*ret_judgement = (struct live_judgement){
		.refused = arena_alloc(arena, judge.n_findings * sizeof(struct live_refused)),
		.n_refused = judge.n_findings,
		.n_judged = judge.n_judged,
	};
	name_all(&judge, set, arena, ret_judgement->refused);
	ret_judgement->us = (uint64_t)(clock_now_us() - start);
	return 0;
}
