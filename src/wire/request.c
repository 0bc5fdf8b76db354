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

enum argument_use { NOT_TAKEN, OPTIONAL, REQUIRED };

static const struct {
	const char *name;
	enum argument_use service;
} calls[] = {
	[CALL_STATUS] = { "status", NOT_TAKEN }, [CALL_SHOW] = { "show", REQUIRED },
	[CALL_APPLY] = { "apply", NOT_TAKEN },	 [CALL_OFF] = { "off", OPTIONAL },
	[CALL_ON] = { "on", OPTIONAL },
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

static int take_argument(const char *key, const json_t *value, struct arena *arena,
			 struct request *request, const char **ret_error)
{
	const char *call = calls[request->call].name;

	if (strcmp(key, "call") == 0)
		return 0;
	if (strcmp(key, "service") != 0 || calls[request->call].service == NOT_TAKEN) {
		*ret_error =
			arena_printf(arena, "call \"%s\" takes no \"%s\"", call, quote(arena, key));
		return -EINVAL;
	}
	if (!json_is_string(value)) {
		*ret_error =
			arena_printf(arena, "call \"%s\": expected a string as \"%s\"", call, key);
		return -EINVAL;
	}
	request->service = arena_strdup(arena, json_string_value(value));
	return 0;
}

int request_parse(const char *bytes, size_t n, struct arena *arena, struct request *ret_request,
		  const char **ret_error)
{
	AUTO(json) json_t *root = NULL;
	struct request request = { 0 };
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
	if (calls[request.call].service == REQUIRED && !request.service) {
		*ret_error = arena_printf(arena, "call \"%s\" needs a \"service\"",
					  calls[request.call].name);
		return -EINVAL;
	}
	*ret_request = request;
	return 0;
}
