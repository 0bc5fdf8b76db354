/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.c - what the fuzz targets have in common. */
#include "fuzz.h"

#include <string.h>

struct source fuzz_source(const char *path, const uint8_t *data, size_t size, struct arena *arena)
{
	return (struct source){
		.path = path,
		.file = path,
		.text = arena_strndup(arena, (const char *)data, size),
		.length = size,
	};
}

void fuzz_check_line(const char *text)
{
	REQUIRE(text && *text);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		REQUIRE(*c >= 0x20 && *c != 0x7f);
}

static uint32_t count_lines(const struct source *source)
{
	uint32_t n = 1;

	for (size_t i = 0; i < source->length; i++)
		n += source->text[i] == '\n';
	return n;
}

void fuzz_check_diags(int r, struct diags *diags, const struct source *source)
{
	AUTO(file) FILE *out = fopen("/dev/null", "w");
	uint32_t lines = count_lines(source);

	REQUIRE(out);
	REQUIRE((r < 0) == (diags->n_errors > 0));
	diags_sort(diags);
	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *diag = &diags->list[i];

		fuzz_check_line(diag->message);
		if (diag->excerpt && *diag->excerpt)
			fuzz_check_line(diag->excerpt);
		if (diag->place.file && strcmp(diag->place.file, source->path) == 0)
			REQUIRE(diag->place.line <= lines);
		diag_print(diag, out, true);
	}
}
