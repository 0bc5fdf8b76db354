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

static int report_unknown(const struct key_table *table, struct cursor at, struct diags *diags)
{
	const char *found = cursor_key(at), *names[KEYS_MAX], *suggestion, *shown;
	char *list = arena_strdup(diags->arena, "");
	size_t n = 0;

	for (size_t i = 0; i < table->n_keys && n < KEYS_MAX; i++) {
		names[n++] = table->keys[i].name;
		list = arena_printf(diags->arena, "%s%s%s", list, i ? ", " : "",
				    table->keys[i].name);
	}
	shown = text_printable(diags->arena, found, strlen(found), SHOWN_MAX);
	suggestion = text_suggest(found, names, n);
	if (suggestion)
		return diag_at_key(diags, at, "unknown key \"%s\" in %s; did you mean \"%s\"?",
				   shown, table->name, suggestion);
	return diag_at_key(diags, at, "unknown key \"%s\" in %s; expected one of: %s", shown,
			   table->name, list);
}

static int parse_member(const struct key *key, struct cursor at, char *ret, struct diags *diags)
{
	struct place place = cursor_place(at);

	if (key->place_offset != KEY_NO_PLACE)
		memcpy(ret + key->place_offset, &place, sizeof(place));
	if (key->type->parse)
		return key->type->parse(at, ret + key->offset, diags);
	return keys_parse(key->type->object, at, ret + key->offset, diags);
}

int keys_parse(const struct key_table *table, struct cursor at, void *ret, struct diags *diags)
{
	int r = 0;

	if (!json_is_object(at.value))
		return diag_expected(diags, at,
				     arena_printf(diags->arena, "an object: %s", table->name));
	for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c)) {
		const struct key *key = find_key(table, cursor_key(c));

		if (!key)
			r = report_unknown(table, c, diags);
		else if (!(key->flags & KEY_IGNORED) && parse_member(key, c, ret, diags) < 0)
			r = -EINVAL;
	}
	for (size_t i = 0; i < table->n_keys; i++)
		if (table->keys[i].flags & KEY_REQUIRED &&
		    !keys_find(at, table->keys[i].name).value)
			r = diag_at(diags, at, "missing key \"%s\" in %s; expected %s",
				    table->keys[i].name, table->name,
				    table->keys[i].type->expected);
	return r;
}

int list_check(struct cursor at, const char *expected, size_t *ret_n, struct diags *diags)
{
	if (!json_is_array(at.value))
		return diag_expected(diags, at, expected);
	*ret_n = json_array_size(at.value);
	return 0;
}
