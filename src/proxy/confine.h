/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - what the proxy gives up: root first, the rest once all is set up. */
#ifndef UIDWALL_PROXY_CONFINE_H
#define UIDWALL_PROXY_CONFINE_H

#include "base/util.h"

#define PROXY_USER "uidwall-proxy"

/* Root becomes the user PROXY_USER, without any capability; anybody else must be that user. -EPERM,
 * with a line in the log, where that cannot be: unlike the wall, nobody is better off with a
 * proxy that runs as root.
 */
int confine_user(void);

/* From here on the calling thread connects and answers, and does nothing else; for good. Each one
 * is to call it: neither Landlock nor seccomp reaches the others.
 */
void confine_rest(bool with_seccomp);

#endif
