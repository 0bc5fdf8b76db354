/* SPDX-License-Identifier: GPL-2.0-or-later */
/* render.c - uidwall render: the ruleset as text that nft loads. */
#include "backend/text.h"
#include "cli/offline.h"
#include "cli/output.h"
#include "plan/plan.h"

const char help_render[] =
	"Writes the ruleset of the policies as text for nft, each rule with the policy\n"
	"line that it comes from. Needs neither the daemon nor root. Policies with\n"
	"mistakes are not rendered.\n"
	"\n"
	"  PATH  a policy file, or a folder of them (default: " CLI_POLICIES ")\n"
	"\n"
	"exit status: 0 written, 1 errors in the policies (nothing is written)\n"
	"\n"
	"  uidwall render | less\n"
	"  uidwall render blog.json | nft --check --file -\n";

static enum cli_status print_json(struct cli *cli, const struct ir_ruleset *ruleset)
{
	AUTO(mem) char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return fail(cli, "out of memory");
	text_write(ruleset, out);
	if (fclose(out) != 0)
		return fail(cli, "out of memory");
	json_print(json_pack("{s:o}", "ruleset", json_text(cli, text)));
	return CLI_FINE;
}

enum cli_status verb_render(struct cli *cli)
{
	struct style style = style_of(stderr);
	struct ir_ruleset ruleset;
	AUTO(offline) struct offline offline;

	offline_read(cli, &offline);
	for (size_t i = 0; i < offline.diags.n; i++)
		diag_print(&offline.diags.list[i], stderr, style.colour);
	if (offline.diags.n_errors)
		return fail(cli, "nothing rendered: %s",
			    count_words(cli, (json_int_t)offline.diags.n_errors,
					"error in the policies", "errors in the policies"));
	plan_build(&offline.set, cli->arena, &ruleset);
	if (cli->json)
		return print_json(cli, &ruleset);
	text_write(&ruleset, stdout);
	return CLI_FINE;
}
