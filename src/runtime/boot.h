/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.h - which boot of the machine this is, and for how long it has lasted. */
#ifndef UIDWALL_RUNTIME_BOOT_H
#define UIDWALL_RUNTIME_BOOT_H

#include "base/util.h"

enum { BOOT_ID_MAX = 63 };

/* A word that is another one after the next boot, also that of a container: the kernel's id does
 * not change with those, but they get a new first process.
 */
int boot_read_id(char ret_id[BOOT_ID_MAX + 1]);

/* CLOCK_BOOTTIME: nobody sets it, and it runs on while the machine is suspended. */
int64_t boot_now_ms(void);

#endif
