/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attacker.c - command line → one way out, tried in the governed user's place.
 *
 * Starts as root: a way's prepare() is what somebody else did before (a prefork master's listener,
 * a set-user-ID program). run() has the user's uid, no group of root's and no capability. Whether
 * anything got out is for the sink to say, not for the attacker.
 */
#include "way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_S = 90, AFTER_MS = 20 };

static const struct way *const tables[] = { ways_tcp,	 ways_listen, ways_older,    ways_inherit,
					    ways_mptcp,	 ways_udp,    ways_udp_past, ways_ip,
					    ways_header, ways_group,  ways_family,   ways_loopback,
					    ways_uring };
enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

static struct way_aim aim;

static void parse_v4(const char *text, void *ret)
{
	if (inet_pton(AF_INET, text, ret) != 1)
		way_wrong("'%s' is no IPv4 address", text);
}

static void parse_v6(const char *text, void *ret)
{
	if (inet_pton(AF_INET6, text, ret) != 1)
		way_wrong("'%s' is no IPv6 address", text);
}

static void parse_port(const char *text, void *ret)
{
	*(uint16_t *)ret = (uint16_t)strtoul(text, NULL, 10);
}

static void parse_id(const char *text, void *ret)
{
	*(uid_t *)ret = (uid_t)strtoul(text, NULL, 10);
}

static void parse_text(const char *text, void *ret)
{
	*(const char **)ret = text;
}

static void parse_interface(const char *text, void *ret)
{
	snprintf(ret, IFNAMSIZ, "%s", text);
	aim.ifindex = if_nametoindex(text);
	if (!aim.ifindex)
		way_wrong("no interface %s", text);
}

static const char *cgroup;

static const struct {
	const char *name;
	void (*parse)(const char *text, void *ret);
	void *ret;
} options[] = {
	{ "to", parse_v4, &aim.v4 },
	{ "to6", parse_v6, &aim.v6 },
	{ "link-local", parse_v6, &aim.v6_link_local },
	{ "friend", parse_v4, &aim.v4_friend },
	{ "friend6", parse_v6, &aim.v6_friend },
	{ "friend-port", parse_port, &aim.friend_port },
	{ "port", parse_port, &aim.port },
	{ "resolver", parse_v4, &aim.resolver4 },
	{ "resolver6", parse_v6, &aim.resolver6 },
	{ "local", parse_v4, &aim.local4 },
	{ "local6", parse_v6, &aim.local6 },
	{ "interface", parse_interface, aim.interface },
	{ "declared-tcp", parse_port, &aim.declared_tcp },
	{ "declared-udp", parse_port, &aim.declared_udp },
	{ "uid", parse_id, &aim.uid },
	{ "gid", parse_id, &aim.gid },
	{ "other-uid", parse_id, &aim.other_uid },
	{ "subuid", parse_id, &aim.subuid },
	{ "marker", parse_text, &aim.marker },
	{ "sink", parse_text, &aim.sink },
	{ "folder", parse_text, &aim.folder },
	{ "cgroup", parse_text, &cgroup }, /* the unit's control group, a folder: it is joined */
};
enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

static void parse_options(int argc, char **argv)
{
	struct option names[N_OPTIONS + 1] = { 0 };
	bool given[N_OPTIONS] = { false };
	int c, i = 0;

	for (int n = 0; n < N_OPTIONS; n++)
		names[n] = (struct option){ options[n].name, required_argument, NULL, 0 };
	while ((c = getopt_long(argc, argv, "", names, &i)) != -1) {
		if (c != 0)
			exit(2);
		options[i].parse(optarg, options[i].ret);
		given[i] = true;
	}
	for (int n = 0; n < N_OPTIONS - 1; n++)
		if (!given[n])
			way_wrong("--%s is missing", options[n].name);
}

/* A line for each way: name, what closes it, flags, what it is; tabs between. */
static void list(void)
{
	for (int t = 0; t < N_TABLES; t++)
		for (const struct way *w = tables[t]; w && w->name; w++)
			printf("%s\t%s\t%s%s%s%s\t%s\n", w->name, w->closed_by,
			       w->flags & WAY_OLDER ? "older " : "",
			       w->flags & WAY_ALONE ? "alone " : "",
			       w->flags & WAY_OUTSIDE ? "outside " : "",
			       w->flags & WAY_LISTENS ? "listens " : "", w->what);
}

static const struct way *find(const char *name)
{
	for (int t = 0; t < N_TABLES; t++)
		for (const struct way *w = tables[t]; w && w->name; w++)
			if (strcmp(w->name, name) == 0)
				return w;
	way_wrong("no way is called %s", name);
}

static void join(void)
{
	char path[4096];
	int fd;

	if (!cgroup)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		way_wrong("%s: %s", path, strerror(errno));
	close(fd);
}

static int attack(const struct way *w)
{
	int r = 0;

	alarm(LIMIT_S);
	signal(SIGPIPE, SIG_IGN);
	if (!(w->flags & WAY_OUTSIDE))
		join();
	if (w->prepare)
		r = w->prepare(&aim);
	if (w->flags & WAY_OUTSIDE)
		join();
	way_become(aim.uid, aim.gid);
	if (r == 0)
		r = w->run(&aim);
	way_sleep(AFTER_MS);
	return r;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "helper") == 0)
		return helper_main(argv);
	if (argc < 3) {
		fputs("Usage: attacker WAY --to ADDRESS ... (as driver.py calls it)\n"
		      "       attacker --list\n",
		      stderr);
		return 2;
	}
	parse_options(argc - 1, argv + 1);
	return attack(find(argv[1]));
}
