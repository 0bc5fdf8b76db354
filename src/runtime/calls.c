/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.c - request and caller → answer, or the reason why not.
 *
 * Root and admins may do all; anybody may ask about the service that governs them. To all others a
 * service that is not theirs and one that does not exist look the same.
 */
#include "runtime/calls.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "policy/users.h"
#include "why/why.h"
#include "runtime/preview.h"
#include "runtime/report.h"
#include "runtime/undo.h"
#include "wire/request.h"

struct call {
	struct calls *calls;
	struct wall *wall;
	const struct server_caller *caller;
	struct arena *arena;
	struct request request;
	bool is_admin;
	struct writer *answer;
	const char *error; /* in the arena, or constant */
};

static int deny(struct call *call, const char *what)
{
	call->error = arena_printf(call->arena, "only root and admins may %s", what);
	return -EPERM;
}

static int no_service(struct call *call)
{
	const char *name = call->request.service ? call->request.service : "";

	call->error =
		arena_printf(call->arena, "no service \"%s\"",
			     text_printable(call->arena, name, strlen(name), SERVICE_NAME_MAX));
	return -ENOENT;
}

static int answer_status(struct call *call)
{
	const struct service *own =
		policy_set_find_uid(&call->wall->current->set, call->caller->uid);
	const struct report_process process = { server_get_counts(call->calls->server),
						call->calls->sandbox };

	report_status(call->wall, own, call->is_admin, &process, call->calls->seen, call->answer);
	return 0;
}

static int answer_show(struct call *call)
{
	const struct policy_set *set = &call->wall->current->set;
	const struct service *service = policy_set_find(set, call->request.service);

	if (!call->is_admin && (!service || service != policy_set_find_uid(set, call->caller->uid)))
		return deny(call, "ask about services other than their own");
	if (!service)
		return no_service(call);
	report_show(call->wall, service, call->calls->seen, call->answer);
	return 0;
}

static void log_caller(const struct call *call)
{
	log_notice("%s%s%s asked for by uid %u (pid %d)", request_call_name(call->request.call),
		   call->request.service ? " " : "",
		   call->request.service ? call->request.service : "", call->caller->uid,
		   call->caller->pid);
}

static int answer_apply(struct call *call)
{
	int64_t confirm_s =
		call->request.confirm_s == REQUEST_NO_NUMBER ? 0 : call->request.confirm_s;
	int r;

	if (!call->is_admin)
		return deny(call, "apply policies");
	log_caller(call);
	r = undo_check_apply(call->wall, confirm_s, call->arena, &call->error);
	if (r < 0)
		return r;
	writer_begin(call->answer, '{');
	wall_reload(call->wall, confirm_s, call->answer);
	report_change(call->wall, call->answer);
	writer_end(call->answer, '}');
	return 0;
}

static int answer_switch(struct call *call)
{
	bool on = call->request.call == CALL_ON;

	if (!call->is_admin)
		return deny(call, on ? "put the wall up" : "take the wall down");
	log_caller(call);
	if (wall_switch(call->wall, call->request.service, on) == -ENOENT)
		return no_service(call);
	writer_begin(call->answer, '{');
	report_change(call->wall, call->answer);
	writer_end(call->answer, '}');
	return 0;
}

static int answer_diff(struct call *call)
{
	if (!call->is_admin)
		return deny(call, "ask what would change");
	writer_begin(call->answer, '{');
	preview_write(call->wall, call->answer);
	report_undo(call->wall, call->answer);
	writer_end(call->answer, '}');
	return 0;
}

static int answer_confirm(struct call *call)
{
	int64_t since = call->wall->undo.trial.since;
	int r;

	if (!call->is_admin)
		return deny(call, "confirm a change");
	log_caller(call);
	r = undo_confirm(call->wall, call->arena, &call->error);
	if (r < 0)
		return r;
	report_confirmed(call->wall, since, call->answer);
	return 0;
}

static int answer_rollback(struct call *call)
{
	int r;

	if (!call->is_admin)
		return deny(call, "roll back");
	log_caller(call);
	writer_begin(call->answer, '{');
	r = undo_roll_back(call->wall, call->answer, call->arena, &call->error);
	if (r < 0)
		return r;
	report_change(call->wall, call->answer);
	writer_end(call->answer, '}');
	return 0;
}

static bool is_own(const struct call *call, int64_t uid)
{
	const struct policy_set *set = &call->wall->current->set;
	const struct service *own = policy_set_find_uid(set, call->caller->uid);

	return uid == (int64_t)call->caller->uid ||
	       (own && policy_set_find_uid(set, (uint32_t)uid) == own);
}

/* Anybody may ask about the service that governs them, about themselves, and whether root or an
 * address may connect to them: what others may do is for admins to know. A service named wins over
 * the uid beside it, for permission, too.
 */
static bool may_ask_why(const struct call *call, const struct service *service)
{
	const struct request *request = &call->request;
	const struct service *own =
		policy_set_find_uid(&call->wall->current->set, call->caller->uid);

	if (call->is_admin)
		return true;
	if (request->from_uid > 0 && !is_own(call, request->from_uid))
		return false;
	return service ? service == own :
			 request->uid != REQUEST_NO_NUMBER && is_own(call, request->uid);
}

static int answer_why(struct call *call)
{
	const struct request *request = &call->request;
	const struct policy_set *set = &call->wall->current->set;
	AUTO(routes) struct routes *routes = NULL;
	struct why_world world = { .set = set,
				   .rules = &call->wall->current->rules.set,
				   .is_standing = call->wall->is_standing,
				   .now = time(NULL) };
	struct why_question question = { .uid = WHY_NO_UID,
					 .targets = request->targets,
					 .n_targets = request->n_targets,
					 .host = request->host,
					 .from = request->from,
					 .from_uid = request->from_uid,
					 .own_only = !call->is_admin };

	if (request->service)
		question.service = policy_set_find(set, request->service);
	if (!question.service) {
		question.uid = request->uid;
		question.user = request->service;
	}
	if (!may_ask_why(call, question.service))
		return deny(call, "ask about services other than their own");
	if (!question.service && request->uid == REQUEST_NO_NUMBER)
		return no_service(call);
	if (routes_open(&routes) == 0)
		world.routes = routes;
	return why_answer(&world, &question, call->arena, call->answer, &call->error);
}

/* --- the proxy's own */

static int check_proxy(struct call *call)
{
	const struct config *config = &call->wall->current->set.config;

	if (call->caller->uid != 0 && (int64_t)call->caller->uid != config->proxy_uid) {
		call->error = "only root and the user " USERS_PROXY " may make this call";
		return -EPERM;
	}
	if (config->proxy_is_external) {
		call->error =
			"uidwall.json names an external proxy (\"proxy\"): the built-in one has "
			"nothing to do here";
		return -ENOENT;
	}
	return 0;
}

static int answer_lists(struct call *call)
{
	int64_t has = call->request.generation;
	int r = check_proxy(call);

	if (r < 0)
		return r;
	proxy_seen_hear(call->calls->seen, call->caller->pid,
			server_get_counts(call->calls->server));
	if (proxy_lists_look(call->calls->lists, call->wall) == (uint64_t)has)
		return SERVER_HOLD;
	proxy_lists_write(call->calls->lists, call->wall, has < 0 ? 0 : (uint64_t)has,
			  call->answer);
	return 0;
}

static int answer_record(struct call *call)
{
	int r = check_proxy(call);

	if (r < 0)
		return r;
	r = proxy_seen_add(call->calls->seen, &call->wall->current->set, call->request.records,
			   call->request.n_records);
	if (r < 0) {
		call->error = "out of memory for records";
		return r;
	}
	writer_begin(call->answer, '{');
	writer_end(call->answer, '}');
	return 0;
}

static int (*const answers[])(struct call *) = {
	[CALL_STATUS] = answer_status,	   [CALL_SHOW] = answer_show,
	[CALL_APPLY] = answer_apply,	   [CALL_CONFIRM] = answer_confirm,
	[CALL_ROLLBACK] = answer_rollback, [CALL_DIFF] = answer_diff,
	[CALL_WHY] = answer_why,	   [CALL_OFF] = answer_switch,
	[CALL_ON] = answer_switch,	   [CALL_LISTS] = answer_lists,
	[CALL_RECORD] = answer_record,
};

static bool is_admin(const struct config *config, uid_t uid)
{
	bool found = uid == 0;

	for (size_t i = 0; i < config->n_admins; i++)
		found = found || config->admins[i].uid == uid;
	return found;
}

int calls_answer(void *data, const struct server_caller *caller, const char *request, size_t n,
		 struct writer *ret_answer, char **ret_error)
{
	struct calls *calls = data;
	AUTO(arena) struct arena *arena = arena_new();
	struct call call = {
		.calls = calls,
		.wall = calls->wall,
		.caller = caller,
		.arena = arena,
		.is_admin = is_admin(&calls->wall->current->set.config, caller->uid),
		.answer = ret_answer,
	};
	int r = request_parse(request, n, arena, &call.request, &call.error);

	if (r == 0)
		r = answers[call.request.call](&call);
	if (r < 0)
		*ret_error = strdup(call.error);
	return r;
}
