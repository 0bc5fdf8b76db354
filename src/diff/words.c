/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c - pieces of what a service gains and loses → lines for people.
 *
 * A piece is exact, which is not how a person put it: 10.0.0.0/8 in place of 10.1.0.0/16 gains two
 * stretches of addresses around the old prefix. Where the endpoints behind the pieces have a
 * counterpart (pairs.h) one line says what became of it; pieces of one policy line that differ in
 * their addresses alone become one line, too.
 */
#include "diff/words.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "diff/pairs.h"

enum { ADDRESSES_MAX = 8 };

#define ARROW "\342\206\222"

/* A line on its way: what is before and behind its addresses, so that lines can be joined. */
struct draft {
	char sign;
	const char *before, *behind;
	const char *addresses[ADDRESSES_MAX];
	size_t n_addresses; /* more than there is room for: those are counted only */
	const struct ir_origin *origin;
	size_t number;
};

struct drafts {
	struct arena *arena;
	struct draft *list;
	size_t n;
};

/* --- values -----------------------------------------------------------------------------------
 */

static bool is_v4(enum reach_plane plane)
{
	return reach_planes[plane].family == ADDR_V4;
}

const char *words_address(enum reach_plane plane, reach_address address, struct arena *arena)
{
	unsigned length = is_v4(plane) ? 4 : 16;
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	for (unsigned i = length; i-- > 0; address >>= 8)
		bytes[i] = (uint8_t)address;
	inet_ntop(is_v4(plane) ? AF_INET : AF_INET6, bytes, text, sizeof(text));
	return arena_strdup(arena, text);
}

const char *words_addresses(enum reach_plane plane, reach_address first, reach_address last,
			    struct arena *arena)
{
	const char *text = words_address(plane, first, arena);
	reach_address size = last - first; /* less one */
	unsigned length = is_v4(plane) ? 32 : 128;

	if (size & (size + 1) || first & size)
		return arena_printf(arena, "%s-%s", text, words_address(plane, last, arena));
	for (; size; size >>= 1)
		length--;
	if (length == (is_v4(plane) ? 32 : 128))
		return text;
	return arena_printf(arena, "%s/%u", text, length);
}

const char *words_ranges(struct ranges ranges, struct arena *arena)
{
	AUTO(mem) char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	for (size_t i = 0; i < ranges.n; i++) {
		fprintf(out, i ? ", %u" : "%u", ranges.list[i].first);
		if (ranges.list[i].last != ranges.list[i].first)
			fprintf(out, "-%u", ranges.list[i].last);
	}
	if (fclose(out) != 0)
		abort();
	return arena_strdup(arena, text);
}

const char *words_date(int64_t moment, struct arena *arena)
{
	time_t time = (time_t)moment;
	char text[32];
	struct tm tm;

	if (!gmtime_r(&time, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d", &tm))
		return arena_printf(arena, "@%lld", (long long)moment);
	return arena_strdup(arena, text);
}

/* " port 443", " ports 80, 443"; of ICMP "" for an echo request */
static const char *port_words(enum reach_plane plane, struct ranges ports, struct arena *arena)
{
	bool is_icmp = plane == REACH_ICMP4 || plane == REACH_ICMP6;
	bool is_one = ports.n == 1 && ports.list[0].first == ports.list[0].last;

	if (is_icmp)
		return is_one ? "" : arena_printf(arena, " types %s", words_ranges(ports, arena));
	return arena_printf(arena, is_one ? " port %s" : " ports %s", words_ranges(ports, arena));
}

static const char *list_words(const char *const *names, size_t n, struct arena *arena)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", names[i]);
	return text;
}

/* A date is the first moment after the last day. */
static const char *until_words(int64_t until, struct arena *arena)
{
	return until == INT64_MAX ? "without end" :
				    arena_printf(arena, "until %s", words_date(until - 1, arena));
}

/* Loopback addresses are reached by lo anyway. */
static bool is_loopback(enum reach_plane plane, reach_address address, const char *interface)
{
	return strcmp(interface, "lo") == 0 && (is_v4(plane) ? address >> 24 == 127 : address == 1);
}

static const char *terms_words(const struct compare_piece *piece, struct arena *arena)
{
	enum reach_plane plane = (enum reach_plane)piece->plane;
	const char *text = "";

	if (piece->interface && !is_loopback(plane, piece->first, piece->interface))
		text = arena_printf(arena, " by %s", piece->interface);
	else if (piece->n_except)
		text = arena_printf(arena, " by any interface but %s",
				    list_words(piece->except, piece->n_except, arena));
	if (piece->starts != INT64_MIN)
		text = arena_printf(arena, "%s from %s on", text, words_date(piece->starts, arena));
	if (piece->until != INT64_MAX)
		text = arena_printf(arena, "%s %s", text, until_words(piece->until, arena));
	if (piece->uids.n)
		text = arena_printf(arena, "%s for uid %s only", text,
				    words_ranges(piece->uids, arena));
	return text;
}

/* --- pieces -----------------------------------------------------------------------------------
 */

static struct draft *add_draft(struct drafts *drafts, char sign, const struct ir_origin *origin)
{
	struct draft *draft = ARENA_APPEND(drafts->arena, drafts->list, drafts->n);

	draft->sign = sign;
	draft->before = draft->behind = "";
	draft->origin = origin;
	draft->number = drafts->n;
	return draft;
}

static void add_address(struct draft *draft, const char *address)
{
	for (size_t i = 0; i < draft->n_addresses && i < ADDRESSES_MAX; i++)
		if (strcmp(draft->addresses[i], address) == 0)
			return;
	if (draft->n_addresses < ADDRESSES_MAX)
		draft->addresses[draft->n_addresses] = address;
	draft->n_addresses++;
}

static const char *guard_words(const struct compare_piece *piece, struct arena *arena)
{
	if (!piece->guard)
		return "";
	return arena_printf(arena, " (\"from\" in %s:%u %s)", piece->guard->place.file,
			    piece->guard->place.line,
			    piece->is_gain ? "refused it before" : "refuses it now");
}

static void draft_piece(struct drafts *drafts, const struct compare_piece *piece)
{
	enum reach_plane plane = (enum reach_plane)piece->plane;
	struct arena *arena = drafts->arena;
	const struct reach_box *box = piece->lines[0];
	const char *protocol = reach_planes[plane].protocol;
	const char *terms = terms_words(piece, arena);
	struct draft *draft = add_draft(drafts, piece->is_gain ? '+' : '-', box->origin);

	switch ((enum reach_source)box->source) {
	case REACH_CONNECT:
		draft->before = arena_printf(arena, "%s ", protocol);
		draft->behind =
			arena_printf(arena, "%s%s%s", port_words(plane, piece->ports, arena), terms,
				     guard_words(piece, arena));
		break;
	case REACH_LISTEN:
		draft->before = arena_printf(arena, "listen %s%s%s", protocol,
					     port_words(plane, piece->ports, arena), terms);
		return;
	case REACH_DNS:
		draft->before = "dns: the name servers ";
		draft->behind = guard_words(piece, arena);
		break;
	case REACH_PROXY:
		draft->before = "proxy: ";
		draft->behind = arena_printf(arena, "%s%s", port_words(plane, piece->ports, arena),
					     guard_words(piece, arena));
		break;
	case REACH_SOURCES:
		break;
	}
	add_address(draft, words_addresses(plane, piece->first, piece->last, arena));
}

/* --- pairs ------------------------------------------------------------------------------------
 */

static const char *end_addresses(const struct pair_end *end, struct arena *arena)
{
	return words_addresses((enum reach_plane)end->box->plane, end->box->first, end->box->last,
			       arena);
}

/* What one of a pair has that the other has not: "by eth0 until 2026-12-31" */
static const char *end_terms(const struct pair_end *end, const struct pair_end *other,
			     struct arena *arena)
{
	const char *interface = end->box->interface, *others = other->box->interface;
	const char *text = "";

	if (!interface != !others || (interface && strcmp(interface, others) != 0))
		text = arena_printf(arena, " by %s", interface ? interface : "any interface");
	if (end->box->until != other->box->until)
		text = arena_printf(arena, "%s %s", text, until_words(end->box->until, arena));
	return text;
}

/* "10.1.0.0/16", "10.1.0.0/16 and 3 more" */
static const char *others_words(const struct pair_end *end, struct arena *arena)
{
	const char *text = end_addresses(end->other, arena);

	return end->n_others == 1 ? text :
				    arena_printf(arena, "%s and %zu more", text, end->n_others - 1);
}

/* end: the wider one; is_now: it is the one of afterwards. */
static const char *nested_words(const struct pair_end *end, bool is_now, struct arena *arena)
{
	const char *wide = end_addresses(end, arena), *narrow = others_words(end, arena);

	return arena_printf(arena, "%s%s: %s from %s to %s", reach_planes[end->box->plane].protocol,
			    port_words((enum reach_plane)end->box->plane, end->ports, arena),
			    is_now ? "widened" : "narrowed", is_now ? narrow : wide,
			    is_now ? wide : narrow);
}

static void draft_pair(struct draft *draft, const struct pair_end *from, const struct pair_end *to,
		       struct arena *arena)
{
	enum reach_plane plane = (enum reach_plane)to->box->plane;

	switch ((enum pair_kind)to->kind) {
	case PAIR_PORTS:
		draft->behind = arena_printf(arena, ":%s " ARROW " %s",
					     port_words(plane, from->ports, arena),
					     words_ranges(to->ports, arena));
		break;
	case PAIR_TERMS:
		draft->behind = arena_printf(
			arena, "%s:%s " ARROW "%s", port_words(plane, to->ports, arena),
			end_terms(from, to, arena), end_terms(to, from, arena));
		break;
	case PAIR_WIDENED:
		draft->before = nested_words(to, true, arena);
		return;
	case PAIR_NARROWED:
		draft->before = nested_words(from, false, arena);
		return;
	case PAIR_NONE:
	case PAIR_SAME:
		abort();
	}
	draft->before = arena_printf(arena, "%s ", reach_planes[plane].protocol);
	add_address(draft, end_addresses(to, arena));
}

static bool has_counterpart(const struct pair_end *end)
{
	return end && end->kind != PAIR_NONE && end->kind != PAIR_SAME;
}

static void tell_pair(struct drafts *drafts, struct pair_end *end, bool is_now)
{
	struct pair_end *from = is_now ? end->other : end, *to = is_now ? end : end->other;
	/* of several that lie in one the wider one tells */
	struct pair_end *teller = to->kind == PAIR_NARROWED ? from : to;

	if (teller->is_told)
		return;
	teller->is_told = true;
	draft_pair(add_draft(drafts, '~', to->box->origin), from, to, drafts->arena);
}

/* Whether all lines behind the piece have a counterpart, which then say it. */
static bool tell_pairs(struct drafts *drafts, const struct compare_piece *piece,
		       const struct pair_ends *ends)
{
	for (size_t i = 0; i < piece->n_lines; i++)
		if (!has_counterpart(pairs_find_end(ends, piece->lines[i])))
			return false;
	for (size_t i = 0; i < piece->n_lines; i++)
		tell_pair(drafts, pairs_find_end(ends, piece->lines[i]), piece->is_gain);
	return true;
}

/* --- lines ------------------------------------------------------------------------------------
 */

static int sign_rank(char sign)
{
	return sign == '+' ? 0 : sign == '~' ? 1 : 2;
}

static int compare_drafts(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;
	int r = sign_rank(x->sign) - sign_rank(y->sign);

	if (r == 0 && x->origin->place.line != y->origin->place.line)
		r = x->origin->place.line < y->origin->place.line ? -1 : 1;
	if (r == 0)
		r = strcmp(x->before, y->before);
	if (r == 0)
		r = strcmp(x->behind, y->behind);
	return r ? r : x->number < y->number ? -1 : x->number > y->number;
}

static bool can_join(const struct draft *a, const struct draft *b)
{
	return a->sign == b->sign && a->n_addresses && b->n_addresses &&
	       a->origin->place.line == b->origin->place.line &&
	       strcmp(a->before, b->before) == 0 && strcmp(a->behind, b->behind) == 0;
}

static bool is_localhost(const struct draft *draft)
{
	return draft->n_addresses == 2 && strcmp(draft->addresses[0], "127.0.0.1") == 0 &&
	       strcmp(draft->addresses[1], "::1") == 0;
}

static const char *draft_text(const struct draft *draft, struct arena *arena)
{
	size_t n = draft->n_addresses < ADDRESSES_MAX ? draft->n_addresses : ADDRESSES_MAX;
	const char *text =
		is_localhost(draft) ? "localhost" : list_words(draft->addresses, n, arena);

	if (draft->n_addresses > n)
		text = arena_printf(arena, "%s and %zu more", text, draft->n_addresses - n);
	return arena_printf(arena, "%s%s%s", draft->before, text, draft->behind);
}

static void finish(struct drafts *drafts, struct words *ret_words)
{
	size_t n = 0;

	if (drafts->n > 1)
		qsort(drafts->list, drafts->n, sizeof(*drafts->list), compare_drafts);
	for (size_t i = 0; i < drafts->n; i++) {
		if (n && can_join(&drafts->list[n - 1], &drafts->list[i]))
			add_address(&drafts->list[n - 1], drafts->list[i].addresses[0]);
		else
			drafts->list[n++] = drafts->list[i];
	}
	*ret_words = (struct words){ NULL, 0 };
	for (size_t i = 0; i < n; i++)
		*ARENA_APPEND(drafts->arena, ret_words->list, ret_words->n) = (struct words_line){
			.sign = drafts->list[i].sign,
			.text = draft_text(&drafts->list[i], drafts->arena),
			.origin = drafts->list[i].origin,
		};
}

/* A service's own ports over loopback go with its answers, which say it. */
static bool goes_without_saying(const struct compare_piece *piece)
{
	return piece->lines[0]->source == REACH_LISTEN && !reach_planes[piece->plane].is_answer;
}

void words_of_change(const struct compare_question *question, const struct compare_answer *answer,
		     struct arena *arena, struct words *ret_words)
{
	struct drafts drafts = { .arena = arena };
	struct pair_ends from, to;

	pairs_find(&question->from.reach, &question->to.reach, arena, &from, &to);
	for (size_t i = 0; i < answer->n; i++) {
		const struct compare_piece *piece = &answer->pieces[i];

		if (!goes_without_saying(piece) &&
		    (piece->guard || !tell_pairs(&drafts, piece, piece->is_gain ? &to : &from)))
			draft_piece(&drafts, piece);
	}
	finish(&drafts, ret_words);
}
