/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_plan.c - a service as the daemon shows it → whom to become, and what to try as them. */
#include <string.h>
#include <time.h>

#include "cli/selftest.h"
#include "policy/parse.h"

enum { USERS_MAX = 8, RANGES_MAX = 4, ENDPOINTS_MAX = 16, SERVERS_MAX = 3 };

/* Somebody's attempts, as they are gathered. */
struct plan {
	struct selftest *test;
	struct selftest_user *user;
	const char *service;
};

static void add(struct plan *plan, enum selftest_kind kind, enum job_way way,
		const struct prefix *to, uint16_t port)
{
	struct selftest_user *user = plan->user;
	struct job job = { .way = (uint8_t)way, .to = *to, .port = port };

	for (size_t i = 0; i < user->n; i++) {
		const struct job *other = &user->attempts[i].job;

		if (other->way == way && other->port == port && prefix_compare(&other->to, to) == 0)
			return; /* two lines may say the same */
	}
	*ARENA_APPEND(plan->test->cli->arena, user->attempts, user->n) =
		(struct selftest_attempt){ .kind = (uint8_t)kind, .job = job };
}

/* --- what every user tries ----------------------------------------------------------------------
 */

static void add_fixed(struct plan *plan)
{
	static const struct {
		enum selftest_kind kind;
		enum job_way way;
		uint16_t port;
	} ways[] = {
		{ SELFTEST_DIRECT, JOB_TCP, 443 },	 { SELFTEST_DIRECT, JOB_UDP, 443 },
		{ SELFTEST_DIRECT, JOB_PING, 0 },	 { SELFTEST_WEB, JOB_HTTP, 80 },
		{ SELFTEST_WEB, JOB_HTTPS, 443 },	 { SELFTEST_OTHER_DNS, JOB_DNS_UDP, 53 },
		{ SELFTEST_OTHER_DNS, JOB_DNS_TCP, 53 },
	};
	const struct selftest_scene *scene = &plan->test->scene;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		for (size_t v6 = 0; v6 < 2; v6++)
			add(plan, ways[i].kind, ways[i].way,
			    ways[i].kind == SELFTEST_OTHER_DNS ? &scene->far_dns[v6] :
								 &scene->far[v6],
			    ways[i].port);
}

/* Amazon, Google, Azure and most others; Amazon's for IPv6. */
static void add_metadata(struct plan *plan)
{
	static const char *const addresses[] = { "169.254.169.254", "fd00:ec2::254" };

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct prefix to;

		if (parse_address(addresses[i], &to) == 0)
			add(plan, SELFTEST_METADATA, JOB_TCP, &to, 80);
	}
}

static void add_ports(struct plan *plan)
{
	const struct selftest_scene *scene = &plan->test->scene;

	for (size_t i = 0; i < ARRAY_SIZE(scene->own); i++)
		if (scene->own[i].port)
			add(plan, SELFTEST_OWN_PORT, i < 2 ? JOB_TCP : JOB_UDP, &scene->own[i].at,
			    scene->own[i].port);
	for (size_t i = 0; i < scene->n_neighbours; i++)
		if (scene->neighbours[i].uid != plan->user->uid)
			add(plan, SELFTEST_NEIGHBOUR, JOB_TCP, &scene->neighbours[i].at,
			    scene->neighbours[i].port);
}

static void add_servers(struct plan *plan)
{
	const struct config *config = &plan->test->scene.config;
	const struct proxy_port *own = config_find_proxy_port(config, plan->service);

	for (size_t i = 0; i < config->n_resolvers && i < SERVERS_MAX; i++) {
		if (config->resolvers[i].interface)
			continue; /* link-local */
		add(plan, SELFTEST_RESOLVER, JOB_DNS_UDP, &config->resolvers[i].address, 53);
		add(plan, SELFTEST_RESOLVER, JOB_DNS_TCP, &config->resolvers[i].address, 53);
	}
	for (size_t i = 0; i < config->n_proxies && i < SERVERS_MAX; i++) {
		const struct proxy_address *proxy = &config->proxies[i];

		if (own)
			add(plan, SELFTEST_PROXY, JOB_PROXY_HTTP, &proxy->address, own->port);
		add(plan, SELFTEST_PROXY, JOB_PROXY_HTTP, &proxy->address, proxy->port);
		add(plan, SELFTEST_PROXY, JOB_PROXY_HTTPS, &proxy->address, proxy->port);
	}
}

/* --- what its own policy allows -----------------------------------------------------------------
 */

/* An address within the prefix: a documentation address where it holds one, else the first that is
 * no network's.
 */
static struct prefix pick_address(const struct plan *plan, const struct prefix *prefix)
{
	const struct prefix *far = &plan->test->scene.far[prefix->family == ADDR_V6];
	struct prefix address = *prefix;
	unsigned max = prefix_max_length(prefix);

	if (prefix_contains(prefix, far))
		return *far;
	address.length = (uint8_t)max;
	if (prefix->length + 1u < max)
		address.bytes[max / 8 - 1] |= 1;
	return address;
}

static void add_endpoint(struct plan *plan, const struct endpoint *endpoint)
{
	static const enum job_way ways[] = {
		[PROTOCOL_TCP] = JOB_TCP,
		[PROTOCOL_UDP] = JOB_UDP,
		[PROTOCOL_ICMP] = JOB_PING,
	};
	uint16_t port = endpoint->n_ports ? (uint16_t)endpoint->ports[0].first : 0;
	enum job_way way = ways[endpoint->protocol];
	struct prefix to;

	if (endpoint->to.family != ADDR_NONE) {
		to = pick_address(plan, &endpoint->to);
		add(plan, SELFTEST_ENDPOINT, way, &to, port);
		return;
	}
	parse_address("127.0.0.1", &to);
	add(plan, SELFTEST_ENDPOINT, way, &to, port);
	parse_address("::1", &to);
	add(plan, SELFTEST_ENDPOINT, way, &to, port);
}

static void add_endpoints(struct plan *plan, const struct policy *policy)
{
	int64_t now = time(NULL);

	for (size_t i = 0; policy && i < policy->n_connect && i < ENDPOINTS_MAX; i++)
		if (policy->connect[i].until > now)
			add_endpoint(plan, &policy->connect[i]);
}

/* The policy in force; false: there is none. */
static bool read_policy(struct cli *cli, const json_t *shown, const char *state,
			struct policy *ret_policy)
{
	const char *text = json_string_value(json_object_get(shown, "text"));
	const char *file = get_text(cli, shown, "file");
	struct source source = { file, file, text, text ? strlen(text) : 0 };
	struct diags diags;
	int r;

	if (!text || strcmp(state, "refused") == 0)
		return false;
	diags_init(&diags);
	r = policy_parse(&source, cli->arena, ret_policy, &diags);
	diags_done(&diags);
	return r == 0;
}

/* --- whom ---------------------------------------------------------------------------------------
 */

static bool read_range(const char *text, struct selftest_user *user)
{
	char *end;

	user->uid = (uint32_t)strtoul(text, &end, 10);
	user->last = *end == '-' ? (uint32_t)strtoul(end + 1, &end, 10) : user->uid;
	return *text && !*end && user->uid && user->last >= user->uid;
}

static void add_subject(struct cli *cli, struct selftest_service *service, const json_t *subject)
{
	struct selftest_user user = { .origin = get_text(cli, subject, "origin") };
	const char *name = get_text(cli, subject, "user");
	size_t n_same = 0;

	if (!read_range(get_text(cli, subject, "uids"), &user))
		return;
	for (size_t i = 0; i < service->n; i++)
		n_same += strcmp(service->users[i].origin, user.origin) == 0;
	if (n_same >= (strcmp(user.origin, "user") == 0 ? USERS_MAX : RANGES_MAX)) {
		service->n_left_out++;
		return;
	}
	user.name = *name ? name : NULL;
	*ARENA_APPEND(cli->arena, service->users, service->n) = user;
}

void selftest_plan_service(struct selftest *test, struct selftest_service *service,
			   const json_t *shown)
{
	struct cli *cli = test->cli;
	const json_t *subject;
	struct policy policy;
	bool has_policy;
	size_t i;

	service->state = get_text(cli, shown, "state");
	service->mode = get_text(cli, shown, "mode");
	json_array_foreach(json_object_get(shown, "subjects"), i, subject)
		add_subject(cli, service, subject);
	if (!service->n)
		service->note = "governs nobody: none of its users exists";
	has_policy = read_policy(cli, shown, service->state, &policy);
	for (i = 0; i < service->n; i++) {
		struct plan plan = { test, &service->users[i], service->name };

		add_fixed(&plan);
		add_metadata(&plan);
		add_endpoints(&plan, has_policy ? &policy : NULL);
		add_servers(&plan);
		add_ports(&plan);
	}
}
