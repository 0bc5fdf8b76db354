/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-lists.c - what the daemon tells the proxy: whose a connection is, what is taken over from
 * the lists before, and answers that make no sense.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/daemon/lists.h"
#include "wire/reader.h"

#define SERVICE(NAME, MORE)                                                                        \
	"{\"service\":\"" NAME "\",\"file\":\"" NAME                                               \
	".json\",\"mode\":\"enforce\",\"proxy\":true,"                                             \
	"\"transparent\":false," MORE "}"
#define LISTS(SERVICES) "{\"generation\":7,\"services\":[" SERVICES "]}"
#define HASH(N) "\"hash\":\"000000000000000" N "\""

static struct lists *parse_after(const struct lists *before, const char *text)
{
	struct lists *lists = NULL;
	char *error = NULL;
	int r = lists_parse(text, strlen(text), before, &lists, &error);

	if (r < 0)
		fail_msg("%d: %s in %s", r, error ? error : "?", text);
	return lists;
}

static struct lists *parse(const char *text)
{
	return parse_after(NULL, text);
}

static int parse_wrong(const struct lists *before, const char *text, const char *why)
{
	struct lists *lists = NULL;
	char *error = NULL;
	int r = lists_parse(text, strlen(text), before, &lists, &error);

	if (r == 0)
		fail_msg("taken: %s", text);
	assert_null(lists);
	assert_non_null(error);
	if (!strstr(error, why))
		fail_msg("expected \"%s\" in \"%s\" of %s", why, error, text);
	free(error);
	return r;
}

static const char *owner(const struct lists *lists, uint32_t uid, uint64_t cgroup)
{
	const struct list *list = lists_find(lists, uid, cgroup, NULL);

	return list ? list->service : "nobody";
}

static bool allows(const struct list *list, const char *name, uint16_t port, uint32_t line)
{
	struct host host;
	const char *why;
	struct host_decision decision;

	assert_int_equal(host_parse(name, strlen(name), &host, &why), 0);
	decision = host_list_decide(list->hosts, &host, port);
	return decision.verdict == HOST_ALLOWED && decision.line == line;
}

/* --- owners */

static void users_then_units_then_ranges(void **state)
{
	AUTO(lists)
	struct lists *lists = parse(LISTS(SERVICE(
		"blog",
		HASH("1") ",\"hosts\":[],\"lines\":[],\"groups\":[77,78],"
			  "\"uids\":[[1001,1001,0,\"blog\"],[100000,165535,2,null],"
			  "[1003,1003,0,null]]") "," SERVICE("erp",
							     HASH("1") ",\"hosts\":[],\"lines\":[],"
								       "\"groups\":[79],"
								       "\"uids\":[[2000,2999,1,"
								       "null]]")));
	const char *user;

	assert_string_equal(owner(lists, 1001, 0), "blog");
	assert_string_equal(owner(lists, 1001, 79), "blog"); /* users first */
	assert_string_equal(owner(lists, 2500, 0), "erp");
	assert_string_equal(owner(lists, 2500, 78), "blog"); /* units before ranges */
	assert_string_equal(owner(lists, 0, 77), "blog");
	assert_string_equal(owner(lists, 0, 80), "nobody");
	assert_string_equal(owner(lists, 0, 0), "nobody");
	assert_string_equal(owner(lists, 100000, 0), "blog");
	assert_string_equal(owner(lists, 165535, 0), "blog");
	assert_string_equal(owner(lists, 165536, 0), "nobody");
	assert_string_equal(owner(lists, 99999, 0), "nobody");
	assert_string_equal(owner(lists, 1999, 0), "nobody");
	lists_find(lists, 1001, 79, &user);
	assert_string_equal(user, "blog");
	lists_find(lists, 1003, 0, &user);
	assert_null(user);
	lists_find(lists, 0, 77, &user);
	assert_null(user);
	assert_int_equal(lists_count(lists), 2);
	assert_int_equal(lists_generation(lists), 7);
	assert_string_equal(lists_find_service(lists, "erp")->file, "erp.json");
	assert_null(lists_find_service(lists, "er"));
	assert_null(lists_find_service(lists, "zoo"));
}

/* Also where a range of somebody's would have it. */
static void what_two_claim_is_nobodys(void **state)
{
	AUTO(lists)
	struct lists *lists = parse("{\"generation\":1,\"services\":[" SERVICE(
		"blog", HASH("1") ",\"hosts\":[],\"lines\":[],\"uids\":[[1,4000,1,"
				  "null]]") "],\"nobody\":{\"uids\":[[1005,1005,0,"
					    "null]],\"groups\":[90]}}");

	assert_string_equal(owner(lists, 1004, 0), "blog");
	assert_string_equal(owner(lists, 1005, 0), "nobody");
	assert_string_equal(owner(lists, 1004, 90), "nobody");
}

static void many_groups(void **state)
{
	enum { N = 3000 };
	AUTO(mem) char *text = NULL;
	AUTO(file) FILE *out = NULL;
	AUTO(lists) struct lists *lists = NULL;
	size_t n;

	out = open_memstream(&text, &n);
	fputs("{\"generation\":1,\"services\":[", out);
	for (int i = 0; i < 2; i++) {
		fprintf(out, "%s{\"service\":\"s%d\",\"file\":\"f\",\"mode\":\"monitor\",",
			i ? "," : "", i);
		fputs("\"proxy\":true,\"transparent\":true,\"hash\":\"0000000000000000\","
		      "\"hosts\":[],\"lines\":[],\"uids\":[],\"groups\":[",
		      out);
		for (int j = 0; j < N; j++)
			fprintf(out, "%s%d", j ? "," : "", 1 + 2 * j + i);
		fputs("]}", out);
	}
	fputs("]}", out);
	fflush(out);
	lists = parse(text);
	for (unsigned i = 0; i < 2 * N; i++)
		assert_string_equal(owner(lists, 5, i + 1), i % 2 ? "s1" : "s0");
	assert_string_equal(owner(lists, 5, 2 * N + 1), "nobody");
	assert_int_equal(lists_at(lists, 0)->mode, LIST_MONITOR);
	assert_true(lists_at(lists, 1)->transparent);
}

/* --- hosts */

static void hosts_with_their_lines(void **state)
{
	AUTO(lists)
	struct lists *lists = parse(LISTS(
		SERVICE("blog", HASH("1") ",\"uids\":[],\"hosts\":[\"a.example\",\"*.b.example\","
					  "\"c.example:8443\","
					  "\"[2001:db8::1]:25\",\"192.0.2.1\",\"[2001:db8::2]\"],"
					  "\"lines\":[4,5,6,7,8,9]")));
	const struct list *list = lists_at(lists, 0);

	assert_true(allows(list, "a.example", 443, 4));
	assert_true(allows(list, "x.b.example", 80, 5));
	assert_false(allows(list, "b.example", 80, 5));
	assert_true(allows(list, "c.example", 8443, 6));
	assert_false(allows(list, "c.example", 443, 6));
	assert_true(allows(list, "2001:db8::1", 25, 7));
	assert_true(allows(list, "192.0.2.1", 443, 8));
	assert_true(allows(list, "2001:db8::2", 443, 9));
	assert_false(allows(list, "2001:db8::2", 25, 9));
}

#define HOSTS(N, NAME) "\"uids\":[]," HASH(N) ",\"hosts\":[\"" NAME "\"],\"lines\":[1]"

static void the_same_hosts_are_taken_over(void **state)
{
	AUTO(lists) struct lists *second = NULL;
	struct lists *first = parse(LISTS(SERVICE("a", HOSTS("1", "one.example")) "," SERVICE(
		"b", HOSTS("2", "two.example"))));
	const struct host_list *kept = lists_at(first, 0)->hosts;

	/* of a: left out; of b: others; c is new */
	second = parse_after(
		first,
		LISTS(SERVICE("a", "\"uids\":[]," HASH("1")) "," SERVICE(
			"b", HOSTS("3", "three.example")) "," SERVICE("c",
								      HOSTS("1", "four.example"))));
	lists_free(first);
	assert_ptr_equal(lists_at(second, 0)->hosts, kept);
	assert_true(allows(lists_at(second, 0), "one.example", 443, 1));
	assert_true(allows(lists_at(second, 1), "three.example", 443, 1));
	assert_false(allows(lists_at(second, 1), "two.example", 443, 1));
	assert_true(allows(lists_at(second, 2), "four.example", 443, 1));
}

static void hashes_speak_for_hosts(void **state)
{
	AUTO(lists) struct lists *first = parse(LISTS(SERVICE("a", HOSTS("1", "one.example"))));
	AUTO(lists)
	struct lists *second = parse_after(first, LISTS(SERVICE("a", HOSTS("1", "one.example"))));

	assert_ptr_equal(lists_at(first, 0)->hosts, lists_at(second, 0)->hosts);
}

static void what_is_left_out_must_be_known(void **state)
{
	AUTO(lists) struct lists *first = parse(LISTS(SERVICE("a", HOSTS("1", "one.example"))));
	const char *other = LISTS(SERVICE("a", "\"uids\":[]," HASH("2")));
	const char *unknown = LISTS(SERVICE("b", "\"uids\":[]," HASH("1")));

	assert_int_equal(parse_wrong(first, other, "not known yet"), -ESTALE);
	assert_int_equal(parse_wrong(first, unknown, "not known yet"), -ESTALE);
	assert_int_equal(parse_wrong(NULL, other, "not known yet"), -ESTALE);
}

/* --- mistakes */

static void wrong_lists(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "expected an object" },
		{ "[]", "expected an object" },
		{ "{}", "a generation and services" },
		{ "{\"generation\":1}", "a generation and services" },
		{ "{\"services\":[]}", "a generation and services" },
		{ "{\"generation\":0,\"services\":[]}", "above zero" },
		{ "{\"generation\":-1,\"services\":[]}", "above zero" },
		{ "{\"generation\":1.5,\"services\":[]}", "whole number" },
		{ "{\"generation\":1e3,\"services\":[]}", "whole number" },
		{ "{\"generation\":01,\"services\":[]}", "whole number" },
		{ "{\"generation\":1234567890123456789,\"services\":[]}", "whole number" },
		{ "{\"generation\":1,\"services\":[]} x", "behind the end" },
		{ "{\"generation\":1,\"services\":[", "one more value" },
		{ "{\"generation\":1,\"services\":[}", "one more value" },
		{ "{\"generation\":1,\"services\":[],}", "one more value" },
		{ "{\"generation\":1,\"services\":[{}]}", "without its name" },
		{ "{\"generation\":1,\"services\":[{\"service\":null}]}", "without its name" },
		{ "{\"generation\":1,\"services\":[{\"service\":\"a\\u0000\"}]}", "escape" },
		{ "{\"generation\":1,\"services\":[{\"service\":\"a\\ud800\"}]}", "escape" },
		{ "{\"generation\":1,\"services\":[{\"service\":\"a\n\"}]}", "control character" },
		{ "{\"generation\":1,\"services\":[{\"service\":\"a}]}", "without its end" },
		{ "{\"generation\":1,\"services\":[{\"service\":\"a\\", "without its end" },
		{ "{\"generation\":1,\"services\":[{\"mode\":\"of\"}]}", "a mode" },
		{ "{\"generation\":1,\"services\":[{\"proxy\":1}]}", "true or false" },
		{ LISTS(SERVICE("b", HOSTS("1", "x.example")) "," SERVICE("a",
									  HOSTS("1", "x.example"))),
		  "order" },
		{ LISTS(SERVICE("b", HOSTS("1", "x.example")) "," SERVICE("b",
									  HOSTS("1", "x.example"))),
		  "order" },
		{ LISTS(SERVICE("a", HASH("1") ",\"hosts\":[\"x.example\"],\"lines\":[]")),
		  "as many lines" },
		{ LISTS(SERVICE("a", HASH("1") ",\"hosts\":[],\"lines\":[1]")), "as many lines" },
		{ LISTS(SERVICE("a", "\"hash\":\"123\"")), "hash" },
		{ LISTS(SERVICE("a", "\"hash\":\"000000000000000g\"")), "hash" },
		{ LISTS(SERVICE("a", "\"uids\":[[1,2,0]]")), "first and last" },
		{ LISTS(SERVICE("a", "\"uids\":[[2,1,0,null]]")), "first and last" },
		{ LISTS(SERVICE("a", "\"uids\":[[1,2,3,null]]")), "first and last" },
		{ LISTS(SERVICE("a", "\"uids\":[[1,2,0,null,5]]")), "first and last" },
		{ LISTS(SERVICE("a", "\"uids\":[[-1,2,0,null]]")), "32 bits" },
		{ LISTS(SERVICE("a", "\"uids\":[[1,4294967296,0,null]]")), "32 bits" },
		{ LISTS(SERVICE("a", HASH("1") ",\"hosts\":[],\"lines\":[],"
					       "\"uids\":[[1,5,1,null],[5,9,2,null]]")),
		  "two owners" },
		{ LISTS(SERVICE("a", "\"groups\":[0]")), "control group" },
		{ LISTS(SERVICE("a",
				HASH("1") ",\"groups\":[5],\"hosts\":[],\"lines\":["
					  "]") "," SERVICE("b",
							   HASH("1") ",\"groups\":[5],\"hosts\":[],"
								     "\"lines\":[]")),
		  "two services" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"\"]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[null]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"x:0\"]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"x:65536\"]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"x:\"]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"x:8a\"]")), "a host" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"[::1\"]")), "brackets" },
		{ LISTS(SERVICE("a", "\"hosts\":[\"[::1]5\"]")), "brackets" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = parse_wrong(NULL, cases[i].text, cases[i].why);

		assert_true(r == -EINVAL || r == -ESTALE);
	}
}

/* A newer daemon may say more. */
static void members_that_nobody_knows(void **state)
{
	AUTO(lists)
	struct lists *lists =
		parse("{\"new\":[1,{\"x\":[true,false,null,\"\\u00e9\\n\"]}],\"generation\":3,"
		      "\"services\":[" SERVICE("a", "\"more\":{}," HOSTS("1", "x.example")) "]}");

	assert_true(allows(lists_at(lists, 0), "x.example", 443, 1));
}

static void texts_with_escapes(void **state)
{
	AUTO(lists)
	struct lists *lists = parse(
		"{\"generation\":3,\"services\":[{\"service\":\"a\",\"mode\":\"off\","
		"\"file\":\"\\\"\\\\\\/\\u00e9\\u20ac\\t.json\",\"hash\":\"0000000000000000\","
		"\"hosts\":[],\"lines\":[]}]}");

	assert_string_equal(lists_at(lists, 0)->file, "\"\\/\xc3\xa9\xe2\x82\xac\t.json");
	assert_int_equal(lists_at(lists, 0)->mode, LIST_OFF);
	assert_false(lists_at(lists, 0)->proxy);
}

static void values_in_values_are_bounded(void **state)
{
	char text[4096] = "{\"deep\":";
	size_t n = strlen(text);

	memset(text + n, '[', 3000);
	text[n + 3000] = '\0';
	assert_int_equal(parse_wrong(NULL, text, "too deep"), -EINVAL);
}

/* --- name servers */

static void name_servers(void **state)
{
	AUTO(lists)
	struct lists *lists = parse("{\"resolvers\":[\"192.0.2.53\",\"fe80::1%eth0\"],"
				    "\"generation\":7,\"services\":[]}");
	AUTO(lists) struct lists *without = parse(LISTS(""));
	const struct lists_resolvers *resolvers = lists_resolvers(lists);
	struct prefix first;

	assert_int_equal(parse_address("192.0.2.53", &first), 0);
	assert_int_equal(resolvers->n, 2);
	assert_int_equal(prefix_compare(&resolvers->servers[0], &first), 0);
	assert_null(resolvers->interfaces[0]);
	assert_int_equal(resolvers->servers[1].family, ADDR_V6);
	assert_string_equal(resolvers->interfaces[1], "eth0");
	assert_int_equal(lists_resolvers(without)->n, 0);
	parse_wrong(NULL, "{\"resolvers\":[\"dns.example\"],\"generation\":7,\"services\":[]}",
		    "name server");
	parse_wrong(NULL, "{\"resolvers\":[null],\"generation\":7,\"services\":[]}", "name server");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_then_units_then_ranges),
		cmocka_unit_test(what_two_claim_is_nobodys),
		cmocka_unit_test(many_groups),
		cmocka_unit_test(hosts_with_their_lines),
		cmocka_unit_test(the_same_hosts_are_taken_over),
		cmocka_unit_test(hashes_speak_for_hosts),
		cmocka_unit_test(what_is_left_out_must_be_known),
		cmocka_unit_test(wrong_lists),
		cmocka_unit_test(members_that_nobody_knows),
		cmocka_unit_test(texts_with_escapes),
		cmocka_unit_test(values_in_values_are_bounded),
		cmocka_unit_test(name_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
