/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew.c - jobs → processes that become users and try, many at a time → what was seen.
 *
 * A process of the user's can be stopped or killed by the user, who may not wish us well. So nobody
 * waits for one: it says what it saw, and is killed then; or it is late, and is killed then.
 */
#include "selftest/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "selftest/attempt.h"
#include "selftest/become.h"
#include "selftest/web.h"

enum { SWEEP_MS = 50, REPORT_FD = 3 };

struct worker {
	pid_t pid; /* 0: a free slot */
	size_t index;
	size_t mark; /* of the watch, when it began */
	int64_t deadline_ms;
};

/* Written in one piece: shorter than PIPE_BUF. */
struct report {
	size_t index;
	struct seen seen;
};

struct crew {
	const struct job *jobs;
	size_t n, next, n_done;
	struct watch *watch;
	void (*done)(size_t index, const struct seen *seen);
	struct worker workers[CREW_MAX];
	int fds[2]; /* reports */
};

/* --- in the child -------------------------------------------------------------------------------
 */

/* Nothing of root's stays open but the way to report. */
static int keep_only(int fd)
{
	int null;

	if (fd != REPORT_FD && dup3(fd, REPORT_FD, O_CLOEXEC) < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	for (int i = 0; i < REPORT_FD; i++)
		if (dup2(null, i) < 0)
			return -errno;
	return close_range(REPORT_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

__attribute__((noreturn)) static void work(const struct job *job, size_t index, int fd)
{
	struct report report = { .index = index };
	int64_t since = clock_now_us();
	int r = keep_only(fd);

	if (r == 0)
		r = become_user(job->uid, job->gid);
	if (r < 0)
		attempt_end(&report.seen, SEEN_ERROR, STAGE_BECOME, -r, since);
	else if (web_is(job))
		web_run(job, &report.seen);
	else
		attempt_run(job, &report.seen);
	_exit(write(REPORT_FD, &report, sizeof(report)) == sizeof(report) ? EXIT_SUCCESS :
									    EXIT_FAILURE);
}

/* --- in the parent ------------------------------------------------------------------------------
 */

static void dismiss(struct worker *worker)
{
	kill(worker->pid, SIGKILL);
	while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
}

static void end_job(struct crew *crew, struct worker *worker, struct seen *seen)
{
	dismiss(worker);
	if (crew->watch)
		watch_judge(crew->watch, &crew->jobs[worker->index], worker->mark, seen);
	crew->done(worker->index, seen);
	crew->n_done++;
}

static struct worker *find_worker(struct crew *crew, size_t index)
{
	for (size_t i = 0; i < CREW_MAX; i++)
		if (crew->workers[i].pid && crew->workers[i].index == index)
			return &crew->workers[i];
	return NULL;
}

static void read_reports(struct crew *crew)
{
	struct report report;

	while (read(crew->fds[0], &report, sizeof(report)) == sizeof(report)) {
		struct worker *worker = find_worker(crew, report.index);

		if (worker)
			end_job(crew, worker, &report.seen);
	}
}

/* Those that died, and those that are late. */
static void sweep(struct crew *crew)
{
	int64_t now = clock_now_ms();

	for (size_t i = 0; i < CREW_MAX; i++) {
		struct worker *worker = &crew->workers[i];
		struct seen seen = { .end = SEEN_LOST };
		siginfo_t info = { 0 };
		size_t index = worker->index;

		if (!worker->pid)
			continue;
		waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT);
		if (!info.si_pid && now < worker->deadline_ms)
			continue;
		read_reports(crew); /* perhaps it has said before what it saw */
		if (worker->pid && worker->index == index)
			end_job(crew, worker, &seen);
	}
}

static int hire(struct crew *crew)
{
	for (size_t i = 0; i < CREW_MAX && crew->next < crew->n; i++) {
		struct worker *worker = &crew->workers[i];
		size_t mark;
		pid_t pid;

		if (worker->pid)
			continue;
		mark = crew->watch ? watch_mark(crew->watch) : 0;
		pid = fork();
		if (pid < 0 && crew->n_done < crew->next)
			return 0; /* when others have ended */
		if (pid < 0)
			return -errno;
		if (pid == 0)
			work(&crew->jobs[crew->next], crew->next, crew->fds[1]);
		*worker = (struct worker){ pid, crew->next++, mark,
					   clock_now_ms() + JOB_TIMEOUT_MS + JOB_GRACE_MS };
	}
	return 0;
}

static int run(struct crew *crew)
{
	while (crew->n_done < crew->n) {
		struct pollfd p[2] = {
			{ .fd = crew->fds[0], .events = POLLIN },
			{ .fd = crew->watch ? watch_fd(crew->watch) : -1, .events = POLLIN },
		};
		int r = hire(crew);

		if (r < 0)
			return r;
		if (poll(p, ARRAY_SIZE(p), SWEEP_MS) < 0 && errno != EINTR)
			return -errno;
		if (crew->watch)
			watch_read(crew->watch);
		read_reports(crew);
		sweep(crew);
	}
	return 0;
}

int crew_run(const struct job *jobs, size_t n, struct watch *watch,
	     void (*done)(size_t index, const struct seen *seen))
{
	struct crew crew = { .jobs = jobs, .n = n, .watch = watch, .done = done };
	int r;

	if (pipe2(crew.fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	r = run(&crew);
	for (size_t i = 0; i < CREW_MAX; i++)
		if (crew.workers[i].pid)
			dismiss(&crew.workers[i]);
	close(crew.fds[0]);
	close(crew.fds[1]);
	return r;
}
