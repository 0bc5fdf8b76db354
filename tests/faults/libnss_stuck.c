/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libnss_stuck.c - a module of the name service that may hang or crash: nsswitch.conf's "stuck".
 *
 * It knows the user "ldapper" and the group "ldapgroup" of ldapper and erp. While $NSS_STUCK/hang
 * exists every question waits for ever; while $NSS_STUCK/crash does, it is the end of whoever asks;
 * with $NSS_STUCK/away it knows nobody.
 */
/* libnss_stuck.c - a module of the name service that may hang or crash: nsswitch.conf's "stuck".
 *
 * It knows the user "ldapper" and the group "ldapgroup" of ldapper and erp. While $NSS_STUCK/hang
 * exists every question waits for ever; while $NSS_STUCK/crash does, it is the end of whoever asks.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LDAPPER = 2201, LDAPGROUP = 2202 };

static char empty[] = "", user_name[] = "ldapper", group_name[] = "ldapgroup", other[] = "erp";
static char *members[] = { user_name, other, NULL };

static int exists(const char *name)
{
	const char *folder = getenv("NSS_STUCK");
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/nonexistent", name);
	return access(path, F_OK) == 0;
}

/* At a boot nobody has an environment; and only one name hangs, for others ask, too. */
static int hangs_at_boot(const char *name)
{
	return strcmp(name, user_name) == 0 && access("/etc/stuck-hangs", F_OK) == 0;
}

static void suffer(void)
{
	if (exists("crash"))
		abort();
	while (exists("hang"))
		pause();
}

static enum nss_status give_user(int known, struct passwd *result)
{
	suffer();
	*result = (struct passwd){ .pw_name = user_name,
				   .pw_passwd = empty,
				   .pw_uid = LDAPPER,
				   .pw_gid = LDAPPER,
				   .pw_gecos = empty,
				   .pw_dir = empty,
				   .pw_shell = empty };
	return known && !exists("away") ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

static enum nss_status give_group(int known, struct group *result)
{
	suffer();
	*result = (struct group){
		.gr_name = group_name, .gr_passwd = empty, .gr_gid = LDAPGROUP, .gr_mem = members
	};
	return known && !exists("away") ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_stuck_getpwnam_r(const char *name, struct passwd *result, char *buffer,
				      size_t n, int *errnop)
{
	while (hangs_at_boot(name))
		pause();
	return give_user(strcmp(name, user_name) == 0, result);
}

enum nss_status _nss_stuck_getpwuid_r(uid_t uid, struct passwd *result, char *buffer, size_t n,
				      int *errnop)
{
	return give_user(uid == LDAPPER, result);
}

enum nss_status _nss_stuck_getgrnam_r(const char *name, struct group *result, char *buffer,
				      size_t n, int *errnop)
{
	return give_group(strcmp(name, group_name) == 0, result);
}

enum nss_status _nss_stuck_getgrgid_r(gid_t gid, struct group *result, char *buffer, size_t n,
				      int *errnop)
{
	return give_group(gid == LDAPGROUP, result);
}
