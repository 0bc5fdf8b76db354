/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.h - values → JSON text, written straight into one buffer.
 *
 * No tree is built: the status of 10,000 services is 3 MiB of text, and would be 20 MiB of tree in
 * a daemon that promises to stay small.
 *
 *     writer_begin(w, '{');
 *     writer_key(w, "service"), writer_text(w, "blog");
 *     writer_end(w, '}');
 */
#ifndef UIDWALL_WIRE_WRITER_H
#define UIDWALL_WIRE_WRITER_H

#include "base/util.h"

struct writer {
	char *bytes; /* NUL-terminated, once something was written */
	size_t n;
	size_t capacity;
	size_t max;
	bool needs_comma;
	bool failed; /* what follows is ignored: more than max bytes, or ... */
	bool lacked_memory;
};

void writer_init(struct writer *w, size_t max);
void writer_done(struct writer *w);

void writer_begin(struct writer *w, char bracket); /* '{' or '[' */
void writer_end(struct writer *w, char bracket);   /* '}' or ']' */
void writer_key(struct writer *w, const char *key);
/* Control characters are escaped; bytes that are no UTF-8 become U+FFFD. NULL is null. */
void writer_text(struct writer *w, const char *text);
void writer_text_n(struct writer *w, const char *text, size_t n);
void writer_int(struct writer *w, int64_t value);
void writer_bool(struct writer *w, bool value);

/* A key and its value. */
void writer_put_text(struct writer *w, const char *key, const char *text);
void writer_put_int(struct writer *w, const char *key, int64_t value);
void writer_put_bool(struct writer *w, const char *key, bool value);

#endif
