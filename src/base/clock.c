/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - clock_gettime(2) as one number, and local times in words. */
#include "base/clock.h"

#include <time.h>

int64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

const char *clock_words(struct arena *arena, int64_t time_s)
{
	time_t then = (time_t)time_s, now = time(NULL);
	struct tm t = { 0 }, today = { 0 };
	bool is_today;
	char text[64];

	localtime_r(&then, &t);
	localtime_r(&now, &today);
	is_today = t.tm_year == today.tm_year && t.tm_yday == today.tm_yday;
	if (!strftime(text, sizeof(text), is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &t))
		return "?";
	return arena_strdup(arena, text);
}
