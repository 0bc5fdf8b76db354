/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-proof.c - random packets of real sockets through random rulesets: the evaluator says what
 * the kernel does.
 *
 * Compared for every packet: the rules and counters it came to, what left by which device, what the
 * program was told, and all of that for the answers that the kernel gives to refused packets.
 *
 *     test-proof [--seed N] [--packets N] [--policies | --rules] [--break MISTAKE]
 *     test-proof --replay FILE [--break MISTAKE]
 *
 * The same seed and number of packets repeat a run; so does UIDWALL_SEED, and UIDWALL_ROUNDS asks
 * for so many rounds of 150 packets. A mismatch is made smaller and printed as JSON that --replay
 * takes.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/random.h>

#include "aim.h"
#include "errnos.h"
#include "plan/plan.h"
#include "rules.h"
#include "shrink.h"
#include "stats.h"
#include "world.h"

enum {
	PACKETS = 12000, /* of policies, in all */
	RULES_SHARE = 4, /* one in so many more of rules that no policy makes */
	FIXED_SEED = 1,
	ROUND = 150,
	PLAIN_EVERY = 10, /* of so many packets one is sent through the plain rules again */
	SERVICES_MAX = 9,
	STREAM_AIM = UINT32_MAX - 2,
	NOISE_MAX = 3, /* mismatches that do not come again */
};

struct options {
	unsigned seed;
	bool has_seed;
	unsigned packets;
	bool policies, rules;
	enum mistake mistake;
	const char *replay;
};

struct run {
	struct proof proof;
	struct stats stats;
	unsigned n_noise;
	bool differs; /* reported already */
};

static unsigned n_tests;

static void result(bool good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++n_tests, name);
	fflush(stdout);
}

static void print_commented(const char *text)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		printf("# %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

/* --- a mismatch ------------------------------------------------------------------------------- */

static void print_case(struct run *run, json_t *box_case)
{
	AUTO(mem) char *json = json_dumps(box_case, JSON_INDENT(1));
	AUTO(mem) char *words = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&words, &n);

	case_run(&run->proof, box_case, out);
	fclose(out);
	print_commented(words);
	printf("# --- counterexample, for --replay\n");
	print_commented(json);
	printf("# --- end\n");
}

/* The policies of the round, and the shots so far. */
static void report(struct run *run, unsigned seed, json_t *world, const struct shot *shots,
		   size_t n)
{
	json_t *box_case = case_make(world, shots, n);
	unsigned runs;

	printf("# seed %u: the evaluator and the kernel differ\n", seed);
	if (case_run(&run->proof, box_case, NULL) != CASE_DIFFERS) {
		printf("# ... once, not again: noise\n");
		run->n_noise++;
		json_decref(box_case);
		return;
	}
	runs = case_shrink(&run->proof, box_case);
	printf("# smaller after %u runs:\n", runs);
	print_case(run, box_case);
	json_decref(box_case);
	run->differs = true;
}

/* Rules that no policy makes are not made smaller: the rules that count are few. */
static void report_rules(struct run *run, unsigned seed, const struct shot *shot)
{
	AUTO(mem) char *words = NULL;
	struct verdict verdict;
	size_t n = 0;
	FILE *out = open_memstream(&words, &n);

	proof_try(&run->proof, shot, &verdict);
	if (!verdict.agrees)
		proof_print(&run->proof, shot, &verdict, out);
	fclose(out);
	printf("# seed %u, rules: the evaluator and the kernel differ\n", seed);
	if (verdict.agrees) {
		printf("# ... once, not again: noise\n");
		run->n_noise++;
		return;
	}
	print_commented(words);
	run->differs = true;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static json_t *world_of_seed(unsigned seed, const struct policy_set *set)
{
	AUTO(mem) char *config = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&config, &n);

	random_config_print(seed, out);
	fclose(out);
	return world_of(set, config);
}

static bool load(struct run *run, unsigned seed, const struct ir_ruleset *ruleset,
		 struct arena *arena)
{
	if (proof_load(&run->proof, ruleset, arena))
		return true;
	printf("# seed %u: the kernel does not take the ruleset\n", seed);
	run->differs = true;
	return false;
}

static bool round_shot(struct run *run, struct aim *aim, struct shot *ret_shot)
{
	struct verdict verdict;

	aim_shot(aim, ret_shot);
	proof_try(&run->proof, ret_shot, &verdict);
	stats_add(&run->stats, &run->proof, ret_shot, &verdict);
	if (!verdict.agrees && !shot_is_raw(ret_shot) && verdict.sent.sport)
		ret_shot->sport = verdict.sent.sport; /* so that it can be sent again */
	return verdict.agrees;
}

/* Some of the shots again, through the rules as policies make them. */
static bool again_plain(struct run *run, const struct shot *shots, unsigned n, unsigned *ret_at)
{
	struct verdict verdict;

	proof_load_plain(&run->proof);
	for (unsigned i = 0; i < n; i += PLAIN_EVERY) {
		proof_try(&run->proof, &shots[i], &verdict);
		stats_add(&run->stats, &run->proof, &shots[i], &verdict);
		*ret_at = i;
		if (!verdict.agrees)
			return false;
	}
	return true;
}

static void round_of_policies(struct run *run, unsigned seed, unsigned n)
{
	struct arena *arena = arena_new();
	struct shot shots[ROUND];
	struct policy_set set;
	struct ir_ruleset ruleset;
	struct aim aim;
	json_t *world;
	unsigned i = 0;
	bool agrees = true;

	random_policies_make(seed, 1 + seed % SERVICES_MAX, arena, &set);
	set.keeps_options = seed % 3 == 0; /* as on a kernel before Linux 5.18 */
	plan_build(&set, arena, &ruleset);
	if (!load(run, seed, &ruleset, arena))
		return;
	world = world_of_seed(seed, &set);
	aim_start(&aim, &run->proof.plain, &run->proof.flows, random_start(seed, STREAM_AIM));
	for (i = 0; agrees && i < n; i++)
		agrees = round_shot(run, &aim, &shots[i]);
	if (!agrees) {
		report(run, seed, world, shots, i);
		world = NULL;
	} else if (run->proof.mistake == MISTAKE_NONE && !again_plain(run, shots, n, &i)) {
		printf("# through the plain rules:\n");
		report(run, seed, world, &shots[i], 1);
		world = NULL;
	}
	json_decref(world);
	workers_end();
}

static void round_of_rules(struct run *run, unsigned seed, unsigned n)
{
	struct arena *arena = arena_new();
	struct ir_ruleset ruleset;
	struct shot shot;
	struct aim aim;
	bool agrees;

	rules_make(seed, arena, &ruleset);
	agrees = load(run, seed, &ruleset, arena);
	aim_start(&aim, &run->proof.plain, &run->proof.flows, random_start(seed, STREAM_AIM));
	for (unsigned i = 0; agrees && i < n; i++) {
		agrees = round_shot(run, &aim, &shot);
		if (!agrees)
			report_rules(run, seed, &shot);
	}
	workers_end();
}

static void run_seed(struct run *run, unsigned seed, unsigned packets, bool rules)
{
	box_track(!rules);
	run->proof.flows.tracks_syns = !rules;
	run->proof.any_errno = rules;
	for (unsigned n; packets && !run->differs && run->n_noise <= NOISE_MAX; packets -= n) {
		n = packets < ROUND ? packets : ROUND;
		if (rules)
			round_of_rules(run, seed, n);
		else
			round_of_policies(run, seed, n);
		seed++;
	}
}

static void prove(const struct options *options, unsigned seed, unsigned packets, bool rules)
{
	struct run run = { .differs = false };
	char name[128];

	proof_open(&run.proof);
	run.proof.mistake = options->mistake;
	printf("# seed %u: --seed %u --packets %u --%s\n", seed, seed, packets,
	       rules ? "rules" : "policies");
	run_seed(&run, seed, packets, rules);
	stats_print(&run.stats, stdout);
	snprintf(name, sizeof(name), "seed %u: %u packets through %s", seed, run.stats.n_shots,
		 rules ? "rules that no policy makes" : "policies");
	result(!run.differs && run.n_noise <= NOISE_MAX, name);
	/* Of a seed that nobody has seen chance may leave some kind out. */
	if (!rules && seed == FIXED_SEED && packets >= PACKETS / 4 && !run.differs) {
		snprintf(name, sizeof(name), "seed %u: packets of every kind", seed);
		result(stats_are_broad(&run.stats, stdout), name);
	}
	proof_close(&run.proof);
}

static int replay(const struct options *options)
{
	json_error_t error;
	json_t *box_case = strcmp(options->replay, "-") == 0 ?
				   json_loadf(stdin, 0, &error) :
				   json_load_file(options->replay, 0, &error);
	struct proof proof;
	enum case_outcome outcome;

	if (!box_case) {
		fprintf(stderr, "%s:%d: %s\n", options->replay, error.line, error.text);
		return 2;
	}
	proof_open(&proof);
	proof.mistake = options->mistake;
	outcome = case_run(&proof, box_case, stdout);
	if (outcome == CASE_INVALID)
		printf("no such case: a policy is not good, or a shot before the last one "
		       "differs\n");
	else if (outcome == CASE_AGREES)
		printf("the evaluator and the kernel agree\n");
	workers_end();
	proof_close(&proof);
	json_decref(box_case);
	return outcome == CASE_AGREES ? 0 : outcome == CASE_DIFFERS ? 1 : 2;
}

/* --- options ---------------------------------------------------------------------------------- */

static unsigned parse_number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !*text || n > UINT32_MAX) {
		fprintf(stderr, "'%s' is no number\n", text);
		exit(2);
	}
	return (unsigned)n;
}

static unsigned number_from_env(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value ? parse_number(value) : otherwise;
}

static enum mistake parse_mistake(const char *text)
{
	for (unsigned i = MISTAKE_NONE + 1; i < MISTAKE_COUNT; i++)
		if (strcmp(mistake_names[i], text) == 0)
			return i;
	fprintf(stderr, "no mistake is called '%s'\n", text);
	exit(2);
}

static void parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "packets", required_argument, NULL, 'n' },
		{ "policies", no_argument, NULL, 'p' },
		{ "rules", no_argument, NULL, 'r' },
		{ "break", required_argument, NULL, 'b' },
		{ "replay", required_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	*ret = (struct options){
		.packets = ROUND * number_from_env("UIDWALL_ROUNDS", PACKETS / ROUND),
		.seed = number_from_env("UIDWALL_SEED", 0),
		.has_seed = getenv("UIDWALL_SEED"),
	};
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			ret->seed = parse_number(optarg);
			ret->has_seed = true;
			break;
		case 'n':
			ret->packets = parse_number(optarg);
			break;
		case 'p':
			ret->policies = true;
			break;
		case 'r':
			ret->rules = true;
			break;
		case 'b':
			ret->mistake = parse_mistake(optarg);
			break;
		case 'f':
			ret->replay = optarg;
			break;
		default:
			exit(2);
		}
	}
}

static unsigned fresh_seed(void)
{
	unsigned seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();
	return seed % 1000000000;
}

/* A seed that was asked for, or one that is always the same and one that nobody has seen. */
static void prove_all(const struct options *options)
{
	bool both = !options->policies && !options->rules;
	unsigned seeds[] = { FIXED_SEED, fresh_seed() };
	unsigned n = options->has_seed ? 1 : ARRAY_SIZE(seeds), packets = options->packets / n;

	if (options->has_seed)
		seeds[0] = options->seed;
	for (unsigned i = 0; i < n; i++) {
		if (both || options->policies)
			prove(options, seeds[i], packets, false);
		if (both || options->rules)
			prove(options, seeds[i], both ? packets / RULES_SHARE : packets, true);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	const char *why;
	int r = 0;

	parse_options(argc, argv, &options);
	why = box_make();
	if (why) {
		printf("%s\n", why);
		return 77;
	}
	if (options.replay) {
		r = replay(&options);
	} else {
		prove_all(&options);
		/* A seed on the command line is one to look at by itself. */
		if (!options.has_seed || getenv("UIDWALL_SEED"))
			errnos_prove(result);
		printf("1..%u\n", n_tests);
	}
	box_leave();
	return r;
}
