/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show_names.c - records of the forward proxy → a table: what was refused first, for that is what
 * is looked for.
 */
#include "cli/show_names.h"

#include <string.h>

#include "base/clock.h"
#include "why/host.h"
#include "wire/verdict.h"

enum { COLUMNS = 5, ROWS_MAX = 20 };

static const struct {
	enum record_verdict verdict;
	const char *words;
} verdicts[] = {
	/* in this order */
	[0] = { RECORD_REFUSED, "REFUSED" }, [1] = { RECORD_WOULD_REFUSE, "would be refused" },
	[2] = { RECORD_CUT, "cut off" },     [3] = { RECORD_FAILED, "failed" },
	[4] = { RECORD_ALLOWED, "allowed" },
};
static_assert(ARRAY_SIZE(verdicts) == RECORD_VERDICT_COUNT, "every verdict needs words");

static const char *target_words(struct cli *cli, const json_t *name)
{
	const char *host = get_text(cli, name, "host");
	bool is_v6 = strchr(host, ':');

	return arena_printf(cli->arena, "%s%s%s:%lld", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
			    (long long)get_number(name, "port"));
}

/* The policy may have changed since. */
static bool is_listed_now(const struct host_list *list, const json_t *name)
{
	const char *text = json_string_value(json_object_get(name, "host"));
	json_int_t port = get_number(name, "port");
	struct host host;
	const char *why;

	return list && text && port > 0 && port <= UINT16_MAX &&
	       host_parse(text, strlen(text), &host, &why) == 0 &&
	       host_list_decide(list, &host, (uint16_t)port).verdict == HOST_ALLOWED;
}

/* What to do about it, or how much went through. */
static const char *note_words(struct cli *cli, const json_t *name, const char *file,
			      const struct host_list *list)
{
	const char *add = get_text(cli, name, "add"), *reason = get_text(cli, name, "reason");
	json_int_t sent = get_number(name, "sent"), received = get_number(name, "received");
	json_int_t line = get_number(name, "line");
	const char *note = "";

	if (*add && is_listed_now(list, name) && strstr(reason, "not-listed"))
		return "was not listed; it is by now";
	if (*add)
		return arena_printf(cli->arena, "%s; add to its \"hosts\": \"%s\"", reason, add);
	if (sent || received)
		note = arena_printf(cli->arena, "%s sent, %s received", bytes_words(cli, sent),
				    bytes_words(cli, received));
	else
		note = reason;
	if (line)
		note = arena_printf(cli->arena, "%s%s%s:%lld", note, *note ? "; " : "", file,
				    (long long)line);
	return note;
}

static void add_row(struct cli *cli, const struct style *style, struct cell *cells, size_t verdict,
		    const json_t *name, const char *file, const struct host_list *list)
{
	const char *colour = verdict == 0 ? style->red : verdict < 4 ? style->yellow : NULL;
	json_int_t count = get_number(name, "count");

	cells[0] = (struct cell){ target_words(cli, name), NULL, false };
	cells[1] = (struct cell){ verdicts[verdict].words, colour, false };
	cells[2] = (struct cell){ count_words(cli, count, "time", "times"), NULL, true };
	cells[3] = (struct cell){ arena_printf(cli->arena, "last at %s",
					       clock_words(cli->arena, get_number(name, "last"))),
				  NULL, false };
	cells[4] = (struct cell){ note_words(cli, name, file, list), NULL, false };
}

static bool has_verdict(const json_t *name, enum record_verdict verdict)
{
	const char *found = json_string_value(json_object_get(name, "verdict"));

	return found && strcmp(found, record_verdict_name(verdict)) == 0;
}

void show_names(struct cli *cli, const struct style *style, const json_t *answer,
		const struct policy *policy)
{
	AUTO(host_list) struct host_list *list = NULL;
	const json_t *names = json_object_get(answer, "names"), *name;
	const char *file = get_text(cli, answer, "file");
	struct cell cells[ROWS_MAX * COLUMNS];
	size_t n = 0, i;

	if (!json_array_size(names))
		return;
	if (policy && why_host_list(policy, &list) < 0)
		list = NULL;
	printf("\n%sBy name, through the proxy%s\n", style->bold, style->plain);
	for (size_t verdict = 0; verdict < ARRAY_SIZE(verdicts); verdict++)
		json_array_foreach(names, i, name)
			if (n < ROWS_MAX && has_verdict(name, verdicts[verdict].verdict))
				add_row(cli, style, &cells[COLUMNS * n++], verdict, name, file,
					list);
	table_print(cells, COLUMNS, n, "  ", stdout);
	if (json_array_size(names) > n)
		printf("  and %zu more (--json lists them)\n", json_array_size(names) - n);
}
