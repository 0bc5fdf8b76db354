/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts_file.h - /etc/hosts: a name → the addresses written beside it. */
#ifndef UIDWALL_PROXY_HOSTS_FILE_H
#define UIDWALL_PROXY_HOSTS_FILE_H

#include "base/addr.h"

struct hosts_file;

int hosts_file_new(const char *path, struct hosts_file **ret_file); /* 0 or -errno */
void hosts_file_free(struct hosts_file *file);			    /* NULL is fine */
DEFINE_CLEANUP(hosts_file, struct hosts_file *, hosts_file_free)

/* Whether it is another one than before, and is read now: a stat(2) where it is not. A file that
 * cannot be read is an empty one.
 */
bool hosts_file_update(struct hosts_file *file);

/* In the file's order. `name` in lower case. Returns how many. */
size_t hosts_file_find(const struct hosts_file *file, const char *name,
		       struct prefix *ret_addresses, size_t max);

#endif
