/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-policy.c - bytes → one policy file. An administrator's mistakes, at worst a tenant's: where
 * a control panel writes the files, their contents come from others.
 */
#include "fuzz.h"
#include "policy/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct source source = fuzz_source("fuzz.json", data, size, arena);
	struct policy policy;
	struct diags diags;

	diags_init(&diags);
	fuzz_check_diags(policy_parse(&source, arena, &policy, &diags), &diags, &source);
	diags_done(&diags);
	return 0;
}
