/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest_print.c - the self-test for people: what it is about to send, and a table of what came
 * of it that can be handed to an auditor.
 */
#include <string.h>

#include "cli/selftest.h"

enum { COLUMNS = 6, LINE_WIDTH = 96 };

/* --- beforehand ---------------------------------------------------------------------------------
 */

static const char *const way_texts[] = {
	[JOB_TCP] = "TCP: connects, sends nothing, closes, to",
	[JOB_UDP] = "UDP: one datagram that says \"" JOB_TEXT "\", to",
	[JOB_PING] = "ping: one echo request, to",
	[JOB_DNS_UDP] = "DNS by UDP: one query for " JOB_NAME ", to",
	[JOB_DNS_TCP] = "DNS by TCP: the same, to",
	[JOB_HTTP] = "libcurl: HEAD / by http, to",
	[JOB_HTTPS] = "libcurl: the same by https, to",
	[JOB_PROXY_HTTP] = "proxy: HEAD http://" JOB_NAME "/ by libcurl, to",
	[JOB_PROXY_HTTPS] = "proxy: the same by CONNECT, to",
};
static_assert(ARRAY_SIZE(way_texts) == JOB_WAYS, "every way needs a text");

/* Targets of a way, or left out for a reason (NULL: tried): each once, in the order of the
 * attempts. */
static void print_targets(struct selftest *test, int way, const char *reason, const char *title)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;
	const char **seen = NULL;
	size_t n = 0, column = LINE_WIDTH;

	while ((attempt = selftest_next(test, &cursor))) {
		const char *where = selftest_where(test->cli, &attempt->job);
		bool is_known =
			attempt->not_tried != reason || (!reason && attempt->job.way != way);

		for (size_t i = 0; i < n && !is_known; i++)
			is_known = strcmp(seen[i], where) == 0;
		if (is_known)
			continue;
		*ARENA_APPEND(test->cli->arena, seen, n) = where;
		if (n == 1)
			printf("  %s", title);
		if (column + strlen(where) + 1 >= LINE_WIDTH) {
			printf("\n   ");
			column = 3;
		}
		printf(" %s", where);
		column += strlen(where) + 1;
	}
	if (n)
		putchar('\n');
}

static void print_left_out(struct selftest *test)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;
	const char *reasons[SELFTEST_KINDS] = { NULL }; /* constants of selftest_expect.c */
	size_t n = 0;

	while ((attempt = selftest_next(test, &cursor))) {
		bool is_known = !attempt->not_tried || n == ARRAY_SIZE(reasons);

		for (size_t i = 0; i < n && !is_known; i++)
			is_known = reasons[i] == attempt->not_tried;
		if (is_known)
			continue;
		reasons[n++] = attempt->not_tried;
		print_targets(test, 0, attempt->not_tried,
			      arena_printf(test->cli->arena,
					   "left out for some or all, %s:", attempt->not_tried));
	}
	if (test->scene.n_left_out)
		printf("  left out, for there are many: %s on loopback\n",
		       count_words(test->cli, (json_int_t)test->scene.n_left_out, "more port",
				   "more ports"));
}

static size_t count_users(const struct selftest *test)
{
	size_t n = 0;

	for (size_t i = 0; i < test->n; i++)
		for (size_t j = 0; j < test->services[i].n; j++)
			n += !test->services[i].users[j].note;
	return n;
}

static size_t count_tried(struct selftest *test)
{
	struct selftest_cursor cursor = { 0 };
	struct selftest_attempt *attempt;
	size_t n = 0;

	while ((attempt = selftest_next(test, &cursor)))
		n += !attempt->not_tried;
	return n;
}

static void print_head(struct selftest *test)
{
	struct style style = style_of(stdout);

	printf("%suidwall selftest%s on %s, %s, by %s\n", style.bold, style.plain, test->host,
	       selftest_time(test->cli, test->time), test->who);
	printf("%s, uidwalld %s, rules of generation %lld in force since %s\n", test->kernel,
	       get_text(test->cli, test->status, "version"), (long long)test->generation,
	       selftest_time(test->cli, get_number(test->status, "applied")));
	if (strcmp(test->wall, "on") != 0)
		printf("%sThe wall is off%s: nothing is refused to anybody.\n", style.alarm,
		       style.plain);
}

void selftest_announce(struct selftest *test)
{
	struct cli *cli = test->cli;
	size_t n = count_tried(test), users = count_users(test);

	print_head(test);
	printf("\n%s as %s of %s, each by a process of its own, %d s at most.\n"
	       "What the wall refuses never leaves. The rest, and what a broken wall lets out, "
	       "is\n",
	       count_words(cli, (json_int_t)n, "attempt", "attempts"),
	       count_words(cli, (json_int_t)users, "user", "users"),
	       count_words(cli, (json_int_t)test->n, "service", "services"), JOB_TIMEOUT_MS / 1000);
	for (int way = 0; way < JOB_WAYS; way++)
		print_targets(test, way, NULL, way_texts[way]);
	print_left_out(test);
	fflush(stdout);
}

/* --- the table ----------------------------------------------------------------------------------
 */

static const char *const verdict_words[] = {
	[SELFTEST_OK] = "ok",
	[SELFTEST_SURPRISE] = "SURPRISE",
	[SELFTEST_FAILED] = "FAILED",
	[SELFTEST_IMPOSSIBLE] = "-",
	[SELFTEST_NOT_TRIED] = "not tried",
};
static_assert(ARRAY_SIZE(verdict_words) == SELFTEST_VERDICTS, "every verdict needs a word");

static const char *verdict_style(const struct style *style, enum selftest_verdict verdict)
{
	switch (verdict) {
	case SELFTEST_OK:
		return style->green;
	case SELFTEST_SURPRISE:
	case SELFTEST_FAILED:
		return style->red;
	case SELFTEST_IMPOSSIBLE:
	case SELFTEST_NOT_TRIED:
	case SELFTEST_VERDICTS:
		break;
	}
	return style->dim;
}

/* "ECONNREFUSED, 0.21 ms", "answer, 1.20 ms, by eth0" */
static const char *seen_words(struct cli *cli, const struct selftest_attempt *attempt)
{
	const struct seen *seen = &attempt->seen;
	const char *time = duration_words(cli, seen->us), *end = "";

	if (attempt->not_tried)
		return "";
	switch ((enum seen_end)seen->end) {
	case SEEN_ANSWER:
		end = seen->status ? arena_printf(cli->arena, "HTTP %u", seen->status) : "answer";
		break;
	case SEEN_SILENCE:
		end = "no answer";
		break;
	case SEEN_ERROR:
		end = selftest_errno(cli, seen->error);
		break;
	case SEEN_LOST:
		return "no result";
	}
	return arena_printf(cli->arena, "%s, %s%s%s", end, time, *seen->by ? ", by " : "",
			    seen->by);
}

static const char *expected_words(const struct selftest_attempt *attempt)
{
	return attempt->is_refused   ? "refused" :
	       attempt->would_refuse ? "passes (monitor)" :
				       "passes";
}

/* Who decided, and what else is to be said. */
static const char *remark(struct cli *cli, const struct selftest_attempt *attempt)
{
	const char *line = attempt->would_refuse      ? "monitor mode lets it pass" :
			   strchr(attempt->line, ':') ? attempt->line :
							attempt->because;

	switch ((enum selftest_verdict)attempt->verdict) {
	case SELFTEST_OK:
		return attempt->is_refused ?
			       line :
			       arena_printf(cli->arena, "%s; %s", line, attempt->words);
	case SELFTEST_SURPRISE:
		return arena_printf(cli->arena, "%s (%s)", attempt->words, line);
	case SELFTEST_FAILED:
	case SELFTEST_IMPOSSIBLE:
	case SELFTEST_NOT_TRIED:
	case SELFTEST_VERDICTS:
		break;
	}
	return attempt->words;
}

static void print_attempts(struct cli *cli, const struct style *style,
			   const struct selftest_user *user)
{
	static const char *const heads[COLUMNS] = { "result",	"attempt", "to",
						    "expected", "seen",	   "why" };
	struct cell *cells = arena_alloc(cli->arena, (user->n + 1) * COLUMNS * sizeof(*cells));

	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = (struct cell){ heads[i], style->dim, false };
	for (size_t i = 0; i < user->n; i++) {
		const struct selftest_attempt *a = &user->attempts[i];
		struct cell *row = &cells[(i + 1) * COLUMNS];

		row[0] = (struct cell){ verdict_words[a->verdict],
					verdict_style(style, (enum selftest_verdict)a->verdict),
					false };
		row[1] = (struct cell){ selftest_what(cli, a), NULL, false };
		row[2] = (struct cell){ selftest_where(cli, &a->job), NULL, false };
		row[3] = (struct cell){ expected_words(a), NULL, false };
		row[4] = (struct cell){ seen_words(cli, a), NULL, false };
		row[5] = (struct cell){ remark(cli, a), NULL, false };
	}
	table_print(cells, COLUMNS, user->n + 1, "  ", stdout);
}

static const char *user_words(struct cli *cli, const struct selftest_user *user)
{
	const char *kind = strcmp(user->origin, "subuid") == 0 ? ", a subordinate id" :
			   strcmp(user->origin, "range") == 0  ? ", of a range" :
								 "";

	if (!user->name)
		return arena_printf(cli->arena, "uid %u%s", user->uid, kind);
	return arena_printf(cli->arena, "%s (uid %u)%s", printable(cli, user->name), user->uid,
			    kind);
}

static void print_service(struct cli *cli, const struct style *style,
			  const struct selftest_service *service)
{
	if (service->note)
		printf("\n%s%s%s: %s, %s mode; %s\n", style->bold, service->name, style->plain,
		       service->state, service->mode, service->note);
	for (size_t i = 0; i < service->n; i++) {
		const struct selftest_user *user = &service->users[i];

		printf("\n%s%s%s as %s: %s, %s mode\n", style->bold, service->name, style->plain,
		       user_words(cli, user), service->state, service->mode);
		if (user->note)
			printf("  not tried: %s\n", user->note);
		else
			print_attempts(cli, style, user);
	}
	if (service->n_left_out)
		printf("  %s of %s not tried: the same rules are theirs\n",
		       count_words(cli, (json_int_t)service->n_left_out, "more user", "more users"),
		       service->name);
	if (service->n)
		printf("  refused and counted by its rules meanwhile: %lld (at least %zu "
		       "expected)\n",
		       (long long)service->counted, service->n_refused);
}

/* --- the sum ------------------------------------------------------------------------------------
 */

static void print_surprises(struct selftest *test, const struct style *style)
{
	struct selftest_cursor cursor = { 0 };
	struct cli *cli = test->cli;
	struct selftest_attempt *a;

	while ((a = selftest_next(test, &cursor))) {
		const struct selftest_service *service = &test->services[cursor.service];

		if (a->verdict != SELFTEST_SURPRISE && a->verdict != SELFTEST_FAILED)
			continue;
		printf("  %s%s%s as %s: %s, to %s: %s\n", style->bold, service->name, style->plain,
		       user_words(cli, &service->users[cursor.user]), selftest_what(cli, a),
		       selftest_where(cli, &a->job), a->words);
	}
	for (size_t i = 0; i < test->n; i++)
		if (test->services[i].trouble)
			printf("  %s%s%s: %s\n", style->bold, test->services[i].name, style->plain,
			       test->services[i].trouble);
	if (test->trouble)
		printf("  %s\n", test->trouble);
}

static void print_sum(struct selftest *test, const struct style *style)
{
	const size_t *sums = test->sums;
	bool fine = selftest_is_fine(test);

	printf("\n%s%s%s: %zu as expected, %zu %s", fine ? style->green : style->alarm,
	       fine ? "NO SURPRISE" : "SURPRISES", style->plain, sums[SELFTEST_OK],
	       sums[SELFTEST_SURPRISE], sums[SELFTEST_SURPRISE] == 1 ? "surprise" : "surprises");
	if (sums[SELFTEST_FAILED])
		printf(", %zu failed", sums[SELFTEST_FAILED]);
	printf(", %zu not possible on this machine, %zu not tried; %s\n", sums[SELFTEST_IMPOSSIBLE],
	       sums[SELFTEST_NOT_TRIED], duration_words(test->cli, test->took_us));
	print_surprises(test, style);
	if (test->is_blind)
		printf("Whether frames left could not be watched (CAP_NET_RAW); refusals are told "
		       "by errno and counters alone.\n");
}

void selftest_print(struct selftest *test)
{
	struct style style = style_of(stdout);

	for (size_t i = 0; i < test->n; i++)
		print_service(test->cli, &style, &test->services[i]);
	print_sum(test, &style);
	printf("\nWhat no rule closes, and this does not try:\n");
	for (size_t i = 0; selftest_left_open[i]; i++)
		printf("  - %s\n", selftest_left_open[i]);
}
