/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - policies in force ↔ one file of the state folder.
 *
 *     uidwall-last-good 2
 *     applied TIME
 *     config LENGTH                              only where there was a configuration file
 *     <LENGTH bytes>
 *     service NAME SINCE N_SUBJECTS FILE_LENGTH TEXT_LENGTH
 *     FIRST LAST FLAGS                           N_SUBJECTS lines; flags: 1 named, 2 subuid
 *     <FILE_LENGTH bytes>
 *     <TEXT_LENGTH bytes>
 *     refused NAME SINCE ...                     as a service; its text has its unit or is empty
 *     end CHECKSUM                               FNV-1a, 64 bits, of all bytes before this line
 *
 * Version 1 knew neither "applied" nor "refused".
 *
 * The last line comes last on disk too, so a torn file has none. A file that fails in any detail is
 * not believed in any: a service without a last good policy is refused everything, which is safe; a
 * wrong one would not be.
 *
 * The file is only ever replaced, so what it holds can be kept under another name as a link, at no
 * cost: FOLDER/previous.
 */
#include "runtime/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/file.h"

enum { FLAG_NAMED = 1, FLAG_SUBUID = 2 };

#define FILE_NAME "last-good"
#define PREVIOUS_NAME "previous"
#define FIRST_LINE "uidwall-last-good 2\n"
#define FIRST_LINE_1 "uidwall-last-good 1\n"
#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define FILE_MAX ((size_t)512 * 1024 * 1024)
#define SUBJECTS_MAX 1000000
#define LAST_LINE_FORMAT "end %016" PRIx64 "\n"
#define LAST_LINE_LENGTH 21

const struct last_good *memory_find(const struct memory *memory, const char *service,
				    int64_t *ret_since)
{
	size_t low = 0, high = memory->set.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = strcmp(service, memory->set.list[middle].service);

		if (r == 0) {
			if (ret_since)
				*ret_since = memory->since[middle];
			return &memory->set.list[middle];
		}
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static uint64_t fnv(uint64_t hash, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
	return hash;
}

uint64_t state_checksum(const char *bytes, size_t n)
{
	return fnv(FNV_START, bytes, n);
}

/* --- writing */

struct sink {
	FILE *stream; /* NULL: only the checksum is wanted */
	uint64_t checksum;
};

static void sink_put(struct sink *sink, const char *bytes, size_t n)
{
	sink->checksum = fnv(sink->checksum, bytes, n);
	if (sink->stream && n)
		fwrite(bytes, 1, n, sink->stream);
}

PRINTF(2, 3) static void sink_print(struct sink *sink, const char *format, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(line)); /* names are 32 bytes at most */
	sink_put(sink, line, (size_t)n);
}

static void put_entry(struct sink *sink, const struct last_good *good, int64_t since)
{
	sink_print(sink, "%s %.*s %" PRId64 " %zu %zu %zu\n",
		   good->is_refused ? "refused" : "service", SERVICE_NAME_MAX, good->service, since,
		   good->n_subjects, strlen(good->file), good->text_length);
	for (size_t i = 0; i < good->n_subjects; i++) {
		const struct subject *s = &good->subjects[i];

		sink_print(sink, "%" PRIu32 " %" PRIu32 " %d\n", s->uids.first, s->uids.last,
			   (s->is_named ? FLAG_NAMED : 0) | (s->is_subuid ? FLAG_SUBUID : 0));
	}
	sink_put(sink, good->file, strlen(good->file));
	sink_put(sink, "\n", 1);
	sink_put(sink, good->text, good->text_length);
	sink_put(sink, "\n", 1);
}

static uint64_t put_memory(FILE *stream, const struct memory *memory)
{
	struct sink sink = { stream, FNV_START };

	sink_print(&sink, FIRST_LINE "applied %" PRId64 "\n", memory->applied);
	if (memory->set.config_text) {
		sink_print(&sink, "config %zu\n", memory->set.config_length);
		sink_put(&sink, memory->set.config_text, memory->set.config_length);
		sink_put(&sink, "\n", 1);
	}
	for (size_t i = 0; i < memory->set.n; i++)
		put_entry(&sink, &memory->set.list[i], memory->since[i]);
	if (stream)
		fprintf(stream, LAST_LINE_FORMAT, sink.checksum);
	return sink.checksum;
}

void memory_seal(struct memory *memory)
{
	memory->checksum = put_memory(NULL, memory);
}

static int write_memory(const char *path, const struct memory *memory)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	int r = file_replace_begin(path, 0600, &replace);

	if (r < 0)
		return r;
	put_memory(replace.stream, memory);
	return file_replace_commit(&replace);
}

static char *path_of(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

int state_save_memory(const char *folder, const struct memory *memory, uint64_t *checksum,
		      struct diags *diags)
{
	AUTO(mem) char *path = path_of(folder, FILE_NAME);
	int r;

	if (!path)
		return -ENOMEM;
	if (memory->checksum == *checksum && access(path, F_OK) == 0)
		return 0;
	r = write_memory(path, memory);
	if (r < 0) {
		*checksum = 0; /* it may hold the one or the other */
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 },
			 "cannot be written (%s): a policy that goes wrong now falls back to what "
			 "was "
			 "saved before",
			 strerror(-r));
		return r;
	}
	*checksum = memory->checksum;
	return 0;
}

int state_save_previous(const char *folder, const struct memory *memory, uint64_t saved_checksum)
{
	AUTO(mem) char *path = path_of(folder, PREVIOUS_NAME), *saved = path_of(folder, FILE_NAME);

	if (!path || !saved)
		return -ENOMEM;
	if (memory->checksum == saved_checksum && file_replace_by_link(saved, path) == 0)
		return 0;
	return write_memory(path, memory);
}

int state_remove_previous(const char *folder)
{
	AUTO(mem) char *path = path_of(folder, PREVIOUS_NAME);

	return path ? file_remove(path) : -ENOMEM;
}

/* --- reading */

const char *state_why_not(int r)
{
	switch (r) {
	case -EBADMSG:
		return "it is torn or was edited";
	case -EPERM:
		return "others than root and the daemon may write it";
	case -EINVAL:
		return "it is no regular file";
	case -ELOOP:
		return "it is a symbolic link";
	default:
		return strerror(-r);
	}
}

/* A text that is taken apart from its beginning; `failed` stays set. */
struct cutter {
	char *at;
	char *end;
	bool failed;
};

/* The rest of the line, ended with a NUL instead of its newline. */
static char *cut_line(struct cutter *cut)
{
	char *line = cut->at, *newline = memchr(line, '\n', (size_t)(cut->end - line));

	if (!newline || cut->failed) {
		cut->failed = true;
		return cut->end; /* is a NUL */
	}
	*newline = '\0';
	cut->at = newline + 1;
	return line;
}

/* n bytes and a newline, which becomes a NUL. */
static char *cut_bytes(struct cutter *cut, size_t n)
{
	char *bytes = cut->at;

	if (cut->failed || n >= (size_t)(cut->end - bytes) || bytes[n] != '\n') {
		cut->failed = true;
		return cut->end;
	}
	bytes[n] = '\0';
	cut->at = bytes + n + 1;
	return bytes;
}

/* The next word of a line, cut off with a NUL. */
static char *cut_word(struct cutter *cut, char **line)
{
	char *word = strsep(line, " ");

	if (!word || !*word) {
		cut->failed = true;
		return cut->end;
	}
	return word;
}

static int64_t cut_number(struct cutter *cut, char **line, int64_t max)
{
	const char *word = cut_word(cut, line);
	char *end;
	long long value;

	errno = 0;
	value = strtoll(word, &end, 10);
	if (end == word || *end || errno || value < 0 || value > max)
		cut->failed = true;
	return cut->failed ? 0 : value;
}

static bool cut_prefix(struct cutter *cut, const char *prefix)
{
	size_t n = strlen(prefix);

	if (cut->failed || (size_t)(cut->end - cut->at) < n || memcmp(cut->at, prefix, n) != 0)
		return false;
	cut->at += n;
	return true;
}

static void cut_subjects(struct cutter *cut, struct arena *arena, struct last_good *good)
{
	struct subject *subjects;

	/* Each needs at least 6 bytes: no number in the file makes us allocate more than its size.
	 */
	if (good->n_subjects > (size_t)(cut->end - cut->at) / 6)
		cut->failed = true;
	if (cut->failed)
		return;
	subjects = arena_alloc(arena, good->n_subjects * sizeof(*subjects));
	for (size_t i = 0; i < good->n_subjects; i++) {
		char *line = cut_line(cut);
		int64_t flags;

		subjects[i].uids.first = (uint32_t)cut_number(cut, &line, UID_LAST);
		subjects[i].uids.last = (uint32_t)cut_number(cut, &line, UID_LAST);
		flags = cut_number(cut, &line, FLAG_NAMED | FLAG_SUBUID);
		subjects[i].is_named = flags & FLAG_NAMED;
		subjects[i].is_subuid = flags & FLAG_SUBUID;
		if (subjects[i].uids.first > subjects[i].uids.last)
			cut->failed = true;
	}
	good->subjects = subjects;
}

static void cut_entry(struct cutter *cut, bool is_refused, struct arena *arena,
		      struct memory *memory)
{
	struct last_good good = { .is_refused = is_refused };
	char *line = cut_line(cut);
	size_t file_length, n = memory->set.n;
	int64_t since, *slot;

	good.service = cut_word(cut, &line);
	since = cut_number(cut, &line, INT64_MAX);
	good.n_subjects = (size_t)cut_number(cut, &line, SUBJECTS_MAX);
	file_length = (size_t)cut_number(cut, &line, 4096);
	good.text_length = (size_t)cut_number(cut, &line, POLICY_FILE_MAX);
	cut_subjects(cut, arena, &good);
	good.file = cut_bytes(cut, file_length);
	good.text = cut_bytes(cut, good.text_length);
	if (n && strcmp(memory->set.list[n - 1].service, good.service) >= 0)
		cut->failed = true; /* memory_find() relies on their order */
	if (cut->failed)
		return;
	slot = ARENA_APPEND(arena, memory->since, n);
	*slot = since;
	*ARENA_APPEND(arena, memory->set.list, memory->set.n) = good;
}

static int parse_memory(char *text, size_t length, struct arena *arena, struct memory *memory,
			uint64_t *ret_checksum)
{
	struct cutter cut = { .at = text };
	char last_line[LAST_LINE_LENGTH + 1];
	uint64_t checksum;

	/* The last line first: nothing else is looked at unless it fits. */
	if (length < LAST_LINE_LENGTH)
		return -EBADMSG;
	cut.end = text + length - LAST_LINE_LENGTH;
	checksum = fnv(FNV_START, text, (size_t)(cut.end - text));
	snprintf(last_line, sizeof(last_line), LAST_LINE_FORMAT, checksum);
	if (memcmp(cut.end, last_line, LAST_LINE_LENGTH) != 0)
		return -EBADMSG;
	*cut.end = '\0';
	if (cut_prefix(&cut, FIRST_LINE)) {
		char *line = cut_prefix(&cut, "applied ") ? cut_line(&cut) : NULL;

		memory->applied = cut_number(&cut, &line, INT64_MAX);
	} else if (!cut_prefix(&cut, FIRST_LINE_1)) {
		return -EBADMSG;
	}
	if (cut_prefix(&cut, "config ")) {
		char *line = cut_line(&cut);

		memory->set.config_length = (size_t)cut_number(&cut, &line, POLICY_FILE_MAX);
		memory->set.config_text = cut_bytes(&cut, memory->set.config_length);
	}
	for (;;) {
		if (cut_prefix(&cut, "service "))
			cut_entry(&cut, false, arena, memory);
		else if (cut_prefix(&cut, "refused "))
			cut_entry(&cut, true, arena, memory);
		else
			break;
	}
	if (cut.failed || cut.at != cut.end)
		return -EBADMSG;
	*ret_checksum = checksum;
	return 0;
}

static int load_file(const char *path, struct arena *arena, struct memory *ret_memory,
		     uint64_t *ret_checksum, struct diags *diags)
{
	AUTO(mem) char *bytes = NULL;
	struct memory memory = { 0 };
	size_t length;
	int r;

	r = file_read_trusted(path, FILE_MAX, &bytes, &length);
	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = parse_memory(arena_strndup(arena, bytes, length), length, arena, &memory,
				 ret_checksum);
	if (r < 0) {
		diag_add(diags, DIAG_WARNING, (struct place){ path, 0, 0 }, "ignored: %s",
			 state_why_not(r));
		return r;
	}
	memory.checksum = *ret_checksum;
	*ret_memory = memory;
	return 0;
}

int state_load_memory(const char *folder, struct arena *arena, struct memory *ret_memory,
		      uint64_t *ret_checksum, struct diags *diags)
{
	return load_file(arena_printf(arena, "%s/" FILE_NAME, folder), arena, ret_memory,
			 ret_checksum, diags);
}

int state_load_previous(const char *folder, struct arena *arena, struct memory *ret_memory,
			struct diags *diags)
{
	uint64_t checksum;

	return load_file(arena_printf(arena, "%s/" PREVIOUS_NAME, folder), arena, ret_memory,
			 &checksum, diags);
}
