/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.h - which files the daemon may change. */
#ifndef UIDWALL_RUNTIME_LANDLOCK_H
#define UIDWALL_RUNTIME_LANDLOCK_H

#include "runtime/sandbox.h"

/* From here on no file can be changed but in the state folder, and the control socket removed; none
 * executed, nothing of TCP. Returns the version of the kernel's Landlock, 0 where it has none.
 */
unsigned landlock_enter(const struct sandbox_options *options);

/* No file can be changed at all, and no other process be sent signals; TCP is left alone. */
void landlock_enter_modules(void);

#endif
