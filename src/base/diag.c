/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.c - gather messages, print them like a compiler does. */
#include "base/diag.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum { EXCERPT_MAX = 160, SUGGEST_MAX = 64 };

void diags_init(struct diags *diags)
{
	*diags = (struct diags){ .arena = arena_new() };
}

void diags_done(struct diags *diags)
{
	arena_free(diags->arena);
	*diags = (struct diags){ 0 };
}

const char *diag_severity_name(enum diag_severity severity)
{
	static const char *const names[] = { "error", "warning", "note" };

	return names[severity];
}

/* The length of a valid UTF-8 sequence of printable characters at s, or 0. C1 controls count as
 * unprintable: terminals obey them.
 */
static size_t printable_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code;

	if (length == 1)
		return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
	if (!length || length > n || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < 0xa0 || (length == 3 && code < 0x800) || (length == 4 && code < 0x10000))
		return 0;
	/* surrogates; bidirectional overrides and zero-width characters, which forge lines too */
	if ((code >= 0xd800 && code <= 0xdfff) || (code >= 0x200b && code <= 0x200f) ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
	    code == 0xfeff || code > 0x10ffff)
		return 0;
	return length;
}

const char *text_printable(struct arena *arena, const char *text, size_t n, size_t max)
{
	char *out = arena_alloc(arena, (n < max ? n : max) * 4 + 4);
	size_t o = 0, i = 0;

	while (i < n && i < max) {
		size_t length = printable_length((const unsigned char *)text + i, n - i);

		if (length) {
			memcpy(out + o, text + i, length);
			o += length;
			i += length;
		} else {
			o += (size_t)sprintf(out + o, "\\x%02x", (unsigned char)text[i]);
			i++;
		}
	}
	if (i < n)
		strcpy(out + o, "...");
	return out;
}

bool diags_full(const struct diags *diags)
{
	return diags->bound && diags->n >= diags->bound;
}

/* NULL: it is hidden. */
static struct diag *diag_append(struct diags *diags, enum diag_severity severity,
				struct place place)
{
	struct diag *diag;

	if (severity == DIAG_ERROR)
		diags->n_errors++;
	if (severity == DIAG_WARNING)
		diags->n_warnings++;
	if (diags_full(diags)) {
		diags->n_hidden++;
		return NULL;
	}
	diag = ARENA_APPEND(diags->arena, diags->list, diags->n);
	diag->severity = severity;
	diag->place = place;
	if (place.file)
		diag->place.file =
			text_printable(diags->arena, place.file, strlen(place.file), 4096);
	return diag;
}

static const char *format_message(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	int n;
	char *text;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		abort();
	text = arena_alloc(arena, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, format, args);
	return text;
}

int diag_add(struct diags *diags, enum diag_severity severity, struct place place,
	     const char *format, ...)
{
	struct diag *diag = diag_append(diags, severity, place);
	va_list args;

	va_start(args, format);
	if (diag)
		diag->message = format_message(diags->arena, format, args);
	va_end(args);
	return severity == DIAG_ERROR ? -EINVAL : 0;
}

/* Cuts the line of the place out of the text: a window around the column where it is long. */
static void set_excerpt(struct diags *diags, struct diag *diag, const char *text, size_t length)
{
	const char *start = text, *end = text + length, *line_end;
	const char *before, *after;
	size_t column = diag->place.column ? diag->place.column - 1 : 0;

	for (uint32_t line = 1; line < diag->place.line; line++) {
		start = memchr(start, '\n', (size_t)(end - start));
		if (!start)
			return;
		start++;
	}
	line_end = memchr(start, '\n', (size_t)(end - start));
	if (!line_end)
		line_end = end;
	if (line_end > start && line_end[-1] == '\r')
		line_end--;
	if (line_end == start)
		return; /* nothing to show */
	if (column > (size_t)(line_end - start))
		column = (size_t)(line_end - start);
	if (column > EXCERPT_MAX / 2) {
		size_t skip = column - EXCERPT_MAX / 2;

		start += skip;
		column -= skip;
		while (column && ((unsigned char)*start & 0xc0) == 0x80) {
			start++;
			column--;
		}
	} else {
		while (start < line_end && column && (*start == ' ' || *start == '\t')) {
			start++;
			column--;
		}
	}
	before = text_printable(diags->arena, start, column, column);
	after = text_printable(diags->arena, start + column, (size_t)(line_end - start) - column,
			       EXCERPT_MAX - column);
	diag->excerpt = arena_printf(diags->arena, "%s%s", before, after);
	/* The caret counts characters, not bytes. */
	diag->caret = 1;
	for (const char *p = before; *p; p++)
		diag->caret += ((unsigned char)*p & 0xc0) != 0x80;
}

int diag_add_in(struct diags *diags, enum diag_severity severity, struct place place,
		const char *text, size_t length, const char *format, ...)
{
	struct diag *diag = diag_append(diags, severity, place);
	va_list args;

	va_start(args, format);
	if (diag)
		diag->message = format_message(diags->arena, format, args);
	va_end(args);
	if (diag && text && place.line)
		set_excerpt(diags, diag, text, length);
	return severity == DIAG_ERROR ? -EINVAL : 0;
}

struct sort_entry {
	struct diag diag;
	size_t position;
};

/* What is said about a file as a whole comes first, but for what is said about the other messages.
 */
static uint32_t line_of(const struct diag *diag)
{
	return !diag->place.line && diag->severity == DIAG_NOTE ? UINT32_MAX : diag->place.line;
}

static int compare_entries(const void *a, const void *b)
{
	const struct sort_entry *x = a, *y = b;
	int r = strcmp(x->diag.place.file ? x->diag.place.file : "",
		       y->diag.place.file ? y->diag.place.file : "");

	if (r)
		return r;
	if (line_of(&x->diag) != line_of(&y->diag))
		return line_of(&x->diag) < line_of(&y->diag) ? -1 : 1;
	if (x->diag.place.column != y->diag.place.column)
		return x->diag.place.column < y->diag.place.column ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

void diags_sort(struct diags *diags)
{
	struct sort_entry *entries = arena_alloc(diags->arena, diags->n * sizeof(*entries));

	for (size_t i = 0; i < diags->n; i++)
		entries[i] = (struct sort_entry){ diags->list[i], i };
	qsort(entries, diags->n, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < diags->n; i++)
		diags->list[i] = entries[i].diag;
}

void diag_print(const struct diag *diag, FILE *out, bool colour)
{
	static const char *const colours[] = { "\033[1;31m", "\033[1;35m", "\033[1;36m" };
	const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";

	fputs(bold, out);
	if (diag->place.file) {
		fprintf(out, "%s:", diag->place.file);
		if (diag->place.line)
			fprintf(out, "%u:%u:", diag->place.line, diag->place.column);
		fputc(' ', out);
	}
	fprintf(out, "%s%s:%s %s\n", colour ? colours[diag->severity] : "",
		diag_severity_name(diag->severity), plain, diag->message);
	if (!diag->excerpt)
		return;
	fprintf(out, "    %s\n", diag->excerpt);
	if (diag->caret)
		fprintf(out, "    %*s%s^%s\n", (int)diag->caret - 1, "", colour ? "\033[1;32m" : "",
			plain);
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Damerau-Levenshtein distance (optimal string alignment): a transposition is one mistake. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t n_a = strlen(a), n_b = strlen(b);

	for (size_t j = 0; j <= n_b; j++)
		last[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		now[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t best = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[n_b];
}

const char *text_suggest(const char *found, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t length = strlen(found), limit = length < 3 ? 1 : length / 3;

	if (length > SUGGEST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t distance;

		if (strlen(words[i]) > SUGGEST_MAX)
			continue;
		distance = edit_distance(found, words[i]);
		if (distance <= limit && distance < strlen(words[i])) {
			best = words[i];
			if (distance == 0)
				break;
			limit = distance - 1;
			if (distance == 1)
				limit = 0;
		}
	}
	return best;
}
