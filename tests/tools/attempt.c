/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt.c - become a user, try one way out, and print what came of it as one line of JSON.
 *
 * What the kernel judges is the fsuid of whoever opened the socket, so the user is changed before
 * the first socket() call - but for `reaim`, which is about sockets that root opened. Every wait
 * ends: an attempt that is neither answered nor refused is a "timeout".
 */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERRNO_MAX = 134 };

static const char *const result_names[] = { "ok", "refused", "timeout" };

static const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "";

	return name ? name : "?";
}

static void print_string(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < ' ' || *p > '~')
			printf("\\u%04x", *p);
		else
			putchar(*p);
	}
	putchar('"');
}

static void print_head(const struct options *opt)
{
	printf("{\"uid\":%ld,\"what\":\"%s\",\"target\":",
	       opt->mapped >= 0 ? opt->mapped : opt->uid, opt->what);
	print_string(opt->target);
}

static void print_outcome(const struct options *opt, const struct outcome *o)
{
	print_head(opt);
	printf(",\"result\":\"%s\",\"stage\":\"%s\",\"errno\":\"%s\",\"ms\":%.3f",
	       result_names[o->result], o->stage, errno_name(o->error), o->ms);
	if (o->error_after)
		printf(",\"after\":\"%s\"", errno_name(o->error_after));
	if (o->answer[0]) {
		printf(",\"answer\":");
		print_string(o->answer);
	}
	puts("}");
}

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void repeat(const struct kind *kind, const struct options *opt)
{
	unsigned long counts[RESULT_COUNT] = { 0 }, errors[ERRNO_MAX] = { 0 };
	double until = now_ms() + opt->for_ms, slowest = 0;
	const char *comma = "";

	signal(SIGTERM, stop);
	while (now_ms() < until && !stopped) {
		struct outcome o = { .stage = "" };

		kind->attempt(opt, &o);
		if (stopped && o.result == RESULT_TIMEOUT)
			break; /* it is our waiting that was cut short */
		counts[o.result]++;
		if (o.error > 0 && o.error < ERRNO_MAX)
			errors[o.error]++;
		if (o.ms > slowest)
			slowest = o.ms;
		if (opt->pause_us)
			usleep(opt->pause_us);
	}
	print_head(opt);
	for (int i = 0; i < RESULT_COUNT; i++)
		printf(",\"%s\":%lu", result_names[i], counts[i]);
	printf(",\"slowest_ms\":%.3f,\"errnos\":{", slowest);
	for (int e = 1; e < ERRNO_MAX; e++) {
		if (!errors[e])
			continue;
		printf("%s\"%s\":%lu", comma, errno_name(e), errors[e]);
		comma = ",";
	}
	puts("}}");
}

static void become(long uid, long gid)
{
	if (setgroups(0, NULL) < 0 || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		die("becoming uid %ld: %s", uid, strerror(errno));
}

static void write_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

/* What rootless containers do: the user makes a user namespace, newuidmap (here: root, a process
 * that stays behind) maps a range of subordinate ids into it, and the attempt runs as one of them.
 */
static void become_mapped(const struct options *opt)
{
	int ready[2], go[2], status = 0;
	char byte, map[80];
	pid_t child;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become(opt->uid, opt->gid >= 0 ? opt->gid : opt->uid);
		if (unshare(CLONE_NEWUSER) < 0)
			die("unshare: %s", strerror(errno));
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			die("the process that maps the ids went away");
		become(1, 1);
		return;
	}
	if (read(ready[0], &byte, 1) == 1) {
		snprintf(map, sizeof(map), "0 %ld 1\n1 %ld 1\n", opt->uid, opt->mapped);
		write_map(child, "uid_map", map);
		write_map(child, "gid_map", map);
		if (write(go[1], "", 1) != 1)
			die("write: %s", strerror(errno));
	}
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

static int open_as_root(const struct options *opt)
{
	int fd = socket_open(opt, SOCK_STREAM, 0);

	if (fd < 0 || socket_prepare(fd, opt) < 0 || listen(fd, 1) < 0)
		die("listening on port %u: %s", opt->source_port, strerror(errno));
	return fd;
}

static int run(const struct kind *kind, struct options *opt)
{
	struct outcome o = { .stage = "" };

	if (strcmp(opt->what, "reaim") == 0)
		opt->inherited = open_as_root(opt);
	if (opt->mapped >= 0)
		become_mapped(opt);
	else if (opt->uid >= 0)
		become(opt->uid, opt->gid >= 0 ? opt->gid : opt->uid);
	if (opt->for_ms) {
		repeat(kind, opt);
		return 0;
	}
	kind->attempt(opt, &o);
	print_outcome(opt, &o);
	return o.result == RESULT_OK ? 0 : 1;
}

/* A process for each user, one after the other: one start of the program for many users. */
static int run_all(const struct kind *kind, struct options *opt)
{
	int worst = 0;

	for (long last = opt->uid_last; opt->uid <= last; opt->uid++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child < 0)
			die("fork: %s", strerror(errno));
		if (child == 0)
			exit(run(kind, opt));
		waitpid(child, &status, 0);
		if (!WIFEXITED(status))
			return 2;
		if (WEXITSTATUS(status) > worst)
			worst = WEXITSTATUS(status);
	}
	return worst;
}

static void usage(FILE *out)
{
	fputs("Usage: attempt [OPTION]... WHAT TARGET [ARGUMENT]\n"
	      "Exit status: 0 it went through, 1 it did not, 2 wrong use.\n\n",
	      out);
	for (size_t i = 0; i < n_kinds; i++)
		fprintf(out, "  %-10s %s\n", kinds[i].name, kinds[i].help);
	fputs("\n  -u UID[-LAST]  as this user, or as each of them\n"
	      "  -g GID         as this group, else the number of UID\n"
	      "  -n UID         as this subordinate id, in a user namespace of -u's\n"
	      "  -t MS          give up after this time (1000)\n"
	      "  -f MS          again and again for this time, and count\n"
	      "  -i US          pause between them\n"
	      "  -m TEXT        what to send\n"
	      "  -q             expect no answer to a datagram\n"
	      "  -s ADDRESS     from this address\n"
	      "  -b             even if it is not ours (IPV6_FREEBIND)\n"
	      "  -p PORT        from this port\n"
	      "  -d DEVICE      through this interface (SO_BINDTODEVICE)\n"
	      "  -o             with IPv4 options\n"
	      "  -r ADDRESS     by way of this address (IPv6 routing header)\n",
	      out);
}

static long number(const char *text, const char **ret_rest)
{
	char *rest;
	long n;

	errno = 0;
	n = strtol(text, &rest, 10);
	if (errno || rest == text || n < 0 || (*rest && !ret_rest))
		die("'%s' is no number", text);
	if (ret_rest)
		*ret_rest = rest;
	return n;
}

static void parse_options(int argc, char **argv, struct options *opt)
{
	const char *rest;
	int c;

	while ((c = getopt(argc, argv, "u:g:n:t:f:i:m:qs:p:d:bor:h")) != -1) {
		switch (c) {
		case 'u':
			opt->uid = opt->uid_last = number(optarg, &rest);
			if (*rest == '-')
				opt->uid_last = number(rest + 1, NULL);
			break;
		case 'g':
			opt->gid = number(optarg, NULL);
			break;
		case 'n':
			opt->mapped = number(optarg, NULL);
			break;
		case 't':
			opt->timeout_ms = (unsigned)number(optarg, NULL);
			break;
		case 'f':
			opt->for_ms = (unsigned)number(optarg, NULL);
			break;
		case 'i':
			opt->pause_us = (unsigned)number(optarg, NULL);
			break;
		case 'm':
			opt->message = optarg;
			break;
		case 'q':
			opt->answer_wanted = false;
			break;
		case 's':
			opt->source = optarg;
			break;
		case 'p':
			opt->source_port = (uint16_t)number(optarg, NULL);
			break;
		case 'd':
			opt->device = optarg;
			break;
		case 'b':
			opt->foreign_source = true;
			break;
		case 'o':
			opt->ip_options = true;
			break;
		case 'r':
			opt->via = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options opt = { .uid = -1,
			       .uid_last = -1,
			       .gid = -1,
			       .mapped = -1,
			       .timeout_ms = 1000,
			       .answer_wanted = true,
			       .inherited = -1 };
	const struct kind *kind = NULL;

	parse_options(argc, argv, &opt);
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc && i < n_kinds; i++) {
		if (strcmp(argv[0], kinds[i].name) == 0)
			kind = &kinds[i];
	}
	if (!kind || argc != 2 + kind->needs_argument) {
		usage(stderr);
		return 2;
	}
	opt.what = argv[0];
	opt.target = argv[1];
	opt.argument = argv[2];
	if (strcmp(opt.what, "stream") == 0 && !opt.message)
		opt.message = "hello\n";
	parse_target(opt.target, &opt.address, &opt.address_length);
	return opt.uid < opt.uid_last ? run_all(kind, &opt) : run(kind, &opt);
}
