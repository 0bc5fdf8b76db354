/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_tcp.c - ways out over a TCP connection that the user opens itself. */
#include "way.h"

#include <sys/socket.h>
#include <unistd.h>

static int plain(const struct way_aim *aim, union way_address to)
{
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (way_connect(fd, &to, 500) == 0)
		way_send_marker(fd, aim);
	close(fd);
	return WAY_TRIED;
}

static int plain_v4(const struct way_aim *aim)
{
	return plain(aim, way_v4(aim->v4, aim->port));
}

static int plain_v6(const struct way_aim *aim)
{
	return plain(aim, way_v6(aim->v6, aim->port));
}

static int plain_mapped(const struct way_aim *aim)
{
	return plain(aim, way_mapped(aim->v4, aim->port));
}

const struct way ways_tcp[] = {
	{ "tcp-connect-v4", "a plain connection", NULL, plain_v4, "default", 0 },
	{ "tcp-connect-v6", "the same over IPv6", NULL, plain_v6, "default", 0 },
	{ "tcp-connect-mapped", "the same from an IPv6 socket, to ::ffff:a.b.c.d", NULL,
	  plain_mapped, "default", 0 },
	{ 0 },
};
