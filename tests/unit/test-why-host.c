/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-why-host.c - questions about hosts by their name: what the proxy would decide, and that the
 * changes that are proposed turn it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/scene.h"
#include "plan/plan.h"
#include "why/host.h"

#define ORDINARY "tcp 93.184.216.34:%u"
#define ORDINARY6 "tcp [2606:2800:220:1::1]:%u"
#define PRIVATE "tcp 10.0.0.5:%u"
#define METADATA "tcp 169.254.169.254:%u"

/* Up to three addresses of a host, each with "%u" for the port. */
struct targets {
	char texts[3][80];
	const char *list[3];
	size_t n;
};

static void set_targets(struct targets *t, const char *const forms[3], unsigned port)
{
	for (t->n = 0; t->n < 3 && forms[t->n]; t->n++) {
		const char *percent = strchr(forms[t->n], '%');

		snprintf(t->texts[t->n], sizeof(t->texts[t->n]), "%.*s%u",
			 (int)(percent - forms[t->n]), forms[t->n], port);
		t->list[t->n] = t->texts[t->n];
	}
}

static json_t *ask(struct scene *scene, const char *service, const char *host,
		   const struct targets *targets, bool is_standing)
{
	struct ir_ruleset rules;
	struct why_world world = {
		.set = &scene->set, .rules = &rules, .is_standing = is_standing, .now = 1800000000
	};
	struct why_question q = { .service = policy_set_find(&scene->set, service),
				  .uid = WHY_NO_UID,
				  .targets = (const char *const *)targets->list,
				  .n_targets = targets->n,
				  .host = host,
				  .from_uid = WHY_NO_UID };
	const char *error = "?";
	json_t *answer;
	struct writer w;

	plan_build(&scene->set, scene->arena, &rules);
	writer_init(&w, 1024 * 1024);
	if (why_answer(&world, &q, scene->arena, &w, &error) < 0)
		fail_msg("%s: %s", host, error);
	answer = json_loads(w.bytes, 0, NULL);
	assert_non_null(answer);
	writer_done(&w);
	return answer;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* What the changes would write, all of them. */
static void join_changes(const json_t *proxy, const char *key, char *ret_text, size_t max)
{
	const json_t *change;
	size_t i;

	*ret_text = '\0';
	json_array_foreach(json_object_get(proxy, key), i, change)
		snprintf(ret_text + strlen(ret_text), max - strlen(ret_text), "%s%s",
			 i ? " & " : "", text_of(change, "text"));
}

static const char policy[] = "{ \"user\": 64001, \"hosts\": [\n"
			     "  \"*.example.org\",\n"
			     "  \"example.net:8443\", \"example.net:8444\",\n"
			     "  \"10.0.0.5:3000\", \"in.example.com\", \"in.example.com:3000\",\n"
			     "  \"www.example.org\" ] }";

static void test_verdicts(void **state)
{
	static const struct {
		const char *host, *targets[3];
		unsigned port;
		const char *verdict, *reason;
		int line; /* of named_by, or (negative) of near */
		const char *changes;
	} cases[] = {
		{ "api.example.org",
		  { ORDINARY },
		  443,
		  "allowed",
		  "allowed",
		  2,
		  "\"*.example.org\"" },
		{ "www.example.org",
		  { ORDINARY6 },
		  80,
		  "allowed",
		  "allowed",
		  2,
		  "\"*.example.org\" & \"www.example.org\"" },
		{ "example.org",
		  { ORDINARY },
		  443,
		  "refused",
		  "not-listed",
		  0,
		  "\"example.org\"," },
		{ "example.net",
		  { ORDINARY },
		  443,
		  "refused",
		  "port-not-listed",
		  -3,
		  "\"example.net\"," },
		{ "example.net",
		  { ORDINARY },
		  22,
		  "refused",
		  "port-not-listed",
		  -3,
		  "\"example.net:22\"," },
		{ "example.net",
		  { ORDINARY, PRIVATE },
		  8444,
		  "allowed",
		  "allowed",
		  3,
		  "\"example.net:8444\"" },
		{ "api.example.org",
		  { PRIVATE, METADATA },
		  443,
		  "refused",
		  "address-special",
		  2,
		  "\"10.0.0.5:443\", \"169.254.169.254:443\"," },
		{ "in.example.com",
		  { PRIVATE },
		  3000,
		  "allowed",
		  "allowed",
		  4,
		  "\"in.example.com:3000\"" },
		{ "in.example.com",
		  { PRIVATE },
		  80,
		  "refused",
		  "address-special",
		  4,
		  "\"10.0.0.5:80\"," },
		{ "other.example.com",
		  { METADATA },
		  80,
		  "refused",
		  "not-listed",
		  0,
		  "\"other.example.com\", \"169.254.169.254:80\"," },
		{ "10.0.0.5", { PRIVATE }, 3000, "allowed", "allowed", 4, "\"10.0.0.5:3000\"" },
		{ "10.0.0.5",
		  { PRIVATE },
		  3001,
		  "refused",
		  "port-not-listed",
		  -4,
		  "\"10.0.0.5:3001\"," },
		{ "93.184.216.34",
		  { ORDINARY },
		  443,
		  "refused",
		  "address-not-listed",
		  0,
		  "\"93.184.216.34:443\"," },
		{ "api.example.org",
		  { "tcp %u" },
		  443,
		  "allowed",
		  "allowed",
		  2,
		  "\"*.example.org\"" },
		{ "a.example", { "tcp %u" }, 443, "refused", "not-listed", 0, "\"a.example\"," },
		{ "127.1", { "tcp 127.0.0.1:%u" }, 443, "refused", "no-host", 0, "" },
	};
	AUTO(scene) struct scene *scene = scene_new();

	scene_write(scene, "blog.json", policy);
	scene_begin(scene);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct targets targets;
		char changes[400];
		const json_t *proxy;
		json_t *answer;
		int line;

		set_targets(&targets, cases[i].targets, cases[i].port);
		answer = ask(scene, "blog", cases[i].host, &targets, true);
		proxy = json_object_get(answer, "proxy");
		assert_string_equal(text_of(proxy, "verdict"), cases[i].verdict);
		assert_string_equal(text_of(proxy, "reason"), cases[i].reason);
		assert_string_equal(text_of(answer, "verdict"), cases[i].verdict);
		assert_string_equal(text_of(answer, "directly"),
				    strchr(cases[i].targets[0], ':') ? "refused" : "");
		join_changes(proxy, "changes", changes, sizeof(changes));
		assert_string_equal(changes, cases[i].changes);
		line = (int)json_integer_value(json_object_get(
			json_object_get(proxy, cases[i].line < 0 ? "near" : "named_by"), "line"));
		assert_int_equal(line, cases[i].line < 0 ? -cases[i].line : cases[i].line);
		json_decref(answer);
	}
	(void)state;
}

/* What one policy, config or state of the wall makes of a host that no list names. */
static void test_states(void **state)
{
	static const struct {
		const char *policy, *config;
		bool is_off;
		const char *verdict, *by_proxy, *reason, *changes, *to_enforce, *directly;
	} cases[] = {
		{ "{ \"user\": 64001, \"transparent\": true, \"hosts\": [\"a.example\"] }", NULL,
		  false, "allowed", "allowed", "allowed", "\"a.example\"", "", "led" },
		{ "{ \"user\": 64001, \"transparent\": true, \"hosts\": [] }", NULL, false,
		  "refused", "refused", "not-listed", "\"a.example\"", "", "led" },
		{ "{ \"user\": 64001, \"transparent\": true, \"hosts\": [], \"mode\": \"monitor\" "
		  "}",
		  NULL, false, "allowed", "allowed", "not-listed", "", "\"a.example\"", "led" },
		{ "{ \"user\": 64001 }", NULL, false, "refused", "refused", "not-listed",
		  "\"hosts\": [ \"a.example\" ],", "" },
		{ "{ \"user\": 64001, \"hosts\": [] }", NULL, false, "refused", "refused",
		  "not-listed", "\"a.example\"", "" },
		{ "{ \"user\": 64001, \"mode\": \"monitor\" }", NULL, false, "allowed", "allowed",
		  "not-listed", "", "\"hosts\": [ \"a.example\" ]," },
		{ "{ \"user\": 64001 }", NULL, true, "allowed", "allowed", "not-listed", "",
		  "\"hosts\": [ \"a.example\" ]," },
		{ "{ \"user\": 64001, \"proxy\": false }", NULL, false, "refused", "refused",
		  "no-proxy", "\"hosts\": [ \"a.example\" ], & \"proxy\": true", "" },
		{ "{ \"user\": 64001, \"proxy\": false, \"hosts\": [\"a.example\"] }", NULL, false,
		  "refused", "refused", "no-proxy", "\"proxy\": true", "" },
		{ "{ \"user\": 64001, \"connect\": [{ \"to\": \"93.184.216.34\", \"port\": 443 }] "
		  "}",
		  NULL, false, "allowed", "refused", "not-listed", "\"hosts\": [ \"a.example\" ],",
		  "" },
		{ "{ \"user\": 64001, \"hosts\": [\"a.example\"] }",
		  "{ \"proxy\": { \"external\": \"127.0.0.1:3129\" } }", false, "refused", "",
		  "external", "", "" },
	};
	static const char *const forms[3] = { ORDINARY };
	struct targets targets;

	set_targets(&targets, forms, 443);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(scene) struct scene *scene = scene_new();
		const json_t *proxy;
		char text[400];
		json_t *answer;

		scene_write(scene, "blog.json", cases[i].policy);
		if (cases[i].config)
			scene_write_config(scene, cases[i].config);
		scene_begin(scene);
		answer = ask(scene, "blog", "a.example", &targets, !cases[i].is_off);
		proxy = json_object_get(answer, "proxy");
		assert_string_equal(text_of(answer, "verdict"), cases[i].verdict);
		assert_string_equal(text_of(proxy, "verdict"), cases[i].by_proxy);
		if (cases[i].directly)
			assert_string_equal(text_of(answer, "directly"), cases[i].directly);
		assert_string_equal(text_of(proxy, "reason"), cases[i].reason);
		join_changes(proxy, "changes", text, sizeof(text));
		assert_string_equal(text, cases[i].changes);
		join_changes(proxy, "to_enforce", text, sizeof(text));
		assert_string_equal(text, cases[i].to_enforce);
		json_decref(answer);
	}
	(void)state;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Makes the edits in the text, from the last to the first. */
static char *edited(const char *text, const json_t *changes)
{
	char *copy = strdup(text);

	for (size_t round = json_array_size(changes); copy && round > 0; round--) {
		const json_t *best = NULL, *change;
		size_t i, rank, offset, n_remove;
		char *next = NULL;

		/* the one before which round - 1 others come */
		json_array_foreach(changes, i, change) {
			const json_t *other;
			size_t j;

			rank = 0;
			json_array_foreach(changes, j, other)
				rank += json_integer_value(json_object_get(other, "offset")) <
						json_integer_value(
							json_object_get(change, "offset")) ||
					(j < i &&
					 json_integer_value(json_object_get(other, "offset")) ==
						 json_integer_value(
							 json_object_get(change, "offset")));
			if (rank == round - 1)
				best = change;
		}
		offset = (size_t)json_integer_value(json_object_get(best, "offset"));
		n_remove = strlen(text_of(best, "remove"));
		assert_memory_equal(copy + offset, text_of(best, "remove"), n_remove);
		if (asprintf(&next, "%.*s%s%s", (int)offset, copy, text_of(best, "insert"),
			     copy + offset + n_remove) < 0)
			abort();
		free(copy);
		copy = next;
	}
	return copy;
}

static uint32_t seed = 7;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % below;
}

static void test_changes_turn_it(void **state)
{
	static const char *const entries[] = { "a.example",	 "*.example",	 "b.a.example",
					       "*.a.example:25", "a.example:25", "10.0.0.5",
					       "10.0.0.5:25",	 "c.example",	 "*.b.a.example" };
	static const char *const hosts[] = { "a.example", "b.a.example", "c.b.a.example",
					     "10.0.0.5" };
	static const char *const addresses[] = { PRIVATE, ORDINARY, ORDINARY6, METADATA };
	enum { ROUNDS = 400 };
	size_t turned = 0;

	for (size_t i = 0; i < ROUNDS; i++) {
		AUTO(scene) struct scene *scene = scene_new();
		AUTO(mem) char *after = NULL;
		const char *host = hosts[draw(ARRAY_SIZE(hosts))];
		const char *const forms[3] = { host[0] == '1' ? PRIVATE : addresses[draw(4)] };
		char text[1024] = "{ \"user\": 64001";
		struct targets targets;
		json_t *first, *second;
		const json_t *proxy;

		set_targets(&targets, forms, draw(2) ? 443 : 25);
		if (draw(4) == 0)
			strcat(text, ", \"proxy\": false");
		if (draw(6)) {
			strcat(text, ", \"hosts\": [");
			for (uint32_t n = draw(6), j = 0; j < n; j++)
				sprintf(text + strlen(text), "%s%s\"%s\"", j ? "," : "",
					draw(2) ? "\n  " : " ", entries[draw(ARRAY_SIZE(entries))]);
			strcat(text, "]");
		}
		strcat(text, " }");
		scene_write(scene, "blog.json", text);
		scene_begin(scene);
		first = ask(scene, "blog", host, &targets, true);
		proxy = json_object_get(first, "proxy");
		assert_true(json_array_size(json_object_get(proxy, "changes")) > 0);
		after = edited(text, json_object_get(proxy, "changes"));
		scene_write(scene, "blog.json", after);
		scene_begin(scene);
		second = ask(scene, "blog", host, &targets, true);
		if (strcmp(text_of(proxy, "verdict"),
			   text_of(json_object_get(second, "proxy"), "verdict")) == 0)
			fail_msg("%s is still %s\n%s\n%s", host, text_of(proxy, "verdict"), text,
				 after);
		turned += strcmp(text_of(proxy, "verdict"), "allowed") == 0;
		json_decref(first);
		json_decref(second);
	}
	assert_in_range(turned, ROUNDS / 10, ROUNDS * 9 / 10);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_changes_turn_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
