/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli.h - what the command line said, and the verbs it may name. */
#ifndef UIDWALL_CLI_CLI_H
#define UIDWALL_CLI_CLI_H

#include "base/arena.h"

enum cli_status {
	CLI_FINE = 0,
	CLI_FINDINGS = 1,
	CLI_BAD_USE = 2,
	CLI_UNREACHABLE = 3,
	CLI_MAX_STATUS = CLI_UNREACHABLE,
};

#define CLI_CONFIG UIDWALL_SYSCONFDIR "/uidwall.json"
#define CLI_POLICIES UIDWALL_SYSCONFDIR "/policies"
#define CLI_CONTROL UIDWALL_RUNDIR "/control.sock"

struct cli_verb;

struct cli {
	const struct cli_verb *verb; /* NULL: none was named */
	const char **args;	     /* what follows the verb, options aside */
	size_t n_args;
	const char *config;
	const char *policies;
	const char *control;
	const char *user;
	const char *confirm; /* "60s" */
	const char *against;
	const char *to; /* an address */
	bool json;
	bool write;
	bool offline;
	bool dry_run;
	bool endpoints;
	bool wait;
	bool squid;
	bool help;
	bool version;
	struct arena *arena; /* lives as long as the process */
};

/* A row of the table of verbs. */
struct cli_verb {
	const char *name;
	const char *args;    /* as usage shows them, "[PATH...]" */
	const char *summary; /* half a line */
	const char *help;    /* what `uidwall VERB --help` shows below its usage line */
	size_t min_args;
	size_t max_args;
	enum cli_status (*run)(struct cli *cli);
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_n_verbs;

enum cli_status verb_apply(struct cli *cli);
enum cli_status verb_check(struct cli *cli);
enum cli_status verb_confirm(struct cli *cli);
enum cli_status verb_diff(struct cli *cli);
enum cli_status verb_help(struct cli *cli);
enum cli_status verb_new(struct cli *cli);
enum cli_status verb_off(struct cli *cli);
enum cli_status verb_on(struct cli *cli);
enum cli_status verb_render(struct cli *cli);
enum cli_status verb_rollback(struct cli *cli);
enum cli_status verb_selftest(struct cli *cli);
enum cli_status verb_show(struct cli *cli);
enum cli_status verb_status(struct cli *cli);
enum cli_status verb_why(struct cli *cli);
enum cli_status verb_wire(struct cli *cli);

extern const char help_apply[], help_check[], help_confirm[], help_diff[], help_help[], help_new[],
	help_off[], help_on[], help_render[], help_rollback[], help_selftest[], help_show[],
	help_status[], help_why[], help_wire[];

#endif
