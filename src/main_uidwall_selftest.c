/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main_uidwall_selftest.c - jobs on stdin → what was seen of each, on stdout (selftest/job.h).
 *
 * A program of its own, because libcurl brings thirty libraries along, and the command should start
 * at once. `uidwall selftest` starts it, as root; nobody else has a use for it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "selftest/crew.h"
#include "selftest/web.h"

enum { EXIT_USAGE = 2, JOBS_MAX = 1 << 20 };

/* An environment can name proxies, certificates and configurations of libraries. */
static void settle(void)
{
	clearenv();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
}

static int read_jobs(struct job **ret_jobs, size_t *ret_n)
{
	AUTO(mem) struct job *jobs = NULL;
	AUTO(mem) char *line = NULL;
	size_t size = 0, n = 0, capacity = 0;

	while (getline(&line, &size, stdin) > 0) {
		if (n == capacity) {
			size_t more = capacity ? capacity * 2 : 64;
			struct job *list = reallocarray(jobs, more, sizeof(*jobs));

			if (!list || more > JOBS_MAX)
				return -ENOMEM;
			jobs = list;
			capacity = more;
		}
		line[strcspn(line, "\n")] = '\0';
		if (job_parse(line, &jobs[n++]) < 0)
			return -EINVAL;
	}
	if (ferror(stdin))
		return -EIO;
	*ret_jobs = TAKE(jobs);
	*ret_n = n;
	return 0;
}

static void print_seen(size_t index, const struct seen *seen)
{
	char text[JOB_LINE_MAX];

	seen_format(index, seen, text);
	puts(text);
	fflush(stdout);
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "uidwall-selftest: %s: %s\n", what, strerror(-r));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	AUTO(mem) struct job *jobs = NULL;
	AUTO(watch) struct watch *watch = NULL;
	size_t n = 0;
	int r;

	if (argc != 1 || isatty(STDIN_FILENO)) {
		fputs("uidwall-selftest: part of \"uidwall selftest\", which starts it\n", stderr);
		return EXIT_USAGE;
	}
	settle();
	r = read_jobs(&jobs, &n);
	if (r < 0)
		return fail("cannot read what to do", r);
	r = web_init();
	if (r < 0)
		return fail("libcurl", r);
	watch_open(jobs, n, &watch); /* without it, what leaves is unknown */
	r = crew_run(jobs, n, watch, print_seen);
	if (r < 0)
		return fail("cannot start processes", r);
	puts("end");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
