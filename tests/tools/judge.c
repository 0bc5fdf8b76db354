/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.c - texts on standard input, a NUL behind each → a line each: what is wrong with it as a
 * policy (or as a configuration) all by itself, message by message with a tab between them; empty:
 * nothing.
 *
 * Which users exist is no matter of one text alone, so unknown ones are not reported.
 */
#include <string.h>

#include "policy/config.h"
#include "policy/parse.h"

static void judge(bool is_config, const char *text, size_t length)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct source source = {
		.path = "judged.json",
		.file = "judged.json",
		.text = arena_strndup(arena, text, length),
		.length = length,
	};
	AUTO(diags) struct diags diags;
	struct policy policy;
	struct config config;

	diags_init(&diags);
	if (is_config)
		config_from_text(source.path, source.text, length, "/dev/null", arena, &config,
				 &diags);
	else
		policy_parse(&source, arena, &policy, &diags);
	for (size_t i = 0; i < diags.n; i++)
		if (diags.list[i].severity == DIAG_ERROR)
			printf("%s\t", diags.list[i].message);
	putchar('\n');
}

int main(int argc, char **argv)
{
	AUTO(mem) char *text = NULL;
	size_t capacity = 0;
	ssize_t n;

	if (argc != 2 || (strcmp(argv[1], "policy") != 0 && strcmp(argv[1], "config") != 0)) {
		fputs("usage: judge policy|config\n", stderr);
		return 2;
	}
	while ((n = getdelim(&text, &capacity, '\0', stdin)) > 0)
		judge(argv[1][0] == 'c', text, (size_t)n - (text[n - 1] == '\0'));
	return 0;
}
