/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show_wait.c - uidwall show --wait: return when the unit that calls is governed.
 *
 * systemd runs ExecStartPre= in the group that the service will run in, and nothing of the service
 * before that has succeeded. The daemon takes up what the kernel has told it of groups before it
 * answers, so that the first answer says yes, but where the kernel refuses the rules.
 */
#include "cli/show_wait.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/call.h"
#include "policy/cgroup_mount.h"

enum { WAIT_MS = 5000, PAUSE_MS = 100 };

static const json_t *find_own(const json_t *unit, const uint64_t *own, size_t n_own)
{
	const json_t *group;
	size_t i;

	json_array_foreach(json_object_get(unit, "groups"), i, group)
		for (size_t j = 0; j < n_own; j++)
			if ((uint64_t)get_number(group, "id") == own[j])
				return group;
	return NULL;
}

static enum cli_status finish(struct cli *cli, json_t *answer, const char *text)
{
	if (cli->json)
		json_print(json_incref(answer));
	else
		printf("%s: %s\n", cli->args[0], text);
	return CLI_FINE;
}

/* CLI_FINDINGS: not yet. */
static enum cli_status look(struct cli *cli, const uint64_t *own, size_t n_own, json_t *answer)
{
	const json_t *unit = json_object_get(answer, "unit"), *group;

	if (strcmp(get_text(cli, answer, "state"), "off") == 0)
		return finish(cli, answer, "off, not governed");
	if (!json_is_object(unit))
		return finish(cli, answer, "has no unit; its users are governed wherever they are");
	group = find_own(unit, own, n_own);
	if (!group)
		return CLI_FINDINGS;
	return finish(cli, answer,
		      arena_printf(cli->arena, "control group /%s is governed",
				   get_text(cli, group, "path")));
}

enum cli_status show_wait(struct cli *cli)
{
	const int64_t end_us = clock_now_us() + WAIT_MS * 1000;
	uint64_t own[CGROUP_OWN_MAX];
	size_t n_own = cgroup_find_own(own);

	for (;;) {
		json_t *answer = NULL;
		const char *error;
		enum cli_status status;
		int r = call_ask_service(cli, "show", cli->args[0], CALL_ASK_MS, &answer, &error);

		if (r < 0)
			return call_explain(cli, r, error);
		status = look(cli, own, n_own, answer);
		json_decref(answer);
		if (status == CLI_FINE)
			return status;
		if (clock_now_us() >= end_us)
			break;
		usleep(PAUSE_MS * 1000);
	}
	say(cli,
	    "the control group of this process is not one of service %s: is it the unit that the "
	    "policy names?",
	    cli->args[0]);
	return CLI_FINDINGS;
}
