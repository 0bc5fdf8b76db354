/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-answer.c - responses of the proxy's own: what they say, and that nothing forges one. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/parse/answer.h"
#include "proxy/parse/head.h"

/* A response like any other, with a body as long as it says. */
static const char *check_response(const char *bytes, size_t n, int status)
{
	static char copy[ANSWER_MAX + 1];
	struct head head;
	struct head_error error = { 0, "more is needed" };
	size_t taken;

	assert_true(n < ANSWER_MAX);
	memcpy(copy, bytes, n);
	copy[n] = '\0';
	if (head_read(copy, n, HEAD_RESPONSE, &head, &error) != 1)
		fail_msg("%s\n%s", copy, error.why);
	assert_int_equal(head.status, status);
	head.is_head = false;
	assert_int_equal(head_body(&head, copy + head.length, n - head.length, &taken), 1);
	assert_int_equal(taken, n - head.length);
	assert_int_equal(answer_head_length(copy, n), head.length);
	assert_non_null(strstr(copy, "\r\nConnection: close\r\n"));
	assert_true(copy[n - 1] == '\n');
	return copy;
}

static void refusals(void **state)
{
	static const struct {
		struct answer_refusal refusal;
		const char *reason, *body;
	} cases[] = {
		{ { .service = "blog",
		    .file = "blog.json",
		    .uid = 1001,
		    .host = "api.example.org",
		    .port = 8443,
		    .why = "is among its hosts, but not with this port",
		    .line = 4,
		    .entry = "api.example.org:8443" },
		  "403 uidwall: blog may not connect to api.example.org:8443\r\n",
		  "uidwall: blog may not connect to api.example.org:8443.\n"
		  "api.example.org is among its hosts, but not with this port (blog.json:4).\n"
		  "To allow it, add to \"hosts\" in blog.json:  \"api.example.org:8443\"\n"
		  "Then: uidwall apply\n"
		  "More: uidwall why blog https://api.example.org:8443\n" },
		{ { .service = "blog",
		    .file = "blog.json",
		    .uid = 1001,
		    .host = "example.org",
		    .port = 443,
		    .why = "is not among its hosts",
		    .entry = "example.org" },
		  "blog may not connect to example.org:443\r\n",
		  "uidwall: blog may not connect to example.org:443.\n"
		  "example.org is not among its hosts (blog.json).\n"
		  "To allow it, add to \"hosts\" in blog.json:  \"example.org\"\n"
		  "Then: uidwall apply\n"
		  "More: uidwall why blog https://example.org\n" },
		{ { .service = "blog",
		    .file = "blog.json",
		    .uid = 1001,
		    .host = "2001:db8::1",
		    .port = 80,
		    .why = "is an address, and not among its hosts",
		    .entry = "[2001:db8::1]" },
		  "to [2001:db8::1]:80\r\n",
		  "uidwall: blog may not connect to [2001:db8::1]:80.\n"
		  "[2001:db8::1] is an address, and not among its hosts (blog.json).\n"
		  "To allow it, add to \"hosts\" in blog.json:  \"[2001:db8::1]\"\n"
		  "Then: uidwall apply\n"
		  "More: uidwall why blog http://[2001:db8::1]\n" },
		{ { .service = "blog",
		    .file = "blog.json",
		    .uid = 1001,
		    .host = "example.org",
		    .port = 443,
		    .why = "its policy lets it reach no proxy" },
		  "example.org:443\r\n",
		  "uidwall: blog may not connect to example.org:443.\n"
		  "Cause: its policy lets it reach no proxy (blog.json).\n"
		  "More: uidwall why blog https://example.org\n" },
		{ { .service = "blog",
		    .file = "blog.json",
		    .uid = 1001,
		    .host = "",
		    .why = "the ClientHello names no server" },
		  "blog may not connect\r\n",
		  "uidwall: blog may not connect.\n"
		  "Cause: the ClientHello names no server (blog.json).\n" },
		{ { .uid = 0, .user = "root", .host = "example.org", .port = 443, .why = "?" },
		  "403 uidwall: no policy governs the user root (uid 0)\r\n",
		  "uidwall: no policy governs the user root (uid 0).\n"
		  "uidwall-proxy serves services that have a policy, and nobody else. Without one "
		  "this user\n"
		  "needs no proxy: unset http_proxy and https_proxy, and connect directly.\n"
		  "To write a policy for a service: uidwall new SERVICE\n" },
		{ { .uid = 4000000000, .host = "", .why = "?" },
		  "no policy governs the user with uid 4000000000\r\n",
		  "uidwall: no policy governs the user with uid 4000000000.\n" },
		{ { .uid = -1, .host = "example.org", .port = 443, .why = "?" },
		  "403 uidwall: the kernel names no user for this connection\r\n",
		  "uidwall: the kernel names no user for this connection, so it goes nowhere.\n"
		  "The program that made it has probably ended, or closed it at once.\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char bytes[ANSWER_MAX];
		size_t n = answer_refuse(&cases[i].refusal, bytes);
		const char *text = check_response(bytes, n, 403);
		const char *body = text + answer_head_length(text, n);

		if (!strstr(text, cases[i].reason) ||
		    strncmp(body, cases[i].body, strlen(cases[i].body)) != 0)
			fail_msg("%s", text);
		assert_non_null(strstr(text, "error=http_request_denied\r\n"));
	}
}

static void failures(void **state)
{
	static const struct {
		int status;
		const char *sentence, *start, *body;
	} cases[] = {
		{ 400, "there is no Host field", "HTTP/1.1 400 uidwall: there is no Host field\r\n",
		  "uidwall: this request is not passed on: there is no Host field.\n" },
		{ 502, "example.org refuses connections",
		  "HTTP/1.1 502 uidwall: example.org refuses connections\r\n",
		  "uidwall: example.org refuses connections.\n" },
		{ 503, "uidwalld does not run", "HTTP/1.1 503 uidwall: uidwalld does not run\r\n",
		  "uidwall: uidwalld does not run.\n" },
		{ 299, "a status that is none", "HTTP/1.1 500 ", "uidwall: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char bytes[ANSWER_MAX];
		size_t n = answer_fail(cases[i].status, cases[i].sentence, bytes);
		const char *text =
			check_response(bytes, n, cases[i].status < 400 ? 500 : cases[i].status);

		if (strncmp(text, cases[i].start, strlen(cases[i].start)) != 0 ||
		    strncmp(text + answer_head_length(text, n), cases[i].body,
			    strlen(cases[i].body)) != 0)
			fail_msg("%s", text);
	}
}

/* Neither a host, nor a sentence from elsewhere, ends a line of ours, and none is too long. */
static void hostile_texts(void **state)
{
	static const char forged[] = "a\r\nSet-Cookie: b\r\n\r\n<script>\x1b[2J\xff";
	char large[64 * 1024], bytes[ANSWER_MAX];
	struct answer_refusal refusal = {
		.service = forged,
		.file = forged,
		.user = forged,
		.host = forged,
		.port = 443,
		.why = forged,
		.entry = forged,
	};

	for (refusal.uid = -1; refusal.uid < 1; refusal.uid++)
		for (int nobody = 0; nobody < 2; nobody++) {
			size_t n;
			const char *text;

			refusal.service = nobody ? NULL : forged;
			n = answer_refuse(&refusal, bytes);
			text = check_response(bytes, n, 403);
			assert_null(strstr(text, "\nSet-Cookie"));
			assert_null(strchr(text, '\x1b'));
			assert_null(strchr(text, '\xff'));
		}
	check_response(bytes, answer_fail(502, forged, bytes), 502);
	assert_null(strstr(bytes, "\nSet-Cookie"));

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	refusal.service = refusal.file = refusal.user = refusal.host = refusal.why = refusal.entry =
		large;
	check_response(bytes, answer_refuse(&refusal, bytes), 403);
	refusal.service = NULL;
	check_response(bytes, answer_refuse(&refusal, bytes), 403);
	check_response(bytes, answer_fail(502, large, bytes), 502);
}

static void fixed_answers(void **state)
{
	static const char alert[] = { 0x15, 3, 3, 0, 2, 2, 49 };
	struct head head;
	struct head_error error;
	size_t n = strlen(answer_established);

	assert_int_equal(head_read(answer_established, n, HEAD_RESPONSE, &head, &error), 1);
	assert_int_equal(head.length, n);
	assert_int_equal(head.status, 200);
	assert_int_equal(head.n_fields, 0); /* a length would be an error: RFC 9110, 9.3.6 */
	assert_int_equal(sizeof(alert), ANSWER_TLS_ALERT_LENGTH);
	assert_memory_equal(answer_tls_alert, alert, sizeof(alert));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(failures),
		cmocka_unit_test(hostile_texts),
		cmocka_unit_test(fixed_answers),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
