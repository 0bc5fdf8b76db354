/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c - files → one call of the fuzz target each, where no fuzzer is linked in.
 *
 * A crash ends the program, so the name of each file is printed before it is tried.
 */
#include <string.h>

#include "fuzz.h"

static int replay_file(const char *path)
{
	AUTO(file) FILE *f = fopen(path, "r");
	AUTO(mem) uint8_t *data = NULL;
	long size;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0)
		return -1;
	rewind(f);
	/* Exactly its size, so that the address sanitizer sees a read past the end. */
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		return -1;
	LLVMFuzzerTestOneInput(data, (size_t)size);
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		printf("# %s\n", argv[i]);
		fflush(stdout);
		if (replay_file(argv[i]) < 0) {
			printf("not ok %d - cannot read %s\n", i, argv[i]);
			return 1;
		}
		printf("ok %d - %s\n", i,
		       strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
	}
	printf("1..%d\n", argc - 1);
	return 0;
}
