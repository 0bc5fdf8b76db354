/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-plan.c - bytes → policies (a record separator between two), their ruleset and its text.
 *
 * Users are made up: the machine's would make an input mean something else on the next one.
 */
#include "fuzz.h"

#include <string.h>

#include "backend/text.h"
#include "plan/plan.h"
#include "policy/parse.h"

enum { POLICIES_MAX = 8, SEPARATOR = 0x1e, FIRST_USER = 1000, FIRST_RANGE = 100000 };

static void name_users(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_listen; i++)
		for (size_t j = 0; j < policy->listen[i].n_from; j++) {
			struct user_ref *ref = &policy->listen[i].from[j];

			if (ref->name)
				ref->uid = FIRST_USER + (uint32_t)strlen(ref->name) % POLICIES_MAX;
		}
}

/* Names and users of its own for each: that two policies share them is not the plan's matter. */
static void add_service(struct policy_set *set, const uint8_t *data, size_t size,
			struct arena *arena)
{
	static const char *const names[POLICIES_MAX] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	AUTO(diags) struct diags diags;
	uint32_t number = (uint32_t)set->n_services;
	struct source source = fuzz_source("fuzz.json", data, size, arena);
	struct service *service = &set->services[number];

	diags_init(&diags);
	service->policy = arena_alloc(arena, sizeof(*service->policy));
	if (policy_parse(&source, arena, service->policy, &diags) < 0)
		service->state = POLICY_REFUSED;
	service->policy->service = names[number];
	name_users(service->policy);
	set->named[number] = (struct uid_owner){
		.uids = { FIRST_USER + number, FIRST_USER + number },
		.service = number,
	};
	set->ranges[number] = (struct uid_owner){
		.uids = { FIRST_RANGE + 10 * number, FIRST_RANGE + 10 * number + 9 },
		.service = size % 5 ? number : NO_SERVICE,
	};
	set->n_services = set->n_named = set->n_ranges = number + 1;
}

static char *write_ruleset(const struct policy_set *set)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset ruleset;
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		abort();
	plan_build(set, arena, &ruleset);
	text_write(&ruleset, f);
	if (fclose(f) != 0)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resolver resolver = { .address = { ADDR_V4, 32, { 192, 0, 2, 53 } } };
	static struct proxy_address proxy = { .address = { ADDR_V4, 32, { 127, 0, 0, 1 } },
					      .port = 3128 };
	AUTO(arena) struct arena *arena = arena_new();
	struct service services[POLICIES_MAX] = { 0 };
	struct uid_owner named[POLICIES_MAX], ranges[POLICIES_MAX];
	struct policy_set set = { .services = services, .named = named, .ranges = ranges };
	AUTO(mem) char *text = NULL, *again = NULL;

	set.config.resolvers = &resolver;
	set.config.proxies = &proxy;
	set.config.n_resolvers = set.config.n_proxies = 1;
	while (set.n_services < POLICIES_MAX) {
		const uint8_t *end = size ? memchr(data, SEPARATOR, size) : NULL;
		size_t n = end ? (size_t)(end - data) : size;

		add_service(&set, data, n, arena);
		if (!end)
			break;
		data += n + 1;
		size -= n + 1;
	}
	text = write_ruleset(&set);
	again = write_ruleset(&set);
	if (strcmp(text, again) != 0)
		abort();
	/* no anonymous set, nor a line that the input had a hand in */
	for (const char *p = text; *p; p++)
		if ((*p == '{' && p[1] != '\n') || (*p < ' ' && *p != '\n' && *p != '\t') ||
		    *p == 0x7f)
			abort();
	return 0;
}
