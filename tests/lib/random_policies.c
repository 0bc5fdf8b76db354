/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random_policies.c - a seed → policies with everything in them that a policy may hold. */
#include "lib/random_policies.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Which uids whose: far enough apart for 10,000 services never to meet by chance. */
enum {
	FIRST_USER = 10000,
	USERS_EACH = 16,
	FIRST_RANGE = 500000,
	RANGE_EACH = 64,
	FIRST_SUBUID = 16 * 1024 * 1024,
	SUBUIDS_EACH = 65536,
};

struct random random_start(unsigned seed, unsigned stream)
{
	struct random random = { ((uint64_t)seed << 32 | stream) * 0x9e3779b97f4a7c15u };

	return random;
}

static uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)((random_next(random) >> 32) * n >> 32);
}

bool random_chance(struct random *random, unsigned one_in)
{
	return random_below(random, one_in) == 0;
}

/* Mostly a few, seldom more than a handful, so that lists become sets. */
static unsigned random_count(struct random *random)
{
	if (random_chance(random, 8))
		return 9 + random_below(random, 24);
	return random_below(random, 4);
}

/* --- values ----------------------------------------------------------------------------------- */

/* From few, so that services meet; or from all. */
static uint32_t random_port(struct random *random)
{
	static const uint16_t common[] = { 1, 22, 53, 80, 443, 3000, 3128, 5432, 8080, 65535 };

	if (random_chance(random, 2))
		return common[random_below(random, ARRAY_SIZE(common))];
	return 1 + random_below(random, 65535);
}

static void print_port_item(struct random *random, unsigned widest, FILE *out)
{
	uint32_t port = random_port(random), last = port + random_below(random, widest);

	if (last > 65535)
		last = 65535;
	if (random_chance(random, 3))
		fprintf(out, "\"%u-%u\"", port, last);
	else if (random_chance(random, 6))
		fprintf(out, "\"%u\"", port);
	else
		fprintf(out, "%u", port);
}

static void print_ports(struct random *random, FILE *out)
{
	unsigned n = random_chance(random, 3) ? 1 + random_count(random) : 0;
	unsigned widest = random_chance(random, 40) ? 65535 : 40;

	fputs("\"port\": ", out);
	if (n == 0) {
		print_port_item(random, widest, out);
		return;
	}
	fputc('[', out);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", out);
		print_port_item(random, widest, out);
	}
	fputc(']', out);
}

static void print_v4(struct random *random, FILE *out)
{
	static const char *const special[] = {
		"127.0.0.1",	   "127.0.0.0/8",     "127.8.0.0/16", "0.0.0.0/0",  "0.0.0.0/1",
		"169.254.169.254", "255.255.255.255", "224.0.0.1",    "10.0.0.0/8", "10.1.2.0/31",
	};
	unsigned length = 8 + random_below(random, 25);
	uint32_t address = (192u << 24 | random_below(random, 1u << 10)) &
			   (uint32_t)(0xffffffffull << (32 - length));

	if (random_chance(random, 5))
		fputs(special[random_below(random, ARRAY_SIZE(special))], out);
	else if (random_chance(random, 2))
		fprintf(out, "192.0.2.%u", random_below(random, 256));
	else
		fprintf(out, "%u.%u.%u.%u/%u", address >> 24, address >> 16 & 0xff,
			address >> 8 & 0xff, address & 0xff, length);
}

static void print_v6(struct random *random, FILE *out)
{
	static const char *const special[] = {
		"::1",
		"::/0",
		"8000::/1",
		"fe80::1",
		"ff02::1",
		"64:ff9b::192.0.2.1",
		"2001:db8:0:0:0:0:0:1",
		"2001:DB8::A/127",
		"fd00:ec2::254",
	};
	unsigned group = random_below(random, 4);

	if (random_chance(random, 5))
		fputs(special[random_below(random, ARRAY_SIZE(special))], out);
	else if (random_chance(random, 2))
		fprintf(out, "2001:db8::%x", random_below(random, 65536));
	else
		fprintf(out, "2001:db8:%x::/%u", group << 8, 40 + random_below(random, 89));
}

/* --- a policy --------------------------------------------------------------------------------- */

static void print_endpoint(struct random *random, FILE *out)
{
	static const char *const interfaces[] = { "eth0", "wg-a.1", "veth0@x", "lo" };
	static const char *const untils[] = { "1970-01-01", "2030-02-28", "2096-02-29",
					      "2199-12-31" };
	bool icmp = random_chance(random, 8), local = random_chance(random, 5);
	bool pinned = random_chance(random, 6);

	fputs("{ \"to\": \"", out);
	if (local)
		fputs("localhost", out);
	else if (pinned)
		/* loopback is reached by lo only */
		fprintf(out, random_chance(random, 2) ? "203.0.113.%u" : "2001:db8:f::%u",
			random_below(random, 100));
	else if (random_chance(random, 2))
		print_v4(random, out);
	else
		print_v6(random, out);
	fputs("\"", out);
	if (icmp) {
		fputs(", \"protocol\": \"icmp\"", out);
	} else {
		fputs(", ", out);
		print_ports(random, out);
		if (random_chance(random, 3))
			fprintf(out, ", \"protocol\": \"%s\"",
				random_chance(random, 4) ? "tcp" : "udp");
	}
	if (pinned)
		fprintf(out, ", \"interface\": \"%s\"",
			local ? "lo" : interfaces[random_below(random, ARRAY_SIZE(interfaces))]);
	if (random_chance(random, 8))
		fprintf(out, ", \"until\": \"%s\"",
			untils[random_below(random, ARRAY_SIZE(untils))]);
	if (random_chance(random, 8))
		fputs(", \"comment\": { \"any\": [\"thing\", null] }", out);
	fputs(" }", out);
}

/* Users of these and other services, some listed twice. */
static void print_from(struct random *random, unsigned number, FILE *out)
{
	unsigned n = random_count(random);

	fputs(", \"from\": [", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s%u", i ? ", " : "",
			random_chance(random, 5) ?
				0 :
				FIRST_USER + random_below(random, number + 20) * USERS_EACH);
	fputs("]", out);
}

static void print_listener(struct random *random, unsigned number, FILE *out)
{
	fputs("{ ", out);
	print_ports(random, out);
	if (random_chance(random, 5))
		fprintf(out, ", \"protocol\": \"%s\"", random_chance(random, 4) ? "tcp" : "udp");
	if (random_chance(random, 2))
		print_from(random, number, out);
	fputs(" }", out);
}

/* A service's first user is FIRST_USER + number * USERS_EACH, that others name in "from". */
static void print_claims(struct random *random, unsigned number, FILE *out)
{
	unsigned user = FIRST_USER + number * USERS_EACH, range = FIRST_RANGE + number * RANGE_EACH;
	unsigned n = random_count(random) % (USERS_EACH - 1);

	if (random_chance(random, 8)) {
		fprintf(out, "\"uids\": [\"%u-%u\", %u]", range, range + 9, range + 20);
		return;
	}
	if (!random_chance(random, 4)) {
		fprintf(out, "\"user\": %u", user);
	} else {
		fputs("\"users\": [", out);
		for (unsigned i = 0; i <= n; i++)
			fprintf(out, "%s%u", i ? ", " : "", user + i);
		fputs("]", out);
	}
	if (random_chance(random, 6))
		fprintf(out, ",\n  \"uids\": \"%u-%u\"", range, range + RANGE_EACH - 1);
}

static void print_list(struct random *random, unsigned number, const char *key, unsigned n,
		       FILE *out)
{
	fprintf(out, ",\n  \"%s\": [", key);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ",\n    " : "\n    ", out);
		if (strcmp(key, "connect") == 0)
			print_endpoint(random, out);
		else
			print_listener(random, number, out);
	}
	fputs("\n  ]", out);
}

void random_policy_print(unsigned seed, unsigned number, FILE *out)
{
	struct random random = random_start(seed, number);

	fputs("{\n  ", out);
	print_claims(&random, number, out);
	if (random_chance(&random, 4))
		fprintf(out, ",\n  \"dns\": %s", random_chance(&random, 2) ? "true" : "false");
	if (random_chance(&random, 4))
		fprintf(out, ",\n  \"proxy\": %s", random_chance(&random, 2) ? "true" : "false");
	if (random_chance(&random, 6))
		fprintf(out, ",\n  \"mode\": \"%s\"",
			random_chance(&random, 3) ? "enforce" : "monitor");
	if (random_chance(&random, 6))
		fprintf(out, ",\n  \"unit\": \"app@%u.service\"", number);
	if (random_chance(&random, 6))
		fputs(",\n  \"hosts\": [\"*.example.org\", \"example.net:8443\", "
		      "\"[2001:db8::1]\"]",
		      out);
	if (random_chance(&random, 10))
		fputs(",\n  \"transparent\": true", out);
	if (random_chance(&random, 10))
		fputs(",\n  \"socket\": { \"path\": \"/run/app/sock\", \"peer\": \"root\" }", out);
	if (!random_chance(&random, 4))
		print_list(&random, number, "connect", random_count(&random), out);
	if (random_chance(&random, 2))
		print_list(&random, number, "listen", random_count(&random) % 12, out);
	fputs("\n}\n", out);
}

void random_config_print(unsigned seed, FILE *out)
{
	static const char *const resolvers[] = {
		"[]",
		"[\"192.0.2.53\"]",
		"[\"127.0.0.53\"]",
		"[\"192.0.2.53\", \"2001:db8::53\", \"fe80::1%eth0\"]",
	};
	static const char *const proxies[] = {
		"{}",
		"{ \"external\": \"127.0.0.1:8888\" }",
		"{ \"listen\": [\"127.0.0.1:3128\"] }",
		"{ \"external\": [\"192.0.2.8:3128\", \"[2001:db8::8]:3128\", \"192.0.2.9:8080\"] "
		"}",
		"{ \"external\": [\"127.0.0.1:8888\", \"192.0.2.8:3128\"],\n"
		"    \"ports\": { \"s0\": 3000, \"s1\": 8889, \"s2\": 443, \"s9\": 8890 } }",
	};
	struct random random = random_start(seed, UINT32_MAX);

	fprintf(out, "{\n  \"resolvers\": %s,\n  \"proxy\": %s,\n  \"subuids\": false\n}\n",
		resolvers[random_below(&random, ARRAY_SIZE(resolvers))],
		proxies[random_below(&random, ARRAY_SIZE(proxies))]);
}

/* --- files ------------------------------------------------------------------------------------ */

/* Not fopen(): the umask may say that others write. */
static FILE *create(struct arena *arena, const char *folder, const char *name)
{
	const char *path = arena_printf(arena, "%s/%s", folder, name);
	FILE *f = fopen(path, "we");

	if (f && fchmod(fileno(f), 0644) < 0) {
		fclose(f);
		f = NULL;
	}
	return f;
}

int random_policies_write(unsigned seed, unsigned n_services, const char *folder)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *policies = arena_printf(arena, "%s/policies", folder);
	FILE *f = create(arena, folder, "uidwall.json");

	if (!f)
		return -errno;
	random_config_print(seed, f);
	if (fclose(f) != 0 || (mkdir(policies, 0755) < 0 && errno != EEXIST) ||
	    chmod(policies, 0755) < 0)
		return -errno;
	for (unsigned i = 0; i < n_services; i++) {
		f = create(arena, policies, arena_printf(arena, "s%u.json", i));
		if (!f)
			return -errno;
		random_policy_print(seed, i, f);
		if (fclose(f) != 0)
			return -errno;
	}
	return 0;
}

void random_policies_read(const char *folder, struct arena *arena, struct policy_set *ret_set)
{
	AUTO(diags) struct diags diags;
	const char *policies = arena_printf(arena, "%s/policies", folder);
	struct policy_set_options options = {
		.paths = &policies,
		.n_paths = 1,
		.config_path = arena_printf(arena, "%s/uidwall.json", folder),
		.owner = geteuid(),
	};
	int r;

	diags_init(&diags);
	r = policy_set_read(&options, arena, ret_set, &diags);
	if (r == 0 && !diags.n_errors)
		return;
	for (size_t i = 0; i < diags.n; i++)
		if (diags.list[i].severity == DIAG_ERROR)
			diag_print(&diags.list[i], stderr, false);
	abort();
}

static void remove_files(unsigned n_services, const char *folder)
{
	AUTO(arena) struct arena *arena = arena_new();

	for (unsigned i = 0; i < n_services; i++)
		unlink(arena_printf(arena, "%s/policies/s%u.json", folder, i));
	rmdir(arena_printf(arena, "%s/policies", folder));
	unlink(arena_printf(arena, "%s/uidwall.json", folder));
	rmdir(folder);
}

/* --- what files cannot say -------------------------------------------------------------------- */

static void vary_states(struct random *random, struct policy_set *set)
{
	static const enum policy_state states[] = { POLICY_OFF, POLICY_REFUSED, POLICY_LAST_GOOD };

	for (size_t i = 0; i < set->n_services; i++)
		if (random_chance(random, 6))
			set->services[i].state =
				(uint8_t)states[random_below(random, ARRAY_SIZE(states))];
}

/* Each service's own, behind all ranges that policies claim, and some that two services share. */
static void add_subuids(struct random *random, struct arena *arena, struct policy_set *set)
{
	uint32_t first = FIRST_SUBUID;

	for (size_t i = 0; i < set->n_services; i++) {
		struct uid_owner owner = {
			.uids = { first, first + random_below(random, SUBUIDS_EACH) },
			.service = random_chance(random, 8) ? NO_SERVICE : (uint32_t)i,
			.place = { "/etc/subuid", (uint32_t)i + 1, 1 },
			.is_subuid = true,
		};

		if (random_chance(random, 3))
			continue;
		*ARENA_APPEND(arena, set->ranges, set->n_ranges) = owner;
		first = owner.uids.last + 1 + (random_chance(random, 4) ? 0 : 1000);
	}
}

void random_policies_make(unsigned seed, unsigned n_services, struct arena *arena,
			  struct policy_set *ret_set)
{
	const char *tmp = getenv("TMPDIR");
	char *folder = arena_printf(arena, "%s/random-policies.XXXXXX", tmp ? tmp : "/tmp");
	struct random random = random_start(seed, UINT32_MAX - 1);

	if (!mkdtemp(folder) || random_policies_write(seed, n_services, folder) < 0) {
		perror(folder);
		abort();
	}
	random_policies_read(folder, arena, ret_set);
	remove_files(n_services, folder);
	if (random_chance(&random, 2))
		vary_states(&random, ret_set);
	if (random_chance(&random, 2))
		add_subuids(&random, arena, ret_set);
}
