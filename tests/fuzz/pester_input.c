/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pester_input.c - random numbers → calls with random arguments, and what becomes of them when
 * bytes are lost, changed and added.
 */
#include "pester.h"

#include <stdarg.h>
#include <string.h>

#include "wire/frame.h"

enum { MUTATIONS_MAX = 8, NOISE_MAX = 300, TARGETS_MAX = 70 };

#define PICK(random, list) (list)[random_below(random, ARRAY_SIZE(list))]

static const char *const harmless[] = { "status", "status", "show", "show", "why", "why",
					"why",	  "why",    "why",  "diff", "why" };
static const char *const changing[] = { "apply", "confirm", "rollback", "off", "on" };
static const char *const services[] = {
	"blog",	   "blog",	     "blog",	  "erp", "erp",	 "erp",
	"nothing", "gitea",	     "nosuch",	  "",	 "BLOG", "../etc/passwd",
	"\\u0000", "\\ud83d\\ude00", "\\u001b[2J"
};
static const char *const words[] = { "tcp", "udp",     "icmp",	  "TCP",  "sctp",   "-",
				     "",    "tcp tcp", "\\u0000", "\\\"", "udplite" };
static const char *const addresses[] = {
	"192.0.2.7",
	"198.51.100.80",
	"203.0.113.255",
	"127.0.0.1",
	"0.0.0.0",
	"255.255.255.255",
	"224.0.0.1",
	"169.254.169.254",
	"[::1]",
	"[2001:db8::7]",
	"[::ffff:127.0.0.1]",
	"[fe80::1%eth0]",
	"[fe80::1%nosuch0]",
	"[::]",
	"[ff02::1]",
	"localhost",
	"example.org",
	"*.example.org",
	"192.0.2.0/24",
	"1.2.3",
	"[::1",
	"999.1.1.1",
	"2001:db8::/129",
	"xn--",
	"https://example.org/",
	"http://[::1]:80/x",
	"https://user@host:99999/",
};
static const char *const ports[] = { "",       ":0",	 ":1",	":25", ":443", ":3128", ":3000",
				     ":65535", ":65536", ":-1", ":x",  ":53",  ":5432" };
static const char *const tokens[] = { "{",
				      "}",
				      "[",
				      "]",
				      ":",
				      ",",
				      "\"",
				      "\\u0000",
				      "null",
				      "1e999",
				      "-0",
				      "\"call\"",
				      "\"service\"",
				      "\"targets\"",
				      "\\",
				      "\xff",
				      "\xe2\x80\xae",
				      "9223372036854775808",
				      "true" };

struct text {
	char *at, *end;
};

PRINTF(2, 3) static void put(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at, (size_t)(text->end - text->at), format, args);
	va_end(args);
	if (n > 0 && n < text->end - text->at)
		text->at += n;
}

static void put_target(struct text *text, struct random *random)
{
	if (random_chance(random, 2)) { /* half of them make sense */
		put(text, "\"%s %s:%u\"", random_chance(random, 2) ? "tcp" : "udp",
		    random_chance(random, 2) ? "192.0.2.7" : "[2001:db8::7]",
		    1 + random_below(random, UINT16_MAX));
		return;
	}
	put(text, "\"%s%s%s%s\"", random_chance(random, 8) ? "" : PICK(random, words),
	    random_chance(random, 12) ? "" : " ", PICK(random, addresses), PICK(random, ports));
}

static void put_targets(struct text *text, struct random *random)
{
	uint32_t n = random_chance(random, 30) ? random_below(random, TARGETS_MAX) :
						 1 + random_below(random, 3);

	put(text, ",\"targets\":[");
	for (uint32_t i = 0; i < n; i++) {
		put(text, "%s", i ? "," : "");
		put_target(text, random);
	}
	put(text, "]");
}

static void put_number(struct text *text, struct random *random, const char *name)
{
	static const char *const numbers[] = { "0",	     "1",
					       "2003",	     "2001",
					       "2050",	     "300000",
					       "-1",	     "4294967294",
					       "4294967295", "86400",
					       "86401",	     "1.5",
					       "\"1\"",	     "18446744073709551616" };

	put(text, ",\"%s\":%s", name, PICK(random, numbers));
}

/* Mostly what the call takes, now and then what it does not. */
static void put_arguments(struct text *text, struct random *random, const char *call)
{
	bool is_why = strcmp(call, "why") == 0;
	uint32_t odd = 12;
	bool has_service = is_why || strcmp(call, "show") == 0;

	if (has_service ? !random_chance(random, 8) :
			  random_chance(random, call[0] == 'o' ? 2 : odd))
		put(text, ",\"service\":\"%s\"", PICK(random, services));
	if (is_why ? !random_chance(random, 10) : random_chance(random, odd))
		put_targets(text, random);
	if (random_chance(random, is_why ? 8 : odd))
		put_number(text, random, "uid");
	if (random_chance(random, is_why ? 10 : odd))
		put_number(text, random, "from_uid");
	if (random_chance(random, is_why ? 10 : odd))
		put(text, ",\"from\":\"%s\"", PICK(random, addresses));
	if (random_chance(random, is_why ? 10 : odd))
		put(text, ",\"host\":\"%s\"", PICK(random, addresses));
	if (strcmp(call, "apply") == 0 && !random_chance(random, 3))
		put(text, ",\"confirm_s\":%u", 1 + random_below(random, 3));
	if (random_chance(random, 40))
		put(text, ",\"nonsense\":[[[{}]]]");
}

static void put_call(struct text *text, struct random *random, bool may_change)
{
	const char *call = may_change && random_chance(random, 10) ? PICK(random, changing) :
								     PICK(random, harmless);

	if (!may_change && random_chance(random, 20)) /* refused to them */
		call = PICK(random, changing);
	put(text, "{\"call\":\"%s\"", call);
	/* Of those that change things, only such as mean what they say. */
	if (!may_change || random_chance(random, 2))
		put_arguments(text, random, call);
	put(text, "}");
}

static size_t insert(char *bytes, size_t n, size_t at, const char *what, size_t length)
{
	if (n + length > PESTER_BYTES_MAX - FRAME_HEADER)
		return n;
	memmove(bytes + at + length, bytes + at, n - at);
	memcpy(bytes + at, what, length);
	return n + length;
}

static size_t mutate_once(struct random *random, char *bytes, size_t n)
{
	size_t at = random_below(random, (uint32_t)n), m = 1 + random_below(random, 8);
	const char *token = PICK(random, tokens);

	switch (random_below(random, 5)) {
	case 0:
		bytes[at] ^= (char)(1 << random_below(random, 8));
		return n;
	case 1:
		bytes[at] = (char)random_below(random, 256);
		return n;
	case 2:
		m = m < n - at ? m : n - at;
		memmove(bytes + at, bytes + at + m, n - at - m);
		return n - m;
	case 3:
		return insert(bytes, n, at, token, strlen(token));
	default: { /* a piece of it once more, somewhere else */
		char piece[64];
		size_t from = random_below(random, (uint32_t)n);

		m = random_below(random, sizeof(piece));
		m = m < n - from ? m : n - from;
		memcpy(piece, bytes + from, m);
		return insert(bytes, n, at, piece, m);
	}
	}
}

static size_t make_noise(struct random *random, char *bytes)
{
	size_t n =
		1 + random_below(random, random_chance(random, 50) ? FRAME_REQUEST_MAX : NOISE_MAX);
	char deep = PICK(random, ((const char[]){ '[', '{', '"', ' ', '0', '\\' }));

	if (random_chance(random, 4))
		memset(bytes, deep, n);
	else
		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)random_below(random, 256);
	return n;
}

void pester_make(struct random *random, bool may_change, struct pester_input *ret_input)
{
	char *body = ret_input->bytes + FRAME_HEADER;
	struct text text = { body, ret_input->bytes + PESTER_BYTES_MAX };
	uint32_t kind = random_below(random, 100), length;
	size_t n;

	if (kind < 88) {
		put_call(&text, random, may_change);
		n = (size_t)(text.at - body);
	} else {
		n = make_noise(random, body);
	}
	if (kind >= 45 && kind < 88 && !may_change)
		for (uint32_t i = 1 + random_below(random, MUTATIONS_MAX); i > 0 && n; i--)
			n = mutate_once(random, body, n);
	length = (uint32_t)n;
	ret_input->is_whole = !random_chance(random, 15);
	if (!ret_input->is_whole)
		length = random_chance(random, 3) ? random_below(random, UINT32_MAX) :
						    random_below(random, 2 * length + 2);
	frame_put_length((uint8_t *)ret_input->bytes, length);
	ret_input->n = n + FRAME_HEADER;
	ret_input->is_whole = length && length <= n;
}
