/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sink.c - the world outside, for tests: answers whoever comes, or prints each frame that arrives.
 *
 * `sink serve` plays many servers at once in one process. `sink capture` prints a line for each
 * frame that an interface receives, so that "nothing arrives" is judged below every socket.
 * Neighbour discovery, ARP and multicast listener reports, which the kernel sends by itself, are
 * left out.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVERS_MAX = 32, CLIENTS_MAX = 512, FRAME_MAX = 2048, CAPTURE_BUFFER = 32 << 20 };

#define DNS_A "\xc6\x33\x64\x50"				/* 198.51.100.80 */
#define DNS_AAAA "\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x80" /* 2001:db8:1::80 */

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list ap;

	fputs("sink: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* --- serve -------------------------------------------------------------------------------- */

enum role { ROLE_ECHO, ROLE_DNS, ROLE_HTTP, ROLE_BANNER };

static const char *const role_names[] = { "echo", "dns", "http", "banner" };

struct server {
	enum role role;
	const char *banner;
	bool is_tcp;
	int fd;
};

struct client {
	const struct server *server;
	int fd;
	unsigned n_end; /* HTTP: how much of the empty line at the end of the head has come */
};

static struct server servers[SERVERS_MAX];
static struct client clients[CLIENTS_MAX];
static size_t n_servers, n_clients;

/* Turns a query into its answer: the one address of the family asked for, whatever the name. */
static size_t dns_answer(unsigned char *message, size_t n, size_t size)
{
	static const unsigned char head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0 };
	size_t q = 12, length;
	bool is_v6;

	while (q < n && message[q])
		q += message[q] + 1u;
	if (n < 12 || q + 5 > n || q + 5 + sizeof(head) + 17 > size)
		return 0;
	is_v6 = message[q + 2] == 28;
	length = is_v6 ? 16 : 4;
	q += 5;
	message[2] = 0x81;
	message[3] = 0x80;
	memcpy(message + 6, "\0\0\0\0\0\0", 6); /* also takes an EDNS record away */
	if (message[q - 3] != 1 && !is_v6)
		return q; /* any other type: no records */
	message[7] = 1;
	memcpy(message + q, head, sizeof(head));
	message[q + 3] = message[q - 3];
	q += sizeof(head);
	message[q++] = (unsigned char)length;
	memcpy(message + q, is_v6 ? DNS_AAAA : DNS_A, length);
	return q + length;
}

/* "ROLE:tcp:PORT" on all addresses, or "ROLE:tcp:ADDRESS:PORT"; a banner is "banner=TEXT". */
static void server_add(const char *text)
{
	struct server *s = &servers[n_servers];
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	char *copy = strdup(text), *role, *protocol, *host, *port, *equals;
	int one = 1, zero = 0;
	bool found = false;

	if (!copy || n_servers == SERVERS_MAX)
		die("too many servers");
	role = copy;
	protocol = strchr(role, ':');
	port = strrchr(role, ':');
	host = protocol ? strchr(protocol + 1, ':') : NULL;
	if (!protocol || !host)
		die("'%s' is not ROLE:PROTOCOL[:ADDRESS]:PORT", text);
	*protocol++ = '\0';
	*host++ = '\0';
	*port++ = '\0';
	equals = strchr(role, '=');
	if (equals)
		*equals++ = '\0';
	s->banner = equals;
	for (int i = 0; i < 4; i++) {
		if (strcmp(role, role_names[i]) == 0) {
			s->role = (enum role)i;
			found = true;
		}
	}
	s->is_tcp = strcmp(protocol, "tcp") == 0;
	if (!found || (!s->is_tcp && strcmp(protocol, "udp") != 0))
		die("'%s': no such role or protocol", text);
	address.sin6_port = htons((uint16_t)atoi(port));
	if (host < port && *host && inet_pton(AF_INET6, host, &address.sin6_addr) != 1) {
		char mapped[INET6_ADDRSTRLEN];

		snprintf(mapped, sizeof(mapped), "::ffff:%s", host);
		if (inet_pton(AF_INET6, mapped, &address.sin6_addr) != 1)
			die("'%s' is no address", host);
	}
	s->fd = socket(AF_INET6, (s->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (s->is_tcp && listen(s->fd, 4096) < 0))
		die("%s: %s", text, strerror(errno));
	n_servers++;
}

static void serve_datagram(const struct server *s)
{
	unsigned char message[FRAME_MAX];
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	ssize_t n = recvfrom(s->fd, message, sizeof(message), MSG_DONTWAIT,
			     (struct sockaddr *)&peer, &length);

	if (n > 0 && s->role == ROLE_DNS)
		n = (ssize_t)dns_answer(message, (size_t)n, sizeof(message));
	if (n > 0)
		sendto(s->fd, message, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&peer, length);
}

static void serve_accept(const struct server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (n_clients == CLIENTS_MAX) {
		close(fd);
		return;
	}
	if (s->banner)
		dprintf(fd, "%s\r\n", s->banner);
	clients[n_clients++] = (struct client){ s, fd, 0 };
}

/* Answers when the whole head is there: a proxy sends it in pieces. Closes only after the client,
 * so that no reset overtakes the answer.
 */
static bool serve_http(struct client *c, const unsigned char *bytes, size_t n)
{
	static const char end[] = "\r\n\r\n";

	for (size_t i = 0; i < n && c->n_end < 4; i++)
		c->n_end = bytes[i] == end[c->n_end] ? c->n_end + 1 : bytes[i] == '\r';
	if (c->n_end < 4)
		return true;
	dprintf(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsink\n");
	return shutdown(c->fd, SHUT_WR) == 0;
}

/* False when the connection is over. */
static bool serve_client(struct client *c)
{
	unsigned char bytes[FRAME_MAX];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	switch (c->server->role) {
	case ROLE_HTTP:
		return serve_http(c, bytes, (size_t)n);
	case ROLE_DNS:
		n = n > 2 ? (ssize_t)dns_answer(bytes + 2, (size_t)n - 2, sizeof(bytes) - 2) : 0;
		bytes[0] = (unsigned char)(n >> 8);
		bytes[1] = (unsigned char)n;
		return send(c->fd, bytes, (size_t)n + 2, MSG_NOSIGNAL) > 0;
	case ROLE_ECHO:
	case ROLE_BANNER:
		return send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL) > 0;
	}
	return false;
}

static void serve(void)
{
	static struct pollfd polls[SERVERS_MAX + CLIENTS_MAX];

	signal(SIGPIPE, SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		size_t n = n_servers + n_clients;

		for (size_t i = 0; i < n; i++) {
			polls[i].fd = i < n_servers ? servers[i].fd : clients[i - n_servers].fd;
			polls[i].events = POLLIN;
			polls[i].revents = 0;
		}
		if (poll(polls, n, -1) < 0)
			die("poll: %s", strerror(errno));
		for (size_t i = n; i-- > n_servers;) {
			struct client *c = &clients[i - n_servers];

			if (!polls[i].revents || serve_client(c))
				continue;
			close(c->fd);
			*c = clients[--n_clients];
		}
		for (size_t i = 0; i < n_servers; i++) {
			if (!polls[i].revents)
				continue;
			if (servers[i].is_tcp)
				serve_accept(&servers[i]);
			else
				serve_datagram(&servers[i]);
		}
	}
}

/* --- capture ------------------------------------------------------------------------------ */

static void print_tcp_flags(const struct tcphdr *tcp)
{
	static const struct {
		uint8_t bit;
		char letter;
	} letters[] = {
		{ TH_SYN, 'S' }, { TH_ACK, 'A' }, { TH_FIN, 'F' }, { TH_RST, 'R' }, { TH_PUSH, 'P' }
	};

	putchar(' ');
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (tcp->th_flags & letters[i].bit)
			putchar(letters[i].letter);
	}
}

static void print_transport(unsigned protocol, const char *source, const char *destination,
			    const unsigned char *p, size_t n)
{
	bool has_ports = n >= 8 && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
				    protocol == IPPROTO_UDPLITE);

	switch (protocol) {
	case IPPROTO_TCP:
		fputs("tcp", stdout);
		break;
	case IPPROTO_UDP:
		fputs("udp", stdout);
		break;
	case IPPROTO_UDPLITE:
		fputs("udplite", stdout);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		printf("icmp-%u", n ? p[0] : 0);
		break;
	default:
		printf("proto-%u", protocol);
	}
	if (has_ports)
		printf(" [%s]:%u > [%s]:%u", source, p[0] << 8 | p[1], destination,
		       p[2] << 8 | p[3]);
	else
		printf(" [%s] > [%s]", source, destination);
	if (protocol == IPPROTO_TCP && n >= sizeof(struct tcphdr))
		print_tcp_flags((const struct tcphdr *)p);
	putchar('\n');
}

static void print_ip4(const unsigned char *p, size_t n)
{
	char source[INET_ADDRSTRLEN], destination[INET_ADDRSTRLEN];
	size_t header = (p[0] & 15u) * 4;

	if (n < 20 || header < 20 || header > n)
		return;
	inet_ntop(AF_INET, p + 12, source, sizeof(source));
	inet_ntop(AF_INET, p + 16, destination, sizeof(destination));
	print_transport(p[9], source, destination, p + header, n - header);
}

/* Skips extension headers: a packet behind a routing header must not go unseen. */
static void print_ip6(const unsigned char *p, size_t n)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	unsigned next = p[6];
	size_t at = 40;

	if (n < 40)
		return;
	while (at + 8 <= n && (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
			       next == IPPROTO_DSTOPTS || next == IPPROTO_FRAGMENT)) {
		size_t length = next == IPPROTO_FRAGMENT ? 8 : (p[at + 1] + 1u) * 8;

		next = p[at];
		at += length;
	}
	if (at > n)
		return;
	if (next == IPPROTO_ICMPV6 && at < n &&
	    (p[at] == 143 || (p[at] >= 130 && p[at] <= 137))) /* RFC 2710, 3810, 4861 */
		return;
	inet_ntop(AF_INET6, p + 8, source, sizeof(source));
	inet_ntop(AF_INET6, p + 24, destination, sizeof(destination));
	print_transport(next, source, destination, p + at, n - at);
}

static void capture(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int size = CAPTURE_BUFFER;
	unsigned char frame[FRAME_MAX];

	if (fd < 0 || !address.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("capture on %s: %s", interface, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		struct sockaddr_ll from;
		socklen_t length = sizeof(from);
		ssize_t n =
			recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &length);

		if (n < 0)
			die("capture: %s", strerror(errno));
		if (from.sll_pkttype == PACKET_OUTGOING || n < 1)
			continue;
		if (from.sll_protocol == htons(ETH_P_IP))
			print_ip4(frame, (size_t)n);
		else if (from.sll_protocol == htons(ETH_P_IPV6))
			print_ip6(frame, (size_t)n);
		else if (from.sll_protocol != htons(ETH_P_ARP))
			printf("ethertype-%04x\n", ntohs(from.sll_protocol));
	}
}

static void usage(FILE *out)
{
	fputs("Usage: sink serve [-u UID] ROLE:PROTOCOL[:ADDRESS]:PORT...\n"
	      "       sink capture INTERFACE\n\n"
	      "ROLE is echo, dns, http or banner=TEXT, PROTOCOL is tcp or udp.\n"
	      "Prints 'ready' when all sockets are open, and runs until it is killed.\n",
	      out);
}

int main(int argc, char **argv)
{
	bool serving = argc > 1 && strcmp(argv[1], "serve") == 0;
	int first = 2;

	if (argc == 3 && strcmp(argv[1], "capture") == 0)
		capture(argv[2]);
	if (argc > 4 && serving && strcmp(argv[2], "-u") == 0) {
		uid_t uid = (uid_t)strtoul(argv[3], NULL, 10);

		if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			die("becoming uid %u: %s", uid, strerror(errno));
		first = 4;
	}
	if (!serving || first >= argc) {
		usage(stderr);
		return 2;
	}
	for (int i = first; i < argc; i++)
		server_add(argv[i]);
	serve();
}
