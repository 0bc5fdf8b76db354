/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.c - an object and the table of its keys → a struct. */
#include "policy/keys.h"

#include <errno.h>
#include <string.h>

enum { KEYS_MAX = 32, SHOWN_MAX = 60 };

static const struct key *find_key(const struct key_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];
	return NULL;
}

struct cursor keys_find(struct cursor at, const char *key)
{
	if (json_is_object(at.value))
		for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
			if (strcmp(cursor_key(c), key) == 0)
				return c;
	return (struct cursor){ 0 };
}

static const char *suggest_key(const struct key_table *table, const char *found)
{
	const char *names[KEYS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < table->n_keys && n < KEYS_MAX; i++)
		names[n++] = table->keys[i].name;
	return text_suggest(found, names, n);
}

static int report_unknown(const struct key_table *table, struct cursor at, struct diags *diags)
{
	const char *found = cursor_key(at);
	const char *suggestion = diags_full(diags) ? NULL : suggest_key(table, found);
	const char *shown = text_printable(diags->arena, found, strlen(found), SHOWN_MAX);
	char *list = arena_strdup(diags->arena, "");

	if (diags_full(diags))
		return diag_at_key(diags, at, "%s", shown);
	if (suggestion)
		return diag_at_key(diags, at, "unknown key \"%s\" in %s; did you mean \"%s\"?",
				   shown, table->name, suggestion);
	for (size_t i = 0; i < table->n_keys; i++)
		list = arena_printf(diags->arena, "%s%s%s", list, i ? ", " : "",
				    table->keys[i].name);
	return diag_at_key(diags, at, "unknown key \"%s\" in %s; expected one of: %s", shown,
			   table->name, list);
}

bool keys_mention(const struct key_table *table, struct cursor at, const char *key)
{
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c)) {
		const char *meant = cursor_key(c);

		if (!find_key(table, meant))
			meant = suggest_key(table, meant);
		if (meant && strcmp(meant, key) == 0)
			return true;
	}
	return false;
}

static int parse_member(const struct key *key, struct cursor at, char *ret, struct diags *diags)
{
	struct place place = cursor_place(at);

	if (key->place_offset != KEY_NO_PLACE)
		memcpy(ret + key->place_offset, &place, sizeof(place));
	if (key->type->parse)
		return key->type->parse(at, ret + key->offset, diags);
	if (!json_is_object(at.value))
		return diag_expected(diags, at, key->type->expected);
	return keys_parse(key->type->object, at, ret + key->offset, diags);
}

int keys_parse(const struct key_table *table, struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_object(at.value))
		return diag_expected(diags, at,
				     arena_printf(diags->arena, "an object, %s", table->name));
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c)) {
		const struct key *key = find_key(table, cursor_key(c));

		if (!key)
			r = report_unknown(table, c, diags);
		else if (!(key->flags & KEY_IGNORED) && parse_member(key, c, ret, diags) < 0)
			r = -EINVAL;
	}
	for (size_t i = 0; i < table->n_keys; i++)
		if (table->keys[i].flags & KEY_REQUIRED &&
		    !keys_mention(table, at, table->keys[i].name))
			r = diag_at(diags, at, "missing key \"%s\" in %s; expected %s",
				    table->keys[i].name, table->name,
				    table->keys[i].type->expected);
	return r;
}
