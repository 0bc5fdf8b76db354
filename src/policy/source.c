/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - a file's bytes → a JSON tree in which every value knows its place.
 *
 * jansson reads the text and judges it; it keeps no positions. A second walk over the same, by
 * then valid, text notes where each value starts, and finds the duplicate keys that jansson
 * silently merges.
 */
#include "policy/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FOUND_MAX = 60,
	DUPLICATES_MAX = 20,
	SALVAGE_MAX = 1000, /* members of one name */
};

struct node {
	const json_t *value;
	const char *key; /* of an object's member, else NULL */
	uint32_t start;	 /* offset in the text */
	uint32_t key_start;
	uint32_t end;	 /* index of the first node behind this one and all below it */
	uint32_t parent; /* index; the root is its own */
	bool is_hidden;	 /* by another member with the same key */
};

struct document {
	struct source source;
	struct arena *arena; /* the parsers' */
	struct arena *scratch;
	json_t *root;
	struct node *nodes; /* in the order of the text */
	size_t n_nodes;
	uint32_t *lines; /* offsets of the starts of lines */
	size_t n_lines;
};

/* --- reading ---------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static int check_file(const struct stat *st, uid_t owner, size_t max, struct place place,
		      struct diags *diags)
{
	if (!S_ISREG(st->st_mode))
		return diag_add(diags, DIAG_ERROR, place, "expected a regular file, found %s",
				S_ISDIR(st->st_mode)  ? "a folder" :
				S_ISFIFO(st->st_mode) ? "a pipe" :
							"a special file");
	if (st->st_uid != 0 && st->st_uid != owner)
		return diag_add(diags, DIAG_ERROR, place,
				"the file belongs to uid %u and could be changed by it; expected "
				"root (chown root)",
				st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return diag_add(diags, DIAG_ERROR, place,
				"others may write the file (mode %04o); expected only its owner "
				"(chmod go-w)",
				st->st_mode & 07777);
	if ((size_t)st->st_size > max)
		return diag_add(diags, DIAG_ERROR, place,
				"the file is too large (%lld bytes); expected at most %zu",
				(long long)st->st_size, max);
	return 0;
}

/* Since it was looked at first: written over in place, it may be half the one and half the other.
 */
static bool has_changed(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) < 0 || now.st_size != before->st_size ||
	       now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

int source_read(const char *path, uid_t owner, size_t max, struct arena *arena,
		struct source *ret_source, struct diags *diags)
{
	struct place place = { .file = path };
	size_t length = 0, capacity;
	AUTO(fd) int fd = -1;
	struct stat st;
	char *text;
	int r;

	/* Opening a device may do something: rewind a tape, load a module. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return check_file(&st, owner, max, place, diags);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		diag_add(diags, DIAG_ERROR, place, "cannot read the file: %s",
			 r == -ENOENT && lstat(path, &st) == 0 ? "a symbolic link to nothing" :
								 strerror(-r));
		return r;
	}
	r = check_file(&st, owner, max, place, diags);
	if (r < 0)
		return r;
	capacity = (size_t)st.st_size + 1; /* one more byte notices growth */
	text = arena_alloc(arena, capacity);
	while (length < capacity) {
		ssize_t n = read(fd, text + length, capacity - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = -errno;
			diag_add(diags, DIAG_ERROR, place, "cannot read the file: %s",
				 strerror(-r));
			return r;
		}
		if (n == 0)
			break;
		length += (size_t)n;
	}
	if (length != (size_t)st.st_size || has_changed(fd, &st))
		return diag_add(diags, DIAG_ERROR, place,
				"the file changed while it was read; try again");
	text[length] = '\0';
	*ret_source = (struct source){ .path = path,
				       .file = base_name(path),
				       .text = text,
				       .length = length,
				       .device = st.st_dev,
				       .inode = st.st_ino };
	return 0;
}

/* --- places ----------------------------------------------------------------------------------- */

static void index_lines(struct document *document)
{
	const char *text = document->source.text, *end = text + document->source.length;

	*ARENA_APPEND(document->scratch, document->lines, document->n_lines) = 0;
	for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		*ARENA_APPEND(document->scratch, document->lines, document->n_lines) =
			(uint32_t)(p + 1 - text);
}

static struct place offset_place(const struct document *document, uint32_t offset)
{
	size_t low = 0, high = document->n_lines;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (document->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return (struct place){ document->source.path, (uint32_t)low + 1,
			       offset - document->lines[low] + 1 };
}

/* --- the walk --------------------------------------------------------------------------------- */

struct walk {
	struct document *document;
	const char *text;
	uint32_t at;
	struct diags *diags;
	unsigned n_duplicates;
};

static void skip_space(struct walk *w)
{
	while (strchr(" \t\n\r", w->text[w->at]) && w->text[w->at])
		w->at++;
}

static void skip_string(struct walk *w)
{
	for (w->at++; w->text[w->at] != '"'; w->at++)
		if (w->text[w->at] == '\\')
			w->at++;
	w->at++;
}

/* The string that starts here, decoded; NULL where that fails (out of memory). */
static const char *read_key(struct walk *w)
{
	struct arena *scratch = w->document->scratch;
	uint32_t start = w->at;
	json_t *decoded;
	const char *key;

	skip_string(w);
	if (!memchr(w->text + start, '\\', w->at - start))
		return arena_strndup(scratch, w->text + start + 1, w->at - start - 2);
	decoded = json_loadb(w->text + start, w->at - start, JSON_DECODE_ANY, NULL);
	key = arena_strdup(scratch, decoded ? json_string_value(decoded) : "");
	json_decref(decoded);
	return key;
}

static void report_duplicate(struct walk *w, const struct node *first, const struct node *again)
{
	if (w->n_duplicates++ >= DUPLICATES_MAX)
		return;
	diag_add_in(w->diags, DIAG_ERROR, offset_place(w->document, again->key_start), w->text,
		    w->document->source.length,
		    "duplicate key \"%s\": it already stands on line %u; expected it once",
		    text_printable(w->diags->arena, again->key, strlen(again->key), FOUND_MAX),
		    offset_place(w->document, first->key_start).line);
}

static int compare_keys(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	int r = strcmp(x->key, y->key);

	return r ? r : x->start < y->start ? -1 : x->start > y->start;
}

/* Of several members with one key, jansson keeps the last, and so do cursors. */
static void find_duplicates(struct walk *w, uint32_t self)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct node *nodes = w->document->nodes, **members = NULL, *first = NULL;
	size_t n = 0;

	for (uint32_t i = self + 1; i < w->document->n_nodes; i = nodes[i].end)
		*ARENA_APPEND(scratch, members, n) = &nodes[i];
	if (!members)
		return;
	qsort(members, n, sizeof(struct node *), compare_keys);
	for (size_t i = 0; i < n; i++) {
		if (!first || strcmp(first->key, members[i]->key) != 0) {
			first = members[i];
			continue;
		}
		members[i - 1]->is_hidden = true;
		report_duplicate(w, first, members[i]);
	}
}

static void walk_value(struct walk *w, const json_t *value, uint32_t parent, const char *key,
		       uint32_t key_start);

static void walk_members(struct walk *w, const json_t *value, uint32_t self)
{
	size_t n = 0;

	for (w->at++, skip_space(w); w->text[w->at] != '}'; skip_space(w)) {
		uint32_t start = w->at;
		const char *key = read_key(w);

		skip_space(w);
		w->at++; /* the colon */
		walk_value(w, json_object_get(value, key), self, key, start);
		n++;
		skip_space(w);
		if (w->text[w->at] == ',')
			w->at++;
	}
	w->at++;
	if (n != json_object_size(value))
		find_duplicates(w, self);
}

static void walk_elements(struct walk *w, const json_t *value, uint32_t self)
{
	size_t i = 0;

	for (w->at++, skip_space(w); w->text[w->at] != ']'; skip_space(w)) {
		walk_value(w, json_array_get(value, i++), self, NULL, 0);
		skip_space(w);
		if (w->text[w->at] == ',')
			w->at++;
	}
	w->at++;
}

/* The text says what is walked: below a duplicate key, value is another one's or NULL. */
static void walk_value(struct walk *w, const json_t *value, uint32_t parent, const char *key,
		       uint32_t key_start)
{
	struct document *document = w->document;
	uint32_t self = (uint32_t)document->n_nodes;
	struct node *node = ARENA_APPEND(document->scratch, document->nodes, document->n_nodes);

	skip_space(w);
	*node = (struct node){ value, key, w->at, key_start, 0, parent, false };
	switch (w->text[w->at]) {
	case '{':
		walk_members(w, value, self);
		break;
	case '[':
		walk_elements(w, value, self);
		break;
	case '"':
		skip_string(w);
		break;
	default: /* a number or a literal */
		while (!strchr(",]} \t\r\n", w->text[w->at]))
			w->at++;
	}
	document->nodes[self].end = (uint32_t)document->n_nodes;
}

/* --- syntax errors ---------------------------------------------------------------------------- */

static bool is_white(char c)
{
	return c && strchr(" \t\r\n", c);
}

/* What a person probably did, judged by the character that jansson stumbled over. */
static const char *syntax_hint(const char *text, size_t offset, bool key)
{
	static const char *const curly[] = { "\u201c", "\u201d", "\u2018", "\u2019" };
	size_t before = offset;
	char found = text[offset];

	while (before && is_white(text[before - 1]))
		before--;
	if (found == '/' || found == '#')
		return "; JSON has no comments, use the key \"comment\"";
	if (found == '\'')
		return "; strings are written in double quotes";
	for (size_t i = 0; i < ARRAY_SIZE(curly); i++)
		if (strncmp(text + offset, curly[i], strlen(curly[i])) == 0)
			return "; strings are written in straight double quotes";
	if (before && text[before - 1] == ',' && (found == '}' || found == ']'))
		return "; remove the comma before it";
	if (before && strchr("\"}]0123456789el", text[before - 1]) &&
	    (found == '"' || found == '{' || found == '['))
		return "; a comma or a colon is missing before it";
	if (key && isalpha((unsigned char)found))
		return "; keys are written in double quotes";
	if (isalpha((unsigned char)found) && before == offset - 1)
		return "; words other than true, false and null are written in double quotes";
	return "";
}

/* Where the mistake is: jansson counts to the end of what it read. */
static size_t syntax_offset(const struct source *source, const json_error_t *error)
{
	const char *text = source->text, *near = strstr(error->text, " near '");
	size_t offset = (size_t)error->position, token;

	if (offset > source->length)
		offset = source->length;
	if (near) { /* it quotes the token */
		token = strlen(near + strlen(" near '")) - 1;
		offset -= token <= offset ? token : 0;
	} else if (strncmp(error->text, "too big", 7) == 0) {
		while (offset &&
		       (isdigit((unsigned char)text[offset - 1]) || text[offset - 1] == '-'))
			offset--;
	} else if (strstr(error->text, "end of file")) {
		while (offset && is_white(text[offset - 1]))
			offset--;
	}
	return offset;
}

static int report_syntax(struct document *document, const json_error_t *error, struct diags *diags)
{
	const struct source *source = &document->source;
	size_t offset = syntax_offset(source, error), length = source->length;
	const char *message, *hint = "";

	if (length >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0) {
		message = "the file starts with a byte order mark; expected UTF-8 without one";
	} else if (memchr(source->text, '\0', length)) {
		message = "the file holds a NUL byte; expected UTF-8 text";
	} else if (strspn(source->text, " \t\r\n") == length) {
		return diag_add(diags, DIAG_ERROR, (struct place){ .file = source->path },
				"the file is empty; expected a JSON object");
	} else if (strstr(error->text, "JSON_ALLOW_NUL")) {
		message = "a string holds \\u0000; expected text";
	} else {
		message = text_printable(diags->arena, error->text, strlen(error->text), 200);
		if (strncmp(error->text, "end of file", 11) != 0 ||
		    strchr("/#", source->text[offset]))
			hint = syntax_hint(source->text, offset,
					   strncmp(error->text, "string or", 9) == 0);
	}
	return diag_add_in(diags, DIAG_ERROR, offset_place(document, (uint32_t)offset),
			   source->text, length, "not valid JSON: %s%s", message, hint);
}

/* Without memory jansson calls any text wrong, and a policy would be what it was before although
 * nothing is wrong with it. So it is given memory as arenas are.
 */
static void *alloc_or_abort(size_t n)
{
	void *p = malloc(n);

	if (!p)
		abort();
	return p;
}

int document_parse(const struct source *source, struct arena *arena, struct document **ret_document,
		   struct diags *diags)
{
	AUTO(document) struct document *document = calloc(1, sizeof(*document));
	struct walk walk = { .document = document, .text = source->text, .diags = diags };
	const char *nul = memchr(source->text, '\0', source->length);
	json_error_t error;

	json_set_alloc_funcs(alloc_or_abort, free);
	if (!document)
		abort();
	document->source = *source;
	document->arena = arena;
	document->scratch = arena_new();
	index_lines(document);
	/* jansson 2.14 reads over a NUL byte behind a number; the walk would lose its way there. */
	if (nul)
		error = (json_error_t){ .position = (int)(nul - source->text) };
	else
		document->root = json_loadb(source->text, source->length, JSON_DECODE_ANY, &error);
	if (!document->root)
		return report_syntax(document, &error, diags);
	walk_value(&walk, document->root, 0, NULL, 0);
	*ret_document = TAKE(document);
	return walk.n_duplicates ? -EINVAL : 0;
}

void document_free(struct document *document)
{
	if (!document)
		return;
	json_decref(document->root);
	arena_free(document->scratch);
	free(document);
}

/* --- cursors ---------------------------------------------------------------------------------- */

static struct cursor cursor_at(const struct document *document, uint32_t node)
{
	return (struct cursor){ document, document->nodes[node].value, node };
}

struct cursor document_root(const struct document *document)
{
	return cursor_at(document, 0);
}

struct arena *cursor_arena(struct cursor at)
{
	return at.document->arena;
}

struct place cursor_place(struct cursor at)
{
	return offset_place(at.document, at.document->nodes[at.node].start);
}

struct place cursor_key_place(struct cursor at)
{
	return offset_place(at.document, at.document->nodes[at.node].key_start);
}

const char *cursor_key(struct cursor at)
{
	return at.document->nodes[at.node].key;
}

/* The node, or the next one beside it, that is not hidden. */
static struct cursor cursor_seen(const struct document *document, uint32_t node)
{
	const struct node *nodes = document->nodes;
	uint32_t end = nodes[nodes[node].parent].end;

	while (node < end && nodes[node].is_hidden)
		node = nodes[node].end;
	return node < end ? cursor_at(document, node) : (struct cursor){ 0 };
}

struct cursor cursor_first(struct cursor at)
{
	if (at.document->nodes[at.node].end == at.node + 1)
		return (struct cursor){ 0 };
	return cursor_seen(at.document, at.node + 1);
}

struct cursor cursor_next(struct cursor at)
{
	const struct node *nodes = at.document->nodes;
	uint32_t next = nodes[at.node].end;

	if (next >= nodes[nodes[at.node].parent].end)
		return (struct cursor){ 0 };
	return cursor_seen(at.document, next);
}

/* --- messages --------------------------------------------------------------------------------- */

static const char *format_va(struct arena *arena, const char *format, va_list args)
{
	AUTO(mem) char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return arena_strdup(arena, text);
}

int diag_expected(struct diags *diags, struct cursor at, const char *expected)
{
	AUTO(mem) char *found = NULL;
	const char *what;

	if (diags_full(diags))
		return diag_add(diags, DIAG_ERROR, cursor_place(at), "%s", expected);
	found = json_dumps(at.value, JSON_ENCODE_ANY | JSON_COMPACT);
	what = found ? found : "something too deep to show";

	return diag_at(diags, at, "expected %s, got %s", expected,
		       text_printable(diags->arena, what, strlen(what), FOUND_MAX));
}

int diag_at(struct diags *diags, struct cursor at, const char *format, ...)
{
	va_list args;
	const char *message;

	va_start(args, format);
	message = format_va(diags->arena, format, args);
	va_end(args);
	return diag_add_in(diags, DIAG_ERROR, cursor_place(at), at.document->source.text,
			   at.document->source.length, "%s", message);
}

int diag_at_key(struct diags *diags, struct cursor at, const char *format, ...)
{
	va_list args;
	const char *message;

	va_start(args, format);
	message = format_va(diags->arena, format, args);
	va_end(args);
	return diag_add_in(diags, DIAG_ERROR, cursor_key_place(at), at.document->source.text,
			   at.document->source.length, "%s", message);
}

/* --- salvage ---------------------------------------------------------------------------------- */

struct salvage {
	const struct source *source;
	struct place place; /* of the byte at `counted` */
	const char *counted;
	void (*found)(void *data, size_t key, const json_t *value, struct place place);
	void *data;
};

/* Offsets only ever grow, so the text is counted once. */
static struct place salvage_place(struct salvage *s, const char *at)
{
	for (; s->counted < at; s->counted++) {
		s->place.column++;
		if (*s->counted == '\n') {
			s->place.line++;
			s->place.column = 1;
		}
	}
	return s->place;
}

static void salvage_key(struct salvage *s, size_t key, const char *quoted)
{
	const char *p = s->source->text, *end = s->source->text + s->source->length;

	s->place = (struct place){ s->source->path, 1, 1 };
	s->counted = p;
	for (unsigned tries = 0; tries < SALVAGE_MAX; tries++) {
		json_t *value;

		p = memmem(p, (size_t)(end - p), quoted, strlen(quoted));
		if (!p)
			return;
		p += strlen(quoted);
		p += strspn(p, " \t\r\n");
		if (*p != ':')
			continue;
		p++;
		p += strspn(p, " \t\r\n");
		value = json_loadb(p, (size_t)(end - p), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK,
				   NULL);
		if (value)
			s->found(s->data, key, value, salvage_place(s, p));
		json_decref(value);
	}
}

void source_salvage(const struct source *source, const char *const *keys, size_t n_keys,
		    void (*found)(void *data, size_t key, const json_t *value, struct place place),
		    void *data)
{
	struct salvage s = { .source = source, .found = found, .data = data };

	for (size_t key = 0; key < n_keys; key++) {
		AUTO(mem) char *quoted = NULL;

		if (asprintf(&quoted, "\"%s\"", keys[key]) < 0)
			abort();
		salvage_key(&s, key, quoted);
	}
}
