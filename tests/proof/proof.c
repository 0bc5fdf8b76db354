/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proof.c - one ruleset in the kernel and in the evaluator, and shots that hold them together. */
#include "proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "backend/text.h"

enum { ERROR_WAIT_MS = 300 /* a SYN is sent again after a second */ };

const char *const verdict_names[] = {
	[EVAL_ACCEPT] = "accept",
	[EVAL_DROP] = "drop",
	[EVAL_RESET] = "reset",
	[EVAL_PROHIBITED] = "prohibited",
};

void proof_open(struct proof *proof)
{
	AUTO(diags) struct diags diags;

	*proof = (struct proof){ 0 };
	diags_init(&diags);
	/* another proof may have left a table: the kernel adds no base chain to one that it is just
	 * giving to a new owner (nft_table_pending_update())
	 */
	if (nl_table_open(&proof->table, &diags) < 0 || nl_table_remove(proof->table, &diags) < 0)
		abort();
	proof->watch = watch_new();
	box_track(true);
	proof->flows.tracks_syns = true;
}

void proof_close(struct proof *proof)
{
	nl_table_close(proof->table);
	watch_free(proof->watch);
	arena_free(proof->arena);
}

/* --- rulesets --------------------------------------------------------------------------------- */

static bool uses_conntrack(const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->n_stmts; i++)
		if (ruleset->stmts[i].kind == IR_STMT_MATCH &&
		    ir_fields[ruleset->stmts[i].field].load == IR_LOAD_CT)
			return true;
	return false;
}

static bool uses_nat(const struct ir_ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->n_chains; i++)
		if (ruleset->chains[i].hook == IR_HOOK_NAT_OUTPUT)
			return true;
	return false;
}

static bool put_into_kernel(struct proof *proof, const struct ir_ruleset *ruleset)
{
	AUTO(diags) struct diags diags;
	struct nl_result result;
	int r;

	diags_init(&diags);
	r = nl_table_apply(proof->table, NULL, ruleset, &result, &diags);
	for (size_t i = 0; r < 0 && i < diags.n; i++)
		diag_print(&diags.list[i], stderr, false);
	if (r < 0)
		return false;
	watch_ruleset(proof->watch, ruleset);
	watch_forget_flows();
	proof->flows.list = NULL;
	proof->flows.n = 0;
	proof->flows.tracked = uses_conntrack(ruleset);
	proof->flows.has_nat = uses_nat(ruleset);
	return true;
}

bool proof_load(struct proof *proof, const struct ir_ruleset *ruleset, struct arena *arena)
{
	arena_free(proof->arena);
	proof->arena = arena;
	proof->plain = *ruleset;
	proof->is_plain = false;
	instrument(&proof->plain, arena, &proof->instrumented);
	ir_check(&proof->instrumented);
	if (!instrument_is_faithful(&proof->plain, &proof->instrumented))
		abort();
	instrument_mistake(&proof->instrumented, proof->mistake, arena, &proof->evaluated);
	return put_into_kernel(proof, &proof->instrumented);
}

void proof_load_plain(struct proof *proof)
{
	proof->is_plain = true;
	if (!put_into_kernel(proof, &proof->plain))
		abort();
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Where an error takes a while to come, it is worth waiting for, once. */
static unsigned wait_for(const struct proof *proof, const struct shot *shot)
{
	struct sent guess = { .from = shot->from, .sport = shot->sport };
	struct eval_result result;
	struct packet packet;

	if (shot->kind != SHOT_TCP && shot->kind != SHOT_MPTCP)
		return 0;
	if (guess.from.family == ADDR_NONE || prefix_is_unspecified(&guess.from))
		guess.from = prefix_is_unspecified(&shot->to) ? *box_own(0) : shot->to;
	forecast_verdict(&proof->evaluated, shot, &guess, &proof->flows, &packet, &result);
	return result.verdict == EVAL_RESET ? ERROR_WAIT_MS : 0;
}

/* Whether the kernel's answer came to the socket. An IPv6 packet to an address of ours comes in by
 * the device that has it, whatever its way: it is not for sockets that are bound to another.
 */
static bool gets_answer(const struct shot *shot, const struct sent *sent,
			const struct forecast *forecast)
{
	enum box_device bound = shot_bound(shot);

	if (!forecast->n_frames || forecast->frames[0].device != BOX_LO)
		return false;
	return sent->from.family == ADDR_V4 || bound == BOX_ANY || bound == box_home(&sent->from);
}

/* A connection that nobody answers is given up after minutes: until then there is no error. */
static int expected_error(const struct shot *shot, const struct sent *sent,
			  const struct forecast *forecast)
{
	bool refused = forecast->result.verdict != EVAL_ACCEPT;

	switch ((enum shot_kind)shot->kind) {
	case SHOT_RAW:
		return refused ? EPERM : 0;
	case SHOT_PING: /* waits for those who ask */
		if (refused && shot->to.family == ADDR_V6 &&
		    !(gets_answer(shot, sent, forecast) && (shot->is_connected || shot->recverr)))
			return 0;
		break;
	case SHOT_TCP:
	case SHOT_MPTCP:
		if (forecast->error == ETIMEDOUT || (refused && !gets_answer(shot, sent, forecast)))
			return 0;
		break;
	case SHOT_UDP:
	case SHOT_UDPLITE:
	case SHOT_COPY:
	case SHOT_KIND_COUNT:
		break;
	}
	return forecast->error;
}

/* Two flows that are led to one address from one port would be the same on their way back: NAT
 * gives one of them another port, and whatever follows from the old one the same (nf_nat_core.c,
 * find_appropriate_src()).
 */
static bool same_frame(const struct proof *proof, struct frame a, struct frame b)
{
	if (proof->flows.has_nat)
		a.sport = b.sport = 0;
	return frame_equal(&a, &b);
}

static bool same_frames(const struct proof *proof, const struct forecast *forecast,
			const struct sight *sight)
{
	if (forecast->n_frames != sight->n_frames || forecast->n_seen != sight->n_seen)
		return false;
	for (unsigned i = 0; i < sight->n_frames; i++)
		if (!same_frame(proof, forecast->frames[i], sight->frames[i]))
			return false;
	return true;
}

static size_t n_counters(const struct proof *proof)
{
	return proof->is_plain ? proof->plain.n_counters : proof->instrumented.n_counters;
}

/* The rules decided the same without what the test put into them. */
static bool plain_agrees(const struct proof *proof, const struct shot *shot,
			 const struct verdict *verdict)
{
	struct eval_result result;
	struct packet packet;
	struct flows flows = proof->flows;

	if (proof->mistake != MISTAKE_NONE || proof->flows.tracked)
		return true;
	forecast_verdict(&proof->plain, shot, &verdict->sent, &flows, &packet, &result);
	return memcmp(&result.steps, &verdict->forecast.result.steps,
		      result.n_steps * sizeof(*result.steps)) == 0 &&
	       result.n_steps == verdict->forecast.result.n_steps &&
	       result.verdict == verdict->forecast.result.verdict;
}

static const struct ir_stmt *last_stmt(const struct ir_ruleset *ruleset,
				       const struct eval_step *step)
{
	const struct ir_rule *rule = &ruleset->rules[step->rule];

	return &ruleset->stmts[rule->first_stmt + rule->n_stmts - 1];
}

/* What the step's rule says: its verdict, or that of the element. */
static uint8_t step_verdict(const struct ir_ruleset *ruleset, const struct eval_step *step,
			    uint32_t *ret_chain)
{
	const struct ir_stmt *s = last_stmt(ruleset, step);
	const struct ir_element *e = NULL;

	if (s->kind == IR_STMT_VMAP)
		e = &ruleset->elements[step->element];
	*ret_chain = e ? e->chain : s->index;
	return e ? e->verdict : s->op;
}

/* Whether the rule ends the way through the rules with that verdict. */
static bool decides(const struct ir_ruleset *ruleset, const struct eval_step *step, uint8_t verdict)
{
	const struct ir_stmt *s = last_stmt(ruleset, step);
	uint32_t chain;

	if (s->kind == IR_STMT_REJECT)
		return verdict == (s->op == IR_REJECT_TCP_RESET ? EVAL_RESET : EVAL_PROHIBITED);
	return step_verdict(ruleset, step, &chain) ==
		       (verdict == EVAL_ACCEPT ? IR_ACCEPT : IR_DROP) &&
	       (verdict == EVAL_ACCEPT || verdict == EVAL_DROP);
}

/* The steps that the evaluator names are a way from a base chain to the rule that decided, and the
 * kernel has counted each of their rules.
 */
static bool path_holds(const struct proof *proof, const struct verdict *verdict)
{
	const struct ir_ruleset *ruleset = &proof->instrumented;
	const struct eval_result *result = &verdict->forecast.result;
	uint32_t chain = IR_NONE;

	for (unsigned i = 0; i < result->n_steps; i++) {
		const struct eval_step *step = &result->steps[i];

		if (step->chain != chain && !ruleset->chains[step->chain].hook)
			return false;
		if (!proof->is_plain &&
		    !verdict->sight.counts[proof->plain.n_counters + step->rule])
			return false;
		step_verdict(ruleset, step, &chain);
	}
	return result->n_steps ?
		       decides(ruleset, &result->steps[result->n_steps - 1], result->verdict) :
		       result->verdict == EVAL_ACCEPT;
}

static bool agrees(const struct proof *proof, const struct shot *shot,
		   const struct verdict *verdict)
{
	const struct forecast *forecast = &verdict->forecast;

	/* what is led to the proxy has no way there by some devices: it ends in the routing, or
	 * behind it
	 */
	if (forecast->result.led && shot_bound(shot) != BOX_ANY)
		return !forecast->n_frames && !verdict->sight.n_frames;
	return memcmp(forecast->counts, verdict->sight.counts,
		      n_counters(proof) * sizeof(*forecast->counts)) == 0 &&
	       same_frames(proof, forecast, &verdict->sight) && path_holds(proof, verdict) &&
	       plain_agrees(proof, shot, verdict) &&
	       (proof->any_errno || shot->kind == SHOT_COPY ||
		verdict->sent.error == expected_error(shot, &verdict->sent, forecast));
}

static bool nothing_happened(const struct proof *proof, const struct sight *sight)
{
	for (size_t i = 0; i < n_counters(proof); i++)
		if (sight->counts[i])
			return false;
	return !sight->n_seen && !sight->n_frames;
}

void proof_try(struct proof *proof, const struct shot *shot, struct verdict *ret)
{
	const struct ir_ruleset *ruleset = proof->is_plain ? &proof->plain : &proof->evaluated;

	*ret = (struct verdict){ 0 };
	ret->forecast.counts =
		arena_alloc(proof->arena, n_counters(proof) * sizeof(*ret->forecast.counts));
	send_shot(shot, wait_for(proof, shot), &ret->sent);
	watch_look(proof->watch, &ret->sight);
	ret->not_sent = nothing_happened(proof, &ret->sight);
	ret->agrees = ret->not_sent;
	if (ret->not_sent)
		return;
	forecast_make(ruleset, shot, &ret->sent, &proof->flows, proof->arena, &ret->forecast);
	ret->agrees = agrees(proof, shot, ret);
}

/* --- in words --------------------------------------------------------------------------------- */

static const struct ir_rule *deciding_rule(const struct proof *proof, const struct verdict *verdict)
{
	const struct eval_result *result = &verdict->forecast.result;

	return result->n_steps ? &proof->plain.rules[result->steps[result->n_steps - 1].rule] :
				 NULL;
}

const char *proof_reason(const struct proof *proof, const struct verdict *verdict)
{
	const struct ir_rule *rule = deciding_rule(proof, verdict);

	return rule && rule->origin.what ? rule->origin.what : "";
}

static void print_rule(const struct proof *proof, uint32_t number, FILE *out)
{
	const struct ir_rule *rule = &proof->plain.rules[number];
	const char *chain = "";
	char comment[IR_COMMENT_MAX];

	for (size_t i = 0; i < proof->plain.n_chains; i++)
		if (number - proof->plain.chains[i].first_rule < proof->plain.chains[i].n_rules)
			chain = proof->plain.chains[i].name;
	ir_format_origin(&rule->origin, comment);
	fprintf(out, "%s: ", chain);
	text_write_rule(&proof->plain, rule, out);
	fprintf(out, "%s%s\n", *comment ? "  # " : "", comment);
}

static void print_counts(const struct proof *proof, const struct verdict *verdict, FILE *out)
{
	for (size_t i = 0; i < n_counters(proof); i++) {
		unsigned long long expected = verdict->forecast.counts[i];
		unsigned long long seen = verdict->sight.counts[i];

		if (!expected && !seen)
			continue;
		fprintf(out, "  %s expected %llu, seen %llu: ", expected == seen ? " " : "!",
			expected, seen);
		if (i < proof->plain.n_counters)
			fprintf(out, "counter %s\n", proof->plain.counters[i].name);
		else
			print_rule(proof, (uint32_t)(i - proof->plain.n_counters), out);
	}
}

static void print_frames(const char *what, const struct frame *frames, unsigned n, FILE *out)
{
	fprintf(out, "  %s: %s\n", what, n ? "" : "nothing left");
	for (unsigned i = 0; i < n; i++) {
		fputs("    ", out);
		frame_print(&frames[i], out);
		fputc('\n', out);
	}
}

static const char *error_name(int error)
{
	return error ? strerrorname_np(error) : "none";
}

void proof_print(const struct proof *proof, const struct shot *shot, const struct verdict *verdict,
		 FILE *out)
{
	const struct forecast *forecast = &verdict->forecast;

	fputs("sent: ", out);
	shot_print(shot, out);
	fputs("\npacket: ", out);
	packet_print(&forecast->packet, out);
	fprintf(out, "\nevaluator: %s, %u packets met the rules, errno %s\n",
		verdict_names[forecast->result.verdict], forecast->n_seen,
		error_name(expected_error(shot, &verdict->sent, forecast)));
	fprintf(out, "kernel: %u packets met the rules, errno %s\n", verdict->sight.n_seen,
		error_name(verdict->sent.error));
	print_frames("evaluator", forecast->frames, forecast->n_frames, out);
	print_frames("kernel", verdict->sight.frames, verdict->sight.n_frames, out);
	print_counts(proof, verdict, out);
}
