/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-parse.c - what a policy's text becomes. (What is wrong with a text: tests/golden.) */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/random_policies.h"
#include "policy/config.h"
#include "policy/parse.h"

struct parsed {
	struct arena *arena;
	struct diags diags;
	struct policy policy;
	int r;
};

static struct parsed parse_named(const char *file, const char *text)
{
	struct parsed p = { .arena = arena_new() };
	struct source source = { file, file, arena_strdup(p.arena, text), strlen(text) };

	diags_init(&p.diags);
	p.r = policy_parse(&source, p.arena, &p.policy, &p.diags);
	assert_int_equal(p.r<0, p.diags.n_errors> 0);
	return p;
}

static struct parsed parse(const char *text)
{
	return parse_named("blog.json", text);
}

static void done(struct parsed *p)
{
	diags_done(&p->diags);
	arena_free(p->arena);
}

static void test_defaults(void **state)
{
	struct parsed p = parse("{ \"user\": \"blog\" }");

	assert_int_equal(p.r, 0);
	assert_string_equal(p.policy.service, "blog");
	assert_string_equal(p.policy.file, "blog.json");
	assert_int_equal(p.policy.mode, MODE_ENFORCE);
	assert_true(p.policy.dns);
	assert_true(p.policy.proxy);
	assert_false(p.policy.transparent);
	assert_int_equal(p.policy.n_hosts + p.policy.n_connect + p.policy.n_listen, 0);
	assert_null(p.policy.unit);
	assert_null(p.policy.socket_path);
	assert_int_equal(p.policy.dns_place.line, 0);
	assert_int_equal(p.policy.n_claims, 1);
	assert_string_equal(p.policy.claims[0].name, "blog");
	assert_int_equal(policy_keys_without_effect(&p.policy, NULL, 0), 0);
	done(&p);
	(void)state;
}

static void test_everything(void **state)
{
	struct parsed p = parse("{ \"service\": \"x\", \"users\": [\"a\", 5], \"group\": \"g\", "
				"\"uids\": [\"7-9\", 11],\n"
				"\"unit\": \"a.service\", \"mode\": \"monitor\", \"dns\": false, "
				"\"proxy\": false,\n"
				"\"transparent\": true, \"hosts\": [\"A.Example.\", "
				"\"*.b.example:25\", \"[2001:DB8::1]:7\"],\n"
				"\"socket\": { \"path\": \"/run/x\", \"peer\": \"www\" },\n"
				"\"connect\": [{ \"to\": \"192.0.2.0/24\", \"port\": [90, "
				"\"80-89\", \"7\"], \"protocol\": \"udp\",\n"
				"  \"interface\": \"eth0\", \"until\": \"2026-12-31\" }],\n"
				"\"listen\": [{ \"port\": 3000, \"from\": [\"c\", 6] }] }");
	const struct endpoint *e = &p.policy.connect[0];
	const struct listener *l = &p.policy.listen[0];
	const char *names[8];

	assert_int_equal(p.r, 0);
	assert_string_equal(p.policy.service, "x");
	assert_int_equal(p.policy.n_claims, 5);
	assert_int_equal(p.policy.claims[1].range.first, 5);
	assert_int_equal(p.policy.claims[2].kind, CLAIM_GROUP);
	assert_int_equal(p.policy.claims[3].range.last, 9);
	assert_int_equal(p.policy.mode, MODE_MONITOR);
	assert_false(p.policy.dns);
	assert_int_equal(p.policy.dns_place.line, 2);
	assert_int_equal(p.policy.n_hosts, 3);
	assert_string_equal(p.policy.hosts[0].name, "a.example");
	assert_int_equal(p.policy.hosts[0].port, 0);
	assert_true(p.policy.hosts[1].is_wildcard);
	assert_string_equal(p.policy.hosts[1].name, "b.example");
	assert_int_equal(p.policy.hosts[1].port, 25);
	assert_string_equal(p.policy.hosts[2].name, "2001:db8::1");
	assert_string_equal(p.policy.socket_path, "/run/x");
	assert_string_equal(p.policy.socket_peer, "www");
	assert_int_equal(e->n_ports, 2);
	assert_int_equal(e->ports[0].first, 7);
	assert_int_equal(e->ports[1].first, 80);
	assert_int_equal(e->ports[1].last, 90);
	assert_int_equal(e->protocol, PROTOCOL_UDP);
	assert_string_equal(e->interface, "eth0");
	assert_int_equal(e->until, 1798761600); /* 2027-01-01 00:00 UTC */
	assert_int_equal(e->place.line, 5);
	assert_true(l->has_from);
	assert_int_equal(l->n_from, 2);
	assert_int_equal(l->from[1].uid, 6);
	assert_null(l->from[1].name);
	assert_int_equal(policy_keys_without_effect(&p.policy, names, ARRAY_SIZE(names)), 1);
	done(&p);
	(void)state;
}

static void test_service_name(void **state)
{
	static const struct {
		const char *file, *text, *service; /* NULL: none */
	} cases[] = {
		{ "blog.json", "{ \"user\": 5 }", "blog" },
		{ "blog", "{ \"user\": 5 }", "blog" },
		{ "a.b.json", "{ \"user\": 5 }", NULL },
		{ "a.b.json", "{ \"user\": 5, \"service\": \"ab\" }", "ab" },
		{ "Blog.json", "{ \"user\": 5 }", NULL },
		{ "blog.json", "{ \"service\": 5", "blog" },
		{ ".json", "{ \"user\": 5 }", NULL },
		{ "a\nb.json", "{ \"user\": 5 }", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse_named(cases[i].file, cases[i].text);

		if (!cases[i].service)
			assert_null(p.policy.service);
		else
			assert_string_equal(p.policy.service, cases[i].service);
		assert_string_equal(p.policy.text, cases[i].text);
		done(&p);
	}
	(void)state;
}

static void test_dates(void **state)
{
	static const struct {
		const char *day;
		int64_t end; /* 0: wrong */
	} cases[] = {
		{ "1970-01-01", 86400 },      { "2000-02-29", 951868800 },
		{ "2024-02-29", 1709251200 }, { "2096-02-29", 3981398400 },
		{ "2199-12-31", 7258118400 }, { "2100-02-28", 4107542400 },
		{ "2100-02-29", 0 },	      { "2023-02-29", 0 },
		{ "2024-02-30", 0 },	      { "2024-04-31", 0 },
		{ "2024-13-01", 0 },	      { "2024-00-01", 0 },
		{ "2024-01-00", 0 },	      { "2024-01-32", 0 },
		{ "1969-12-31", 0 },	      { "2200-01-01", 0 },
		{ "0000-01-01", 0 },	      { "24-01-01", 0 },
		{ "2024/01/01", 0 },	      { "2024-01-01 ", 0 },
		{ "+024-01-01", 0 },	      { "2024-1-001", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *text = NULL;
		struct parsed p;

		assert_true(asprintf(&text,
				     "{ \"user\": 5, \"connect\": [{ \"to\": \"192.0.2.1\", "
				     "\"port\": 1, \"until\": \"%s\" }] }",
				     cases[i].day) > 0);
		p = parse(text);
		if ((p.r == 0) != (cases[i].end != 0))
			fail_msg("%s: %d", cases[i].day, p.r);
		if (p.r == 0)
			assert_int_equal(p.policy.connect[0].until, cases[i].end);
		done(&p);
	}
	(void)state;
}

/* All mistakes in one run, and what is right is kept all the same. */
static void test_mistakes(void **state)
{
	struct parsed p =
		parse("{ \"users\": [\"a\", 0, 5], \"dns\": 1, \"dns\": 2, \"prxy\": 1,\n"
		      "\"connect\": [{ \"to\": \"x\" }, { \"to\": \"192.0.2.1\", \"port\": 1 }],\n"
		      "\"listen\": 5 }");

	assert_int_equal(p.r, -EINVAL);
	assert_int_equal(p.diags.n_errors, 7);
	assert_int_equal(p.policy.n_claims, 2);
	assert_int_equal(p.policy.n_connect, 1);
	done(&p);
	(void)state;
}

static void test_random_are_good(void **state)
{
	for (unsigned i = 0; i < 2000; i++) {
		AUTO(mem) char *text = NULL;
		size_t length;
		FILE *f = open_memstream(&text, &length);
		struct parsed p;

		random_policy_print(4242, i, f);
		assert_int_equal(fclose(f), 0);
		p = parse(text);
		if (p.r < 0)
			fail_msg("%s\n%s", p.diags.list[0].message, text);
		done(&p);
	}
	(void)state;
}

/* --- the configuration ------------------------------------------------------------------------ */

static void test_config(void **state)
{
	static const char text[] =
		"{ \"resolvers\": [\"192.0.2.53\", \"fe80::1%eth0\"],\n"
		"\"proxy\": { \"external\": [\"[::1]:8888\"] },\n"
		"\"subuids\": false, \"log\": { \"group\": 5 }, \"admins\": [\"a\", 0] }";
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(diags) struct diags diags;
	struct config config;

	diags_init(&diags);
	assert_int_equal(config_from_text("c.json", text, sizeof(text) - 1, "/dev/null", arena,
					  &config, &diags),
			 0);
	assert_int_equal(config.n_resolvers, 2);
	assert_string_equal(config.resolvers[1].interface, "eth0");
	assert_true(config.proxy_is_external);
	assert_int_equal(config.n_proxies, 1);
	assert_int_equal(config.proxies[0].port, 8888);
	assert_false(config.subuids);
	assert_int_equal(config.log_group, 5);
	assert_int_equal(config.n_admins, 2);

	assert_int_equal(config_from_text("c.json", NULL, 0, "/dev/null", arena, &config, &diags),
			 0);
	assert_int_equal(config.n_resolvers, 0);
	assert_false(config.proxy_is_external);
	assert_int_equal(config.n_proxies, 2);
	assert_int_equal(config.proxies[1].port, 3128);
	assert_true(config.subuids);
	assert_int_equal(diags.n, 0);
	(void)state;
}

static void test_upstream(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{ "http://proxy.example.net:8080", "proxy.example.net", 8080 },
		{ "http://proxy:1/", "proxy", 1 },
		{ "http://192.0.2.1:3128", "192.0.2.1", 3128 },
		{ "http://[2001:DB8::1]:65535", "2001:db8::1", 65535 },
		{ "https://proxy.example.net:8080", NULL, 0 },
		{ "proxy.example.net:8080", NULL, 0 },
		{ "http://proxy.example.net", NULL, 0 },
		{ "http://proxy.example.net:0", NULL, 0 },
		{ "http://proxy.example.net:65536", NULL, 0 },
		{ "http://proxy.example.net:1-2", NULL, 0 },
		{ "http://proxy.example.net:8080/path", NULL, 0 },
		{ "http://me:secret@proxy.example.net:8080", NULL, 0 },
		{ "http://:8080", NULL, 0 },
		{ "http://a..b:8080", NULL, 0 },
		{ "http://-a.b:8080", NULL, 0 },
		{ "http://192.0.2.300:8080", NULL, 0 },
		{ "http://0.0.0.0:8080", NULL, 0 },
		{ "http://[::]:8080", NULL, 0 },
		{ "http://[::ffff:192.0.2.1]:8080", NULL, 0 },
		{ "http://2001:db8::1:8080", NULL, 0 },
		{ "http://b\\u00fccher.example:8080", NULL, 0 },
		{ "http://a b:8080", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		AUTO(diags) struct diags diags;
		struct config config;
		char text[256];
		int n, r;

		n = snprintf(text, sizeof(text),
			     "{ \"proxy\": { \"upstream\": \"%s\", \"idle_s\": 5 } }",
			     rows[i].text);
		diags_init(&diags);
		r = config_from_text("c.json", text, (size_t)n, "/dev/null", arena, &config,
				     &diags);
		assert_int_equal(r, rows[i].host ? 0 : -EINVAL);
		if (r < 0)
			continue;
		assert_string_equal(config.proxy.upstream, rows[i].host);
		assert_int_equal(config.proxy.upstream_port, rows[i].port);
		assert_int_equal(config.proxy.idle_s, 5);
		assert_int_equal(config.n_proxies, 2);
	}
	(void)state;
}

static void test_resolv_conf(void **state)
{
	static const char lines[] = "# c\nnameserver 192.0.2.1\n\tnameserver 192.0.2.2\n"
				    "nameserver\t 2001:db8::1 trailing\nnameserver fe80::1%wg0\n"
				    "nameserverx 192.0.2.3\nnameserver ::ffff:1.2.3.4\nnameserver";
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(diags) struct diags diags;
	char path[] = "/tmp/test-parse.XXXXXX";
	int fd = mkstemp(path);
	struct config config;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	close(fd);
	diags_init(&diags);
	assert_int_equal(config_from_text("c.json", NULL, 0, path, arena, &config, &diags), 0);
	unlink(path);
	assert_int_equal(config.n_resolvers, 3);
	assert_int_equal(config.resolvers[0].place.line, 2);
	assert_string_equal(config.resolvers[2].interface, "wg0");
	assert_int_equal(diags.n_warnings, 2);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_everything),
		cmocka_unit_test(test_service_name), cmocka_unit_test(test_dates),
		cmocka_unit_test(test_mistakes),     cmocka_unit_test(test_random_are_good),
		cmocka_unit_test(test_config),	     cmocka_unit_test(test_upstream),
		cmocka_unit_test(test_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
