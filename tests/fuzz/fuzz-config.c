/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-config.c - bytes → uidwall.json. */
#include "fuzz.h"
#include "policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct source source = fuzz_source("uidwall.json", data, size, arena);
	struct config config;
	struct diags diags;

	diags_init(&diags);
	fuzz_check_diags(config_from_text(source.path, source.text, source.length, "/dev/null",
					  arena, &config, &diags),
			 &diags, &source);
	diags_done(&diags);
	return 0;
}
