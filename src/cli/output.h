/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - how the verbs talk: messages, colours, tables, numbers and dates in words, JSON. */
#ifndef UIDWALL_CLI_OUTPUT_H
#define UIDWALL_CLI_OUTPUT_H

#include "base/diag.h"
#include "cli/cli.h"
#include "wire/client.h" /* its answers are jansson's values */

/* Terminal escapes; empty strings where the stream is no terminal that wants them. */
struct style {
	bool colour;
	const char *bold, *dim, *red, *green, *yellow, *alarm, *plain;
};

struct style style_of(FILE *out);
bool is_terminal(FILE *out); /* one that obeys escapes */

/* "uidwall: ..." on stderr. bad_use() returns CLI_BAD_USE, fail() CLI_FINDINGS. */
void say(struct cli *cli, const char *format, ...) PRINTF(2, 3);
enum cli_status bad_use(struct cli *cli, const char *format, ...) PRINTF(2, 3);
enum cli_status fail(struct cli *cli, const char *format, ...) PRINTF(2, 3);

/* Text of any origin made fit for a terminal; lives as long as the process. */
const char *printable(struct cli *cli, const char *text);

/* "1 error", "2 errors" */
const char *count_words(struct cli *cli, json_int_t n, const char *one, const char *many);
const char *date_words(struct cli *cli, json_int_t time);   /* "2026-01-31 12:00:00 (3 h ago)" */
const char *duration_words(struct cli *cli, json_int_t us); /* "0.4 ms" */
const char *bytes_words(struct cli *cli, json_int_t bytes); /* "1.2 MiB" */

struct cell {
	const char *text;
	const char *style; /* NULL: none */
	bool right;
};

/* Rows of n_columns cells each, columns aligned, each line with indent in front. */
void table_print(const struct cell *cells, size_t n_columns, size_t n_rows, const char *indent,
		 FILE *out);

/* AUTO(json) json_t *x = NULL; */
DEFINE_CLEANUP(json, json_t *, json_decref)

/* Writes the value and a newline to stdout; takes the reference. */
void json_print(json_t *value);
json_t *json_text(struct cli *cli,
		  const char *text); /* NULL gives null, invalid UTF-8 is escaped */
json_t *json_from_diags(struct cli *cli, const struct diags *diags);

/* Members of the daemon's answers. What is missing or of another type is empty, 0 or false. */
const char *get_text(struct cli *cli, const json_t *object, const char *key);
json_int_t get_number(const json_t *object, const char *key);
bool get_bool(const json_t *object, const char *key);

/* The diags of an answer, one and all of them. */
void diag_from_json(struct cli *cli, const json_t *entry, struct diags *ret_diags);
void diags_from_json(struct cli *cli, const json_t *list, struct diags *ret_diags);

#endif
