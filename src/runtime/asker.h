/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asker.h - a process that asks the name service, so that the daemon need not wait for it. */
#ifndef UIDWALL_RUNTIME_ASKER_H
#define UIDWALL_RUNTIME_ASKER_H

/* Starts it, and leaves nss_ask() to it. To be called before the sandbox, in which no process can
 * be made any more. Where it cannot be started that is logged, and every question fails.
 */
void asker_start(void);

/* The process ends. */
void asker_end(void);

#endif
