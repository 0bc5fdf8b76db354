/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - how the verbs talk: messages, colours, tables, numbers and dates in words, JSON.
 *
 * Nothing that came from a file or from the daemon reaches a terminal without printable(): an
 * escape sequence in a policy could otherwise forge what the administrator reads.
 */
#include "cli/output.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 4096 };

/* --- terminals -------------------------------------------------------------------------------- */

bool is_terminal(FILE *out)
{
	const char *term = getenv("TERM");

	return isatty(fileno(out)) && term && *term && strcmp(term, "dumb") != 0;
}

/* https://no-color.org: set and not empty. */
struct style style_of(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	if (!is_terminal(out) || (no_color && *no_color))
		return (struct style){ false, "", "", "", "", "", "", "" };
	return (struct style){ true,	   "\033[1m",	 "\033[2m",	  "\033[1;31m",
			       "\033[32m", "\033[1;33m", "\033[1;37;41m", "\033[0m" };
}

/* --- messages --------------------------------------------------------------------------------- */

PRINTF(2, 0) static void say_va(struct cli *cli, const char *format, va_list args)
{
	(void)cli;
	fflush(stdout); /* where both go to the same place, in the order of events */
	fputs("uidwall: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void say(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_va(cli, format, args);
	va_end(args);
}

enum cli_status bad_use(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_va(cli, format, args);
	va_end(args);
	return CLI_BAD_USE;
}

enum cli_status fail(struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_va(cli, format, args);
	va_end(args);
	return CLI_FINDINGS;
}

const char *printable(struct cli *cli, const char *text)
{
	return text_printable(cli->arena, text, strlen(text), TEXT_MAX);
}

/* --- words ------------------------------------------------------------------------------------ */

const char *count_words(struct cli *cli, json_int_t n, const char *one, const char *many)
{
	return arena_printf(cli->arena, "%lld %s", (long long)n, n == 1 ? one : many);
}

static const char *ago_words(struct cli *cli, json_int_t seconds)
{
	static const struct {
		json_int_t up_to, unit;
		const char *word;
	} units[] = {
		{ 120, 1, "s" },
		{ 7200, 60, "min" },
		{ 172800, 3600, "h" },
		{ 0, 86400, "days" },
	};
	size_t i = 0;

	if (seconds < 0)
		return "in the future: is the clock right?";
	while (units[i].up_to && seconds >= units[i].up_to)
		i++;
	return arena_printf(cli->arena, "%lld %s ago", (long long)(seconds / units[i].unit),
			    units[i].word);
}

const char *date_words(struct cli *cli, json_int_t seconds)
{
	time_t moment = (time_t)seconds;
	char text[64] = "?";
	struct tm tm;

	if (seconds <= 0)
		return "never";
	if (localtime_r(&moment, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return arena_printf(cli->arena, "%s (%s)", text,
			    ago_words(cli, (json_int_t)time(NULL) - seconds));
}

const char *duration_words(struct cli *cli, json_int_t us)
{
	if (us < 1000000)
		return arena_printf(cli->arena, "%.*f ms", us < 1000 ? 2 : us < 10000,
				    (double)us / 1000);
	return arena_printf(cli->arena, "%.1f s", (double)us / 1000000);
}

const char *bytes_words(struct cli *cli, json_int_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 1024)
		return count_words(cli, bytes, "byte", "bytes");
	for (value /= 1024; value >= 1024 && i + 1 < ARRAY_SIZE(units); value /= 1024)
		i++;
	return arena_printf(cli->arena, "%.1f %s", value, units[i]);
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Characters, not bytes. */
static size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void cell_print(const struct cell *cell, size_t width, bool is_last, FILE *out)
{
	int padding = (int)(width - text_width(cell->text));

	if (cell->right)
		fprintf(out, "%*s", padding, "");
	if (cell->style && *cell->style)
		fprintf(out, "%s%s\033[0m", cell->style, cell->text);
	else
		fputs(cell->text, out);
	if (!is_last)
		fprintf(out, "%*s", cell->right ? 2 : padding + 2, "");
}

void table_print(const struct cell *cells, size_t n_columns, size_t n_rows, const char *indent,
		 FILE *out)
{
	AUTO(mem) size_t *widths = calloc(n_columns, sizeof(*widths));

	if (!widths)
		abort();
	for (size_t i = 0; i < n_columns * n_rows; i++)
		if (text_width(cells[i].text) > widths[i % n_columns])
			widths[i % n_columns] = text_width(cells[i].text);
	for (size_t row = 0; row < n_rows; row++) {
		fputs(indent, out);
		for (size_t i = 0; i < n_columns; i++)
			cell_print(&cells[row * n_columns + i], widths[i], i + 1 == n_columns, out);
		fputc('\n', out);
	}
}

/* --- JSON ------------------------------------------------------------------------------------- */

void json_print(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

json_t *json_text(struct cli *cli, const char *text)
{
	json_t *value = text ? json_string(text) : json_null();

	return value ? value :
		       json_string(text_printable(cli->arena, text, strlen(text), SIZE_MAX));
}

json_t *json_from_diags(struct cli *cli, const struct diags *diags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *d = &diags->list[i];

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:i, s:i, s:o, s:o, s:i}", "severity",
					diag_severity_name(d->severity), "file",
					json_text(cli, d->place.file), "line", (int)d->place.line,
					"column", (int)d->place.column, "message",
					json_text(cli, d->message), "excerpt",
					json_text(cli, d->excerpt), "caret", (int)d->caret));
	}
	return list;
}

const char *get_text(struct cli *cli, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? printable(cli, text) : "";
}

json_int_t get_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool get_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

void diag_from_json(struct cli *cli, const json_t *entry, struct diags *ret_diags)
{
	const char *severity = get_text(cli, entry, "severity");
	const char *file = get_text(cli, entry, "file");
	struct place place = { *file ? file : NULL, (uint32_t)get_number(entry, "line"),
			       (uint32_t)get_number(entry, "column") };
	json_int_t caret = get_number(entry, "caret");
	enum diag_severity s = DIAG_ERROR;
	struct diag *diag;

	if (strcmp(severity, diag_severity_name(DIAG_WARNING)) == 0)
		s = DIAG_WARNING;
	else if (strcmp(severity, diag_severity_name(DIAG_NOTE)) == 0)
		s = DIAG_NOTE;
	diag_add(ret_diags, s, place, "%s", get_text(cli, entry, "message"));
	diag = &ret_diags->list[ret_diags->n - 1];
	if (!json_is_string(json_object_get(entry, "excerpt")))
		return;
	diag->excerpt = arena_strdup(ret_diags->arena, get_text(cli, entry, "excerpt"));
	diag->caret = caret > 0 && caret <= TEXT_MAX ? (uint32_t)caret : 0;
}

void diags_from_json(struct cli *cli, const json_t *list, struct diags *ret_diags)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		diag_from_json(cli, entry, ret_diags);
}
