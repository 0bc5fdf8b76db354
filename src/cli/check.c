/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - uidwall check: every mistake in the policies, each with its place. */
#include <string.h>

#include "cli/offline.h"
#include "cli/output.h"

const char help_check[] =
	"Validates policies: every mistake in every file, each with its place. Needs\n"
	"neither the daemon nor root; the files may belong to root or to you.\n"
	"\n"
	"  PATH  a policy file, or a folder of them (default: " CLI_POLICIES ")\n"
	"\n"
	"exit status: 0 no errors (there may be warnings), 1 errors\n"
	"\n"
	"  uidwall check\n"
	"  uidwall check blog.json\n";

/* diags are sorted, so the files are counted by their changes. */
static size_t count_files(const struct diags *diags)
{
	const char *last = "";
	size_t n = 0;

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *diag = &diags->list[i];

		if (diag->severity == DIAG_NOTE || !diag->place.file)
			continue;
		n += strcmp(last, diag->place.file) != 0;
		last = diag->place.file;
	}
	return n;
}

static void print_summary(struct cli *cli, size_t n_policies, const struct diags *diags)
{
	struct style style = style_of(stdout);
	size_t n_files = count_files(diags);

	printf("%s", count_words(cli, (json_int_t)n_policies, "policy", "policies"));
	if (!diags->n_errors && !diags->n_warnings) {
		printf(", %sno mistakes%s\n", style.green, style.plain);
		return;
	}
	printf(": %s", diags->n_errors ? style.red : style.yellow);
	if (diags->n_errors)
		printf("%s", count_words(cli, (json_int_t)diags->n_errors, "error", "errors"));
	if (diags->n_errors && diags->n_warnings)
		printf(", ");
	if (diags->n_warnings)
		printf("%s",
		       count_words(cli, (json_int_t)diags->n_warnings, "warning", "warnings"));
	printf("%s", style.plain);
	if (n_files)
		printf(" in %s", count_words(cli, (json_int_t)n_files, "file", "files"));
	putchar('\n');
}

enum cli_status verb_check(struct cli *cli)
{
	struct style style = style_of(stdout);
	AUTO(offline) struct offline offline;
	const struct diags *diags = &offline.diags;

	offline_read(cli, &offline);
	if (cli->json) {
		json_print(json_pack(
			"{s:I, s:I, s:I, s:o}", "policies", (json_int_t)offline.n_policies,
			"errors", (json_int_t)diags->n_errors, "warnings",
			(json_int_t)diags->n_warnings, "diags", json_from_diags(cli, diags)));
	} else {
		for (size_t i = 0; i < diags->n; i++)
			diag_print(&diags->list[i], stdout, style.colour);
		print_summary(cli, offline.n_policies, diags);
	}
	return diags->n_errors ? CLI_FINDINGS : CLI_FINE;
}
