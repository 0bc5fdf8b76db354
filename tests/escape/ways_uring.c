/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ways_uring.c - ways out by io_uring: requests that a kernel thread, a later time or somebody
 * else's credentials carry out.
 *
 * Whose a socket is depends on whose credentials open it: the submitter's as a rule, those of
 * whoever made the ring where a kernel thread polls it, those that the ring was given where a
 * request names them (IORING_REGISTER_PERSONALITY).
 */
#include "ring.h"
#include "datagram.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/time_types.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_MS = 300, LATER_MS = 60, KEEP_MS = 3000, SLOT = 0 };

static struct ring ring;
static int fd = -1, personality;

/* --- requests ------------------------------------------------------------------------------------
 */

/* What a request names stays where it is until it is done. */
static struct request {
	union way_address to;
	struct iovec bytes;
	struct msghdr message;
	struct __kernel_timespec later;
} request;

static void aim_at(const struct way_aim *aim, union way_address to)
{
	request.to = to;
	request.bytes = (struct iovec){ (char *)aim->marker, strlen(aim->marker) };
	request.message = (struct msghdr){ .msg_name = &request.to.any,
					   .msg_namelen = way_length(&request.to),
					   .msg_iov = &request.bytes,
					   .msg_iovlen = 1 };
}

/* Opens a socket in the ring; `slot`: in the ring's own table, where no descriptor shows it. */
static int ring_socket(int type, bool slot, unsigned char flags)
{
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_SOCKET, request.to.any.sa_family);

	entry->off = (unsigned)type;
	entry->file_index = slot ? SLOT + 1 : 0;
	entry->flags = flags;
	entry->personality = (uint16_t)personality;
	return ring_do(&ring);
}

static struct io_uring_sqe *queue_message(int file, int operation, unsigned char flags)
{
	struct io_uring_sqe *entry = ring_entry(&ring, operation, file);

	entry->addr = (uintptr_t)&request.message;
	entry->len = 1;
	entry->flags = flags;
	return entry;
}

static struct io_uring_sqe *queue_send(int file, int operation, unsigned char flags)
{
	struct io_uring_sqe *entry = ring_entry(&ring, operation, file);

	entry->addr = (uintptr_t)request.bytes.iov_base;
	entry->len = (unsigned)request.bytes.iov_len;
	entry->flags = flags;
	return entry;
}

static void queue_timeout(int ms)
{
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_TIMEOUT, -1);

	request.later = (struct __kernel_timespec){ .tv_nsec = ms * 1000000L };
	entry->addr = (uintptr_t)&request.later;
	entry->len = 1;
	entry->timeout_flags = IORING_TIMEOUT_ETIME_SUCCESS; /* the link goes on */
	entry->flags = IOSQE_IO_LINK;
}

/* A kernel that does not know a request says EINVAL. */
static int sent(int result)
{
	if (result == -EINVAL || result == -EOPNOTSUPP)
		return way_cannot("the request: %s", strerror(-result));
	return WAY_TRIED;
}

/* --- a socket of socket(), sent from by the ring -------------------------------------------------
 */

static int send_ring(const struct way_aim *aim, union way_address to, int operation,
		     unsigned ring_flags, unsigned char flags)
{
	int r = ring_open(&ring, ring_flags);

	if (r)
		return r;
	aim_at(aim, to);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (operation == IORING_OP_SEND || operation == IORING_OP_SEND_ZC ||
	    operation == IORING_OP_WRITE) {
		connect(fd, &to.any, way_length(&to));
		queue_send(fd, operation, flags);
	} else {
		queue_message(fd, operation, flags);
	}
	return sent(ring_do(&ring));
}

#define SENDS(WAY)                                                                                 \
	WAY("uring-sendmsg", sendmsg, "IORING_OP_SENDMSG", IORING_OP_SENDMSG, 0, 0)                \
	WAY("uring-send", send, "IORING_OP_SEND", IORING_OP_SEND, 0, 0)                            \
	WAY("uring-write", write, "IORING_OP_WRITE", IORING_OP_WRITE, 0, 0)                        \
	WAY("uring-send-zc", send_zc, "IORING_OP_SEND_ZC", IORING_OP_SEND_ZC, 0, 0)                \
	WAY("uring-sendmsg-zc", sendmsg_zc, "IORING_OP_SENDMSG_ZC", IORING_OP_SENDMSG_ZC, 0, 0)    \
	WAY("uring-worker", worker, "a worker thread sends (IOSQE_ASYNC)", IORING_OP_SENDMSG, 0,   \
	    IOSQE_ASYNC)                                                                           \
	WAY("uring-sqpoll", sqpoll, "a kernel thread sends (IORING_SETUP_SQPOLL)",                 \
	    IORING_OP_SENDMSG, IORING_SETUP_SQPOLL, 0)

#define SEND_FUNCTIONS(name, id, what, operation, ring_flags, flags)                               \
	static int send_##id(const struct way_aim *aim, union way_address to)                      \
	{                                                                                          \
		return send_ring(aim, to, operation, ring_flags, flags);                           \
	}                                                                                          \
	WAY_EACH_FAMILY(send_##id)
SENDS(SEND_FUNCTIONS)

/* --- a socket of the ring ------------------------------------------------------------------------
 */

/* Opens one and sends from it, with the ring that is there. */
static int open_and_send(const struct way_aim *aim, union way_address to, bool slot,
			 unsigned char flags)
{
	int file, r;

	aim_at(aim, to);
	file = ring_socket(SOCK_DGRAM, slot, flags);
	if (file < 0)
		return sent(file);
	queue_message(slot ? SLOT : file, IORING_OP_SENDMSG,
		      (unsigned char)(flags | (slot ? IOSQE_FIXED_FILE : 0)));
	r = ring_do(&ring);
	return sent(r);
}

static int open_udp(const struct way_aim *aim, union way_address to)
{
	int r = ring_open(&ring, 0);

	return r ? r : open_and_send(aim, to, false, 0);
}
WAY_EACH_FAMILY(open_udp)

static int open_by_worker(const struct way_aim *aim, union way_address to)
{
	int r = ring_open(&ring, 0);

	return r ? r : open_and_send(aim, to, false, IOSQE_ASYNC);
}
WAY_BOTH_FAMILIES(open_by_worker)

static int open_by_thread(const struct way_aim *aim, union way_address to)
{
	int r = ring_open(&ring, IORING_SETUP_SQPOLL);

	return r ? r : open_and_send(aim, to, false, 0);
}
WAY_BOTH_FAMILIES(open_by_thread)

static int register_slots(void)
{
	int none = -1;

	if (ring_register(&ring, IORING_REGISTER_FILES, &none, 1) < 0)
		return cannot("IORING_REGISTER_FILES");
	return 0;
}

static int open_in_slot(const struct way_aim *aim, union way_address to)
{
	int r = ring_open(&ring, 0);

	if (!r)
		r = register_slots();
	return r ? r : open_and_send(aim, to, true, 0);
}
WAY_BOTH_FAMILIES(open_in_slot)

static int open_tcp(const struct way_aim *aim, union way_address to)
{
	struct io_uring_sqe *entry;
	int r = ring_open(&ring, 0);

	if (r)
		return r;
	aim_at(aim, to);
	fd = ring_socket(SOCK_STREAM, false, 0);
	if (fd < 0)
		return sent(fd);
	entry = ring_entry(&ring, IORING_OP_CONNECT, fd);
	entry->addr = (uintptr_t)&request.to;
	entry->off = way_length(&request.to);
	entry->flags = IOSQE_IO_LINK;
	queue_send(fd, IORING_OP_SEND, 0);
	ring_submit(&ring);
	ring_wait(&ring, CONNECT_MS);
	ring_wait(&ring, CONNECT_MS);
	return WAY_TRIED;
}
WAY_EACH_FAMILY(open_tcp)

/* As RestrictAddressFamilies= does it: socket(2) fails. The ring makes no system call. */
static int open_past_seccomp(const struct way_aim *aim, union way_address to)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return cannot("seccomp");
	if (socket(AF_INET, SOCK_DGRAM, 0) >= 0)
		way_wrong("the filter lets socket() pass");
	return open_udp(aim, to);
}
WAY_BOTH_FAMILIES(open_past_seccomp)

/* --- later ---------------------------------------------------------------------------------------
 */

/* Queued before the policy, sent after. */
static int send_later(const struct way_aim *aim, union way_address to)
{
	struct io_uring_sqe *entry;
	int r = ring_open(&ring, 0), ends[2];

	if (r)
		return r;
	if (pipe(ends) < 0)
		way_wrong("pipe: %s", strerror(errno));
	aim_at(aim, to);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	entry = ring_entry(&ring, IORING_OP_POLL_ADD, ends[0]);
	entry->poll32_events = POLLIN;
	entry->flags = IOSQE_IO_LINK;
	queue_message(fd, IORING_OP_SENDMSG, 0);
	ring_submit(&ring);
	way_wait();
	if (write(ends[1], "g", 1) != 1)
		way_wrong("write: %s", strerror(errno));
	ring_wait(&ring, CONNECT_MS);
	ring_wait(&ring, CONNECT_MS);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(send_later)

/* Queued by a process that is gone when the kernel's thread sends it. */
static int send_after_exit(const struct way_aim *aim, union way_address to)
{
	int r = ring_open(&ring, IORING_SETUP_SQPOLL);
	pid_t pid;

	if (r)
		return r;
	aim_at(aim, to);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pid = fork();
	if (pid == 0) {
		queue_timeout(LATER_MS);
		queue_message(fd, IORING_OP_SENDMSG, 0);
		ring_submit(&ring);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ring_wait(&ring, CONNECT_MS);
	ring_wait(&ring, CONNECT_MS);
	return WAY_TRIED;
}
WAY_BOTH_FAMILIES(send_after_exit)

/* --- a ring of root's ----------------------------------------------------------------------------
 */

static int make_ring(const struct way_aim *aim)
{
	(void)aim;
	return ring_open(&ring, 0);
}

static int make_polled_ring(const struct way_aim *aim)
{
	(void)aim;
	return ring_open(&ring, IORING_SETUP_SQPOLL);
}

static int make_personality(const struct way_aim *aim)
{
	int r = make_ring(aim);

	if (r)
		return r;
	personality = ring_register(&ring, IORING_REGISTER_PERSONALITY, NULL, 0);
	return personality < 0 ? cannot("IORING_REGISTER_PERSONALITY") : 0;
}

static int make_file(const struct way_aim *aim)
{
	int r = make_ring(aim);

	if (r)
		return r;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ring_register(&ring, IORING_REGISTER_FILES, &fd, 1) < 0)
		return cannot("IORING_REGISTER_FILES");
	close(fd);
	return 0;
}

static int use_ring_v4(const struct way_aim *aim)
{
	return open_and_send(aim, way_v4(aim->v4, aim->port), false, 0);
}

static int use_ring_v6(const struct way_aim *aim)
{
	return open_and_send(aim, way_v6(aim->v6, aim->port), false, 0);
}

static int use_file(const struct way_aim *aim)
{
	aim_at(aim, way_v6(aim->v6, aim->port));
	queue_message(SLOT, IORING_OP_SENDMSG, IOSQE_FIXED_FILE);
	return sent(ring_do(&ring));
}

/* Root's ring, made by another process, whose thread stays where that process is. */
static void keep_ring(int tell)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ring_open(&ring, IORING_SETUP_SQPOLL) == 0 &&
	    write(tell, &ring.fd, sizeof(ring.fd)) == sizeof(ring.fd))
		way_sleep(KEEP_MS);
	_exit(0);
}

static int take_ring(const struct way_aim *aim)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL };
	int own = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &params), ends[2], other, process;
	pid_t pid;

	if (own < 0)
		return cannot("io_uring_setup");
	close(own); /* the offsets are those of every ring of that size */
	if (pipe(ends) < 0)
		way_wrong("pipe: %s", strerror(errno));
	aim_at(aim, way_v6(aim->v6, aim->port)); /* the thread reads it in the memory of its own */
	pid = fork();
	if (pid == 0)
		keep_ring(ends[1]);
	close(ends[1]);
	if (read(ends[0], &other, sizeof(other)) != sizeof(other))
		return way_cannot("another process's ring");
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	other = (int)syscall(SYS_pidfd_getfd, process, other, 0);
	if (other < 0)
		return cannot("pidfd_getfd");
	return ring_map(&ring, other, &params);
}

#define SEND_ROWS(name, id, what, operation, ring_flags, flags)                                    \
	WAY_ROWS(name, what, NULL, send_##id, "default", 0),

const struct way ways_uring[] = {
	SENDS(SEND_ROWS) WAY_ROWS("uring-socket", "IORING_OP_SOCKET", NULL, open_udp, "default", 0),
	WAY_ROWS("uring-connect", "IORING_OP_SOCKET, CONNECT, SEND", NULL, open_tcp, "default", 0),
	WAY_TWO_ROWS("uring-socket-worker", "a worker thread opens the socket", NULL,
		     open_by_worker, "default", 0),
	WAY_TWO_ROWS("uring-socket-sqpoll", "a kernel thread opens the socket", NULL,
		     open_by_thread, "default", 0),
	WAY_TWO_ROWS("uring-socket-slot", "a socket that has no descriptor", NULL, open_in_slot,
		     "default", 0),
	WAY_TWO_ROWS("uring-socket-seccomp", "IORING_OP_SOCKET where socket() is forbidden", NULL,
		     open_past_seccomp, "default", 0),
	WAY_TWO_ROWS("uring-older", "queued before the policy, sent after", NULL, send_later,
		     "default", WAY_OLDER),
	WAY_TWO_ROWS("uring-exit", "queued by a process that is gone", NULL, send_after_exit,
		     "default", 0),
	{ "uring-root-ring-v4", "a root master's ring", make_ring, use_ring_v4, "default", 0 },
	{ "uring-root-ring-v6", "a root master's ring", make_ring, use_ring_v6, "default", 0 },
	{ "uring-root-sqpoll-v4", "a root master's ring, polled by a kernel thread",
	  make_polled_ring, use_ring_v4, "unit", 0 },
	{ "uring-root-sqpoll-v6", "a root master's ring, polled by a kernel thread",
	  make_polled_ring, use_ring_v6, "unit", 0 },
	{ "uring-root-personality-v4", "a root master's ring that holds root's credentials",
	  make_personality, use_ring_v4, "unit", 0 },
	{ "uring-root-personality-v6", "a root master's ring that holds root's credentials",
	  make_personality, use_ring_v6, "unit", 0 },
	{ "uring-root-file", "a root master's ring that holds a socket", make_file, use_file,
	  "unit", 0 },
	{ "uring-outside", "a ring handed over from outside the unit, polled there", take_ring,
	  use_ring_v6, "nothing", WAY_OUTSIDE },
	{ 0 },
};
