/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt.c - become a user, try one way out, and print what came of it as one line of JSON.
 *
 * What the kernel judges is the fsuid of whoever opened the socket, so the user is changed before
 * the first socket() call - but for `reaim`, which is about sockets that root opened. Every wait
 * ends: an attempt that is neither answered nor refused is a "timeout".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE 136
#endif

enum { ANSWER_MAX = 512, ERRNO_MAX = 134, AFTER_REFUSAL_MS = 10 };

enum result { RESULT_OK, RESULT_REFUSED, RESULT_TIMEOUT, RESULT_COUNT };

static const char *const result_names[] = { "ok", "refused", "timeout" };

struct options {
	const char *what;
	const char *target;
	const char *argument; /* name, URL or host:port; or NULL */
	struct sockaddr_storage address;
	socklen_t address_length;
	long uid;      /* -1: stay who we are */
	long uid_last; /* all of uid to uid_last, a process each */
	long gid;      /* -1: as uid */
	long mapped;   /* a uid reached through a user namespace of uid's; -1: none */
	unsigned timeout_ms;
	unsigned for_ms; /* repeat as long as this and count; 0: once */
	unsigned pause_us;
	uint16_t source_port;
	const char *source;
	const char *device;
	const char *via; /* first hop of an IPv6 routing header */
	const char *message;
	bool ip_options;
	bool foreign_source;
	bool answer_wanted;
	int inherited; /* root's socket, for reaim; -1 */
};

struct outcome {
	enum result result;
	int error;
	int error_after; /* what the socket reported once sending had failed; 0 none */
	const char *stage;
	double ms;
	char answer[ANSWER_MAX];
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list ap;

	fputs("attempt: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000.0 + (double)t.tv_nsec / 1e6;
}

/* "192.0.2.1:80", "[2001:db8::1]:80", and without the port for ping. */
static void parse_target(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length)
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

static const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "";

	return name ? name : "?";
}

static void end(struct outcome *o, enum result result, int error, const char *stage, double start)
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

/* What the options ask of the socket, and then its source address and port. */
static int prepare(int fd, const struct options *opt)
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

static int open_socket(const struct options *opt, int type, int protocol)
{
	return socket(opt->address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

static int wait_for(int fd, short events, double start, unsigned timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left = start + timeout_ms - now_ms();

	return poll(&p, 1, left > 0 ? (int)left + 1 : 0);
}

static int pending_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	return error;
}

/* Waits for bytes; true when some are in o->answer, else the outcome is complete. */
static bool read_answer(int fd, const struct options *opt, double start, struct outcome *o,
			size_t *ret_n)
{
	ssize_t n;

	if (wait_for(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		end(o, RESULT_TIMEOUT, 0, "answer", start);
		return false;
	}
	n = recv(fd, o->answer, sizeof(o->answer) - 1, 0);
	if (n <= 0) {
		end(o, RESULT_REFUSED, n < 0 ? errno : ECONNRESET, "answer", start);
		return false;
	}
	o->answer[n] = '\0';
	*ret_n = (size_t)n;
	return true;
}

/* Connects; returns the socket, or -1 with the outcome complete. */
static int tcp_connect(const struct options *opt, double start, struct outcome *o)
{
	bool inherited = opt->inherited >= 0;
	int fd = inherited ? dup(opt->inherited) : open_socket(opt, SOCK_STREAM, 0);
	int error;

	if (fd < 0) {
		end(o, RESULT_REFUSED, errno, "socket", start);
		return -1;
	}
	if (inherited) {
		struct sockaddr none = { .sa_family = AF_UNSPEC };

		if (connect(fd, &none, sizeof(none)) < 0) {
			end(o, RESULT_REFUSED, errno, "disconnect", start);
			goto fail;
		}
	} else if (prepare(fd, opt) < 0) {
		end(o, RESULT_REFUSED, errno, "bind", start);
		goto fail;
	}
	if (connect(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0 &&
	    errno != EINPROGRESS) {
		end(o, RESULT_REFUSED, errno, "connect", start);
		goto fail;
	}
	if (wait_for(fd, POLLOUT, start, opt->timeout_ms) <= 0) {
		end(o, RESULT_TIMEOUT, 0, "connect", start);
		goto fail;
	}
	error = pending_error(fd);
	if (error) {
		end(o, RESULT_REFUSED, error, "connect", start);
		goto fail;
	}
	end(o, RESULT_OK, 0, "connect", start);
	return fd;
fail:
	close(fd);
	return -1;
}

static void tcp_exchange(int fd, const struct options *opt, double start, struct outcome *o)
{
	size_t n;

	if (send(fd, opt->message, strlen(opt->message), MSG_NOSIGNAL) < 0)
		end(o, RESULT_REFUSED, errno, "send", start);
	else if (read_answer(fd, opt, start, o, &n))
		end(o, RESULT_OK, 0, "answer", start);
}

static void attempt_tcp(const struct options *opt, struct outcome *o)
{
	double start = now_ms();
	int fd = tcp_connect(opt, start, o);

	if (fd < 0)
		return;
	if (opt->message)
		tcp_exchange(fd, opt, start, o);
	close(fd);
}

/* One connection for the whole time, a message and its answer again and again. */
static void attempt_stream(const struct options *opt, struct outcome *o)
{
	static int fd = -1; /* kept from call to call */
	double start = now_ms();

	if (fd < 0)
		fd = tcp_connect(opt, start, o);
	if (fd < 0)
		return;
	tcp_exchange(fd, opt, start, o);
	if (o->result != RESULT_OK) {
		close(fd);
		fd = -1;
	}
}

static void attempt_datagram(const struct options *opt, int protocol, const void *bytes, size_t n,
			     struct outcome *o, size_t *ret_n)
{
	double start = now_ms();
	int fd = open_socket(opt, SOCK_DGRAM, protocol);

	*ret_n = 0;
	if (fd < 0) {
		end(o, RESULT_REFUSED, errno, "socket", start);
		return;
	}
	if (prepare(fd, opt) < 0) {
		end(o, RESULT_REFUSED, errno, "bind", start);
	} else if (connect(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0) {
		end(o, RESULT_REFUSED, errno, "connect", start);
	} else if (send(fd, bytes, n, 0) < 0) {
		end(o, RESULT_REFUSED, errno, "send", start);
		if (!opt->for_ms && wait_for(fd, POLLIN, now_ms(), AFTER_REFUSAL_MS) > 0)
			o->error_after = pending_error(fd);
	} else if (!opt->answer_wanted) {
		end(o, RESULT_OK, 0, "send", start);
	} else if (read_answer(fd, opt, start, o, ret_n)) {
		end(o, RESULT_OK, 0, "answer", start);
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
	int fd = tcp_connect(opt, start, o);

	if (fd < 0)
		return;
	query[0] = (unsigned char)(length >> 8);
	query[1] = (unsigned char)length;
	if (send(fd, query, length + 2, MSG_NOSIGNAL) < 0) {
		end(o, RESULT_REFUSED, errno, "send", start);
	} else if (read_answer(fd, opt, start, o, &n)) {
		end(o, RESULT_OK, 0, "answer", start);
		memcpy(answer, o->answer, n);
		dns_answer(o, answer + 2, n > 2 ? n - 2 : 0);
	}
	close(fd);
}

static void proxy_ask(const struct options *opt, const char *request, struct outcome *o)
{
	double start = now_ms();
	int fd = tcp_connect(opt, start, o), status;
	size_t n;

	if (fd < 0)
		return;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		end(o, RESULT_REFUSED, errno, "send", start);
	} else if (read_answer(fd, opt, start, o, &n)) {
		bool is_http = sscanf(o->answer, "HTTP/1.%*1[01] %d", &status) == 1;

		end(o, is_http && status / 100 == 2 ? RESULT_OK : RESULT_REFUSED, 0, "http", start);
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
	int fd = open_socket(opt, SOCK_STREAM, 0), one = 1, client;
	size_t n;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0 ||
	    listen(fd, 16) < 0)
		die("listen %s: %s", opt->target, strerror(errno));
	say_listening(opt);
	if (wait_for(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		end(o, RESULT_TIMEOUT, 0, "accept", start);
	} else {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0) {
			end(o, RESULT_REFUSED, errno, "accept", start);
		} else if (read_answer(client, opt, start, o, &n)) {
			if (send(client, "answer\n", 7, MSG_NOSIGNAL) < 0)
				end(o, RESULT_REFUSED, errno, "send", start);
			else
				end(o, RESULT_OK, 0, "answer", start);
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
	int fd = open_socket(opt, SOCK_DGRAM, 0);
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	ssize_t n;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&opt->address, opt->address_length) < 0)
		die("bind %s: %s", opt->target, strerror(errno));
	say_listening(opt);
	if (wait_for(fd, POLLIN, start, opt->timeout_ms) <= 0) {
		end(o, RESULT_TIMEOUT, 0, "receive", start);
	} else {
		n = recvfrom(fd, o->answer, sizeof(o->answer) - 1, 0, (struct sockaddr *)&peer,
			     &length);
		o->answer[n > 0 ? n : 0] = '\0';
		if (sendto(fd, "answer", 6, 0, (struct sockaddr *)&peer, length) < 0)
			end(o, RESULT_REFUSED, errno, "send", start);
		else
			end(o, RESULT_OK, 0, "answer", start);
	}
	close(fd);
}

static const struct kind {
	const char *name;
	void (*attempt)(const struct options *, struct outcome *);
	bool needs_argument;
	const char *help;
} kinds[] = {
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

static void print_string(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < ' ' || *p > '~')
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	putchar('"');
}

static void print_head(const struct options *opt)
{
	printf("{\"uid\":%ld,\"what\":\"%s\",\"target\":",
	       opt->mapped >= 0 ? opt->mapped : opt->uid, opt->what);
	print_string(opt->target);
}

static void print_outcome(const struct options *opt, const struct outcome *o)
{
	print_head(opt);
	printf(",\"result\":\"%s\",\"stage\":\"%s\",\"errno\":\"%s\",\"ms\":%.3f",
	       result_names[o->result], o->stage, errno_name(o->error), o->ms);
	if (o->error_after)
		printf(",\"after\":\"%s\"", errno_name(o->error_after));
	if (o->answer[0]) {
		printf(",\"answer\":");
		print_string(o->answer);
	}
	puts("}");
}

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void repeat(const struct kind *kind, const struct options *opt)
{
	unsigned long counts[RESULT_COUNT] = { 0 }, errors[ERRNO_MAX] = { 0 };
	double until = now_ms() + opt->for_ms, slowest = 0;
	const char *comma = "";

	signal(SIGTERM, stop);
	while (now_ms() < until && !stopped) {
		struct outcome o = { .stage = "" };

		kind->attempt(opt, &o);
		if (stopped && o.result == RESULT_TIMEOUT)
			break; /* it is our waiting that was cut short */
		counts[o.result]++;
		if (o.error > 0 && o.error < ERRNO_MAX)
			errors[o.error]++;
		if (o.ms > slowest)
			slowest = o.ms;
		if (opt->pause_us)
			usleep(opt->pause_us);
	}
	print_head(opt);
	for (int i = 0; i < RESULT_COUNT; i++)
		printf(",\"%s\":%lu", result_names[i], counts[i]);
	printf(",\"slowest_ms\":%.3f,\"errnos\":{", slowest);
	for (int e = 1; e < ERRNO_MAX; e++) {
		if (!errors[e])
			continue;
		printf("%s\"%s\":%lu", comma, errno_name(e), errors[e]);
		comma = ",";
	}
	puts("}}");
}

static void become(long uid, long gid)
{
	if (setgroups(0, NULL) < 0 || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		die("becoming uid %ld: %s", uid, strerror(errno));
}

static void write_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

/* What rootless containers do: the user makes a user namespace, newuidmap (here: root, a process
 * that stays behind) maps a range of subordinate ids into it, and the attempt runs as one of them.
 */
static void become_mapped(const struct options *opt)
{
	int ready[2], go[2], status = 0;
	char byte, map[80];
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become(opt->uid, opt->gid >= 0 ? opt->gid : opt->uid);
		if (unshare(CLONE_NEWUSER) < 0)
			die("unshare: %s", strerror(errno));
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			die("the process that maps the ids went away");
		become(1, 1);
		return;
	}
	if (read(ready[0], &byte, 1) == 1) {
		snprintf(map, sizeof(map), "0 %ld 1\n1 %ld 1\n", opt->uid, opt->mapped);
		write_map(child, "uid_map", map);
		write_map(child, "gid_map", map);
		if (write(go[1], "", 1) != 1)
			die("write: %s", strerror(errno));
	}
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

static int open_as_root(const struct options *opt)
{
	int fd = open_socket(opt, SOCK_STREAM, 0);

	if (fd < 0 || prepare(fd, opt) < 0 || listen(fd, 1) < 0)
		die("listening on port %u: %s", opt->source_port, strerror(errno));
	return fd;
}

static int run(const struct kind *kind, struct options *opt)
{
	struct outcome o = { .stage = "" };

	if (strcmp(opt->what, "reaim") == 0)
		opt->inherited = open_as_root(opt);
	if (opt->mapped >= 0)
		become_mapped(opt);
	else if (opt->uid >= 0)
		become(opt->uid, opt->gid >= 0 ? opt->gid : opt->uid);
	if (opt->for_ms) {
		repeat(kind, opt);
		return 0;
	}
	kind->attempt(opt, &o);
	print_outcome(opt, &o);
	return o.result == RESULT_OK ? 0 : 1;
}

/* A process for each user, one after the other: one start of the program for many users. */
static int run_all(const struct kind *kind, struct options *opt)
{
	int worst = 0;

	for (long last = opt->uid_last; opt->uid <= last; opt->uid++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child < 0)
			die("fork: %s", strerror(errno));
		if (child == 0)
			exit(run(kind, opt));
		waitpid(child, &status, 0);
		if (!WIFEXITED(status))
			return 2;
		if (WEXITSTATUS(status) > worst)
			worst = WEXITSTATUS(status);
	}
	return worst;
}

static void usage(FILE *out)
{
	fputs("Usage: attempt [OPTION]... WHAT TARGET [ARGUMENT]\n"
	      "Exit status: 0 it went through, 1 it did not, 2 wrong use.\n\n",
	      out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(out, "  %-10s %s\n", kinds[i].name, kinds[i].help);
	fputs("\n  -u UID[-LAST]  as this user, or as each of them\n"
	      "  -g GID         as this group, else the number of UID\n"
	      "  -n UID         as this subordinate id, in a user namespace of -u's\n"
	      "  -t MS          give up after this time (1000)\n"
	      "  -f MS          again and again for this time, and count\n"
	      "  -i US          pause between them\n"
	      "  -m TEXT        what to send\n"
	      "  -q             expect no answer to a datagram\n"
	      "  -s ADDRESS     from this address\n"
	      "  -b             even if it is not ours (IPV6_FREEBIND)\n"
	      "  -p PORT        from this port\n"
	      "  -d DEVICE      through this interface (SO_BINDTODEVICE)\n"
	      "  -o             with IPv4 options\n"
	      "  -r ADDRESS     by way of this address (IPv6 routing header)\n",
	      out);
}

static long number(const char *text, const char **ret_rest)
{
	char *rest;
	long n;

	errno = 0;
	n = strtol(text, &rest, 10);
	if (errno || rest == text || n < 0 || (*rest && !ret_rest))
		die("'%s' is no number", text);
	if (ret_rest)
		*ret_rest = rest;
	return n;
}

static void parse_options(int argc, char **argv, struct options *opt)
{
	const char *rest;
	int c;

	while ((c = getopt(argc, argv, "u:g:n:t:f:i:m:qs:p:d:bor:h")) != -1) {
		switch (c) {
		case 'u':
			opt->uid = opt->uid_last = number(optarg, &rest);
			if (*rest == '-')
				opt->uid_last = number(rest + 1, NULL);
			break;
		case 'g':
			opt->gid = number(optarg, NULL);
			break;
		case 'n':
			opt->mapped = number(optarg, NULL);
			break;
		case 't':
			opt->timeout_ms = (unsigned)number(optarg, NULL);
			break;
		case 'f':
			opt->for_ms = (unsigned)number(optarg, NULL);
			break;
		case 'i':
			opt->pause_us = (unsigned)number(optarg, NULL);
			break;
		case 'm':
			opt->message = optarg;
			break;
		case 'q':
			opt->answer_wanted = false;
			break;
		case 's':
			opt->source = optarg;
			break;
		case 'p':
			opt->source_port = (uint16_t)number(optarg, NULL);
			break;
		case 'd':
			opt->device = optarg;
			break;
		case 'b':
			opt->foreign_source = true;
			break;
		case 'o':
			opt->ip_options = true;
			break;
		case 'r':
			opt->via = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options opt = { .uid = -1,
			       .uid_last = -1,
			       .gid = -1,
			       .mapped = -1,
			       .timeout_ms = 1000,
			       .answer_wanted = true,
			       .inherited = -1 };
	const struct kind *kind = NULL;

	parse_options(argc, argv, &opt);
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[0], kinds[i].name) == 0)
			kind = &kinds[i];
	}
	if (!kind || argc != 2 + kind->needs_argument) {
		usage(stderr);
		return 2;
	}
	opt.what = argv[0];
	opt.target = argv[1];
	opt.argument = argv[2];
	if (strcmp(opt.what, "stream") == 0 && !opt.message)
		opt.message = "hello\n";
	parse_target(opt.target, &opt.address, &opt.address_length);
	return opt.uid < opt.uid_last ? run_all(kind, &opt) : run(kind, &opt);
}
