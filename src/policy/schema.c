/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.c - the key tables → JSON Schema and the key reference of the manual.
 *
 * Rows hold their schema with ' for ", which C strings would have to escape; none of them needs
 * a real '.
 */
#include "policy/schema.h"

#include <string.h>

static json_t *load_quoted(const char *text)
{
	AUTO(mem) char *copy = strdup(text);
	json_error_t error;
	json_t *value;

	if (!copy)
		abort();
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_loads(copy, JSON_DECODE_ANY, &error);
	if (!value) {
		fprintf(stderr, "uidwall: internal error: schema %s: %s\n", text, error.text);
		abort();
	}
	return value;
}

static json_t *table_schema(const struct key_table *table);

static json_t *type_schema(const struct value_type *type)
{
	json_t *object, *schema;

	if (!type->object)
		return load_quoted(type->schema);
	object = table_schema(type->object);
	if (!type->parse)
		return object;
	/* with its own parser: a list of such objects, but for the lists in it that say so */
	if (strncmp(type->expected, "a list", 6) != 0)
		return object;
	schema = json_object();
	json_object_set_new(schema, "type", json_string("array"));
	json_object_set_new(schema, "items", object);
	return schema;
}

static json_t *table_schema(const struct key_table *table)
{
	json_t *schema = json_object(), *properties = json_object(), *required = json_array();

	json_object_set_new(schema, "type", json_string("object"));
	json_object_set_new(schema, "additionalProperties", json_false());
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct key *key = &table->keys[i];
		json_t *property = type_schema(key->type);

		if (json_is_object(property))
			json_object_set_new(property, "description", json_string(key->help));
		json_object_set_new(properties, key->name, property);
		if (key->flags & KEY_REQUIRED)
			json_array_append_new(required, json_string(key->name));
	}
	json_object_set_new(schema, "properties", properties);
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	if (table->schema_extra) {
		AUTO(mem) char *text = NULL;
		json_t *extra;

		if (asprintf(&text, "{%s}", table->schema_extra) < 0)
			abort();
		extra = load_quoted(text);
		json_object_update(schema, extra);
		json_decref(extra);
	}
	return schema;
}

void schema_write(const struct key_table *table, const char *title, FILE *out)
{
	json_t *schema = table_schema(table);

	json_object_set_new(schema, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string(title));
	json_dumpf(schema, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(schema);
}

static void write_mdoc_text(const char *text, FILE *out)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			fputs("\\e", out);
		else
			fputc(*p, out);
	}
}

void schema_write_manual(const struct key_table *table, FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct key *key = &table->keys[i];

		fprintf(out, ".It Li %s\n", key->name);
		write_mdoc_text(key->help, out);
		fputs(".\n", out);
		if (!(key->flags & KEY_IGNORED)) {
			fputs("Expected: ", out);
			write_mdoc_text(key->type->expected, out);
			fputs(".\n", out);
		}
		if (key->fallback) {
			fputs("Default: ", out);
			write_mdoc_text(key->fallback, out);
			fputs(".\n", out);
		}
		if (key->type->object)
			schema_write_manual(key->type->object, out);
	}
	fputs(".El\n", out);
}
