/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - the bytes of a call → what is asked. */
#ifndef UIDWALL_WIRE_REQUEST_H
#define UIDWALL_WIRE_REQUEST_H

#include "base/arena.h"
#include "wire/verdict.h"

enum request_call {
	CALL_STATUS,
	CALL_SHOW,
	CALL_APPLY,
	CALL_CONFIRM,
	CALL_ROLLBACK,
	CALL_DIFF,
	CALL_WHY,
	CALL_OFF,
	CALL_ON,
	CALL_LISTS,
	CALL_RECORD,
};

enum { REQUEST_NO_NUMBER = -1, REQUEST_TEXTS_MAX = 64, REQUEST_CONFIRM_MAX = 24 * 60 * 60 };
enum { REQUEST_RECORDS_MAX = 1024, REQUEST_RECORD_TEXT_MAX = 512 };

/* What the proxy decided, so and so often alike. */
struct request_record {
	const char *service; /* NULL: of callers that no policy governs */
	const char *host;    /* NULL: of several hosts */
	int64_t port;
	enum record_verdict verdict;
	const char *reason; /* these may be NULL */
	const char *file;   /* of the policy, and its line that decided */
	int64_t line;
	const char *entry; /* to add to "hosts" */
	int64_t count;
	int64_t sent, received; /* bytes */
	int64_t first, last;	/* seconds since 1970 */
};

struct request {
	enum request_call call;
	const char *service; /* texts: NULL where none was given */
	const char *from;
	const char *host;
	const char **targets;
	size_t n_targets;
	int64_t uid; /* numbers: REQUEST_NO_NUMBER where none was given */
	int64_t from_uid;
	int64_t confirm_s;
	int64_t generation;
	struct request_record *records;
	size_t n_records;
};

/* Texts live in the arena. 0, or -EINVAL and *ret_error says in one printable line what is wrong
 * with it.
 */
int request_parse(const char *bytes, size_t n, struct arena *arena, struct request *ret_request,
		  const char **ret_error);

const char *request_call_name(enum request_call call);

#endif
