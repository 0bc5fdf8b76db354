/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status_proxy.c - "proxy" of the daemon's status → words.
 *
 * A proxy that does not run lets nobody out, so that is a warning and no fault of the wall: the
 * exit status of `uidwall status` is about the wall.
 */
#include "cli/status_proxy.h"

#include <string.h>

json_int_t status_refused_by_name(const json_t *service)
{
	const json_t *by_name = json_object_get(service, "by_name");

	return get_number(by_name, "refused") + get_number(by_name, "would_refuse");
}

/* Only root and the admins are told. */
static void print_counts(struct cli *cli, const json_t *proxy)
{
	const json_t *by_name = json_object_get(proxy, "by_name");
	json_int_t strangers = get_number(proxy, "strangers_refused");
	json_int_t would = get_number(by_name, "would_refuse");
	json_int_t failed = get_number(by_name, "failed");

	if (!by_name)
		return;
	printf("By name: %lld allowed, %lld refused", (long long)get_number(by_name, "allowed"),
	       (long long)get_number(by_name, "refused"));
	if (strangers)
		printf(" (%lld of them to users of no service)", (long long)strangers);
	if (would)
		printf(", %lld would have been", (long long)would);
	if (failed)
		printf(", %lld failed", (long long)failed);
	puts(".");
}

static void print_absent(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *proxy = json_object_get(answer, "proxy");
	const char *when = get_bool(proxy, "ever_connected") ?
				   arena_printf(cli->arena, "since %s",
						date_words(cli, get_number(proxy, "since"))) :
				   "and has not since uidwalld started";

	printf("%suidwall-proxy DOES NOT RUN%s %s: nobody gets out by name.\n"
	       "  \"systemctl status uidwall-proxy\" says why.\n",
	       style->alarm, style->plain, when);
}

void status_print_proxy(struct cli *cli, const struct style *style, const json_t *answer)
{
	const json_t *proxy = json_object_get(answer, "proxy");

	if (strcmp(get_text(cli, proxy, "kind"), "external") == 0) {
		printf("The forward proxy is an external one: what it lets through is for it to "
		       "say.\n");
		return;
	}
	if (get_bool(proxy, "connected"))
		printf("uidwall-proxy, pid %lld, is connected since %s.\n",
		       (long long)get_number(proxy, "pid"),
		       date_words(cli, get_number(proxy, "since")));
	else if (get_bool(proxy, "needed"))
		print_absent(cli, style, answer);
	else
		return;
	print_counts(cli, proxy);
}
