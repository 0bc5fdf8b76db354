/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-lists.c - bytes of the daemon → lists of the proxy, after other lists: what comes before a
 * zero byte is read first. Whatever is taken is JSON, as jansson sees it, and look-ups in it end.
 */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "proxy/daemon/lists.h"

/* jansson looks at UTF-8, which the reader leaves to others. */
static bool is_ascii(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)bytes[i] >= 0x80)
			return false;
	return true;
}

static void check_json(const char *bytes, size_t n)
{
	json_error_t error;
	json_t *tree = json_loadb(bytes, n, 0, &error);

	if (!tree && is_ascii(bytes, n)) {
		fprintf(stderr, "taken, and no JSON: %s\n", error.text);
		abort();
	}
	json_decref(tree);
}

static void look_up(const struct lists *lists)
{
	static const uint32_t uids[] = { 0, 1, 1001, 100000, UINT32_MAX };
	static const uint64_t groups[] = { 0, 1, 77, INT64_MAX };
	const char *user;

	for (size_t i = 0; i < ARRAY_SIZE(uids); i++)
		for (size_t j = 0; j < ARRAY_SIZE(groups); j++) {
			const struct list *list = lists_find(lists, uids[i], groups[j], &user);

			if (list && lists_find_service(lists, list->service) != list)
				abort();
		}
	for (size_t i = 0; i < lists_count(lists); i++) {
		const struct list *list = lists_at(lists, i);

		if (!list->service || !list->file || !list->hosts || list->mode > LIST_OFF)
			abort();
		host_list_has_port(list->hosts, 443);
	}
}

static struct lists *read_lists(const char *bytes, size_t n, const struct lists *before)
{
	struct lists *lists = NULL;
	char *error = NULL;

	if (lists_parse(bytes, n, before, &lists, &error) < 0) {
		fuzz_check_line(error);
		free(error);
		return NULL;
	}
	check_json(bytes, n);
	look_up(lists);
	return lists;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mem) char *bytes = calloc(1, size ? size : 1);
	struct lists *before, *after;
	const char *zero;
	size_t n;

	if (!bytes)
		return 0;
	if (size)
		memcpy(bytes, data, size); /* no byte too many */
	zero = size ? memchr(bytes, '\0', size) : NULL;
	n = zero ? (size_t)(zero - bytes) : size;
	before = read_lists(bytes, n, NULL);
	if (zero) {
		after = read_lists(zero + 1, size - n - 1, before);
		lists_free(before);
		before = NULL;
		if (after)
			look_up(after); /* it lives on by itself */
		lists_free(after);
	}
	lists_free(before);
	return 0;
}
