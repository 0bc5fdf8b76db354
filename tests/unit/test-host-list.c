/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-host-list.c - lists of hosts: which rule decides, and that a table finds what a walk through
 * the rules does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "names/host_list.h"

static struct host host_of(const char *text)
{
	struct host host;
	const char *why;

	if (host_parse(text, strlen(text), &host, &why) < 0)
		fail_msg("%s %s", text, why);
	return host;
}

static const struct host_rule rules[] = {
	{ "api.example.org", false, 0, 1 },
	{ "example.org", true, 0, 2 },
	{ "api.example.org", false, 8443, 3 },
	{ "api.example.org", false, 0, 4 },
	{ "mail.example.net", false, 587, 5 },
	{ "example.net", true, 993, 6 },
	{ "deep.example.org", true, 7, 7 },
	{ "192.0.2.7", false, 0, 8 },
	{ "127.0.0.1", false, 3000, 9 },
	{ "2001:db8::1", false, 443, 10 },
	{ "example.net", true, 587, 11 },
	{ "com", true, 0, 12 },
	{ "2.8", true, 0, 13 }, /* no policy can say it */
};

static void test_decisions(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		uint8_t verdict;
		uint32_t line;
	} cases[] = {
		{ "api.example.org", 443, HOST_ALLOWED, 1 },
		{ "API.example.org.", 80, HOST_ALLOWED, 1 },
		{ "api.example.org", 8443, HOST_ALLOWED, 3 },
		{ "api.example.org", 22, HOST_PORT_NOT_LISTED, 1 },
		{ "www.example.org", 443, HOST_ALLOWED, 2 },
		{ "a.b.c.d.example.org", 443, HOST_ALLOWED, 2 },
		{ "a.b.c.d.example.org", 22, HOST_PORT_NOT_LISTED, 2 },
		{ "example.org", 443, HOST_NOT_LISTED, 0 },
		{ "xexample.org", 443, HOST_NOT_LISTED, 0 },
		{ "api.example.org.evil.test", 443, HOST_NOT_LISTED, 0 },
		{ "org", 443, HOST_NOT_LISTED, 0 },
		{ "x.deep.example.org", 443, HOST_ALLOWED, 2 },
		{ "x.deep.example.org", 7, HOST_ALLOWED, 7 },
		{ "x.deep.example.org", 8, HOST_PORT_NOT_LISTED, 7 },
		{ "mail.example.net", 587, HOST_ALLOWED, 5 },
		{ "mail.example.net", 993, HOST_ALLOWED, 6 },
		{ "mail.example.net", 443, HOST_PORT_NOT_LISTED, 5 },
		{ "other.example.net", 587, HOST_ALLOWED, 11 },
		{ "other.example.net", 25, HOST_PORT_NOT_LISTED, 6 },
		{ "a.com", 443, HOST_ALLOWED, 12 },
		{ "com", 443, HOST_NOT_LISTED, 0 },
		{ "192.0.2.7", 443, HOST_ALLOWED, 8 },
		{ "::ffff:192.0.2.7", 443, HOST_ALLOWED, 8 },
		{ "192.0.2.7", 22, HOST_PORT_NOT_LISTED, 8 },
		{ "192.0.2.8", 443, HOST_ADDRESS_NOT_LISTED, 0 },
		{ "127.0.0.1", 3000, HOST_ALLOWED, 9 },
		{ "[2001:db8:0::1]", 443, HOST_ALLOWED, 10 },
		{ "[2001:db8::1]", 80, HOST_PORT_NOT_LISTED, 10 },
		{ "[2001:db8::2]", 443, HOST_ADDRESS_NOT_LISTED, 0 },
	};
	AUTO(host_list) struct host_list *list = NULL;

	assert_int_equal(host_list_new(rules, ARRAY_SIZE(rules), &list), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host host = host_of(cases[i].host);
		struct host_decision d = host_list_decide(list, &host, cases[i].port);

		if (d.verdict != cases[i].verdict || d.line != cases[i].line)
			fail_msg("%s:%u: %s by %u", cases[i].host, cases[i].port,
				 host_verdict_name(d.verdict), d.line);
	}
	(void)state;
}

/* Wildcards behind very many labels. */
static void test_depths(void **state)
{
	char name[HOST_TEXT_MAX];

	for (size_t n = 1; n <= 125; n++) {
		AUTO(host_list) struct host_list *list = NULL;
		struct host_rule rule = { .name = name + 2, .is_wildcard = true, .line = 5 };
		struct host host;

		for (size_t i = 0; i <= n; i++)
			memcpy(name + 2 * i, "a.", 2);
		name[2 * n + 1] = '\0';
		host = host_of(name);
		assert_int_equal(host_list_new(&rule, 1, &list), 0);
		assert_int_equal(host_list_decide(list, &host, 443).verdict, HOST_ALLOWED);
		host = host_of(name + 2);
		assert_int_equal(host_list_decide(list, &host, 443).verdict, HOST_NOT_LISTED);
	}
	(void)state;
}

static void test_admission(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		bool admitted;
		uint32_t line;
	} cases[] = {
		{ "1.1.1.1", 443, true, 0 },	       { "127.0.0.1", 3000, true, 9 },
		{ "::ffff:127.0.0.1", 3000, true, 9 }, { "127.0.0.1", 443, false, 0 },
		{ "127.0.0.2", 3000, false, 0 },       { "::1", 3000, false, 0 },
		{ "2001:db8::1", 443, true, 10 },      { "2001:db8::1", 80, false, 0 },
		{ "2606:4700::1", 80, true, 0 },       { "64:ff9b::127.0.0.1", 3000, false, 0 },
		{ "169.254.169.254", 80, false, 0 },
	};
	AUTO(host_list) struct host_list *list = NULL, *none = NULL;

	assert_int_equal(host_list_new(rules, ARRAY_SIZE(rules), &list), 0);
	assert_int_equal(host_list_new(NULL, 0, &none), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix address;
		uint32_t line = 99;

		assert_int_equal(parse_address(cases[i].address, &address), 0);
		if (host_list_admits(list, &address, cases[i].port, &line) != cases[i].admitted ||
		    line != cases[i].line)
			fail_msg("%s:%u: line %u", cases[i].address, cases[i].port, line);
		if (!cases[i].line)
			assert_int_equal(host_list_admits(none, &address, cases[i].port, &line),
					 cases[i].admitted);
	}
	(void)state;
}

static void test_names(void **state)
{
	AUTO(host_list) struct host_list *list = NULL;
	size_t at = 0;

	assert_int_equal(host_list_new(rules, ARRAY_SIZE(rules), &list), 0);
	assert_string_equal(host_list_next_name(list, 443, &at), "api.example.org");
	assert_string_equal(host_list_next_name(list, 443, &at), "api.example.org");
	assert_null(host_list_next_name(list, 443, &at));
	at = 0;
	assert_string_equal(host_list_next_name(list, 587, &at), "mail.example.net");
	assert_null(host_list_next_name(list, 587, &at));
	at = 0;
	assert_null(host_list_next_name(list, 3000, &at)); /* an address's */
	assert_true(host_list_has_port(list, 80));
	assert_true(host_list_has_port(list, 3000));
	assert_true(host_list_has_port(list, 7));
	assert_false(host_list_has_port(list, 25));
	(void)state;
}

static void test_nothing(void **state)
{
	AUTO(host_list) struct host_list *list = NULL;
	struct host name = host_of("a.example"), address = host_of("1.1.1.1");
	size_t at = 0;

	assert_int_equal(host_list_new(NULL, 0, &list), 0);
	assert_int_equal(host_list_decide(list, &name, 443).verdict, HOST_NOT_LISTED);
	assert_int_equal(host_list_decide(list, &address, 443).verdict, HOST_ADDRESS_NOT_LISTED);
	assert_null(host_list_next_name(list, 443, &at));
	assert_false(host_list_has_port(list, 443));
	host_list_free(NULL);
	(void)state;
}

static void test_entries(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *entry;
	} cases[] = {
		{ "API.example.org.", 443, "api.example.org" },
		{ "api.example.org", 80, "api.example.org" },
		{ "api.example.org", 8443, "api.example.org:8443" },
		{ "192.0.2.7", 443, "192.0.2.7:443" },
		{ "[2001:db8::1]", 443, "[2001:db8::1]:443" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host host = host_of(cases[i].host);
		char text[HOST_ENTRY_MAX];

		host_format_entry(&host, cases[i].port, text);
		assert_string_equal(text, cases[i].entry);
	}
	for (int i = 0; i < HOST_VERDICT_COUNT; i++) {
		assert_non_null(host_verdict_name((enum host_verdict)i));
		assert_non_null(host_verdict_words((enum host_verdict)i));
	}
	(void)state;
}

/* --- against a walk through the rules --------------------------------------------------------- */

static bool names_it(const struct host_rule *rule, const struct host *host)
{
	size_t n = strlen(rule->name), length = strlen(host->name);

	if (!rule->is_wildcard)
		return strcmp(rule->name, host->name) == 0;
	return host->address.family == ADDR_NONE && length > n + 1 &&
	       host->name[length - n - 1] == '.' &&
	       strcmp(host->name + length - n, rule->name) == 0;
}

static struct host_decision walk(const struct host_rule *list, size_t n, const struct host *host,
				 uint16_t port)
{
	const struct host_rule *near = NULL;
	size_t width = 0;

	for (size_t i = 0; i < n; i++) {
		const struct host_rule *rule = &list[i];
		size_t narrow = strlen(rule->name) + !rule->is_wildcard;

		if (!names_it(rule, host))
			continue;
		if (rule->port == port || (!rule->port && (port == 80 || port == 443)))
			return (struct host_decision){ HOST_ALLOWED, rule->line };
		if (narrow > width) {
			near = rule;
			width = narrow;
		}
	}
	if (near)
		return (struct host_decision){ HOST_PORT_NOT_LISTED, near->line };
	return (struct host_decision){ host->address.family == ADDR_NONE ? HOST_NOT_LISTED :
									   HOST_ADDRESS_NOT_LISTED,
				       0 };
}

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % below;
}

/* Few letters, so that much is equal, a suffix or nearly so; now and then a deep one. */
static void draw_name(char *ret_name)
{
	static const char *const labels[] = { "a", "b", "ab", "ba", "a-b", "_a" };
	uint32_t n = draw(40) ? 1 + draw(4) : 60 + draw(20);

	if (draw(12) == 0) {
		sprintf(ret_name, draw(2) ? "192.0.2.%u" : "2001:db8::%u", 1 + draw(3));
		return;
	}
	*ret_name = '\0';
	while (n--) {
		strcat(ret_name, labels[draw(ARRAY_SIZE(labels))]);
		strcat(ret_name, n ? "." : "");
	}
	if (strlen(ret_name) > HOST_NAME_MAX_LENGTH)
		ret_name[200] = '\0';
	while (ret_name[strlen(ret_name) - 1] == '-' || ret_name[strlen(ret_name) - 1] == '.')
		ret_name[strlen(ret_name) - 1] = '\0';
}

static void test_random(void **state)
{
	static const uint16_t ports[] = { 0, 80, 443, 25, 8443 };
	enum { LISTS = 300, RULES_MAX = 200, HOSTS = 300 };
	static char names[RULES_MAX][512];
	static struct host_rule list[RULES_MAX];
	size_t seen[HOST_VERDICT_COUNT] = { 0 };

	for (size_t i = 0; i < LISTS; i++) {
		AUTO(host_list) struct host_list *table = NULL;
		size_t n;

		seed = (uint32_t)i * 7919 + 1;
		n = draw(draw(2) ? 8 : RULES_MAX);
		for (size_t j = 0; j < n; j++) {
			draw_name(names[j]);
			list[j] = (struct host_rule){
				.name = names[j],
				.is_wildcard = draw(3) == 0 && names[j][1] != '9' &&
					       !strchr(names[j], ':'),
				.port = ports[draw(ARRAY_SIZE(ports))],
				.line = (uint32_t)j + 1,
			};
		}
		assert_int_equal(host_list_new(list, n, &table), 0);
		for (size_t j = 0; j < HOSTS; j++) {
			uint16_t port = ports[1 + draw(ARRAY_SIZE(ports) - 1)];
			struct host_decision table_says, walk_says;
			struct host host;
			char name[512];

			draw_name(name);
			host = host_of(name);
			table_says = host_list_decide(table, &host, port);
			walk_says = walk(list, n, &host, port);
			seen[walk_says.verdict]++;
			if (table_says.verdict != walk_says.verdict ||
			    table_says.line != walk_says.line)
				fail_msg("seed %zu, %s:%u: %s by %u, not %s by %u", i, host.name,
					 port, host_verdict_name(table_says.verdict),
					 table_says.line, host_verdict_name(walk_says.verdict),
					 walk_says.line);
		}
	}
	for (size_t i = 0; i < HOST_ADDRESS_SPECIAL; i++)
		assert_true(seen[i] > 100);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_depths),
		cmocka_unit_test(test_admission), cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing),	  cmocka_unit_test(test_entries),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
