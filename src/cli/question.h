/* SPDX-License-Identifier: GPL-2.0-or-later */
/* question.h - the words behind "uidwall why" → a question. */
#ifndef UIDWALL_CLI_QUESTION_H
#define UIDWALL_CLI_QUESTION_H

#include "cli/cli.h"

enum { QUESTION_NO_UID = -1 };

struct question {
	const char *subject; /* as typed: a service, a user or a uid */
	int64_t uid;	     /* of the user of that name, or that number */
	const char *from;    /* a user's name or an address; NULL: nobody connects to the subject */
	int64_t from_uid;
	/* The name or address that was asked about, or NULL: as names/host.h has them, where it can
	 * be one.
	 */
	const char *host;
	bool is_name; /* a name, and not this machine's own */
	bool is_web;  /* a URL of http or https */
	const char **targets;
	size_t n_targets;
	/* Why a web server's name has no address here; targets is its port then, for the proxy's
	 * verdict. */
	const char *unresolved;
	size_t n_left_out; /* addresses of the name, above what one question takes */
};

/* Says so; CLI_BAD_USE. */
enum cli_status question_unresolved(struct cli *cli, const struct question *question);

/* Names are resolved. CLI_BAD_USE after a line on stderr. */
enum cli_status question_parse(struct cli *cli, struct question *ret_question);

#endif
