/* SPDX-License-Identifier: GPL-2.0-or-later */
/* why.c - a question → the packets it is about → JSON.
 *
 * Somebody who connects to a service needs two packets to pass: his own, and the answer.
 */
#include "why/why.h"

#include <errno.h>
#include <string.h>

#include "why/answer.h"
#include "why/host.h"

static int complain(struct why *why, const char *error)
{
	why->error = error;
	return -EINVAL;
}

/* --- who -------------------------------------------------------------------------------------- */

/* Whoever asked by number gave no name. */
static const char *name_of(const char *typed)
{
	return typed && typed[strspn(typed, "0123456789")] ? typed : NULL;
}

static int find_sender(struct why *why)
{
	const struct why_question *q = why->question;

	if (q->service && q->uid == WHY_NO_UID) {
		if (!sender_of_service(why->world, q->service, &why->sender))
			return complain(why, arena_printf(why->arena,
							  "service \"%s\" governs no user: none of "
							  "its users exists%s",
							  q->service->policy->service,
							  q->service->policy->unit ?
								  "; what others own in its unit "
								  "may go where the policy says: "
								  "see \"uidwall show\"" :
								  ""));
	} else if (q->uid != WHY_NO_UID) {
		sender_of_uid(why->world, (uint32_t)q->uid, name_of(q->user), &why->sender);
	} else {
		return complain(why, "expected a service or a uid to ask about");
	}
	why->own = why->sender.service;
	return 0;
}

static int find_caller(struct why *why)
{
	const struct why_question *q = why->question;

	why->is_inbound = q->from || q->from_uid != WHY_NO_UID;
	why->has_caller = q->from_uid != WHY_NO_UID;
	if (why->has_caller) {
		sender_of_uid(why->world, (uint32_t)q->from_uid, name_of(q->from), &why->caller);
	} else if (why->is_inbound) {
		struct target target;
		const char *text = arena_printf(why->arena, "icmp %s", q->from);

		/* the spellings of addresses are target_parse()'s to know */
		if (target_parse(text, why->arena, &target, &why->error) < 0)
			return complain(why, arena_printf(why->arena,
							  "expected a user or an address behind "
							  "\"from\", got \"%s\"",
							  text_printable(why->arena, q->from,
									 strlen(q->from), 80)));
		why->from_address = target.to;
	}
	return 0;
}

/* --- the question ----------------------------------------------------------------------------- */

static int ask_outbound(struct why *why, const struct target *target, struct asked *asked)
{
	why->is_unresolved = why->question->host && why->question->n_targets == 1 &&
			     target->to.family == ADDR_NONE && target->protocol == PROTOCOL_TCP;
	if (why->is_unresolved) {
		asked->target = *target;
		return 0;
	}
	if (target->to.family == ADDR_NONE)
		return complain(why, arena_printf(why->arena,
						  "expected an address and a port, got \"%s\"",
						  text_printable(why->arena, target->text,
								 strlen(target->text), 80)));
	asked->target = *target;
	asked->has_call = true;
	probe_call(why->world, &why->sender, target, &asked->call);
	return 0;
}

static void ask_inbound(struct why *why, const struct target *target, const struct prefix *to,
			struct asked *asked)
{
	asked->target = *target;
	asked->target.to = *to;
	asked->server = why->own;
	asked->has_answer = true;
	probe_answer(why->world, &why->sender, &asked->target, &asked->answer);
	asked->has_call = why->has_caller;
	if (why->has_caller)
		probe_call(why->world, &why->caller, &asked->target, &asked->call);
}

/* A port of the service, asked about over both loopbacks or from one address. */
static int ask_port(struct why *why, const struct target *target, struct asked **list, size_t *n)
{
	static const struct prefix loopback[] = {
		{ ADDR_V4, 32, { 127, 0, 0, 1 } },
		{ ADDR_V6, 128, { [15] = 1 } },
	};

	if (target->to.family != ADDR_NONE || target->protocol == PROTOCOL_ICMP)
		return complain(why, arena_printf(why->arena,
						  "expected a port such as \"tcp 3000\" behind "
						  "\"from\", got \"%s\"",
						  text_printable(why->arena, target->text,
								 strlen(target->text), 80)));
	for (size_t i = 0; i < (why->has_caller ? ARRAY_SIZE(loopback) : 1); i++)
		ask_inbound(why, target, why->has_caller ? &loopback[i] : &why->from_address,
			    &(*list)[(*n)++]);
	return 0;
}

static int ask_all(struct why *why, struct asked **ret_list, size_t *ret_n)
{
	const struct why_question *q = why->question;

	if (q->n_targets < 1 || q->n_targets > WHY_TARGETS_MAX)
		return complain(
			why, arena_printf(why->arena, "expected 1 to %d targets", WHY_TARGETS_MAX));
	*ret_n = 0;
	/* probes point into themselves: the list must not move */
	*ret_list = arena_alloc(why->arena, 2 * q->n_targets * sizeof(**ret_list));
	for (size_t i = 0; i < q->n_targets; i++) {
		struct target target;
		int r = target_parse(q->targets[i], why->arena, &target, &why->error);

		if (r == 0)
			r = why->is_inbound ? ask_port(why, &target, ret_list, ret_n) :
					      ask_outbound(why, &target, &(*ret_list)[(*ret_n)++]);
		if (r < 0)
			return r;
	}
	return 0;
}

static void put_who(struct why *why)
{
	const struct service *service = why->own;

	writer_put_text(why->w, "service", service ? service->policy->service : NULL);
	if (service) {
		writer_put_text(why->w, "state", policy_state_name(service->state));
		writer_put_text(why->w, "mode",
				service->policy->mode == MODE_MONITOR ? "monitor" : "enforce");
		writer_put_text(why->w, "file", service->policy->file);
		writer_put_text(why->w, "problem", service->problem);
	}
	writer_put_int(why->w, "uid", why->sender.uid);
	writer_put_text(why->w, "user", why->sender.user);
	writer_put_text(why->w, "wall", why->world->is_standing ? "on" : "off");
	writer_put_text(why->w, "host", why->question->host);
	writer_key(why->w, "from");
	if (!why->is_inbound) {
		writer_text(why->w, NULL);
		return;
	}
	writer_begin(why->w, '{');
	if (why->has_caller) {
		writer_put_int(why->w, "uid", why->caller.uid);
		writer_put_text(why->w, "user", why->caller.user);
		if (!why->question->own_only || why->caller.service == why->own)
			writer_put_text(why->w, "service",
					why->caller.service ? why->caller.service->policy->service :
							      NULL);
	} else {
		char address[PREFIX_TEXT_MAX];

		format_prefix(&why->from_address, address);
		writer_put_text(why->w, "address", address);
	}
	writer_end(why->w, '}');
}

/* Whether it all ends at the proxy, which decides then ("transparent"). */
static bool is_led(const struct why *why, const struct asked *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!list[i].has_call || list[i].has_answer || !list[i].call.result.led)
			return false;
	return why->world->is_standing && n > 0;
}

static void put_answer(struct why *why, const struct asked *list, size_t n)
{
	struct remedy *remedies = arena_alloc(why->arena, n * sizeof(*remedies));
	struct remedy all = { .turn.arena = why->arena, .enforce.arena = why->arena };
	struct proxied proxied;
	bool refused = false, led;

	proxied_find(why, list, n, &proxied);
	if (why->is_unresolved) /* it is the port alone */
		n = 0;
	led = is_led(why, list, n);
	for (size_t i = 0; i < n; i++) {
		remedy_find(why->world, &list[i], why->arena, &remedies[i]);
		refused = refused || (why->world->is_standing && asked_is_refused(&list[i]));
	}
	writer_begin(why->w, '{');
	if (n == 0)
		refused = !proxied_passes(&proxied);
	writer_put_text(why->w, "verdict",
			(led ? !proxied_passes(&proxied) : refused && !proxied_allows(&proxied)) ?
				"refused" :
				"allowed");
	writer_put_text(why->w, "directly",
			n == 0	? NULL :
			led	? "led" :
			refused ? "refused" :
				  "allowed");
	put_who(why);
	writer_key(why->w, "answers");
	writer_begin(why->w, '[');
	for (size_t i = 0; i < n; i++) {
		answer_put_asked(why, &list[i], &remedies[i]);
		if (led || (refused && !asked_is_refused(&list[i])))
			continue; /* to go there directly is not what is asked */
		changes_merge(&all.turn, &remedies[i].turn);
		changes_merge(&all.enforce, &remedies[i].enforce);
		all.hint = all.hint ? all.hint : remedies[i].hint;
	}
	writer_end(why->w, ']');
	answer_put_remedy(why, &all);
	proxied_put(why, &proxied, list, n);
	proxied_done(&proxied);
	writer_end(why->w, '}');
}

int why_answer(const struct why_world *world, const struct why_question *question,
	       struct arena *arena, struct writer *w, const char **ret_error)
{
	struct why why = { .world = world, .question = question, .arena = arena, .w = w };
	struct asked *list;
	size_t n;
	int r = find_sender(&why);

	if (r == 0)
		r = find_caller(&why);
	if (r == 0)
		r = ask_all(&why, &list, &n);
	if (r < 0) {
		*ret_error = why.error;
		return r;
	}
	texts_init(&why.texts, arena);
	put_answer(&why, list, n);
	texts_done(&why.texts);
	return 0;
}
