/* SPDX-License-Identifier: GPL-2.0-or-later */
/* found.c - the table in the kernel → whether it is the one that was left, and unchanged.
 *
 *     uidwall-table 1 BOOT_ID NAMESPACE HANDLE RULES      the kernel gives each table that is made
 *     end                                                 another handle; RULES: a checksum, or 0
 *
 * While no daemon runs nobody hears who changes the table. What can be told afterwards: that it is
 * gone, that it is another one, or, where the policies still make the same rules, that these are
 * not what it holds. Nothing of it counts after a boot, so FOLDER/table need not last.
 */
#include "runtime/found.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/text.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/boot.h"

#define FILE_NAME "table"
enum { MARK_MAX = 256 };

struct mark {
	char boot_id[BOOT_ID_MAX + 1];
	uint64_t space; /* the network namespace: handles are each one's own */
	uint64_t handle;
	uint64_t rules;
};
static_assert(BOOT_ID_MAX == 63, "parse_mark() has the number as text");

static int find_place(struct mark *ret_mark)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	ret_mark->space = st.st_ino;
	return boot_read_id(ret_mark->boot_id);
}

static uint64_t checksum(const struct ir_ruleset *rules)
{
	AUTO(mem) char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	text_write(rules, out);
	fclose(out);
	return state_checksum(text, length);
}

/* --- leaving */

/* In one write(): a kill leaves the whole line or none, and then nothing is told. */
static int write_mark(const char *path, const struct mark *mark)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[MARK_MAX];
	int n = snprintf(text, sizeof(text),
			 "uidwall-table 1 %s %" PRIu64 " %" PRIu64 " %016" PRIx64 "\nend\n",
			 mark->boot_id, mark->space, mark->handle, mark->rules);

	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -errno;
}

void found_leave(struct wall *wall, bool with_rules)
{
	AUTO(mem) char *path = NULL;
	struct mark mark = { 0 };

	if (asprintf(&path, "%s/" FILE_NAME, wall->options.state) < 0) {
		path = NULL;
		return;
	}
	if (wall->is_standing && !nl_table_holder(wall->table))
		mark.handle = nl_table_handle(wall->table);
	if (mark.handle && with_rules)
		mark.rules = checksum(&wall->current->rules.set);
	if (!mark.handle || find_place(&mark) < 0 || write_mark(path, &mark) < 0)
		unlink(path); /* a wrong one would be worse */
}

/* --- finding */

static int parse_mark(const char *text, struct mark *ret_mark)
{
	int end = 0;

	if (sscanf(text, "uidwall-table 1 %63s %" SCNu64 " %" SCNu64 " %" SCNx64 "\nend\n%n",
		   ret_mark->boot_id, &ret_mark->space, &ret_mark->handle, &ret_mark->rules,
		   &end) != 4)
		return -EBADMSG;
	return end && !text[end] ? 0 : -EBADMSG;
}

/* What was left, of this boot and in this network namespace; -ENOENT: nothing is known. */
static int read_mark(const struct wall *wall, struct mark *ret_mark)
{
	AUTO(mem) char *path = NULL, *text = NULL;
	struct mark now = { 0 };
	size_t length;
	int r;

	if (asprintf(&path, "%s/" FILE_NAME, wall->options.state) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = file_read_trusted(path, MARK_MAX, &text, &length);
	if (r == 0)
		r = parse_mark(text, ret_mark);
	if (r == 0)
		r = find_place(&now);
	if (r == 0 && (strcmp(now.boot_id, ret_mark->boot_id) != 0 || now.space != ret_mark->space))
		r = -ENOENT;
	return r;
}

/* What is different, in words; NULL: nothing, as far as can be told. */
static const char *difference(struct wall *wall, const struct mark *mark,
			      const struct ir_ruleset *rules, char place[NL_PLACE_MAX],
			      struct arena *arena)
{
	uint64_t handle = nl_table_handle(wall->table);

	if (!handle)
		return "deleted the table";
	if (handle != mark->handle)
		return "deleted the table and made another one of its name";
	if (!mark->rules || checksum(rules) != mark->rules)
		return NULL; /* other policies than those that were left */
	if (nl_table_compare(wall->table, rules, place) == -ESTALE)
		return arena_printf(arena, "changed the table (%s)", place);
	return NULL;
}

void found_look(struct wall *wall, const struct ir_ruleset *rules)
{
	AUTO(arena) struct arena *arena = arena_new();
	char place[NL_PLACE_MAX];
	struct mark mark = { 0 };
	const char *what;

	if (wall->switches.all_off || read_mark(wall, &mark) < 0)
		return;
	what = difference(wall, &mark, rules, place, arena);
	if (what)
		taken_note_unknown(&wall->taken, what, true);
}
