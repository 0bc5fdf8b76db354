/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - a file's bytes → a JSON tree in which every value knows its place.
 *
 * A cursor is a JSON value with its place, so no parser can report a mistake without saying where.
 */
#ifndef UIDWALL_POLICY_SOURCE_H
#define UIDWALL_POLICY_SOURCE_H

#include <jansson.h>
#include <sys/types.h>

#include "base/diag.h"

struct source {
	const char *path; /* as opened; what messages show */
	const char *file; /* without folder */
	const char *text; /* NUL-terminated; holds no other NUL once it is valid JSON */
	size_t length;
	dev_t device; /* which file it was */
	ino_t inode;
};

/* Reads a regular file of at most max bytes that belongs to root or to owner and that nobody else
 * may write. Never blocks (a FIFO is refused). Everything lives in the arena. -errno with diags,
 * also for a file that changed while it was read.
 */
int source_read(const char *path, uid_t owner, size_t max, struct arena *arena,
		struct source *ret_source, struct diags *diags);

struct document;

struct cursor {
	const struct document *document;
	const json_t *value;
	uint32_t node;
};

/* Parses the text, reporting syntax errors and duplicate keys (-EINVAL). Of text with duplicate
 * keys there is a document all the same, in which the last one counts, so that other mistakes can
 * be found. `arena` is for what parsers keep; the document itself is freed by document_free().
 */
int document_parse(const struct source *source, struct arena *arena, struct document **ret_document,
		   struct diags *diags);
void document_free(struct document *document);
DEFINE_CLEANUP(document, struct document *, document_free)

struct cursor document_root(const struct document *document);
struct arena *cursor_arena(struct cursor at);
struct place cursor_place(struct cursor at);
struct place cursor_key_place(struct cursor at); /* of its key, for a member of an object */
const char *cursor_key(struct cursor at);	 /* NULL: not a member */

/* The members or elements in the order of the text:
 *     for (struct cursor c = cursor_first(at); c.value; c = cursor_next(c))
 */
struct cursor cursor_first(struct cursor at);
struct cursor cursor_next(struct cursor at);

/* Messages with their line of text. All return -EINVAL. diag_expected() says what was found. */
int diag_expected(struct diags *diags, struct cursor at, const char *expected);
int diag_at(struct diags *diags, struct cursor at, const char *format, ...) PRINTF(3, 4);
int diag_at_key(struct diags *diags, struct cursor at, const char *format, ...) PRINTF(3, 4);

/* Looks into text that is not valid JSON for members of these names and hands the value of each
 * that can be read to `found`. For files with a syntax error, of which as much as possible is to
 * be known.
 */
void source_salvage(const struct source *source, const char *const *keys, size_t n_keys,
		    void (*found)(void *data, size_t key, const json_t *value, struct place place),
		    void *data);

#endif
