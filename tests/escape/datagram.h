/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datagram.h - datagrams of ways out: where to, out of which socket, by which call. */
#ifndef ESCAPE_DATAGRAM_H
#define ESCAPE_DATAGRAM_H

#include "way.h"

/* How an address is written: IPv4, IPv6, IPv4 from an IPv6 socket. */
enum form { FORM_V4, FORM_V6, FORM_MAPPED };

/* Whom the datagram is for. Port and all, nothing here is allowed. */
enum to {
	TO_SINK,
	TO_FRIEND,	   /* another port of an address to which one is allowed */
	TO_RESOLVER,	   /* another port than 53 */
	TO_RESOLVER_DNS,   /* port 53: allowed to plain UDP, and to nothing else */
	TO_FRIEND_ALLOWED, /* the friend's port, likewise */
	TO_LINK_LOCAL,
};

/* The call that sends. */
enum by {
	BY_SENDTO,
	BY_SENDMSG,
	BY_SENDMMSG,
	/* from here on the socket is connected */
	BY_SEND,
	BY_WRITE,
	BY_WRITEV,
	BY_SPLICE,
	BY_SENDFILE,
	BY_MORE, /* two pieces, the first with MSG_MORE */
	BY_CORK, /* two pieces under UDP_CORK */
};

/* A socket option; a value of SET_IFINDEX stands for the uplink's index. */
struct set {
	int level, name, value;
};
enum { SET_IFINDEX = -1000 };

/* Ancillary data of sendmsg(): the bytes, or the number as an int where n is 0. */
struct ancillary {
	int level, type;
	const void *bytes;
	size_t n;
	int number;
};

struct datagram {
	enum form form;
	enum to to;
	enum by by;
	uint16_t port;	      /* 0: this attempt's */
	int protocol;	      /* 0: UDP; UDP-Lite, ICMP, ICMPv6 */
	size_t size;	      /* of the payload, filled with markers; 0: one marker */
	int flags;	      /* MSG_... */
	uint16_t source_port; /* 0: any */
	bool bound_device;    /* SO_BINDTODEVICE to the uplink */
	struct set set[3];    /* up to the first of level and name 0 */
	struct ancillary with;
};

/* The address that `to` means. */
union way_address datagram_address(const struct way_aim *aim, const struct datagram *d);

/* A socket as it asks for, neither connected nor sent from. WAY_CANNOT with the reason said, or 0.
 */
int datagram_socket(const struct way_aim *aim, const struct datagram *d, int *ret_fd);

/* Sends it out of a socket that is there already; errno is what the kernel said to that, or 0. */
void datagram_send(const struct way_aim *aim, const struct datagram *d, int fd);

/* Both; a way's run(). */
int datagram_run(const struct way_aim *aim, const struct datagram *d);

/* bind(), which is no part of a way: a wrong test when it fails. */
void bind_to(int fd, union way_address address);

/* setsockopt() of an int; WAY_CANNOT with the reason said, or 0. */
int set_number(int fd, int level, int name, int value);

/* What ioctl(), setsockopt() or socket() of that name said: WAY_CANNOT. */
int cannot(const char *call);

#endif
