/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-why-random.c - answers to "why" hold: what they propose is written into the policies,
 * planned anew, and has turned the verdict; without any one part of it the verdict stays.
 *
 * UIDWALL_SEED=N tries the policies of that one seed; UIDWALL_ROUNDS=N tries more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "why/edit.h"
#include "why/remedy.h"
#include "lib/random_policies.h"
#include "lib/scene.h"
#include "lib/seeds.h"
#include "plan/plan.h"
#include "policy/parse.h"

enum { ROUNDS = 400, QUESTIONS = 24, SERVICES = 7 };

/* --- policies with changes made --------------------------------------------------------------- */

static int compare_edits(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static const char *apply_edits(const struct policy *policy, const struct edits *edits,
			       struct arena *arena)
{
	struct edits own = { 0 };
	const char *text = "";
	size_t at = 0;

	for (size_t i = 0; i < edits->n; i++)
		if (edits->list[i].service->policy == policy)
			*ARENA_APPEND(arena, own.list, own.n) = edits->list[i];
	/* glibc's qsort() is a merge sort: equals keep their order */
	if (own.n)
		qsort(own.list, own.n, sizeof(*own.list), compare_edits);
	for (size_t i = 0; i < own.n; i++) {
		const struct edit *e = &own.list[i];
		size_t n = strlen(e->remove);

		assert_true(e->offset >= at && e->offset + n <= policy->text_length);
		assert_memory_equal(policy->text + e->offset, e->remove, n);
		text = arena_printf(arena, "%s%.*s%s", text, (int)(e->offset - at),
				    policy->text + at, e->insert);
		at = e->offset + n;
	}
	return arena_printf(arena, "%s%s", text, policy->text + at);
}

static struct policy *parse_again(const struct policy *old, const char *text, struct arena *arena)
{
	struct policy *policy = arena_alloc(arena, sizeof(*policy));
	struct source source = { old->path, old->file, text, strlen(text) };
	AUTO(diags) struct diags diags;

	diags_init(&diags);
	if (policy_parse(&source, arena, policy, &diags) < 0) {
		for (size_t i = 0; i < diags.n; i++)
			diag_print(&diags.list[i], stderr, false);
		fail_msg("the changed policy is wrong:\n%s", text);
	}
	policy->subjects = old->subjects;
	policy->n_subjects = old->n_subjects;
	return policy;
}

/* The same set, the changes made. */
static void change_set(const struct policy_set *set, const struct changes *changes,
		       struct arena *arena, struct policy_set *ret_set)
{
	AUTO(texts) struct texts texts;
	struct edits edits;

	texts_init(&texts, arena);
	edits_make(&texts, changes, &edits);
	*ret_set = *set;
	ret_set->services = arena_alloc(arena, set->n_services * sizeof(*set->services));
	for (size_t i = 0; i < set->n_services; i++) {
		const struct service *service = &set->services[i];
		bool is_changed = false;

		for (size_t j = 0; j < edits.n; j++)
			is_changed = is_changed || edits.list[j].service == service;
		ret_set->services[i] = *service;
		if (is_changed)
			ret_set->services[i].policy =
				parse_again(service->policy,
					    apply_edits(service->policy, &edits, arena), arena);
	}
}

/* --- the same packets under other rules ------------------------------------------------------- */

static bool is_refused_by(const struct ir_ruleset *rules, const struct probe *probe)
{
	struct packet packet = probe->packet;
	struct eval_packet fields;
	struct eval_result result;

	packet.direction = !rules->uses_conntrack    ? PACKET_UNTRACKED :
			   probe->crossing.is_answer ? PACKET_REPLY :
						       PACKET_ORIGINAL;
	packet_fields(&packet, &fields);
	eval_packet(rules, &fields, NULL, NULL, &result);
	return eval_is_refused(&result);
}

static bool is_refused_after(const struct policy_set *set, const struct asked *asked,
			     const struct changes *changes)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct policy_set changed;
	struct ir_ruleset rules;

	change_set(set, changes, arena, &changed);
	plan_build(&changed, arena, &rules);
	return (asked->has_call && is_refused_by(&rules, &asked->call)) ||
	       (asked->has_answer && is_refused_by(&rules, &asked->answer));
}

/* What was asked and proposed, for whoever has to find out why that is wrong. */
static const char *describe(const struct asked *asked, const struct changes *changes)
{
	const struct probe *probe = asked->has_call ? &asked->call : &asked->answer;
	AUTO(texts) struct texts texts;
	struct arena *arena = changes->arena;
	struct edits edits;
	char address[PREFIX_TEXT_MAX];
	const char *text;

	format_prefix(&asked->target.to, address);
	text = arena_printf(arena, "uid %u%s to %s %s port %u by \"%s\"%s%s", probe->sender.uid,
			    asked->has_call ? "" : " answers",
			    target_protocols[asked->target.protocol], address, asked->target.port,
			    probe->way.oifname, asked->server ? ", the port of " : "",
			    asked->server ? asked->server->policy->service : "");
	texts_init(&texts, arena);
	edits_make(&texts, changes, &edits);
	for (size_t i = 0; i < edits.n; i++)
		text = arena_printf(arena, "%s\n  %s %s: %s", text,
				    edits.list[i].service->policy->file, edits.list[i].where,
				    edits.list[i].text);
	return text;
}

static void check_turn(const struct policy_set *set, const struct asked *asked,
		       const struct changes *changes)
{
	bool before = asked_is_refused(asked);

	if (is_refused_after(set, asked, changes) == before)
		fail_msg("not turned: %s", describe(asked, changes));
	for (size_t i = 0; changes->n > 1 && i < changes->n; i++) {
		struct changes less = { .arena = changes->arena };

		for (size_t j = 0; j < changes->n; j++)
			if (j != i)
				*ARENA_APPEND(less.arena, less.list, less.n) = changes->list[j];
		if (is_refused_after(set, asked, &less) != before)
			fail_msg("part %zu is not needed: %s", i, describe(asked, changes));
	}
}

/* What allows it in enforce mode does so once the modes are changed. */
static void check_enforce(const struct policy_set *set, const struct asked *asked,
			  const struct changes *changes)
{
	struct changes all = { .arena = changes->arena };

	changes_merge(&all, changes);
	for (size_t i = 0; i < set->n_services; i++)
		if (set->services[i].policy->mode == MODE_MONITOR)
			*ARENA_APPEND(all.arena, all.list, all.n) =
				(struct change){ .kind = CHANGE_ENFORCE,
						 .service = &set->services[i] };
	if (is_refused_after(set, asked, &all))
		fail_msg("refused when it enforces: %s", describe(asked, &all));
}

/* --- random questions ------------------------------------------------------------------------- */

static const struct service *random_service(struct random *random, const struct policy_set *set)
{
	return &set->services[random_below(random, (uint32_t)set->n_services)];
}

/* Often somebody whom policies know. */
static uint32_t random_uid(struct random *random, const struct policy_set *set)
{
	const struct policy *policy = random_service(random, set)->policy;

	if (random_chance(random, 8))
		return 0;
	if (policy->n_listen && random_chance(random, 2)) {
		const struct listener *l =
			&policy->listen[random_below(random, (uint32_t)policy->n_listen)];

		if (l->n_from)
			return l->from[random_below(random, (uint32_t)l->n_from)].uid;
	}
	if (set->n_ranges && random_chance(random, 3))
		return set->ranges[random_below(random, (uint32_t)set->n_ranges)].uids.first;
	if (set->n_named && random_chance(random, 2))
		return set->named[random_below(random, (uint32_t)set->n_named)].uids.first;
	return 5000 + random_below(random, 10);
}

/* The edges of ranges, and beyond them. */
static uint16_t port_near(struct random *random, const struct number_range *ports, size_t n)
{
	const struct number_range *range = &ports[random_below(random, (uint32_t)n)];
	uint32_t port = random_chance(random, 2) ? range->first : range->last;

	if (random_chance(random, 8))
		port += random_chance(random, 2) ? 1 : UINT32_MAX;
	return port < 1 || port > UINT16_MAX ? 443 : (uint16_t)port;
}

static struct prefix address_in(struct random *random, const struct prefix *to)
{
	static const struct prefix loopback[] = {
		{ ADDR_V4, 32, { 127, 0, 0, 1 } },
		{ ADDR_V6, 128, { [15] = 1 } },
	};
	struct prefix address = *to;

	if (to->family == ADDR_NONE)
		return loopback[random_below(random, 2)];
	if (random_chance(random, 3))
		prefix_last(to, address.bytes);
	address.length = (uint8_t)prefix_max_length(to);
	if (random_chance(random, 8))
		address.bytes[address.family == ADDR_V4 ? 3 : 15] ^= 1;
	if (prefix_is_unspecified(&address) || prefix_is_mapped(&address))
		return loopback[0]; /* as target_parse() has it, more or less */
	return address;
}

/* A port of a listener on loopback, a name server, the proxy, or what a line is about. */
static void random_target(struct random *random, const struct policy_set *set,
			  struct target *ret_target)
{
	static const struct prefix local = { .family = ADDR_NONE };
	const struct policy *policy = random_service(random, set)->policy;
	const struct config *config = &set->config;
	struct target target = { .to = address_in(random, &local), .port = 3000 };

	if (config->n_resolvers && random_chance(random, 6)) {
		target.protocol = random_chance(random, 2) ? PROTOCOL_TCP : PROTOCOL_UDP;
		target.to = config->resolvers[random_below(random, (uint32_t)config->n_resolvers)]
				    .address;
		target.port = 53;
	} else if (config->n_proxies && random_chance(random, 6)) {
		target.to = config->proxies[0].address;
		target.port = config->proxies[0].port;
	} else if (policy->n_listen && random_chance(random, 2)) {
		const struct listener *l =
			&policy->listen[random_below(random, (uint32_t)policy->n_listen)];

		target.protocol = l->protocol;
		target.port = port_near(random, l->ports, l->n_ports);
	} else if (policy->n_connect) {
		const struct endpoint *e =
			&policy->connect[random_below(random, (uint32_t)policy->n_connect)];

		target.protocol = e->protocol;
		target.to = address_in(random, &e->to);
		target.port = e->n_ports ? port_near(random, e->ports, e->n_ports) : 0;
	}
	*ret_target = target;
}

/* False: the question makes no sense. */
static bool random_question(struct random *random, const struct why_world *world,
			    struct asked *ret_asked)
{
	const struct service *service = random_service(random, world->set);
	struct target target;
	struct sender sender, caller;

	memset(ret_asked, 0, sizeof(*ret_asked));
	random_target(random, world->set, &target);
	if (random_chance(random, 3) || !sender_of_service(world, service, &sender))
		sender_of_uid(world, random_uid(random, world->set), NULL, &sender);
	ret_asked->target = target;
	if (random_chance(random, 2)) {
		ret_asked->has_call = true;
		probe_call(world, &sender, &target, &ret_asked->call);
		return true;
	}
	if (target.protocol == PROTOCOL_ICMP)
		return false;
	ret_asked->server = sender.service;
	ret_asked->has_answer = true;
	probe_answer(world, &sender, &target, &ret_asked->answer);
	if (!prefix_is_loopback(&target.to))
		return true;
	ret_asked->has_call = true;
	sender_of_uid(world, random_uid(random, world->set), NULL, &caller);
	probe_call(world, &caller, &target, &ret_asked->call);
	return true;
}

/* --- properties ------------------------------------------------------------------------------- */

static void check_model(const struct why_world *world, const struct probe *probe)
{
	struct ir_origin none = { .what = "-" };
	const struct ir_origin *origin = eval_origin(world->rules, &probe->result);
	char comment[IR_COMMENT_MAX];

	if (crossing_passes(&probe->crossing) == !eval_is_refused(&probe->result) || probe->is_odd)
		return;
	ir_format_origin(origin ? origin : &none, comment);
	fail_msg("uid %u, port %u of protocol %u by %s%s: the model and the rules differ: %s",
		 probe->sender.uid, probe->packet.dport, probe->crossing.protocol,
		 probe->way.oifname, probe->crossing.is_answer ? " (answer)" : "", comment);
}

/* A port at an external proxy that is another service's, or everybody else's. */
static bool is_proxy_of_others(const struct crossing *c)
{
	const struct config *config = &c->set->config;
	const struct proxy_port *own = config_find_proxy_port(config, c->service->policy->service);
	bool is_port = false, is_address = false;

	for (size_t i = 0; i < config->n_proxy_ports; i++)
		is_port = is_port || config->proxy_ports[i].port == c->dport;
	for (size_t i = 0; i < config->n_proxies; i++) {
		is_port = is_port || config->proxies[i].port == c->dport;
		is_address = is_address || prefix_compare(&config->proxies[i].address, &c->to) == 0;
	}
	return config->n_proxy_ports && c->protocol == PROTOCOL_TCP && is_address && is_port &&
	       !(own && own->port == c->dport);
}

static bool can_have_no_line(const struct asked *asked)
{
	const struct crossing *c =
		asked->has_call ? &asked->call.crossing : &asked->answer.crossing;

	return c->is_shared || c->uid == 0 || !c->service || c->service->state == POLICY_REFUSED ||
	       (asked->has_answer &&
		(!asked->answer.crossing.service || asked->answer.crossing.is_shared ||
		 asked->answer.crossing.service->state == POLICY_REFUSED)) ||
	       (prefix_is_loopback(&c->to) && strcmp(c->oifname, "lo") != 0) ||
	       (asked->has_call && is_proxy_of_others(c));
}

static void check_question(const struct why_world *world, const struct asked *asked,
			   unsigned *n_turned)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct remedy remedy;

	if (asked->has_call)
		check_model(world, &asked->call);
	if (asked->has_answer)
		check_model(world, &asked->answer);
	remedy_find(world, asked, arena, &remedy);
	if (remedy.turn.n) {
		check_turn(world->set, asked, &remedy.turn);
		++*n_turned;
	} else if (!can_have_no_line(asked)) {
		fail_msg("no line is proposed");
	}
	if (remedy.enforce.n)
		check_enforce(world->set, asked, &remedy.enforce);
}

/* --- corners that chance seldom finds -----------------------------------------------------------
 */

static void check_corner(const char *const policies[], const char *from, const char *to,
			 const char *target, size_t n_changes)
{
	AUTO(scene) struct scene *scene = scene_new();
	struct ir_ruleset rules;
	struct why_world world = {
		.set = &scene->set, .rules = &rules, .is_standing = true, .now = 1800000000
	};
	struct asked asked = { .has_call = true };
	struct sender sender, server;
	struct remedy remedy;
	const char *error;
	unsigned n_turned = 0;

	for (size_t i = 0; policies[i]; i++)
		scene_write(scene, arena_printf(scene->arena, "s%zu.json", i), policies[i]);
	scene_begin(scene);
	plan_build(&scene->set, scene->arena, &rules);
	assert_int_equal(target_parse(target, scene->arena, &asked.target, &error), 0);
	sender_of_uid(&world, (uint32_t)atoi(from), NULL, &sender);
	probe_call(&world, &sender, &asked.target, &asked.call);
	if (to) {
		asked.server = policy_set_find(&scene->set, to);
		asked.has_answer = sender_of_service(&world, asked.server, &server);
		probe_answer(&world, &server, &asked.target, &asked.answer);
	}
	check_question(&world, &asked, &n_turned);
	assert_int_equal(n_turned, 1);
	remedy_find(&world, &asked, scene->arena, &remedy);
	assert_int_equal(remedy.turn.n, n_changes);
}

static void test_corners(void **state)
{
	(void)state;
	/* "from" holds for the proxy's port as for any other. */
	check_corner((const char *const[]){ "{ \"user\": 64000 }",
					    "{ \"user\": 64001, \"listen\": [ { \"port\": 3128, "
					    "\"from\": [2] } ] }",
					    NULL },
		     "64000", NULL, "tcp 127.0.0.1:3128", 1);
	/* Its port is another one's, too: both guards have to name it. */
	check_corner(
		(const char *const[]){
			"{ \"user\": 64000, \"listen\": [ { \"port\": 99, \"from\": [1] } ], "
			"\"connect\": [ { \"to\": \"127.0.0.1\", \"port\": 99 } ] }",
			"{ \"user\": 64001, \"listen\": [ { \"port\": 99, \"from\": [2] } ] }",
			NULL },
		"64000", NULL, "tcp 127.0.0.1:99", 2);
	/* Named twice, and by two of which one is enough. */
	check_corner(
		(const char *const[]){
			"{ \"user\": 64000, \"listen\": [ { \"port\": 99, \"from\": "
			"[7, 8, 7] } ] }",
			"{ \"user\": 64001, \"listen\": [ { \"port\": 99, \"from\": [7] } ] }",
			NULL },
		"7", "s0", "tcp [::1]:99", 2);
	/* Neither is named in, nor may say anything. */
	check_corner(
		(const char *const[]){
			"{ \"user\": 64000, \"listen\": [ { \"port\": 99, \"from\": [] } ] }",
			"{ \"user\": 64001, \"proxy\": false, \"listen\": [ { \"port\": 99, "
			"\"from\": [5] } ] }",
			"{ \"user\": 64002, \"connect\": [] }", NULL },
		"64002", "s0", "tcp 127.0.0.1:99", 3);
	/* It only monitors, and somebody else does not: without its port it is kept out. */
	check_corner(
		(const char *const[]){
			"{ \"users\": [64000, 64001], \"mode\": \"monitor\", \"listen\": "
			"[ { \"port\": 99 } ] }",
			"{ \"user\": 64002, \"listen\": [ { \"port\": 99, \"from\": [5] } ] }",
			NULL },
		"64001", "s0", "tcp 127.0.0.1:99", 1);
	/* Nobody declared it. */
	check_corner((const char *const[]){ "{ \"user\": 64000, \"listen\": [] }", NULL }, "5",
		     "s0", "udp [::1]:1", 1);
}

static void test_remedies(void **state)
{
	static const int64_t moments[] = { 1600000000, 1900000000, 4200000000 };
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned first = only ? only : 1;
	unsigned last = only ? only : (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);
	unsigned n = 0, n_turned = 0;

	(void)state;
	for (unsigned i = first; i <= last; i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct random random = random_start(i, UINT32_MAX - 7);
		struct policy_set set;
		struct ir_ruleset rules;
		struct why_world world = { .set = &set, .rules = &rules, .is_standing = true };

		seed_tried = i;
		random_policies_make(i, SERVICES, arena, &set);
		plan_build(&set, arena, &rules);
		for (unsigned j = 0; j < QUESTIONS; j++) {
			struct asked asked;

			world.now = moments[random_below(&random, ARRAY_SIZE(moments))];
			if (!random_question(&random, &world, &asked))
				continue;
			check_question(&world, &asked, &n_turned);
			n++;
		}
	}
	seed_tried = 0;
	print_message("%u questions, %u verdicts turned\n", n, n_turned);
	assert_true(n_turned > n / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corners),
		cmocka_unit_test_teardown(test_remedies, seed_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
