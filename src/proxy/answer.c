/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - what was decided → the response that a client sees. */
#include "proxy/answer.h"

#include <stdarg.h>
#include <string.h>

enum {
	HOST_MAX = 256 + 2,
	BODY_MAX = 1536,
	REASON_MAX = 160,
	ALERT_RECORD = 21,
	ALERT_FATAL = 2,
	ALERT_ACCESS_DENIED = 49, /* RFC 8446, 6.2: "when access control was applied" */
};

const char answer_established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
const char answer_tls_alert[ANSWER_TLS_ALERT_LENGTH] = {
	ALERT_RECORD, 3, 3, 0, 2, ALERT_FATAL, ALERT_ACCESS_DENIED,
};

struct status {
	int status;
	const char *proxy_status; /* an error's type, RFC 9209, 2.3; NULL: none that is sure */
};

static const struct status statuses[] = {
	{ 400, "http_request_error" },
	{ 403, "http_request_denied" },
	{ 405, "http_request_error" },
	{ 408, NULL },
	{ 414, "http_request_error" },
	{ 417, "http_request_error" },
	{ 429, "connection_limit_reached" },
	{ 431, "http_request_error" },
	{ 501, "http_request_error" },
	{ 502, NULL },
	{ 503, NULL },
	{ 504, "connection_timeout" },
	{ 505, "http_request_error" },
	{ 508, "proxy_loop_detected" },
};

static const struct status *find_status(int status)
{
	static const struct status other = { 500, "proxy_internal_error" };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return &other;
}

struct text {
	char bytes[BODY_MAX];
	size_t n;
};

/* What does not fit is cut off. */
PRINTF(2, 3)
static void add(struct text *text, const char *format, ...)
{
	size_t left = sizeof(text->bytes) - text->n;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->bytes + text->n, left, format, args);
	va_end(args);
	if (n > 0)
		text->n += (size_t)n < left ? (size_t)n : left - 1;
}

/* One line of ASCII, whatever a name or somebody else's message has in it: it may become a field.
 */
static void clean(char *text, size_t n, bool keep_lines)
{
	for (size_t i = 0; i < n; i++)
		if ((text[i] < ' ' || text[i] > '~') && !(keep_lines && text[i] == '\n'))
			text[i] = '?';
}

static size_t compose(const struct status *status, struct text *reason, struct text *body,
		      char ret_bytes[ANSWER_MAX])
{
	int n;

	clean(reason->bytes, reason->n, false);
	clean(body->bytes, body->n, true);
	n = snprintf(ret_bytes, ANSWER_MAX,
		     "HTTP/1.1 %d %.*s\r\n"
		     "Content-Type: text/plain; charset=utf-8\r\n"
		     "Content-Length: %zu\r\n"
		     "Cache-Control: no-store\r\n"
		     "Proxy-Status: uidwall-proxy%s%s\r\n"
		     "Connection: close\r\n"
		     "\r\n"
		     "%s",
		     status->status, REASON_MAX, reason->bytes, body->n,
		     status->proxy_status ? "; error=" : "",
		     status->proxy_status ? status->proxy_status : "", body->bytes);
	assert(n > 0 && n < ANSWER_MAX);
	return (size_t)n;
}

/* "api.example.org:8443", "[2001:db8::1]" */
static void format_target(const struct answer_refusal *r, bool with_port, char *ret_text,
			  size_t max)
{
	bool is_v6 = strchr(r->host, ':');
	char port[8] = "";

	if (with_port && r->port)
		snprintf(port, sizeof(port), ":%u", r->port);
	snprintf(ret_text, max, "%s%.253s%s%s", is_v6 ? "[" : "", r->host, is_v6 ? "]" : "", port);
}

static void explain_nobody(const struct answer_refusal *r, struct text *reason, struct text *body)
{
	char user[160];

	if (r->uid < 0) {
		add(reason, "uidwall: the kernel names no user for this connection");
		add(body, "uidwall: the kernel names no user for this connection, so it goes "
			  "nowhere.\n"
			  "The program that made it has probably ended, or closed it at once.\n");
		return;
	}
	if (r->user)
		snprintf(user, sizeof(user), "%.120s (uid %lld)", r->user, (long long)r->uid);
	else
		snprintf(user, sizeof(user), "with uid %lld", (long long)r->uid);
	add(reason, "uidwall: no policy governs the user %s", user);
	add(body,
	    "uidwall: no policy governs the user %s.\n"
	    "uidwall-proxy serves services that have a policy, and nobody else. Without one this "
	    "user\n"
	    "needs no proxy: unset http_proxy and https_proxy, and connect directly.\n"
	    "To write a policy for a service: uidwall new SERVICE\n",
	    user);
}

static void add_cause(const struct answer_refusal *r, const char *host, struct text *body)
{
	bool goes_on = strncmp(r->why, "is ", 3) == 0 || strncmp(r->why, "has ", 4) == 0;

	if (goes_on)
		add(body, "%s ", *host ? host : "The target");
	add(body, "%.300s (%.100s", r->why, r->file ? r->file : "its policy");
	if (r->line)
		add(body, ":%u", r->line);
	add(body, ").\n");
}

static void explain_service(const struct answer_refusal *r, struct text *reason, struct text *body)
{
	char host[HOST_MAX], target[HOST_MAX + 8], url[HOST_MAX + 8];

	format_target(r, false, host, sizeof(host));
	format_target(r, true, target, sizeof(target));
	format_target(r, r->port != 80 && r->port != 443, url, sizeof(url));
	add(reason, "uidwall: %.32s may not connect to %s", r->service, *host ? target : "this");
	add(body, "uidwall: %.32s may not connect to %s.\n", r->service,
	    *host ? target : "where it wants to go");
	add_cause(r, host, body);
	if (r->entry)
		add(body,
		    "To allow it, add to \"hosts\" in %.100s:  \"%.270s\"\nThen: uidwall apply\n",
		    r->file ? r->file : "its policy", r->entry);
	if (*host)
		add(body, "More: uidwall why %.32s %s://%s\n", r->service,
		    r->port == 80 ? "http" : "https", url);
}

size_t answer_refuse(const struct answer_refusal *refusal, char ret_bytes[ANSWER_MAX])
{
	struct text reason = { .n = 0 }, body = { .n = 0 };

	if (refusal->service)
		explain_service(refusal, &reason, &body);
	else
		explain_nobody(refusal, &reason, &body);
	return compose(find_status(403), &reason, &body, ret_bytes);
}

/* Whether it is the request itself that is not passed on, and not what became of it. */
static bool is_about_request(const struct status *status)
{
	return status->proxy_status && strcmp(status->proxy_status, "http_request_error") == 0;
}

size_t answer_fail(int status, const char *sentence, char ret_bytes[ANSWER_MAX])
{
	const struct status *row = find_status(status);
	struct text reason = { .n = 0 }, body = { .n = 0 };

	add(&reason, "uidwall: %s", sentence);
	add(&body, "uidwall: %s%.1000s.\n",
	    is_about_request(row) ? "this request is not passed on: " : "", sentence);
	return compose(row, &reason, &body, ret_bytes);
}

size_t answer_head_length(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : n;
}
