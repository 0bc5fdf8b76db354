/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.c - uidwall diff: what applying the policies on disk would change, in meaning. */
#include "diff/diff.h"

#include <time.h>

#include "cli/call.h"
#include "cli/diff_print.h"
#include "cli/offline.h"
#include "cli/undo.h"
#include "cli/undo.h"
#include "plan/plan.h"

const char help_diff[] =
	"Shows what \"uidwall apply\" would change, by meaning and not by words: who may\n"
	"reach what from now on and who no more, and which open connections would be\n"
	"closed. Lines in another order, a prefix written as two halves or a renamed\n"
	"file are no difference. Changes nothing.\n"
	"\n"
	"  +  may be reached from now on\n"
	"  -  may be reached no more\n"
	"  ~  is another one than before\n"
	"\n"
	"With --against the daemon is not asked: DIR holds the policies before, the\n"
	"policies folder those of now. The configuration is the same for both.\n"
	"\n"
	"exit status: 0 no difference, 1 differences, 3 the daemon cannot be reached\n"
	"\n"
	"  uidwall diff\n"
	"  uidwall diff --against policies.old --policies /etc/uidwall/policies\n";

static void print_diags(struct cli *cli, const struct diags *diags)
{
	struct style style = style_of(stderr);

	fflush(stdout);
	for (size_t i = 0; i < diags->n; i++)
		diag_print(&diags->list[i], stderr, style.colour);
}

static enum cli_status answer_status(const json_t *answer)
{
	return get_bool(answer, "differs") ? CLI_FINDINGS : CLI_FINE;
}

static enum cli_status print_answer(struct cli *cli, json_t *answer, const char *same)
{
	enum cli_status status = answer_status(answer);

	if (cli->json) {
		json_print(answer);
		return status;
	}
	if (status == CLI_FINE)
		printf("%s\n", same);
	diff_print(cli, answer);
	undo_print(cli, answer, stdout);
	json_decref(answer);
	return status;
}

/* --- two folders ------------------------------------------------------------------------------
 */

/* A folder's policies as they would be in force. */
static int read_side(struct cli *cli, const char *folder, struct offline *ret_offline,
		     struct ir_ruleset *ret_rules)
{
	const char *policies = cli->policies;

	cli->policies = folder;
	offline_read(cli, ret_offline);
	cli->policies = policies;
	if (!cli->json)
		print_diags(cli, &ret_offline->diags);
	if (ret_offline->diags.n_errors && !ret_offline->n_policies)
		return -1;
	plan_build(&ret_offline->set, cli->arena, ret_rules);
	return 0;
}

static void put_diags(struct cli *cli, json_t *answer, const struct offline *from,
		      const struct offline *to)
{
	json_t *diags = json_from_diags(cli, &from->diags),
	       *more = json_from_diags(cli, &to->diags);

	json_array_extend(diags, more);
	json_decref(more);
	json_object_set_new(answer, "diags", diags);
}

static enum cli_status compare_folders(struct cli *cli)
{
	AUTO(offline) struct offline from = { .n_policies = 0 };
	AUTO(offline) struct offline to = { .n_policies = 0 };
	struct ir_ruleset from_rules, to_rules;
	struct diff_side before = { &from.set, &from_rules }, now = { &to.set, &to_rules };
	struct writer w;
	json_t *answer;

	if (read_side(cli, cli->against, &from, &from_rules) < 0)
		return fail(cli, "cannot compare: %s is not read", printable(cli, cli->against));
	if (read_side(cli, cli->policies, &to, &to_rules) < 0)
		return fail(cli, "cannot compare: %s is not read", printable(cli, cli->policies));
	writer_init(&w, SIZE_MAX / 2);
	writer_begin(&w, '{');
	if (cli->json)
		diff_write(&before, &now, time(NULL), &w);
	else
		diff_write_words(&before, &now, time(NULL), &w);
	writer_end(&w, '}');
	answer = w.failed ? NULL : json_loadb(w.bytes, w.n, 0, NULL);
	writer_done(&w);
	if (!answer)
		return fail(cli, "out of memory");
	put_diags(cli, answer, &from, &to);
	return print_answer(cli, answer, "No difference: both folders mean the same.");
}

/* --- the daemon -------------------------------------------------------------------------------
 */

static enum cli_status compare_in_force(struct cli *cli)
{
	const char *error = NULL;
	AUTO(diags) struct diags diags;
	json_t *answer = NULL;
	int r = call_ask(cli, "diff", NULL, CALL_RELOAD_MS, &answer, &error);

	diags_init(&diags);
	if (r < 0)
		return call_explain(cli, r, error);
	if (!cli->json) {
		diags_from_json(cli, json_object_get(answer, "diags"), &diags);
		diags_sort(&diags);
		print_diags(cli, &diags);
	}
	if (!get_bool(answer, "ok") && !cli->json) {
		fail(cli, "cannot say what would change: %s", get_text(cli, answer, "error"));
		json_decref(answer);
		return CLI_FINDINGS;
	}
	if (!get_bool(answer, "ok")) {
		json_print(answer);
		return CLI_FINDINGS;
	}
	return print_answer(cli, answer, "No difference: what is on disk is in force.");
}

enum cli_status verb_diff(struct cli *cli)
{
	return cli->against ? compare_folders(cli) : compare_in_force(cli);
}
