/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/sockets.h"
#include <errno.h>
int sockets_open(struct sockets **ret_sockets) { return -ENOSYS; }
void sockets_close(struct sockets *sockets) { }
bool sockets_can_destroy(const struct sockets *sockets) { return false; }
int sockets_list(struct sockets *sockets, uint8_t l4proto,
		 int (*fn)(const struct live_socket *socket, void *data), void *data) { return -ENOSYS; }
int sockets_destroy(struct sockets *sockets, const struct live_socket *socket) { return -ENOSYS; }
