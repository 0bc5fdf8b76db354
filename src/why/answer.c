/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - what is known of one address of a question, as JSON: the verdict, what decided, what
 * the program sees, and what would turn it.
 */
#include "why/answer.h"

#include <errno.h>
#include <string.h>

#include "backend/text.h"

enum { DIFFERING_MAX = 8, TRIED_MAX = 1000, UNITS_MAX = 4 };

/* --- places and lines ------------------------------------------------------------------------- */

void answer_put_place(struct why *why, const struct policy *policy, struct place place)
{
	writer_put_text(why->w, "service", policy->service);
	writer_put_text(why->w, "file", policy->file);
	writer_put_text(why->w, "path", policy->path);
	writer_put_int(why->w, "line", place.line);
	writer_put_int(why->w, "column", place.column);
}

/* "dns": true is more than true. */
static const char *line_text(struct why *why, const struct reason *reason)
{
	const char *text = edit_excerpt(reason->policy, reason->place, why->arena);
	bool is_switch = strcmp(reason->key, "dns") == 0 || strcmp(reason->key, "proxy") == 0 ||
			 strcmp(reason->key, "transparent") == 0;

	if (!is_switch)
		return text;
	return arena_printf(why->arena, "\"%s\": %s", reason->key, text ? text : "true");
}

static void put_reason(struct why *why, const struct reason *reason)
{
	writer_put_text(why->w, "reason", reason->code);
	writer_put_text(why->w, "because", reason->words);
	writer_key(why->w, "decided_by");
	if (!reason->policy) {
		writer_text(why->w, NULL);
		return;
	}
	writer_begin(why->w, '{');
	answer_put_place(why, reason->policy, reason->place);
	writer_put_text(why->w, "key", reason->key);
	writer_put_text(why->w, "text", line_text(why, reason));
	writer_end(why->w, '}');
}

/* --- the path of rules ------------------------------------------------------------------------ */

/* Rules without a file are shared. */
static bool may_see(const struct why *why, const struct ir_origin *origin)
{
	return !why->question->own_only || !origin->place.file ||
	       (why->own && why->own->policy->file == origin->place.file);
}

static void put_path(struct why *why, const struct probe *probe)
{
	const struct ir_ruleset *rules = why->world->rules;

	writer_key(why->w, "path");
	writer_begin(why->w, '[');
	for (unsigned i = 0; i < probe->result.n_steps; i++) {
		const struct eval_step *step = &probe->result.steps[i];
		const struct ir_rule *rule = &rules->rules[step->rule];
		const struct ir_origin *origin = &rule->origin;
		AUTO(mem) char *text = text_rule(rules, rule);
		char comment[IR_COMMENT_MAX];

		if (!may_see(why, origin))
			continue;
		if (step->element != IR_NONE && rules->elements[step->element].origin.what &&
		    may_see(why, &rules->elements[step->element].origin))
			origin = &rules->elements[step->element].origin;
		ir_format_origin(origin, comment);
		writer_begin(why->w, '{');
		writer_put_text(why->w, "chain", rules->chains[step->chain].name);
		writer_put_text(why->w, "rule", text);
		writer_put_text(why->w, "comment", comment);
		writer_end(why->w, '}');
	}
	writer_end(why->w, ']');
}

/* --- what the program sees -------------------------------------------------------------------- */

static const struct {
	int number;
	const char *name;
} errnos[] = {
	{ ECONNREFUSED, "ECONNREFUSED" },
	{ ECONNRESET, "ECONNRESET" },
	{ EPERM, "EPERM" },
	{ EACCES, "EACCES" },
	{ ETIMEDOUT, "ETIMEDOUT" },
};

static void put_errno(struct why *why, int number, const char *call, const char *seen_by)
{
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++)
		if (errnos[i].number == number)
			name = errnos[i].name;
	writer_put_text(why->w, "errno", name);
	writer_put_int(why->w, "errno_number", number);
	writer_put_text(why->w, "errno_text", strerror(number));
	writer_put_text(why->w, "call", call);
	writer_put_text(why->w, "seen_by", seen_by);
}

/* A refused SYN-ACK is not told to the server, and whoever called waits for it; a refused datagram
 * is told to the server.
 */
static void put_failure(struct why *why, const struct asked *asked)
{
	bool tcp = asked->target.protocol == PROTOCOL_TCP;

	if (asked->has_call && eval_is_refused(&asked->call.result))
		put_errno(why, packet_errno(&asked->call.packet, &asked->call.result),
			  tcp ? "connect()" : "send()", asked->has_answer ? "caller" : "sender");
	else if (tcp)
		put_errno(why, ETIMEDOUT, "connect()", "caller");
	else
		put_errno(why, packet_errno(&asked->answer.packet, &asked->answer.result), "send()",
			  "service");
}

/* --- what would turn it ----------------------------------------------------------------------- */

static const char *const actions[] = {
	[EDIT_ADD] = "add",
	[EDIT_REPLACE] = "replace",
	[EDIT_REMOVE] = "remove",
};

static bool may_see_changes(const struct why *why, const struct changes *changes)
{
	for (size_t i = 0; why->question->own_only && i < changes->n; i++)
		if (changes->list[i].service != why->own)
			return false;
	return true;
}

static void put_changes(struct why *why, const char *key, const struct changes *changes)
{
	struct edits edits = { 0 };

	if (may_see_changes(why, changes))
		edits_make(&why->texts, changes, &edits);
	writer_key(why->w, key);
	writer_begin(why->w, '[');
	for (size_t i = 0; i < edits.n; i++) {
		const struct edit *edit = &edits.list[i];

		writer_begin(why->w, '{');
		writer_put_text(why->w, "action", actions[edit->action]);
		answer_put_place(why, edit->service->policy, edit->place);
		writer_put_text(why->w, "key", edit->key);
		writer_put_text(why->w, "text", edit->text);
		writer_put_text(why->w, "where", edit->where);
		writer_put_int(why->w, "offset", (int64_t)edit->offset);
		writer_put_text(why->w, "remove", edit->remove);
		writer_put_text(why->w, "insert", edit->insert);
		writer_end(why->w, '}');
	}
	writer_end(why->w, ']');
}

void answer_put_remedy(struct why *why, const struct remedy *remedy)
{
	const char *hint = remedy->hint;

	if (!may_see_changes(why, &remedy->turn) || !may_see_changes(why, &remedy->enforce))
		hint = "ask root or an admin: it takes a change of another service's policy";
	put_changes(why, "changes", &remedy->turn);
	put_changes(why, "to_enforce", &remedy->enforce);
	writer_put_text(why->w, "hint", hint);
}

/* --- what else is worth knowing --------------------------------------------------------------- */

/* Lines that would allow it but for the date or the interface. */
static void put_near(struct why *why, const struct probe *probe)
{
	const struct crossing *c = &probe->crossing;
	const struct policy *policy = c->service ? c->service->policy : NULL;

	writer_key(why->w, "near");
	writer_begin(why->w, '[');
	for (size_t i = 0; policy && !c->is_answer && i < policy->n_connect; i++) {
		const struct endpoint *e = &policy->connect[i];

		if (!crossing_is_near(c, e))
			continue;
		writer_begin(why->w, '{');
		answer_put_place(why, policy, e->place);
		writer_put_text(why->w, "text", edit_excerpt(policy, e->place, why->arena));
		writer_put_text(why->w, "but",
				e->until <= c->now ?
					arena_printf(why->arena, "it ended on %s", e->until_text) :
					arena_printf(why->arena,
						     "it is for interface %s only; the way there "
						     "is %s",
						     e->interface ? e->interface : "lo",
						     *c->oifname ? c->oifname : "unknown"));
		writer_end(why->w, '}');
	}
	writer_end(why->w, ']');
}

static void put_note(struct why *why, const char *note)
{
	if (note)
		writer_text(why->w, note);
}

static bool has_unit(const struct why *why, const struct probe *probe, size_t i)
{
	const struct service *service = &why->world->set->services[i];

	return service->policy->unit && service->state != POLICY_OFF &&
	       service != probe->sender.service;
}

/* Units come behind users that policies name, and before all others: root, too. */
static const char *other_units(struct why *why, const struct probe *probe)
{
	const struct policy_set *set = why->world->set;
	const struct uid_owner *owner = probe->sender.owner;
	const char *text = NULL;
	size_t n = 0;

	if (owner >= set->named && owner < set->named + set->n_named)
		return NULL;
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		if (!has_unit(why, probe, i) || n++ >= UNITS_MAX)
			continue;
		text = arena_printf(why->arena, "%s%s%s (%s)", text ? text : "", text ? ", " : "",
				    policy->service, policy->unit);
	}
	if (n == 0)
		return NULL;
	if (n > UNITS_MAX)
		text = arena_printf(why->arena, "%s and %zu more", text, n - UNITS_MAX);
	return arena_printf(why->arena,
			    "what %s owns in the control group of a service's unit is judged by "
			    "that service%s%s",
			    reason_sender(&probe->sender, why->arena),
			    why->question->own_only ? "" : ", so ask about it: ",
			    why->question->own_only ? "" : text);
}

/* A "from" that does not count yet. */
static const char *idle_guard(struct why *why, const struct probe *probe)
{
	const struct crossing *c = &probe->crossing;
	const struct service *service;
	const struct listener *listener;

	if (why->question->own_only || c->uid == 0 || !crossing_passes(c) ||
	    crossing_passes_enforced(c) || !crossing_find_guard(c, false, &service, &listener) ||
	    service->policy->mode != MODE_MONITOR)
		return NULL;
	return arena_printf(why->arena, "\"from\" of %s does not name %s, but %s only monitors",
			    reason_place(service->policy, listener->place, why->arena),
			    reason_sender(&probe->sender, why->arena), service->policy->service);
}

static void put_notes(struct why *why, const struct asked *asked)
{
	const struct probe *probe = asked->has_call ? &asked->call : &asked->answer;
	const struct policy *policy = why->own ? why->own->policy : NULL;

	writer_key(why->w, "notes");
	writer_begin(why->w, '[');
	put_note(why, asked->target.note);
	if (probe->way.state == WAY_NONE)
		put_note(why, "there is no route to this address now; judged as if there were one");
	if (asked->has_call) {
		put_note(why, idle_guard(why, &asked->call));
		put_note(why, other_units(why, &asked->call));
	}
	if (why->own && why->own->state == POLICY_LAST_GOOD)
		put_note(why, arena_printf(why->arena,
					   "%s has mistakes now; in force is what it said when it "
					   "was last good, and lines are those of then",
					   policy->file));
	if (why->is_inbound && !why->has_caller)
		put_note(why, prefix_is_loopback(&why->from_address) ?
				      "on this machine it matters who connects: ask \"from USER\"" :
				      "uidwall does not filter what comes in; this is about the "
				      "answer");
	writer_end(why->w, ']');
}

/* The first uids of the service for which the verdict is the other one: "from" names users. */
static void put_differing(struct why *why, const struct asked *asked)
{
	const struct policy_set *set = why->world->set;
	const struct probe *probe = &asked->call;
	const struct service *service;
	const struct listener *listener;
	bool refused = asked_is_refused(asked);
	unsigned n = 0, tried = 0;

	writer_key(why->w, "differs_for");
	writer_begin(why->w, '[');
	if (!why->is_inbound && why->own && why->question->uid == WHY_NO_UID &&
	    (crossing_find_guard(&probe->crossing, true, &service, &listener) ||
	     crossing_find_guard(&probe->crossing, false, &service, &listener)))
		for (size_t i = 0; i < set->n_named + set->n_ranges && n < DIFFERING_MAX; i++) {
			const struct uid_owner *owner =
				i < set->n_named ? &set->named[i] : &set->ranges[i - set->n_named];

			if (owner->service == NO_SERVICE ||
			    &set->services[owner->service] != why->own || tried++ > TRIED_MAX ||
			    probe_is_refused_for(why->world, probe, owner->uids.first) == refused)
				continue;
			writer_int(why->w, owner->uids.first);
			n++;
		}
	writer_end(why->w, ']');
}

/* --- one address ------------------------------------------------------------------------------ */

static const char *const way_names[] = {
	[WAY_FOUND] = "found",
	[WAY_NONE] = "none",
	[WAY_UNKNOWN] = "unknown",
};

static void put_target(struct why *why, const struct asked *asked)
{
	const struct target *target = &asked->target;
	const struct probe *probe = asked->has_call ? &asked->call : &asked->answer;
	char address[PREFIX_TEXT_MAX];

	format_prefix(&target->to, address);
	writer_put_text(why->w, "protocol", target_protocols[target->protocol]);
	writer_put_text(why->w, "address", address);
	if (*target->zone)
		writer_put_text(why->w, "zone", target->zone);
	if (target->port)
		writer_put_int(why->w, "port", target->port);
	writer_put_text(why->w, "route", way_names[probe->way.state]);
	writer_put_text(why->w, "interface", *probe->way.oifname ? probe->way.oifname : NULL);
}

static void put_wall_off(struct why *why)
{
	struct reason reason = { .code = "wall-off",
				 .words = "the wall is off: nothing is refused" };

	put_reason(why, &reason);
}

static void put_probe(struct why *why, const struct probe *probe)
{
	struct reason reason =
		reason_find(why->world, probe, why->question->own_only, why->own, why->arena);

	put_reason(why, &reason);
	put_path(why, probe);
}

/* The one that decides is the first that is refused, or the caller's. */
static const struct probe *deciding(const struct asked *asked)
{
	if (!asked->has_answer || (asked->has_call && eval_is_refused(&asked->call.result)))
		return &asked->call;
	if (!asked->has_call || eval_is_refused(&asked->answer.result))
		return &asked->answer;
	return &asked->call;
}

void answer_put_asked(struct why *why, const struct asked *asked, const struct remedy *remedy)
{
	bool refused = asked_is_refused(asked), standing = why->world->is_standing;

	writer_begin(why->w, '{');
	put_target(why, asked);
	writer_put_text(why->w, "verdict", refused && standing ? "refused" : "allowed");
	writer_put_bool(why->w, "would_refuse", standing ? asked_is_monitored(asked) : refused);
	if (standing)
		put_probe(why, deciding(asked));
	else
		put_wall_off(why);
	if (asked->has_answer && asked->has_call && deciding(asked) == &asked->call) {
		writer_key(why->w, "answer");
		writer_begin(why->w, '{');
		writer_put_text(why->w, "verdict",
				eval_is_refused(&asked->answer.result) ? "refused" : "allowed");
		put_probe(why, &asked->answer);
		writer_end(why->w, '}');
	}
	if (refused && standing)
		put_failure(why, asked);
	if (asked->has_call)
		put_near(why, &asked->call);
	put_notes(why, asked);
	if (asked->has_call)
		put_differing(why, asked);
	answer_put_remedy(why, remedy);
	writer_end(why->w, '}');
}
