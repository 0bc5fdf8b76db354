/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-why.c - questions and answers of "why": targets, whole answers, and questions that are none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "why/target.h"
#include "why/why.h"
#include "lib/scene.h"
#include "plan/plan.h"

/* --- targets ---------------------------------------------------------------------------------- */

static void test_targets(void **state)
{
	static const struct {
		const char *text, *address, *zone;
		uint8_t protocol;
		uint16_t port;
	} good[] = {
		{ "tcp 192.0.2.7:25", "192.0.2.7", "", PROTOCOL_TCP, 25 },
		{ "udp [2001:db8::1]:53", "2001:db8::1", "", PROTOCOL_UDP, 53 },
		{ "udp [fe80::1%eth0]:65535", "fe80::1", "eth0", PROTOCOL_UDP, 65535 },
		{ "icmp 192.0.2.1", "192.0.2.1", "", PROTOCOL_ICMP, 0 },
		{ "icmp 2001:db8::1", "2001:db8::1", "", PROTOCOL_ICMP, 0 },
		{ "tcp 0.0.0.0:80", "127.0.0.1", "", PROTOCOL_TCP, 80 },
		{ "tcp [::]:80", "::1", "", PROTOCOL_TCP, 80 },
		{ "tcp [::ffff:192.0.2.7]:80", "192.0.2.7", "", PROTOCOL_TCP, 80 },
		{ "tcp [::ffff:0.0.0.0]:80", "127.0.0.1", "", PROTOCOL_TCP, 80 },
		{ "tcp 3000", NULL, "", PROTOCOL_TCP, 3000 },
	};
	static const char *const bad[] = {
		"",
		" ",
		"tcp",
		"tcp ",
		"tcp  3000",
		"TCP 3000",
		"tcp 0",
		"tcp 65536",
		"tcp 1-2",
		"tcp 192.0.2.7",
		"tcp 192.0.2.7:",
		"tcp 192.0.2.7:0",
		"tcp 192.0.2.7:25:25",
		"tcp 192.0.2.0/24:25",
		"tcp [192.0.2.7]:25",
		"tcp 2001:db8::1:25",
		"tcp [2001:db8::1]",
		"tcp []:25",
		"tcp [:25",
		"tcp [fe80::1%]:25",
		"tcp [fe80::1%an-interface-too-long]:25",
		"icmp 192.0.2.1:80",
		"icmp",
		"sctp 192.0.2.7:25",
		"tcp example.org:25",
	};
	AUTO(arena) struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct target target;
		const char *error = NULL;
		char address[PREFIX_TEXT_MAX];

		assert_int_equal(target_parse(good[i].text, arena, &target, &error), 0);
		assert_int_equal(target.protocol, good[i].protocol);
		assert_int_equal(target.port, good[i].port);
		assert_string_equal(target.zone, good[i].zone);
		if (!good[i].address) {
			assert_int_equal(target.to.family, ADDR_NONE);
			continue;
		}
		format_prefix(&target.to, address);
		assert_string_equal(address, good[i].address);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct target target;
		const char *error = NULL;

		assert_int_equal(target_parse(bad[i], arena, &target, &error), -EINVAL);
		assert_non_null(error);
	}
}

/* --- whole answers ---------------------------------------------------------------------------- */

/* Asks about a service of the scene; the answer's text, or what is wrong with the question. */
static const char *ask(struct scene *scene, struct why_question question, bool is_standing)
{
	struct ir_ruleset rules;
	struct why_world world = {
		.set = &scene->set, .rules = &rules, .is_standing = is_standing, .now = 1800000000
	};
	const char *error = "?", *text = NULL;
	struct writer w;

	plan_build(&scene->set, scene->arena, &rules);
	writer_init(&w, 1024 * 1024);
	if (why_answer(&world, &question, scene->arena, &w, &error) == 0)
		text = arena_strdup(scene->arena, w.bytes);
	assert_false(w.failed);
	writer_done(&w);
	return text ? text : error;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("%s in %s", part, text);
}

static struct why_question about(struct scene *scene, const char *service,
				 const char *const *target)
{
	return (struct why_question){ .service = policy_set_find(&scene->set, service),
				      .uid = WHY_NO_UID,
				      .targets = target,
				      .n_targets = 1,
				      .from_uid = WHY_NO_UID };
}

static void test_answers(void **state)
{
	static const char *const mail = "tcp 192.0.2.7:25", *const web = "tcp [::1]:3000",
				 *const port = "tcp 3000";
	AUTO(scene) struct scene *scene = scene_new();
	struct why_question q;
	const char *text;

	(void)state;
	scene_write(scene, "blog.json",
		    "{ \"user\": 64001, \"conn\\u0065ct\": [],\n"
		    "  \"listen\": [ { \"port\": 3000, \"from\": [64002], "
		    "\"comment\": \"]}\\\"\" } ] }");
	scene_write(scene, "web.json",
		    "{ \"user\": 64003,\n  \"connect\": [\n"
		    "    { \"to\": \"::1\", \"port\": [3000,\n 25] },\n"
		    "    { \"to\": \"192.0.2.0/24\", \"port\": 25 }\n  ]\n}\n");
	scene_begin(scene);

	text = ask(scene, about(scene, "blog", &mail), true);
	assert_has(text, "\"reason\":\"no-line\"");
	assert_has(text, "\"route\":\"unknown\"");
	/* a key is found however it is written, and its list is empty */
	assert_has(text, "\"insert\":\"{ \\\"to\\\": \\\"192.0.2.7\\\", \\\"port\\\": 25 }\"");
	assert_has(text, "between the brackets");
	text = ask(scene, about(scene, "blog", &mail), false);
	assert_has(text, "\"verdict\":\"allowed\"");
	assert_has(text, "\"reason\":\"wall-off\"");
	assert_has(text, "\"would_refuse\":true");

	text = ask(scene, about(scene, "web", &mail), true);
	assert_has(text, "\"decided_by\":{\"service\":\"web\",\"file\":\"web.json\"");
	assert_has(text, "\"line\":5");

	q = about(scene, "web", &web);
	text = ask(scene, q, true);
	assert_has(text, "\"reason\":\"from\"");
	assert_has(text, "64002"); /* blog's line */
	q.own_only = true;
	text = ask(scene, q, true);
	assert_has(text, "\"verdict\":\"refused\"");
	assert_has(text, "ask root or an admin");
	assert_has_not(text, "64002");
	assert_has_not(text, "blog");

	q = about(scene, "blog", &port);
	q.from = "it's \"me\"";
	q.from_uid = 64003;
	text = ask(scene, q, true);
	assert_has(text, "\"insert\":\"64003, \""); /* no name that has to be escaped */
	q.from_uid = 64002;
	assert_has(ask(scene, q, true), "\"action\":\"remove\"");
	q.from_uid = WHY_NO_UID;
	assert_has(ask(scene, q, true), "expected a user or an address");
	q.from = "203.0.113.9";
	assert_has(ask(scene, q, true), "\"verdict\":\"allowed\"");
}

static void test_wrong_questions(void **state)
{
	static const char *const odd[] = { "tcp 3000", "tcp 192.0.2.7:25", "icmp 192.0.2.7", "x" };
	const char *many[WHY_TARGETS_MAX + 1];
	AUTO(scene) struct scene *scene = scene_new();
	struct why_question q;

	(void)state;
	scene_write(scene, "blog.json", "{ \"user\": 64001 }");
	scene_begin(scene);
	assert_has(ask(scene, about(scene, "blog", &odd[0]), true), "expected an address");
	for (size_t i = 1; i < ARRAY_SIZE(odd); i++) {
		q = about(scene, "blog", &odd[i]);
		q.from_uid = 0;
		assert_has(ask(scene, q, true), "expected a ");
	}
	q = about(scene, "nosuch", &odd[1]);
	assert_has(ask(scene, q, true), "expected a service or a uid");
	q.uid = UID_LAST;
	assert_has(ask(scene, q, true), "\"reason\":\"ungoverned\"");
	q = about(scene, "blog", &odd[1]);
	q.n_targets = 0;
	assert_has(ask(scene, q, true), "expected 1 to 64 targets");
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = odd[1];
	q.targets = many;
	q.n_targets = ARRAY_SIZE(many);
	assert_has(ask(scene, q, true), "expected 1 to 64 targets");
	q.n_targets--;
	assert_has(ask(scene, q, true), "\"verdict\":\"refused\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wrong_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
