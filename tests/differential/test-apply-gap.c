/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-apply-gap.c - no packet gets through while one wall takes the place of another.
 */
#include <arpa/inet.h>
#include <errno.h>
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
#include "made_ruleset.h"

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
	struct ir_stmt *s = made_rule_add(arena, r, 1);

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
	e->origin = made_origin(line);
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
	made_chain_add(arena, r, "output");
	add_lookup(arena, r, 0);
	add_lookup(arena, r, 1);
	made_chain_add(arena, r, chain);
	made_rule_add(arena, r, 2)->op = IR_DROP;
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

static void stop_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
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
		if (i % 10 ==
		    0) { /* as after a restart of the daemon, also after one of "nft -f" */
			nl_table_close(table);
			table = open_table(space, i % 20 == 0);
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
		cmocka_unit_test(test_no_gap),
	};
	const char *why = space_unavailable();

	if (why) {
		printf("%s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
