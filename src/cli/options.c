/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - argv → struct cli.
 *
 * Not getopt_long(): options stand on either side of the verb, bad use gets one line of ours, and
 * no abbreviation works today and breaks with the next option.
 */
#include "cli/options.h"

#include <string.h>

#include "base/diag.h"
#include "cli/output.h"

enum { WORDS_MAX = 64 };

struct option {
	const char *name;  /* without the dashes */
	const char *value; /* as help shows it; NULL: a flag */
	size_t offset;	   /* in struct cli: const char * or bool */
	const char
		*verb; /* only with this one; NULL: with all. One name may have rows for several */
	const char *help;
};

static const struct option options[] = {
	{ "user", "NAME", offsetof(struct cli, user), "new",
	  "the user (or uid) it runs as (default: the service's name)" },
	{ "write", NULL, offsetof(struct cli, write), "new",
	  "write it into the policies folder; an existing file stays" },
	{ "confirm", "TIME", offsetof(struct cli, confirm), "apply",
	  "go back by itself after 60s, 5m or 1h, unless confirmed" },
	{ "dry-run", NULL, offsetof(struct cli, dry_run), "apply",
	  "show what would change; change nothing" },
	{ "dry-run", NULL, offsetof(struct cli, dry_run), "selftest",
	  "say what it would send where; send nothing" },
	{ "wait", NULL, offsetof(struct cli, wait), "show",
	  "return when the calling unit is governed, for ExecStartPre=" },
	{ "to", "ADDRESS", offsetof(struct cli, to), "selftest",
	  "try to reach this one, in place of a documentation address" },
	{ "endpoints", NULL, offsetof(struct cli, endpoints), "selftest",
	  "also what policies allow elsewhere, name servers, proxies" },
	{ "against", "DIR", offsetof(struct cli, against), "diff",
	  "compare with the policies in DIR, offline" },
	{ "offline", NULL, offsetof(struct cli, offline), "why",
	  "ask the policies as they are on disk, not the daemon" },
	{ "squid", NULL, offsetof(struct cli, squid), "wire",
	  "squid's access lists, a port for each service" },
	{ "config", "FILE", offsetof(struct cli, config), NULL, "default: " CLI_CONFIG },
	{ "policies", "DIR", offsetof(struct cli, policies), NULL, "default: " CLI_POLICIES },
	{ "control", "PATH", offsetof(struct cli, control), NULL, "default: " CLI_CONTROL },
	{ "json", NULL, offsetof(struct cli, json), NULL, "JSON on stdout, for programs" },
	{ "help", NULL, offsetof(struct cli, help), NULL, "this text" },
	{ "version", NULL, offsetof(struct cli, version), NULL, "the version" },
};

void options_write_help(const struct cli_verb *verb, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (verb ? o->verb && strcmp(o->verb, verb->name) == 0 : !o->verb)
			fprintf(out, "  --%s%s%-*s%s\n", o->name, o->value ? " " : "",
				16 - (int)strlen(o->name) - !!o->value, o->value ? o->value : "",
				o->help);
	}
}

const struct cli_verb *options_find_verb(struct cli *cli, const char *name)
{
	const char *words[WORDS_MAX], *suggestion;

	assert(cli_n_verbs <= WORDS_MAX);
	for (size_t i = 0; i < cli_n_verbs; i++) {
		words[i] = cli_verbs[i].name;
		if (strcmp(words[i], name) == 0)
			return &cli_verbs[i];
	}
	suggestion = text_suggest(name, words, cli_n_verbs);
	if (suggestion)
		say(cli, "unknown verb \"%s\"; did you mean \"%s\"?", printable(cli, name),
		    suggestion);
	else
		say(cli, "unknown verb \"%s\"; \"uidwall --help\" lists them",
		    printable(cli, name));
	return NULL;
}

static enum cli_status bad_option(struct cli *cli, const char *found, size_t length)
{
	const char *names[ARRAY_SIZE(options)], *suggestion;
	char *name = arena_strndup(cli->arena, found, length);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		names[i] = options[i].name;
	suggestion = text_suggest(name + strspn(name, "-"), names, ARRAY_SIZE(options));
	if (suggestion)
		say(cli, "unknown option \"%s\"; did you mean \"--%s\"?", printable(cli, name),
		    suggestion);
	else
		say(cli, "unknown option \"%s\"; \"uidwall --help\" lists them",
		    printable(cli, name));
	return CLI_BAD_USE;
}

static const struct option *find_option(const char *name, size_t length)
{
	if (length == 2 && strncmp(name, "-h", 2) == 0)
		return find_option("--help", 6);
	if (length < 3 || strncmp(name, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == length - 2 &&
		    strncmp(options[i].name, name + 2, length - 2) == 0)
			return &options[i];
	return NULL;
}

/* Takes the option at argv[*i], and its value from there or from the next word. */
static enum cli_status parse_option(struct cli *cli, char **argv, int argc, int *i,
				    const struct option **ret_option)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct option *option = find_option(word, length);
	const char *value = equals ? equals + 1 : NULL;

	if (!option)
		return bad_option(cli, word, length);
	*ret_option = option;
	if (!option->value) {
		if (value)
			return bad_use(cli, "--%s takes no value", option->name);
		*(bool *)((char *)cli + option->offset) = true;
		return CLI_FINE;
	}
	if (!value && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
		value = argv[++*i];
	if (!value || !*value)
		return bad_use(cli, "--%s needs a value: --%s %s", option->name, option->name,
			       option->value);
	*(const char **)((char *)cli + option->offset) = value;
	return CLI_FINE;
}

static bool goes_with(const struct option *option, const struct cli_verb *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, option->name) == 0 &&
		    (!options[i].verb || strcmp(options[i].verb, verb->name) == 0))
			return true;
	return false;
}

/* "uidwall apply" and "uidwall selftest" */
static const char *its_verbs(struct cli *cli, const struct option *option)
{
	const char *words = "";

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i].name, option->name) == 0)
			words = arena_printf(cli->arena, "%s%s\"uidwall %s\"", words,
					     *words ? " and " : "", options[i].verb);
	return words;
}

static enum cli_status check_use(struct cli *cli, const struct option *const *seen, size_t n_seen)
{
	const struct cli_verb *verb = cli->verb;

	if (!verb)
		return bad_use(cli, "missing verb; \"uidwall --help\" lists them");
	for (size_t i = 0; i < n_seen; i++)
		if (!goes_with(seen[i], verb))
			return bad_use(cli, "--%s goes with %s, not with \"%s\"", seen[i]->name,
				       its_verbs(cli, seen[i]), verb->name);
	if (cli->n_args < verb->min_args)
		return bad_use(cli, "missing argument; expected \"uidwall %s %s\"", verb->name,
			       verb->args);
	if (cli->n_args > verb->max_args)
		return bad_use(cli, "unexpected argument \"%s\"; expected \"uidwall %s%s%s\"",
			       printable(cli, cli->args[verb->max_args]), verb->name,
			       *verb->args ? " " : "", verb->args);
	return CLI_FINE;
}

enum cli_status options_parse(struct cli *cli, int argc, char **argv)
{
	const struct option **seen = arena_alloc(cli->arena, (size_t)argc * sizeof(*seen));
	size_t n_seen = 0;
	bool only_args = false;

	cli->args = arena_alloc(cli->arena, (size_t)argc * sizeof(*cli->args));
	for (int i = 1; i < argc; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			if (parse_option(cli, argv, argc, &i, &seen[n_seen++]) != CLI_FINE)
				return CLI_BAD_USE;
		} else if (!cli->verb) {
			cli->verb = options_find_verb(cli, argv[i]);
			if (!cli->verb)
				return CLI_BAD_USE;
		} else {
			cli->args[cli->n_args++] = argv[i];
		}
	}
	return cli->help || cli->version ? CLI_FINE : check_use(cli, seen, n_seen);
}
