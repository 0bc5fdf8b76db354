/* SPDX-License-Identifier: GPL-2.0-or-later */
/* culprit.c - /proc/PID → who that is.
 *
 * The kernel counts pids as in its first namespace. In a container /proc has other numbers, where
 * the name will rarely be the same.
 */
#include "runtime/culprit.h"

#include <string.h>

#include "base/diag.h"
#include "base/file.h"

enum { FILE_MAX = 16384, COMMAND_MAX = 120, UNIT_MAX = 80 };

/* What /proc/PID/NAME holds, without a newline at its end; NULL: nothing. */
static char *read_of(uint32_t pid, const char *name, size_t *ret_length)
{
	char path[64];
	char *text;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	if (file_read(path, FILE_MAX, &text, ret_length) < 0)
		return NULL;
	if (*ret_length && text[*ret_length - 1] == '\n')
		text[--*ret_length] = '\0';
	return text;
}

static const char *command_words(struct arena *arena, uint32_t pid)
{
	size_t n;
	AUTO(mem) char *text = read_of(pid, "cmdline", &n);

	if (!text)
		return NULL;
	while (n && !text[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	return n ? text_printable(arena, text, n, COMMAND_MAX) : NULL;
}

/* "nftables.service", "session-3.scope" */
static const char *unit_words(struct arena *arena, uint32_t pid)
{
	size_t n;
	AUTO(mem) char *text = read_of(pid, "cgroup", &n);
	char *rest = text, *line;

	while (text && (line = strsep(&rest, "\n"))) {
		const char *last = strrchr(line, '/'), *dot = last ? strrchr(last, '.') : NULL;

		if (dot && (strcmp(dot, ".service") == 0 || strcmp(dot, ".scope") == 0))
			return text_printable(arena, last + 1, strlen(last + 1), UNIT_MAX);
	}
	return NULL;
}

char *culprit_words(uint32_t pid, const char *name)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *command = NULL, *unit = NULL;
	size_t n = 0;
	AUTO(mem) char *found = read_of(pid, "comm", &n);
	char *words = NULL;

	if (found && (!name || strcmp(found, name) == 0)) {
		name = text_printable(arena, found, n, COMMAND_MAX);
		command = command_words(arena, pid);
		unit = unit_words(arena, pid);
	}
	if (!name || !*name)
		return NULL;
	if (asprintf(&words, "%s (pid %u%s%s%s%s%s)", name, pid, command ? ": \"" : "",
		     command ? command : "", command ? "\"" : "", unit ? ", " : "",
		     unit ? unit : "") < 0)
		return NULL;
	return words;
}

char *culprit_of_port(uint32_t port)
{
	AUTO(mem) char *process = culprit_words(port, NULL);
	char *words = NULL;
	int n = process ? asprintf(&words, "netlink port %u, probably %s", port, process) :
			  asprintf(&words, "netlink port %u", port);

	return n < 0 ? NULL : words;
}

bool culprit_is_kin(uint32_t port)
{
	size_t n;
	AUTO(mem) char *theirs = read_of(port, "comm", &n);
	AUTO(mem) char *ours = read_of((uint32_t)getpid(), "comm", &n);

	return port != (uint32_t)getpid() && theirs && ours && strcmp(theirs, ours) == 0;
}
