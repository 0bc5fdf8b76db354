/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datagram.c - one row of a table → one datagram sent.
 *
 * Large ones consist of markers, so that each fragment and segment of it tells whose it is.
 */
#include "datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE_MAX_UDP = 65507, HEADER_MAX = 8, CONTROL_MAX = 256 };

int cannot(const char *call)
{
	return way_cannot("%s: %s", call, strerror(errno));
}

void bind_to(int fd, union way_address address)
{
	if (bind(fd, &address.any, way_length(&address)) < 0)
		way_wrong("bind: %s", strerror(errno));
}

int set_number(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) == 0)
		return 0;
	return way_cannot("setsockopt(%d, %d): %s", level, name, strerror(errno));
}

/* --- where to ------------------------------------------------------------------------------------
 */

static struct in_addr address_v4(const struct way_aim *aim, enum to to)
{
	switch (to) {
	case TO_SINK:
	case TO_LINK_LOCAL:
		return aim->v4;
	case TO_FRIEND:
	case TO_FRIEND_ALLOWED:
		return aim->v4_friend;
	case TO_RESOLVER:
	case TO_RESOLVER_DNS:
		return aim->resolver4;
	}
	abort();
}

static struct in6_addr address_v6(const struct way_aim *aim, enum to to)
{
	switch (to) {
	case TO_SINK:
		return aim->v6;
	case TO_LINK_LOCAL:
		return aim->v6_link_local;
	case TO_FRIEND:
	case TO_FRIEND_ALLOWED:
		return aim->v6_friend;
	case TO_RESOLVER:
	case TO_RESOLVER_DNS:
		return aim->resolver6;
	}
	abort();
}

union way_address datagram_address(const struct way_aim *aim, const struct datagram *d)
{
	uint16_t port = d->port ? d->port : aim->port;
	union way_address address;

	if (d->to == TO_RESOLVER_DNS)
		port = 53;
	if (d->to == TO_FRIEND_ALLOWED)
		port = aim->friend_port;
	switch (d->form) {
	case FORM_V4:
		return way_v4(address_v4(aim, d->to), port);
	case FORM_MAPPED:
		return way_mapped(address_v4(aim, d->to), port);
	case FORM_V6:
		address = way_v6(address_v6(aim, d->to), port);
		if (d->to == TO_LINK_LOCAL)
			address.v6.sin6_scope_id = aim->ifindex;
		return address;
	}
	abort();
}

/* --- out of which socket -------------------------------------------------------------------------
 */

static void bind_port(int fd, const struct datagram *d)
{
	union way_address any = { .any.sa_family = d->form == FORM_V4 ? AF_INET : AF_INET6 };

	if (d->form == FORM_V4)
		any.v4.sin_port = htons(d->source_port);
	else
		any.v6.sin6_port = htons(d->source_port);
	if (bind(fd, &any.any, way_length(&any)) < 0)
		way_wrong("bind to port %u: %s", d->source_port, strerror(errno));
}

static int set_options(const struct way_aim *aim, const struct datagram *d, int fd)
{
	for (size_t i = 0; i < sizeof(d->set) / sizeof(d->set[0]); i++) {
		const struct set *s = &d->set[i];
		int value = s->value == SET_IFINDEX ? (int)aim->ifindex : s->value;

		if (!s->level && !s->name)
			break;
		if ((s->level == IPPROTO_IP && s->name == IP_UNICAST_IF) ||
		    (s->level == IPPROTO_IPV6 && s->name == IPV6_UNICAST_IF))
			value = (int)htonl((uint32_t)value); /* ip(7): in network byte order */
		if (set_number(fd, s->level, s->name, value))
			return WAY_CANNOT;
	}
	return 0;
}

int datagram_socket(const struct way_aim *aim, const struct datagram *d, int *ret_fd)
{
	int family = d->form == FORM_V4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, d->protocol);

	if (fd < 0)
		return cannot("socket");
	if (d->bound_device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, aim->interface,
					  (socklen_t)strlen(aim->interface)) < 0)
		return cannot("SO_BINDTODEVICE");
	if (set_options(aim, d, fd))
		return WAY_CANNOT;
	if (d->source_port)
		bind_port(fd, d);
	*ret_fd = fd;
	return 0;
}

/* --- by which call -------------------------------------------------------------------------------
 */

/* Markers, one after the other, behind the header that a ping socket wants. */
static struct iovec make_payload(const struct way_aim *aim, const struct datagram *d)
{
	static char bytes[SIZE_MAX_UDP + HEADER_MAX + 1];
	struct icmphdr echo4 = { .type = ICMP_ECHO };
	struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };
	size_t marker = strlen(aim->marker), size = d->size ? d->size : marker, head = 0;

	if (d->protocol == IPPROTO_ICMP) {
		head = sizeof(echo4);
		memcpy(bytes, &echo4, head);
	} else if (d->protocol == IPPROTO_ICMPV6) {
		head = sizeof(echo6);
		memcpy(bytes, &echo6, head);
	}
	for (size_t i = 0; i < size; i++)
		bytes[head + i] = aim->marker[i % marker];
	return (struct iovec){ bytes, head + size };
}

static void add_ancillary(const struct way_aim *aim, const struct ancillary *a, struct msghdr *m)
{
	static char control[CONTROL_MAX];
	int number = a->number == SET_IFINDEX ? (int)aim->ifindex : a->number;
	size_t n = a->bytes ? a->n : sizeof(number);
	struct cmsghdr *c = (void *)control;

	if (!a->level && !a->type)
		return;
	memset(control, 0, sizeof(control));
	c->cmsg_level = a->level;
	c->cmsg_type = a->type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), a->bytes ? a->bytes : &number, n);
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(n);
}

static void send_message(const struct way_aim *aim, const struct datagram *d, int fd,
			 union way_address *to, struct iovec bytes)
{
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_name = &to->any,
					       .msg_namelen = way_length(to),
					       .msg_iov = &bytes,
					       .msg_iovlen = 1 } } };

	add_ancillary(aim, &d->with, &m[0].msg_hdr);
	m[1] = m[0];
	if (d->by == BY_SENDMSG)
		sendmsg(fd, &m[0].msg_hdr, d->flags);
	else
		sendmmsg(fd, m, 2, d->flags);
}

static void send_spliced(int fd, struct iovec bytes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		way_wrong("pipe: %s", strerror(errno));
	vmsplice(ends[1], &bytes, 1, 0);
	splice(ends[0], NULL, fd, NULL, bytes.iov_len, 0);
}

static void send_from_file(int fd, struct iovec bytes)
{
	int file = memfd_create("payload", MFD_CLOEXEC);
	off_t start = 0;

	if (file < 0 || write(file, bytes.iov_base, bytes.iov_len) < 0)
		way_wrong("memfd: %s", strerror(errno));
	sendfile(fd, file, &start, bytes.iov_len);
}

static void send_pieces(const struct datagram *d, int fd, struct iovec bytes)
{
	size_t half = bytes.iov_len / 2;
	int one = 1, zero = 0, more = d->by == BY_MORE ? MSG_MORE : 0;

	if (d->by == BY_CORK)
		setsockopt(fd, IPPROTO_UDP, UDP_CORK, &one, sizeof(one));
	send(fd, bytes.iov_base, half, d->flags | more);
	send(fd, (char *)bytes.iov_base + half, bytes.iov_len - half, d->flags);
	if (d->by == BY_CORK)
		setsockopt(fd, IPPROTO_UDP, UDP_CORK, &zero, sizeof(zero));
}

void datagram_send(const struct way_aim *aim, const struct datagram *d, int fd)
{
	union way_address to = datagram_address(aim, d);
	struct iovec bytes = make_payload(aim, d), halves[2];

	if (d->by >= BY_SEND)
		connect(fd, &to.any, way_length(&to));
	errno = 0;
	switch (d->by) {
	case BY_SENDTO:
		sendto(fd, bytes.iov_base, bytes.iov_len, d->flags, &to.any, way_length(&to));
		break;
	case BY_SENDMSG:
	case BY_SENDMMSG:
		send_message(aim, d, fd, &to, bytes);
		break;
	case BY_SEND:
		send(fd, bytes.iov_base, bytes.iov_len, d->flags);
		break;
	case BY_WRITE:
		if (write(fd, bytes.iov_base, bytes.iov_len) < 0)
			break; /* the kernel's answer is no concern of the way's */
		break;
	case BY_WRITEV:
		halves[0] = (struct iovec){ bytes.iov_base, bytes.iov_len / 2 };
		halves[1] = (struct iovec){ (char *)bytes.iov_base + bytes.iov_len / 2,
					    bytes.iov_len - bytes.iov_len / 2 };
		if (writev(fd, halves, 2) < 0)
			break;
		break;
	case BY_SPLICE:
		send_spliced(fd, bytes);
		break;
	case BY_SENDFILE:
		send_from_file(fd, bytes);
		break;
	case BY_MORE:
	case BY_CORK:
		send_pieces(d, fd, bytes);
		break;
	}
}

int datagram_run(const struct way_aim *aim, const struct datagram *d)
{
	int fd, r = datagram_socket(aim, d, &fd);

	if (r)
		return r;
	datagram_send(aim, d, fd);
	close(fd);
	return WAY_TRIED;
}
