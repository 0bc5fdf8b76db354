/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.c - policies or rules → kernel → connections → memory → in force.
 *
 * Whatever fails on the way, the generation in force stays, in the kernel as well as here. What
 * comes after the kernel may fail without stopping a change: a full disk must not keep a new policy
 * from being enforced.
 */
#include "runtime/change.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "diff/diff.h"
#include "plan/closed.h"
#include "plan/names.h"
#include "plan/units.h"
#include "runtime/groups.h"

enum { MANY_RULES = 2000 }; /* 25 ms */

enum { MPTCP_ROUNDS = 10, MPTCP_PAUSE_MS = 20 };

/* --- results */

void change_result_done(struct wall_result *result)
{
	if (result->diags.arena)
		diags_done(&result->diags);
	free(result->error);
	*result = (struct wall_result){ 0 };
}

struct wall_result *change_begin(struct wall *wall, struct wall_result *result)
{
	change_result_done(result);
	diags_init(&result->diags);
	result->time = time(NULL);
	result->total_us = (uint64_t)clock_now_us();
	wall->last = result;
	wall->n_changes++;
	return result;
}

char *change_error_text(const struct diags *diags, int r)
{
	char *text = NULL;

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *d = &diags->list[i];
		int n;

		if (d->severity != DIAG_ERROR)
			continue;
		if (d->place.file && d->place.line)
			n = asprintf(&text, "%s:%u:%u: %s", d->place.file, d->place.line,
				     d->place.column, d->message);
		else if (d->place.file)
			n = asprintf(&text, "%s: %s", d->place.file, d->message);
		else
			n = asprintf(&text, "%s", d->message);
		return n < 0 ? NULL : text;
	}
	return strdup(strerror(-r));
}

static void log_change(const struct wall *wall, const struct wall_result *result)
{
	struct wall_counts c = wall_count(wall);
	const struct nl_result *k = &result->kernel;

	log_info("generation %" PRIu64 ": %zu good, %zu last good, %zu refused, %zu off; %u chains "
		 "and %u elements changed; kernel %.1f ms, in all %.1f ms",
		 wall->number, c.n[POLICY_GOOD], c.n[POLICY_LAST_GOOD], c.n[POLICY_REFUSED],
		 c.n[POLICY_OFF], k->chains_changed, k->elements_changed, k->kernel_us / 1e3,
		 (double)result->total_us / 1e3);
	if (wall->switches.all_off)
		log_warning("the wall is OFF: nobody's traffic is refused until \"uidwall on\" or "
			    "the next boot");
	for (size_t i = 0; i < wall->switches.n_services; i++)
		log_warning("service %s is OFF: not governed until \"uidwall on %s\" or the next "
			    "boot",
			    wall->switches.services[i], wall->switches.services[i]);
}

void change_end(struct wall *wall, int r)
{
	struct wall_result *result = wall->last;

	result->total_us = (uint64_t)clock_now_us() - result->total_us;
	result->ok = r >= 0;
	diags_sort(&result->diags);
	if (r < 0 && !result->error)
		result->error = change_error_text(&result->diags, r);
	log_diags(&result->diags);
	if (r < 0)
		log_error("not applied: %s; what was in force before stays",
			  result->error ? result->error : "out of memory");
	else
		log_change(wall, result);
	/* glibc keeps what was freed; a reload needs twice of what the daemon needs in peace. */
	malloc_trim(0);
}

/* --- steps */

static void progress(const struct wall *wall, const char *phase)
{
	if (wall->options.progress)
		wall->options.progress(phase);
}

/* Makes the kernel hold these rules, or none where all is off. */
static int put_rules(struct wall *wall, const struct switches *switches, const struct rules *next)
{
	struct wall_result *result = wall->last;
	int r;

	progress(wall, "handing rules to the kernel");
	if (switches->all_off) {
		diag_add(&result->diags, DIAG_WARNING, (struct place){ 0 },
			 "the wall is off: nothing is enforced until \"uidwall on\"");
		r = nl_table_remove(wall->table, &result->diags);
		wall->is_standing = wall->is_standing && r < 0;
		return r;
	}
	r = nl_table_apply(wall->table, wall->is_standing ? &wall->current->rules.set : NULL,
			   &next->set, &result->kernel, &result->diags);
	wall->is_standing = wall->is_standing || r == 0;
	return r;
}

static bool has_datagrams(const struct live_judgement *judgement)
{
	for (size_t i = 0; i < judgement->n_refused; i++)
		if (judgement->refused[i].socket.l4proto != IPPROTO_TCP)
			return true;
	return false;
}

static int compare_ids(const void *a, const void *b)
{
	const struct live_refused *x = a, *y = b;

	if (x->socket.diag_protocol != y->socket.diag_protocol)
		return x->socket.diag_protocol < y->socket.diag_protocol ? -1 : 1;
	return memcmp(&x->socket.id, &y->socket.id, sizeof(x->socket.id));
}

/* A UDP socket that was refused before, too, never had a connection to lose: closing it would only
 * take its address from it, and turn EPERM into EDESTADDRREQ.
 */
static void spare_datagrams(struct live_judgement *judgement, struct live_judgement *before)
{
	size_t kept = 0;

	if (!before->n_refused)
		return;
	qsort(before->refused, before->n_refused, sizeof(*before->refused), compare_ids);
	for (size_t i = 0; i < judgement->n_refused; i++) {
		const struct live_refused *refused = &judgement->refused[i];

		if (refused->socket.l4proto == IPPROTO_TCP ||
		    !bsearch(refused, before->refused, before->n_refused, sizeof(*before->refused),
			     compare_ids))
			judgement->refused[kept++] = *refused;
	}
	judgement->n_refused = kept;
}

int change_judge(const struct wall *wall, const struct generation *before,
		 const struct policy_set *set, const struct ir_ruleset *rules, struct arena *arena,
		 struct live_judgement *ret_judgement, struct diags *diags)
{
	struct live_judgement refused_before = { 0 };
	AUTO(diags) struct diags unheard;
	int r = live_judge(wall->live, set, rules, arena, ret_judgement, diags);

	diags_init(&unheard);
	if (r < 0 || !before || !has_datagrams(ret_judgement))
		return r;
	if (live_judge(wall->live, &before->set, &before->rules.set, arena, &refused_before,
		       &unheard) == 0)
		spare_datagrams(ret_judgement, &refused_before);
	return 0;
}

/* What the kernel enforces now, or NULL. */
static const struct generation *standing(const struct wall *wall)
{
	return wall->is_standing ? wall->current : NULL;
}

static bool has_mptcp(const struct live_judgement *judgement)
{
	for (size_t i = 0; i < judgement->n_refused; i++)
		if (judgement->refused[i].socket.is_mptcp)
			return true;
	return false;
}

/* Where a subflow of an MPTCP connection is closed, the kernel makes another one, from the next
 * address that it may connect from (`ip mptcp endpoint`, subflow): mptcp_pm_subflow_check_next().
 */
static size_t close_next_subflows(struct wall *wall, const struct generation *before,
				  const struct policy_set *set, const struct ir_ruleset *rules)
{
	const struct timespec pause = { .tv_nsec = MPTCP_PAUSE_MS * 1000000L };
	size_t n_closed = 0, n = 1;

	for (unsigned i = 0; n && i < MPTCP_ROUNDS; i++) {
		AUTO(arena) struct arena *arena = arena_new();
		AUTO(diags) struct diags unheard;
		struct live_judgement next = { 0 };

		diags_init(&unheard);
		nanosleep(&pause, NULL);
		n = 0;
		if (change_judge(wall, before, set, rules, arena, &next, &unheard) == 0 &&
		    has_mptcp(&next))
			n = live_destroy(wall->live, &next, &unheard);
		n_closed += n;
	}
	return n_closed;
}

/* Connections that the rules would refuse now. Also where no rule changed: a line may have ended
 * ("until"), and a connection that waits sends nothing that could be refused.
 */
static void close_refused(struct wall *wall, const struct generation *before,
			  const struct policy_set *set, const struct ir_ruleset *rules,
			  struct writer *explain)
{
	struct wall_result *result = wall->last;
	AUTO(arena) struct arena *arena = NULL;
	struct live_judgement judgement = { 0 };

	if (!wall->live || !wall->is_standing)
		return;
	progress(wall, "judging open connections");
	arena = arena_new();
	if (change_judge(wall, before, set, rules, arena, &judgement, &result->diags) < 0)
		return;
	result->n_closed = live_destroy(wall->live, &judgement, &result->diags);
	if (explain)
		live_write(wall->live, &judgement, explain);
	if (result->n_closed && has_mptcp(&judgement))
		result->n_closed += close_next_subflows(wall, before, set, rules);
}

static void explain_diff(const struct wall *wall, const struct generation *next,
			 struct writer *explain)
{
	struct diff_side from = { &wall->current->set, &wall->current->rules.set };
	struct diff_side to = { &next->set, &next->rules.set };

	writer_key(explain, "diff");
	writer_begin(explain, '{');
	diff_write(&from, &to, time(NULL), explain);
	writer_end(explain, '}');
}

static void count_change(struct wall *wall)
{
	wall->number++;
	wall->applied = time(NULL);
}

/* A service whose file is gone is no longer off: if it comes back one day, it is governed. */
static void forget_gone_services(struct wall *wall)
{
	size_t before = wall->switches.n_services;

	for (size_t i = wall->switches.n_services; i-- > 0;)
		if (!policy_set_find(&wall->current->set, wall->switches.services[i]))
			switches_remove(&wall->switches, wall->switches.services[i]);
	if (wall->switches.n_services != before)
		state_save_switches(wall->options.state, &wall->switches, &wall->last->diags);
}

/* What processes of units that ended left behind is governed by the next generation as well. */
static void keep_gone_groups(const struct wall *wall, struct generation *next)
{
	struct arena *arena = arena_new();
	AUTO(diags) struct diags unheard; /* told already */
	struct nl_group *left;
	struct policy_set set;
	size_t n_left;

	diags_init(&unheard);
	if (wall->current) {
		groups_find(&next->set, &wall->current->set, NULL, NULL, arena, &set, &unheard);
	} else {
		nl_table_read_groups(wall->table, arena, &left, &n_left);
		groups_inherit(&next->set, left, n_left, arena, &set);
	}
	generation_take_groups(next, &set, arena);
}

/* What it would have led to the proxy is refused. */
static void warn_of_nat(const struct policy_set *set, struct diags *diags)
{
	for (size_t i = 0; set->lacks_nat && i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		if (policy->transparent && policy->proxy)
			diag_add(diags, DIAG_WARNING, (struct place){ .file = policy->file },
				 "this kernel cannot lead connections to the proxy (it lacks the "
				 "module nft_nat or nft_chain_nat): they are refused");
	}
}

int change_read(const struct wall *wall, enum generation_source source, const struct memory *memory,
		struct generation **ret_next)
{
	int r;

	progress(wall, "reading policies");
	r = generation_read(source, wall->options.config, wall->options.policies, memory, ret_next,
			    &wall->last->diags);
	if (r < 0)
		return r;
	/* A start does with what it remembers, although it is not all; later there is something
	 * better: what is in force.
	 */
	r = (*ret_next)->set.unread;
	if (wall->current && r < 0) {
		generation_free(TAKE(*ret_next));
		return r;
	}
	keep_gone_groups(wall, *ret_next);
	(*ret_next)->set.keeps_options = !nl_table_features(wall->table)->strips_options;
	(*ret_next)->set.lacks_nat = !nl_table_features(wall->table)->has_nat;
	warn_of_nat(&(*ret_next)->set, &wall->last->diags);
	progress(wall, "planning rules");
	generation_plan(*ret_next, &wall->switches, &(*ret_next)->rules);
	return 0;
}

int change_generation(struct wall *wall, struct generation **next, struct writer *explain)
{
	const struct generation *before = standing(wall);
	struct wall_result *result = wall->last;
	int r = put_rules(wall, &wall->switches, &(*next)->rules);

	if (r < 0)
		return r;
	close_refused(wall, before, &(*next)->set, &(*next)->rules.set, explain);
	if (explain)
		explain_diff(wall, *next, explain);
	generation_free(wall->current);
	wall->current = TAKE(*next);
	count_change(wall);
	forget_gone_services(wall);
	progress(wall, "saving state");
	result->is_saved = state_save_memory(wall->options.state, &wall->current->memory,
					     &wall->checksum, &result->diags) == 0;
	return 0;
}

int change_rules(struct wall *wall, const struct switches *switches, struct writer *explain)
{
	const struct generation *before = standing(wall);
	AUTO(rules) struct rules rules = { 0 };
	int r;

	generation_plan(wall->current, switches, &rules);
	r = put_rules(wall, switches, &rules);
	if (r < 0)
		return r;
	close_refused(wall, before, &wall->current->set, &rules.set, explain);
	rules_done(&wall->current->rules);
	wall->current->rules = rules;
	rules = (struct rules){ 0 };
	count_change(wall);
	return 0;
}

/* Plans elements for the groups; says for how many. */
static size_t plan_started(struct generation *current, const struct unit_group *groups, size_t n)
{
	struct rules *rules = &current->rules;
	size_t i;

	for (i = 0; i < n; i++)
		if (!plan_unit_started(&rules->set, &current->set, &groups[i], rules->arena,
				       &rules->room))
			break;
	return i;
}

static void count_regrouping(struct wall *wall)
{
	wall->n_regroupings++;
	if (wall->on_regrouping)
		wall->on_regrouping(wall->regrouping_data);
}

int change_groups_started(struct wall *wall, const struct unit_group *groups, size_t n)
{
	struct generation *current = wall->current;
	struct policy_set *set = &current->set;
	struct ir_ruleset *rules = &current->rules.set;
	uint32_t map = ir_find_set(rules, PLAN_UNITS);
	size_t n_planned;
	int r = 0;

	if (set->n_groups && set->groups[set->n_groups - 1].id >= groups[0].id)
		return -ESTALE;
	n_planned = plan_started(current, groups, n);
	if (n_planned < n)
		r = -ESTALE;
	else if (wall->is_standing)
		r = nl_table_add_elements(wall->table, rules, map, (uint32_t)n);
	for (size_t i = 0; r == 0 && i < n; i++)
		*ARENA_APPEND(current->groups, set->groups, set->n_groups) = groups[i];
	if (r < 0 && n_planned) {
		rules->n_elements -= n_planned;
		rules->sets[map].n_elements -= (uint32_t)n_planned;
	}
	if (r == 0)
		count_regrouping(wall);
	return r;
}

int change_groups(struct wall *wall, const struct policy_set *set, struct arena *arena,
		  struct diags *diags)
{
	struct generation *current = wall->current;
	struct unit_group *groups = current->set.groups;
	size_t n_groups = current->set.n_groups;
	AUTO(rules) struct rules rules = { 0 };
	struct nl_result result;
	int r = 0;

	current->set.groups = set->groups;
	current->set.n_groups = set->n_groups;
	generation_plan(current, &wall->switches, &rules);
	if (wall->is_standing)
		r = nl_table_apply(wall->table, &current->rules.set, &rules.set, &result, diags);
	if (r < 0) {
		current->set.groups = groups;
		current->set.n_groups = n_groups;
		return r;
	}
	generation_take_groups(current, set, arena);
	rules_done(&current->rules);
	current->rules = rules;
	rules = (struct rules){ 0 };
	count_regrouping(wall);
	return 0;
}

/* --- what others took away */

/* What serves only services that are enforced: monitored ones pass all the same. */
static void find_shut_chains(const struct generation *current, struct arena *arena,
			     bool *ret_is_shut)
{
	for (size_t i = 0; i < current->set.n_services; i++) {
		const struct policy *policy = current->set.services[i].policy;
		uint32_t chain = IR_NONE;

		if (policy->mode == MODE_ENFORCE)
			chain = ir_find_chain(&current->rules.set,
					      name_service_chain(arena, policy->service));
		if (chain != IR_NONE)
			ret_is_shut[chain] = true;
	}
}

/* Many rules take their time: first, few that let nobody out. */
static int restore_in_two(struct wall *wall, struct nl_result *result, int64_t *ret_us,
			  struct diags *diags)
{
	const struct ir_ruleset *rules = &wall->current->rules.set;
	AUTO(arena) struct arena *arena = arena_new();
	bool *is_shut = arena_alloc(arena, rules->n_chains + 1);
	struct ir_ruleset closed;
	int r;

	find_shut_chains(wall->current, arena, is_shut);
	plan_closed(rules, is_shut, arena, &closed);
	r = nl_table_apply(wall->table, NULL, &closed, result, diags);
	*ret_us = clock_now_us();
	r = nl_table_apply(wall->table, r < 0 ? NULL : &closed, rules, result, diags);
	result->replaced_whole = true;
	return r;
}

static int restore_rules(struct wall *wall, const struct nl_deed *deed,
			 struct change_restored *restored, struct diags *diags)
{
	const struct ir_ruleset *rules = &wall->current->rules.set;
	struct nl_result result = { 0 };
	bool is_refilled =
		deed && nl_deed_is_small(deed) && nl_table_refill(wall->table, rules, deed) == 0;
	int r;

	restored->us = clock_now_us();
	if (rules->n_rules >= MANY_RULES &&
	    ((deed && deed->is_table_deleted) || !nl_table_handle(wall->table))) {
		r = restore_in_two(wall, &result, &restored->us, diags);
	} else {
		r = nl_table_apply(wall->table, rules, rules, &result, diags);
		if (result.replaced_whole)
			restored->us = clock_now_us();
	}
	restored->is_changed = is_refilled || result.bytes_sent;
	return r;
}

int change_restore(struct wall *wall, const struct nl_deed *deed,
		   struct change_restored *ret_restored, struct diags *diags)
{
	const struct generation *current = wall->current;
	AUTO(arena) struct arena *arena = NULL;
	struct live_judgement judgement = { 0 };
	int r = restore_rules(wall, deed, ret_restored, diags);

	if (r < 0 || !ret_restored->is_changed || !wall->live)
		return r;
	arena = arena_new();
	if (change_judge(wall, current, &current->set, &current->rules.set, arena, &judgement,
			 diags) == 0)
		live_destroy(wall->live, &judgement, diags);
	return 0;
}
