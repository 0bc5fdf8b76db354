/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-head.c - heads of HTTP: what is taken and how it is written anew, what is refused and with
 * which status, and where messages end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/parse/head.h"

#define VIA "Via: 1.1 uidwall-proxy\r\nConnection: close\r\n\r\n"

/* In memory of its own, so that the address sanitizer sees a read past its end. */
static char *copy_of(const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	return copy;
}

static void expect_written(const struct head *head, bool to_proxy, const char *text,
			   const char *expected)
{
	char bytes[HEAD_WRITE_MAX + 1] = "";
	ssize_t n = head_write(head, to_proxy, bytes, HEAD_WRITE_MAX);

	assert_true(n > 0);
	bytes[n] = '\0';
	if (strcmp(bytes, expected) != 0)
		fail_msg("%s\nbecomes\n%s\nand not\n%s", text, bytes, expected);
	for (size_t max = 0; max < (size_t)n; max++)
		assert_int_equal(head_write(head, to_proxy, bytes, max), -E2BIG);
}

/* What is taken is taken with its last byte and not before. */
static void expect_prefixes(const char *text, size_t n, enum head_kind kind)
{
	struct head head;
	struct head_error error;

	for (size_t i = 0; i < n; i++) {
		AUTO(mem) char *copy = copy_of(text, i);

		if (head_read(copy, i, kind, &head, &error) != 0)
			fail_msg("%s\nwith %zu bytes is enough, or wrong", text, i);
	}
}

static void good_requests(void **state)
{
	static const struct {
		enum head_kind kind;
		const char *text, *host;
		uint16_t port;
		const char *written, *proxy; /* proxy NULL: not of interest */
	} cases[] = {
		/* as curl, wget, apt, Python's and Node's clients, and git send them */
		{ HEAD_EXPLICIT,
		  "CONNECT api.example.org:443 HTTP/1.1\r\nHost: api.example.org:443\r\n"
		  "User-Agent: curl/7.88.1\r\nProxy-Connection: Keep-Alive\r\n\r\n",
		  "api.example.org", 443,
		  "CONNECT api.example.org:443 HTTP/1.1\r\nHost: api.example.org:443\r\n"
		  "User-Agent: curl/7.88.1\r\n" VIA,
		  NULL },
		{ HEAD_EXPLICIT, "CONNECT pypi.org:443 HTTP/1.0\r\n\r\n", "pypi.org", 443, NULL,
		  NULL },
		{ HEAD_EXPLICIT,
		  "GET http://www.example.org/a?b=c HTTP/1.1\r\nHost: www.example.org\r\n"
		  "Accept: */*\r\nProxy-Connection: Keep-Alive\r\n"
		  "Proxy-Authorization: Basic dTpw\r\n\r\n",
		  "www.example.org", 80,
		  "GET /a?b=c HTTP/1.1\r\nHost: www.example.org\r\nAccept: */*\r\n" VIA,
		  "GET http://www.example.org/a?b=c HTTP/1.1\r\nHost: www.example.org\r\n"
		  "Accept: */*\r\n" VIA },
		{ HEAD_EXPLICIT,
		  "POST http://example.org:8080/form HTTP/1.1\r\nHost: example.org:8080\r\n"
		  "Content-Length: 3\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n",
		  "example.org", 8080,
		  "POST /form HTTP/1.1\r\nHost: example.org:8080\r\nContent-Length: 3\r\n"
		  "Expect: 100-continue\r\n" VIA,
		  "POST http://example.org:8080/form HTTP/1.1\r\nHost: example.org:8080\r\n"
		  "Content-Length: 3\r\nExpect: 100-continue\r\n" VIA },
		{ HEAD_TRANSPARENT,
		  "GET /debian/dists/bookworm/InRelease HTTP/1.1\r\nHost: deb.debian.org\r\n"
		  "User-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\n\r\n",
		  "deb.debian.org", 80,
		  "GET /debian/dists/bookworm/InRelease HTTP/1.1\r\nHost: deb.debian.org\r\n"
		  "User-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\n" VIA,
		  "GET http://deb.debian.org/debian/dists/bookworm/InRelease HTTP/1.1\r\n"
		  "Host: deb.debian.org\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\n" VIA },
		/* names and addresses in one spelling */
		{ HEAD_EXPLICIT, "CONNECT API.Example.ORG.:8443 HTTP/1.1\r\nHost: x\r\n\r\n",
		  "api.example.org", 8443, NULL, NULL },
		{ HEAD_EXPLICIT, "CONNECT [2001:DB8::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		  "2001:db8::1", 443,
		  "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n" VIA, NULL },
		{ HEAD_EXPLICIT, "GET HTTP://192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
		  "192.0.2.1", 80, "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n" VIA, NULL },
		{ HEAD_TRANSPARENT, "GET / HTTP/1.1\r\nhOST:Example.org.:81 \t\r\n\r\n",
		  "example.org", 81, "GET / HTTP/1.1\r\nHost: example.org:81\r\n" VIA, NULL },
		/* the target counts, and what Host says is replaced */
		{ HEAD_EXPLICIT, "GET http://a.example/ HTTP/1.1\r\nHost: b.example:81\r\n\r\n",
		  "a.example", 80, "GET / HTTP/1.1\r\nHost: a.example\r\n" VIA, NULL },
		{ HEAD_EXPLICIT, "GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n", "a.example", 80,
		  "GET / HTTP/1.1\r\nHost: a.example\r\n" VIA, NULL },
		{ HEAD_TRANSPARENT, "GET http://a.example/x HTTP/1.1\r\nHost: A.example:80\r\n\r\n",
		  "a.example", 80, "GET /x HTTP/1.1\r\nHost: a.example\r\n" VIA, NULL },
		/* paths */
		{ HEAD_EXPLICIT, "GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
		  "a.example", 80, "GET /?q HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  "GET http://a.example/?q HTTP/1.1\r\nHost: a.example\r\n" VIA },
		{ HEAD_EXPLICIT, "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
		  "a.example", 80, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n" VIA },
		{ HEAD_TRANSPARENT, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example",
		  80, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  "OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n" VIA },
		{ HEAD_TRANSPARENT, "GET //b.example/@:?//x@y HTTP/1.1\r\nHost: a.example\r\n\r\n",
		  "a.example", 80, "GET //b.example/@:?//x@y HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  "GET http://a.example//b.example/@:?//x@y HTTP/1.1\r\nHost: a.example\r\n" VIA },
		{ HEAD_EXPLICIT,
		  "GET http://a.example/?u=http://b@c/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
		  "a.example", 80, "GET /?u=http://b@c/ HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  NULL },
		{ HEAD_TRANSPARENT, "GET /\xc3\xa9|{}\"<>\\^` HTTP/1.1\r\nHost: a.example\r\n\r\n",
		  "a.example", 80, "GET /\xc3\xa9|{}\"<>\\^` HTTP/1.1\r\nHost: a.example\r\n" VIA,
		  NULL },
		/* methods that http-parser has not heard of are passed on */
		{ HEAD_EXPLICIT,
		  "QUERY http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: "
		  "1\r\n\r\n",
		  "a.example", 80,
		  "QUERY / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n" VIA, NULL },
		{ HEAD_TRANSPARENT, "get / HTTP/1.1\r\nHost: a.example\r\n\r\n", "a.example", 80,
		  "get / HTTP/1.1\r\nHost: a.example\r\n" VIA, NULL },
		/* this hop's own fields end here */
		{ HEAD_TRANSPARENT,
		  "GET / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nKeep-Alive: 5\r\n"
		  "Connection: x-secret ,, Upgrade\r\nX-Secret: 1\r\nUpgrade: websocket\r\n"
		  "x-SECRET: 2\r\nX-Secrets: 3\r\nConnection:x-more\r\nX-More: 4\r\n\r\n",
		  "a.example", 80, "GET / HTTP/1.1\r\nHost: a.example\r\nX-Secrets: 3\r\n" VIA,
		  NULL },
		/* but what says how long it is stays, whatever Connection says */
		{ HEAD_TRANSPARENT,
		  "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n"
		  "Connection: close, Host, Content-Length, Transfer-Encoding, Via\r\n"
		  "Via: 1.1 other\r\n\r\n",
		  "a.example", 80,
		  "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nVia: 1.1 "
		  "other\r\n" VIA,
		  NULL },
		{ HEAD_TRANSPARENT,
		  "GET / HTTP/1.1\r\nHost: a.example\r\nEmpty:\r\nTab:\ta\tb \r\n"
		  "Bytes: \xff\xc3\xa9\r\n\r\n",
		  "a.example", 80,
		  "GET / HTTP/1.1\r\nHost: a.example\r\nEmpty: \r\nTab: a\tb\r\n"
		  "Bytes: \xff\xc3\xa9\r\n" VIA,
		  NULL },
		{ HEAD_TRANSPARENT,
		  "TRACE / HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 10\r\n\r\n", "a.example",
		  80, "TRACE / HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 9\r\n" VIA, NULL },
		{ HEAD_TRANSPARENT, "GET / HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n\r\n",
		  "a.example", 80, "GET / HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n" VIA,
		  NULL },
		/* versions */
		{ HEAD_EXPLICIT, "GET http://a.example/ HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
		  "a.example", 80,
		  "GET / HTTP/1.0\r\nHost: a.example\r\nVia: 1.0 uidwall-proxy\r\n"
		  "Connection: close\r\n\r\n",
		  NULL },
		{ HEAD_TRANSPARENT, "GET / HTTP/1.7\r\nHost: a.example\r\n\r\n", "a.example", 80,
		  "GET / HTTP/1.1\r\nHost: a.example\r\n" VIA, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		AUTO(mem) char *copy = copy_of(text, strlen(text));
		struct head_error error = { 0, "more is needed" };
		struct head head;

		if (head_read(copy, strlen(text), cases[i].kind, &head, &error) != 1)
			fail_msg("%s\n%d %s", text, error.status, error.why);
		assert_int_equal(head.length, strlen(text));
		assert_string_equal(head.host.name, cases[i].host);
		assert_int_equal(head.port, cases[i].port);
		assert_int_equal(head.is_connect, strncmp(text, "CONNECT", 7) == 0);
		if (cases[i].written)
			expect_written(&head, false, text, cases[i].written);
		if (cases[i].proxy)
			expect_written(&head, true, text, cases[i].proxy);
		expect_prefixes(text, strlen(text), cases[i].kind);
	}
}

/* An explicit and a redirected request for a.example with these fields. */
#define E(fields) HEAD_EXPLICIT, "GET http://a.example/ HTTP/1.1\r\n" fields "\r\n"
#define T(fields) HEAD_TRANSPARENT, "POST / HTTP/1.1\r\n" fields "\r\n"
#define LINE_E(line) HEAD_EXPLICIT, line "\r\nHost: a.example\r\n\r\n"
#define LINE_T(line) HEAD_TRANSPARENT, line "\r\nHost: a.example\r\n\r\n"
#define H "Host: a.example\r\n"

static void bad_requests(void **state)
{
	static const struct {
		enum head_kind kind;
		const char *text;
		int status;
		const char *why; /* a part of it */
	} cases[] = {
		/* the first line */
		{ LINE_E("GET / HTTP/1.1"), 400, "this is a proxy" },
		{ LINE_E("OPTIONS * HTTP/1.1"), 400, "this is a proxy" },
		{ LINE_E("GET a.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http:a.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http:/a.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET https://a.example/ HTTP/1.1"), 400, "CONNECT" },
		{ LINE_E("GET ftp://a.example/ HTTP/1.1"), 501, "http://" },
		{ LINE_E("GET http:/// HTTP/1.1"), 400, "" },
		{ LINE_E("GET http://:80/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http://a.example:0/ HTTP/1.1"), 400, "host" },
		{ LINE_E("GET http://a.example:65536/ HTTP/1.1"), 400, "host" },
		{ LINE_E("GET http://a.example:8o/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http://127.1/ HTTP/1.1"), 400, "host" },
		{ LINE_E("GET http://0x7f000001/ HTTP/1.1"), 400, "host" },
		{ LINE_E("GET http://a..b/ HTTP/1.1"), 400, "host" },
		{ LINE_E("GET http://\xc3\xa9.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http://u:p@a.example/ HTTP/1.1"), 400, "password" },
		{ LINE_E("GET http://a.example@b.example/ HTTP/1.1"), 400, "password" },
		{ LINE_E("GET http://a.example\\@b.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("GET http://a.example/#x HTTP/1.1"), 400, "fragment" },
		{ LINE_E("GET http://a.example#@b.example/ HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT a.example HTTP/1.1"), 400, "port" },
		{ LINE_E("CONNECT a.example: HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT a.example:0 HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT a.example:65536 HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT a.example:443/ HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT http://a.example:443 HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT u@a.example:443 HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT / HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT :443 HTTP/1.1"), 400, "" },
		{ LINE_E("CONNECT 2001:db8::1:443 HTTP/1.1"), 400, "" },
		{ LINE_T("CONNECT a.example:443 HTTP/1.1"), 405, "CONNECT" },
		{ LINE_T("GET a.example HTTP/1.1"), 400, "" },
		{ LINE_T("GET * HTTP/1.1"), 400, "" },
		{ LINE_T("GET http://b.example/ HTTP/1.1"), 400, "different" },
		{ LINE_T("GET http://a.example:81/ HTTP/1.1"), 400, "different" },
		{ LINE_T("GET /"), 505, "version" },
		{ LINE_T("GET / FTP/1.1"), 505, "version" },
		{ LINE_T("GET / HTTP/2.0"), 505, "1.1" },
		{ LINE_T("GET / HTTP/0.9"), 505, "1.1" },
		{ LINE_T("GET / HTTP/1.10"), 400, "version" },
		{ LINE_T("GET / HTTP/1"), 400, "version" },
		{ LINE_T("GET / HTTP/1.x"), 400, "version" },
		{ LINE_T("GET / HTTP/1.1 "), 505, "version" },
		{ LINE_T("GET / HTTP/1.1 HTTP/1.1"), 400, "version" },
		{ LINE_T("GET  / HTTP/1.1"), 400, "" },
		{ LINE_T("GET /  HTTP/1.1"), 400, "version" },
		{ LINE_T("GET\t/ HTTP/1.1"), 400, "control" },
		{ LINE_T(" GET / HTTP/1.1"), 400, "method" },
		{ LINE_T("G(T / HTTP/1.1"), 400, "method" },
		{ LINE_T("G\xc3\x8bT / HTTP/1.1"), 400, "method" },
		{ LINE_T("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1"), 501, "long" },
		{ LINE_T("GET /a b HTTP/1.1"), 400, "version" },
		{ LINE_T("GET /\x7f HTTP/1.1"), 400, "control" },
		{ LINE_T("\r\nGET / HTTP/1.1"), 400, "empty line" },
		{ HEAD_TRANSPARENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "1.1" },
		{ HEAD_TRANSPARENT, "GET /\r\n", 505, "version" },
		{ HEAD_TRANSPARENT, "GET /\n", 400, "LF" },
		/* line ends, white space, control characters */
		{ T(H "A: b\n"), 400, "LF" },
		{ T(H "\n"), 400, "LF" },
		{ T(H "A: b\rX-C: d\r\n"), 400, "CR" },
		{ T(H "A: b\r\r\n"), 400, "CR" },
		{ T(H "\rA: b\r\n"), 400, "CR" },
		{ T(H "A: b\r\n c\r\n"), 400, "white space" },
		{ T(H "A: b\r\n\tc: d\r\n"), 400, "white space" },
		{ T(" " H), 400, "white space" },
		{ T(H "A : b\r\n"), 400, "" },
		{ T(H "A b: c\r\n"), 400, "space" },
		{ T(H "A\t: b\r\n"), 400, "" },
		{ T("Host : a.example\r\n"), 400, "" },
		{ T(H "Transfer-Encoding : chunked\r\n"), 400, "" },
		{ T(H ": b\r\n"), 400, "" },
		{ T(H "A\r\n"), 400, "" },
		{ T(H "A(: b\r\n"), 400, "" },
		{ T(H "\xc3\xa9: b\r\n"), 400, "" },
		{ T(H "A: \x01\r\n"), 400, "control" },
		{ T(H "A: \x7f\r\n"), 400, "control" },
		{ T(H "A: \x0b\r\n"), 400, "control" },
		/* Host */
		{ T("A: b\r\n"), 400, "no Host" },
		{ T("Host:\r\n"), 400, "proper host" },
		{ T("Host: a.example, b.example\r\n"), 400, "proper host" },
		{ T("Host: http://a.example\r\n"), 400, "proper host" },
		{ T("Host: u@a.example\r\n"), 400, "proper host" },
		{ T("Host: a.example/b\r\n"), 400, "proper host" },
		{ T("Host: a.example:\r\n" H), 400, "more than one" },
		{ T(H H), 400, "more than one" },
		{ T(H "hOST: b.example\r\n"), 400, "more than one" },
		{ T("Host: 2130706433\r\n"), 400, "proper host" },
		{ T("Host: a.example:0\r\n"), 400, "proper host" },
		{ E("A: b\r\n"), 400, "no Host" },
		{ E(H H), 400, "more than one" },
		{ E("Host: a b\r\n"), 400, "proper host" },
		{ HEAD_TRANSPARENT, "GET / HTTP/1.0\r\n\r\n", 400, "Host" },
		{ HEAD_EXPLICIT, "CONNECT a.example:443 HTTP/1.1\r\n\r\n", 400, "no Host" },
		/* how long it is */
		{ T(H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "" },
		{ T(H "Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "" },
		{ T(H "Content-Length: 5\r\nContent-Length: 5\r\n"), 400, "" },
		{ T(H "Content-Length: 5, 5\r\n"), 400, "" },
		{ T(H "Content-Length: +5\r\n"), 400, "no number" },
		{ T(H "Content-Length: -5\r\n"), 400, "no number" },
		{ T(H "Content-Length: 0x5\r\n"), 400, "no number" },
		{ T(H "Content-Length: 5 5\r\n"), 400, "no number" },
		{ T(H "Content-Length:\r\n"), 400, "no number" },
		{ T(H "Content-Length: 18446744073709551617\r\n"), 400, "no number" },
		{ T(H "Content-Length: 1000000000000000000\r\n"), 400, "no number" },
		{ T(H "Transfer-Encoding: gzip\r\n"), 501, "" },
		{ T(H "Transfer-Encoding: identity\r\n"), 501, "" },
		{ T(H "Transfer-Encoding: gzip, chunked\r\n"), 501, "" },
		{ T(H "Transfer-Encoding: chunked, gzip\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: chunked;q=1\r\n"), 501, "" },
		{ T(H "Transfer-Encoding: xchunked\r\n"), 501, "" },
		{ T(H "Transfer-Encoding: \"chunked\"\r\n"), 501, "" },
		{ T(H "Transfer-Encoding:\r\n"), 400, "" },
		{ T(H "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: , chunked\r\n"), 400, "" },
		{ T(H "Transfer-Encoding: chunked,\r\n"), 400, "" },
		{ HEAD_TRANSPARENT, "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
		  400, "1.0" },
		{ HEAD_EXPLICIT, "CONNECT a.example:443 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n",
		  400, "no body" },
		{ HEAD_EXPLICIT,
		  "CONNECT a.example:443 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400,
		  "no body" },
		/* the rest */
		{ T(H "Expect: 200-ok\r\n"), 417, "100-continue" },
		{ LINE_T("TRACE / HTTP/1.1\r\nMax-Forwards: 0"), 501, "Max-Forwards" },
		{ LINE_T("OPTIONS / HTTP/1.1\r\nMax-Forwards: x"), 400, "Max-Forwards" },
		{ LINE_T("OPTIONS / HTTP/1.1\r\nMax-Forwards: 2\r\nMax-Forwards: 2"), 400,
		  "Max-Forwards" },
		{ T(H "Via: 1.1 uidwall-proxy, 1.1 uidwall-proxy\r\nVia: 1.1 uidwall-proxy, 1.1 x, "
		      "1.1 uidwall-proxy\r\n"),
		  508, "circle" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		AUTO(mem) char *copy = copy_of(text, strlen(text));
		struct head_error error = { 0, "it is not" };
		struct head head;
		int r = head_read(copy, strlen(text), cases[i].kind, &head, &error);

		if (r != -EBADMSG || error.status != cases[i].status ||
		    !strstr(error.why, cases[i].why))
			fail_msg("%s\n%d: %d %s", text, r, error.status, error.why);
	}
}

/* A NUL ends the texts above. */
static void nul(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a.example\r\nA: b\0c\r\n\r\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char copy[sizeof(text)];
		struct head head;
		struct head_error error;

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		/* in place of the last line's end it may not be complete */
		if (head_read(copy, sizeof(text) - 1, HEAD_TRANSPARENT, &head, &error) == 1)
			fail_msg("a NUL at %zu is taken", i);
	}
}

/* n bytes of c in front of the empty line, as a target or a field's value. */
static int read_large(const char *before, char c, size_t n, const char *after, int *ret_status)
{
	size_t length = strlen(before) + n + strlen(after);
	AUTO(mem) char *text = malloc(length + 1);
	struct head_error error = { 0, NULL };
	struct head head;
	int r;

	assert_non_null(text);
	strcpy(text, before);
	memset(text + strlen(before), c, n);
	strcpy(text + strlen(before) + n, after);
	r = head_read(text, length, HEAD_TRANSPARENT, &head, &error);
	*ret_status = error.status;
	return r;
}

static void absurd_sizes(void **state)
{
	static const char fields[] = " HTTP/1.1\r\nHost: a.example\r\n\r\n";
	static const char line[] = "GET / HTTP/1.1\r\nHost: a.example\r\nA: ";
	size_t most = HEAD_MAX - sizeof(line) + 1 - 4;
	int status;

	assert_int_equal(read_large("GET /", 'a', HEAD_TARGET_MAX - 1, fields, &status), 1);
	assert_int_equal(read_large("GET /", 'a', HEAD_TARGET_MAX, fields, &status), -EBADMSG);
	assert_int_equal(status, 414);
	assert_int_equal(read_large("GET /", 'a', 12000, fields, &status), -EBADMSG);
	assert_int_equal(status, 414);
	assert_int_equal(read_large("GET /", 'a', 2 * HEAD_MAX, "", &status), -EBADMSG);
	assert_int_equal(status, 414);
	assert_int_equal(read_large("GET /", 'a', HEAD_TARGET_MAX / 2, "", &status), 0);

	assert_int_equal(read_large(line, 'a', most, "\r\n\r\n", &status), 1);
	assert_int_equal(read_large(line, 'a', most + 1, "\r\n\r\n", &status), -EBADMSG);
	assert_int_equal(status, 431);
	assert_int_equal(read_large(line, 'a', most, "", &status), 0);
	assert_int_equal(read_large(line, 'a', most + 4, "", &status), -EBADMSG);
	assert_int_equal(status, 431);
	assert_int_equal(read_large(line, 'a', 3 * HEAD_MAX, "", &status), -EBADMSG);
	assert_int_equal(status, 431);
}

static void many_fields(void **state)
{
	for (unsigned n = HEAD_FIELDS_MAX - 1; n <= HEAD_FIELDS_MAX; n++) {
		char text[HEAD_MAX] = "GET / HTTP/1.1\r\nHost: a.example\r\n";
		struct head head;
		struct head_error error = { 0, NULL };
		int r;

		for (unsigned i = 0; i < n; i++)
			strcat(text, "A:\r\n");
		strcat(text, "\r\n");
		r = head_read(text, strlen(text), HEAD_TRANSPARENT, &head, &error);
		assert_int_equal(r, n < HEAD_FIELDS_MAX ? 1 : -EBADMSG);
		assert_int_equal(error.status, n < HEAD_FIELDS_MAX ? 0 : 431);
		if (r == 1)
			assert_int_equal(head.n_fields, HEAD_FIELDS_MAX);
	}
}

static void flags(void **state)
{
	static const char text[] = "HEAD / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\n"
				   "Expect: 100-Continue\r\n\r\n";
	struct head head;
	struct head_error error;

	assert_int_equal(head_read(text, sizeof(text) - 1, HEAD_TRANSPARENT, &head, &error), 1);
	assert_true(head.is_head);
	assert_true(head.upgrades);
	assert_true(head.expects);
	assert_int_equal(head.minor, 1);
}

/* The port that was judged, not the one that the client names. */
static void other_port(void **state)
{
	static const char text[] = "GET /x HTTP/1.1\r\nHost: a.example:8080\r\n\r\n";
	struct head head;
	struct head_error error;

	assert_int_equal(head_read(text, sizeof(text) - 1, HEAD_TRANSPARENT, &head, &error), 1);
	assert_int_equal(head.port, 8080);
	head.port = 80;
	expect_written(&head, true, text,
		       "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n" VIA);
}

static void good_responses(void **state)
{
	static const struct {
		const char *text;
		uint16_t status;
		const char *written;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\nKeep-Alive: 5\r\n"
		  "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\n\r\n",
		  200, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\n" VIA },
		{ "HTTP/1.0 404 Not found here\r\n\r\n", 404,
		  "HTTP/1.1 404 Not found here\r\nVia: 1.0 uidwall-proxy\r\n"
		  "Connection: close\r\n\r\n" },
		{ "HTTP/1.1 200\r\n\r\n", 200, "HTTP/1.1 200 \r\n" VIA },
		{ "HTTP/1.1 200 \r\n\r\n", 200, "HTTP/1.1 200 \r\n" VIA },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 100,
		  "HTTP/1.1 100 Continue\r\nVia: 1.1 uidwall-proxy\r\n\r\n" },
		{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103,
		  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 uidwall-proxy\r\n\r\n" },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", 204,
		  "HTTP/1.1 204 No Content\r\n" VIA },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n", 200,
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n" VIA },
		{ "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a\r\n"
		  "Set-Cookie: b\r\n\r\n",
		  401,
		  "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a\r\n"
		  "Set-Cookie: b\r\n" VIA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		AUTO(mem) char *copy = copy_of(text, strlen(text));
		struct head_error error = { 0, "more is needed" };
		struct head head;

		if (head_read(copy, strlen(text), HEAD_RESPONSE, &head, &error) != 1)
			fail_msg("%s\n%d %s", text, error.status, error.why);
		assert_int_equal(head.status, cases[i].status);
		expect_written(&head, false, text, cases[i].written);
		expect_prefixes(text, strlen(text), HEAD_RESPONSE);
	}
}

static void bad_responses(void **state)
{
	static const char *const cases[] = {
		"\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 200\tOK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
		"<html>",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"H T",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(mem) char *copy = copy_of(cases[i], strlen(cases[i]));
		struct head_error error;
		struct head head;
		int r = head_read(copy, strlen(cases[i]), HEAD_RESPONSE, &head, &error);

		if (r != -EBADMSG)
			fail_msg("%s is taken: %d", cases[i], r);
		assert_int_equal(error.status, 502);
	}
}

#define POST "POST / HTTP/1.1\r\nHost: a.example\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define NEXT "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"

struct message {
	const char *head, *body; /* what belongs to it */
	const char *more;	 /* what comes behind */
	int r;
	bool is_for_head;
};

static const struct message messages[] = {
	{ POST "Content-Length: 5\r\n\r\n", "abcde", NEXT, 1, false },
	{ POST "Content-Length: 5\r\n\r\n", "abcd", "", 0, false },
	{ POST "Content-Length: 0\r\n\r\n", "", NEXT, 1, false },
	{ POST "\r\n", "", NEXT, 1, false },
	{ POST "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\n", "abc",
	  NEXT, 1, false },
	{ POST "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n", "", "raw", 1, false },
	{ POST CHUNKED, "0\r\n\r\n", NEXT, 1, false },
	{ POST CHUNKED, "5\r\nabcde\r\n000\r\n\r\n", NEXT, 1, false },
	{ POST CHUNKED, "a;x=\"y\"\r\n0123456789\r\n1 \r\n\r\r\n00;\r\n\r\n", NEXT, 1, false },
	{ POST CHUNKED, "1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n", NEXT, 1, false },
	{ POST CHUNKED, "F\r\nabcdefghijklmno\r\nf\r\n", "", 0, false },
	{ POST CHUNKED, "", "\r\n", -EBADMSG, false },
	{ POST CHUNKED, "", "", 0, false },
	{ POST CHUNKED, "", "x\r\n", -EBADMSG, false },
	{ POST CHUNKED, "", "-1\r\n", -EBADMSG, false },
	{ POST CHUNKED, "", " 1\r\n", -EBADMSG, false },
	{ POST CHUNKED, "", ";a\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5", "\nabcde\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0", "x5\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5\r", "Xabcde\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5;a", "\nabcde\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5;a", "\x01\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5\r\nabcde", "XX0\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5\r\nabcde", "\n0\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "5\r\nabcde\r", "0\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "000000000000001", "0\r\n", -EBADMSG, false },
	{ POST CHUNKED, "fffffffffffffff\r\nabc", "", 0, false },
	{ POST CHUNKED, "0\r\n", "\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\n\r", "x", -EBADMSG, false },
	{ POST CHUNKED, "0\r\n", ": b\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\n", " a: b\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\na", " : b\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\nGET", " / HTTP/1.1\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\na", "\r\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\na: b", "\n\r\n", -EBADMSG, false },
	{ POST CHUNKED, "0\r\na: b\r", "\r\n", -EBADMSG, false },
	{ OK "Content-Length: 2\r\n\r\n", "ab", "cd", 1, false },
	{ OK CHUNKED, "2\r\nab\r\n0\r\n\r\n", "cd", 1, false },
	{ OK "\r\n", "anything\r\n\r\n", "", 0, false },
	{ OK "Content-Length: 2\r\n\r\n", "", "cd", 1, true },
	{ OK CHUNKED, "", "cd", 1, true },
	{ OK "\r\n", "", "cd", 1, true },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "", "cd", 1, false },
	{ "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "", "cd", 1, false },
	{ "HTTP/1.1 100 Continue\r\n\r\n", "", OK, 1, false },
	{ "HTTP/1.0 200 OK\r\n" CHUNKED, "0\r\n\r\n", "cd", 1, false },
};

static void read_message(const struct message *message, struct head *ret_head)
{
	bool is_response = message->head[0] == 'H';
	struct head_error error = { 0, "more is needed" };

	ret_head->is_head = message->is_for_head;
	if (head_read(message->head, strlen(message->head),
		      is_response ? HEAD_RESPONSE : HEAD_TRANSPARENT, ret_head, &error) != 1)
		fail_msg("%s\n%d %s", message->head, error.status, error.why);
	assert_int_equal(ret_head->is_head, message->is_for_head);
}

/* In pieces: the first byte's, and then of so many bytes. */
static void expect_body(const struct message *message, const char *text, size_t n, size_t first,
			size_t piece)
{
	struct head head;
	size_t all = 0, at = 0, part = first < n ? first : n;
	int r = 0;

	read_message(message, &head);
	while (r == 0) {
		AUTO(mem) char *copy = copy_of(text + at, part);
		size_t taken;

		r = head_body(&head, copy, part, &taken);
		assert_true(taken <= part);
		assert_true(r != 0 || taken == part);
		all += taken;
		at += part;
		part = piece < n - at ? piece : n - at;
		if (part == 0)
			break;
	}
	if (r != message->r || all != strlen(message->body))
		fail_msg("%s%s%s\nin pieces of %zu and %zu: %d, and %zu bytes", message->head,
			 message->body, message->more, first, piece, r, all);
}

static void bodies(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		const struct message *message = &messages[i];
		char text[512];
		size_t n =
			(size_t)snprintf(text, sizeof(text), "%s%s", message->body, message->more);
		struct head head;
		size_t taken;

		for (size_t first = 0; first <= n; first++)
			expect_body(message, text, n, first, n);
		expect_body(message, text, n, 1, 1);

		read_message(message, &head);
		head_body(&head, text, n, &taken);
		if (message->r != 0) /* and so it stays */
			assert_int_equal(head_body(&head, "0\r\n\r\n", 5, &taken), message->r);
		if (message->r >= 0)
			assert_int_equal(head_body_may_end(&head),
					 message->r == 1 || (message->head[0] == 'H'));
	}
}

/* Neither extensions nor trailers without an end. */
static void endless_bodies(void **state)
{
	static const struct message extension = { POST CHUNKED, "", "", 0, false };
	static char bytes[64 * 1024];
	struct head head;
	size_t taken;

	memset(bytes, 'a', sizeof(bytes));
	read_message(&extension, &head);
	assert_int_equal(head_body(&head, "5;", 2, &taken), 0);
	assert_int_equal(head_body(&head, bytes, sizeof(bytes), &taken), -EBADMSG);
	assert_true(taken < 2048);

	read_message(&extension, &head);
	assert_int_equal(head_body(&head, "0\r\na:", 5, &taken), 0);
	assert_int_equal(head_body(&head, bytes, sizeof(bytes), &taken), -EBADMSG);
	assert_true(taken < 16 * 1024);

	read_message(&extension, &head);
	assert_int_equal(head_body(&head, "0\r\n", 3, &taken), 0);
	for (size_t i = 0; i + 4 <= sizeof(bytes); i += 4)
		memcpy(bytes + i, "a:\r\n", 4);
	assert_int_equal(head_body(&head, bytes, sizeof(bytes), &taken), -EBADMSG);
	assert_true(taken < 16 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(nul),
		cmocka_unit_test(absurd_sizes),
		cmocka_unit_test(many_fields),
		cmocka_unit_test(flags),
		cmocka_unit_test(other_port),
		cmocka_unit_test(good_responses),
		cmocka_unit_test(bad_responses),
		cmocka_unit_test(bodies),
		cmocka_unit_test(endless_bodies),
	};

	return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
