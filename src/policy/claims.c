/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claims.c - users, groups and ranges that policies claim → which uid is whose.
 *
 * Two kinds of claims: by name (user, users, group) and by range (uids). A name wins over a range,
 * so a range can be the default of a class of accounts; two claims of one kind on one uid are a
 * mistake of both files. Subordinate ids give way to both kinds.
 */
#include "policy/claims.h"

#include <errno.h>
#include <string.h>

#include "policy/values.h"

enum { SHOWN_MAX = 60 };

/* --- names → uids ----------------------------------------------------------------------------- */

static int complain_at(const struct policy *policy, struct place place, struct diags *diags,
		       const char *message)
{
	return diag_add_in(diags, DIAG_ERROR, place, policy->text, policy->text_length, "%s",
			   message);
}

static void add_subject(struct arena *arena, struct policy *policy, struct number_range uids,
			bool is_named, struct place place)
{
	*ARENA_APPEND(arena, policy->subjects, policy->n_subjects) = (struct subject){
		.uids = uids,
		.is_named = is_named,
		.place = place,
	};
}

static const char *unknown_message(struct diags *diags, const char *kind, const char *name,
				   const char *suggestion)
{
	const char *shown = text_printable(diags->arena, name, strlen(name), SHOWN_MAX);

	if (suggestion)
		return arena_printf(diags->arena, "unknown %s \"%s\"; did you mean \"%s\"?", kind,
				    shown, suggestion);
	return arena_printf(diags->arena, "unknown %s \"%s\"; expected one that exists (getent %s)",
			    kind, shown, strcmp(kind, "user") == 0 ? "passwd" : "group");
}

int claims_find_user(struct user_ref *ref, struct identity *identity)
{
	struct number_range uid;

	if (!ref->name || identity_find_user(identity, ref->name, &ref->uid) == 0)
		return 0;
	if (parse_number_range(ref->name, UID_LAST, &uid) < 0 || uid.first != uid.last)
		return -ENOENT;
	ref->uid = uid.first;
	return 0;
}

int claims_report_unknown(enum diag_severity severity, const char *text, size_t length,
			  const struct user_ref *ref, struct identity *identity,
			  struct diags *diags)
{
	const char *suggestion =
		diags_full(diags) ? NULL : identity_suggest_user(identity, ref->name);

	return diag_add_in(diags, severity, ref->place, text, length, "%s",
			   unknown_message(diags, "user", ref->name, suggestion));
}

/* With DynamicUser= there is a user only while the unit runs, and all that it owns is in the unit's
 * group.
 */
static void warn_no_user(const struct policy *policy, const struct claim *claim,
			 struct identity *identity, struct diags *diags)
{
	const char *name =
		text_printable(diags->arena, claim->name, strlen(claim->name), SHOWN_MAX);
	const char *suggestion =
		diags_full(diags) ? NULL : identity_suggest_user(identity, claim->name);

	diag_add_in(diags, DIAG_WARNING, claim->place, policy->text, policy->text_length,
		    "there is no user \"%s\" now%s%s%s; what %s runs is governed all the same",
		    name, suggestion ? " (did you mean \"" : "", suggestion ? suggestion : "",
		    suggestion ? "\"?)" : "", policy->unit);
}

static int resolve_user(struct policy *policy, const struct claim *claim, struct identity *identity,
			struct arena *arena, bool complain, struct diags *diags)
{
	struct user_ref ref = { claim->name, claim->range.first, claim->place };

	if (claims_find_user(&ref, identity) < 0) {
		if (complain && policy->unit) {
			warn_no_user(policy, claim, identity, diags);
			return 0;
		}
		if (complain)
			claims_report_unknown(DIAG_ERROR, policy->text, policy->text_length, &ref,
					      identity, diags);
		return -ENOENT;
	}
	if (ref.uid == 0) {
		if (complain)
			complain_at(policy, claim->place, diags,
				    "uid 0 cannot be governed: root removes any rule and owns the "
				    "system's own sockets");
		return -EPERM;
	}
	add_subject(arena, policy, (struct number_range){ ref.uid, ref.uid }, true, claim->place);
	return 0;
}

static int resolve_group(struct policy *policy, const struct claim *claim,
			 struct identity *identity, struct arena *arena, bool complain,
			 struct diags *diags)
{
	uint32_t gid = claim->range.first;
	const uint32_t *uids;
	size_t n;

	if (claim->name && identity_find_group(identity, claim->name, &gid) < 0) {
		if (!complain)
			return -ENOENT;
		return complain_at(policy, claim->place, diags,
				   unknown_message(diags, "group", claim->name,
						   identity_suggest_group(identity, claim->name)));
	}
	n = identity_group_members(identity, gid, &uids);
	if (!n && complain)
		diag_add_in(diags, DIAG_WARNING, claim->place, policy->text, policy->text_length,
			    "the group has no members; the policy governs nobody by it");
	for (size_t i = 0; i < n; i++) {
		struct number_range uid = { uids[i], uids[i] };

		if (uids[i] != 0)
			add_subject(arena, policy, uid, true, claim->place);
		else if (complain)
			return complain_at(policy, claim->place, diags,
					   "root is a member of the group, and uid 0 cannot be "
					   "governed; name the others in \"users\"");
	}
	return 0;
}

static int compare_subjects(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;

	if (x->is_named != y->is_named)
		return x->is_named ? -1 : 1;
	if (x->uids.first != y->uids.first)
		return x->uids.first < y->uids.first ? -1 : 1;
	if (x->uids.last != y->uids.last)
		return x->uids.last < y->uids.last ? -1 : 1;
	return x->place.line < y->place.line ? -1 : x->place.line > y->place.line;
}

void claims_sort_subjects(struct policy *policy)
{
	size_t kept = 0;

	if (!policy->n_subjects)
		return;
	qsort(policy->subjects, policy->n_subjects, sizeof(*policy->subjects), compare_subjects);
	for (size_t i = 0; i < policy->n_subjects; i++) {
		struct subject *last = kept ? &policy->subjects[kept - 1] : NULL;
		const struct subject *next = &policy->subjects[i];

		if (last && last->is_named == next->is_named &&
		    next->uids.first <= last->uids.last) {
			if (next->uids.last > last->uids.last)
				last->uids.last = next->uids.last;
			continue;
		}
		policy->subjects[kept++] = *next;
	}
	policy->n_subjects = kept;
}

int claims_resolve(struct policy *policy, struct identity *identity, struct arena *arena,
		   bool complain, struct diags *diags)
{
	int r = 0, one;

	policy->subjects = NULL;
	policy->n_subjects = 0;
	for (size_t i = 0; i < policy->n_claims; i++) {
		const struct claim *claim = &policy->claims[i];

		one = 0;
		switch ((enum claim_kind)claim->kind) {
		case CLAIM_USER:
			one = resolve_user(policy, claim, identity, arena, complain, diags);
			break;
		case CLAIM_GROUP:
			one = resolve_group(policy, claim, identity, arena, complain, diags);
			break;
		case CLAIM_UIDS:
			add_subject(arena, policy, claim->range, false, claim->place);
			break;
		}
		if (one < 0)
			r = one;
	}
	claims_sort_subjects(policy);
	return r;
}

/* --- two claims on one uid -------------------------------------------------------------------- */

struct entry {
	struct number_range uids;
	bool is_named;
	struct candidate *candidate;
	struct place place;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->is_named != y->is_named)
		return x->is_named ? -1 : 1;
	if (x->uids.first != y->uids.first)
		return x->uids.first < y->uids.first ? -1 : 1;
	return x->candidate < y->candidate ? -1 : x->candidate > y->candidate;
}

static struct entry *collect_entries(struct candidate *candidates, size_t n, bool with_refused,
				     struct arena *scratch, size_t *ret_n)
{
	struct entry *entries = NULL;
	size_t n_entries = 0;

	for (size_t i = 0; i < n; i++) {
		if (candidates[i].state == POLICY_REFUSED && !with_refused)
			continue;
		for (size_t j = 0; j < candidates[i].policy->n_subjects; j++) {
			const struct subject *s = &candidates[i].policy->subjects[j];

			*ARENA_APPEND(scratch, entries, n_entries) = (struct entry){
				s->uids,
				s->is_named,
				&candidates[i],
				s->place,
			};
		}
	}
	if (n_entries)
		qsort(entries, n_entries, sizeof(*entries), compare_entries);
	*ret_n = n_entries;
	return entries;
}

static const char *describe_uids(struct identity *identity, const struct entry *a,
				 const struct entry *b, struct arena *arena)
{
	uint32_t first = a->uids.first > b->uids.first ? a->uids.first : b->uids.first;
	uint32_t last = a->uids.last < b->uids.last ? a->uids.last : b->uids.last;
	const char *name = first == last ? identity_user_name(identity, first) : NULL;

	if (first != last)
		return arena_printf(arena, "the uids %u-%u are", first, last);
	if (name)
		return arena_printf(arena, "uid %u (%s) is", first,
				    text_printable(arena, name, strlen(name), SHOWN_MAX));
	return arena_printf(arena, "uid %u is", first);
}

static void report_conflict(struct identity *identity, const struct entry *mine,
			    const struct entry *other, struct diags *diags)
{
	const struct policy *policy = mine->candidate->policy;
	const char *what = describe_uids(identity, mine, other, diags->arena);

	if (other->candidate->state == POLICY_GOOD)
		diag_add_in(diags, DIAG_ERROR, mine->place, policy->text, policy->text_length,
			    "%s also claimed by %s:%u:%u (service %s); expected each uid in "
			    "one policy",
			    what, other->place.file, other->place.line, other->place.column,
			    other->candidate->policy->service);
	else
		diag_add_in(diags, DIAG_ERROR, mine->place, policy->text, policy->text_length,
			    "%s held by the last good policy of service %s until %s is mended or "
			    "removed",
			    what, other->candidate->policy->service,
			    other->candidate->policy->path);
}

/* Takes uids away from a candidate; the rest of the subject stays. */
static void take_away(struct candidate *loser, const struct entry *claim, struct number_range uids,
		      struct arena *arena)
{
	struct policy *policy = loser->policy;
	struct subject *subjects = NULL;
	size_t n = 0;

	for (size_t i = 0; i < policy->n_subjects; i++) {
		struct subject s = policy->subjects[i];

		if (s.is_named != claim->is_named || s.uids.last < uids.first ||
		    s.uids.first > uids.last) {
			*ARENA_APPEND(arena, subjects, n) = s;
			continue;
		}
		if (s.uids.first < uids.first) {
			*ARENA_APPEND(arena, subjects, n) = s;
			subjects[n - 1].uids.last = uids.first - 1;
		}
		if (s.uids.last > uids.last) {
			*ARENA_APPEND(arena, subjects, n) = s;
			subjects[n - 1].uids.first = uids.last + 1;
		}
	}
	policy->subjects = subjects;
	policy->n_subjects = n;
}

struct settle {
	struct candidate *candidates;
	size_t n;
	struct identity *identity;
	struct arena *arena;
	struct diags *diags;
	bool *demoted; /* per candidate, in this round */
};

/* Calls meet() for pairs of entries that overlap: each with the one before it that reaches
 * furthest. What one candidate claims does not overlap, so the two are of different ones. Says
 * whether meet() ever did.
 */
static bool sweep(struct settle *s, bool with_refused,
		  bool (*meet)(struct settle *s, const struct entry *a, const struct entry *b))
{
	AUTO(arena) struct arena *scratch = arena_new();
	size_t n, reach = 0;
	struct entry *entries = collect_entries(s->candidates, s->n, with_refused, scratch, &n);
	bool any = false;

	for (size_t i = 1; i < n; i++) {
		const struct entry *r = &entries[reach], *e = &entries[i];

		if (r->is_named == e->is_named && e->uids.first <= r->uids.last &&
		    r->candidate != e->candidate && meet(s, r, e))
			any = true;
		if (r->is_named != e->is_named || e->uids.last > r->uids.last)
			reach = i;
	}
	return any;
}

/* Good policies that clash are both mistaken; against what was in force before, the newcomer is. */
static bool report_clash(struct settle *s, const struct entry *a, const struct entry *b)
{
	bool good_a = a->candidate->state == POLICY_GOOD;
	bool good_b = b->candidate->state == POLICY_GOOD;

	if (good_a) {
		report_conflict(s->identity, a, b, s->diags);
		s->demoted[a->candidate - s->candidates] = true;
	}
	if (good_b) {
		report_conflict(s->identity, b, a, s->diags);
		s->demoted[b->candidate - s->candidates] = true;
	}
	return good_a || good_b;
}

bool claims_settle(struct candidate *candidates, size_t n, struct identity *identity,
		   struct arena *arena, void (*demote)(struct candidate *candidate, void *data),
		   void *data, struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct settle s = { candidates, n, identity, arena, diags, arena_alloc(scratch, n) };
	bool any = false;

	/* Each round demotes a candidate for good, so this ends. */
	while (sweep(&s, false, report_clash)) {
		for (size_t i = 0; i < n; i++)
			if (s.demoted[i])
				demote(&candidates[i], data);
		memset(s.demoted, 0, n);
		any = true;
	}
	return any;
}

/* A service that is refused everything yields; of others, the one behind. */
static bool yield(struct settle *s, const struct entry *a, const struct entry *b)
{
	if (a->candidate->state == POLICY_REFUSED && b->candidate->state != POLICY_REFUSED)
		take_away(a->candidate, a, b->uids, s->arena);
	else
		take_away(b->candidate, b, a->uids, s->arena);
	return true;
}

void claims_yield(struct candidate *candidates, size_t n, struct arena *arena)
{
	struct settle s = { .candidates = candidates, .n = n, .arena = arena };

	while (sweep(&s, true, yield))
		;
}

/* --- the index -------------------------------------------------------------------------------- */

static int compare_owners(const void *a, const void *b)
{
	const struct uid_owner *x = a, *y = b;

	if (x->uids.first != y->uids.first)
		return x->uids.first < y->uids.first ? -1 : 1;
	return x->uids.last < y->uids.last ? -1 : x->uids.last > y->uids.last;
}

static const struct uid_owner *find_owner(const struct uid_owner *owners, size_t n, uint32_t uid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (owners[middle].uids.last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && owners[low].uids.first <= uid ? &owners[low] : NULL;
}

const struct uid_owner *policy_set_find_owner(const struct policy_set *set, uint32_t uid)
{
	const struct uid_owner *owner = find_owner(set->named, set->n_named, uid);

	return owner ? owner : find_owner(set->ranges, set->n_ranges, uid);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void warn_shared(const struct uid_owner *a, const struct uid_owner *b,
			const struct policy_set *set, struct diags *diags)
{
	diag_add(diags, DIAG_WARNING, b->place,
		 "subordinate ids of service %s overlap those of service %s (%s:%u); what they "
		 "share is refused everything: give each user a range of its own",
		 set->services[b->service].policy->service,
		 set->services[a->service].policy->service, a->place.file, a->place.line);
}

/* Owners that may overlap → pieces that do not; what two services share belongs to nobody. Walks
 * from cut to cut, a cut being wherever an owner's range starts or has ended.
 */
static void add_disjoint(struct arena *arena, const struct policy_set *set,
			 const struct uid_owner *sorted, size_t n, struct diags *diags,
			 struct uid_owner **list, size_t *n_list)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const struct uid_owner **active = arena_alloc(scratch, n * sizeof(struct uid_owner *));
	uint32_t *cuts = arena_alloc(scratch, 2 * n * sizeof(*cuts));
	size_t n_active = 0, next = 0;

	for (size_t i = 0; i < n; i++) {
		cuts[2 * i] = sorted[i].uids.first;
		cuts[2 * i + 1] = sorted[i].uids.last + 1; /* UID_LAST is not the last number */
	}
	qsort(cuts, 2 * n, sizeof(*cuts), compare_numbers);
	for (size_t c = 0; c + 1 < 2 * n; c++) {
		struct uid_owner piece;
		size_t kept = 0;

		if (cuts[c] == cuts[c + 1])
			continue;
		for (size_t i = 0; i < n_active; i++)
			if (active[i]->uids.last >= cuts[c])
				active[kept++] = active[i];
		n_active = kept;
		for (; next < n && sorted[next].uids.first == cuts[c]; next++) {
			for (size_t i = 0; i < n_active; i++)
				if (active[i]->service != sorted[next].service)
					warn_shared(active[i], &sorted[next], set, diags);
			active[n_active++] = &sorted[next];
		}
		if (!n_active)
			continue;
		piece = *active[0];
		piece.uids = (struct number_range){ cuts[c], cuts[c + 1] - 1 };
		for (size_t i = 1; i < n_active; i++)
			if (active[i]->service != piece.service)
				piece.service = NO_SERVICE;
		*ARENA_APPEND(arena, *list, *n_list) = piece;
	}
}

/* What is left of subordinate ids behind the ranges that policies claim themselves. */
static void subtract_claimed(struct arena *arena, const struct policy_set *set,
			     struct uid_owner subuids, struct uid_owner **list, size_t *n)
{
	for (size_t i = 0; i < set->n_ranges; i++) {
		const struct number_range *claimed = &set->ranges[i].uids;

		if (claimed->last < subuids.uids.first)
			continue;
		if (claimed->first > subuids.uids.last)
			break;
		if (claimed->first > subuids.uids.first) {
			*ARENA_APPEND(arena, *list, *n) = subuids;
			(*list)[*n - 1].uids.last = claimed->first - 1;
		}
		if (claimed->last >= subuids.uids.last)
			return;
		subuids.uids.first = claimed->last + 1;
	}
	*ARENA_APPEND(arena, *list, *n) = subuids;
}

/* newuidmap(1) would let the service become that account, so it is right to govern it; but whoever
 * it belongs to will wonder.
 */
static void warn_accounts(const struct policy_set *set, const struct uid_owner *subuids,
			  struct identity *identity, struct diags *diags)
{
	struct number_range rest = subuids->uids;
	const char *name;
	uint32_t uid;

	while (rest.first <= rest.last && (name = identity_first_user(identity, rest, &uid))) {
		if (!find_owner(set->named, set->n_named, uid)) {
			diag_add(diags, DIAG_WARNING, subuids->place,
				 "the subordinate ids %u-%u hold uid %u (%s), which is then "
				 "governed like service %s; give that service's user a range "
				 "without accounts",
				 subuids->uids.first, subuids->uids.last, uid,
				 text_printable(diags->arena, name, strlen(name), 60),
				 set->services[subuids->service].policy->service);
			return;
		}
		rest.first = uid + 1;
	}
}

static void index_subuids(struct policy_set *set, struct identity *identity, struct arena *arena,
			  struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const struct subuid_range *subuids;
	size_t n_subuids = identity_subuids(identity, &subuids), n = 0;
	struct uid_owner *list = NULL;

	for (size_t i = 0; i < n_subuids; i++) {
		const struct uid_owner *owner = policy_set_find_owner(set, subuids[i].owner);

		if (owner && owner->service != NO_SERVICE)
			subtract_claimed(scratch, set,
					 (struct uid_owner){ subuids[i].uids, owner->service,
							     subuids[i].place, true },
					 &list, &n);
	}
	if (!n)
		return;
	qsort(list, n, sizeof(*list), compare_owners);
	for (size_t i = 0; i < n; i++)
		warn_accounts(set, &list[i], identity, diags);
	add_disjoint(arena, set, list, n, diags, &set->ranges, &set->n_ranges);
	qsort(set->ranges, set->n_ranges, sizeof(*set->ranges), compare_owners);
}

void claims_index(struct policy_set *set, struct identity *identity, struct arena *arena,
		  struct diags *diags)
{
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy *policy = set->services[i].policy;

		for (size_t j = 0; j < policy->n_subjects; j++) {
			const struct subject *s = &policy->subjects[j];
			struct uid_owner owner = { s->uids, (uint32_t)i, s->place, false };

			if (s->is_named)
				*ARENA_APPEND(arena, set->named, set->n_named) = owner;
			else
				*ARENA_APPEND(arena, set->ranges, set->n_ranges) = owner;
		}
	}
	if (set->n_named)
		qsort(set->named, set->n_named, sizeof(*set->named), compare_owners);
	if (set->n_ranges)
		qsort(set->ranges, set->n_ranges, sizeof(*set->ranges), compare_owners);
	if (set->config.subuids)
		index_subuids(set, identity, arena, diags);
}

const char *policy_claimed_name(const struct policy *policy, struct place place)
{
	for (size_t i = 0; i < policy->n_claims; i++)
		if (policy->claims[i].kind == CLAIM_USER &&
		    policy->claims[i].place.line == place.line &&
		    policy->claims[i].place.column == place.column)
			return policy->claims[i].name;
	return NULL;
}

struct service *policy_set_find_uid(const struct policy_set *set, uint32_t uid)
{
	const struct uid_owner *owner = policy_set_find_owner(set, uid);

	return owner && owner->service != NO_SERVICE ? &set->services[owner->service] : NULL;
}
