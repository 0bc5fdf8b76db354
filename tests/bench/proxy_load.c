/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy_load.c - the client of the proxy's benchmark: one thread, the same for every proxy.
 *
 * usage: proxy_load [-u UID] [-c CONNECTIONS] [-s BYTES] [-g PATH] rate PROXY TARGET SECONDS
 *        proxy_load ... tunnel PROXY TARGET 1
 *        proxy_load ... idle PROXY TARGET TUNNELS
 *
 * PROXY is ADDRESS:PORT, or - for none; TARGET is HOST:PORT, as it stands in CONNECT. Prints one
 * line of JSON. rate    connect, CONNECT, read the 200, GET, read to the end, close; again and
 * again on each of the connections (16). A transaction that does not bring exactly BYTES (1024) is
 * an error. tunnel  one CONNECT and one GET of PATH, read to the end: bytes a second. idle    opens
 * that many tunnels, says {"ready":N}, holds them until standard input ends, and says how many of
 * them still stand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, HEAD_MAX = 4096, READ_SIZE = 256 * 1024, SAMPLES_MAX = 4 << 20 };

static struct {
	struct sockaddr_storage to; /* the proxy, or the target itself */
	socklen_t to_size;
	bool is_direct;
	char connect[512], get[512];
	size_t connect_size, get_size;
	int n_connections;
	size_t size; /* of the answer's body */
} plan = { .n_connections = 16, .size = 1024 };

static char buffer[READ_SIZE];

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list ap;

	fputs("proxy_load: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Where a head ends that may be followed by other bytes; 0: not yet. */
static size_t head_end(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : 0;
}

static bool head_is_200(const char *bytes, size_t n)
{
	return n > 12 && memcmp(bytes, "HTTP/1.", 7) == 0 && memcmp(bytes + 8, " 200", 4) == 0;
}

/* --- rate --------------------------------------------------------------------------------- */

enum state { STATE_CONNECT, STATE_ESTABLISHED, STATE_GET, STATE_ANSWER };

struct transaction {
	int fd;
	enum state state;
	uint64_t start_ns;
	char head[HEAD_MAX];
	size_t n_head;
	size_t body; /* bytes of it so far */
	bool has_head;
};

static int epoll_fd;
static uint32_t *samples_us;
static size_t n_samples, n_errors;

static void transaction_start(struct transaction *t)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				     .data.ptr = t };

	t->state = plan.is_direct ? STATE_GET : STATE_CONNECT;
	t->n_head = t->body = 0;
	t->has_head = false;
	t->start_ns = now_ns();
	t->fd = socket(plan.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(t->fd, (const struct sockaddr *)&plan.to, plan.to_size) < 0 &&
	    errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, t->fd, &event) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

static void transaction_end(struct transaction *t, const char *error)
{
	if (error && n_errors++ == 0)
		fprintf(stderr, "proxy_load: %s (state %d, %zu bytes): %.*s\n", error,
			(int)t->state, t->body, (int)t->n_head, t->head);
	else if (!error && n_samples < SAMPLES_MAX)
		samples_us[n_samples++] = (uint32_t)((now_ns() - t->start_ns) / 1000);
	close(t->fd);
	transaction_start(t);
}

/* Sends what is due. False: not yet. */
static bool transaction_send(struct transaction *t)
{
	bool is_get = t->state == STATE_GET;
	size_t size = is_get ? plan.get_size : plan.connect_size;
	ssize_t n = send(t->fd, is_get ? plan.get : plan.connect, size, MSG_NOSIGNAL);

	if (n < 0)
		return false; /* not connected yet; what is wrong, reading will say */
	if ((size_t)n != size)
		die("a request does not fit into an empty socket");
	t->state = is_get ? STATE_ANSWER : STATE_ESTABLISHED;
	t->n_head = 0;
	return true;
}

/* n bytes more of a head, or of what follows it. NULL or what is wrong. */
static const char *transaction_read(struct transaction *t, const char *bytes, size_t n)
{
	size_t end;

	if (t->has_head) {
		t->body += n;
		return NULL;
	}
	if (n > sizeof(t->head) - t->n_head)
		n = sizeof(t->head) - t->n_head; /* only ever the body's */
	memcpy(t->head + t->n_head, bytes, n);
	t->n_head += n;
	end = head_end(t->head, t->n_head);
	if (!end)
		return NULL;
	if (!head_is_200(t->head, end))
		return "refused";
	if (t->state == STATE_ESTABLISHED) {
		if (end != t->n_head)
			return "bytes after the answer to CONNECT";
		t->state = STATE_GET;
		return NULL;
	}
	t->has_head = true;
	t->body = t->n_head - end;
	return NULL;
}

static void transaction_step(struct transaction *t)
{
	char bytes[HEAD_MAX]; /* one read for an ordinary answer */

	for (;;) {
		const char *error;
		ssize_t n;

		if ((t->state == STATE_CONNECT || t->state == STATE_GET) && !transaction_send(t) &&
		    errno == EAGAIN)
			return;
		n = recv(t->fd, bytes, sizeof(bytes), 0);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return;
		if (n < 0)
			return transaction_end(t, strerror(errno));
		if (n == 0)
			return transaction_end(t, !t->has_head	       ? "closed early" :
						  t->body != plan.size ? "a body of another size" :
									 NULL);
		error = transaction_read(t, bytes, (size_t)n);
		if (error)
			return transaction_end(t, error);
	}
}

static int compare_samples(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static unsigned percentile(unsigned per_mille)
{
	return n_samples ? samples_us[(n_samples - 1) * per_mille / 1000] : 0;
}

static int rate(double seconds)
{
	struct transaction *all = calloc((size_t)plan.n_connections, sizeof(*all));
	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
	double took;

	samples_us = malloc(SAMPLES_MAX * sizeof(*samples_us));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!all || !samples_us || epoll_fd < 0)
		die("%s", strerror(errno));
	for (int i = 0; i < plan.n_connections; i++)
		transaction_start(&all[i]);
	while (now_ns() < end) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll_fd, events, 64, 100);

		for (int i = 0; i < n; i++)
			transaction_step(events[i].data.ptr);
	}
	took = (double)(now_ns() - start) / 1e9;
	qsort(samples_us, n_samples, sizeof(*samples_us), compare_samples);
	printf("{\"transactions\":%zu,\"per_second\":%.1f,\"p50_us\":%u,\"p99_us\":%u,"
	       "\"max_us\":%u,\"errors\":%zu}\n",
	       n_samples, (double)n_samples / took, percentile(500), percentile(990),
	       percentile(1000), n_errors);
	free(samples_us);
	free(all);
	return n_errors ? 1 : 0;
}

/* --- tunnel and idle ---------------------------------------------------------------------- */

static void send_all(int fd, const char *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send: %s", strerror(errno));
}

/* Reads a head; how many bytes of what follows are in the buffer as well. */
static size_t read_head(int fd)
{
	size_t n = 0, end;

	do {
		ssize_t r = recv(fd, buffer + n, sizeof(buffer) - n, 0);

		if (r <= 0)
			die("no answer: %s", r ? strerror(errno) : "closed");
		n += (size_t)r;
		end = head_end(buffer, n);
	} while (!end);
	if (!head_is_200(buffer, end))
		die("refused: %.*s", (int)n, buffer);
	return n - end;
}

static int tunnel_open(void)
{
	int fd = socket(plan.to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&plan.to, plan.to_size) < 0)
		die("connect: %s", strerror(errno));
	if (!plan.is_direct) {
		send_all(fd, plan.connect, plan.connect_size);
		if (read_head(fd) != 0)
			die("bytes after the answer to CONNECT");
	}
	return fd;
}

static int tunnel(void)
{
	int fd = tunnel_open();
	uint64_t start = now_ns(), bytes;
	double took;
	ssize_t n;

	send_all(fd, plan.get, plan.get_size);
	bytes = read_head(fd);
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		bytes += (uint64_t)n;
	took = (double)(now_ns() - start) / 1e9;
	if (n < 0 || bytes != plan.size)
		die("%s after %llu of %zu bytes", n ? strerror(errno) : "closed",
		    (unsigned long long)bytes, plan.size);
	printf("{\"bytes\":%llu,\"per_second\":%.1f}\n", (unsigned long long)bytes,
	       (double)bytes / took);
	return 0;
}

static int idle(size_t n)
{
	int *fds = calloc(n, sizeof(*fds));
	size_t standing = 0;
	char byte;

	if (!fds)
		die("%s", strerror(errno));
	for (size_t i = 0; i < n; i++)
		fds[i] = tunnel_open();
	printf("{\"ready\":%zu}\n", n);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (size_t i = 0; i < n; i++)
		if (recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			standing++;
	printf("{\"standing\":%zu}\n", standing);
	free(fds);
	return standing == n ? 0 : 1;
}

/* ------------------------------------------------------------------------------------------ */

/* "HOST:PORT" or "[ADDRESS]:PORT". */
static void parse_address(const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char host[256];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	int r;

	if (n == 0 || n >= sizeof(host))
		die("%s: expected HOST:PORT", text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		memmove(host, host + 1, n - 1);
	}
	r = getaddrinfo(host, colon + 1, &hints, &found);
	if (r)
		die("%s: %s", text, gai_strerror(r));
	memcpy(&plan.to, found->ai_addr, found->ai_addrlen);
	plan.to_size = found->ai_addrlen;
	freeaddrinfo(found);
}

static void make_plan(const char *proxy, const char *target, const char *path)
{
	plan.is_direct = strcmp(proxy, "-") == 0;
	parse_address(plan.is_direct ? target : proxy);
	plan.connect_size =
		(size_t)snprintf(plan.connect, sizeof(plan.connect),
				 "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target);
	plan.get_size = (size_t)snprintf(plan.get, sizeof(plan.get),
					 "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
					 path, target);
	if (plan.connect_size >= sizeof(plan.connect) || plan.get_size >= sizeof(plan.get))
		die("%s: too long", target);
}

int main(int argc, char **argv)
{
	const char *path = "/1k";
	uid_t uid = 0;
	int option;

	while ((option = getopt(argc, argv, "u:c:s:g:")) != -1) {
		if (option == 'u')
			uid = (uid_t)strtoul(optarg, NULL, 10);
		else if (option == 'c')
			plan.n_connections = atoi(optarg);
		else if (option == 's')
			plan.size = strtoull(optarg, NULL, 10);
		else if (option == 'g')
			path = optarg;
		else
			return 2;
	}
	if (argc - optind != 4 || plan.n_connections < 1 || plan.n_connections > CONNECTIONS_MAX)
		die("expected rate|tunnel|idle PROXY TARGET NUMBER");
	if (uid && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
		die("setresuid: %s", strerror(errno));
	argv += optind;
	make_plan(argv[1], argv[2], path);
	if (strcmp(argv[0], "rate") == 0)
		return rate(atof(argv[3]));
	if (strcmp(argv[0], "tunnel") == 0)
		return tunnel();
	if (strcmp(argv[0], "idle") == 0)
		return idle(strtoul(argv[3], NULL, 10));
	die("%s: expected rate, tunnel or idle", argv[0]);
}
