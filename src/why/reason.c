/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reason.c - the verdict on a packet → why, in words and as the line of a policy that decided.
 *
 * Which rule decided is the evaluator's to say; what that rule stands for is in its origin, whose
 * words come from plan/service.c and plan/ports.c.
 */
#include "why/reason.h"

#include <string.h>

const char *reason_sender(const struct sender *sender, struct arena *arena)
{
	if (sender->uid == 0)
		return "root";
	return sender->user ? arena_printf(arena, "user %s", sender->user) :
			      arena_printf(arena, "uid %u", sender->uid);
}

const char *reason_place(const struct policy *policy, struct place place, struct arena *arena)
{
	return place.line ? arena_printf(arena, "%s:%u", policy->file, place.line) : policy->file;
}

bool reason_is_monitor(const struct why_world *world, const struct probe *probe)
{
	const struct eval_result *result = &probe->result;
	uint32_t last;

	if (eval_is_refused(result) || !result->n_steps)
		return false;
	last = result->steps[result->n_steps - 1].chain;
	return strcmp(world->rules->chains[last].name, "observe") == 0;
}

/* Rules name the file by the pointer that the policy has. */
static const struct service *find_service(const struct why_world *world, const struct probe *probe,
					  const char *file)
{
	if (probe->sender.service && probe->sender.service->policy->file == file)
		return probe->sender.service;
	for (size_t i = 0; i < world->set->n_services; i++)
		if (world->set->services[i].policy->file == file)
			return &world->set->services[i];
	return NULL;
}

/* --- where no line decided -------------------------------------------------------------------- */

static struct reason shared_uid(const struct probe *probe, struct arena *arena)
{
	const struct uid_owner *owner = probe->sender.owner;

	return (struct reason){
		.code = "shared-uid",
		.words = arena_printf(
			arena, "uid %u belongs to two services (%s:%u): all it sends is refused",
			probe->sender.uid, owner->place.file, owner->place.line),
	};
}

static struct reason named_by_guard(const struct probe *probe, const struct service *service,
				    const struct listener *listener, struct arena *arena)
{
	const struct policy *policy = service->policy;

	return (struct reason){
		.code = "from",
		.words = arena_printf(arena, "\"from\" of %s names %s",
				      reason_place(policy, listener->place, arena),
				      reason_sender(&probe->sender, arena)),
		.policy = policy,
		.place = crossing_named(listener, probe->sender.uid)->place,
		.key = "from",
	};
}

static struct reason ungoverned(const struct probe *probe, bool own_only, struct arena *arena)
{
	const struct sender *sender = &probe->sender;
	const struct service *service;
	const struct listener *listener;

	if (sender->uid == 0)
		return (struct reason){ .code = "root",
					.words = "no policy governs root: nothing is refused" };
	if (!own_only && crossing_find_guard(&probe->crossing, true, &service, &listener))
		return named_by_guard(probe, service, listener, arena);
	if (sender->service)
		return (struct reason){
			.code = "off",
			.words = arena_printf(
				arena, "%s is off (\"uidwall off %s\"): nothing is refused",
				sender->service->policy->service, sender->service->policy->service),
		};
	return (struct reason){
		.code = "ungoverned",
		.words = arena_printf(arena, "no policy governs uid %u%s%s%s: nothing is refused",
				      sender->uid, sender->user ? " (" : "",
				      sender->user ? sender->user : "", sender->user ? ")" : ""),
	};
}

/* --- by the words of a rule's origin ---------------------------------------------------------- */

struct found {
	const struct why_world *world;
	const struct probe *probe;
	const struct policy *policy;
	const char *place; /* "blog.json:5" */
	struct arena *arena;
};

static const char *no_line(const struct found *f)
{
	const char *words = arena_printf(f->arena, "no line of %s allows it", f->policy->file);

	if (!reason_is_monitor(f->world, f->probe))
		return words;
	return arena_printf(f->arena, "monitor mode lets it pass; enforcing would refuse it: %s",
			    words);
}

static const char *not_named(const struct found *f)
{
	return arena_printf(f->arena, "\"from\" of %s does not name %s", f->place,
			    reason_sender(&f->probe->sender, f->arena));
}

static const char *file_wrong(const struct found *f)
{
	return arena_printf(f->arena, "%s is wrong and never was right: everything is refused",
			    f->policy->file);
}

static const char *by_listen(const struct found *f)
{
	if (f->probe->crossing.is_answer)
		return arena_printf(f->arena, "%s lets it answer on this port", f->place);
	return arena_printf(f->arena, "%s declares the port: a service may reach its own",
			    f->place);
}

static const char *by_line(const struct found *f)
{
	return arena_printf(f->arena, "%s allows it", f->place);
}

static const char *by_dns(const struct found *f)
{
	return arena_printf(f->arena, "%s allows the name servers", f->place);
}

static const char *by_proxy(const struct found *f)
{
	return arena_printf(f->arena, "%s allows the forward proxy", f->place);
}

static const char *by_transparent(const struct found *f)
{
	return arena_printf(f->arena,
			    "%s leads it to the proxy, which decides by name: ask \"uidwall why %s "
			    "%s://NAME\"",
			    f->place, f->policy->service,
			    f->probe->packet.dport == 80 ? "http" : "https");
}

static const struct {
	const char *what; /* of the origin */
	const char *code;
	const char *key; /* NULL: no line of the policy */
	const char *(*words)(const struct found *f);
} kinds[] = {
	{ "connect", "connect", "connect", by_line },
	{ "listen", "listen", "listen", by_listen },
	{ "dns", "dns", "dns", by_dns },
	{ "proxy", "proxy", "proxy", by_proxy },
	{ "transparent", "transparent", "transparent", by_transparent },
	{ "no line allows it", "no-line", NULL, no_line },
	{ "listen: from does not name them", "from", "listen", not_named },
	{ "is wrong and never was right: refused", "file-wrong", NULL, file_wrong },
};

static struct reason by_origin(const struct found *f, const struct ir_origin *origin)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct reason reason = { .code = kinds[i].code, .key = kinds[i].key };

		if (strcmp(origin->what, kinds[i].what) != 0)
			continue;
		if (reason_is_monitor(f->world, f->probe))
			reason.code = "monitor";
		reason.words = kinds[i].words(f);
		if (reason.key) {
			reason.policy = f->policy;
			reason.place = origin->place;
		}
		return reason;
	}
	return (struct reason){
		.code = "rules",
		.words = arena_printf(f->arena, "%s: %s", f->place, origin->what),
	};
}

struct reason reason_find(const struct why_world *world, const struct probe *probe, bool own_only,
			  const struct service *own, struct arena *arena)
{
	const struct ir_origin *origin = eval_origin(world->rules, &probe->result);
	const struct service *service = NULL;
	struct found found = { world, probe, NULL, NULL, arena };

	if (probe->crossing.is_shared)
		return shared_uid(probe, arena);
	if (!origin && !eval_is_refused(&probe->result))
		return ungoverned(probe, own_only, arena);
	if (origin)
		service = find_service(world, probe, origin->place.file);
	if (!service)
		return (struct reason){ .code = "rules", .words = "the rules refuse it" };
	if (own_only && service != own)
		return (struct reason){
			.code = "from",
			.words = "\"from\" of another service's port does not name it",
		};
	found.policy = service->policy;
	found.place = reason_place(service->policy, origin->place, arena);
	return by_origin(&found, origin);
}
