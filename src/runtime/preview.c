/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preview.c - files → what a reload would change, as JSON.
 *
 * The same steps as a reload up to the kernel, with the same memory to fall back to: what is shown
 * is what would happen.
 */
#include "runtime/preview.h"

#include <time.h>

#include "diff/diff.h"
#include "runtime/change.h"
#include "runtime/report.h"

/* What could not be asked about is no failure of the preview: it is said, and left out. */
static void put_sockets(const struct wall *wall, const struct generation *next, struct writer *w,
			struct diags *diags)
{
	struct live_judgement judgement = { 0 };

	if (!wall->live || wall->switches.all_off)
		return;
	if (change_judge(wall, wall->is_standing ? wall->current : NULL, &next->set,
			 &next->rules.set, next->arena, &judgement, diags) == 0)
		live_write(wall->live, &judgement, w);
}

static void put_changes(const struct wall *wall, struct generation *next, struct writer *w,
			struct diags *diags)
{
	struct diff_side from = { &wall->current->set, &wall->current->rules.set };
	struct diff_side to = { &next->set, &next->rules.set };

	generation_plan(next, &wall->switches, &next->rules);
	diff_write(&from, &to, time(NULL), w);
	put_sockets(wall, next, w, diags);
}

void preview_write(const struct wall *wall, struct writer *w)
{
	AUTO(generation) struct generation *next = NULL;
	AUTO(mem) char *error = NULL;
	AUTO(diags) struct diags diags;
	int r;

	diags_init(&diags);
	r = generation_read(FROM_FILES, wall->options.config, wall->options.policies,
			    &wall->current->memory, &next, &diags);
	if (r < 0)
		error = change_error_text(&diags, r);
	writer_put_bool(w, "ok", r == 0);
	writer_put_text(w, "error", error);
	if (r == 0)
		put_changes(wall, next, w, &diags);
	diags_sort(&diags);
	report_diags(w, &diags, NULL);
}
