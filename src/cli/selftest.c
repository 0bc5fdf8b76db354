/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest.c - uidwall selftest: becomes each user, tries to get out by a fixed list of ways, and
 * holds what the kernel does to what the daemon says that the rules do
 * (docs/decisions/selftest.md).
 */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/call.h"
#include "cli/resolve.h"
#include "cli/selftest.h"

const char help_selftest[] =
	"Becomes each service's users and tries to get out: TCP, UDP, ping, DNS, the\n"
	"metadata address, ports on loopback, libcurl directly and by the proxy, and what\n"
	"the policy allows. Each result is held to the rules in force; as root only.\n"
	"\n"
	"Safe where others work: what the wall does not refuse goes to documentation\n"
	"addresses and loopback only, and ports of others see no byte. What is sent\n"
	"where is said first.\n"
	"\n"
	"exit status: 0 no surprise, 1 a surprise, 2 wrong use, 3 no uidwalld\n"
	"\n"
	"  uidwall selftest\n"
	"  uidwall selftest blog --dry-run\n";

/* --- who, where, when ---------------------------------------------------------------------------
 */

/* Of whoever logged in, should they have become root since. */
static const char *find_who(struct cli *cli)
{
	AUTO(file) FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned uid = (unsigned)-1;
	const char *name;

	if (!file || fscanf(file, "%u", &uid) != 1 || uid == (unsigned)-1 || uid == 0)
		return "root";
	name = resolve_uid(cli, uid);
	return name ? arena_printf(cli->arena, "root (%s logged in)", printable(cli, name)) :
		      arena_printf(cli->arena, "root (uid %u logged in)", uid);
}

static void note_record(struct selftest *test)
{
	struct cli *cli = test->cli;
	struct utsname name;

	test->host = test->kernel = "unknown";
	test->who = find_who(cli);
	test->time = time(NULL);
	if (uname(&name) < 0)
		return;
	test->host = printable(cli, arena_strdup(cli->arena, name.nodename));
	test->kernel = arena_printf(cli->arena, "%s %s", name.sysname, name.release);
}

/* --- services -----------------------------------------------------------------------------------
 */

static enum cli_status ask_status(struct selftest *test, json_t **ret_status)
{
	const char *error;
	int r = call_ask(test->cli, "status", NULL, CALL_ASK_MS, ret_status, &error);

	return r < 0 ? call_explain(test->cli, r, error) : CLI_FINE;
}

/* A name that is no service's is wrong use: 1 would be a surprise. */
static enum cli_status add_service(struct selftest *test, const char *name)
{
	struct cli *cli = test->cli;
	struct selftest_service *service;
	AUTO(json) json_t *shown = NULL;
	const char *error;
	int r = call_ask_service(cli, "show", name, CALL_ASK_MS, &shown, &error);

	if (r == -EREMOTEIO)
		return bad_use(cli, "%s", error);
	if (r < 0)
		return call_explain(cli, r, error);
	service = ARENA_APPEND(cli->arena, test->services, test->n);
	service->name = arena_strdup(cli->arena, name);
	selftest_plan_service(test, service, shown);
	return CLI_FINE;
}

static enum cli_status add_services(struct selftest *test)
{
	const json_t *entry;
	size_t i;

	if (test->cli->n_args)
		return add_service(test, test->cli->args[0]);
	json_array_foreach(json_object_get(test->status, "services"), i, entry) {
		enum cli_status status = add_service(test, get_text(test->cli, entry, "service"));

		if (status != CLI_FINE)
			return status;
	}
	return CLI_FINE;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static enum cli_status check_use(struct selftest *test)
{
	struct cli *cli = test->cli;

	if (cli->to && parse_address(cli->to, &test->scene.to) < 0)
		return bad_use(cli,
			       "expected an address such as 192.0.2.1 or 2001:db8::1 behind "
			       "--to, got \"%s\"",
			       printable(cli, cli->to));
	test->scene.is_told = cli->to;
	if (geteuid() != 0)
		return bad_use(cli, "only root can become other users: try \"sudo uidwall "
				    "selftest\"");
	return CLI_FINE;
}

static enum cli_status prepare(struct selftest *test)
{
	enum cli_status status = check_use(test);

	if (status == CLI_FINE)
		status = ask_status(test, &test->status);
	if (status != CLI_FINE)
		return status;
	note_record(test);
	test->generation = get_number(test->status, "generation");
	test->wall = get_text(test->cli, test->status, "wall");
	selftest_set_scene(test);
	status = add_services(test);
	return status == CLI_FINE ? selftest_expect(test) : status;
}

static enum cli_status run(struct selftest *test)
{
	AUTO(json) json_t *after = NULL;
	enum cli_status status = selftest_run(test);

	if (status == CLI_FINE)
		status = ask_status(test, &after);
	if (status != CLI_FINE && test->cli->json)
		selftest_break_off_json();
	if (status != CLI_FINE)
		return status;
	selftest_judge(test, after);
	if (test->cli->json)
		selftest_print_json(test);
	else
		selftest_print(test);
	return selftest_is_fine(test) ? CLI_FINE : CLI_FINDINGS;
}

enum cli_status verb_selftest(struct cli *cli)
{
	struct selftest test = { .cli = cli };
	enum cli_status status = prepare(&test);

	if (status == CLI_FINE) {
		if (cli->json)
			selftest_announce_json(&test, cli->dry_run);
		else
			selftest_announce(&test);
		if (!cli->dry_run)
			status = run(&test);
	}
	json_decref(test.status);
	return status;
}
