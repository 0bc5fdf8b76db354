/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send.c - processes of users that send what they are told, and raw sockets that they opened.
 *
 * What counts for the rules is the fsuid of whoever opened the socket. setfsuid() leaves
 * CAP_NET_RAW alone, so we can open raw sockets in anybody's name.
 */
#include "send.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "segment.h"

enum { WORKERS_MAX = 64, TASK_MAX = 1024, NOBODYS_GROUP = 65534 };

struct order {
	worker_fn fn;
	size_t n;
	uint8_t task[TASK_MAX];
};

static struct worker {
	uint32_t uid;
	pid_t pid;
	int fd;
} workers[WORKERS_MAX];
static unsigned n_workers;

/* --- workers ---------------------------------------------------------------------------------- */

static void become(uint32_t uid)
{
	gid_t gid = uid <= INT32_MAX ? uid : NOBODYS_GROUP;

	if (uid == 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
}

static void __attribute__((noreturn)) serve(uint32_t uid, int fd)
{
	struct order order;
	struct sent sent;

	become(uid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (recv(fd, &order, sizeof(order), 0) > 0) {
		memset(&sent, 0, sizeof(sent));
		order.fn(order.task, order.n, &sent);
		if (send(fd, &sent, sizeof(sent), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static void close_others(void)
{
	for (unsigned i = 0; i < n_workers; i++)
		close(workers[i].fd);
}

static struct worker *worker_of(uint32_t uid)
{
	struct worker *worker = &workers[n_workers];
	int fds[2];

	for (unsigned i = 0; i < n_workers; i++)
		if (workers[i].uid == uid)
			return &workers[i];
	if (n_workers == WORKERS_MAX ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	fflush(NULL);
	worker->uid = uid;
	worker->fd = fds[0];
	worker->pid = fork();
	if (worker->pid < 0)
		abort();
	if (worker->pid == 0) {
		close_others();
		close(fds[0]);
		serve(uid, fds[1]);
	}
	close(fds[1]);
	n_workers++;
	return worker;
}

void worker_run(uint32_t uid, worker_fn fn, const void *task, size_t n, struct sent *ret_sent)
{
	struct worker *worker = worker_of(uid);
	struct order order = { .fn = fn, .n = n };

	if (n > sizeof(order.task))
		abort();
	if (n)
		memcpy(order.task, task, n);
	if (send(worker->fd, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order) ||
	    recv(worker->fd, ret_sent, sizeof(*ret_sent), 0) != sizeof(*ret_sent)) {
		fprintf(stderr, "the process of uid %u is gone\n", uid);
		abort();
	}
}

void workers_end(void)
{
	for (unsigned i = 0; i < n_workers; i++)
		close(workers[i].fd);
	for (unsigned i = 0; i < n_workers; i++)
		waitpid(workers[i].pid, NULL, 0);
	n_workers = 0;
}

/* --- raw sockets ------------------------------------------------------------------------------ */

static int open_raw(const struct shot *shot)
{
	uint32_t uid = shot->kind == SHOT_COPY ? 0 : shot->uid;
	unsigned mark = box_ownerless_mark(
		box_way(shot->via.family != ADDR_NONE ? &shot->via : &shot->to, shot_bound(shot)));
	const char *device = box_devices[shot->device];
	int fd, one = 1;

	setfsuid(uid);
	fd = socket(shot->to.family == ADDR_V4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC,
		    IPPROTO_RAW);
	setfsuid(0);
	if (fd < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (shot->kind == SHOT_COPY)
		setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	else if (device)
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device));
	return fd;
}

static void send_raw(const struct shot *shot, struct sent *ret_sent)
{
	const struct prefix *to = shot->via.family != ADDR_NONE ? &shot->via : &shot->to;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		/* heeded for link-local addresses only */
		.sin6_scope_id =
			shot_bound(shot) ? if_nametoindex(box_devices[shot_bound(shot)]) : 0,
	};
	uint8_t bytes[SEGMENT_MAX];
	size_t n = segment_write(shot, bytes);
	AUTO(fd) int fd = open_raw(shot);
	ssize_t r;

	memcpy(&v4.sin_addr, to->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, to->bytes, sizeof(v6.sin6_addr));
	*ret_sent = (struct sent){ .from = shot->from, .sport = shot->sport };
	if (shot->to.family == ADDR_V4)
		r = sendto(fd, bytes, n, 0, (struct sockaddr *)&v4, sizeof(v4));
	else
		r = sendto(fd, bytes, n, 0, (struct sockaddr *)&v6, sizeof(v6));
	if (r < 0)
		ret_sent->error = errno;
}

/* --- a shot ----------------------------------------------------------------------------------- */

struct task {
	struct shot shot;
	unsigned wait_ms;
};

static void run_task(const void *bytes, size_t n, struct sent *ret_sent)
{
	struct task task;

	memcpy(&task, bytes, sizeof(task));
	socket_send(&task.shot, task.wait_ms, ret_sent);
}

void send_shot(const struct shot *shot, unsigned wait_ms, struct sent *ret_sent)
{
	struct task task = { *shot, wait_ms };

	if (shot_is_raw(shot))
		send_raw(shot, ret_sent);
	else
		worker_run(shot->uid, run_task, &task, sizeof(task), ret_sent);
}
