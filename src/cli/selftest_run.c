/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_run.c - attempts → what was seen, by the helper uidwall-selftest (selftest/job.h).
 *
 * The helper stands beside the command where neither is installed yet, else where it was installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cli/selftest.h"

#define HELPER "uidwall-selftest"

/* PATIENCE_MS: until the next attempt ends. */
enum { PATIENCE_MS = JOB_TIMEOUT_MS + JOB_GRACE_MS + 10000, PATH_BYTES = 4096, LINE_BYTES = 65536 };

struct helper {
	struct selftest *test;
	struct selftest_attempt **tried; /* in the order of the jobs */
	size_t n, n_done;
	pid_t pid;
	int in, out; /* its stdin and stdout */
	bool is_complete;
	bool shows; /* progress */
};

/* --- starting it --------------------------------------------------------------------------------
 */

static const char *find_helper(struct cli *cli)
{
	char path[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(HELPER) - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		strcpy(slash + 1, HELPER);
		if (access(path, X_OK) == 0)
			return arena_strdup(cli->arena, path);
	}
	return UIDWALL_LIBEXECDIR "/" HELPER;
}

__attribute__((noreturn)) static void become_helper(const char *path, int in, int out)
{
	char *const argv[] = { (char *)HELPER, NULL }, *const envp[] = { NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execve(path, argv, envp);
	fprintf(stderr, "uidwall: %s: %s\n", path, strerror(errno));
	_exit(127);
}

static int start(struct helper *helper)
{
	const char *path = find_helper(helper->test->cli);
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return -errno;
	}
	fflush(NULL);
	helper->pid = fork();
	if (helper->pid == 0)
		become_helper(path, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	helper->in = in[1];
	helper->out = out[0];
	return helper->pid < 0 ? -errno : 0;
}

/* It reads all of them before it begins. */
static int write_jobs(struct helper *helper)
{
	FILE *in = fdopen(helper->in, "w");
	char text[JOB_LINE_MAX];

	if (!in)
		return -errno;
	helper->in = -1;
	for (size_t i = 0; i < helper->n; i++) {
		job_format(&helper->tried[i]->job, text);
		fprintf(in, "%s\n", text);
	}
	return fclose(in) == 0 ? 0 : -errno;
}

/* --- listening to it ----------------------------------------------------------------------------
 */

static int take_line(struct helper *helper, const char *line)
{
	struct seen seen;
	size_t index;

	if (strcmp(line, "end") == 0) {
		helper->is_complete = helper->n_done == helper->n;
		return 0;
	}
	if (seen_parse(line, &index, &seen) < 0 || index >= helper->n)
		return -EPROTO;
	helper->tried[index]->seen = seen;
	if (seen.left == LEFT_UNKNOWN)
		helper->test->is_blind = true;
	helper->n_done++;
	if (helper->shows)
		fprintf(stderr, "\r%zu of %zu attempts \r", helper->n_done, helper->n);
	return 0;
}

/* The lines of what has come so far; what is left of it begins the next one. */
static int take_lines(struct helper *helper, char *bytes, size_t *n)
{
	char *end;

	while ((end = memchr(bytes, '\n', *n))) {
		size_t length = (size_t)(end - bytes) + 1;
		int r;

		*end = '\0';
		r = take_line(helper, bytes);
		if (r < 0)
			return r;
		*n -= length;
		memmove(bytes, bytes + length, *n);
	}
	return *n < LINE_BYTES ? 0 : -EPROTO;
}

static int listen_to(struct helper *helper)
{
	char bytes[LINE_BYTES];
	size_t n = 0;
	int r = 0;

	while (r == 0) {
		struct pollfd p = { .fd = helper->out, .events = POLLIN };
		int ready = poll(&p, 1, PATIENCE_MS);
		ssize_t got;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno == EINTR)
			continue;
		got = read(helper->out, bytes + n, sizeof(bytes) - n);
		if (got <= 0)
			return got < 0 ? -errno : 0;
		n += (size_t)got;
		r = take_lines(helper, bytes, &n);
	}
	return r;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void gather(struct helper *helper)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;

	while ((attempt = selftest_next(helper->test, &cursor))) {
		attempt->seen = (struct seen){ .end = SEEN_LOST };
		if (!attempt->not_tried)
			*ARENA_APPEND(helper->test->cli->arena, helper->tried, helper->n) = attempt;
	}
}

static void end(struct helper *helper, int r)
{
	fd_close(helper->in);
	fd_close(helper->out);
	if (helper->pid <= 0)
		return;
	if (r < 0)
		kill(helper->pid, SIGKILL); /* and with it all that it started */
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

enum cli_status selftest_run(struct selftest *test)
{
	struct helper helper = { .test = test, .in = -1, .out = -1, .shows = is_terminal(stderr) };
	int64_t since = clock_now_us();
	int r;

	signal(SIGPIPE, SIG_IGN); /* where the helper is not there */
	gather(&helper);
	r = start(&helper);
	if (r == 0)
		r = write_jobs(&helper);
	if (r == 0)
		r = listen_to(&helper);
	end(&helper, r);
	test->took_us = clock_now_us() - since;
	if (helper.shows)
		fputs("\r\033[K", stderr);
	if (r == 0 && helper.is_complete)
		return CLI_FINE;
	return fail(test->cli, "the test broke off after %zu of %zu attempts%s%s", helper.n_done,
		    helper.n, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
}
