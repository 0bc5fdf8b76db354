/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry.c - what changes for one service → JSON.
 *
 * "gains" and "losses" are exact and for programs, "changes" says the same in words. A policy line
 * is quoted from the policy that was in force on its side.
 */
#include "diff/entry.h"

#include <string.h>

#include "diff/words.h"

enum {
	NAMES_MAX = 64,	     /* users whose names are looked for */
	LINE_TEXT_MAX = 160, /* bytes of a quotation */
	CALLERS_MAX = 8,     /* callers that are listed in words */
};

static const char *const effect_names[] = {
	[EFFECT_NONE] = "none",
	[EFFECT_MORE] = "more",
	[EFFECT_LESS] = "less",
	[EFFECT_MIXED] = "mixed",
};

static const char *const source_names[REACH_SOURCES] = {
	[REACH_CONNECT] = "connect",
	[REACH_LISTEN] = "listen",
	[REACH_DNS] = "dns",
	[REACH_PROXY] = "proxy",
};

/* --- lines of policies ------------------------------------------------------------------------
 */

/* Where the lines of a policy begin: a policy may have many thousand, each quoted. */
struct quotes {
	const struct policy *policy; /* NULL: nothing to quote from */
	const char **lines;
	size_t n;
};

static struct quotes quotes_find(const struct policy *policy, struct arena *arena)
{
	struct quotes quotes = { .policy = policy };
	const char *line = policy ? policy->text : NULL;

	while (line) {
		const char *end = strchr(line, '\n');

		*ARENA_APPEND(arena, quotes.lines, quotes.n) = line;
		line = end ? end + 1 : NULL;
	}
	return quotes;
}

/* The end of a value that begins with a bracket, or of the line. */
static const char *value_end(const char *text)
{
	bool in_string = false;
	unsigned depth = 0;

	if (*text != '{' && *text != '[')
		return text + strcspn(text, "\r\n");
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (*text == '"')
			in_string = !in_string;
		else if (!in_string && (*text == '{' || *text == '['))
			depth++;
		else if (!in_string && (*text == '}' || *text == ']') && --depth == 0)
			return text + 1;
	}
	return text;
}

/* What the policy says there, on one line: an endpoint often takes several. */
static const char *quote(const struct quotes *quotes, const struct place *place,
			 struct arena *arena)
{
	char *copy = arena_alloc(arena, LINE_TEXT_MAX + sizeof("..."));
	const char *text, *end;
	size_t n = 0;

	if (!quotes->policy || place->file != quotes->policy->file || !place->line ||
	    place->line > quotes->n)
		return NULL;
	text = quotes->lines[place->line - 1];
	end = place->line < quotes->n ? quotes->lines[place->line] :
					quotes->policy->text + quotes->policy->text_length;
	if (place->column && place->column <= (size_t)(end - text) &&
	    text[place->column - 1] == '{')
		text += place->column - 1;
	text += strspn(text, " \t");
	for (end = value_end(text); text < end && n < LINE_TEXT_MAX; text++) {
		bool is_space = strchr(" \t\r\n", *text);

		if (!is_space || (n && copy[n - 1] != ' '))
			copy[n++] = is_space ? ' ' : *text;
	}
	if (text < end)
		memcpy(copy + n, "...", sizeof("..."));
	return copy;
}

static void put_line(const struct quotes *quotes, const struct ir_origin *origin,
		     struct arena *arena, struct writer *w)
{
	writer_put_text(w, "file", origin->place.file);
	writer_put_int(w, "line", origin->place.line);
	writer_put_text(w, "what", origin->what);
	writer_put_text(w, "quote", quote(quotes, &origin->place, arena));
}

/* --- pieces -----------------------------------------------------------------------------------
 */

/* As a policy would say it: 443, "8000-8080". */
static void put_numbers(const char *key, struct ranges ranges, struct writer *w)
{
	writer_key(w, key);
	writer_begin(w, '[');
	for (size_t i = 0; i < ranges.n; i++) {
		const struct number_range *range = &ranges.list[i];
		char text[32];

		if (range->first == range->last) {
			writer_int(w, range->first);
			continue;
		}
		snprintf(text, sizeof(text), "%u-%u", range->first, range->last);
		writer_text(w, text);
	}
	writer_end(w, ']');
}

static void put_moment(const char *key, int64_t moment, struct writer *w)
{
	writer_key(w, key);
	if (moment == INT64_MIN || moment == INT64_MAX)
		writer_text(w, NULL);
	else
		writer_int(w, moment);
}

static void put_addresses(const struct compare_piece *piece, struct arena *arena, struct writer *w)
{
	enum reach_plane plane = (enum reach_plane)piece->plane;

	if (reach_planes[plane].is_answer) {
		writer_put_text(w, "to", NULL);
		return;
	}
	writer_put_text(w, "to", words_addresses(plane, piece->first, piece->last, arena));
	writer_put_text(w, "first", words_address(plane, piece->first, arena));
	writer_put_text(w, "last", words_address(plane, piece->last, arena));
}

static void put_terms(const struct compare_piece *piece, struct writer *w)
{
	writer_put_text(w, "interface", piece->interface);
	if (piece->n_except) {
		writer_key(w, "except_interfaces");
		writer_begin(w, '[');
		for (size_t i = 0; i < piece->n_except; i++)
			writer_text(w, piece->except[i]);
		writer_end(w, ']');
	}
	put_moment("starts", piece->starts, w);
	put_moment("until", piece->until, w);
	if (piece->uids.n)
		put_numbers("uids", piece->uids, w);
}

static void put_piece(const struct compare_piece *piece, const struct quotes *quotes,
		      struct arena *arena, struct writer *w)
{
	const struct reach_plane_desc *desc = &reach_planes[piece->plane];

	writer_begin(w, '{');
	writer_put_text(w, "kind", source_names[piece->lines[0]->source]);
	writer_put_bool(w, "answers", desc->is_answer);
	writer_put_text(w, "protocol", desc->protocol);
	put_addresses(piece, arena, w);
	put_numbers(strcmp(desc->protocol, "icmp") == 0 ? "types" : "ports", piece->ports, w);
	put_terms(piece, w);
	if (piece->guard) {
		writer_key(w, "guard");
		writer_begin(w, '{');
		writer_put_text(w, "file", piece->guard->place.file);
		writer_put_int(w, "line", piece->guard->place.line);
		writer_end(w, '}');
	}
	writer_key(w, "lines");
	writer_begin(w, '[');
	for (size_t i = 0; i < piece->n_lines; i++) {
		writer_begin(w, '{');
		put_line(quotes, piece->lines[i]->origin, arena, w);
		writer_end(w, '}');
	}
	writer_end(w, ']');
	writer_end(w, '}');
}

static void put_pieces(const char *key, const struct compare_answer *answer, bool gains,
		       const struct quotes *quotes, struct arena *arena, struct writer *w)
{
	writer_key(w, key);
	writer_begin(w, '[');
	for (size_t i = 0; i < answer->n; i++)
		if (answer->pieces[i].is_gain == gains)
			put_piece(&answer->pieces[i], quotes, arena, w);
	writer_end(w, ']');
}

/* --- words ------------------------------------------------------------------------------------
 */

static void put_change(char sign, const char *text, const struct ir_origin *origin,
		       struct writer *w)
{
	writer_begin(w, '{');
	writer_key(w, "sign");
	writer_text_n(w, &sign, 1);
	writer_put_text(w, "text", text);
	writer_put_text(w, "file", origin->place.file);
	writer_put_int(w, "line", origin->place.line);
	writer_end(w, '}');
}

static void put_words(const struct compare_question *question, const struct compare_answer *answer,
		      struct arena *arena, struct writer *w)
{
	struct words words;

	words_of_change(question, answer, arena, &words);
	for (size_t i = 0; i < words.n; i++)
		put_change(words.list[i].sign, words.list[i].text, words.list[i].origin, w);
}

static void put_exactly(const struct compare_answer *answer, const struct policy *from,
			const struct policy *to, struct arena *arena, struct writer *w)
{
	struct quotes before = quotes_find(from, arena), now = quotes_find(to, arena);

	put_pieces("gains", answer, true, &now, arena, w);
	put_pieces("losses", answer, false, &before, arena, w);
}

void entry_write_shared(const struct compare_question *question,
			const struct compare_answer *answer, bool exactly, struct arena *arena,
			struct writer *w)
{
	if (exactly)
		put_exactly(answer, NULL, NULL, arena, w);
	writer_key(w, "changes");
	writer_begin(w, '[');
	put_words(question, answer, arena, w);
	writer_end(w, ']');
}

/* --- users ------------------------------------------------------------------------------------
 */

const char *entry_owner_name(uint32_t owner)
{
	return owner == OWNER_NOBODY ? "nobody" : owner == OWNER_REFUSED ? "refused" : "service";
}

/* The name by which a policy claims the uid, or NULL. */
static const char *user_name(const struct policy *policy, struct number_range uids)
{
	const char *name = NULL;

	for (size_t i = 0; uids.first == uids.last && i < policy->n_subjects && !name; i++)
		if (policy->subjects[i].is_named && policy->subjects[i].uids.first == uids.first)
			name = policy_claimed_name(policy, policy->subjects[i].place);
	return name;
}

static void put_user(const struct owner_change *change, const struct policy *policy,
		     const char *key, uint32_t other, const struct policy_set *others,
		     struct writer *w)
{
	writer_begin(w, '{');
	writer_put_int(w, "first", change->uids.first);
	writer_put_int(w, "last", change->uids.last);
	writer_put_text(w, "user", policy ? user_name(policy, change->uids) : NULL);
	writer_put_text(w, key, entry_owner_name(other));
	writer_put_text(w, "service",
			other < OWNER_REFUSED ? others->services[other].policy->service : NULL);
	writer_end(w, '}');
}

static void put_users(const struct entry *entry, const struct entry_sets *sets, struct writer *w)
{
	writer_key(w, "users");
	writer_begin(w, '{');
	writer_key(w, "gained");
	writer_begin(w, '[');
	for (size_t i = 0; i < entry->n_gained; i++)
		put_user(&entry->gained[i], i < NAMES_MAX ? entry->to->policy : NULL, "before",
			 entry->gained[i].from, sets->from, w);
	writer_end(w, ']');
	writer_key(w, "lost");
	writer_begin(w, '[');
	for (size_t i = 0; i < entry->n_lost; i++)
		put_user(&entry->lost[i], i < NAMES_MAX ? entry->from->policy : NULL, "now",
			 entry->lost[i].to, sets->to, w);
	writer_end(w, ']');
	writer_end(w, '}');
}

/* --- callers ----------------------------------------------------------------------------------
 */

/* The name by which "from" lines call the uid, or NULL. */
static const char *caller_name(const struct service *service, uint32_t uid)
{
	for (size_t i = 0; service && i < service->policy->n_listen; i++) {
		const struct listener *l = &service->policy->listen[i];

		for (size_t j = 0; j < l->n_from; j++)
			if (l->from[j].uid == uid && l->from[j].name)
				return l->from[j].name;
	}
	return uid == 0 ? "root" : NULL;
}

static const char *caller_words(const struct entry *entry, struct number_range uids,
				struct arena *arena)
{
	const char *name = NULL;

	if (uids.first == uids.last) {
		name = caller_name(entry->to, uids.first);
		if (!name)
			name = caller_name(entry->from, uids.first);
	}
	if (name)
		return name;
	return uids.first == uids.last ? arena_printf(arena, "uid %u", uids.first) :
					 arena_printf(arena, "uids %u-%u", uids.first, uids.last);
}

static const char *callers_words(const struct entry *entry, struct ranges callers,
				 struct arena *arena)
{
	const char *text = "only ";
	size_t n = 0;

	if (ranges_equal(callers, ranges_all))
		return "anyone";
	for (size_t i = 0; i < callers.n; i++)
		for (uint64_t uid = callers.list[i].first; uid <= callers.list[i].last; uid++) {
			struct number_range range = { (uint32_t)uid, callers.list[i].last };

			/* neighbours are users, many of them are a range */
			if (range.last - range.first < CALLERS_MAX)
				range.last = range.first;
			if (n++ < CALLERS_MAX)
				text = arena_printf(arena, "%s%s%s", text, n > 1 ? ", " : "",
						    caller_words(entry, range, arena));
			uid = range.last;
		}
	return n > CALLERS_MAX ? arena_printf(arena, "%s and %zu more", text, n - CALLERS_MAX) :
				 text;
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == PROTOCOL_TCP ? "tcp" : "udp";
}

static void put_callers_words(const struct entry *entry, const struct callers_change *change,
			      struct arena *arena, struct writer *w)
{
	const char *text =
		arena_printf(arena, "who may connect to %s %s over loopback: %s \342\206\222 %s",
			     protocol_name(change->protocol), words_ranges(change->ports, arena),
			     callers_words(entry, change->before, arena),
			     callers_words(entry, change->now, arena));

	put_change('~', text, change->to_line ? change->to_line : change->from_line, w);
}

static void put_callers(const struct entry *entry, struct writer *w)
{
	writer_key(w, "callers");
	writer_begin(w, '[');
	for (size_t i = 0; i < entry->n_callers; i++) {
		const struct callers_change *change = &entry->callers[i];

		writer_begin(w, '{');
		writer_put_text(w, "protocol", protocol_name(change->protocol));
		put_numbers("ports", change->ports, w);
		put_numbers("gained", change->gained, w);
		put_numbers("lost", change->lost, w);
		writer_end(w, '}');
	}
	writer_end(w, ']');
}

/* --- one service ------------------------------------------------------------------------------
 */

static bool is_off(const struct service *service)
{
	return service->state == POLICY_OFF;
}

static bool has_mode(const struct service *service)
{
	return service && (service->state == POLICY_GOOD || service->state == POLICY_LAST_GOOD);
}

bool entry_changes_state(const struct entry *entry)
{
	return entry->from && entry->to && entry->from->state != entry->to->state;
}

bool entry_changes_mode(const struct entry *entry)
{
	return has_mode(entry->from) && has_mode(entry->to) &&
	       entry->from->policy->mode != entry->to->policy->mode;
}

/* Another word is another unit: a name is looked for wherever root's slices are, a path is one
 * place.
 */
bool entry_changes_unit(const struct entry *entry)
{
	const char *before, *now;

	if (!entry->from || !entry->to || is_off(entry->from) || is_off(entry->to))
		return false;
	before = entry->from->policy->unit;
	now = entry->to->policy->unit;
	return before && now ? strcmp(before, now) != 0 : before != now;
}

bool entry_changes_ways(const struct entry *entry)
{
	return !ways_equal(&entry->before, &entry->now);
}

bool entry_differs(const struct entry *entry)
{
	return !entry->from || !entry->to || entry->n_gained || entry->n_lost || entry->n_callers ||
	       entry->answer.n || entry_changes_state(entry) || entry_changes_mode(entry) ||
	       entry_changes_unit(entry) || entry_changes_ways(entry);
}

enum entry_effect entry_effect(const struct entry *entry)
{
	bool more = false, less = false;

	if (!entry->from || !entry->to)
		return EFFECT_NONE;
	if (is_off(entry->from) != is_off(entry->to))
		return is_off(entry->to) ? EFFECT_MORE : EFFECT_LESS;
	for (size_t i = 0; i < entry->answer.n; i++) {
		more = more || entry->answer.pieces[i].is_gain;
		less = less || !entry->answer.pieces[i].is_gain;
	}
	if (entry_changes_mode(entry)) {
		more = more || entry->to->policy->mode == MODE_MONITOR;
		less = less || entry->to->policy->mode != MODE_MONITOR;
	}
	return more && less ? EFFECT_MIXED : more ? EFFECT_MORE : less ? EFFECT_LESS : EFFECT_NONE;
}

static const char *mode_name(const struct service *service)
{
	if (!has_mode(service))
		return NULL;
	return service->policy->mode == MODE_MONITOR ? "monitor" : "enforce";
}

static void put_before_now(const char *key, const char *before, const char *now, struct writer *w)
{
	writer_key(w, key);
	writer_begin(w, '{');
	writer_put_text(w, "before", before);
	writer_put_text(w, "now", now);
	writer_end(w, '}');
}

static const char *state_name(const struct service *service)
{
	return service ? policy_state_name((enum policy_state)service->state) : NULL;
}

static const char *unit_name(const struct service *service)
{
	return service ? service->policy->unit : NULL;
}

/* "successor": the service that names the unit from now on, in the same words. */
static void put_unit(const struct entry *entry, const struct policy_set *to, struct writer *w)
{
	const char *before = unit_name(entry->from), *successor = NULL;

	for (size_t i = 0; before && i < to->n_services && !successor; i++) {
		const char *unit = to->services[i].policy->unit;

		if (unit && strcmp(unit, before) == 0 && !is_off(&to->services[i]))
			successor = to->services[i].policy->service;
	}
	writer_key(w, "unit");
	writer_begin(w, '{');
	writer_put_text(w, "before", before);
	writer_put_text(w, "now", unit_name(entry->to));
	writer_put_text(w, "successor", successor);
	writer_end(w, '}');
}

static void put_ways_of(const char *key, const struct ways *ways, struct writer *w)
{
	writer_key(w, key);
	writer_begin(w, '{');
	put_numbers("ipv4", ways->ports[0], w);
	put_numbers("ipv6", ways->ports[1], w);
	writer_end(w, '}');
}

/* The ports that are led to the proxy. */
static void put_ways(const struct entry *entry, struct writer *w)
{
	writer_key(w, "led");
	writer_begin(w, '{');
	put_ways_of("before", &entry->before, w);
	put_ways_of("now", &entry->now, w);
	writer_end(w, '}');
}

static void put_ways_words(const struct entry *entry, struct arena *arena, struct writer *w)
{
	struct ways_line lines[WAYS_LINES_MAX];
	size_t n = ways_words(&entry->before, &entry->now, arena, lines);

	for (size_t i = 0; i < n; i++)
		put_change('~', lines[i].text, lines[i].origin, w);
}

static const struct policy *policy_of(const struct service *service)
{
	return service ? service->policy : NULL;
}

void entry_write(const struct entry *entry, const struct entry_sets *sets, bool exactly,
		 struct arena *arena, struct writer *w)
{
	const struct service *service = entry->to ? entry->to : entry->from;

	writer_begin(w, '{');
	writer_put_text(w, "service", service->policy->service);
	writer_put_text(w, "file", service->policy->file);
	writer_put_text(w, "change", !entry->from ? "new" : !entry->to ? "gone" : "changed");
	writer_put_text(w, "effect", effect_names[entry_effect(entry)]);
	put_before_now("state", state_name(entry->from), state_name(entry->to), w);
	put_before_now("mode", mode_name(entry->from), mode_name(entry->to), w);
	put_unit(entry, sets->to, w);
	writer_put_text(w, "problem", entry->to ? entry->to->problem : NULL);
	put_users(entry, sets, w);
	if (exactly) {
		put_exactly(&entry->answer, policy_of(entry->from), policy_of(entry->to), arena, w);
		put_callers(entry, w);
		put_ways(entry, w);
	}
	writer_key(w, "changes");
	writer_begin(w, '[');
	put_words(&entry->question, &entry->answer, arena, w);
	for (size_t i = 0; i < entry->n_callers; i++)
		put_callers_words(entry, &entry->callers[i], arena, w);
	put_ways_words(entry, arena, w);
	writer_end(w, ']');
	writer_end(w, '}');
}
