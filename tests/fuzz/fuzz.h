/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.h - what the fuzz targets have in common: the entry point, and what any message must keep
 * to. */
#ifndef UIDWALL_TESTS_FUZZ_FUZZ_H
#define UIDWALL_TESTS_FUZZ_FUZZ_H

#include "base/diag.h"
#include "policy/source.h"

/* assert() of the fuzz targets: never compiled out. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file of these bytes, as source_read() would make it. Lives in the arena. */
struct source fuzz_source(const char *path, const uint8_t *data, size_t size, struct arena *arena);

/* Ends the program unless a failure has errors and success has none, every message is one printable
 * line, its place is within the text, and all of them can be printed.
 */
void fuzz_check_diags(int r, struct diags *diags, const struct source *source);

/* Ends the program unless the text is one line without control characters. */
void fuzz_check_line(const char *text);

#endif
