/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-apply.c - what becomes of the table when others meddle, the kernel refuses, or owners
 * change.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "harness.h"
#include "random_ruleset.h"

/* Two rulesets that differ in a few services, and what nft makes of them. */
struct pair {
	struct arena *arena;
	struct ir_ruleset rulesets[2];
	char *listings[2]; /* sorted */
};

static char *sorted_list(struct space *space)
{
	AUTO(mem) char *listing = space_list(space);

	return listing_sorted(listing);
}

static void pair_init(struct pair *pair, struct space *space)
{
	uint64_t random = 7;
	struct random_spec spec = { .base = 5 };

	pair->arena = arena_new();
	for (unsigned i = 0; i < 6; i++)
		spec.services[i] = rng_next(&random);
	for (unsigned i = 0; i < 2; i++) {
		AUTO(mem) char *text = NULL;

		random_ruleset(&spec, pair->arena, &pair->rulesets[i]);
		text = render(&pair->rulesets[i]);
		assert_int_equal(space_run(space, text), 0);
		pair->listings[i] = sorted_list(space);
		spec.services[1] = rng_next(&random);
		spec.services[4] = 0;
		spec.services[9] = rng_next(&random);
	}
	assert_string_not_equal(pair->listings[0], pair->listings[1]);
	assert_int_equal(space_run(space, "delete table inet uidwall"), 0);
}

static void pair_done(struct pair *pair)
{
	free(pair->listings[0]);
	free(pair->listings[1]);
	arena_free(pair->arena);
}

static void assert_lists(struct space *space, const char *expected)
{
	AUTO(mem) char *sorted = sorted_list(space);

	assert_same_text(sorted, expected, 0, "listing");
}

/* Applies what the kernel refuses; one of the messages is about the given line. */
static void apply_fails(struct nl_table *table, const struct ir_ruleset *current,
			const struct ir_ruleset *next, int error, const char *message,
			uint32_t line)
{
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	bool found = false;

	diags_init(&diags);
	assert_int_equal(nl_table_apply(table, current, next, &result, &diags), error);
	assert_true(diags.n_errors > 0);
	for (size_t i = 0; i < diags.n; i++) {
		if (strstr(diags.list[i].message, message) && diags.list[i].place.line == line)
			found = true;
	}
	if (!found)
		diag_print(&diags.list[0], stderr, false);
	assert_true(found);
}

/* A process that commits to another table of the namespace all the time; killed with the test. */
static pid_t start_committer(const struct space *space)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct space *mine;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		space_enter(space);
		mine = space_here();
		for (;;)
			space_run(mine,
				  "add table ip busy; add chain ip busy x; delete table ip busy");
	}
	return pid;
}

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void commits_in_between(bool owner)
{
	enum { ROUNDS = 300 };
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	unsigned retries = 0, whole = 0;
	pid_t committer;

	pair_init(&pair, space);
	table = open_table(space, owner);
	committer = start_committer(space);
	apply(table, NULL, &pair.rulesets[0], &result);
	for (unsigned i = 1; i < ROUNDS || (!retries && i < 20 * ROUNDS); i++) {
		apply(table, &pair.rulesets[(i + 1) % 2], &pair.rulesets[i % 2], &result);
		retries += result.retries;
		whole += result.replaced_whole;
		if (i % 50 < 2)
			assert_lists(space, pair.listings[i % 2]);
	}
	stop_process(committer);
	print_message("# %u retries, %u times the whole table\n", retries, whole);
	assert_true(retries > 0);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_commits_in_between(void **state)
{
	commits_in_between(true);
}

static void test_commits_in_between_not_owned(void **state)
{
	commits_in_between(false);
}

static void test_whole_among_commits(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	pid_t committer;

	pair_init(&pair, space);
	table = open_table(space, true);
	committer = start_committer(space);
	for (unsigned i = 0; i < 100; i++)
		apply(table, NULL, &pair.rulesets[i % 2], &result);
	assert_lists(space, pair.listings[1]);
	stop_process(committer);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

/* --- the kernel refuses ----------------------------------------------------------------------- */

static struct ir_origin at_line(uint32_t line)
{
	return (struct ir_origin){ .place = { .file = "blog.json", .line = line },
				   .what = "connect" };
}

static void add_chain(struct arena *arena, struct ir_ruleset *r, const char *name)
{
	struct ir_chain *chain = ARENA_APPEND(arena, r->chains, r->n_chains);

	chain->name = name;
	chain->is_base = strcmp(name, "output") == 0;
	chain->first_rule = (uint32_t)r->n_rules;
}

/* To the chain added last. */
static struct ir_stmt *add_rule(struct arena *arena, struct ir_ruleset *r, uint32_t line)
{
	struct ir_rule *rule = ARENA_APPEND(arena, r->rules, r->n_rules);
	struct ir_stmt *s = ARENA_APPEND(arena, r->stmts, r->n_stmts);

	rule->first_stmt = (uint32_t)r->n_stmts - 1;
	rule->n_stmts = 1;
	rule->origin = at_line(line);
	r->chains[r->n_chains - 1].n_rules++;
	s->kind = IR_STMT_VERDICT;
	s->field2 = IR_FIELD_COUNT;
	return s;
}

static void add_jump(struct arena *arena, struct ir_ruleset *r, uint32_t line, uint32_t chain)
{
	struct ir_stmt *s = add_rule(arena, r, line);

	s->op = IR_JUMP;
	s->index = chain;
}

/* output → a → b, and with a loop b → a. */
static void make_chains(struct arena *arena, struct ir_ruleset *r, bool loop)
{
	memset(r, 0, sizeof(*r));
	add_chain(arena, r, "output");
	add_jump(arena, r, 1, 1);
	add_chain(arena, r, "a");
	add_jump(arena, r, 2, 2);
	add_chain(arena, r, "b");
	if (loop)
		add_jump(arena, r, 3, 1);
	add_rule(arena, r, 4)->op = IR_ACCEPT;
}

static void test_refused_rule(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset good, loop;
	struct nl_result result;
	AUTO(mem) char *before = NULL;

	make_chains(arena, &good, false);
	make_chains(arena, &loop, true);
	/* The kernel looks from the base chain, whose rule is the last to come to a new table. */
	apply_fails(table, NULL, &loop, -EMLINK, "refused this rule (jump a)", 1);
	assert_lists(space, "\n");
	apply(table, NULL, &good, &result);
	before = sorted_list(space);
	apply_fails(table, &good, &loop, -EMLINK, "refused this rule (jump a)", 3);
	assert_lists(space, before);
	apply_fails(table, NULL, &loop, -EMLINK, "refused this rule (jump a)", 3);
	assert_lists(space, before);
	apply(table, &good, &good, &result);
	assert_lists(space, before);
	nl_table_close(table);
	space_free(space);
}

/* A set of n addresses with ports; size 0: any number. */
static void make_set(struct arena *arena, struct ir_ruleset *r, uint32_t n, uint32_t size)
{
	struct ir_set *set;

	make_chains(arena, r, false);
	set = ARENA_APPEND(arena, r->sets, r->n_sets);
	*set = (struct ir_set){ .name = "to", .key_type = IR_KEY_IPV4_PORT, .size = size };
	for (uint32_t i = 0; i < n; i++) {
		struct ir_element *element = ARENA_APPEND(arena, r->elements, r->n_elements);
		uint8_t key[] = { 10, (uint8_t)(i >> 8), (uint8_t)i, 7, 0, 80 };

		memcpy(element->key, key, sizeof(key));
		memcpy(element->last, key, sizeof(key));
		element->chain = IR_NONE;
		element->origin = at_line(10 + i);
		set->n_elements++;
	}
}

static void test_refused_element(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset good, full;
	struct nl_result result;
	AUTO(mem) char *before = NULL;

	make_set(arena, &good, 2, 4);
	make_set(arena, &full, 9, 4);
	apply(table, NULL, &good, &result);
	before = sorted_list(space);
	apply_fails(table, &good, &full, -ENFILE, "refused a set's element (blog.json:14 connect)",
		    14);
	assert_lists(space, before);
	nl_table_close(table);
	space_free(space);
}

/* More elements than one message holds, a few changed, then most of them gone. */
static void test_many_elements(void **state)
{
	static const uint32_t counts[] = { 3000, 2990, 40, 3000 };
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new(), *by_nft = space_new();
	struct nl_table *table = open_table(space, true);
	struct ir_ruleset rulesets[ARRAY_SIZE(counts)];
	struct nl_result result;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		AUTO(mem) char *text = NULL, *expected = NULL;

		make_set(arena, &rulesets[i], counts[i], i % 2 ? 8192 : 8192 + i);
		text = render(&rulesets[i]);
		assert_int_equal(space_run(by_nft, text), 0);
		expected = sorted_list(by_nft);
		apply(table, i ? &rulesets[i - 1] : NULL, &rulesets[i], &result);
		assert_lists(space, expected);
	}
	nl_table_close(table);
	space_free(space);
	space_free(by_nft);
}

/* --- owners ----------------------------------------------------------------------------------- */

static struct nl_table *open_owned(const struct space *space)
{
	struct nl_table *table = open_table(space, true);

	if (!nl_table_features(table)->owner_persist) {
		print_message("# this kernel has no table owners\n");
		nl_table_close(table);
		skip();
	}
	return table;
}

static void test_owner(void **state)
{
	struct space *space = space_new();
	struct nl_table *first = open_owned(space), *second;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	apply(first, NULL, &pair.rulesets[0], &result);

	/* As long as it is owned, nobody else may change it. */
	second = open_table(space, true);
	apply_fails(second, NULL, &pair.rulesets[1], -EPERM, "owned by another running process", 0);
	assert_int_equal(nl_table_remove(second, &diags), -EPERM);
	assert_int_not_equal(space_run_quietly(space, "delete table inet uidwall"), 0);
	assert_int_equal(space_run(space, "flush ruleset"), 0);
	assert_lists(space, pair.listings[0]);

	/* It outlives its owner, and then has the next one. */
	nl_table_close(first);
	assert_lists(space, pair.listings[0]);
	apply(second, NULL, &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	first = open_table(space, true);
	apply_fails(first, NULL, &pair.rulesets[0], -EPERM, "owned by another running process", 0);
	nl_table_close(first);
	nl_table_close(second);
	pair_done(&pair);
	space_free(space);
}

static void test_table_made_by_nft(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	struct nl_result result;
	struct pair pair;
	AUTO(mem) char *text = NULL;

	pair_init(&pair, space);
	text = render(&pair.rulesets[0]);
	assert_int_equal(space_run(space, text), 0);
	table = open_table(space, true);
	assert_lists(space, pair.listings[0]); /* opening changes nothing */
	apply(table, NULL, &pair.rulesets[1], &result);
	assert_lists(space, pair.listings[1]);
	if (nl_table_features(table)->owner_persist)
		assert_int_not_equal(space_run_quietly(space, "delete table inet uidwall"), 0);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_remove(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	table = open_table(space, true);
	assert_int_equal(nl_table_remove(table, &diags), 0);
	apply(table, NULL, &pair.rulesets[0], &result);
	assert_int_equal(nl_table_remove(table, &diags), 0);
	assert_lists(space, "\n");
	assert_int_equal(nl_table_remove(table, &diags), 0);
	apply(table, &pair.rulesets[0], &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

/* --- somebody else changes our table ---------------------------------------------------------- */

static void test_meddling(void **state)
{
	/* Of chains a and b and set "to" of make_set(). */
	static const char *const acts[] = {
		"add rule inet uidwall b drop",
		"insert rule inet uidwall b drop",
		"flush chain inet uidwall a",
		"flush chain inet uidwall b; add rule inet uidwall b drop comment \"blog.json:4 "
		"connect\"",
		"flush chain inet uidwall b; add rule inet uidwall b accept comment \"other\"",
		"add chain inet uidwall c",
		"add element inet uidwall to { 192.0.2.1 . 80 }",
		"delete element inet uidwall to { 10.0.1.7 . 80 }",
		"delete element inet uidwall to { 10.0.1.7 . 80 };"
		"add element inet uidwall to { 10.0.1.7 . 80 comment \"other\" }",
		"add set inet uidwall x { type uid; }",
		"delete set inet uidwall to; add set inet uidwall to { type ipv4_addr . "
		"inet_service; }",
		"add counter inet uidwall x",
		"delete table inet uidwall",
		"delete table inet uidwall; add table inet uidwall",
	};
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table = open_table(space, false);
	struct ir_ruleset ruleset;
	struct nl_result result;
	AUTO(mem) char *listing = NULL;

	make_set(arena, &ruleset, 5, 0);
	apply(table, NULL, &ruleset, &result);
	listing = sorted_list(space);
	apply(table, &ruleset, &ruleset, &result);
	assert_int_equal(result.bytes_sent, 0);
	commit_elsewhere(space);
	apply(table, &ruleset, &ruleset, &result);
	assert_int_equal(result.bytes_sent, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(acts); i++) {
		print_message("# %s\n", acts[i]);
		assert_int_equal(space_run(space, acts[i]), 0);
		apply(table, &ruleset, &ruleset, &result);
		assert_true(result.replaced_whole);
		assert_lists(space, listing);
	}
	nl_table_close(table);
	space_free(space);
}

/* A caller that is wrong about what is there still gets what it wants. */
static void test_wrong_picture(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct space *space = space_new();
	struct nl_table *table;
	struct ir_ruleset other;
	struct nl_result result;
	struct pair pair;

	pair_init(&pair, space);
	table = open_table(space, true);
	make_set(arena, &other, 5, 0);
	apply(table, NULL, &other, &result);
	apply(table, &pair.rulesets[0], &pair.rulesets[1], &result);
	assert_true(result.replaced_whole);
	assert_lists(space, pair.listings[1]);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

static void test_counters(void **state)
{
	struct space *space = space_new();
	struct nl_table *table;
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_counter_value *values = NULL, value;
	struct nl_result result;
	struct pair pair;

	diags_init(&diags);
	pair_init(&pair, space);
	assert_int_equal(
		space_run(space,
			  "table inet uidwall { counter refused-s0 { packets 5 bytes 300; }; }"),
		0);
	table = open_table(space, true);
	for (unsigned i = 0; i < 4; i++) { /* made anew, then changed, then made anew */
		apply(table,
		      i == 3 ? NULL :
		      i	     ? &pair.rulesets[(i + 1) % 2] :
			       NULL,
		      &pair.rulesets[i % 2], &result);
		assert_int_equal(result.replaced_whole, i == 0 || i == 3);
		assert_int_equal(nl_table_read_counter(table, "refused-s0", &value, &diags), 0);
		assert_string_equal(value.name, "refused-s0");
		assert_int_equal(value.packets, 5);
		assert_int_equal(value.bytes, 300);
	}
	assert_int_equal(nl_table_read_counter(table, "none", &value, &diags), -ENOENT);
	assert_int_equal(nl_table_read_counters(table, &pair.rulesets[0], &values, &diags), 0);
	assert_string_equal(values[0].name, "refused-s0");
	assert_int_equal(values[0].packets, 5);
	assert_int_equal(values[1].packets, 0);
	free(values);
	nl_table_close(table);
	pair_done(&pair);
	space_free(space);
}

/* --- no packet gets through meanwhile --------------------------------------------------------- */

struct sent {
	volatile bool go;
	volatile unsigned long through, refused;
};

static void put_uid(uint8_t *key, uint32_t uid)
{
	uid = htonl(uid);
	memcpy(key, &uid, sizeof(uid));
}

static void add_lookup(struct arena *arena, struct ir_ruleset *r, uint32_t set)
{
	struct ir_stmt *s = add_rule(arena, r, 1);

	s->kind = IR_STMT_VMAP;
	s->field = IR_SKUID;
	s->index = set;
}

enum { WALL_ELEMENTS = 2000, MOVER = 1777 };

static void add_uids(struct arena *arena, struct ir_ruleset *r, uint32_t first, uint32_t last,
		     uint32_t line)
{
	struct ir_element *e = ARENA_APPEND(arena, r->elements, r->n_elements);

	put_uid(e->key, first);
	put_uid(e->last, last);
	e->verdict = IR_GOTO;
	e->chain = 1;
	e->origin = at_line(line);
	r->sets[r->n_sets - 1].n_elements++;
}

/* Uids 1000 to 2999 and 100000 to 299999 are refused, in walls of any number. With the number
 * change the service's name, the elements' comments, the size of the hash, and in which map MOVER
 * is.
 */
static void make_wall(struct arena *arena, struct ir_ruleset *r, unsigned number)
{
	const char *chain = arena_printf(arena, "svc-%u", number / 2);
	struct ir_set *set;
	bool moved = number & 1;

	memset(r, 0, sizeof(*r));
	add_chain(arena, r, "output");
	add_lookup(arena, r, 0);
	add_lookup(arena, r, 1);
	add_chain(arena, r, chain);
	add_rule(arena, r, 2)->op = IR_DROP;
	set = ARENA_APPEND(arena, r->sets, r->n_sets);
	*set = (struct ir_set){ .name = "services", .key_type = IR_KEY_UID, .is_map = true };
	set->size = number % 5 ? 4096 : 8192;
	for (uint32_t i = 1000; i < 1000 + WALL_ELEMENTS; i++)
		if (!moved || i != MOVER)
			add_uids(arena, r, i, i, i % (7 + number % 3));
	set = ARENA_APPEND(arena, r->sets, r->n_sets);
	*set = (struct ir_set){ .name = "ranges", .key_type = IR_KEY_UID, .is_map = true };
	set->is_interval = true;
	set->first_element = (uint32_t)r->n_elements;
	if (moved)
		add_uids(arena, r, MOVER, MOVER, 3);
	for (uint32_t i = 0; i < WALL_ELEMENTS; i++)
		add_uids(arena, r, 100000 + i * 100, 100099 + i * 100, i % (7 + number % 4));
	ir_check(r);
}

static void bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

/* A process of that user that sends all the time. */
static pid_t start_sender(const struct space *space, uid_t uid, struct sent *sent)
{
	pid_t pid = fork();
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	space_enter(space);
	if (setresuid(uid, uid, uid) < 0)
		abort();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!sent->go)
		usleep(1000);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (;;) {
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1)
			sent->through++;
		else if (errno == EPERM)
			sent->refused++;
	}
}

static void test_no_gap(void **state)
{
	unsigned n = (unsigned)env_number("UIDWALL_ROUNDS", 60);
	static const uid_t uids[] = { 1000, MOVER, 100000, 250050 };
	struct arena *arenas[2] = { arena_new(), arena_new() };
	struct space *space = space_new();
	struct nl_table *table;
	struct sent *sent = mmap(NULL, sizeof(*sent) * ARRAY_SIZE(uids), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct ir_ruleset rulesets[2];
	struct nl_result result;
	pid_t senders[ARRAY_SIZE(uids)];

	assert_true(sent != MAP_FAILED);
	bring_loopback_up();
	/* Before there is a netlink socket: a copy of it in a sender would keep the table owned. */
	for (unsigned i = 0; i < ARRAY_SIZE(uids); i++)
		senders[i] = start_sender(space, uids[i], &sent[i]);
	table = open_table(space, true);
	make_wall(arenas[0], &rulesets[0], 0);
	apply(table, NULL, &rulesets[0], &result);
	for (unsigned i = 0; i < ARRAY_SIZE(uids); i++)
		sent[i].go = true;
	for (unsigned i = 1; i < n; i++) {
		if (i % 10 == 0) { /* as after a restart of the daemon */
			nl_table_close(table);
			table = open_table(space, true);
		}
		arena_free(arenas[i % 2]);
		arenas[i % 2] = arena_new();
		make_wall(arenas[i % 2], &rulesets[i % 2], i);
		apply(table, i % 5 ? &rulesets[(i + 1) % 2] : NULL, &rulesets[i % 2], &result);
		usleep(10000);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(uids); i++) {
		stop_process(senders[i]);
		print_message("# uid %u: %lu got through, %lu refused\n", uids[i], sent[i].through,
			      sent[i].refused);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(uids); i++) {
		assert_true(sent[i].refused > 0);
		assert_int_equal(sent[i].through, 0);
	}
	munmap(sent, sizeof(*sent) * ARRAY_SIZE(uids));
	nl_table_close(table);
	arena_free(arenas[0]);
	arena_free(arenas[1]);
	space_free(space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commits_in_between),
		cmocka_unit_test(test_commits_in_between_not_owned),
		cmocka_unit_test(test_whole_among_commits),
		cmocka_unit_test(test_refused_rule),
		cmocka_unit_test(test_refused_element),
		cmocka_unit_test(test_many_elements),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_table_made_by_nft),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_meddling),
		cmocka_unit_test(test_wrong_picture),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_no_gap),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
