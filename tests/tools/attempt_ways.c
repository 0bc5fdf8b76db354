/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt_ways.c - the ways out that an attempt can try, and what it listens on. */
#include "attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

enum { AFTER_REFUSAL_MS = 10 };

static void attempt_tcp(const struct options *opt, struct outcome *o)
{
	double start = now_ms();
	int fd = socket_connect(opt, start, o);

	if (fd < 0)
		return;
	if (opt->message)
		socket_exchange(fd, opt, start, o);
	close(fd);
}

/* One connection for the whole time, a message and its answer again and again. */
static void attempt_stream(const struct options *opt, struct outcome *o)
{
	static int fd = -1; /* kept from call to call */
	double start = now_ms();

	if (fd < 0)
		fd = socket_connect(opt, start, o);
	if (fd < 0)
		return;
	socket_exchange(fd, opt, start, o);
	if (o->result != RESULT_OK) {
		close(fd);
		fd = -1;
	}
}

static void attempt_datagram(const struct options *opt, int protocol, const void *bytes, size_t n,
			     struct outcome *o, size_t *ret_n)
{
	double start = now_ms();
	int fd = socket_open(opt, SOCK_DGRAM, protocol);

	*ret_n = 0;
	if (fd < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "socket", start);
		return;
	}
	if (socket_prepare(fd, opt) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "bind", start);
	} else if (connect(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "connect", start);
	} else if (send(fd, bytes, n, 0) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "send", start);
		if (!opt->for_ms && socket_wait(fd, POLLIN, now_ms(), AFTER_REFUSAL_MS) > 0)
			o->error_after = socket_error(fd);
	} else if (!opt->answer_wanted) {
		outcome_end(o, RESULT_OK, 0, "send", start);
	} else if (socket_read(fd, opt, start, o, ret_n)) {
		outcome_end(o, RESULT_OK, 0, "answer", start);
	}
	close(fd);
}

static void attempt_udp(const struct options *opt, struct outcome *o)
{
	const char *message = opt->message ? opt->message : "hello";
	size_t n;

	attempt_datagram(opt, 0, message, strlen(message), o, &n);
}

static void attempt_udplite(const struct options *opt, struct outcome *o)
{
	const char *message = opt->message ? opt->message : "hello";
	size_t n;

	attempt_datagram(opt, IPPROTO_UDPLITE, message, strlen(message), o, &n);
}

/* An ICMP datagram socket: no privilege, but net.ipv4.ping_group_range must hold our group. */
static void attempt_ping(const struct options *opt, struct outcome *o)
{
	struct icmphdr echo4 = { .type = ICMP_ECHO };
	struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };
	bool is_v4 = opt->address.ss_family == AF_INET;
	size_t n;

	attempt_datagram(opt, is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			 is_v4 ? (void *)&echo4 : (void *)&echo6,
			 is_v4 ? sizeof(echo4) : sizeof(echo6), o, &n);
	if (n)
		strcpy(o->answer, "echo reply");
}

/* A query for an IPv4 address; returns its length. */
static size_t dns_query(const char *name, unsigned char *out, size_t size)
{
	static const unsigned char head[12] = { 0x75, 0x77, 1, 0, 0, 1 };
	static const unsigned char tail[4] = { 0, 1, 0, 1 }; /* type A, class IN */
	size_t n = sizeof(head);

	if (strlen(name) + sizeof(head) + 2 + sizeof(tail) > size)
		die("the name is too long");
	memcpy(out, head, sizeof(head));
	while (*name) {
		size_t label = strcspn(name, ".");

		out[n++] = (unsigned char)label;
		memcpy(out + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	memcpy(out + n, tail, sizeof(tail));
	return n + sizeof(tail);
}

/* The address at the end of the answer's only record; anything else is not what our responder says.
 */
static void dns_answer(struct outcome *o, const unsigned char *bytes, size_t n)
{
	char text[INET_ADDRSTRLEN] = "no address";

	if (n > 16 && (bytes[3] & 15) == 0 && bytes[7] == 1)
		inet_ntop(AF_INET, bytes + n - 4, text, sizeof(text));
	memcpy(o->answer, text, sizeof(text));
}

static void attempt_dns(const struct options *opt, struct outcome *o)
{
	unsigned char query[300], answer[ANSWER_MAX];
	size_t length = dns_query(opt->argument, query, sizeof(query)), n;

	attempt_datagram(opt, 0, query, length, o, &n);
	if (o->result == RESULT_OK && n) {
		memcpy(answer, o->answer, n);
		dns_answer(o, answer, n);
	}
}

static void attempt_dns_tcp(const struct options *opt, struct outcome *o)
{
	unsigned char query[302], answer[ANSWER_MAX];
	size_t length = dns_query(opt->argument, query + 2, sizeof(query) - 2), n;
	double start = now_ms();
	int fd = socket_connect(opt, start, o);

	if (fd < 0)
		return;
	query[0] = (unsigned char)(length >> 8);
	query[1] = (unsigned char)length;
	if (send(fd, query, length + 2, MSG_NOSIGNAL) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "send", start);
	} else if (socket_read(fd, opt, start, o, &n)) {
		outcome_end(o, RESULT_OK, 0, "answer", start);
		memcpy(answer, o->answer, n);
		dns_answer(o, answer + 2, n > 2 ? n - 2 : 0);
	}
	close(fd);
}

static void proxy_ask(const struct options *opt, const char *request, struct outcome *o)
{
	double start = now_ms();
	int fd = socket_connect(opt, start, o), status;
	size_t n;

	if (fd < 0)
		return;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "send", start);
	} else if (socket_read(fd, opt, start, o, &n)) {
		bool is_http = sscanf(o->answer, "HTTP/1.%*1[01] %d", &status) == 1;

		outcome_end(o, is_http && status / 100 == 2 ? RESULT_OK : RESULT_REFUSED, 0, "http",
			    start);
		if (is_http)
			snprintf(o->answer, sizeof(o->answer), "HTTP %d", status);
	}
	close(fd);
}

static void attempt_get(const struct options *opt, struct outcome *o)
{
	char request[1024];
	const char *host = strstr(opt->argument, "://");

	host = host ? host + 3 : opt->argument;
	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n", opt->argument,
		 (int)strcspn(host, "/"), host);
	proxy_ask(opt, request, o);
}

static void attempt_connect(const struct options *opt, struct outcome *o)
{
	char request[1024];

	snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", opt->argument,
		 opt->argument);
	proxy_ask(opt, request, o);
}

static void say_listening(const struct options *opt)
{
	printf("{\"uid\":%ld,\"what\":\"%s\",\"target\":\"%s\",\"result\":\"listening\"}\n",
	       opt->uid, opt->what, opt->target);
	fflush(stdout);
}

/* A bind shell: "ok" once somebody got as far as being accepted and sent a line. */
static void attempt_listen(const struct options *opt, struct outcome *o)
{
	double start = now_ms();
	int fd = socket_open(opt, SOCK_STREAM, 0), one = 1, client;
	size_t n;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0 ||
	    listen(fd, 16) < 0)
		die("listen %s: %s", opt->target, strerror(errno));
	say_listening(opt);
	if (socket_wait(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		outcome_end(o, RESULT_TIMEOUT, 0, "accept", start);
	} else {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0) {
			outcome_end(o, RESULT_REFUSED, errno, "accept", start);
		} else if (socket_read(client, opt, start, o, &n)) {
			if (send(client, "answer\n", 7, MSG_NOSIGNAL) < 0)
				outcome_end(o, RESULT_REFUSED, errno, "send", start);
			else
				outcome_end(o, RESULT_OK, 0, "answer", start);
		}
		if (client >= 0)
			close(client);
	}
	close(fd);
}

/* The same over UDP: an outsider speaks first. "refused" carries the errno of our answer. */
static void attempt_listen_udp(const struct options *opt, struct outcome *o)
{
	double start = now_ms();
	int fd = socket_open(opt, SOCK_DGRAM, 0);
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	ssize_t n;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0)
		die("bind %s: %s", opt->target, strerror(errno));
	say_listening(opt);
	if (socket_wait(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		outcome_end(o, RESULT_TIMEOUT, 0, "receive", start);
	} else {
		n = recvfrom(fd, o->answer, sizeof(o->answer) - 1, 0, (struct sockaddr *)&peer,
			     &length);
		o->answer[n > 0 ? n : 0] = '\0';
		if (sendto(fd, "answer", 6, 0, (struct sockaddr *)&peer, length) < 0)
			outcome_end(o, RESULT_REFUSED, errno, "send", start);
		else
			outcome_end(o, RESULT_OK, 0, "answer", start);
	}
	close(fd);
}

const struct kind kinds[] = {
	{ "tcp", attempt_tcp, false,
	  "ADDRESS:PORT    connect; with -m send it and read the answer" },
	{ "stream", attempt_stream, false, "ADDRESS:PORT    with -f and -m: over one connection" },
	{ "reaim", attempt_tcp, false, "ADDRESS:PORT    root's listener on -p, aimed outwards" },
	{ "udp", attempt_udp, false, "ADDRESS:PORT    send and read the answer" },
	{ "udplite", attempt_udplite, false, "ADDRESS:PORT" },
	{ "ping", attempt_ping, false, "ADDRESS         ICMP or ICMPv6 echo" },
	{ "dns", attempt_dns, true, "ADDRESS:PORT NAME" },
	{ "dns-tcp", attempt_dns_tcp, true, "ADDRESS:PORT NAME" },
	{ "get", attempt_get, true, "PROXY:PORT URL" },
	{ "connect", attempt_connect, true, "PROXY:PORT HOST:PORT" },
	{ "listen", attempt_listen, false, "ADDRESS:PORT    answer the first who connects" },
	{ "listen-udp", attempt_listen_udp, false, "ADDRESS:PORT    answer the first datagram" },
};

const size_t n_kinds = sizeof(kinds) / sizeof(kinds[0]);
