/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt.h - one attempt with a socket of this process → what was seen. */
#ifndef UIDWALL_SELFTEST_ATTEMPT_H
#define UIDWALL_SELFTEST_ATTEMPT_H

#include "selftest/job.h"

/* All ways but libcurl's (web.h). Takes at most JOB_TIMEOUT_MS; leaves no socket open. */
void attempt_run(const struct job *job, struct seen *ret_seen);

/* The ways to say how it ended; since: clock_now_us() at the start. */
void attempt_end(struct seen *seen, enum seen_end end, enum seen_stage stage, int error,
		 int64_t since);
uint16_t attempt_source_port(int fd); /* 0: none yet */

#endif
