/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head_write.c - a head → its bytes for the next hop. */
#include "proxy/parse/head_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { PORT_HTTP = 80 };

struct out {
	char *at, *end;
	bool is_full;
};

static void put(struct out *out, const char *bytes, size_t n)
{
	if (n > (size_t)(out->end - out->at)) {
		out->is_full = true;
		return;
	}
	memcpy(out->at, bytes, n);
	out->at += n;
}

static void put_text(struct out *out, const char *text)
{
	put(out, text, strlen(text));
}

static void put_number(struct out *out, unsigned number)
{
	char text[16];

	put(out, text, (size_t)snprintf(text, sizeof(text), "%u", number));
}

static void put_authority(struct out *out, const struct head *head, unsigned default_port)
{
	bool is_v6 = head->host.address.family == ADDR_V6;

	put_text(out, is_v6 ? "[" : "");
	put_text(out, head->host.name);
	put_text(out, is_v6 ? "]" : "");
	if (head->port != default_port) {
		put_text(out, ":");
		put_number(out, head->port);
	}
}

/* An empty path is "/", but that of OPTIONS: the whole server (RFC 9112, 3.2.4). */
static void put_target(struct out *out, const struct head *head, bool to_proxy)
{
	bool is_server;

	if (head->is_connect) {
		put_authority(out, head, 0);
		return;
	}
	is_server = head->target_length == 0 && head_method_is(head, "OPTIONS");

	if (to_proxy) {
		put_text(out, "http://");
		put_authority(out, head, PORT_HTTP);
	}
	if (is_server)
		put_text(out, to_proxy ? "" : "*");
	else if (head->target_length == 0 || head->target[0] != '/')
		put_text(out, "/");
	put(out, head->target, head->target_length);
}

static void put_request_line(struct out *out, const struct head *head, bool to_proxy)
{
	put(out, head->method, head->method_length);
	put_text(out, " ");
	put_target(out, head, to_proxy);
	put_text(out, head->minor ? " HTTP/1.1\r\nHost: " : " HTTP/1.0\r\nHost: ");
	put_authority(out, head, PORT_HTTP);
	put_text(out, "\r\n");
}

static void put_status_line(struct out *out, const struct head *head)
{
	put_text(out, "HTTP/1.1 ");
	put_number(out, head->status);
	put_text(out, " ");
	put(out, head->reason, head->reason_length);
	put_text(out, "\r\n");
}

static void put_field(struct out *out, const struct head *head, const struct head_field *field)
{
	if (field->is_dropped)
		return;
	put(out, field->name, field->name_length);
	put_text(out, ": ");
	if (field->known == FIELD_MAX_FORWARDS && head->max_forwards != UINT32_MAX)
		put_number(out, head->max_forwards - 1);
	else
		put(out, field->value, field->value_length);
	put_text(out, "\r\n");
}

ssize_t head_write(const struct head *head, bool to_proxy, char *ret_bytes, size_t max)
{
	struct out out = { .at = ret_bytes, .end = ret_bytes + max };

	if (head->kind == HEAD_RESPONSE)
		put_status_line(&out, head);
	else
		put_request_line(&out, head, to_proxy);
	for (size_t i = 0; i < head->n_fields; i++)
		put_field(&out, head, &head->fields[i]);
	put_text(&out, head->minor ? "Via: 1.1 " HEAD_PSEUDONYM "\r\n" :
				     "Via: 1.0 " HEAD_PSEUDONYM "\r\n");
	/* an interim response says nothing about the connection */
	if (head->kind != HEAD_RESPONSE || head->status >= 200)
		put_text(&out, "Connection: close\r\n");
	put_text(&out, "\r\n");
	return out.is_full ? -E2BIG : out.at - ret_bytes;
}
