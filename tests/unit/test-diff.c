/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-diff.c - what diff says of two sets of policies is what the evaluator does with packets.
 *
 * Random policies, and the same after a few changes. Wherever the two rulesets judge a packet of a
 * service differently, a gain or a loss of that service (or of the configuration) covers it, and
 * wherever one covers it they do. Changes that only use other words give no difference at all.
 *
 * UIDWALL_SEED=N tries that one seed alone and shows it; UIDWALL_ROUNDS=N tries more.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "diff/diff.h"
#include "lib/aim.h"
#include "lib/mutate.h"
#include "lib/seeds.h"
#include "plan/plan.h"

enum { ROUNDS = 600, PACKETS = 300, NOW = 1900000000 };

static size_t n_gains, n_losses, n_same, n_owners, n_callers;

/* --- two sides --------------------------------------------------------------------------------
 */

struct one {
	struct policy_set set;
	struct ir_ruleset rules;
};

/* What files cannot say: services that are off, refused or last good, and subordinate ids. */
static void vary(struct policy_set *set, struct arena *arena, struct random *random)
{
	static const enum policy_state states[] = { POLICY_OFF, POLICY_REFUSED, POLICY_LAST_GOOD };
	uint32_t first = 16 * 1024 * 1024;

	for (size_t i = 0; i < set->n_services; i++, first += 1000) {
		if (random_chance(random, 10))
			set->services[i].state =
				(uint8_t)states[random_below(random, ARRAY_SIZE(states))];
		if (random_chance(random, 3))
			*ARENA_APPEND(arena, set->ranges, set->n_ranges) = (struct uid_owner){
				.uids = { first, first + random_below(random, 1000) },
				.service = random_chance(random, 4) ? NO_SERVICE : (uint32_t)i,
				.is_subuid = true,
			};
	}
}

/* random: varies it, too. Returns the number of errors in it. */
static size_t read_one(const struct mutable *policies, struct arena *arena, struct random *random,
		       bool show, struct one *ret_one)
{
	size_t n_errors = mutable_read(policies, arena, &ret_one->set, show);

	if (random && random_chance(random, 2))
		vary(&ret_one->set, arena, random);
	plan_build(&ret_one->set, arena, &ret_one->rules);
	return n_errors;
}

static json_t *compare(const struct one *from, const struct one *to)
{
	struct diff_side a = { &from->set, &from->rules }, b = { &to->set, &to->rules };
	struct writer w;
	json_t *answer;
	bool differs;

	writer_init(&w, 64 * 1024 * 1024);
	writer_begin(&w, '{');
	differs = diff_write(&a, &b, NOW, &w);
	writer_end(&w, '}');
	assert_false(w.failed);
	answer = json_loadb(w.bytes, w.n, JSON_REJECT_DUPLICATES, NULL);
	writer_done(&w);
	assert_non_null(answer);
	assert_int_equal(differs, json_is_true(json_object_get(answer, "differs")));
	return answer;
}

/* --- what an answer says of a packet ----------------------------------------------------------
 */

static bool in_numbers(const json_t *list, uint32_t number)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		unsigned first, last;

		if (json_is_integer(entry)) {
			first = last = (unsigned)json_integer_value(entry);
		} else {
			assert_int_equal(sscanf(json_string_value(entry), "%u-%u", &first, &last),
					 2);
		}
		if (first <= number && number <= last)
			return true;
	}
	return false;
}

static int compare_bytes(const struct prefix *a, const char *text)
{
	struct prefix b;

	assert_int_equal(parse_address(text, &b), 0);
	return memcmp(a->bytes, b.bytes, sizeof(a->bytes));
}

static bool in_addresses(const json_t *piece, const struct prefix *to)
{
	const char *first = json_string_value(json_object_get(piece, "first"));
	const char *last = json_string_value(json_object_get(piece, "last"));

	return (strchr(first, ':') != NULL) == (to->family == ADDR_V6) &&
	       compare_bytes(to, first) >= 0 && compare_bytes(to, last) <= 0;
}

static bool on_interface(const json_t *piece, const char *name)
{
	const char *only = json_string_value(json_object_get(piece, "interface"));
	const json_t *except = json_object_get(piece, "except_interfaces"), *entry;
	size_t i;

	json_array_foreach(except, i, entry)
		if (strcmp(json_string_value(entry), name) == 0)
			return false;
	return !only || strcmp(only, name) == 0;
}

static bool at_moment(const json_t *piece, int64_t moment)
{
	const json_t *starts = json_object_get(piece, "starts");
	const json_t *until = json_object_get(piece, "until");

	return (json_is_null(starts) || json_integer_value(starts) <= moment) &&
	       (json_is_null(until) || json_integer_value(until) > moment);
}

static bool of_protocol(const json_t *piece, uint8_t l4proto)
{
	const char *protocol = json_string_value(json_object_get(piece, "protocol"));

	return l4proto == IPPROTO_TCP ? strcmp(protocol, "tcp") == 0 :
	       l4proto == IPPROTO_UDP ? strcmp(protocol, "udp") == 0 :
	       l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6 ?
					strcmp(protocol, "icmp") == 0 :
					false;
}

static bool piece_covers(const json_t *piece, const struct packet *packet, bool answers)
{
	const json_t *types = json_object_get(piece, "types");
	const json_t *uids = json_object_get(piece, "uids");

	if (json_is_true(json_object_get(piece, "answers")) != answers ||
	    !of_protocol(piece, packet->l4proto) || !on_interface(piece, packet->oifname) ||
	    !at_moment(piece, packet->time_ns / 1000000000) ||
	    (uids && !in_numbers(uids, (uint32_t)packet->uid)))
		return false;
	if (answers)
		return !aim_opens(packet) &&
		       in_numbers(json_object_get(piece, "ports"), packet->sport);
	if (types && !in_numbers(types, packet->icmp_type))
		return false;
	if (!types && !in_numbers(json_object_get(piece, "ports"), packet->dport))
		return false;
	return in_addresses(piece, &packet->to);
}

static bool covers(const json_t *object, const char *key, const struct packet *packet, bool answers)
{
	const json_t *piece;
	size_t i;

	json_array_foreach(json_object_get(object, key), i, piece)
		if (piece_covers(piece, packet, answers))
			return true;
	return false;
}

static const json_t *entry_of(const json_t *answer, const char *service)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(answer, "services"), i, entry)
		if (strcmp(json_string_value(json_object_get(entry, "service")), service) == 0)
			return entry;
	return NULL;
}

/* Whether what the configuration changes for services that use it covers the packet. */
static bool shared_covers(const json_t *answer, const char *key, const struct packet *packet,
			  const struct policy *policy)
{
	const json_t *shared;
	size_t i;

	json_array_foreach(json_object_get(answer, "shared"), i, shared) {
		const char *what = json_string_value(json_object_get(shared, "what"));

		if ((strcmp(what, "resolvers") == 0 ? policy->dns : policy->proxy) &&
		    covers(shared, key, packet, false))
			return true;
	}
	return false;
}

/* --- the property -----------------------------------------------------------------------------
 */

struct trial {
	struct one from, to;
	json_t *answer;
};

static void complain(const struct trial *trial, const struct packet *packet, const char *what)
{
	char to[PREFIX_TEXT_MAX];

	format_prefix(&packet->to, to);
	json_dumpf(trial->answer, stdout, JSON_INDENT(1));
	fail_msg("uid %lld, protocol %u, to %s port %u, from port %u, flags %x, direction %u, out "
		 "by %s: %s",
		 (long long)packet->uid, packet->l4proto, to, packet->dport, packet->sport,
		 packet->tcp_flags, packet->direction, packet->oifname, what);
}

/* The same packet as one that opens a connection. */
static struct packet as_opening(struct packet packet)
{
	packet.tcp_flags = packet.l4proto == IPPROTO_TCP ? 0x02 /* SYN */ : 0;
	packet.direction = PACKET_ORIGINAL;
	return packet;
}

static void check_service(const struct trial *trial, const char *name, const struct packet *packet)
{
	const struct service *service = policy_set_find(&trial->to.set, name);
	const json_t *entry = entry_of(trial->answer, name);
	bool before = aim_is_allowed(&trial->from.rules, packet);
	bool now = aim_is_allowed(&trial->to.rules, packet);
	const char *sign = now ? "gains" : "losses", *other = now ? "losses" : "gains";
	struct packet opening = as_opening(*packet);

	if (before == now) {
		n_same++;
		if (aim_opens(packet) &&
		    (covers(entry, sign, packet, false) || covers(entry, other, packet, false)))
			complain(trial, packet, "nothing changes for it, but diff says so");
		if (covers(entry, "gains", packet, true) &&
		    !aim_is_allowed(&trial->from.rules, &opening))
			complain(trial, packet, "its answers are no gain");
		if (covers(entry, "losses", packet, true) &&
		    !aim_is_allowed(&trial->to.rules, &opening))
			complain(trial, packet, "its answers are no loss");
		return;
	}
	if (now)
		n_gains++;
	else
		n_losses++;
	if (!covers(entry, sign, packet, false) && !covers(entry, sign, packet, true) &&
	    !shared_covers(trial->answer, sign, packet, service->policy))
		complain(trial, packet,
			 now ? "a gain that diff does not list" : "a loss that diff does not list");
	if (aim_opens(packet) && covers(entry, other, packet, false))
		complain(trial, packet, "diff lists the opposite");
}

static bool has_user(const json_t *list, uint32_t uid)
{
	const json_t *user;
	size_t i;

	json_array_foreach(list, i, user)
		if (json_integer_value(json_object_get(user, "first")) <= uid &&
		    uid <= json_integer_value(json_object_get(user, "last")))
			return true;
	return false;
}

static bool lists_user(const struct trial *trial, const char *chain, const char *key, uint32_t uid)
{
	const json_t *entry;

	if (!chain || strncmp(chain, "svc-", 4) != 0)
		return false;
	entry = entry_of(trial->answer, chain + 4);
	return has_user(json_object_get(json_object_get(entry, "users"), key), uid);
}

/* A uid whose owner changes is listed by those who lose and gain it, and nowhere else. */
static void check_owners(const struct trial *trial, const char *before, const char *now,
			 const struct packet *packet)
{
	uint32_t uid = (uint32_t)packet->uid;
	bool differs = strcmp(before ? before : "", now ? now : "") != 0;
	bool was_service = before && strncmp(before, "svc-", 4) == 0;
	bool is_service = now && strncmp(now, "svc-", 4) == 0;

	if (lists_user(trial, before, "lost", uid) != (differs && was_service))
		complain(trial, packet, "not told rightly who loses the user");
	if (lists_user(trial, now, "gained", uid) != (differs && is_service))
		complain(trial, packet, "not told rightly who gains the user");
	if (has_user(json_object_get(trial->answer, "uids"), uid) !=
	    (differs && !was_service && !is_service))
		complain(trial, packet, "not told rightly that it is refused everything");
	n_owners += differs;
}

static bool lists_caller(const struct trial *trial, const char *key, const struct packet *packet)
{
	const char *protocol = packet->l4proto == IPPROTO_TCP ? "tcp" : "udp";
	const json_t *entry, *change;
	size_t i, j;

	json_array_foreach(json_object_get(trial->answer, "services"), i, entry)
		json_array_foreach(json_object_get(entry, "callers"), j, change)
			if (strcmp(json_string_value(json_object_get(change, "protocol")),
				   protocol) == 0 &&
			    in_numbers(json_object_get(change, "ports"), packet->dport) &&
			    in_numbers(json_object_get(change, key), (uint32_t)packet->uid))
				return true;
	return false;
}

/* Whoever has no policy meets the guards of declared ports, and nothing else. */
static void check_caller(const struct trial *trial, const struct packet *from)
{
	struct packet packet = as_opening(*from);
	bool before, now;

	packet.sport = 0; /* a declared port does not call out */
	packet.oifname = "lo";
	if (packet.l4proto != IPPROTO_TCP)
		packet.l4proto = IPPROTO_UDP;
	before = aim_is_allowed(&trial->from.rules, &packet);
	now = aim_is_allowed(&trial->to.rules, &packet);
	if (lists_caller(trial, "gained", &packet) != (now && !before))
		complain(trial, &packet, "not told rightly that it may connect");
	if (lists_caller(trial, "lost", &packet) != (before && !now))
		complain(trial, &packet, "not told rightly that it may not connect");
	n_callers += before != now;
}

static void check_packet(const struct trial *trial, const struct packet *packet)
{
	const char *before = aim_chain(&trial->from.rules, (uint32_t)packet->uid);
	const char *now = aim_chain(&trial->to.rules, (uint32_t)packet->uid);

	check_owners(trial, before, now, packet);
	if (!before && !now)
		check_caller(trial, packet);
	else if (before && now && strcmp(before, now) == 0 && strncmp(now, "svc-", 4) == 0)
		check_service(trial, now + 4, packet);
}

/* Mode and state are told where they change, and where a service comes or goes. */
static void check_services(const struct trial *trial)
{
	for (size_t i = 0; i < trial->to.set.n_services; i++) {
		const struct service *now = &trial->to.set.services[i];
		const struct service *before =
			policy_set_find(&trial->from.set, now->policy->service);
		const json_t *entry = entry_of(trial->answer, now->policy->service);
		const char *change = json_string_value(json_object_get(entry, "change"));
		const json_t *mode = json_object_get(entry, "mode");

		if (!before) {
			assert_string_equal(change, "new");
			continue;
		}
		if (before->state != now->state)
			assert_string_equal(change, "changed");
		if (before->state != now->state || now->state != POLICY_GOOD ||
		    before->policy->mode == now->policy->mode)
			continue;
		assert_string_equal(json_string_value(json_object_get(mode, "now")),
				    now->policy->mode == MODE_MONITOR ? "monitor" : "enforce");
	}
	for (size_t i = 0; i < trial->from.set.n_services; i++) {
		const char *name = trial->from.set.services[i].policy->service;

		if (!policy_set_find(&trial->to.set, name))
			assert_string_equal(json_string_value(json_object_get(
						    entry_of(trial->answer, name), "change")),
					    "gone");
	}
}

/* --- trials -----------------------------------------------------------------------------------
 */

/* Now, and when lines may have ended. */
static const int64_t moments[] = { NOW, NOW, 1950000000, 2300000000, 4000000000, 7300000000 };
static const uint32_t n_moments = ARRAY_SIZE(moments);

static void try_changes(unsigned seed, bool show)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct random random = random_start(seed, UINT32_MAX - 4);
	struct mutable policies = mutable_new(seed, 1 + random_below(&random, 5));
	struct trial trial;
	struct aim aim = { 0 };

	seed_tried = seed;
	read_one(&policies, arena, &random, show, &trial.from);
	for (unsigned i = 1 + random_below(&random, 4); i > 0; i--)
		mutable_change(&policies, &random, show);
	for (unsigned i = random_below(&random, 4); i > 0; i--)
		mutable_reword(&policies, &random, show);
	read_one(&policies, arena, &random, show, &trial.to);
	trial.answer = compare(&trial.from, &trial.to);
	if (show)
		json_dumpf(trial.answer, stdout, JSON_INDENT(2));
	check_services(&trial);
	aim_at(&aim, &trial.from.set, arena);
	aim_at(&aim, &trial.to.set, arena);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct packet packet =
			aim_packet(&aim, &random, moments[random_below(&random, n_moments)]);

		check_packet(&trial, &packet);
	}
	json_decref(trial.answer);
	mutable_free(&policies);
	seed_tried = 0;
}

static void try_words(unsigned seed, bool show)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct random random = random_start(seed, UINT32_MAX - 5);
	struct mutable policies = mutable_new(seed, 1 + random_below(&random, 5));
	struct trial trial;

	seed_tried = seed;
	assert_int_equal(read_one(&policies, arena, NULL, show, &trial.from), 0);
	for (unsigned i = 1 + random_below(&random, 30); i > 0; i--)
		mutable_reword(&policies, &random, show);
	assert_int_equal(read_one(&policies, arena, NULL, show, &trial.to), 0);
	trial.answer = compare(&trial.from, &trial.to);
	if (json_is_true(json_object_get(trial.answer, "differs"))) {
		json_dumpf(trial.answer, stdout, JSON_INDENT(1));
		fail_msg("other words are a difference");
	}
	json_decref(trial.answer);
	mutable_free(&policies);
	seed_tried = 0;
}

static void run(void (*try)(unsigned seed, bool show))
{
	unsigned only = (unsigned)env_number("UIDWALL_SEED", 0);
	unsigned rounds = (unsigned)env_number("UIDWALL_ROUNDS", ROUNDS);

	if (only)
		try(only, true);
	for (unsigned seed = 1; !only && seed <= rounds; seed++)
		try(seed, false);
}

static void test_changes(void **state)
{
	(void)state;
	run(try_changes);
	print_message("# packets: %zu gained, %zu lost, %zu as before; %zu with another owner, "
		      "%zu callers\n",
		      n_gains, n_losses, n_same, n_owners, n_callers);
	if (!getenv("UIDWALL_SEED"))
		assert_true(n_gains > 500 && n_losses > 500 && n_owners > 500 && n_callers > 20);
}

static void test_words(void **state)
{
	(void)state;
	run(try_words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_changes, seed_report),
		cmocka_unit_test_teardown(test_words, seed_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
