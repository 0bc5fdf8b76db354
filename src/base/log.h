/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - lines for the sysadmin on stderr. Only runtime, proxy and cli talk. */
#ifndef UIDWALL_BASE_LOG_H
#define UIDWALL_BASE_LOG_H

#include "base/diag.h"

/* The numbers are syslog's. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO };

/* To be called once, before the first line. */
void log_init(const char *program);

void log_error(const char *format, ...) PRINTF(1, 2);
void log_warning(const char *format, ...) PRINTF(1, 2);
void log_notice(const char *format, ...) PRINTF(1, 2);
void log_info(const char *format, ...) PRINTF(1, 2);

/* All messages, each with its line of text. */
void log_diags(const struct diags *diags);

#endif
