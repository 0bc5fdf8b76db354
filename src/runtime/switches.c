/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switches.c - what was taken down on purpose ↔ FOLDER/off.
 *
 *     uidwall-off 2 BOOT_ID
 *     all                     the whole table
 *     service NAME            one service; any number of these lines
 *     end CHECKSUM            of all bytes before this line
 *
 * A wall that somebody took down must not come back by itself because the daemon crashed, and must
 * not stay down for ever because it was forgotten: so it is bound to this boot. One wrong byte in a
 * name would open another service: hence the checksum, which version 1 did not have.
 */
#include "runtime/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "runtime/boot.h"

enum { SWITCHES_MAX = 4 * 1024 * 1024 };

#define FILE_NAME "off"
#define FIRST_WORDS "uidwall-off 2 "
#define LAST_LINE_FORMAT "end %016" PRIx64 "\n"
#define LAST_LINE_LENGTH 21

void switches_done(struct switches *switches)
{
	for (size_t i = 0; i < switches->n_services; i++)
		free(switches->services[i]);
	free(switches->services);
	*switches = (struct switches){ 0 };
}

/* Where the service is, or where it belongs. */
static size_t find_position(const struct switches *switches, const char *service, bool *ret_found)
{
	size_t i = 0;

	while (i < switches->n_services && strcmp(switches->services[i], service) < 0)
		i++;
	*ret_found = i < switches->n_services && strcmp(switches->services[i], service) == 0;
	return i;
}

bool switches_has(const struct switches *switches, const char *service)
{
	bool found;

	find_position(switches, service, &found);
	return found;
}

int switches_add(struct switches *switches, const char *service)
{
	bool found;
	size_t i = find_position(switches, service, &found);
	char **grown, *copy;

	if (found)
		return 0;
	grown = reallocarray(switches->services, switches->n_services + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	switches->services = grown;
	copy = strdup(service);
	if (!copy)
		return -ENOMEM;
	memmove(grown + i + 1, grown + i, (switches->n_services - i) * sizeof(*grown));
	grown[i] = copy;
	switches->n_services++;
	return 0;
}

void switches_remove(struct switches *switches, const char *service)
{
	bool found;
	size_t i = find_position(switches, service, &found);

	if (!found)
		return;
	free(switches->services[i]);
	switches->n_services--;
	memmove(switches->services + i, switches->services + i + 1,
		(switches->n_services - i) * sizeof(*switches->services));
}

int switches_copy(const struct switches *from, struct switches *ret_to)
{
	AUTO(switches) struct switches to = { .all_off = from->all_off };

	for (size_t i = 0; i < from->n_services; i++) {
		int r = switches_add(&to, from->services[i]);

		if (r < 0)
			return r;
	}
	*ret_to = to;
	to = (struct switches){ 0 };
	return 0;
}

/* Cuts off the last line, once it says that all before it is as it was written. */
static int check_switches(char *text, size_t length)
{
	char last_line[LAST_LINE_LENGTH + 1], *end = text + length - LAST_LINE_LENGTH;

	if (length < LAST_LINE_LENGTH || strlen(text) != length)
		return -EBADMSG;
	snprintf(last_line, sizeof(last_line), LAST_LINE_FORMAT,
		 state_checksum(text, (size_t)(end - text)));
	if (strcmp(end, last_line) != 0 || strncmp(text, FIRST_WORDS, strlen(FIRST_WORDS)) != 0)
		return -EBADMSG;
	*end = '\0';
	return 0;
}

static int parse_switches(char *text, struct switches *switches)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		int r = 0;

		if (!*line)
			return text ? -EBADMSG : 0;
		if (strcmp(line, "all") == 0)
			switches->all_off = true;
		else if (strncmp(line, "service ", 8) == 0 && strlen(line + 8) <= SERVICE_NAME_MAX)
			r = switches_add(switches, line + 8);
		else
			r = -EBADMSG;
		if (r < 0)
			return r;
	}
	return -EBADMSG;
}

/* Nothing is off after a boot: then the file is left as it is, and written over one day. */
static int load_switches(const char *path, struct switches *switches)
{
	char boot_id[BOOT_ID_MAX + 1], first_line[BOOT_ID_MAX + 32];
	AUTO(mem) char *text = NULL;
	size_t length, n;
	int r;

	r = file_read_trusted(path, SWITCHES_MAX, &text, &length);
	if (r == 0)
		r = boot_read_id(boot_id);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = check_switches(text, length);
	if (r < 0)
		return r;
	n = (size_t)snprintf(first_line, sizeof(first_line), FIRST_WORDS "%s\n", boot_id);
	if (strncmp(text, first_line, n) != 0)
		return 0;
	return parse_switches(text + n, switches);
}

int state_load_switches(const char *folder, struct switches *ret_switches, struct diags *diags)
{
	AUTO(switches) struct switches switches = { 0 };
	AUTO(mem) char *path = NULL;
	int r;

	if (asprintf(&path, "%s/" FILE_NAME, folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = load_switches(path, &switches);
	if (r < 0) {
		diag_add(diags, DIAG_WARNING, (struct place){ path, 0, 0 },
			 "ignored, nothing is off: %s", state_why_not(r));
		return r;
	}
	*ret_switches = switches;
	switches = (struct switches){ 0 };
	return 0;
}

/* All but the last line; malloc'd. */
static int format_switches(const struct switches *switches, char **ret_text, size_t *ret_n)
{
	AUTO(file) FILE *out = open_memstream(ret_text, ret_n);
	char boot_id[BOOT_ID_MAX + 1];
	int r;

	if (!out)
		return -ENOMEM;
	r = boot_read_id(boot_id);
	if (r < 0)
		return r;
	fprintf(out, FIRST_WORDS "%s\n%s", boot_id, switches->all_off ? "all\n" : "");
	for (size_t i = 0; i < switches->n_services; i++)
		fprintf(out, "service %s\n", switches->services[i]);
	return fflush(out) == 0 ? 0 : -ENOMEM;
}

static int write_switches(const char *path, const struct switches *switches)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	AUTO(mem) char *text = NULL;
	size_t n;
	int r;

	r = format_switches(switches, &text, &n);
	if (r == 0)
		r = file_replace_begin(path, 0600, &replace);
	if (r < 0)
		return r;
	fwrite(text, 1, n, replace.stream);
	fprintf(replace.stream, LAST_LINE_FORMAT, state_checksum(text, n));
	return file_replace_commit(&replace);
}

int state_save_switches(const char *folder, const struct switches *switches, struct diags *diags)
{
	AUTO(mem) char *path = NULL;
	int r = 0;

	if (asprintf(&path, "%s/" FILE_NAME, folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (switches->all_off || switches->n_services)
		r = write_switches(path, switches);
	else
		r = file_remove(path);
	if (r < 0)
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 },
			 "cannot be written (%s): what is off and what is on now holds only until "
			 "the "
			 "daemon restarts",
			 strerror(-r));
	return r;
}
