/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - what the service manager is told, by sd_notify(3)'s protocol. All do nothing without
 * one. */
#ifndef UIDWALL_SERVICE_NOTIFY_H
#define UIDWALL_SERVICE_NOTIFY_H

#include "base/util.h"

/* Takes $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID out of the environment. */
void notify_init(void);

/* Lines of "KEY=VALUE". */
void notify_send(const char *format, ...) PRINTF(1, 2);
void notify_reloading(void);
/* Leaves a copy of a descriptor with the service manager, which hands it to the next process. */
void notify_store(int fd, const char *name);
/* STATUS=, and a sign of life: for the phases of something that takes long. */
void notify_phase(const char *phase);

/* Microseconds between two notify_alive(), half of what the manager waits; 0: it does not wait. */
uint64_t notify_interval_us(void);
void notify_alive(void);

#endif
