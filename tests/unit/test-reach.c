/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-reach.c - a box covers a packet just where the evaluator lets it pass, on random policies
 * and packets at their edges.
 *
 * UIDWALL_SEED=N tries that one seed alone; UIDWALL_ROUNDS=N tries more.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "diff/guards.h"
#include "diff/owners.h"
#include "diff/reach.h"
#include "lib/aim.h"
#include "lib/seeds.h"
#include "plan/plan.h"

enum { ROUNDS = 400, PACKETS = 300 };

static size_t n_allowed, n_refused;

/* --- what boxes say ---------------------------------------------------------------------------
 */

static uint32_t port_in(const struct reach_plane_desc *desc, const struct packet *packet)
{
	if (packet->l4proto == IPPROTO_ICMP || packet->l4proto == IPPROTO_ICMPV6)
		return packet->icmp_type;
	return desc->is_answer ? packet->sport : packet->dport;
}

static bool is_refused_by_guard(const struct reach_box *box, const struct guards *guards,
				const struct packet *packet)
{
	int protocol = reach_planes[box->plane].guards;

	return box->is_guarded && strcmp(packet->oifname, "lo") == 0 &&
	       !ranges_have(guards_callers(guards, (unsigned)protocol, packet->dport),
			    (uint32_t)packet->uid);
}

static bool covers(const struct reach_box *box, const struct guards *guards,
		   const struct packet *packet)
{
	const struct reach_plane_desc *desc = &reach_planes[box->plane];
	reach_address to =
		reach_address_from(packet->to.bytes, packet->to.family == ADDR_V4 ? 4 : 16);

	return desc->l4proto == packet->l4proto &&
	       (desc->family == ADDR_NONE || desc->family == packet->to.family) &&
	       (!desc->is_answer || !aim_opens(packet)) && to >= box->first && to <= box->last &&
	       ranges_have(box->ports, port_in(desc, packet)) &&
	       (!box->interface || strcmp(box->interface, packet->oifname) == 0) &&
	       packet->time_ns / 1000000000 < box->until &&
	       !is_refused_by_guard(box, guards, packet);
}

static bool reach_covers(const struct reach *reach, const struct guards *guards,
			 const struct packet *packet)
{
	for (size_t i = 0; i < reach->n; i++)
		if (covers(&reach->boxes[i], guards, packet))
			return true;
	return false;
}

/* --- random policies --------------------------------------------------------------------------
 */

struct world {
	struct arena *arena;
	struct policy_set set;
	struct ir_ruleset rules;
	struct guards guards;
	struct owners owners;
	struct reach *reaches; /* by service */
	int64_t now;
};

static void walk_all(struct world *world)
{
	struct reach_shared shared = reach_find_shared(&world->rules);

	world->reaches = arena_alloc(world->arena, world->set.n_services * sizeof(struct reach));
	for (size_t i = 0; i < world->set.n_services; i++)
		reach_walk(&world->rules, world->owners.chains[i], &shared, world->now,
			   world->arena, &world->reaches[i]);
}

static uint32_t owner_of(const struct owners *owners, uint32_t uid)
{
	for (size_t i = 0; i < owners->n; i++)
		if (owners->list[i].uids.first <= uid && uid <= owners->list[i].uids.last)
			return owners->list[i].service;
	return OWNER_NOBODY;
}

static void check_owner(const struct world *world, uint32_t uid, uint32_t owner)
{
	const char *chain = aim_chain(&world->rules, uid);

	if (!chain) {
		assert_int_equal(owner, OWNER_NOBODY);
	} else if (strncmp(chain, "svc-", 4) != 0) {
		assert_int_equal(owner, OWNER_REFUSED);
	} else {
		assert_true(owner < world->set.n_services);
		assert_string_equal(chain + 4, world->set.services[owner].policy->service);
	}
}

static void check_packet(const struct world *world, const struct packet *packet)
{
	uint32_t owner = owner_of(&world->owners, (uint32_t)packet->uid);
	bool allowed, covered;

	check_owner(world, (uint32_t)packet->uid, owner);
	if (owner >= OWNER_REFUSED)
		return;
	allowed = aim_is_allowed(&world->rules, packet);
	covered = reach_covers(&world->reaches[owner], &world->guards, packet);
	if (allowed != covered) {
		char to[PREFIX_TEXT_MAX];

		format_prefix(&packet->to, to);
		fail_msg("uid %lld, protocol %u, to %s port %u, from port %u, flags %x, out by "
			 "%s: evaluator says %d, boxes %d",
			 (long long)packet->uid, packet->l4proto, to, packet->dport, packet->sport,
			 packet->tcp_flags, packet->oifname, allowed, covered);
	}
	n_allowed += allowed;
	n_refused += !allowed;
}

static void try_seed(unsigned seed)
{
	static const int64_t moments[] = { 1700000000, 1900000000, 4000000000, 7300000000 };
	AUTO(arena) struct arena *arena = arena_new();
	struct random random = random_start(seed, UINT32_MAX - 3);
	struct world world = { .arena = arena };
	struct aim aim = { 0 };

	seed_tried = seed;
	world.now = moments[random_below(&random, ARRAY_SIZE(moments))];
	random_policies_make(seed, 1 + random_below(&random, 6), arena, &world.set);
	plan_build(&world.set, arena, &world.rules);
	guards_read(&world.rules, arena, &world.guards);
	owners_read(&world.set, &world.rules, arena, &world.owners);
	walk_all(&world);
	aim_at(&aim, &world.set, arena);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct packet packet = aim_packet(&aim, &random, world.now);

		check_packet(&world, &packet);
	}
	seed_tried = 0;
}

static void test_random(void **state)
{
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned rounds = (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);

	(void)state;
	if (only) {
		try_seed(only);
		return;
	}
	for (unsigned seed = 1; seed <= rounds; seed++)
		try_seed(seed);
	print_message("# %zu packets that pass, %zu that do not\n", n_allowed, n_refused);
	assert_true(n_allowed > rounds * 20 && n_refused > rounds * 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_random, seed_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
