/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main_uidwalld.c - the daemon's command line. */
#include <getopt.h>
#include <string.h>

#include "config.h"

#include "base/log.h"
#include "runtime/daemon.h"

enum { EXIT_USAGE = 2 };

static const char help[] =
	"Usage: uidwalld [OPTION]...\n"
	"Loads the policies into the kernel, answers \"uidwall\", and logs to standard error.\n"
	"\n"
	"      --config FILE    what holds for all services (" UIDWALL_SYSCONFDIR "/uidwall.json)\n"
	"      --policies DIR   one file a service (" UIDWALL_SYSCONFDIR "/policies)\n"
	"      --control PATH   control socket (" UIDWALL_RUNDIR "/control.sock)\n"
	"      --state DIR      last good policies (" UIDWALL_STATEDIR ")\n"
	"      --no-seccomp     do not filter its own system calls (valgrind, debuggers)\n"
	"      --help           this text\n"
	"      --version        the version\n"
	"\n"
	"SIGHUP reloads. SIGTERM ends the daemon and leaves the wall standing: see \"uidwall "
	"off\".\n"
	"Needs CAP_NET_ADMIN and nothing else.\n";

enum option_key {
	OPTION_CONFIG = 1,
	OPTION_POLICIES,
	OPTION_CONTROL,
	OPTION_STATE,
	OPTION_NO_SECCOMP,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "policies", required_argument, NULL, OPTION_POLICIES },
	{ "control", required_argument, NULL, OPTION_CONTROL },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "no-seccomp", no_argument, NULL, OPTION_NO_SECCOMP },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct daemon_options options = {
		.config = UIDWALL_SYSCONFDIR "/uidwall.json",
		.policies = UIDWALL_SYSCONFDIR "/policies",
		.control = UIDWALL_RUNDIR "/control.sock",
		.state = UIDWALL_STATEDIR,
	};
	int key;

	log_init("uidwalld");
	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (key) {
		case OPTION_CONFIG:
			options.config = optarg;
			break;
		case OPTION_POLICIES:
			options.policies = optarg;
			break;
		case OPTION_CONTROL:
			options.control = optarg;
			break;
		case OPTION_STATE:
			options.state = optarg;
			break;
		case OPTION_NO_SECCOMP:
			options.no_seccomp = true;
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case OPTION_VERSION:
			puts("uidwalld " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs("Try \"uidwalld --help\".\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\"; try \"uidwalld --help\"", argv[optind]);
		return EXIT_USAGE;
	}
	return daemon_run(&options);
}
