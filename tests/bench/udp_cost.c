/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp_cost.c - CPU time of sending one 64-byte UDP datagram, as each of several users in turn.
 *
 * usage: udp_cost ADDRESS PORT DATAGRAMS UID...
 * Prints one line a uid: UID NANOSECONDS. What is measured is the thread's CPU time, in which the
 * output hook runs, not the clock on the wall: a noisy neighbour costs the latter.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int measure(const struct sockaddr_in *to, long n, uid_t uid)
{
	char datagram[64] = { 0 };
	double start;
	int fd;

	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return perror("setresuid"), 1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return perror("connect"), 1;
	for (long i = 0; i < n / 10; i++) /* caches, branch predictors, the clock of the CPU */
		if (send(fd, datagram, sizeof(datagram), 0) < 0 && errno != ENOBUFS)
			return perror("send"), 1;
	start = cpu_ns();
	for (long i = 0; i < n; i++)
		if (send(fd, datagram, sizeof(datagram), 0) < 0 && errno != ENOBUFS)
			return perror("send"), 1;
	printf("%u %.1f\n", uid, (cpu_ns() - start) / (double)n);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int r = 0;

	if (argc < 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return fputs("usage: udp_cost ADDRESS PORT DATAGRAMS UID...\n", stderr), 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	for (int i = 4; i < argc && !r; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(measure(&to, atol(argv[3]), (uid_t)atol(argv[i])));
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
			r = 1;
	}
	return r;
}
