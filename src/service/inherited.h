/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherited.h - descriptors that the service manager hands over, by sd_listen_fds(3). */
#ifndef UIDWALL_SERVICE_INHERITED_H
#define UIDWALL_SERVICE_INHERITED_H

#include "base/util.h"

/* Calls fn for each of them, in their order, with its name ("" where it has none); whoever takes
 * one closes it. Takes $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES out of the environment.
 */
void inherited_take(void (*fn)(void *data, int fd, const char *name), void *data);

#endif
