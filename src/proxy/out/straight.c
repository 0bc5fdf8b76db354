/* SPDX-License-Identifier: GPL-2.0-or-later */
/* straight.c - connect(2), without waiting.
 *
 * To an address of this machine a connection stands, or is refused, by the time connect() returns,
 * though that says EINPROGRESS: asking TCP spares a turn of the loop.
 */
#include "proxy/out/straight.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static socklen_t make_address(const struct prefix *address, uint16_t port,
			      struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){ 0 };
	if (address->family == ADDR_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address->bytes, 16);
	return sizeof(*v6);
}

/* 0: connected; -EINPROGRESS, or why not. */
static int look(int fd)
{
	struct tcp_info info;
	socklen_t n = sizeof(info.tcpi_state); /* the first byte: the rest costs */
	int error = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return -errno;
	if (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT)
		return 0;
	if (info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV)
		return -EINPROGRESS;
	n = sizeof(error);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
	return error ? -error : -ECONNRESET;
}

static void on_event(evutil_socket_t fd, short what, void *data)
{
	struct straight *straight = data;
	int r = what & EV_TIMEOUT ? -ETIMEDOUT : look(fd);

	straight->fd = -1;
	if (r < 0)
		close(fd);
	straight->fn(straight->data, r < 0 ? r : fd);
}

static int wait_for(struct straight *straight, struct event_base *base, int fd, unsigned timeout_ms)
{
	const struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	event_assign(&straight->event, base, fd, EV_WRITE, on_event, straight);
	if (event_add(&straight->event, &timeout) < 0)
		return -ENOMEM;
	straight->fd = fd;
	return -EINPROGRESS;
}

int straight_start(struct straight *straight, struct event_base *base, const struct prefix *address,
		   uint16_t port, unsigned timeout_ms)
{
	AUTO(fd)
	int fd = socket(address->family == ADDR_V4 ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	const int one = 1;
	struct sockaddr_storage to;
	socklen_t n = make_address(address, port, &to);
	int r;

	straight->fd = -1;
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const void *)&to, n) < 0 && errno != EINPROGRESS)
		return -errno;
	r = look(fd);
	if (r == -EINPROGRESS)
		r = wait_for(straight, base, fd, timeout_ms);
	if (r == 0)
		r = fd;
	if (r >= 0 || r == -EINPROGRESS)
		fd = -1; /* given away */
	return r;
}

void straight_cancel(struct straight *straight)
{
	if (straight->fd < 0)
		return;
	event_del(&straight->event);
	close(straight->fd);
	straight->fd = -1;
}
