/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-eval-samples.c - what the samples in policies/ let their services send. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/scene.h"
#include "lib/verdicts.h"

/* Copies policies/NAME.json into the scene; accounts are numbers there, which every machine has. */
static void write_sample(struct scene *scene, const char *name)
{
	AUTO(mem) char *path = NULL, *text = NULL, *from = NULL;
	size_t length = 0;
	FILE *in, *out = open_memstream(&text, &length);
	char line[512];

	assert_true(asprintf(&path, "%s/policies/%s.json", getenv("srcdir") ?: ".", name) > 0);
	in = fopen(path, "re");
	if (!in || !out)
		fail_msg("cannot read %s", path);
	while (fgets(line, sizeof(line), in)) {
		const char *user = strstr(line, "\"user\": \"");

		if ((from = strstr(line, "[\"caddy\"]")))
			memcpy(from, "[    990]", strlen("[    990]"));
		if ((from = strstr(line, "[\"www-data\"]")))
			memcpy(from, "[        33]", strlen("[        33]"));
		from = NULL;
		if (user)
			fprintf(out, "\"user\": %d,\n",
				(int)verdicts_uid(strcmp(name, "nothing") ? name : "vault"));
		else
			fputs(line, out);
	}
	fclose(in);
	assert_int_equal(fclose(out), 0);
	scene_write(scene, arena_printf(scene->arena, "%s.json", name), text);
}

static void test_samples(void **state)
{
	static const char *const samples[] = { "blog",	  "erp",	"gitea",    "mailer",
					       "nothing", "phpmyadmin", "wordpress" };
	static const struct verdict_case cases[] = {
		{ "blog tcp 127.0.0.1:5432", EVAL_ACCEPT, "blog.json:10 connect" },
		{ "blog tcp [::1]:5432", EVAL_ACCEPT, "blog.json:10 connect" },
		{ "blog tcp 127.0.0.1:6379", EVAL_ACCEPT, "blog.json:11 connect" },
		{ "blog tcp 127.0.0.1:6378", EVAL_RESET, NO_LINE("blog") },
		{ "blog tcp 127.0.0.1:3128", EVAL_ACCEPT, "blog.json proxy" },
		{ "blog tcp [::1]:3128", EVAL_ACCEPT, "blog.json proxy" },
		{ "blog udp 192.0.2.53:53", EVAL_ACCEPT, "blog.json dns" },
		{ "blog tcp 192.0.2.53:53", EVAL_ACCEPT, "blog.json dns" },
		{ "blog udp 192.0.2.54:53", EVAL_PROHIBITED, NO_LINE("blog") },
		{ "blog tcp 192.0.2.80:443", EVAL_RESET, NO_LINE("blog") },
		{ "blog tcp 127.0.0.1:3000", EVAL_ACCEPT, "blog.json:14 listen" },
		{ "blog tcp 192.0.2.80:50000 from 3000 synack", EVAL_ACCEPT,
		  "blog.json:14 listen" },
		{ "blog tcp 192.0.2.80:50000 from 3000", EVAL_RESET, NO_LINE("blog") },
		{ "caddy tcp 127.0.0.1:3000", EVAL_ACCEPT, NULL },
		{ "www tcp 127.0.0.1:3000", EVAL_RESET,
		  "blog.json:14 listen: from does not name them", "blog" },
		{ "www tcp 127.0.0.1:3100", EVAL_ACCEPT, NULL },
		{ "caddy tcp [::1]:3100", EVAL_RESET, "erp.json:10 listen: from does not name them",
		  "erp" },
		{ "root tcp 127.0.0.1:3000", EVAL_ACCEPT, NULL },
		{ "gitea tcp 127.0.0.1:3000", EVAL_RESET, NO_LINE("gitea") },
		{ "erp tcp [::1]:5432", EVAL_ACCEPT, "erp.json:7 connect" },
		{ "erp udp 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("erp") },
		{ "erp tcp 127.0.0.1:3128", EVAL_RESET, NO_LINE("erp") },
		{ "gitea tcp 192.0.2.80:50000 from 2222 synack", EVAL_ACCEPT,
		  "gitea.json:13 listen" },
		{ "other tcp 127.0.0.1:2222", EVAL_ACCEPT, NULL },
		{ "mailer tcp 192.0.2.25:465", EVAL_ACCEPT, "mailer.json:7 connect" },
		{ "mailer tcp 192.0.2.25:587", EVAL_ACCEPT, "mailer.json:7 connect" },
		{ "mailer tcp [2001:db8:25::25]:587", EVAL_ACCEPT, "mailer.json:8 connect" },
		{ "mailer tcp 192.0.2.25:466", EVAL_RESET, NO_LINE("mailer") },
		{ "mailer tcp 192.0.2.26:465", EVAL_RESET, NO_LINE("mailer") },
		{ "mailer udp 192.0.2.25:465", EVAL_PROHIBITED, NO_LINE("mailer") },
		{ "vault tcp 127.0.0.1:5432", EVAL_RESET, NO_LINE("nothing") },
		{ "vault udp 192.0.2.53:53", EVAL_PROHIBITED, NO_LINE("nothing") },
		{ "vault icmp 127.0.0.1", EVAL_PROHIBITED, NO_LINE("nothing") },
		{ "phpmyadmin tcp 127.0.0.1:3306", EVAL_ACCEPT, "phpmyadmin.json:7 connect" },
		{ "wordpress tcp [::1]:3306", EVAL_ACCEPT, "wordpress.json:10 connect" },
		{ "wordpress tcp 192.0.2.80:80", EVAL_RESET, NO_LINE("wordpress") },
		{ "other tcp 192.0.2.80:80", EVAL_ACCEPT, NULL },
		{ "nobody tcp 192.0.2.80:80 ack", EVAL_ACCEPT, NULL },
	};
	AUTO(scene) struct scene *scene = scene_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		write_sample(scene, samples[i]);
	scene_begin(scene);
	assert_int_equal(verdicts_wrong(&scene->set, cases, ARRAY_SIZE(cases)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
