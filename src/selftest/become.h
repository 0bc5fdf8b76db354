/* SPDX-License-Identifier: GPL-2.0-or-later */
/* become.h - root → a user, for good. */
#ifndef UIDWALL_SELFTEST_BECOME_H
#define UIDWALL_SELFTEST_BECOME_H

#include <sys/types.h>

#include "base/util.h"

/* Without groups besides gid, without capabilities, without a way back; nobody of that user's may
 * look into this process or change it. 0 or -errno: then the process is good for nothing.
 */
int become_user(uid_t uid, gid_t gid);

#endif
