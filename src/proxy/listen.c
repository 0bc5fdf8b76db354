/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - addresses, or what was handed over → listening TCP sockets. */
#include "proxy/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "service/inherited.h"

/* As large as net.core.somaxconn is by default: the kernel takes the smaller one. */
enum { BACKLOG = 4096, ENDPOINT_TEXT_MAX = PREFIX_TEXT_MAX + 8 };

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void format_endpoint(const struct prefix *address, uint16_t port,
			    char ret_text[ENDPOINT_TEXT_MAX])
{
	char text[PREFIX_TEXT_MAX];

	format_prefix(address, text);
	snprintf(ret_text, ENDPOINT_TEXT_MAX, address->family == ADDR_V6 ? "[%s]:%u" : "%s:%u",
		 text, port);
}

static void add(struct listeners *listeners, int fd, const struct prefix *address, uint16_t port)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t n = strlen(listeners->words);

	format_endpoint(address, port, text);
	snprintf(listeners->words + n, sizeof(listeners->words) - n, "%s%s", n ? ", " : "", text);
	listeners->fds[listeners->n++] = fd;
}

/* --- handed over */

struct taking {
	struct listeners *listeners;
	const struct listen_address *addresses;
	size_t n;
	struct diags *diags;
	int result;
};

static bool option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

/* Where a TCP socket listens; false for any other socket. */
static bool get_place(int fd, struct prefix *ret_address, uint16_t *ret_port)
{
	union socket_address address;
	socklen_t length = sizeof(address);

	if (!option_is(fd, SO_TYPE, SOCK_STREAM) || !option_is(fd, SO_PROTOCOL, IPPROTO_TCP) ||
	    !option_is(fd, SO_ACCEPTCONN, 1) || getsockname(fd, &address.any, &length) < 0)
		return false;
	if (address.any.sa_family == AF_INET) {
		*ret_address = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(ret_address->bytes, &address.v4.sin_addr, 4);
		*ret_port = ntohs(address.v4.sin_port);
		return true;
	}
	if (address.any.sa_family == AF_INET6) {
		*ret_address = (struct prefix){ .family = ADDR_V6, .length = 128 };
		memcpy(ret_address->bytes, &address.v6.sin6_addr, 16);
		*ret_port = ntohs(address.v6.sin6_port);
		return true;
	}
	return false;
}

static bool is_configured(const struct taking *taking, const struct prefix *address, uint16_t port)
{
	for (size_t i = 0; i < taking->n; i++)
		if (!taking->addresses[i].is_led && taking->addresses[i].port == port &&
		    prefix_compare(&taking->addresses[i].address, address) == 0)
			return true;
	return false;
}

static void take(void *data, int fd, const char *name)
{
	struct taking *taking = data;
	char text[ENDPOINT_TEXT_MAX];
	struct prefix address;
	uint16_t port;

	if (!get_place(fd, &address, &port)) {
		taking->result =
			diag_add(taking->diags, DIAG_ERROR, (struct place){ 0 },
				 "descriptor %d, which the service manager handed over, is "
				 "not a listening TCP socket (ListenStream=127.0.0.1:3128)",
				 fd);
		close(fd);
		return;
	}
	if (taking->listeners->n == LISTENERS_MAX) {
		taking->result = diag_add(taking->diags, DIAG_ERROR, (struct place){ 0 },
					  "the service manager handed over more than %d sockets",
					  LISTENERS_MAX);
		close(fd);
		return;
	}
	format_endpoint(&address, port, text);
	if (!is_configured(taking, &address, port))
		diag_add(taking->diags, DIAG_WARNING, (struct place){ 0 },
			 "the service manager handed over a socket at %s, which \"proxy\" in "
			 "uidwall.json does not name: no service may connect to it",
			 text);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		taking->result = -errno;
	taking->listeners->are_handed = true;
	add(taking->listeners, fd, &address, port);
}

/* --- made here */

static socklen_t make_address(const struct listen_address *at, union socket_address *ret_address)
{
	*ret_address = (union socket_address){ 0 };
	if (at->address.family == ADDR_V4) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = htons(at->port);
		memcpy(&ret_address->v4.sin_addr, at->address.bytes, 4);
		return sizeof(ret_address->v4);
	}
	ret_address->v6.sin6_family = AF_INET6;
	ret_address->v6.sin6_port = htons(at->port);
	memcpy(&ret_address->v6.sin6_addr, at->address.bytes, 16);
	return sizeof(ret_address->v6);
}

/* An address that an interface gets later can be listened at before that. */
static int bind_freely(int fd, const union socket_address *address, socklen_t length)
{
	const int on = 1;
	bool is_v6 = address->any.sa_family == AF_INET6;

	if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_FREEBIND : IP_FREEBIND,
		       &on, sizeof(on)) < 0 ||
	    bind(fd, &address->any, length) < 0)
		return -errno;
	return 0;
}

static int make(const struct listen_address *at, const char *text, int *ret_fd, struct diags *diags)
{
	union socket_address address;
	socklen_t length = make_address(at, &address);
	AUTO(fd)
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	int r;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address.any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	r = bind(fd, &address.any, length) < 0 ? -errno : 0;
	if (r == -EADDRNOTAVAIL) {
		r = bind_freely(fd, &address, length);
		if (r < 0)
			return r;
		diag_add(diags, DIAG_WARNING, at->place,
			 "no interface has the address of %s at this moment: it counts as soon as "
			 "one gets it",
			 text);
	}
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static const char *remedy(int r)
{
	switch (-r) {
	case EADDRINUSE:
		return "; \"ss -ltnp\" names the program that listens there. Stop it, or let "
		       "\"proxy\" in uidwall.json say another address as \"listen\", or, if "
		       "services are to use that program, this one as \"external\"";
	case EACCES:
		return "; ports below 1024 need root: let \"proxy\" in uidwall.json say a higher "
		       "one as \"listen\", or start it by a socket unit";
	default:
		return "";
	}
}

static int open_one(const struct listen_address *at, bool with_remedy, struct listeners *listeners,
		    struct diags *diags)
{
	char text[ENDPOINT_TEXT_MAX];
	int fd = -1, r;

	format_endpoint(&at->address, at->port, text);
	r = listeners->n < LISTENERS_MAX ? make(at, text, &fd, diags) : -E2BIG;
	if (r == 0) {
		if (at->is_led)
			listeners->fds[listeners->n++] = fd;
		else
			add(listeners, fd, &at->address, at->port);
		return 0;
	}
	diag_add(diags, r == -EAFNOSUPPORT ? DIAG_WARNING : DIAG_ERROR, at->place,
		 "cannot listen at %s: %s%s", text, strerror(-r),
		 !with_remedy ? "" :
		 at->is_led ? "; connections of transparent services are led there: let \"proxy\" "
			      "in uidwall.json say others as \"transparent_ports\"" :
			      remedy(r));
	return r == -EAFNOSUPPORT ? 0 : r;
}

int listeners_open(const struct listen_address *addresses, size_t n, struct listeners *ret,
		   struct diags *diags)
{
	struct taking taking = { ret, addresses, n, diags, 0 };
	int r = 0;

	*ret = (struct listeners){ 0 };
	inherited_take(take, &taking);
	if (taking.result < 0)
		return taking.result;
	for (size_t i = 0; i < n; i++) {
		int r_one;

		if (ret->are_handed && !addresses[i].is_led)
			continue;
		r_one = open_one(&addresses[i], r == 0, ret, diags);

		if (r_one < 0)
			r = r_one;
	}
	if (r == 0 && !ret->n) {
		diag_add(diags, DIAG_ERROR, (struct place){ 0 }, "there is nowhere to listen");
		r = -EAFNOSUPPORT;
	}
	return r;
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->n; i++)
		close(listeners->fds[i]);
	listeners->n = 0;
}
