/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit.c - changes of policies → what to write where in their files, ready to paste.
 *
 * A policy in force is valid JSON, so what is here need not complain. New entries go in front of
 * what stands there, with a comma behind them: that is right for every list that has one entry, and
 * every policy has one member.
 */
#include "why/edit.h"

#include <ctype.h>
#include <string.h>

#include "why/target.h"
#include "policy/source.h"

enum { EXCERPT_MAX = 240 };

struct text {
	const struct policy *policy;
	struct document *document;
};

/* --- places ----------------------------------------------------------------------------------- */

void texts_init(struct texts *texts, struct arena *arena)
{
	*texts = (struct texts){ .arena = arena };
}

void texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		document_free(texts->list[i].document);
	texts->n = 0;
}

static struct document *parse_text(const struct policy *policy, struct arena *arena)
{
	AUTO(diags) struct diags silent;
	struct source source = { policy->path, policy->file, policy->text, policy->text_length };
	struct document *document = NULL;

	diags_init(&silent);
	if (document_parse(&source, arena, &document, &silent) < 0)
		abort(); /* it is in force */
	return document;
}

static struct cursor text_root(struct texts *texts, const struct policy *policy)
{
	struct text *text;

	for (size_t i = 0; i < texts->n; i++)
		if (texts->list[i].policy == policy)
			return document_root(texts->list[i].document);
	text = ARENA_APPEND(texts->arena, texts->list, texts->n);
	text->policy = policy;
	text->document = parse_text(policy, texts->arena);
	return document_root(text->document);
}

static bool same_place(struct place a, struct place b)
{
	return a.line == b.line && a.column == b.column;
}

/* Lines and columns count from 1. */
static size_t offset_of(const struct policy *policy, struct place place)
{
	const char *line = policy->text;

	for (uint32_t i = 1; i < place.line; i++) {
		const char *end = strchr(line, '\n');

		if (!end)
			return policy->text_length;
		line = end + 1;
	}
	return (size_t)(line - policy->text) + place.column - 1;
}

static const char *string_end(const char *p)
{
	for (p++; *p != '"'; p++)
		p += *p == '\\';
	return p + 1;
}

/* Behind the JSON value that begins at p. */
static const char *value_end(const char *p)
{
	unsigned depth = 0;

	do {
		if (*p == '"') {
			p = string_end(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		else if (!depth)
			return p + strspn(p, "+-.0123456789Eaeflnrstu");
		p++;
	} while (depth);
	return p;
}

const char *edit_excerpt(const struct policy *policy, struct place place, struct arena *arena)
{
	const char *p, *end;
	char *text, *out;

	if (!place.line || !policy->text)
		return NULL;
	p = policy->text + offset_of(policy, place);
	end = value_end(p);
	out = text = arena_alloc(arena, (size_t)(end - p) + 1);
	while (p < end) {
		if (*p == '"') {
			const char *string = p;

			p = string_end(p);
			memcpy(out, string, (size_t)(p - string));
			out += p - string;
		} else if (isspace((unsigned char)*p)) {
			p += strspn(p, " \t\r\n");
			*out++ = ' ';
		} else {
			*out++ = *p++;
		}
	}
	return text_printable(arena, text, (size_t)(out - text), EXCERPT_MAX);
}

/* --- what is written -------------------------------------------------------------------------- */

static const char *endpoint_text(const struct change *change, struct arena *arena)
{
	char to[PREFIX_TEXT_MAX] = "localhost";
	const char *text;

	if (change->to.family != ADDR_NONE)
		format_prefix(&change->to, to);
	text = arena_printf(arena, "{ \"to\": \"%s\"", to);
	if (change->protocol != PROTOCOL_ICMP)
		text = arena_printf(arena, "%s, \"port\": %u", text, change->port);
	if (change->protocol != PROTOCOL_TCP)
		text = arena_printf(arena, "%s, \"protocol\": \"%s\"", text,
				    target_protocols[change->protocol]);
	if (change->interface)
		text = arena_printf(arena, "%s, \"interface\": \"%s\"", text, change->interface);
	return arena_printf(arena, "%s }", text);
}

static const char *listener_text(const struct change *change, struct arena *arena)
{
	return arena_printf(arena, "{ \"port\": %u%s }", change->port,
			    change->protocol == PROTOCOL_UDP ? ", \"protocol\": \"udp\"" : "");
}

/* By name where that needs no thought. */
static const char *user_text(const struct change *change, struct arena *arena)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";

	if (change->name && strlen(change->name) <= 32 && strspn(change->name, plain) > 0 &&
	    change->name[strspn(change->name, plain)] == '\0' &&
	    !isdigit((unsigned char)change->name[0]))
		return arena_printf(arena, "\"%s\"", change->name);
	return arena_printf(arena, "%u", change->uid);
}

static const char *entry_text(const struct change *change, struct arena *arena)
{
	if (change->kind == CHANGE_ADD_CONNECT)
		return endpoint_text(change, arena);
	if (change->kind == CHANGE_ADD_LISTEN)
		return listener_text(change, arena);
	if (change->kind == CHANGE_ADD_HOST)
		return arena_printf(arena, "\"%s\"", change->name);
	return user_text(change, arena);
}

static const char *key_of(const struct change *change)
{
	switch ((enum change_kind)change->kind) {
	case CHANGE_ADD_CONNECT:
	case CHANGE_DROP_CONNECT:
		return "connect";
	case CHANGE_ADD_LISTEN:
	case CHANGE_DROP_LISTEN:
		return "listen";
	case CHANGE_ADD_FROM:
	case CHANGE_DROP_FROM:
		return "from";
	case CHANGE_ADD_HOST:
	case CHANGE_DROP_HOST:
		return "hosts";
	case CHANGE_SET_DNS:
		return "dns";
	case CHANGE_SET_PROXY:
		return "proxy";
	case CHANGE_SET_TRANSPARENT:
		return "transparent";
	case CHANGE_ENFORCE:
		return "mode";
	}
	abort();
}

/* --- adding ----------------------------------------------------------------------------------- */

/* The white space in front of a place, where there is nothing else on its line; else NULL. */
static const char *indentation(const struct policy *policy, size_t offset, struct arena *arena)
{
	size_t start = offset;

	while (start > 0 && (policy->text[start - 1] == ' ' || policy->text[start - 1] == '\t'))
		start--;
	if (start > 0 && policy->text[start - 1] != '\n')
		return NULL;
	return arena_strndup(arena, policy->text + start, offset - start);
}

static struct edit *add_edit(struct texts *texts, struct edits *edits, const struct change *change,
			     struct place place)
{
	const struct policy *policy = change->service->policy;
	struct edit *edit = ARENA_APPEND(texts->arena, edits->list, edits->n);

	*edit = (struct edit){ .service = change->service, .key = key_of(change), .place = place };
	edit->place.file = policy->file;
	edit->offset = offset_of(policy, place);
	edit->remove = "";
	edit->insert = "";
	return edit;
}

/* text and a comma in front of what stands at the place. */
static void insert_before(struct texts *texts, struct edit *edit, const char *text,
			  const char *neighbour)
{
	const char *indent = indentation(edit->service->policy, edit->offset, texts->arena);

	edit->action = EDIT_ADD;
	edit->text = arena_printf(texts->arena, "%s,", text);
	if (indent) {
		edit->insert = arena_printf(texts->arena, "%s,\n%s", text, indent);
		edit->where = arena_printf(texts->arena, "in front of line %u", edit->place.line);
	} else {
		edit->insert = arena_printf(texts->arena, "%s, ", text);
		edit->where = arena_printf(texts->arena, "on line %u, in front of %s",
					   edit->place.line, neighbour);
	}
}

/* "dns": false, in front of all that is there. */
static void add_member(struct texts *texts, struct edits *edits, const struct change *change,
		       const char *text)
{
	struct cursor first = cursor_first(text_root(texts, change->service->policy));
	struct edit *edit = add_edit(texts, edits, change, cursor_key_place(first));

	insert_before(texts, edit, text, arena_printf(texts->arena, "\"%s\"", cursor_key(first)));
}

static void add_to_list(struct texts *texts, struct edits *edits, const struct change *change,
			struct cursor list, const char *text)
{
	struct cursor first = cursor_first(list);
	struct edit *edit;

	if (first.value) {
		edit = add_edit(texts, edits, change, cursor_place(first));
		insert_before(texts, edit, text,
			      change->kind == CHANGE_ADD_FROM ? "the first user of \"from\"" :
								"the first entry");
		return;
	}
	edit = add_edit(texts, edits, change, cursor_place(list));
	edit->action = EDIT_ADD;
	edit->offset++;
	edit->place.column++;
	edit->insert = edit->text = text;
	edit->where = arena_printf(texts->arena, "on line %u, between the brackets of \"%s\"",
				   edit->place.line, edit->key);
}

/* The entry of a list in the text, by its place: unknown users are in the text, but in no list. */
static struct cursor find_entry(struct cursor list, struct place place)
{
	for (struct cursor c = cursor_first(list); c.value; c = cursor_next(c))
		if (same_place(cursor_place(c), place))
			return c;
	abort();
}

static struct cursor find_member(struct cursor object, const char *key)
{
	for (struct cursor c = cursor_first(object); c.value; c = cursor_next(c))
		if (strcmp(cursor_key(c), key) == 0)
			return c;
	return (struct cursor){ 0 };
}

/* The list that a change is about; value NULL where the policy has none. */
static struct cursor find_list(struct texts *texts, const struct change *change)
{
	const struct policy *policy = change->service->policy;
	struct cursor root = text_root(texts, policy);

	if (change->kind != CHANGE_ADD_FROM && change->kind != CHANGE_DROP_FROM)
		return find_member(root, key_of(change));
	return find_member(
		find_entry(find_member(root, "listen"), policy->listen[change->line].place),
		"from");
}

static bool same_list(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && a->service == b->service && a->line == b->line;
}

/* All that is to be added to the list of changes->list[i], which is the first of them. */
static void make_addition(struct texts *texts, const struct changes *changes, size_t i,
			  struct edits *edits)
{
	const struct change *change = &changes->list[i];
	struct cursor list = find_list(texts, change);
	const char *text = entry_text(change, texts->arena);

	for (size_t j = 0; j < i; j++)
		if (same_list(&changes->list[j], change))
			return;
	for (size_t j = i + 1; j < changes->n; j++)
		if (same_list(&changes->list[j], change))
			text = arena_printf(texts->arena, "%s, %s", text,
					    entry_text(&changes->list[j], texts->arena));
	if (list.value)
		add_to_list(texts, edits, change, list, text);
	else
		add_member(texts, edits, change,
			   arena_printf(texts->arena, "\"%s\": [ %s ]", key_of(change), text));
}

/* --- replacing -------------------------------------------------------------------------------- */

static void make_setting(struct texts *texts, const struct change *change, struct edits *edits)
{
	const struct policy *policy = change->service->policy;
	struct place place = change->kind == CHANGE_SET_DNS	    ? policy->dns_place :
			     change->kind == CHANGE_SET_PROXY	    ? policy->proxy_place :
			     change->kind == CHANGE_SET_TRANSPARENT ? policy->transparent_place :
								      policy->mode_place;
	const char *value = change->kind == CHANGE_ENFORCE ? "\"enforce\"" :
			    change->value		   ? "true" :
							     "false";
	const char *key = key_of(change), *start;
	struct edit *edit;

	if (!place.line) {
		add_member(texts, edits, change,
			   arena_printf(texts->arena, "\"%s\": %s", key, value));
		return;
	}
	edit = add_edit(texts, edits, change, place);
	start = policy->text + edit->offset;
	edit->action = EDIT_REPLACE;
	edit->remove = arena_strndup(texts->arena, start, (size_t)(value_end(start) - start));
	edit->insert = value;
	edit->text = arena_printf(texts->arena, "\"%s\": %s", key, value);
	edit->where = arena_printf(texts->arena, "on line %u, instead of \"%s\": %s", place.line,
				   key, edit->remove);
}

/* --- removing --------------------------------------------------------------------------------- */

static struct place place_of(const struct change *change)
{
	const struct policy *policy = change->service->policy;

	if (change->kind == CHANGE_DROP_CONNECT)
		return policy->connect[change->line].place;
	if (change->kind == CHANGE_DROP_LISTEN)
		return policy->listen[change->line].place;
	if (change->kind == CHANGE_DROP_HOST)
		return policy->hosts[change->line].place;
	return policy->listen[change->line].from[change->user].place;
}

static bool is_dropped(const struct changes *changes, const struct change *like, struct place place)
{
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->list[i];

		if (c->kind == like->kind && c->service == like->service &&
		    same_place(place_of(c), place))
			return true;
	}
	return false;
}

/* An entry and those beside it; line 0 where there is none. */
struct neighbours {
	struct place before, behind;
	bool stays; /* some entry behind it does */
};

static struct neighbours find_neighbours(struct texts *texts, const struct changes *changes,
					 const struct change *change)
{
	struct neighbours found = { .stays = false };
	bool is_behind = false;

	for (struct cursor c = cursor_first(find_list(texts, change)); c.value && !found.stays;
	     c = cursor_next(c)) {
		struct place place = cursor_place(c);

		if (is_behind) {
			found.behind = found.behind.line ? found.behind : place;
			found.stays = !is_dropped(changes, change, place);
		} else if (same_place(place, place_of(change))) {
			is_behind = true;
		} else {
			found.before = place;
		}
	}
	return found;
}

/* With the comma between it and what stays: the one behind it, or, where nothing that stays comes
 * behind it, the one in front.
 */
static void make_removal(struct texts *texts, const struct changes *changes,
			 const struct change *change, struct edits *edits)
{
	const struct policy *policy = change->service->policy;
	const struct neighbours beside = find_neighbours(texts, changes, change);
	struct edit *edit = add_edit(texts, edits, change, place_of(change));
	const char *start = policy->text + edit->offset, *end = value_end(start);

	if (beside.stays)
		end = policy->text + offset_of(policy, beside.behind);
	else if (beside.before.line)
		start = value_end(policy->text + offset_of(policy, beside.before));
	edit->action = EDIT_REMOVE;
	edit->offset = (size_t)(start - policy->text);
	edit->remove = arena_strndup(texts->arena, start, (size_t)(end - start));
	edit->text = edit_excerpt(policy, edit->place, texts->arena);
	edit->where = arena_printf(texts->arena, "line %u", edit->place.line);
}

void edits_make(struct texts *texts, const struct changes *changes, struct edits *ret_edits)
{
	*ret_edits = (struct edits){ 0 };
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *change = &changes->list[i];

		switch ((enum change_kind)change->kind) {
		case CHANGE_ADD_CONNECT:
		case CHANGE_ADD_LISTEN:
		case CHANGE_ADD_FROM:
		case CHANGE_ADD_HOST:
			make_addition(texts, changes, i, ret_edits);
			break;
		case CHANGE_SET_DNS:
		case CHANGE_SET_PROXY:
		case CHANGE_SET_TRANSPARENT:
		case CHANGE_ENFORCE:
			make_setting(texts, change, ret_edits);
			break;
		case CHANGE_DROP_CONNECT:
		case CHANGE_DROP_LISTEN:
		case CHANGE_DROP_FROM:
		case CHANGE_DROP_HOST:
			make_removal(texts, changes, change, ret_edits);
			break;
		}
	}
}
