/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eager.c - send from the first instruction on, until refused.
 *
 *     eager ADDRESS PORT FILE
 *
 * What a program does that wants to be quicker than the wall: a datagram, and another one, until
 * one is refused, or for a second. Linked statically, so that nothing comes before main(). Appends
 * a line to the file: CLOCK_MONOTONIC at its start and at its end in microseconds, how many
 * datagrams were let through, and the error that ended it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AT_MOST_US = 1000 * 1000 };

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int64_t start = now_us(), end = start;
	long sent = 0;
	int error = 0, fd, n;
	char line[128];

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	while (error != EPERM && end < start + AT_MOST_US) {
		error = sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
		sent += !error;
		end = now_us();
	}
	n = snprintf(line, sizeof(line), "%lld %lld %ld %s\n", (long long)start, (long long)end,
		     sent, error ? strerrorname_np(error) : "none");
	fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0666);
	return write(fd, line, (size_t)n) == n ? 0 : 1;
}
