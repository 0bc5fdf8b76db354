/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_print.c - what changes in meaning → text, for somebody woken at night.
 *
 * What opens the machine (a service that is gone, taken down, or in monitor mode from now on) is
 * said in the block's first line, in the colour of an alarm.
 */
#include "cli/diff_print.h"

#include <inttypes.h>
#include <string.h>

enum {
	CHANGES_MAX = 20, /* of a service */
	NAMES_MAX = 6,	  /* services that the last line names */
	SOCKETS_MAX = 20,
	USERS_MAX = 6,
};

#define ARROW "\342\206\222"

/* "9,997" */
static const char *thousands(struct cli *cli, json_int_t n)
{
	return n < 1000 ? arena_printf(cli->arena, "%" JSON_INTEGER_FORMAT, n) :
			  arena_printf(cli->arena, "%s,%03d", thousands(cli, n / 1000),
				       (int)(n % 1000));
}

static const char *counted(struct cli *cli, json_int_t n, const char *one, const char *many)
{
	return arena_printf(cli->arena, "%s %s", thousands(cli, n), n == 1 ? one : many);
}

static bool is_text(struct cli *cli, const json_t *object, const char *key, const char *text)
{
	return strcmp(get_text(cli, object, key), text) == 0;
}

/* --- users ------------------------------------------------------------------------------------
 */

/* "user blog (uid 1001)", "uids 100000-165535" */
static const char *user_words(struct cli *cli, const json_t *user)
{
	json_int_t first = get_number(user, "first"), last = get_number(user, "last");
	const char *name = get_text(cli, user, "user");

	if (*name)
		return arena_printf(cli->arena, "user %s (uid %lld)", name, (long long)first);
	if (first == last)
		return arena_printf(cli->arena, "uid %lld", (long long)first);
	return arena_printf(cli->arena, "uids %lld-%lld", (long long)first, (long long)last);
}

static const char *users_words(struct cli *cli, const json_t *users)
{
	size_t n = json_array_size(users);
	const char *text = "";

	if (n == 0)
		return "nobody";
	for (size_t i = 0; i < n && i < USERS_MAX; i++)
		text = arena_printf(cli->arena, "%s%s%s", text, i ? ", " : "",
				    user_words(cli, json_array_get(users, i)));
	return n > USERS_MAX ? arena_printf(cli->arena, "%s and %zu more", text, n - USERS_MAX) :
			       text;
}

/* The service that has all of the users, or NULL. */
static const char *common_service(struct cli *cli, const json_t *users)
{
	const char *service = get_text(cli, json_array_get(users, 0), "service");

	for (size_t i = 1; i < json_array_size(users); i++)
		if (!is_text(cli, json_array_get(users, i), "service", service))
			return NULL;
	return *service ? service : NULL;
}

static void print_gained(struct cli *cli, const struct style *style, const json_t *user)
{
	const char *before = get_text(cli, user, "before");

	printf("    %s~ governs %s from now on; before: %s%s\n", style->yellow,
	       user_words(cli, user),
	       strcmp(before, "service") == 0 ? get_text(cli, user, "service") :
	       strcmp(before, "refused") == 0 ? "refused everything, for two services shared it" :
						"not governed",
	       style->plain);
}

static void print_lost(struct cli *cli, const struct style *style, const json_t *user)
{
	const char *words = user_words(cli, user);

	if (is_text(cli, user, "now", "nobody"))
		printf("    %s! %s may reach EVERYTHING from now on: not governed%s\n",
		       style->alarm, words, style->plain);
	else if (is_text(cli, user, "now", "refused"))
		printf("    %s- %s may reach nothing from now on: two services share it%s\n",
		       style->red, words, style->plain);
	else
		printf("    %s~ %s governs %s from now on%s\n", style->yellow,
		       get_text(cli, user, "service"), words, style->plain);
}

static void print_users(struct cli *cli, const struct style *style, const json_t *list,
			void (*print)(struct cli *, const struct style *, const json_t *))
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < CHANGES_MAX; i++)
		print(cli, style, json_array_get(list, i));
	if (n > CHANGES_MAX)
		printf("    and %s more (--json lists them)\n",
		       thousands(cli, (json_int_t)(n - CHANGES_MAX)));
}

/* --- one service ------------------------------------------------------------------------------
 */

static const char *sign_style(const struct style *style, char sign)
{
	return sign == '+' ? style->green : sign == '-' ? style->red : style->yellow;
}

static const char *change_place(struct cli *cli, const json_t *change)
{
	const char *file = get_text(cli, change, "file");
	json_int_t line = get_number(change, "line");

	if (!*file || !line)
		return file;
	return arena_printf(cli->arena, "%s:%lld", file, (long long)line);
}

static void print_changes(struct cli *cli, const struct style *style, const json_t *changes)
{
	size_t n = json_array_size(changes), shown = n < CHANGES_MAX ? n : CHANGES_MAX;
	struct cell *cells = arena_alloc(cli->arena, shown * 2 * sizeof(*cells));

	for (size_t i = 0; i < shown; i++) {
		const json_t *change = json_array_get(changes, i);
		const char *sign = get_text(cli, change, "sign");

		cells[2 * i].text =
			arena_printf(cli->arena, "%s %s", sign, get_text(cli, change, "text"));
		cells[2 * i].style = sign_style(style, *sign);
		cells[2 * i + 1].text = change_place(cli, change);
		cells[2 * i + 1].style = style->dim;
	}
	table_print(cells, 2, shown, "    ", stdout);
	if (n > shown)
		printf("    and %s more (--json lists them)\n",
		       thousands(cli, (json_int_t)(n - shown)));
}

/* What governing it means from now on, in its states. */
static void print_state(struct cli *cli, const struct style *style, const json_t *service)
{
	static const struct {
		const char *now, *words;
	} states[] = {
		{ "good", "in force as the file says" },
		{ "last-good", "the file is wrong: its last good version stays in force" },
		{ "refused", "the file is wrong: it is refused everything" },
		{ "off", "taken down on purpose: it may reach EVERYTHING" },
	};
	const json_t *state = json_object_get(service, "state");
	const char *now = get_text(cli, state, "now");
	const char *problem = get_text(cli, service, "problem");

	if (is_text(cli, state, "before", now))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].now, now) == 0)
			printf("    %s~ %s %s %s: %s%s\n",
			       strcmp(now, "off") == 0 ? style->alarm : style->yellow,
			       get_text(cli, state, "before"), ARROW, now, states[i].words,
			       style->plain);
	if (*problem)
		printf("      %s\n", problem);
}

static void print_mode(struct cli *cli, const struct style *style, const json_t *service)
{
	const json_t *mode = json_object_get(service, "mode");
	const char *before = get_text(cli, mode, "before"), *now = get_text(cli, mode, "now");
	bool opens = strcmp(now, "monitor") == 0;

	if (!*now || !*before || strcmp(before, now) == 0)
		return;
	printf("    %s~ mode %s %s %s: %s%s\n", opens ? style->alarm : style->yellow, before, ARROW,
	       now,
	       opens ? "everything passes from now on, and what is not allowed is counted" :
		       "what is not allowed is refused from now on",
	       style->plain);
}

/* What is governed beside the users: whatever is in the unit's control group. */
static void print_unit(struct cli *cli, const struct style *style, const json_t *service)
{
	const json_t *unit = json_object_get(service, "unit");
	const char *before = get_text(cli, unit, "before"), *now = get_text(cli, unit, "now");
	const char *successor = get_text(cli, unit, "successor");

	if (strcmp(before, now) == 0)
		return;
	if (*now)
		printf("    %s~ governs everything in unit %s from now on, whoever owns it%s\n",
		       style->yellow, now, style->plain);
	if (*before && *successor)
		printf("    %s~ %s governs what others own in unit %s from now on%s\n",
		       style->yellow, successor, before, style->plain);
	else if (*before)
		printf("    %s! what others own in unit %s may reach EVERYTHING from now on: not "
		       "governed%s\n",
		       style->alarm, before, style->plain);
}

static void print_new(struct cli *cli, const struct style *style, const json_t *service)
{
	const json_t *users = json_object_get(json_object_get(service, "users"), "gained");
	const json_t *mode = json_object_get(service, "mode");
	const json_t *state = json_object_get(service, "state");
	const char *unit = get_text(cli, json_object_get(service, "unit"), "now");
	const char *who = users_words(cli, users);

	if (*unit)
		who = arena_printf(cli->arena, "%s and everybody in unit %s", who, unit);
	printf("%s%s%s is new: ", style->bold, get_text(cli, service, "service"), style->plain);
	if (is_text(cli, state, "now", "off"))
		printf("taken down on purpose, nothing is refused\n");
	else if (is_text(cli, state, "now", "refused"))
		printf("%s may reach nothing from now on, for the file is wrong\n", who);
	else if (is_text(cli, mode, "now", "monitor"))
		printf("monitor mode, everything passes. Once it enforces, %s may reach only\n",
		       who);
	else
		printf("%s may reach from now on %s\n", who,
		       json_array_size(json_object_get(service, "changes")) ? "only" : "nothing");
	if (*get_text(cli, service, "problem"))
		printf("      %s\n", get_text(cli, service, "problem"));
	print_changes(cli, style, json_object_get(service, "changes"));
}

static void print_gone(struct cli *cli, const struct style *style, const json_t *service)
{
	const json_t *users = json_object_get(json_object_get(service, "users"), "lost");
	const char *successor = common_service(cli, users);

	printf("%s%s%s is gone", style->bold, get_text(cli, service, "service"), style->plain);
	if (!json_array_size(users)) {
		printf(": it governed nobody\n");
	} else if (successor) {
		printf(": %s governs %s from now on\n", successor, users_words(cli, users));
	} else {
		putchar('\n');
		print_users(cli, style, users, print_lost);
	}
	if (!is_text(cli, json_object_get(service, "state"), "before", "off"))
		print_unit(cli, style, service);
	print_changes(cli, style, json_object_get(service, "changes"));
}

static void print_changed(struct cli *cli, const struct style *style, const json_t *service)
{
	const json_t *users = json_object_get(service, "users");
	const json_t *state = json_object_get(service, "state");
	bool turns = !is_text(cli, state, "before", get_text(cli, state, "now")) &&
		     (is_text(cli, state, "before", "off") || is_text(cli, state, "now", "off"));

	printf("%s%s%s\n", style->bold, get_text(cli, service, "service"), style->plain);
	print_state(cli, style, service);
	print_mode(cli, style, service);
	if (!turns) { /* all that it governs, which the state says */
		print_unit(cli, style, service);
		print_users(cli, style, json_object_get(users, "gained"), print_gained);
		print_users(cli, style, json_object_get(users, "lost"), print_lost);
	}
	print_changes(cli, style, json_object_get(service, "changes"));
}

static void print_service(struct cli *cli, const struct style *style, const json_t *service)
{
	if (is_text(cli, service, "change", "new"))
		print_new(cli, style, service);
	else if (is_text(cli, service, "change", "gone"))
		print_gone(cli, style, service);
	else
		print_changed(cli, style, service);
}

/* --- what is nobody's own ---------------------------------------------------------------------
 */

static void print_shared(struct cli *cli, const struct style *style, const json_t *shared)
{
	bool is_dns = is_text(cli, shared, "what", "resolvers");

	printf("%sthe configuration%s changes the %s of %s\n", style->bold, style->plain,
	       is_dns ? "name servers" : "forward proxy",
	       counted(cli, get_number(shared, "services"), "service", "services"));
	print_changes(cli, style, json_object_get(shared, "changes"));
}

static void print_other(struct cli *cli, const struct style *style, const json_t *uids)
{
	bool opens = is_text(cli, uids, "now", "nobody");

	printf("%s%s%s %s: two services %s\n", opens ? style->alarm : style->bold,
	       user_words(cli, uids), style->plain,
	       opens ? "may reach EVERYTHING from now on" : "may reach nothing from now on",
	       opens ? "shared it, now none has it" : "share it");
}

/* --- the last line ----------------------------------------------------------------------------
 */

static const char *effect_words(struct cli *cli, const json_t *service)
{
	static const struct {
		const char *effect, *words;
	} effects[] = {
		{ "more", "may reach more" },
		{ "less", "may reach less" },
		{ "mixed", "may reach more and less" },
		{ "none", "reaches the same" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(effects); i++)
		if (is_text(cli, service, "effect", effects[i].effect))
			return effects[i].words;
	return "";
}

/* ": blog may reach less, erp may reach more" */
static void print_names(struct cli *cli, const json_t *services)
{
	const json_t *service;
	const char *separator = ": ";
	size_t i;

	json_array_foreach(services, i, service) {
		if (!is_text(cli, service, "change", "changed"))
			continue;
		printf("%s%s %s", separator, get_text(cli, service, "service"),
		       effect_words(cli, service));
		separator = ", ";
	}
}

static void print_effects(struct cli *cli, const json_t *summary)
{
	static const struct {
		const char *key, *words;
	} effects[] = {
		{ "may_reach_more", "may reach more" },
		{ "may_reach_less", "less" },
		{ "may_reach_both", "more and less" },
	};
	const char *separator = ": ";

	for (size_t i = 0; i < ARRAY_SIZE(effects); i++) {
		json_int_t n = get_number(summary, effects[i].key);

		if (!n)
			continue;
		printf("%s%s %s", separator, thousands(cli, n), effects[i].words);
		separator = ", ";
	}
}

static void print_summary(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *summary = json_object_get(answer, "summary");
	json_int_t changed = get_number(summary, "changed"), new = get_number(summary, "new");
	json_int_t gone = get_number(summary, "gone"), same = get_number(summary, "same");
	const char *separator = "";

	printf("\n%s", style->bold);
	if (changed) {
		printf("%s", counted(cli, changed, "service changes", "services change"));
		if (changed <= NAMES_MAX)
			print_names(cli, json_object_get(answer, "services"));
		else
			print_effects(cli, summary);
		separator = "; ";
	}
	if (new) {
		printf("%s%s", separator, counted(cli, new, "is new", "are new"));
		separator = "; ";
	}
	if (gone) {
		printf("%s%s", separator, counted(cli, gone, "is gone", "are gone"));
		separator = "; ";
	}
	if (same)
		printf("%s%s", separator,
		       counted(cli, same,
			       *separator ? "stays as it is" : "service has the same policy",
			       *separator ? "stay as they are" :
					    "services have the same policies"));
	printf("%s\n", style->plain);
}

/* --- connections ------------------------------------------------------------------------------
 */

static void print_socket(struct cli *cli, const json_t *socket, struct cell cells[5])
{
	const char *user = get_text(cli, socket, "user");

	cells[0].text = get_text(cli, socket, "service");
	cells[1].text = arena_printf(
		cli->arena, "%s%s",
		*user ? user :
			arena_printf(cli->arena, "uid %lld", (long long)get_number(socket, "uid")),
		get_bool(socket, "by_unit") ? " in its unit" : "");
	cells[2].text =
		arena_printf(cli->arena, "%s %s %s %s", get_text(cli, socket, "protocol"),
			     get_text(cli, socket, "from"), ARROW, get_text(cli, socket, "to"));
	cells[3].text = get_bool(socket, "orphan") ? "closed by its program" :
						     get_text(cli, socket, "state");
	cells[4].text = get_text(cli, socket, "why");
}

void diff_print_sockets(struct cli *cli, const json_t *sockets)
{
	const json_t *list = json_object_get(sockets, "list");
	json_int_t n = get_number(sockets, "refused");
	size_t listed = json_array_size(list), shown = listed < SOCKETS_MAX ? listed : SOCKETS_MAX;
	struct cell *cells = arena_alloc(cli->arena, shown * 5 * sizeof(*cells));
	struct style style = style_of(stdout);

	if (n == 0)
		return;
	if (get_bool(sockets, "can_close"))
		printf("%s%s would be closed%s:\n", style.yellow,
		       counted(cli, n, "connection", "connections"), style.plain);
	else
		printf("%s%s would be refused, but this kernel cannot close %s%s: %s until it "
		       "ends\n",
		       style.alarm, counted(cli, n, "open connection", "open connections"),
		       n == 1 ? "it" : "them", style.plain, n == 1 ? "it goes on" : "each goes on");
	for (size_t i = 0; i < shown; i++)
		print_socket(cli, json_array_get(list, i), &cells[i * 5]);
	table_print(cells, 5, shown, "    ", stdout);
	if (n > (json_int_t)shown)
		printf("    and %s more\n", thousands(cli, n - (json_int_t)shown));
}

void diff_print(struct cli *cli, const json_t *answer)
{
	struct style style = style_of(stdout);
	const json_t *entry;
	size_t i;

	if (get_bool(answer, "differs")) {
		json_array_foreach(json_object_get(answer, "shared"), i, entry)
			print_shared(cli, &style, entry);
		json_array_foreach(json_object_get(answer, "services"), i, entry)
			print_service(cli, &style, entry);
		json_array_foreach(json_object_get(answer, "uids"), i, entry)
			print_other(cli, &style, entry);
		print_summary(cli, &style, answer);
	}
	diff_print_sockets(cli, json_object_get(answer, "sockets"));
}
