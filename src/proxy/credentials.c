/* SPDX-License-Identifier: GPL-2.0-or-later */
/* credentials.c - a file that only root may read → user and password for the site's proxy. */
#include "proxy/credentials.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

static int fail(struct diags *diags, struct place place, int r, const char *path, const char *what)
{
	diag_add(diags, DIAG_ERROR, place, "%s: %s", path, what);
	return r;
}

/* Who may look into it counts for the file that was named, wherever its contents come from. */
static int check_file(const char *path, struct place place, struct diags *diags)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return fail(diags, place, -errno, path,
			    errno == ENOENT ?
				    "there is no such file; it is to hold user:password on one "
				    "line, and to belong to root with mode 0600" :
				    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(diags, place, -EINVAL, path, "is not a regular file");
	if (st.st_uid != 0 || (st.st_mode & 077))
		return fail(diags, place, -EPERM, path,
			    "holds a password, so it has to belong to root with mode 0600 (chown "
			    "root, chmod 600)");
	return 0;
}

/* malloc'd, or NULL where the service manager has loaded nothing. */
static char *loaded_path(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY"), *slash = strrchr(path, '/');
	char *loaded = NULL;

	if (geteuid() == 0 || !folder || !slash ||
	    asprintf(&loaded, "%s/%s", folder, slash + 1) < 0)
		return NULL;
	return loaded;
}

/* The one line of a file, its end cut off. -EBADMSG: it is not one line; -ENODATA: it is empty. */
static int read_line(const char *path, char ret_line[CREDENTIALS_MAX])
{
	char *bytes = NULL;
	size_t n = 0, length;
	int r = file_read(path, CREDENTIALS_MAX - 1, &bytes, &n);

	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	length = n;
	if (length && bytes[length - 1] == '\n')
		bytes[--length] = '\0';
	if (length && bytes[length - 1] == '\r')
		bytes[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)bytes[i] < ' ' || bytes[i] == 127)
			r = -EBADMSG;
	if (r == 0)
		memcpy(ret_line, bytes, length + 1);
	explicit_bzero(bytes, n);
	free(bytes);
	return r == 0 && !length ? -ENODATA : r;
}

static bool split(struct credentials *credentials)
{
	char *colon = strchr(credentials->bytes, ':');

	if (!colon || colon == credentials->bytes)
		return false;
	*colon = '\0';
	credentials->user = credentials->bytes;
	credentials->password = colon + 1;
	return true;
}

int credentials_read(const char *path, struct place place, struct credentials *ret,
		     struct diags *diags)
{
	AUTO(mem) char *loaded = loaded_path(path);
	int r = check_file(path, place, diags);

	*ret = (struct credentials){ 0 };
	if (r < 0)
		return r;
	r = read_line(loaded ? loaded : path, ret->bytes);
	if (r == -EACCES || (loaded && (r == -ENOENT || r == -ENODATA)))
		r = fail(diags, place, r, path,
			 "only root may read it, and the service manager has not loaded it: start "
			 "uidwall-proxy as root, or give its unit (\"systemctl edit "
			 "uidwall-proxy\") "
			 "a line LoadCredential=NAME:PATH with the last part of the path as NAME, "
			 "and "
			 "restart it");
	else if (r == -EBADMSG || r == -ENODATA || (r == 0 && !split(ret)))
		r = fail(diags, place, -EBADMSG, path,
			 "expected user:password on one line, at most 511 bytes");
	else if (r < 0)
		r = fail(diags, place, r, path, strerror(-r));
	if (r < 0)
		credentials_wipe(ret);
	return r;
}

void credentials_wipe(struct credentials *credentials)
{
	explicit_bzero(credentials, sizeof(*credentials));
}
