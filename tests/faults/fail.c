/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.c - preloaded into the daemon: its Nth allocation fails, netlink loses answers, the clock
 * jumps.
 *
 * A file that both sides map says what and when ($UIDWALL_FAIL; struct orders here, ORDERS in
 * box.py), so that nothing needs to be started anew between two faults. libc's own functions
 * (strdup(), asprintf(), fopen()) allocate through these, too, and so does every library.
 */

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STACK_MAX = 24 };

/* What may become of the Nth netlink call. */
enum netlink_fault {
	NETLINK_NONE,
	NETLINK_UNSENT,	  /* the error instead of sending */
	NETLINK_ERROR,	  /* it is sent; then the error */
	NETLINK_LOSE,	  /* a receive reads an answer, and has nothing: EAGAIN */
	NETLINK_TRUNCATE, /* a receive has half of what came */
	NETLINK_NO_ROOM, /* a receive reads an answer; then ENOBUFS, as when the buffer overflows */
};

struct orders {
	uint32_t counting; /* allocations count while this is set */
	uint32_t n_failures;
	uint64_t n_allocations;
	uint64_t fail_at;   /* the number of the first one to fail; 0: none */
	uint64_t fail_last; /* ... and of the last one */
	int64_t clock_s;    /* CLOCK_REALTIME is that far off */
	uint32_t netlink_fault;
	uint32_t netlink_error;
	uint64_t netlink_at; /* the number of the call, from 1 */
	uint64_t n_netlink;
	uint64_t stack; /* of the last failure, as a hash of return addresses */
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static struct orders none, *orders = &none;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("UIDWALL_FAIL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *stack[1], *map;

	backtrace(stack, 1); /* loads a library at its first use, which allocates */
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		orders = map;
}

/* --- allocations */

static void note_stack(void)
{
	void *stack[STACK_MAX];
	int n = backtrace(stack, STACK_MAX);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 2; i < n; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)stack[i]) * UINT64_C(0x100000001b3);
	orders->stack = hash;
	if (getenv("UIDWALL_FAIL_STACKS"))
		backtrace_symbols_fd(stack + 2, n - 2, STDERR_FILENO);
}

static bool must_fail(void)
{
	static bool noting;
	uint64_t n;

	if (!orders->counting || noting)
		return false;
	n = ++orders->n_allocations;
	if (!orders->fail_at || n < orders->fail_at || n > orders->fail_last)
		return false;
	orders->n_failures++;
	noting = true;
	note_stack();
	noting = false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return must_fail() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || must_fail()) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return must_fail() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return must_fail() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p = must_fail() ? NULL : __libc_memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (must_fail())
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
	va_list args;
	void *wanted;

	va_start(args, flags);
	wanted = flags & MREMAP_FIXED ? va_arg(args, void *) : NULL;
	va_end(args);
	if (must_fail())
		return MAP_FAILED;
	return (void *)syscall(SYS_mremap, old, old_size, new_size, flags, wanted);
}

/* --- netlink */

static bool is_netlink(int fd)
{
	int domain = 0, saved = errno;
	socklen_t n = sizeof(domain);
	bool is = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_NETLINK;

	errno = saved;
	return is;
}

/* What becomes of this call. */
static enum netlink_fault netlink_fault(int fd)
{
	if (!orders->counting || !is_netlink(fd) || ++orders->n_netlink != orders->netlink_at)
		return NETLINK_NONE;
	orders->n_failures++;
	return orders->netlink_fault;
}

static ssize_t fail_with(int error)
{
	errno = error;
	return -1;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
	       socklen_t length)
{
	enum netlink_fault fault = netlink_fault(fd);
	ssize_t sent;

	if (fault == NETLINK_UNSENT)
		return fail_with((int)orders->netlink_error);
	sent = syscall(SYS_sendto, fd, bytes, n, flags, to, length);
	return fault == NETLINK_ERROR ? fail_with((int)orders->netlink_error) : sent;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	enum netlink_fault fault = netlink_fault(fd);
	ssize_t n;

	if (fault == NETLINK_UNSENT)
		return fail_with((int)orders->netlink_error);
	n = syscall(SYS_recvmsg, fd, message, flags);
	switch (fault) {
	case NETLINK_LOSE:
		return fail_with(EAGAIN);
	case NETLINK_NO_ROOM:
		return fail_with(ENOBUFS);
	case NETLINK_ERROR:
		return fail_with((int)orders->netlink_error);
	case NETLINK_TRUNCATE:
		return n > 0 ? n / 2 : n;
	case NETLINK_NONE:
	case NETLINK_UNSENT:
		break;
	}
	return n;
}

/* --- the clock */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (r == 0 && clock == CLOCK_REALTIME)
		t->tv_sec += orders->clock_s;
	return r;
}

time_t time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	int r = (int)syscall(SYS_gettimeofday, t, zone);

	if (r == 0)
		t->tv_sec += orders->clock_s;
	return r;
}
