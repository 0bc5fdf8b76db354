/* SPDX-License-Identifier: GPL-2.0-or-later */
/* credentials.h - a file that only root may read → user and password for the site's proxy. */
#ifndef UIDWALL_PROXY_CREDENTIALS_H
#define UIDWALL_PROXY_CREDENTIALS_H

#include "base/diag.h"

enum { CREDENTIALS_MAX = 512 /* bytes, both together */ };

struct credentials {
	char bytes[CREDENTIALS_MAX];
	const char *user, *password; /* in there; NULL: none */
};

/* `user:password` on one line. Root reads the file itself; others what the service manager has
 * loaded of it, $CREDENTIALS_DIRECTORY and the file's last name (systemd.exec(5), LoadCredential=).
 * 0 or -errno, with diags that show nothing of the contents.
 */
int credentials_read(const char *path, struct place place, struct credentials *ret,
		     struct diags *diags);
void credentials_wipe(struct credentials *credentials);

#endif
