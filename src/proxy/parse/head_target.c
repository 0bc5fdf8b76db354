/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_target.c - a request's target and Host → where it wants to go.
 *
 * Of an absolute target the authority counts, and Host is written anew (RFC 9112, 3.2.2: "MUST
 * ignore the received Host header field"). What a redirected client says was meant for a server,
 * which has no such rule: there the two must agree.
 */
#include "proxy/parse/head_parts.h"

#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80 };

static bool host_equal(const struct host *a, const struct host *b)
{
	return strcmp(a->name, b->name) == 0;
}

static int read_connect(struct head *head, struct head_error *error)
{
	const char *why;

	if (head->kind == HEAD_TRANSPARENT)
		return head_fail(error, 405,
				 "CONNECT is for proxies, and this client was told of none");
	if (host_parse_port(head->target, head->target_length, 0, &head->host, &head->port, &why) <
	    0)
		return head_fail(error, 400, "what CONNECT asks for is no host and port");
	if (head->port == 0)
		return head_fail(error, 400, "CONNECT needs a port, as in example.org:443");
	return 0;
}

static int refuse_scheme(const char *target, size_t n, struct head_error *error)
{
	static const char *const with_tls[] = { "https", "wss" };

	for (size_t i = 0; i < ARRAY_SIZE(with_tls); i++)
		if (strlen(with_tls[i]) == n && strncasecmp(with_tls[i], target, n) == 0)
			return head_fail(error, 400,
					 "https:// goes through a proxy by CONNECT, so that nobody "
					 "but the server reads it");
	return head_fail(error, 501, "only http:// and CONNECT are spoken here");
}

static int refuse_form(const struct head *head, struct head_error *error)
{
	if (head->kind == HEAD_TRANSPARENT)
		return head_fail(error, 400, "the target is neither a path nor an http:// address");
	if (head->target[0] == '/' || head->target[0] == '*')
		return head_fail(error, 400,
				 "this is a proxy, not a web server: its target must be a whole "
				 "http:// address, or CONNECT be used");
	return head_fail(error, 400, "the target is no http:// address");
}

/* Leaves the path and query as the target. */
static int read_absolute(struct head *head, struct head_error *error)
{
	const char *target = head->target, *end = target + head->target_length, *why;
	const char *colon = memchr(target, ':', head->target_length);
	const char *authority, *path;

	if (!colon || end - colon < 3 || memcmp(colon, "://", 3) != 0)
		return refuse_form(head, error);
	if (colon - target != 4 || strncasecmp(target, "http", 4) != 0)
		return refuse_scheme(target, (size_t)(colon - target), error);

	authority = path = colon + 3;
	while (path < end && *path != '/' && *path != '?')
		path++;
	if (memchr(authority, '@', (size_t)(path - authority)))
		return head_fail(error, 400, "the address has a user's name or password in it");
	if (host_parse_port(authority, (size_t)(path - authority), PORT_HTTP, &head->host,
			    &head->port, &why) < 0 ||
	    head->port == 0)
		return head_fail(error, 400, "the address names no proper host");
	head->target = path;
	head->target_length = (uint16_t)(end - path);
	return 0;
}

/* Where the target says it as well, Host is only looked at. */
static int read_host(struct head *head, const char *text, size_t n, bool is_needed,
		     struct head_error *error)
{
	struct host host;
	uint16_t port;
	const char *why;

	if (!text)
		return is_needed ? head_fail(error, 400, "it does not say which Host it is for") :
				   0;
	if (n == 0 && !is_needed)
		return 0;
	if (host_parse_port(text, n, PORT_HTTP, &host, &port, &why) < 0 || port == 0)
		return head_fail(error, 400, "the Host field names no proper host");
	if (is_needed) {
		head->host = host;
		head->port = port;
	} else if (head->kind == HEAD_TRANSPARENT &&
		   (!host_equal(&host, &head->host) || port != head->port)) {
		return head_fail(error, 400, "the target and the Host field name different hosts");
	}
	return 0;
}

int head_read_target(struct head *head, const char *host, size_t n, struct head_error *error)
{
	bool is_star = head->target_length == 1 && head->target[0] == '*' &&
		       head_method_is(head, "OPTIONS");
	bool is_path = head->kind == HEAD_TRANSPARENT && (head->target[0] == '/' || is_star);
	int r = 0;

	if (memchr(head->target, '#', head->target_length))
		return head_fail(error, 400, "the target has a fragment, which is never sent");
	if (head->minor > 0 && !host)
		return head_fail(error, 400, "there is no Host field");
	if (head->is_connect)
		r = read_connect(head, error);
	else if (!is_path)
		r = read_absolute(head, error);
	else if (is_star)
		head->target_length = 0;
	return r < 0 ? r : read_host(head, host, n, is_path, error);
}
