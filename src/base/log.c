/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - one message → one line on stderr.
 *
 * When stderr is the journal, each line begins with its priority, "<4>" (sd-daemon(3)).
 * $JOURNAL_STREAM alone does not say so: a child with stderr redirected elsewhere inherits it, so
 * the device and inode in it are compared (systemd.exec(5)).
 */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum { LOG_LINE_MAX = 4096 };

static struct {
	const char *program;
	bool is_journal;
} logger = { .program = "uidwall" };

void log_init(const char *program)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	logger.program = program;
	logger.is_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
			    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
			    st.st_ino == inode;
}

/* One write a line: lines of several processes on one stderr stay whole. */
static void log_line(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 64];
	int n;

	if (logger.is_journal)
		n = snprintf(line, sizeof(line), "<%d>%.*s\n", (int)level, LOG_LINE_MAX, text);
	else
		n = snprintf(line, sizeof(line), "%s: %.*s\n", logger.program, LOG_LINE_MAX, text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to be told */
}

PRINTF(2, 0) static void log_format(enum log_level level, const char *format, va_list args)
{
	AUTO(arena) struct arena *arena = arena_new();
	char text[LOG_LINE_MAX];

	if (vsnprintf(text, sizeof(text), format, args) >= 0)
		log_line(level, text_printable(arena, text, strlen(text), sizeof(text)));
}

#define DEFINE_LOG(name, level)                                                                    \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		log_format(level, format, args);                                                   \
		va_end(args);                                                                      \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_notice, LOG_LEVEL_NOTICE)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)

static void log_diag(const struct diag *diag)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING,
						 LOG_LEVEL_NOTICE };
	AUTO(mem) char *text = NULL;
	AUTO(file) FILE *out = NULL;
	size_t n;

	out = open_memstream(&text, &n);
	if (!out)
		return;
	diag_print(diag, out, false);
	if (fflush(out) != 0)
		return;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (*line)
			log_line(levels[diag->severity], line);
}

void log_diags(const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		log_diag(&diags->list[i]);
}
