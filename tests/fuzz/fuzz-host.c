/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-host.c - bytes where a host is expected → a name or an address: of a request, a policy, the
 * command line. What comes out is in the one form, and no C library takes a name for an address.
 */
#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"
#include "names/host_list.h"
#include "names/idna.h"

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static bool same_host(const struct host *a, const struct host *b)
{
	return strcmp(a->name, b->name) == 0 && a->address.family == b->address.family &&
	       (a->address.family == ADDR_NONE || prefix_compare(&a->address, &b->address) == 0);
}

static void check_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	uint8_t bytes[16];
	struct in_addr in;

	expect(strspn(name, letters) == strlen(name));
	expect(name[0] != '.' && name[strlen(name) - 1] != '.' && !strstr(name, ".."));
	expect(!inet_aton(name, &in));
	expect(inet_pton(AF_INET, name, bytes) != 1 && inet_pton(AF_INET6, name, bytes) != 1);
}

static void check_host(const struct host *host)
{
	size_t n = strlen(host->name);
	char text[PREFIX_TEXT_MAX];
	const char *why = NULL;
	struct host again;

	expect(n > 0 && n <= HOST_NAME_MAX_LENGTH);
	expect(host_parse(host->name, n, &again, &why) == 0 && same_host(host, &again));
	expect(idna_parse(host->name, n, &again, &why) == 0 && same_host(host, &again));
	if (host->address.family == ADDR_NONE) {
		check_name(host->name);
		return;
	}
	expect(prefix_is_host(&host->address) && !prefix_is_mapped(&host->address));
	format_prefix(&host->address, text);
	expect(strcmp(text, host->name) == 0);
}

/* What is proposed for a policy is read as it was meant, and is enough. */
static void check_entry(const struct host *host, uint16_t port)
{
	AUTO(host_list) struct host_list *list = NULL;
	struct host_rule rule = { .name = host->name, .line = 7 };
	char entry[HOST_ENTRY_MAX];
	const char *why = NULL;
	struct host again;

	host_format_entry(host, port, entry);
	expect(host_parse_port(entry, strlen(entry), 0, &again, &rule.port, &why) == 0);
	expect(same_host(host, &again) && (rule.port == port || rule.port == 0));
	if (host_list_new(&rule, 1, &list) == 0)
		expect(host_list_decide(list, host, port).verdict == HOST_ALLOWED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host plain, mapped, ported;
	const char *why = NULL;
	uint16_t port = 0;
	AUTO(mem) char *text = malloc(size ? size : 1);
	int r;

	if (!text)
		return 0;
	for (size_t i = 0; i < size; i++) /* no NUL behind it */
		text[i] = (char)data[i];
	r = host_parse(text, size, &plain, &why);
	if (r == 0)
		check_host(&plain);
	else
		fuzz_check_line(why);
	why = NULL;
	if (idna_parse(text, size, &mapped, &why) == 0)
		check_host(&mapped);
	else
		fuzz_check_line(why);
	if (r == 0)
		expect(same_host(&plain, &mapped));
	why = NULL;
	if (host_parse_port(text, size, 443, &ported, &port, &why) == 0) {
		check_host(&ported);
		expect(port != 0);
		check_entry(&ported, port);
	} else {
		fuzz_check_line(why);
	}
	return 0;
}
