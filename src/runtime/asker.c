/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asker.c - questions to the name service → a process that may hang → answers within a time limit.
 *
 * nsswitch.conf(5) modules run inside the process that asks. They wait for networks and for daemons
 * that are stuck, without a limit of ours, and at boot the wall would wait with them. So they run
 * in a process of their own, without a right, which is waited for a little while:
 *
 *     uidwalld ── one socket ── keeper ── worker, while there is something to ask
 *
 * A worker that answers nothing is ended by its own alarm(2), one that crashes ends itself; the
 * keeper starts the next one. The daemon counts a name that it got no answer about as unknown,
 * which changes nothing for services that were in force, and asks no more for a while.
 */
#include "runtime/asker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "policy/nss.h"
#include "runtime/sandbox.h"

enum {
	PATIENCE_MS = 3000, /* for one answer */
	BUDGET_MS = 12000,  /* for all answers within ... */
	PERIOD_MS = 60000,
	HANG_S = 10, /* until a worker that hangs is ended; nobody waits for that */
	IDLE_MS = 10000,
	CRASH_PAUSE_S = 1,
	NAME_BYTES_MAX = 1024,
	CHUNK = 16 * 1024,
	ANSWER_BYTES_MAX = 8 * 1024 * 1024,
	NOBODY = 65534,
};

/* One packet each (SOCK_SEQPACKET). A name with its NUL follows, where there is one. */
struct question_packet {
	uint32_t seq;
	uint32_t kind;
	uint32_t id;
	uint32_t has_name;
	char name[NAME_BYTES_MAX];
};

/* One packet or more: the bytes of all, together `length`, are the name and the members, each with
 * its NUL.
 */
struct answer_packet {
	uint32_t seq;
	int32_t result;
	uint32_t id;
	uint32_t gid;
	uint32_t n_texts;
	uint32_t length;
	char bytes[CHUNK];
};

#define QUESTION_HEAD offsetof(struct question_packet, name)
#define ANSWER_HEAD offsetof(struct answer_packet, bytes)

/* --- the worker */

static void append_text(char **at, const char *text)
{
	size_t n = strlen(text) + 1;

	memcpy(*at, text, n);
	*at += n;
}

/* Name and members, one after the other. */
static char *join_texts(const struct nss_answer *answer, struct arena *arena, size_t *ret_length)
{
	size_t length = strlen(answer->name) + 1;
	char *bytes, *at;

	for (size_t i = 0; i < answer->n_members; i++)
		length += strlen(answer->members[i]) + 1;
	bytes = at = arena_alloc(arena, length);
	append_text(&at, answer->name);
	for (size_t i = 0; i < answer->n_members; i++)
		append_text(&at, answer->members[i]);
	*ret_length = length;
	return bytes;
}

static void send_answer(int fd, struct answer_packet *packet, const char *bytes, size_t length)
{
	size_t sent = 0;

	packet->length = (uint32_t)length;
	do {
		size_t n = length - sent < CHUNK ? length - sent : CHUNK;

		if (n)
			memcpy(packet->bytes, bytes + sent, n);
		if (send(fd, packet, ANSWER_HEAD + n, MSG_NOSIGNAL) < 0)
			_exit(EXIT_FAILURE);
		sent += n;
	} while (sent < length);
}

static void answer_question(int fd, const struct question_packet *question)
{
	AUTO(arena) struct arena *arena = arena_new();
	const struct nss_question q = { (enum nss_kind)question->kind,
					question->has_name ? question->name : NULL, question->id };
	struct answer_packet packet = { .seq = question->seq };
	struct nss_answer answer = { 0 };
	const char *bytes = NULL;
	size_t length = 0;

	alarm(HANG_S);
	packet.result = nss_ask_here(&q, arena, &answer);
	alarm(0);
	if (packet.result == 0) {
		bytes = join_texts(&answer, arena, &length);
		packet.id = answer.id;
		packet.gid = answer.gid;
		packet.n_texts = (uint32_t)answer.n_members + 1;
	}
	if (length > ANSWER_BYTES_MAX) {
		packet.result = -E2BIG;
		length = 0;
	}
	send_answer(fd, &packet, bytes, length);
}

/* Ends when nobody has asked for a while: what modules have learnt and kept open goes with it. */
static void work(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct question_packet question;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	while (poll(&poll_fd, 1, IDLE_MS) > 0) {
		ssize_t n = recv(fd, &question, sizeof(question) - 1, 0);

		if (n < (ssize_t)QUESTION_HEAD)
			return;
		((char *)&question)[n] = '\0';
		answer_question(fd, &question);
	}
}

/* --- the keeper */

/* It was root, or has CAP_NET_ADMIN: modules need neither. */
static void give_up_rights(void)
{
	const struct user nobody = { NOBODY, NOBODY };

	if (geteuid() != 0)
		user_drop(USER_NO_CAPABILITY);
	else if (user_become(&nobody, USER_NO_CAPABILITY) < 0)
		_exit(EXIT_FAILURE);
	user_forbid_new_privileges();
	sandbox_enter_modules();
}

static void keep(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	while (poll(&poll_fd, 1, -1) > 0 && (poll_fd.revents & POLLIN)) {
		struct question_packet peeked;
		int status = 0;
		pid_t worker;

		if (recv(fd, &peeked, sizeof(peeked), MSG_PEEK) <= 0)
			return; /* the daemon is gone */
		worker = fork();
		if (worker == 0) {
			work(fd);
			_exit(EXIT_SUCCESS);
		}
		if (worker < 0 || waitpid(worker, &status, 0) < 0 || status)
			sleep(CRASH_PAUSE_S);
	}
}

static void become_keeper(int fd, pid_t daemon)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != daemon)
		_exit(EXIT_SUCCESS);
	prctl(PR_SET_NAME, "uidwalld-names", 0, 0, 0);
	signal(SIGHUP, SIG_IGN); /* is for the daemon */
	/* Above all not the netlink socket that owns the table, nor the control socket. */
	if (dup2(fd, STDERR_FILENO + 1) < 0)
		_exit(EXIT_FAILURE);
	close_range(STDERR_FILENO + 2, ~0U, 0);
	give_up_rights();
	/* Setting ids clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep(STDERR_FILENO + 1);
	_exit(EXIT_SUCCESS);
}

/* --- the daemon */

static struct {
	int fd; /* -1: it could not be started, or is gone */
	uint32_t seq;
	int64_t silent_until; /* as clock_now_ms(): nobody is asked before */
	int64_t period_start;
	int64_t spent_ms; /* waiting, in this period */
} asker = { .fd = -1 };

struct collected {
	struct answer_packet first;
	char *bytes;
	size_t n;
};

/* A part of the answer to the last question: 1 once it is complete, 0, or -errno. */
static int collect(struct arena *arena, const struct answer_packet *packet, size_t n,
		   struct collected *c)
{
	if (n < ANSWER_HEAD || packet->length > ANSWER_BYTES_MAX)
		return -EPROTO;
	if (packet->seq != asker.seq)
		return 0; /* to an earlier one, too late */
	if (!c->bytes) {
		memcpy(&c->first, packet, ANSWER_HEAD);
		c->bytes = arena_alloc(arena, packet->length + 1);
	}
	n -= ANSWER_HEAD;
	if (packet->length != c->first.length || n > packet->length - c->n)
		return -EPROTO;
	memcpy(c->bytes + c->n, packet->bytes, n);
	c->n += n;
	return c->n == packet->length;
}

static int wait_for_answer(struct arena *arena, int64_t deadline, struct collected *ret_collected)
{
	struct answer_packet packet;
	int r = 0;

	while (r == 0) {
		struct pollfd poll_fd = { .fd = asker.fd, .events = POLLIN };
		int64_t left = deadline - clock_now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, (int)left) <= 0)
			continue;
		n = recv(asker.fd, &packet, sizeof(packet), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return n ? -errno : -EPIPE;
		if (n > 0)
			r = collect(arena, &packet, (size_t)n, ret_collected);
	}
	return r < 0 ? r : 0;
}

static int put_question(const struct nss_question *question)
{
	struct question_packet packet = { .kind = question->kind,
					  .id = question->id,
					  .has_name = question->name != NULL };
	size_t n = question->name ? strlen(question->name) : 0;

	if (n >= sizeof(packet.name) - 1)
		return -ENOENT; /* no account has a name like that */
	memcpy(packet.name, question->name ? question->name : "", n);
	packet.seq = ++asker.seq;
	if (send(asker.fd, &packet, QUESTION_HEAD + n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

/* The next text of an answer, or NULL. */
static const char *next_text(struct collected *c, size_t *at)
{
	const char *text = c->bytes + *at;

	if (*at >= c->n)
		return NULL;
	*at += strlen(text) + 1; /* there is a NUL behind it all */
	return text;
}

static int read_answer(struct collected *c, struct arena *arena, struct nss_answer *ret_answer)
{
	struct nss_answer answer = { .id = c->first.id, .gid = c->first.gid };
	const char *text;
	size_t at = 0;

	if (c->first.result < 0)
		return c->first.result;
	answer.name = next_text(c, &at);
	while ((text = next_text(c, &at)))
		*ARENA_APPEND(arena, answer.members, answer.n_members) = text;
	if (!answer.name || answer.n_members + 1 != c->first.n_texts)
		return -EPROTO;
	*ret_answer = answer;
	return 0;
}

/* Fast answers may be many, slow ones few: a reload must not outlast the watchdog. */
static int64_t deadline_for(int64_t now)
{
	int64_t patience = PATIENCE_MS;

	if (now - asker.period_start > PERIOD_MS) {
		asker.period_start = now;
		asker.spent_ms = 0;
	}
	if (patience > BUDGET_MS - asker.spent_ms)
		patience = BUDGET_MS - asker.spent_ms;
	return now + patience;
}

static int ask(const struct nss_question *question, struct arena *arena,
	       struct nss_answer *ret_answer)
{
	int64_t start = clock_now_ms(), deadline = deadline_for(start);
	struct collected collected = { 0 };
	int r;

	if (asker.fd < 0)
		return -EPIPE;
	if (start < asker.silent_until || deadline <= start)
		return -ETIMEDOUT;
	r = put_question(question);
	if (r == 0)
		r = wait_for_answer(arena, deadline, &collected);
	asker.spent_ms += clock_now_ms() - start;
	if (r == -ETIMEDOUT || r == -EAGAIN) {
		log_warning("the name service has not answered for %d s: it is asked again in %d s",
			    PATIENCE_MS / 1000, HANG_S);
		asker.silent_until = clock_now_ms() + (int64_t)HANG_S * 1000;
	}
	return r < 0 ? r : read_answer(&collected, arena, ret_answer);
}

void asker_start(void)
{
	int fds[2] = { -1, -1 };
	pid_t daemon = getpid(), keeper = -1;

	nss_leave_to(ask);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0)
		keeper = fork();
	if (keeper == 0)
		become_keeper(fds[1], daemon);
	if (keeper < 0)
		log_error(
			"cannot start the process that asks the name service (%s): users that are "
			"not in /etc/passwd count as unknown",
			strerror(errno));
	fd_close(fds[1]);
	if (keeper < 0)
		fd_close(fds[0]);
	else
		asker.fd = fds[0];
}

void asker_end(void)
{
	fd_close(asker.fd);
	asker.fd = -1;
}
