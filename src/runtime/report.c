/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - what is in force → JSON.
 *
 * Anybody may ask about the own service as often as they like, so that must be cheap: one counter
 * is read by its name. Only who asks for all services pays for the dump of all counters.
 */
#include "runtime/report.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "config.h"

#include "backend/text.h"
#include "plan/names.h"
#include "policy/parse.h"
#include "runtime/culprit.h"

enum { KEYS_MAX = 16 };

static void put_time(struct writer *w, const char *key, int64_t time)
{
	writer_put_int(w, key, time);
}

/* --- messages */

static void put_diag(struct writer *w, const struct diag *diag)
{
	writer_begin(w, '{');
	writer_put_text(w, "severity", diag_severity_name(diag->severity));
	writer_put_text(w, "file", diag->place.file);
	writer_put_int(w, "line", diag->place.line);
	writer_put_int(w, "column", diag->place.column);
	writer_put_text(w, "message", diag->message);
	writer_put_text(w, "excerpt", diag->excerpt);
	writer_put_int(w, "caret", diag->caret);
	writer_end(w, '}');
}

void report_diags(struct writer *w, const struct diags *diags, const char *path)
{
	writer_key(w, "diags");
	writer_begin(w, '[');
	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *diag = &diags->list[i];

		if (!path || (diag->place.file && strcmp(diag->place.file, path) == 0))
			put_diag(w, diag);
	}
	writer_end(w, ']');
}

/* --- services */

/* The counters of the kernel, looked up in the order of the services. */
struct tally {
	struct nl_counter_value *values;
	size_t n, next;
};

static void tally_read(const struct wall *wall, struct tally *ret_tally)
{
	const struct ir_ruleset *rules = &wall->current->rules.set;
	AUTO(diags) struct diags unheard;

	diags_init(&unheard);
	*ret_tally = (struct tally){ 0 };
	if (wall->is_standing &&
	    nl_table_read_counters(wall->table, rules, &ret_tally->values, &unheard) == 0)
		ret_tally->n = rules->n_counters;
}

static struct nl_counter_value tally_find(struct tally *tally, const char *name)
{
	for (size_t i = 0; i < tally->n; i++) {
		struct nl_counter_value *value = &tally->values[tally->next];

		tally->next = (tally->next + 1) % tally->n;
		if (strcmp(value->name, name) == 0)
			return *value;
	}
	return (struct nl_counter_value){ 0 };
}

static void put_counter(const struct wall *wall, const struct policy *policy, struct tally *tally,
			struct writer *w)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const char *name = name_service_counter(scratch, policy->service);
	struct nl_counter_value value = { 0 };

	if (tally) {
		value = tally_find(tally, name);
	} else if (wall->is_standing) {
		AUTO(diags) struct diags unheard;

		diags_init(&unheard);
		if (nl_table_read_counter(wall->table, name, &value, &unheard) < 0)
			value = (struct nl_counter_value){ 0 };
	}
	writer_put_int(w, "refused_packets", (int64_t)value.packets);
	writer_put_int(w, "refused_bytes", (int64_t)value.bytes);
}

static void put_range(struct writer *w, struct number_range uids)
{
	char text[32];

	if (uids.first == uids.last)
		snprintf(text, sizeof(text), "%" PRIu32, uids.first);
	else
		snprintf(text, sizeof(text), "%" PRIu32 "-%" PRIu32, uids.first, uids.last);
	writer_text(w, text);
}

/* After going back it is good, but not what its file says. */
static const char *state_name(const struct wall *wall, const struct service *service)
{
	if (service->state == POLICY_GOOD && wall->undo.trial.state == TRIAL_ROLLED_BACK)
		return "rolled-back";
	return policy_state_name(service->state);
}

/* tally NULL: the counter is read by its name. */
static void put_service_members(const struct wall *wall, const struct service *service,
				const struct proxy_seen *seen, struct tally *tally,
				struct writer *w)
{
	struct seen_counts by_name = proxy_seen_count(seen, service->policy->service);
	const struct generation *g = wall->current;
	const struct policy *policy = service->policy;
	size_t index = (size_t)(service - g->set.services);

	writer_put_text(w, "service", policy->service);
	writer_put_text(w, "state", state_name(wall, service));
	writer_put_text(w, "mode", policy->mode == MODE_MONITOR ? "monitor" : "enforce");
	writer_key(w, "uids");
	writer_begin(w, '[');
	for (size_t i = g->first_owner[index]; i < g->first_owner[index + 1]; i++)
		put_range(w, g->owners[i]->uids);
	writer_end(w, ']');
	writer_put_text(w, "file", policy->file);
	put_counter(wall, policy, tally, w);
	report_proxy_counts(&by_name, w);
	writer_put_text(w, "problem", service->problem);
}

static void put_services(const struct wall *wall, const struct service *only, bool all,
			 const struct proxy_seen *seen, struct writer *w)
{
	writer_key(w, "services");
	writer_begin(w, '[');
	if (all) {
		struct tally tally;

		tally_read(wall, &tally);
		for (size_t i = 0; i < wall->current->set.n_services; i++) {
			writer_begin(w, '{');
			put_service_members(wall, &wall->current->set.services[i], seen, &tally, w);
			writer_end(w, '}');
		}
		free(tally.values);
	} else if (only) {
		writer_begin(w, '{');
		put_service_members(wall, only, seen, NULL, w);
		writer_end(w, '}');
	}
	writer_end(w, ']');
}

/* --- what waits, what went back */

static void put_waiting(const struct wall_undo *undo, struct writer *w)
{
	const struct trial *trial = &undo->trial;
	int64_t left_ms = trial_left_ms(trial);

	if (left_ms < 0)
		left_ms = 0;
	writer_key(w, "waiting");
	writer_begin(w, '{');
	put_time(w, "since", trial->since);
	writer_put_int(w, "seconds", trial->seconds);
	writer_put_int(w, "seconds_left", (left_ms + 999) / 1000);
	put_time(w, "until", time(NULL) + (left_ms + 999) / 1000);
	put_time(w, "policies_of", undo->memory.applied);
	writer_put_int(w, "failed", undo->n_failed);
	writer_end(w, '}');
}

static void put_rolled_back(const struct wall *wall, struct writer *w)
{
	const struct trial *trial = &wall->undo.trial;

	writer_key(w, "rolled_back");
	writer_begin(w, '{');
	put_time(w, "time", trial->since);
	writer_put_text(w, "reason", trial_reason_name(trial->reason));
	put_time(w, "policies_of", wall->current->memory.applied);
	writer_put_bool(w, "saved", !wall->undo.is_unsaved);
	writer_end(w, '}');
}

void report_undo(const struct wall *wall, struct writer *w)
{
	if (wall->undo.trial.state == TRIAL_WAITING)
		put_waiting(&wall->undo, w);
	else
		writer_put_text(w, "waiting", NULL);
	if (wall->undo.trial.state == TRIAL_ROLLED_BACK)
		put_rolled_back(wall, w);
	else
		writer_put_text(w, "rolled_back", NULL);
}

/* --- status */

static const char *error_of(const struct wall_result *result)
{
	return result->ok || result->error ? result->error : "out of memory";
}

static void put_last_reload(const struct wall_result *last, bool may_see_all, struct writer *w)
{
	writer_key(w, "last_reload");
	writer_begin(w, '{');
	put_time(w, "time", last->time);
	writer_put_bool(w, "ok", last->ok);
	writer_put_text(w, "error", may_see_all ? error_of(last) : NULL);
	writer_put_int(w, "kernel_us", last->kernel.kernel_us);
	writer_put_int(w, "total_us", (int64_t)last->total_us);
	writer_end(w, '}');
}

static void put_last_change(const struct wall_result *last, struct writer *w)
{
	writer_key(w, "last_change");
	writer_begin(w, '{');
	put_time(w, "time", last->time);
	writer_put_bool(w, "ok", last->ok);
	writer_put_int(w, "sockets_closed", (int64_t)last->n_closed);
	writer_end(w, '}');
}

static void put_taken(const struct taken *taken, struct writer *w)
{
	writer_key(w, "taken");
	writer_begin(w, '{');
	writer_put_int(w, "count", (int64_t)taken->n);
	writer_put_int(w, "repairs", (int64_t)taken->n_repairs);
	put_time(w, "time", taken->time);
	writer_put_text(w, "what", taken->what);
	writer_put_text(w, "by", taken->by);
	writer_put_bool(w, "at_start", taken->at_start);
	writer_put_int(w, "repair_us", taken->repair_us);
	writer_put_bool(w, "contested", taken_is_contested(taken));
	writer_put_bool(w, "open", taken->is_open);
	writer_put_text(w, "error", taken->error);
	writer_end(w, '}');
}

/* Where the rules stand, and who has their place. */
static void put_table(const struct wall *wall, struct writer *w)
{
	uint32_t holder = nl_table_holder(wall->table);
	AUTO(mem) char *who = holder ? culprit_of_port(holder) : NULL;

	writer_put_text(w, "table", nl_table_name(wall->table));
	writer_put_text(w, "table_held_by", who);
}

static void put_control(const struct server_counts *counts, struct writer *w)
{
	writer_key(w, "control");
	writer_begin(w, '{');
	writer_put_int(w, "calls", (int64_t)counts->calls);
	writer_put_int(w, "refused", (int64_t)counts->refused);
	writer_put_int(w, "evicted", (int64_t)counts->evicted);
	writer_put_int(w, "late", (int64_t)counts->late);
	writer_end(w, '}');
}

static void put_sandbox(const struct sandbox *sandbox, struct writer *w)
{
	writer_key(w, "sandbox");
	writer_begin(w, '{');
	writer_put_bool(w, "complete", sandbox_is_complete(sandbox));
	writer_put_text(w, "user", sandbox->rights.user);
	writer_put_text(w, "stays_root", sandbox->stays_root);
	writer_put_int(w, "other_capabilities", sandbox->rights.n_other_caps);
	writer_put_bool(w, "bounding_set", sandbox->rights.is_bound);
	writer_put_bool(w, "no_new_privileges", sandbox->rights.no_new_privileges);
	writer_put_int(w, "system_calls", sandbox->n_calls);
	writer_put_int(w, "landlock", sandbox->landlock);
	writer_end(w, '}');
}

static void put_process(const struct report_process *process, struct writer *w)
{
	struct mallinfo2 memory = mallinfo2(); /* all zero where a sanitizer has replaced malloc */

	put_control(process->counts, w);
	put_sandbox(process->sandbox, w);
	writer_put_int(w, "memory", (int64_t)(memory.uordblks + memory.hblkhd));
}

void report_status(const struct wall *wall, const struct service *service, bool may_see_all,
		   const struct report_process *process, const struct proxy_seen *seen,
		   struct writer *w)
{
	static const struct diags none;

	writer_begin(w, '{');
	writer_put_text(w, "version", PACKAGE_VERSION);
	writer_put_int(w, "pid", getpid());
	put_time(w, "started", wall->started);
	writer_put_text(w, "wall", wall->switches.all_off ? "off" : "on");
	writer_put_int(w, "generation", (int64_t)wall->number);
	put_time(w, "applied", wall->applied);
	writer_key(w, "kernel");
	writer_begin(w, '{');
	writer_put_bool(w, "owner_persist", nl_table_features(wall->table)->owner_persist);
	writer_put_bool(w, "socket_destroy", wall->live && live_can_destroy(wall->live));
	writer_end(w, '}');
	put_last_reload(&wall->reload, may_see_all, w);
	report_undo(wall, w);
	if (may_see_all) {
		put_table(wall, w);
		put_taken(&wall->taken, w);
		put_last_change(wall->last, w);
		put_process(process, w);
		report_units(&wall->current->set, w);
	}
	report_proxy(wall, process, seen, may_see_all, w);
	put_services(wall, service, may_see_all, seen, w);
	report_diags(w, may_see_all ? &wall->reload.diags : &none, NULL);
	writer_end(w, '}');
}

/* --- show */

static const char *owner_origin(const struct uid_owner *owner, bool is_named)
{
	return is_named ? "user" : owner->is_subuid ? "subuid" : "range";
}

static void put_subjects(const struct generation *g, const struct service *service,
			 struct writer *w)
{
	size_t index = (size_t)(service - g->set.services);

	writer_key(w, "subjects");
	writer_begin(w, '[');
	for (size_t i = g->first_owner[index]; i < g->first_owner[index + 1]; i++) {
		const struct uid_owner *owner = g->owners[i];
		bool is_named = owner >= g->set.named && owner < g->set.named + g->set.n_named;

		writer_begin(w, '{');
		writer_key(w, "uids");
		put_range(w, owner->uids);
		writer_put_text(w, "user",
				is_named ? policy_claimed_name(service->policy, owner->place) :
					   NULL);
		writer_put_text(w, "origin", owner_origin(owner, is_named));
		writer_end(w, '}');
	}
	writer_end(w, ']');
}

static void put_keys_without_effect(const struct policy *policy, struct writer *w)
{
	const char *keys[KEYS_MAX];
	size_t n = policy_keys_without_effect(policy, keys, ARRAY_SIZE(keys));

	writer_key(w, "no_effect_yet");
	writer_begin(w, '[');
	for (size_t i = 0; i < n; i++)
		writer_text(w, keys[i]);
	writer_end(w, ']');
}

static void put_rule(const struct ir_ruleset *rules, const struct ir_rule *rule, struct writer *w)
{
	AUTO(mem) char *text = text_rule(rules, rule);
	char comment[IR_COMMENT_MAX];

	ir_format_origin(&rule->origin, comment);
	writer_begin(w, '{');
	writer_put_text(w, "text", text);
	writer_put_text(w, "comment", *comment ? comment : NULL);
	writer_end(w, '}');
}

/* None where the service, or the whole wall, is off. */
static void put_rules(const struct wall *wall, const char *chain_name, struct writer *w)
{
	const struct ir_ruleset *rules = &wall->current->rules.set;
	uint32_t chain = wall->is_standing ? ir_find_chain(rules, chain_name) : IR_NONE;

	writer_put_text(w, "chain", chain == IR_NONE ? NULL : chain_name);
	writer_key(w, "rules");
	writer_begin(w, '[');
	for (uint32_t i = 0; chain != IR_NONE && i < rules->chains[chain].n_rules; i++)
		put_rule(rules, &rules->rules[rules->chains[chain].first_rule + i], w);
	writer_end(w, ']');
}

void report_show(const struct wall *wall, const struct service *service,
		 const struct proxy_seen *seen, struct writer *w)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const struct policy *policy = service->policy;
	const char *chain = name_service_chain(scratch, policy->service);
	bool in_force =
		wall->current->states[service - wall->current->set.services] != POLICY_REFUSED;
	int64_t since = 0;

	memory_find(&wall->current->memory, policy->service, &since);
	writer_begin(w, '{');
	put_service_members(wall, service, seen, NULL, w);
	writer_key(w, "since");
	if (in_force)
		writer_int(w, since);
	else
		writer_text(w, NULL);
	writer_put_text(w, "path", policy->path);
	writer_key(w, "text");
	writer_text_n(w, policy->text, policy->text_length);
	report_undo(wall, w);
	put_keys_without_effect(policy, w);
	put_subjects(wall->current, service, w);
	report_unit(&wall->current->set, service, w);
	put_rules(wall, chain, w);
	writer_key(w, "names");
	writer_begin(w, '[');
	proxy_seen_write(seen, policy->service, w);
	writer_end(w, ']');
	report_diags(w, &wall->reload.diags, policy->path);
	writer_end(w, '}');
}

/* --- apply, rollback, off, on, confirm */

void report_change(const struct wall *wall, struct writer *w)
{
	const struct wall_result *last = wall->last;
	struct wall_counts counts = wall_count(wall);

	writer_put_bool(w, "ok", last->ok);
	writer_put_text(w, "error", error_of(last));
	writer_put_text(w, "wall", wall->switches.all_off ? "off" : "on");
	writer_put_int(w, "generation", (int64_t)wall->number);
	writer_put_int(w, "services", (int64_t)wall->current->set.n_services);
	writer_put_int(w, "good", (int64_t)counts.n[POLICY_GOOD]);
	writer_put_int(w, "last_good", (int64_t)counts.n[POLICY_LAST_GOOD]);
	writer_put_int(w, "refused", (int64_t)counts.n[POLICY_REFUSED]);
	writer_put_int(w, "off", (int64_t)counts.n[POLICY_OFF]);
	writer_put_int(w, "chains_changed", last->kernel.chains_changed);
	writer_put_int(w, "elements_changed", last->kernel.elements_changed);
	writer_put_int(w, "retries", last->kernel.retries);
	writer_put_bool(w, "replaced_whole", last->kernel.replaced_whole);
	writer_put_int(w, "kernel_us", last->kernel.kernel_us);
	writer_put_int(w, "total_us", (int64_t)last->total_us);
	writer_put_int(w, "sockets_closed", (int64_t)last->n_closed);
	report_undo(wall, w);
	report_diags(w, &last->diags, NULL);
}

void report_confirmed(const struct wall *wall, int64_t since, struct writer *w)
{
	writer_begin(w, '{');
	writer_put_bool(w, "ok", true);
	put_time(w, "since", since);
	writer_put_int(w, "generation", (int64_t)wall->number);
	writer_put_int(w, "services", (int64_t)wall->current->set.n_services);
	report_undo(wall, w);
	writer_end(w, '}');
}
