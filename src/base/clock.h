/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - how much time passes, and times of day for people. */
#ifndef UIDWALL_BASE_CLOCK_H
#define UIDWALL_BASE_CLOCK_H

#include "base/arena.h"

/* CLOCK_MONOTONIC: nobody sets it, and it stands still while the machine sleeps. */
int64_t clock_now_us(void);
int64_t clock_now_ms(void);

/* "12:04:10", with the date where that is not today's; seconds since 1970. In the arena. */
const char *clock_words(struct arena *arena, int64_t time_s);

#endif
