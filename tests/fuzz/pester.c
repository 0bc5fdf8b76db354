/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pester.c - a running daemon's control socket under calls that nobody in their right mind makes.
 *
 *     pester CONTROL SECONDS SEED UID...     a process for each uid; uid 0 changes what is in force
 *
 * Each connection sends one input in one of several ways. Where a whole request was sent and the
 * answer is waited for, there has to be one, and it has to be what frame.h says: JSON, or a line of
 * printable text. Ends with a line of JSON with what was sent and what came back; exit status 1
 * where an answer was none.
 */
#include "pester.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "wire/frame.h"

enum { PATIENCE_S = 20, CHILDREN_MAX = 64, SHOWN_MAX = 300 };

/* How a client behaves. */
enum manner {
	POLITE,	     /* sends all, reads all */
	IN_PIECES,   /* the same, in several writes */
	HALF_CLOSED, /* the same, says that there is no more */
	DEAF,	     /* sends all and is gone */
	CURIOUS,     /* reads a bit of the answer and is gone */
	CUT_OFF,     /* sends a part and is gone */
	MANNER_COUNT
};

struct counts {
	uint64_t inputs, answers, errors, unanswered, broken;
};

static struct sockaddr_un address = { .sun_family = AF_UNIX };

static int dial(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("pester: cannot connect");
		exit(EXIT_FAILURE);
	}
	return fd;
}

/* Short where the daemon has hung up: what was wrong can be read all the same. */
static void send_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		n -= (size_t)sent;
	}
}

static void send_pieces(int fd, struct random *random, const char *bytes, size_t n)
{
	while (n) {
		size_t piece = 1 + random_below(random, random_chance(random, 3) ? 4 : 4096);

		piece = piece < n ? piece : n;
		send_all(fd, bytes, piece);
		bytes += piece;
		n -= piece;
	}
}

static char *read_all(int fd, size_t *ret_n)
{
	size_t n = 0, capacity = 4096;
	char *bytes = malloc(capacity);

	for (;;) {
		ssize_t got;

		if (!bytes)
			abort();
		got = recv(fd, bytes + n, capacity - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n == capacity)
			bytes = realloc(bytes, capacity *= 2);
	}
	*ret_n = n;
	return bytes;
}

static bool is_printable(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return true;
}

static bool is_json(const char *bytes, size_t n)
{
	json_t *value = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, NULL);
	bool good = json_is_object(value);

	json_decref(value);
	return good;
}

/* Which of the counters an answer belongs to. */
static uint64_t *judge(struct counts *counts, const char *bytes, size_t n)
{
	uint32_t length;

	if (!n)
		return &counts->unanswered;
	if (n < FRAME_HEADER)
		return &counts->broken;
	length = frame_get_length((const uint8_t *)bytes);
	if (length)
		return n == FRAME_HEADER + length && is_printable(bytes + FRAME_HEADER, length) ?
			       &counts->errors :
			       &counts->broken;
	if (n < 2 * FRAME_HEADER)
		return &counts->broken;
	length = frame_get_length((const uint8_t *)bytes + FRAME_HEADER);
	return n == 2 * FRAME_HEADER + length && is_json(bytes + 2 * FRAME_HEADER, length) ?
		       &counts->answers :
		       &counts->broken;
}

static void show(const struct pester_input *input, const char *bytes, size_t n)
{
	fprintf(stderr, "pester: asked with %zu bytes: %.*s\npester: answered with %zu: %.*s\n",
		input->n, (int)(input->n < SHOWN_MAX ? input->n : SHOWN_MAX) - FRAME_HEADER,
		input->bytes + FRAME_HEADER, n, (int)(n < SHOWN_MAX ? n : SHOWN_MAX), bytes);
}

static void read_answer(int fd, const struct pester_input *input, struct counts *counts)
{
	size_t n;
	AUTO(mem) char *bytes = read_all(fd, &n);
	uint64_t *counter = judge(counts, bytes, n);

	++*counter;
	if (counter == &counts->broken || counter == &counts->unanswered)
		show(input, bytes, n);
}

static void pester_once(struct random *random, bool may_change, struct counts *counts)
{
	static struct pester_input input;
	enum manner manner = (enum manner)random_below(random, MANNER_COUNT);
	char bit[64];
	int fd = dial();

	pester_make(random, may_change, &input);
	counts->inputs++;
	if (manner == IN_PIECES)
		send_pieces(fd, random, input.bytes, input.n);
	else
		send_all(fd, input.bytes,
			 manner == CUT_OFF ? random_below(random, (uint32_t)input.n) : input.n);
	if (manner == HALF_CLOSED)
		shutdown(fd, SHUT_WR);
	if (manner == CURIOUS && input.is_whole &&
	    recv(fd, bit, 1 + random_below(random, sizeof(bit)), 0) < 0)
		counts->unanswered++;
	if (manner <= HALF_CLOSED && input.is_whole)
		read_answer(fd, &input, counts);
	close(fd);
}

static void become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0) {
		perror("pester: cannot become the user");
		exit(EXIT_FAILURE);
	}
}

static struct counts pester(unsigned seed, unsigned stream, uid_t uid, int64_t end_ms)
{
	struct random random = random_start(seed, stream);
	struct counts counts = { 0 };

	if (uid)
		become(uid);
	while (clock_now_ms() < end_ms)
		pester_once(&random, uid == 0, &counts);
	return counts;
}

static int gather(int pipe_fd, unsigned n_children, unsigned seed)
{
	struct counts sum = { 0 }, one;
	unsigned n = 0;
	int status, bad = 0;

	while (read(pipe_fd, &one, sizeof(one)) == sizeof(one)) {
		sum.inputs += one.inputs;
		sum.answers += one.answers;
		sum.errors += one.errors;
		sum.unanswered += one.unanswered;
		sum.broken += one.broken;
		n++;
	}
	while (wait(&status) > 0)
		bad |= status;
	printf("{\"seed\":%u,\"inputs\":%llu,\"answers\":%llu,\"errors\":%llu,\"unanswered\":%llu,"
	       "\"broken\":%llu}\n",
	       seed, (unsigned long long)sum.inputs, (unsigned long long)sum.answers,
	       (unsigned long long)sum.errors, (unsigned long long)sum.unanswered,
	       (unsigned long long)sum.broken);
	return bad || n < n_children || sum.broken || sum.unanswered;
}

int main(int argc, char **argv)
{
	unsigned seed, n_children = 0;
	int pipe_fds[2];
	int64_t end_ms;

	if (argc < 5 || argc - 4 > CHILDREN_MAX || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fputs("usage: pester CONTROL SECONDS SEED UID...\n", stderr);
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	end_ms = clock_now_ms() + 1000 * strtol(argv[2], NULL, 10);
	seed = (unsigned)strtoul(argv[3], NULL, 10);
	if (pipe(pipe_fds) < 0)
		return EXIT_FAILURE;
	for (int i = 4; i < argc; i++, n_children++) {
		struct counts counts;

		if (fork() != 0)
			continue;
		close(pipe_fds[0]);
		counts = pester(seed, n_children, (uid_t)strtoul(argv[i], NULL, 10), end_ms);
		return write(pipe_fds[1], &counts, sizeof(counts)) == sizeof(counts) ? 0 : 1;
	}
	close(pipe_fds[1]);
	return gather(pipe_fds[0], n_children, seed);
}
