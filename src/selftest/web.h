/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web.h - one attempt by libcurl, directly or through the proxy → what was seen. */
#ifndef UIDWALL_SELFTEST_WEB_H
#define UIDWALL_SELFTEST_WEB_H

#include "selftest/job.h"

/* Once, before processes are forked. 0 or -errno. */
int web_init(void);

bool web_is(const struct job *job); /* whether its way is libcurl's */

/* Takes at most JOB_TIMEOUT_MS. */
void web_run(const struct job *job, struct seen *ret_seen);

#endif
