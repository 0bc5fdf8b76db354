/* SPDX-License-Identifier: GPL-2.0-or-later */
/* folder.h - a state folder of a test's own. */
#ifndef UIDWALL_TESTS_LIB_FOLDER_H
#define UIDWALL_TESTS_LIB_FOLDER_H

#include <sys/types.h>

extern char folder_name[];

int folder_make(void); /* for a group's set-up: 0 or -1 */
int folder_remove(
	void **state); /* a teardown: fails where more was left than what a state folder holds */

const char *folder_path(const char *name); /* until the next call */

/* A file in it, in place of one that may be there. */
void folder_put(const char *name, const char *bytes, size_t n, mode_t mode);

#endif
