/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial.c - a change that waits to be confirmed, or that went back ↔ FOLDER/trial.
 *
 *     uidwall-trial 1
 *     waiting BOOT_ID DEADLINE_MS SECONDS SINCE MEMORY    deadline: CLOCK_BOOTTIME
 *     end CHECKSUM                                        of the two lines before
 *
 * or, in place of "waiting ...":
 *
 *     rolled-back REASON SINCE
 *
 * One file for both, so that one rename() leads from the one to the other. MEMORY is the checksum
 * of the policies that come back, wherever they are by then: in FOLDER/previous, or still in
 * FOLDER/last-good. What all this makes of a start is in undo.c and in docs/decisions/confirm.md.
 */
#include "runtime/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "runtime/boot.h"

enum { TRIAL_MAX = 512 };

#define FILE_NAME "trial"
#define FIRST_LINE "uidwall-trial 1\n"

static const char *const reasons[] = {
	[TRIAL_ASKED] = "asked",
	[TRIAL_TIME_OVER] = "time",
	[TRIAL_REBOOTED] = "reboot",
};

const char *trial_reason_name(enum trial_reason reason)
{
	return reasons[reason];
}

int64_t trial_left_ms(const struct trial *trial)
{
	return trial->is_of_this_boot ? trial->deadline_ms - boot_now_ms() : 0;
}

/* --- writing */

static int format_trial(const struct trial *trial, char *text, size_t size)
{
	char boot_id[BOOT_ID_MAX + 1];
	int n, r;

	if (trial->state == TRIAL_ROLLED_BACK) {
		n = snprintf(text, size, FIRST_LINE "rolled-back %s %" PRId64 "\n",
			     reasons[trial->reason], trial->since);
	} else {
		r = boot_read_id(boot_id);
		if (r < 0)
			return r;
		n = snprintf(text, size,
			     FIRST_LINE "waiting %s %" PRId64 " %" PRId64 " %" PRId64 " %016" PRIx64
					"\n",
			     boot_id, trial->deadline_ms, trial->seconds, trial->since,
			     trial->checksum);
	}
	assert(n > 0 && (size_t)n < size);
	return n;
}

int state_save_trial(const char *folder, const struct trial *trial)
{
	AUTO(file_replace) struct file_replace replace = { 0 };
	AUTO(mem) char *path = NULL;
	char text[TRIAL_MAX];
	int n, r;

	if (asprintf(&path, "%s/" FILE_NAME, folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (trial->state == TRIAL_NONE)
		return file_remove(path);
	n = format_trial(trial, text, sizeof(text));
	if (n < 0)
		return n;
	r = file_replace_begin(path, 0600, &replace);
	if (r < 0)
		return r;
	fprintf(replace.stream, "%send %016" PRIx64 "\n", text, state_checksum(text, (size_t)n));
	return file_replace_commit(&replace);
}

/* --- reading */

static int parse_waiting(const char *line, struct trial *trial)
{
	char boot_id[BOOT_ID_MAX + 1], own_id[BOOT_ID_MAX + 1];
	int r, end = 0;

	if (sscanf(line, "waiting %63s %" SCNd64 " %" SCNd64 " %" SCNd64 " %16" SCNx64 "%n",
		   boot_id, &trial->deadline_ms, &trial->seconds, &trial->since, &trial->checksum,
		   &end) != 5 ||
	    line[end] || trial->deadline_ms < 0 || trial->seconds < 1 ||
	    trial->seconds > TRIAL_SECONDS_MAX)
		return -EBADMSG;
	r = boot_read_id(own_id);
	if (r < 0)
		return r;
	trial->state = TRIAL_WAITING;
	/* A deadline farther off than any that was ever set is of another clock, of another time
	 * namespace for one: as good as over.
	 */
	trial->is_of_this_boot = strcmp(boot_id, own_id) == 0 &&
				 trial->deadline_ms <= boot_now_ms() + trial->seconds * 1000;
	return 0;
}

static int parse_rolled_back(const char *line, struct trial *trial)
{
	char reason[16];
	int end = 0;

	if (sscanf(line, "rolled-back %15s %" SCNd64 "%n", reason, &trial->since, &end) != 2 ||
	    line[end])
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reason, reasons[i]) == 0) {
			trial->state = TRIAL_ROLLED_BACK;
			trial->reason = (enum trial_reason)i;
			return 0;
		}
	return -EBADMSG;
}

static int parse_trial(char *text, size_t length, struct trial *trial)
{
	char last_line[32], *end = strstr(text, "\nend "), *line = text + strlen(FIRST_LINE);

	if (strlen(text) != length || !end || strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0 ||
	    end < line)
		return -EBADMSG;
	end++;
	snprintf(last_line, sizeof(last_line), "end %016" PRIx64 "\n",
		 state_checksum(text, (size_t)(end - text)));
	if (strcmp(end, last_line) != 0)
		return -EBADMSG;
	end[-1] = '\0';
	return *line == 'w' ? parse_waiting(line, trial) : parse_rolled_back(line, trial);
}

int state_load_trial(const char *folder, struct trial *ret_trial, struct diags *diags)
{
	AUTO(mem) char *path = NULL, *text = NULL;
	struct trial trial = { 0 };
	size_t length;
	int r;

	if (asprintf(&path, "%s/" FILE_NAME, folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	*ret_trial = (struct trial){ 0 };
	r = file_read_trusted(path, TRIAL_MAX, &text, &length);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = parse_trial(text, length, &trial);
	if (r < 0) {
		diag_add(diags, DIAG_ERROR, (struct place){ path, 0, 0 },
			 "ignored (%s): a change that waited to be confirmed stays, and policies "
			 "that "
			 "were rolled back return",
			 state_why_not(r));
		return r;
	}
	*ret_trial = trial;
	return 0;
}
