/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-diff-words.c - two sets of policies → the lines that diff says to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "diff/diff.h"
#include "lib/mutate.h"
#include "plan/plan.h"

enum { NOW = 1900000000 };

struct one {
	struct policy_set set;
	struct ir_ruleset rules;
};

static json_t *compare(const struct one *from, const struct one *to)
{
	struct diff_side a = { &from->set, &from->rules }, b = { &to->set, &to->rules };
	struct writer w;
	json_t *answer;

	writer_init(&w, SIZE_MAX / 2);
	writer_begin(&w, '{');
	diff_write_words(&a, &b, NOW, &w);
	writer_end(&w, '}');
	answer = json_loadb(w.bytes, w.n, JSON_REJECT_DUPLICATES, NULL);
	writer_done(&w);
	assert_non_null(answer);
	return answer;
}

#define CONFIG "{ 'resolvers': ['192.0.2.53'], 'subuids': false }"
#define LIST                                                                                       \
	"{ 'to': '10.0.1.0/24', 'port': 1 }, { 'to': '10.0.2.0/24', 'port': 1 }, "                 \
	"{ 'to': '10.0.3.0/24', 'port': 1 }, { 'to': '10.0.4.0/24', 'port': 1 }, "                 \
	"{ 'to': '10.0.5.0/24', 'port': 1 }, { 'to': '10.0.6.0/24', 'port': 1 }, "                 \
	"{ 'to': '10.0.7.0/24', 'port': 1 }, { 'to': '10.0.8.0/24', 'port': 1 }, "

/* Quotation marks are ' for the reader's sake. */
static const struct {
	const char *name, *config[2], *files[2], *words;
} cases[] = {
	{ "the configuration is said once",
	  { CONFIG, "{ 'resolvers': ['192.0.2.54'], 'subuids': false }" },
	  { "{ 'a.json': { 'user': 1001 }, 'b.json': { 'user': 1002, 'dns': false } }",
	    "{ 'a.json': { 'user': 1001 }, 'b.json': { 'user': 1002, 'dns': false } }" },
	  "resolvers of 1 + dns: the name servers 192.0.2.54\n"
	  "resolvers of 1 - dns: the name servers 192.0.2.53\n" },
	{ "and what is a service's own is said besides",
	  { CONFIG, "{ 'resolvers': ['192.0.2.53', '192.0.2.54'], 'subuids': false }" },
	  { "{ 'a.json': { 'user': 1001 }, 'b.json': { 'user': 1002, 'dns': false } }",
	    "{ 'a.json': { 'user': 1001 }, 'b.json': { 'user': 1002 } }" },
	  "resolvers of 1 + dns: the name servers 192.0.2.54\n"
	  "b + dns: the name servers 192.0.2.53-192.0.2.54\n" },
	{ "a guard that is gone, and what the configuration had and has",
	  { "{ 'resolvers': ['127.0.0.1'], 'subuids': false }",
	    "{ 'resolvers': ['127.0.0.1', '192.0.2.53'], 'subuids': false }" },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': 'localhost', 'port': 7 } ] },"
	    "  'b.json': { 'user': 1002, 'listen': [ { 'port': [7, 53], 'from': [0] } ] } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': 'localhost', 'port': 7 } ] },"
	    "  'b.json': { 'user': 1002, 'listen': [ { 'port': [7, 53] } ] } }" },
	  "resolvers of 2 + dns: the name servers 192.0.2.53\n"
	  "a + dns: the name servers 127.0.0.1 (\"from\" in b.json:4 refused it before)\n"
	  "a + tcp localhost port 7 (\"from\" in b.json:4 refused it before)\n"
	  "b ~ who may connect to tcp 7, 53 over loopback: only root \342\206\222 anyone\n" },
	{ "the end of an interval in a set",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ " LIST
	    "{ 'to': '10.9.0.0/16', 'port': 1 } ] } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ " LIST
	    "{ 'to': '10.9.0.0/17', 'port': 1 } ] } }" },
	  "a ~ tcp port 1: narrowed from 10.9.0.0/16 to 10.9.0.0/17\n" },
	{ "ports that touch",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001 } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.1', 'port': 81 },"
	    " { 'to': '10.0.0.1', 'port': 80 } ] } }" },
	  "a + tcp 10.0.0.1 ports 80-81\n" },
	{ "one interface of several",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.1', 'port': 1,"
	    " 'interface': 'eth0' } ] } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.1', 'port': 1,"
	    " 'interface': 'eth0' }, { 'to': '10.0.0.0/31', 'port': 1 } ] } }" },
	  "a + tcp 10.0.0.0 port 1\na + tcp 10.0.0.1 port 1 by any interface but eth0\n" },
	{ "another interface, and another date",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.1', 'port': 1,"
	    " 'interface': 'eth0', 'until': '2050-01-01' } ] } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.1', 'port': 1,"
	    " 'interface': 'eth1' } ] } }" },
	  "a ~ tcp 10.0.0.1 port 1: by eth0 until 2050-01-01 \342\206\222 by eth1 without end\n" },
	{ "several prefixes become one",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.1.0.0/16', 'port': 1 },"
	    " { 'to': '10.3.0.0/16', 'port': 1 } ] } }",
	    "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '10.0.0.0/8', 'port': 1 } ] } }" },
	  "a ~ tcp port 1: widened from 10.1.0.0/16 and 1 more to 10.0.0.0/8\n" },
	{ "some users of a service meet another's guard",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'users': [1001, 1003], 'connect': [ { 'to': 'localhost',"
	    " 'port': 7 } ] }, 'b.json': { 'user': 1002, 'listen': [ { 'port': 7 } ] } }",
	    "{ 'a.json': { 'users': [1001, 1003], 'connect': [ { 'to': 'localhost',"
	    " 'port': 7 } ] }, 'b.json': { 'user': 1002, 'listen': [ { 'port': 7,"
	    " 'from': [1003] } ] } }" },
	  "a - tcp localhost port 7 for uid 1001 only (\"from\" in b.json:4 refuses it now)\n"
	  "b ~ who may connect to tcp 7 over loopback: anyone \342\206\222 only root, uid 1003\n" },
	{ "the proxy's port",
	  { CONFIG, CONFIG },
	  { "{ 'a.json': { 'user': 1001, 'connect': [ { 'to': '127.0.0.1', 'port': 5 } ] } }",
	    "{ 'a.json': { 'user': 1001, 'proxy': false } }" },
	  "a - proxy: localhost port 3128\na - tcp 127.0.0.1 port 5\n" },
};

static json_t *load_quoted(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	free(copy);
	return value;
}

static void print_changes(const char *prefix, const json_t *object, FILE *out)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(object, "changes"), i, change)
		fprintf(out, "%s %s %s\n", prefix,
			json_string_value(json_object_get(change, "sign")),
			json_string_value(json_object_get(change, "text")));
}

static char *all_words(const json_t *answer)
{
	const json_t *entry;
	char *text = NULL, prefix[64];
	size_t length = 0, i;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	json_array_foreach(json_object_get(answer, "shared"), i, entry) {
		snprintf(prefix, sizeof(prefix), "%s of %d",
			 json_string_value(json_object_get(entry, "what")),
			 (int)json_integer_value(json_object_get(entry, "services")));
		print_changes(prefix, entry, out);
	}
	json_array_foreach(json_object_get(answer, "services"), i, entry)
		print_changes(json_string_value(json_object_get(entry, "service")), entry, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void read_case(const char *config, const char *files, struct arena *arena,
		      struct one *ret_one)
{
	struct mutable policies = { load_quoted(files), load_quoted(config), 0, 0 };

	assert_int_equal(mutable_read(&policies, arena, &ret_one->set, true), 0);
	plan_build(&ret_one->set, arena, &ret_one->rules);
	mutable_free(&policies);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		AUTO(mem) char *words = NULL;
		struct one from, to;
		json_t *answer;

		read_case(cases[i].config[0], cases[i].files[0], arena, &from);
		read_case(cases[i].config[1], cases[i].files[1], arena, &to);
		answer = compare(&from, &to);
		words = all_words(answer);
		if (strcmp(words, cases[i].words) != 0)
			fail_msg("%s:\n%sexpected:\n%s", cases[i].name, words, cases[i].words);
		json_decref(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
