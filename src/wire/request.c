/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - bytes from anybody → a call with its arguments, or one line that says what is wrong.
 *
 * jansson gives up on more than 2048 levels of nesting (JSON_PARSER_MAX_DEPTH), so hostile input
 * cannot use up the stack.
 */
#include "wire/request.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/diag.h"

enum { QUOTE_MAX = 80 };

#define UID_MAX 4294967294

enum argument_type { TEXT, TEXTS, NUMBER, RECORDS };

static const struct {
	const char *name;
	enum argument_type type;
	size_t offset; /* in struct request */
	const char *expected;
	json_int_t min, max; /* of numbers */
} arguments[] = {
	{ "service", TEXT, offsetof(struct request, service), "a string", 0, 0 },
	{ "from", TEXT, offsetof(struct request, from), "a string", 0, 0 },
	{ "host", TEXT, offsetof(struct request, host), "a string", 0, 0 },
	{ "targets", TEXTS, offsetof(struct request, targets), "a list of 1 to 64 strings", 0, 0 },
	{ "uid", NUMBER, offsetof(struct request, uid), "a number from 0 to 4294967294", 0,
	  UID_MAX },
	{ "from_uid", NUMBER, offsetof(struct request, from_uid), "a number from 0 to 4294967294",
	  0, UID_MAX },
	{ "confirm_s", NUMBER, offsetof(struct request, confirm_s),
	  "a number of seconds from 1 to 86400", 1, REQUEST_CONFIRM_MAX },
	{ "generation", NUMBER, offsetof(struct request, generation), "a number", 0, INT64_MAX },
	{ "records", RECORDS, offsetof(struct request, records), "a list of records", 0, 0 },
};

/* Names of arguments, separated by blanks. */
static const struct {
	const char *name;
	const char *needs;
	const char *takes; /* besides */
} calls[] = {
	[CALL_STATUS] = { "status", "", "" },
	[CALL_SHOW] = { "show", "service", "" },
	[CALL_APPLY] = { "apply", "", "confirm_s" },
	[CALL_CONFIRM] = { "confirm", "", "" },
	[CALL_ROLLBACK] = { "rollback", "", "" },
	[CALL_DIFF] = { "diff", "", "" },
	[CALL_WHY] = { "why", "targets", "service uid host from from_uid" },
	[CALL_OFF] = { "off", "", "service" },
	[CALL_ON] = { "on", "", "service" },
	[CALL_LISTS] = { "lists", "", "generation" },
	[CALL_RECORD] = { "record", "records", "" },
};

/* Of a record; what is missing is NULL or 0. */
static const struct {
	const char *name;
	enum argument_type type;
	size_t offset; /* in struct request_record */
	json_int_t max;
} record_members[] = {
	{ "service", TEXT, offsetof(struct request_record, service), 0 },
	{ "host", TEXT, offsetof(struct request_record, host), 0 },
	{ "reason", TEXT, offsetof(struct request_record, reason), 0 },
	{ "file", TEXT, offsetof(struct request_record, file), 0 },
	{ "entry", TEXT, offsetof(struct request_record, entry), 0 },
	{ "port", NUMBER, offsetof(struct request_record, port), UINT16_MAX },
	{ "line", NUMBER, offsetof(struct request_record, line), UINT32_MAX },
	{ "count", NUMBER, offsetof(struct request_record, count), UINT32_MAX },
	{ "sent", NUMBER, offsetof(struct request_record, sent), INT64_MAX / 2 },
	{ "received", NUMBER, offsetof(struct request_record, received), INT64_MAX / 2 },
	{ "first", NUMBER, offsetof(struct request_record, first), UINT32_MAX },
	{ "last", NUMBER, offsetof(struct request_record, last), UINT32_MAX },
};

DEFINE_CLEANUP(json, json_t *, json_decref)

const char *request_call_name(enum request_call call)
{
	return calls[call].name;
}

static const char *quote(struct arena *arena, const char *text)
{
	return text_printable(arena, text, strlen(text), QUOTE_MAX);
}

static int find_call(const char *name, struct request *request)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (strcmp(name, calls[i].name) == 0) {
			request->call = (enum request_call)i;
			return 0;
		}
	return -ENOENT;
}

static int take_call(const json_t *root, struct arena *arena, struct request *request,
		     const char **ret_error)
{
	const char *name = json_string_value(json_object_get(root, "call"));

	if (!name) {
		*ret_error = "expected a JSON object with \"call\" and the name of a call";
		return -EINVAL;
	}
	if (find_call(name, request) < 0) {
		*ret_error = arena_printf(arena, "unknown call \"%s\"", quote(arena, name));
		return -EINVAL;
	}
	return 0;
}

/* Whether the name is one of the words. */
static bool has_word(const char *words, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == length && strncmp(at, name, n) == 0)
			return true;
		at += n;
	}
	return false;
}

static bool take_texts(const json_t *value, struct arena *arena, struct request *request)
{
	size_t n = json_array_size(value);

	if (n < 1 || n > REQUEST_TEXTS_MAX)
		return false;
	request->targets = arena_alloc(arena, n * sizeof(*request->targets));
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (!text)
			return false;
		request->targets[i] = arena_strdup(arena, text);
	}
	request->n_targets = n;
	return true;
}

static bool take_member(size_t member, const json_t *value, struct arena *arena,
			struct request_record *record)
{
	void *field = (char *)record + record_members[member].offset;
	json_int_t number = json_integer_value(value);

	if (!value || json_is_null(value))
		return true;
	if (record_members[member].type == NUMBER) {
		*(int64_t *)field = number;
		return json_is_integer(value) && number >= 0 &&
		       number <= record_members[member].max;
	}
	if (!json_is_string(value) || json_string_length(value) > REQUEST_RECORD_TEXT_MAX)
		return false;
	*(const char **)field = arena_strdup(arena, json_string_value(value));
	return true;
}

static bool take_records(const json_t *value, struct arena *arena, struct request *request)
{
	size_t n = json_array_size(value);

	if (n < 1 || n > REQUEST_RECORDS_MAX)
		return false;
	request->records = arena_alloc(arena, n * sizeof(*request->records));
	for (size_t i = 0; i < n; i++) {
		const json_t *member = json_array_get(value, i);
		const char *verdict = json_string_value(json_object_get(member, "verdict"));
		struct request_record *record = &request->records[i];

		if (!verdict)
			return false;
		record->verdict = record_verdict_parse(verdict);
		if (record->verdict == RECORD_VERDICT_COUNT)
			return false;
		for (size_t j = 0; j < ARRAY_SIZE(record_members); j++)
			if (!take_member(j, json_object_get(member, record_members[j].name), arena,
					 record))
				return false;
	}
	request->n_records = n;
	return true;
}

static bool take_value(size_t argument, const json_t *value, struct arena *arena,
		       struct request *request)
{
	void *field = (char *)request + arguments[argument].offset;
	json_int_t number = json_integer_value(value);

	switch (arguments[argument].type) {
	case TEXT:
		if (!json_is_string(value))
			return false;
		*(const char **)field = arena_strdup(arena, json_string_value(value));
		return true;
	case TEXTS:
		return take_texts(value, arena, request);
	case RECORDS:
		return take_records(value, arena, request);
	case NUMBER:
		if (!json_is_integer(value) || number < arguments[argument].min ||
		    number > arguments[argument].max)
			return false;
		*(int64_t *)field = number;
		return true;
	}
	abort();
}

static int take_argument(const char *key, const json_t *value, struct arena *arena,
			 struct request *request, const char **ret_error)
{
	const char *call = calls[request->call].name;

	if (strcmp(key, "call") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		if (strcmp(key, arguments[i].name) != 0 ||
		    !(has_word(calls[request->call].needs, key) ||
		      has_word(calls[request->call].takes, key)))
			continue;
		if (take_value(i, value, arena, request))
			return 0;
		*ret_error = arena_printf(arena, "call \"%s\": expected %s as \"%s\"", call,
					  arguments[i].expected, key);
		return -EINVAL;
	}
	*ret_error = arena_printf(arena, "call \"%s\" takes no \"%s\"", call, quote(arena, key));
	return -EINVAL;
}

int request_parse(const char *bytes, size_t n, struct arena *arena, struct request *ret_request,
		  const char **ret_error)
{
	AUTO(json) json_t *root = NULL;
	struct request request = { .uid = REQUEST_NO_NUMBER,
				   .from_uid = REQUEST_NO_NUMBER,
				   .confirm_s = REQUEST_NO_NUMBER,
				   .generation = REQUEST_NO_NUMBER };
	const char *needs;
	json_error_t error;
	const char *key;
	json_t *value;
	int r;

	root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		*ret_error = arena_printf(arena, "the request is not JSON: %s",
					  quote(arena, error.text));
		return -EINVAL;
	}
	r = take_call(root, arena, &request, ret_error);
	json_object_foreach(root, key, value)
	{
		if (r == 0)
			r = take_argument(key, value, arena, &request, ret_error);
	}
	if (r < 0)
		return r;
	needs = calls[request.call].needs; /* one at most */
	if (*needs && !json_object_get(root, needs)) {
		*ret_error = arena_printf(arena, "call \"%s\" needs a \"%s\"",
					  calls[request.call].name, needs);
		return -EINVAL;
	}
	*ret_request = request;
	return 0;
}
