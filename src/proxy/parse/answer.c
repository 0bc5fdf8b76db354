/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - what was decided → the response that a client sees. */
#include "proxy/parse/answer.h"

#include <stdarg.h>
#include <string.h>

enum {
	HOST_MAX = 256, /* with brackets */
	WORD_MAX = 64,	/* a service's name, a file's */
	USER_MAX = 128,
	WHY_MAX = 200,
	SENTENCE_MAX = 1024,
	BODY_MAX = 1650,
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

/* Whatever a name or somebody else's message has in it: no line's end, no control sequence. */
static const char *clean(const char *text, char *ret_text, size_t max)
{
	size_t n = 0;

	if (!text)
		return NULL;
	for (; n < max - 1 && text[n]; n++)
		ret_text[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
	ret_text[n] = '\0';
	return ret_text;
}

static size_t compose(const struct status *status, const struct text *reason,
		      const struct text *body, char ret_bytes[ANSWER_MAX])
{
	int n = snprintf(ret_bytes, ANSWER_MAX,
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

	if (with_port && r->port && *r->host)
		snprintf(port, sizeof(port), ":%u", r->port);
	snprintf(ret_text, max, "%s%s%s%s", is_v6 ? "[" : "", r->host, is_v6 ? "]" : "", port);
}

static void explain_nobody(const struct answer_refusal *r, struct text *reason, struct text *body)
{
	char user[USER_MAX + 32];

	if (r->uid < 0) {
		add(reason, "uidwall: the kernel names no user for this connection");
		add(body, "uidwall: the kernel names no user for this connection, so it goes "
			  "nowhere.\n"
			  "The program that made it has probably ended, or closed it at once.\n");
		return;
	}
	if (r->user)
		snprintf(user, sizeof(user), "%s (uid %lld)", r->user, (long long)r->uid);
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

	add(body, "%s ", !goes_on ? "Cause:" : *host ? host : "The target");
	add(body, "%s (%s", r->why, r->file ? r->file : "its policy");
	if (r->line)
		add(body, ":%u", r->line);
	add(body, ").\n");
}

static void explain_service(const struct answer_refusal *r, struct text *reason, struct text *body)
{
	char host[HOST_MAX], target[HOST_MAX + 8], url[HOST_MAX + 8];
	const char *to = *r->host ? " to " : "";

	format_target(r, false, host, sizeof(host));
	format_target(r, true, target, sizeof(target));
	format_target(r, r->port != 80 && r->port != 443, url, sizeof(url));
	add(reason, "uidwall: %s may not connect%s%s", r->service, to, target);
	add(body, "uidwall: %s may not connect%s%s.\n", r->service, to, target);
	add_cause(r, host, body);
	if (r->entry)
		add(body, "To allow it, add to \"hosts\" in %s:  \"%s\"\nThen: uidwall apply\n",
		    r->file ? r->file : "its policy", r->entry);
	if (*host)
		add(body, "More: uidwall why %s %s://%s\n", r->service,
		    r->port == 80 ? "http" : "https", url);
}

size_t answer_refuse(const struct answer_refusal *refusal, char ret_bytes[ANSWER_MAX])
{
	char service[WORD_MAX], file[WORD_MAX], user[USER_MAX], host[HOST_MAX - 2], why[WHY_MAX],
		entry[HOST_MAX + 8];
	struct answer_refusal r = *refusal;
	struct text reason = { .n = 0 }, body = { .n = 0 };

	r.service = clean(r.service, service, sizeof(service));
	r.file = clean(r.file, file, sizeof(file));
	r.user = clean(r.user, user, sizeof(user));
	r.host = clean(r.host, host, sizeof(host));
	r.why = clean(r.why, why, sizeof(why));
	r.entry = clean(r.entry, entry, sizeof(entry));
	if (r.service)
		explain_service(&r, &reason, &body);
	else
		explain_nobody(&r, &reason, &body);
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
	char words[SENTENCE_MAX];

	clean(sentence, words, sizeof(words));
	add(&reason, "uidwall: %s", words);
	add(&body, "uidwall: %s%s.\n",
	    is_about_request(row) ? "this request is not passed on: " : "", words);
	return compose(row, &reason, &body, ret_bytes);
}

size_t answer_head_length(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : n;
}
