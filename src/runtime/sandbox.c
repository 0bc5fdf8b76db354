/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - user, capabilities, files and system calls, in the order in which they can be given
 * up.
 */
#include "runtime/sandbox.h"

#include "base/log.h"
#include "runtime/landlock.h"
#include "runtime/privileges.h"
#include "runtime/syscalls.h"

static void say(const struct sandbox *sandbox)
{
	char calls[64] = "all system calls", files[64] = "no Landlock";

	if (sandbox->n_calls)
		snprintf(calls, sizeof(calls), "%u system calls", sandbox->n_calls);
	if (sandbox->landlock)
		snprintf(files, sizeof(files), "Landlock %u", sandbox->landlock);
	log_info("sandbox: user %s, %s%s, %s, %s", sandbox->user,
		 sandbox->has_net_admin ? "CAP_NET_ADMIN" : "no CAP_NET_ADMIN",
		 sandbox->n_other_caps ? " AND OTHER CAPABILITIES" : " alone", calls, files);
}

void sandbox_enter(const struct sandbox_options *options, struct sandbox *ret_sandbox)
{
	*ret_sandbox = (struct sandbox){ 0 };
	privileges_drop(options, ret_sandbox);
	ret_sandbox->landlock = landlock_enter(options);
	if (options->no_seccomp)
		log_warning("--no-seccomp: the daemon's own system calls are not filtered");
	else
		ret_sandbox->n_calls = syscalls_enter();
	say(ret_sandbox);
}

bool sandbox_is_complete(const struct sandbox *sandbox)
{
	return !sandbox->stays_root && !sandbox->n_other_caps && sandbox->no_new_privileges &&
	       sandbox->n_calls && sandbox->landlock;
}

void sandbox_done(struct sandbox *sandbox)
{
	free(sandbox->stays_root);
	*sandbox = (struct sandbox){ 0 };
}
