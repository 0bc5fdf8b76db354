/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.c - "waiting" and "rolled_back" of an answer → words. */
#include "cli/undo.h"

#include <string.h>

#include "base/clock.h"

bool undo_is_waiting(const json_t *answer)
{
	return json_is_object(json_object_get(answer, "waiting"));
}

bool undo_is_rolled_back(const json_t *answer)
{
	return json_is_object(json_object_get(answer, "rolled_back"));
}

/* "60 s", "5 min", "2 h" */
static const char *left_words(struct cli *cli, json_int_t seconds)
{
	if (seconds <= 120)
		return arena_printf(cli->arena, "%lld s", (long long)seconds);
	if (seconds <= 120 * 60)
		return arena_printf(cli->arena, "%lld min", (long long)(seconds + 59) / 60);
	return arena_printf(cli->arena, "%lld h", (long long)(seconds + 3599) / 3600);
}

static void print_waiting(struct cli *cli, const struct style *style, const json_t *waiting,
			  FILE *out)
{
	const char *since = clock_words(cli->arena, get_number(waiting, "since"));
	const char *before = clock_words(cli->arena, get_number(waiting, "policies_of"));
	json_int_t n_failed = get_number(waiting, "failed");

	if (n_failed)
		fprintf(out,
			"%sCANNOT GO BACK%s: nobody confirmed the change of %s in time, and the\n"
			"policies of %s cannot be put in force (tried %s):\n"
			"\"journalctl -u uidwalld\" says why. \"uidwall confirm\" keeps what is in "
			"force.\n",
			style->alarm, style->plain, since, before,
			count_words(cli, n_failed, "time", "times"));
	else
		fprintf(out,
			"%sIn force for %s%s: \"uidwall confirm\" keeps the change of %s, "
			"else the\n"
			"policies of %s return at %s.\n",
			style->yellow, left_words(cli, get_number(waiting, "seconds_left")),
			style->plain, since, before,
			clock_words(cli->arena, get_number(waiting, "until")));
}

static const char *reason_words(const char *reason)
{
	if (strcmp(reason, "time") == 0)
		return "nobody confirmed the change in time";
	if (strcmp(reason, "reboot") == 0)
		return "the machine was booted before anybody confirmed the change";
	return "somebody asked for it";
}

static void print_rolled_back(struct cli *cli, const struct style *style, const json_t *back,
			      FILE *out)
{
	fprintf(out,
		"%sRolled back%s at %s, because %s:\n"
		"the policies of %s are in force, not the files. \"uidwall diff\" shows the\n"
		"difference, \"uidwall apply\" puts the files in force.\n",
		style->alarm, style->plain, clock_words(cli->arena, get_number(back, "time")),
		reason_words(get_text(cli, back, "reason")),
		clock_words(cli->arena, get_number(back, "policies_of")));
	if (json_is_false(json_object_get(back, "saved")))
		fprintf(out,
			"%sIt could not be written down%s (is uidwalld's state folder full?): the "
			"files\n"
			"return when uidwalld starts again. Mend them, and \"uidwall apply\".\n",
			style->red, style->plain);
}

void undo_print(struct cli *cli, const json_t *answer, FILE *out)
{
	struct style style = style_of(out);

	if (undo_is_waiting(answer))
		print_waiting(cli, &style, json_object_get(answer, "waiting"), out);
	if (undo_is_rolled_back(answer))
		print_rolled_back(cli, &style, json_object_get(answer, "rolled_back"), out);
}
