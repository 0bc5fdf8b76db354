/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-arena.c - memory from an arena is zeroed, aligned and apart, whatever its sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 16, 100, 4096, 8192, 70000, 200000, 600000, 1 };
	AUTO(arena) struct arena *arena = arena_new();
	char *blocks[ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		blocks[i] = arena_alloc(arena, sizes[i]);
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(blocks[i][j], 0);
		memset(blocks[i], (int)i + 1, sizes[i]);
	}
	/* nothing wrote over anything */
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(blocks[i][j], i + 1);
	assert_true(arena_bytes(arena) >= 600000);
	(void)state;
}

static void test_large_leaves_room(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	size_t before;

	arena_alloc(arena, 16);
	arena_alloc(arena, 1024 * 1024);
	before = arena_bytes(arena);
	arena_alloc(arena, 4096); /* in what is left of the first chunk */
	assert_int_equal(arena_bytes(arena), before);
	(void)state;
}

static void test_grow(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	unsigned *numbers = NULL;
	size_t n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		unsigned *last = ARENA_APPEND(arena, numbers, n);

		assert_int_equal(*last, 0);
		*last = i;
	}
	assert_int_equal(n, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	/* what was cut off comes back zeroed */
	n = 10;
	assert_int_equal(*ARENA_APPEND(arena, numbers, n), 0);
	assert_int_equal(numbers[9], 9);
	(void)state;
}

static void test_strings(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	char *copy = arena_strndup(arena, "a\0b", 3);

	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_string_equal(arena_printf(arena, "%s-%05d", "x", 42), "x-00042");
	assert_int_equal(strlen(arena_printf(arena, "%9000d", 1)), 9000);
	arena_free(NULL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_and_aligned),
		cmocka_unit_test(test_large_leaves_room),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
