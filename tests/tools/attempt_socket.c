/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt_socket.c - options → a socket as they ask for, and what came of it. Every wait ends. */
#include "attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
	va_list ap;

	fputs("attempt: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000.0 + (double)t.tv_nsec / 1e6;
}

void parse_target(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char host[128];
	const char *port = NULL;
	size_t n = strlen(text);

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (!end)
			die("'%s' lacks a ']'", text);
		n = (size_t)(end - text) - 1;
		if (end[1] == ':')
			port = end + 2;
		text++;
	} else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':')) {
		port = strchr(text, ':') + 1;
		n = (size_t)(port - text) - 1;
	}
	if (n >= sizeof(host))
		die("'%s' is too long", text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (getaddrinfo(host, port, &hints, &found) != 0)
		die("'%s' is no address", host);
	memcpy(ret, found->ai_addr, found->ai_addrlen);
	*ret_length = found->ai_addrlen;
	freeaddrinfo(found);
}

void outcome_end(struct outcome *o, enum result result, int error, const char *stage, double start)
{
	o->result = result;
	o->error = error;
	o->stage = stage;
	o->ms = now_ms() - start;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

/* A segment routing header (RFC 8754), which takes no privilege: the packet goes to `via`, the
 * target is inside. connect() puts the target into segments[0].
 */
static int set_routing_header(int fd, const char *via)
{
	struct {
		uint8_t next, length, type, left, last, flags;
		uint16_t tag;
		struct in6_addr segments[2];
	} header = { .length = 4, .type = 4, .left = 1, .last = 1 };
	struct sockaddr_storage hop;
	socklen_t length;

	parse_target(via, &hop, &length);
	header.segments[1] = ((struct sockaddr_in6 *)&hop)->sin6_addr;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, &header, sizeof(header));
}

int socket_prepare(int fd, const struct options *opt)
{
	struct sockaddr_storage local = { .ss_family = opt->address.ss_family };
	socklen_t length = opt->address_length;
	int one = 1;

	if (opt->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt->device,
				      (socklen_t)strlen(opt->device)) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (opt->ip_options && setsockopt(fd, IPPROTO_IP, IP_OPTIONS, "\1\1\1\0", 4) < 0)
		return -1;
	if (opt->via && set_routing_header(fd, opt->via) < 0)
		return -1;
	if (opt->foreign_source)
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	if (opt->foreign_source && local.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	if (!opt->source_port && !opt->source)
		return 0;
	if (opt->source)
		parse_target(opt->source, &local, &length);
	set_port(&local, opt->source_port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&local, length);
}

int socket_open(const struct options *opt, int type, int protocol)
{
	return socket(opt->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

int socket_wait(int fd, short events, double start, unsigned timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left = start + timeout_ms - now_ms();

	return poll(&p, 1, left > 0 ? (int)left + 1 : 0);
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

bool socket_read(int fd, const struct options *opt, double start, struct outcome *o, size_t *ret_n)
{
	ssize_t n;

	if (socket_wait(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		outcome_end(o, RESULT_TIMEOUT, 0, "answer", start);
		return false;
	}
	n = recv(fd, o->answer, sizeof(o->answer) - 1, 0);
	if (n <= 0) {
		outcome_end(o, RESULT_REFUSED, n < 0 ? errno : ECONNRESET, "answer", start);
		return false;
	}
	o->answer[n] = '\0';
	*ret_n = (size_t)n;
	return true;
}

int socket_connect(const struct options *opt, double start, struct outcome *o)
{
	bool inherited = opt->inherited >= 0;
	int fd = inherited ? dup(opt->inherited) : socket_open(opt, SOCK_STREAM, 0);
	int error;

	if (fd < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "socket", start);
		return -1;
	}
	if (inherited) {
		struct sockaddr none = { .sa_family = AF_UNSPEC };

		if (connect(fd, &none, sizeof(none)) < 0) {
			outcome_end(o, RESULT_REFUSED, errno, "disconnect", start);
			goto fail;
		}
	} else if (socket_prepare(fd, opt) < 0) {
		outcome_end(o, RESULT_REFUSED, errno, "bind", start);
		goto fail;
	}
	if (connect(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0 &&
	    errno != EINPROGRESS) {
		outcome_end(o, RESULT_REFUSED, errno, "connect", start);
		goto fail;
	}
	if (socket_wait(fd, POLLOUT, start, opt->timeout_ms) <= 0) {
		outcome_end(o, RESULT_TIMEOUT, 0, "connect", start);
		goto fail;
	}
	error = socket_error(fd);
	if (error) {
		outcome_end(o, RESULT_REFUSED, error, "connect", start);
		goto fail;
	}
	outcome_end(o, RESULT_OK, 0, "connect", start);
	return fd;
fail:
	close(fd);
	return -1;
}

void socket_exchange(int fd, const struct options *opt, double start, struct outcome *o)
{
	size_t n;

	if (send(fd, opt->message, strlen(opt->message), MSG_NOSIGNAL) < 0)
		outcome_end(o, RESULT_REFUSED, errno, "send", start);
	else if (socket_read(fd, opt, start, o, &n))
		outcome_end(o, RESULT_OK, 0, "answer", start);
}
