/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair.c - two rulesets to change between, and whether the kernel has one of them. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random_ruleset.h"

char *sorted_list(struct space *space)
{
	AUTO(mem) char *listing = space_list(space);

	return listing_sorted(listing);
}

void pair_init(struct pair *pair, struct space *space)
{
	uint64_t random = 7;
	struct random_spec spec = { .base = 5 };

	pair->arena = arena_new();
	for (unsigned i = 0; i < 6; i++)
		spec.services[i] = rng_next(&random);
	for (unsigned i = 0; i < 2; i++) {
		AUTO(mem) char *text = NULL;

		random_ruleset(&spec, pair->arena, &pair->rulesets[i]);
		text = render(&pair->rulesets[i]);
		assert_int_equal(space_run(space, text), 0);
		pair->listings[i] = sorted_list(space);
		spec.services[1] = rng_next(&random);
		spec.services[4] = 0;
		spec.services[9] = rng_next(&random);
	}
	assert_string_not_equal(pair->listings[0], pair->listings[1]);
	assert_int_equal(space_run(space, "delete table inet uidwall"), 0);
}

void pair_done(struct pair *pair)
{
	free(pair->listings[0]);
	free(pair->listings[1]);
	arena_free(pair->arena);
}

void assert_lists(struct space *space, const char *expected)
{
	AUTO(mem) char *sorted = sorted_list(space);

	assert_same_text(sorted, expected, 0, "listing");
}

void apply_fails(struct nl_table *table, const struct ir_ruleset *current,
		 const struct ir_ruleset *next, int error, const char *message, uint32_t line)
{
	__attribute__((cleanup(diags_cleanup))) struct diags diags;
	struct nl_result result;
	bool found = false;

	diags_init(&diags);
	assert_int_equal(nl_table_apply(table, current, next, &result, &diags), error);
	assert_true(diags.n_errors > 0);
	for (size_t i = 0; i < diags.n; i++) {
		if (strstr(diags.list[i].message, message) && diags.list[i].place.line == line)
			found = true;
	}
	if (!found)
		diag_print(&diags.list[0], stderr, false);
	assert_true(found);
}
