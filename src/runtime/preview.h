/* SPDX-License-Identifier: GPL-2.0-or-later */
/* preview.h - what a reload would change, without changing it. */
#ifndef UIDWALL_RUNTIME_PREVIEW_H
#define UIDWALL_RUNTIME_PREVIEW_H

#include "runtime/wall.h"
#include "wire/writer.h"

/* Reads the files as wall_reload() would and writes members of an object that the caller has begun:
 * "ok" and "error" (a reload would fail with it), "differs", "services", "sockets" (those that
 * would be closed), "diags".
 */
void preview_write(const struct wall *wall, struct writer *w);

#endif
