/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-request.c - bytes of the control socket → a call. Anybody on the machine may send them. */
#include "fuzz.h"
#include "wire/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(mem) char *bytes = malloc(size ? size : 1);
	const char *error = NULL;
	struct request request;

	if (!bytes)
		return 0;
	/* Not NUL-terminated, as it comes out of a frame. */
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)data[i];
	if (request_parse(bytes, size, arena, &request, &error) < 0)
		fuzz_check_line(error);
	else if (!request_call_name(request.call) || request.confirm_s == 0 ||
		 request.confirm_s > REQUEST_CONFIRM_MAX)
		abort();
	return 0;
}
