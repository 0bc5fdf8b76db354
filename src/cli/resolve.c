/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.c - names of hosts and users → addresses and uids, within a bound of time.
 *
 * Neither getaddrinfo() nor getpwnam() can be told how long to wait, and a thread in them cannot be
 * ended. So a child asks, writes what it found, a line each, and is killed when it is late.
 */
#include "cli/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"

enum { PATIENCE_MS = 5000, FOUND_MAX = 64 * 1024 };

/* --- a child that asks ------------------------------------------------------------------------ */

/* Writes lines; what it returns is its exit status. */
typedef int (*ask_fn)(const char *name, FILE *out);

static void run_child(ask_fn ask, const char *name, int fd)
{
	FILE *out = fdopen(fd, "w");
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!out)
		_exit(EXIT_FAILURE);
	status = ask(name, out);
	_exit(fclose(out) == 0 ? status : EXIT_FAILURE);
}

/* Until the child closes its end. 0, -ETIMEDOUT or -errno. */
static int read_all(int fd, char *bytes, size_t max)
{
	int64_t deadline = clock_now_ms() + PATIENCE_MS;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_now_ms();
		ssize_t got;

		int ready = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0)
			continue; /* a signal: else read() would wait, and for ever */
		got = read(fd, bytes + n, max - 1 - n);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0)
			n += (size_t)got;
		bytes[n] = '\0';
		if (got == 0 || n == max - 1)
			return 0;
	}
}

/* What the child wrote, in the arena, and its exit status. */
static int ask_child(struct cli *cli, ask_fn ask, const char *name, char **ret_found,
		     int *ret_status)
{
	char *found = arena_alloc(cli->arena, FOUND_MAX);
	int fds[2], r;
	pid_t child;

	fflush(NULL); /* or the child would write it again */
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		r = -errno;
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (child == 0) {
		close(fds[0]);
		run_child(ask, name, fds[1]);
	}
	close(fds[1]);
	r = read_all(fds[0], found, FOUND_MAX);
	close(fds[0]);
	if (r < 0)
		kill(child, SIGKILL);
	while (waitpid(child, ret_status, 0) < 0 && errno == EINTR)
		;
	*ret_found = found;
	return r;
}

/* --- hosts ------------------------------------------------------------------------------------ */

/* The addresses, or a line that says why there are none. */
static int ask_host(const char *host, FILE *out)
{
	/* one socket type, or each address would come three times */
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_IDN }, *found = NULL;
	int r = getaddrinfo(host, NULL, &hints, &found);

	if (r != 0) {
		fprintf(out, "%s\n", r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return EXIT_FAILURE;
	}
	for (struct addrinfo *a = found; a; a = a->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) == 0)
			fprintf(out, "%s\n", text);
	}
	return EXIT_SUCCESS;
}

static bool has_address(const struct addresses *addresses, const char *text)
{
	for (size_t i = 0; i < addresses->n; i++)
		if (strcmp(addresses->list[i], text) == 0)
			return true;
	return false;
}

int resolve_host(struct cli *cli, const char *host, size_t max, struct addresses *ret_addresses,
		 const char **ret_error)
{
	struct addresses addresses = { 0 };
	char *found = NULL, *line;
	int status = 0;
	int r = ask_child(cli, ask_host, host, &found, &status);

	if (r == -ETIMEDOUT)
		*ret_error = "no answer within 5 s; ask about an address instead";
	else if (r < 0)
		*ret_error = strerror(-r);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS || !*found) {
		*ret_error = *found ? strtok(found, "\n") : "it has no address";
		return -ENOENT;
	}
	while ((line = strsep(&found, "\n"))) {
		if (!*line || has_address(&addresses, line))
			continue;
		if (addresses.n < max)
			*ARENA_APPEND(cli->arena, addresses.list, addresses.n) = line;
		else
			addresses.n_left_out++;
	}
	*ret_addresses = addresses;
	return 0;
}

/* --- users ------------------------------------------------------------------------------------ */

/* Of /etc/passwd: that needs no child, and on most machines all are there. */
static const char *find_account(struct cli *cli, const char *name, uint32_t *uid)
{
	AUTO(file) FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *account;

	while (file && (account = fgetpwent(file)))
		if (name ? strcmp(account->pw_name, name) == 0 : account->pw_uid == *uid) {
			*uid = account->pw_uid;
			return arena_strdup(cli->arena, account->pw_name);
		}
	return NULL;
}

static int ask_user(const char *name, FILE *out)
{
	const struct passwd *account = getpwnam(name);

	if (!account)
		return EXIT_FAILURE;
	fprintf(out, "%u\n", account->pw_uid);
	return EXIT_SUCCESS;
}

int resolve_user(struct cli *cli, const char *name, uint32_t *ret_uid)
{
	int status = 0, r;
	char *found = NULL;

	if (find_account(cli, name, ret_uid))
		return 0;
	r = ask_child(cli, ask_user, name, &found, &status);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS || !*found)
		return -ENOENT;
	*ret_uid = (uint32_t)strtoul(found, NULL, 10);
	return 0;
}

const char *resolve_uid(struct cli *cli, uint32_t uid)
{
	return find_account(cli, NULL, &uid);
}
