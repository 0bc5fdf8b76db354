/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-eval-plan.c - what policies of all kinds let which packets do, and which line says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/scene.h"
#include "lib/verdicts.h"

static const char app_json[] =
	"{ \"user\": 1001, \"connect\": [\n"
	"    { \"to\": \"198.51.100.7\", \"port\": 443, \"until\": \"2029-12-31\" },\n"
	"    { \"to\": \"198.51.100.0/25\", \"port\": \"8000-8010\" },\n"
	"    { \"to\": \"2001:db8:1::/64\", \"port\": [25, 587] },\n"
	"    { \"to\": \"198.51.100.9\", \"port\": 5353, \"protocol\": \"udp\", \"interface\": "
	"\"wg0\" },\n"
	"    { \"to\": \"203.0.113.1\", \"protocol\": \"icmp\" },\n"
	"    { \"to\": \"2001:db8::1\", \"protocol\": \"icmp\" }],\n"
	"  \"listen\": [\n"
	"    { \"port\": 3000, \"from\": [1002] },\n"
	"    { \"port\": \"3001-3003\" },\n"
	"    { \"port\": 5000, \"protocol\": \"udp\" },\n"
	"    { \"port\": 5001, \"protocol\": \"udp\", \"from\": [1002] }] }\n";

static const char web_json[] = "{ \"user\": 1002, \"dns\": false,\n"
			       "  \"proxy\": false,\n"
			       "  \"connect\": [{ \"to\": \"127.0.0.0/8\", \"port\": 3000 }] }\n";

static const char watch_json[] = "{ \"user\": 1003, \"mode\": \"monitor\",\n"
				 "  \"connect\": [{ \"to\": \"192.0.2.1\", \"port\": 80 }],\n"
				 "  \"listen\": [{ \"port\": 3500, \"from\": [1002] }] }\n";

/* Long lists, which become sets: addresses with ports, to the end of 2029, by one interface, to
 * prefixes with some ports and with others.
 */
static void write_many(struct scene *scene)
{
	AUTO(mem) char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	assert_non_null(f);
	fputs("{ \"user\": 1006, \"connect\": [\n", f);
	for (unsigned i = 1; i <= 10; i++)
		fprintf(f, "  { \"to\": \"203.0.113.%u\", \"port\": %u },\n", i, 100 + i);
	for (unsigned i = 1; i <= 10; i++)
		fprintf(f, "  { \"to\": \"10.%u.0.0/16\", \"port\": \"20-21\" },\n", 2 * i);
	for (unsigned i = 1; i <= 10; i++)
		fprintf(f, "  { \"to\": \"10.%u.0.0/16\", \"port\": 30 },\n", 100 + i);
	fputs("  { \"to\": \"10.2.255.255\", \"port\": \"20-21\" },\n" /* the last of one above */
	      "  { \"to\": \"192.0.2.7\", \"port\": [1,3,5,7,9,11,13,15,17], \"protocol\": "
	      "\"udp\" },\n"
	      "  { \"to\": \"203.0.113.77\", \"port\": 77, \"until\": \"2029-12-31\" },\n"
	      "  { \"to\": \"203.0.113.78\", \"port\": 78, \"interface\": \"wg0\" },\n"
	      "  { \"to\": \"localhost\", \"port\": 5432 }],\n"
	      "  \"listen\": [{ \"port\": 3600, \"from\": [1,2,3,4,5,6,7,8,1002] }] }\n",
	      f);
	assert_int_equal(fclose(f), 0);
	scene_write(scene, "many.json", text);
}

static struct scene *make_scene(void)
{
	struct scene *scene = scene_new();
	static const struct uid_owner subuids[] = {
		{ { 100000, 165535 }, 0, { "/etc/subuid", 1, 1 }, true },
		{ { 200000, 200009 }, NO_SERVICE, { "/etc/subuid", 2, 1 }, true },
	};

	scene_write_config(scene, "{ \"resolvers\": [\"192.0.2.53\", \"127.0.0.53\", "
				  "\"2001:db8::53\"], \"subuids\": false }");
	scene_write(scene, "app.json", app_json); /* the first: owner 0 above */
	scene_write(scene, "web.json", web_json);
	scene_write(scene, "watch.json", watch_json);
	scene_write(scene, "broken.json", "{ \"user\": 1004 }");
	scene_write(scene, "off.json",
		    "{ \"user\": 1005, \"listen\": [{ \"port\": 3900, \"from\": [] }] }");
	scene_write(scene, "v4.json",
		    "{ \"user\": 1007, \"connect\": [{ \"to\": \"0.0.0.0/0\", \"port\": 25 },\n"
		    "  { \"to\": \"127.0.0.1\", \"port\": 25000 }] }");
	scene_write(scene, "wide.json",
		    "{ \"user\": 1008, \"listen\": [{ \"port\": \"20000-29999\", \"from\": [1002] "
		    "}] }");
	scene_write(scene, "range.json", "{ \"uids\": \"60000-60999\", \"dns\": false }");
	scene_write(scene, "led.json",
		    "{ \"uids\": \"70000-70009\", \"hosts\": [\"a.example:25\"],\n"
		    "  \"connect\": [{ \"to\": \"198.51.100.0/24\", \"port\": \"20-100\" }],\n"
		    "  \"transparent\": true }");
	scene_write(scene, "beside.json", "{ \"user\": 70005 }");
	scene_write(scene, "named.json", "{ \"user\": 60500 }");
	write_many(scene);
	scene_begin(scene);
	policy_set_find(&scene->set, "broken")->state = POLICY_REFUSED;
	policy_set_find(&scene->set, "off")->state = POLICY_OFF;
	for (size_t i = 0; i < ARRAY_SIZE(subuids); i++)
		*ARENA_APPEND(scene->arena, scene->set.ranges, scene->set.n_ranges) = subuids[i];
	return scene;
}

static void judge_all(const struct verdict_case *cases, size_t n)
{
	AUTO(scene) struct scene *scene = make_scene();

	assert_int_equal(verdicts_wrong(&scene->set, cases, n), 0);
}

static void test_connect(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app tcp 198.51.100.0:8000", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.127:8010", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.128:8000", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 198.51.99.255:8000", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 198.51.100.1:7999", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 198.51.100.1:8011", EVAL_RESET, NO_LINE("app") },
		{ "v4 tcp 192.0.2.9:25", EVAL_ACCEPT, "v4.json:1 connect" },
		{ "v4 tcp 127.0.0.1:25 by eth0", EVAL_ACCEPT, "v4.json:1 connect" },
		{ "v4 tcp [2001:db8::9]:25", EVAL_RESET, NO_LINE("v4") },
		{ "app tcp 198.51.100.1:40000 from 8000", EVAL_RESET, NO_LINE("app") },
		{ "app udp 198.51.100.1:8000", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udplite 198.51.100.1:8000", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app tcp 198.51.100.1:8000 ack", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.1:8011 fin", EVAL_RESET, NO_LINE("app") },
		{ "app tcp [2001:db8:1::]:25", EVAL_ACCEPT, "app.json:4 connect" },
		{ "app tcp [2001:db8:1::ffff:ffff:ffff:ffff]:587", EVAL_ACCEPT,
		  "app.json:4 connect" },
		{ "app tcp [2001:db8:1:1::]:25", EVAL_RESET, NO_LINE("app") },
		{ "app tcp [2001:db8::ffff]:25", EVAL_RESET, NO_LINE("app") },
		{ "app tcp [2001:db8:1::]:26", EVAL_RESET, NO_LINE("app") },
		{ "app udp 198.51.100.9:5353 by wg0", EVAL_ACCEPT, "app.json:5 connect" },
		{ "app udp 198.51.100.9:5353 by wg01", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 198.51.100.9:5353", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmp 203.0.113.1", EVAL_ACCEPT, "app.json:6 connect" },
		{ "app icmp 203.0.113.1 type 0", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmp 203.0.113.1 type 13", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmp 203.0.113.2", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmpv6 203.0.113.1 type 128", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmpv6 2001:db8::1", EVAL_ACCEPT, "app.json:7 connect" },
		{ "app icmpv6 2001:db8::1 type 129", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app icmp 2001:db8::1 type 8", EVAL_PROHIBITED, NO_LINE("app") },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

static void test_until(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app tcp 198.51.100.7:443", EVAL_ACCEPT, "app.json:2 connect" },
		{ "app tcp 198.51.100.7:443 just-before-2030", EVAL_ACCEPT, "app.json:2 connect" },
		{ "app tcp 198.51.100.7:443 in-2030", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 198.51.100.7:443 ack in-2030", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 198.51.100.7:8000 in-2030", EVAL_ACCEPT, "app.json:3 connect" },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

static void test_dns_and_proxy(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app udp 192.0.2.53:53", EVAL_ACCEPT, "app.json dns" },
		{ "app tcp 192.0.2.53:53", EVAL_ACCEPT, "app.json dns" },
		{ "app udp [2001:db8::53]:53", EVAL_ACCEPT, "app.json dns" },
		{ "app udp 127.0.0.53:53", EVAL_ACCEPT, "app.json dns" },
		{ "app udp 127.0.0.53:53 by eth0", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udplite 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.53:54", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.53:5300 from 53", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.52:53", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp [2001:db8::54]:53", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 127.0.0.1:53", EVAL_PROHIBITED, NO_LINE("app") },
		{ "web udp 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("web") },
		{ "app tcp 127.0.0.1:3128", EVAL_ACCEPT, "app.json proxy" },
		{ "app tcp [::1]:3128", EVAL_ACCEPT, "app.json proxy" },
		{ "app tcp 127.0.0.1:3128 by eth0", EVAL_RESET, NO_LINE("app") },
		{ "app tcp [::1]:3128 by eth0", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 127.0.0.2:3128", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 192.0.2.2:3128 by lo", EVAL_RESET, NO_LINE("app") },
		{ "app udp 127.0.0.1:3128", EVAL_PROHIBITED, NO_LINE("app") },
		{ "web tcp 127.0.0.1:3128", EVAL_RESET, NO_LINE("web") },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

/* Answers from a declared port, and the service's own connections to it. */
static void test_listen(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app tcp 192.0.2.9:4444 from 3000 synack", EVAL_ACCEPT, "app.json:9 listen" },
		{ "app tcp 192.0.2.9:4444 from 3000 ack", EVAL_ACCEPT, "app.json:9 listen" },
		{ "app tcp 192.0.2.9:4444 from 3000 rst", EVAL_ACCEPT, "app.json:9 listen" },
		{ "app tcp 192.0.2.9:4444 from 3000", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 192.0.2.9:4444 from 3000 ecn", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 192.0.2.9:4444 from 3001 ack", EVAL_ACCEPT, "app.json:10 listen" },
		{ "app tcp 192.0.2.9:4444 from 3003 ack", EVAL_ACCEPT, "app.json:10 listen" },
		{ "app tcp 192.0.2.9:4444 from 3004 ack", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 192.0.2.9:4444 from 5000 ack", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 192.0.2.9:3000", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 127.0.0.1:3000", EVAL_ACCEPT, "app.json:9 listen" },
		{ "app tcp 127.0.0.9:3002", EVAL_ACCEPT, "app.json:10 listen" },
		{ "app tcp [::1]:3002", EVAL_ACCEPT, "app.json:10 listen" },
		{ "app tcp 192.0.2.2:3002 by lo", EVAL_ACCEPT, "app.json:10 listen" },
		{ "app tcp 127.0.0.1:3002 by eth0", EVAL_RESET, NO_LINE("app") },
		{ "app tcp 127.0.0.1:3004", EVAL_RESET, NO_LINE("app") },
		{ "app udp 127.0.0.1:3002", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.9:4444 from 5000 reply", EVAL_ACCEPT, "app.json:11 listen" },
		{ "app udp 192.0.2.9:4444 from 5000 original", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.9:4444 from 5000", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 192.0.2.9:4444 from 3000 reply", EVAL_PROHIBITED, NO_LINE("app") },
		{ "app udp 127.0.0.1:5000 original", EVAL_ACCEPT, "app.json:11 listen" },
		{ "app tcp 127.0.0.1:5000", EVAL_RESET, NO_LINE("app") },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

#define MPTCP(name)                                                                                \
	name ".json MPTCP is refused: older than the policy, or its peer's wish alone", name

/* Sockets of others on a declared port, and subflows that the kernel makes. */
static void test_strange_sockets(void **state)
{
	static const struct verdict_case cases[] = {
		{ "root tcp 192.0.2.9:80 from 3000", EVAL_RESET, NO_LINE("app") },
		{ "other tcp 192.0.2.9:80 from 3003", EVAL_RESET, NO_LINE("app") },
		{ "nobody tcp 192.0.2.9:80 from 3000", EVAL_RESET, NO_LINE("app") },
		{ "root tcp 198.51.100.1:8000 from 3000", EVAL_ACCEPT, "app.json:3 connect" },
		{ "root tcp 192.0.2.9:80 from 3000 synack", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 from 3000 ack", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 from 3004", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 from 5000", EVAL_ACCEPT, NULL },
		{ "root udp 192.0.2.9:80 from 3000 original", EVAL_ACCEPT, NULL },
		{ "root udp 192.0.2.9:80 from 5000 original", EVAL_PROHIBITED, NO_LINE("app") },
		{ "root udp 192.0.2.9:80 from 5000 reply", EVAL_ACCEPT, NULL },
		{ "root udp 192.0.2.9:80 from 5000", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80 mptcp", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80 mptcp ack", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80 mptcp synack", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 mptcp", EVAL_ACCEPT, NULL },
		{ "other tcp 192.0.2.9:80 mptcp", EVAL_ACCEPT, NULL },
		{ "app tcp 198.51.100.1:8000 mptcp", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.1:8000 mptcp ack", EVAL_RESET, MPTCP("app") },
		{ "app tcp 198.51.100.1:8000 mptcp synack", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.1:8000 ack", EVAL_ACCEPT, "app.json:3 connect" },
		{ "root tcp 198.51.100.1:8000 mptcp ack", EVAL_ACCEPT, NULL },
		{ "nobody icmp 192.0.2.9 type 3", EVAL_ACCEPT, NULL },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

/* As on a kernel that cannot strip options. */
static void test_kept_options(void **state)
{
	static const struct verdict_case cases[] = {
		{ "nobody tcp 192.0.2.9:80 mptcp", EVAL_DROP, NULL },
		{ "nobody tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80 mptcp ack", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.9:80 mptcp synack", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 mptcp", EVAL_ACCEPT, NULL },
		{ "other tcp 192.0.2.9:80 mptcp", EVAL_ACCEPT, NULL },
		{ "app tcp 198.51.100.1:8000 mptcp", EVAL_ACCEPT, "app.json:3 connect" },
		{ "app tcp 198.51.100.1:8000 mptcp ack", EVAL_ACCEPT, "app.json:3 connect" },
	};
	AUTO(scene) struct scene *scene = make_scene();

	(void)state;
	scene->set.keeps_options = true;
	assert_int_equal(verdicts_wrong(&scene->set, cases, ARRAY_SIZE(cases)), 0);
}

static void test_units(void **state)
{
	static const struct verdict_case cases[] = {
		{ "nobody tcp 192.0.2.9:80 in 10/11", EVAL_RESET, NO_LINE("web") },
		{ "root tcp 192.0.2.9:80 in 10/11", EVAL_RESET, NO_LINE("web") },
		{ "root tcp 192.0.2.9:80 in 10/11/77/78", EVAL_RESET, NO_LINE("web") },
		{ "root udp 192.0.2.9:80 in 10/11", EVAL_PROHIBITED, NO_LINE("web") },
		{ "root tcp 192.0.2.9:80 in 10", EVAL_ACCEPT, NULL },
		{ "root tcp 192.0.2.9:80 in 10/12", EVAL_ACCEPT, NULL },
		/* units within the other's */
		{ "root tcp 192.0.2.9:80 in 20", EVAL_RESET, NO_LINE("v4") },
		{ "root tcp 192.0.2.9:80 in 20/21/22", EVAL_RESET, NO_LINE("wide") },
		{ "root tcp 192.0.2.9:25 in 20", EVAL_ACCEPT, "v4.json:1 connect" },
		{ "root tcp 192.0.2.9:25 in 20/21/22", EVAL_RESET, NO_LINE("wide") },
		/* a user by name has the first word, a range the last */
		{ "app tcp 198.51.100.1:8000 in 10/11", EVAL_ACCEPT, "app.json:3 connect" },
		{ "60001 tcp 192.0.2.9:25 in 20", EVAL_ACCEPT, "v4.json:1 connect" },
		{ "60001 tcp 192.0.2.9:25 in 77", EVAL_RESET, NO_LINE("range") },
		/* two services' */
		{ "root tcp 192.0.2.9:80 in 10/30", EVAL_RESET, NULL },
		/* whose service is off */
		{ "root tcp 192.0.2.9:80 in 10/31", EVAL_ACCEPT, NULL },
	};
	static struct unit_group groups[] = {
		{ 11, 2, 0, "app.slice/web.service", "app.slice/web.service" },
		{ 20, 1, 0, "v4.slice", "v4.slice" },
		{ 22, 3, 0, "v4.slice/x/wide.service", "v4.slice/x/wide.service" },
		{ 30, 2, NO_SERVICE, "app.slice/shared.service", "app.slice/shared.service" },
		{ 31, 2, 0, "app.slice/off.service", "app.slice/off.service" },
	};
	static const char *const services[] = { "web", "v4", "wide", NULL, "off" };
	AUTO(scene) struct scene *scene = make_scene();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		struct service *service;

		if (!services[i])
			continue;
		service = policy_set_find(&scene->set, services[i]);
		service->policy->unit = groups[i].path;
		groups[i].service = (uint32_t)(service - scene->set.services);
	}
	scene->set.groups = groups;
	scene->set.n_groups = ARRAY_SIZE(groups);
	assert_int_equal(verdicts_wrong(&scene->set, cases, ARRAY_SIZE(cases)), 0);
}

/* Two services declare a port, and one has a guard: it keeps the other off, too, though that one's
 * name is the start of its own.
 */
static void test_shared_port(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app tcp 127.0.0.9:99", EVAL_RESET, "apps.json:1 listen: from does not name them",
		  "apps" },
		{ "app tcp 127.0.0.9:98", EVAL_ACCEPT, "app.json:1 listen" },
		{ "caddy tcp 127.0.0.9:99", EVAL_ACCEPT, NULL },
	};
	AUTO(scene) struct scene *scene = scene_new();

	(void)state;
	scene_write_config(scene, "{ \"resolvers\": [], \"subuids\": false }");
	scene_write(scene, "app.json", "{ \"user\": 1001, \"listen\": [{ \"port\": [98, 99] }] }");
	scene_write(scene, "apps.json",
		    "{ \"user\": 1002, \"listen\": [{ \"port\": 99, \"from\": [990] }] }");
	scene_begin(scene);
	assert_int_equal(verdicts_wrong(&scene->set, cases, ARRAY_SIZE(cases)), 0);
}

#define NOT_NAMED(line) EVAL_RESET, "app.json:" #line " listen: from does not name them", "app"

#define NOT_OF_WIDE "wide.json:1 listen: from does not name them", "wide"

static void test_from(void **state)
{
	static const struct verdict_case cases[] = {
		{ "other tcp 127.0.0.1:3000", NOT_NAMED(9) },
		{ "other tcp 127.0.0.1:3000 ack", NOT_NAMED(9) },
		{ "other tcp [::1]:3000", NOT_NAMED(9) },
		{ "other tcp 127.0.0.3:3000", NOT_NAMED(9) },
		{ "other tcp 192.0.2.2:3000 by lo", NOT_NAMED(9) },
		{ "other tcp 192.0.2.9:3000", EVAL_ACCEPT, NULL },
		{ "other tcp 127.0.0.1:3001", EVAL_ACCEPT, NULL },
		{ "other tcp 127.0.0.1:2999", EVAL_ACCEPT, NULL },
		{ "other udp 127.0.0.1:3000", EVAL_ACCEPT, NULL },
		{ "root tcp 127.0.0.1:3000", EVAL_ACCEPT, NULL },
		{ "nobody tcp 127.0.0.1:3000", NOT_NAMED(9) },
		{ "nobody tcp 127.0.0.1:3000 ack", EVAL_ACCEPT, NULL },
		{ "nobody tcp 127.0.0.1:3000 fin", EVAL_ACCEPT, NULL },
		{ "web tcp 127.0.0.1:3000", EVAL_ACCEPT, "web.json:3 connect" },
		{ "web tcp [::1]:3000", EVAL_RESET, NO_LINE("web") },
		{ "watch tcp 127.0.0.1:3000", NOT_NAMED(9) },
		{ "other udp 127.0.0.1:5001", EVAL_PROHIBITED,
		  "app.json:12 listen: from does not name them", "app" },
		{ "nobody udp 127.0.0.1:5001", EVAL_PROHIBITED,
		  "app.json:12 listen: from does not name them", "app" },
		{ "other tcp 127.0.0.1:5001", EVAL_ACCEPT, NULL },
		{ "other udp 127.0.0.1:5000", EVAL_ACCEPT, NULL },
		{ "root udp 127.0.0.1:5001", EVAL_ACCEPT, NULL },
		{ "other tcp 127.0.0.1:3500", EVAL_ACCEPT, NULL, "watch" },
		{ "other tcp 127.0.0.1:3600", EVAL_RESET,
		  "many.json:37 listen: from does not name them", "many" },
		{ "8 tcp 127.0.0.1:3600", EVAL_ACCEPT, NULL },
		{ "9 tcp 127.0.0.1:3600", EVAL_RESET,
		  "many.json:37 listen: from does not name them", "many" },
		{ "web tcp 127.0.0.1:3600", EVAL_RESET, NO_LINE("web") },
		{ "web tcp 127.0.0.1:3500", EVAL_RESET, NO_LINE("web") },
		{ "other tcp 127.0.0.1:3900", EVAL_ACCEPT, NULL }, /* it is off */
		{ "other tcp 127.0.0.1:20000", EVAL_RESET, NOT_OF_WIDE },
		{ "v4 tcp 127.0.0.1:25000", EVAL_RESET, NOT_OF_WIDE },
		{ "other tcp 127.0.0.1:29999", EVAL_RESET, NOT_OF_WIDE },
		{ "other tcp 127.0.0.1:30000", EVAL_ACCEPT, NULL },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

/* What would take a packet elsewhere than its addresses say, or its answer. */
static void test_sanity(void **state)
{
	static const struct verdict_case cases[] = {
		{ "app tcp 198.51.100.1:8000 options", EVAL_RESET,
		  "app.json IP options are refused", "app" },
		{ "app udp 192.0.2.53:53 options", EVAL_PROHIBITED,
		  "app.json IP options are refused", "app" },
		{ "app tcp [2001:db8:1::1]:25 routing", EVAL_RESET,
		  "app.json a routing header is refused", "app" },
		{ "app tcp [2001:db8:1::1]:25 foreign", EVAL_DROP,
		  "app.json a foreign source address is refused", "app" },
		{ "app udp [2001:db8::53]:53 foreign", EVAL_DROP,
		  "app.json a foreign source address is refused", "app" },
		{ "app tcp [2001:db8:1::1]:25 foreign routing", EVAL_DROP,
		  "app.json a routing header is refused", "app" },
		{ "app tcp 198.51.100.1:8000 foreign", EVAL_ACCEPT, "app.json:3 connect" },
		{ "other tcp 192.0.2.9:80 options", EVAL_ACCEPT, NULL },
		{ "other tcp [2001:db8::9]:80 routing foreign", EVAL_ACCEPT, NULL },
		{ "watch tcp 192.0.2.1:80 options", EVAL_ACCEPT,
		  "watch.json IP options are refused", "watch" },
		{ "watch tcp [2001:db8::9]:80 foreign", EVAL_ACCEPT,
		  "watch.json a foreign source address is refused", "watch" },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

#define WRONG(verdict) verdict, "broken.json is wrong and never was right: refused", "broken"

static void test_states(void **state)
{
	static const struct verdict_case cases[] = {
		{ "watch tcp 192.0.2.1:80", EVAL_ACCEPT, "watch.json:2 connect" },
		{ "watch tcp 192.0.2.9:80", EVAL_ACCEPT, NO_LINE("watch") },
		{ "watch udplite 192.0.2.53:53", EVAL_ACCEPT, NO_LINE("watch") },
		{ "broken tcp 192.0.2.9:80", WRONG(EVAL_RESET) },
		{ "broken udp 192.0.2.53:53", WRONG(EVAL_PROHIBITED) },
		{ "broken tcp 127.0.0.1:3128", WRONG(EVAL_RESET) },
		{ "broken tcp [2001:db8::9]:80 foreign", WRONG(EVAL_DROP) },
		{ "broken tcp 192.0.2.9:80 foreign", WRONG(EVAL_DROP) },
		{ "off tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "off tcp 127.0.0.1:3000", NOT_NAMED(9) },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

#define LED "led.json:3 transparent"

/* What is led to the proxy, and what is not. */
static void test_transparent(void **state)
{
	static const struct verdict_case cases[] = {
		{ "70000 tcp 203.0.113.1:443 original", EVAL_ACCEPT, LED },
		{ "70000 tcp [2001:db8::9]:80 original ecn", EVAL_ACCEPT, LED },
		{ "70000 tcp 203.0.113.1:25 original", EVAL_ACCEPT, LED },
		{ "70000 tcp 203.0.113.1:26 original", EVAL_RESET, NO_LINE("led") },
		{ "70000 udp 203.0.113.1:443 original", EVAL_PROHIBITED, NO_LINE("led") },
		{ "70000 tcp 203.0.113.1:443", EVAL_RESET, NO_LINE("led") }, /* no conntrack */
		{ "70000 tcp 203.0.113.1:443 reply", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 203.0.113.1:443 original ack", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 203.0.113.1:443 original ack later", EVAL_ACCEPT, LED },
		{ "70000 tcp 203.0.113.1:443 original ack older", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 203.0.113.1:443 original bound", EVAL_DROP, LED },
		{ "70000 tcp 203.0.113.1:443 original by lo", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 127.0.0.1:443 original", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 127.0.0.1:3128 original by eth0", EVAL_RESET, NO_LINE("led") },
		{ "70000 tcp 127.0.0.1:3128 original", EVAL_ACCEPT, "led.json proxy" },
		{ "70000 tcp 198.51.100.1:80 original", EVAL_ACCEPT, "led.json:2 connect" },
		{ "70000 tcp 198.51.100.1:80 original bound", EVAL_ACCEPT, "led.json:2 connect" },
		{ "70000 tcp 198.51.100.1:443 original", EVAL_ACCEPT, LED },
		{ "70000 tcp 192.0.2.53:53 original", EVAL_ACCEPT, "led.json dns" },
		{ "70000 tcp 203.0.113.1:443 original options", EVAL_RESET,
		  "led.json IP options are refused", "led" },
		{ "70005 tcp 203.0.113.1:443 original", EVAL_RESET, NO_LINE("beside") },
		{ "app tcp 203.0.113.1:443 original", EVAL_RESET, NO_LINE("app") },
		{ "other tcp 203.0.113.1:443 original bound", EVAL_ACCEPT, NULL },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

/* Ranges, their edges, and who beats them. */
static void test_ranges(void **state)
{
	static const struct verdict_case cases[] = {
		{ "59999 udp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "60000 udp 192.0.2.9:80", EVAL_PROHIBITED, NO_LINE("range") },
		{ "60999 udp 192.0.2.9:80", EVAL_PROHIBITED, NO_LINE("range") },
		{ "61000 udp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "60499 udp 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("range") },
		{ "60500 udp 192.0.2.53:53", EVAL_ACCEPT, "named.json dns" },
		{ "60500 udp 192.0.2.9:80", EVAL_PROHIBITED, NO_LINE("named") },
		{ "60501 udp 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("range") },
		{ "99999 tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "100000 tcp 192.0.2.9:80", EVAL_RESET, NO_LINE("app") },
		{ "100000 tcp 198.51.100.1:8000", EVAL_ACCEPT, "app.json:3 connect" },
		{ "165535 tcp 192.0.2.9:80", EVAL_RESET, NO_LINE("app") },
		{ "165536 tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "199999 tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "200000 tcp 192.0.2.9:80", EVAL_RESET, NULL }, /* two services share it */
		{ "200009 udp 192.0.2.53:53", EVAL_PROHIBITED, NULL },
		{ "200009 udp [2001:db8::53]:53 foreign", EVAL_DROP, NULL },
		{ "200010 tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
		{ "4294967294 tcp 192.0.2.9:80", EVAL_ACCEPT, NULL },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

/* Sets: the element knows its line. */
static void test_long_lists(void **state)
{
	static const struct verdict_case cases[] = {
		{ "many tcp 203.0.113.1:101", EVAL_ACCEPT, "many.json:2 connect" },
		{ "many tcp 203.0.113.5:105", EVAL_ACCEPT, "many.json:6 connect" },
		{ "many tcp 203.0.113.10:110", EVAL_ACCEPT, "many.json:11 connect" },
		{ "many tcp 203.0.113.1:102", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 203.0.113.11:111", EVAL_RESET, NO_LINE("many") },
		{ "many udp 203.0.113.1:101", EVAL_PROHIBITED, NO_LINE("many") },
		{ "many tcp 10.2.0.0:20", EVAL_ACCEPT, "many.json:12 connect" },
		{ "many tcp 10.2.255.255:21", EVAL_ACCEPT, "many.json:12 connect" },
		{ "many tcp 10.3.0.0:20", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 10.1.255.255:20", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 10.20.255.255:21", EVAL_ACCEPT, "many.json:21 connect" },
		{ "many tcp 10.21.0.0:21", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 10.2.0.0:22", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 10.2.0.0:30", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 10.101.2.3:30", EVAL_ACCEPT, "many.json:22 connect" },
		{ "many tcp 10.101.2.3:20", EVAL_RESET, NO_LINE("many") },
		{ "many udp 192.0.2.7:1", EVAL_ACCEPT, "many.json:33 connect" },
		{ "many udp 192.0.2.7:17", EVAL_ACCEPT, "many.json:33 connect" },
		{ "many udp 192.0.2.7:2", EVAL_PROHIBITED, NO_LINE("many") },
		{ "many udp 192.0.2.7:18", EVAL_PROHIBITED, NO_LINE("many") },
		{ "many tcp 192.0.2.7:1", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 203.0.113.77:77", EVAL_ACCEPT, "many.json:34 connect" },
		{ "many tcp 203.0.113.77:77 in-2030", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 203.0.113.1:101 in-2030", EVAL_ACCEPT, "many.json:2 connect" },
		{ "many tcp 203.0.113.78:78 by wg0", EVAL_ACCEPT, "many.json:35 connect" },
		{ "many tcp 203.0.113.78:78", EVAL_RESET, NO_LINE("many") },
		{ "many tcp 127.0.0.1:5432", EVAL_ACCEPT, "many.json:36 connect" },
		{ "many tcp 127.0.0.1:5432 by eth0", EVAL_RESET, NO_LINE("many") },
		{ "many tcp [::1]:5432 by eth0", EVAL_RESET, NO_LINE("many") },
	};

	(void)state;
	judge_all(cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_dns_and_proxy),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_strange_sockets),
		cmocka_unit_test(test_kept_options),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_shared_port),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_transparent),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
