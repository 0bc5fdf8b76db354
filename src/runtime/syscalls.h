/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syscalls.h - which system calls the daemon may make. */
#ifndef UIDWALL_RUNTIME_SYSCALLS_H
#define UIDWALL_RUNTIME_SYSCALLS_H

#include "base/util.h"

/* From here on the kernel knows no others. Returns how many are allowed; 0, with a line in the log:
 * it cannot filter them.
 */
unsigned syscalls_enter(void);

/* The same for a process that runs modules of the name service: all but what none of them needs. */
void syscalls_enter_modules(void);

#endif
