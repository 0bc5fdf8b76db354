/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advice_hosts.c - "hosts" → warnings about entries that say nothing new, or more than was meant.
 */
#include "policy/advice_hosts.h"

#include <string.h>

#include "names/special.h"

static void warn(const struct policy *policy, const struct host_pattern *entry, struct diags *diags,
		 const char *message)
{
	diag_add_in(diags, DIAG_WARNING, entry->place, policy->text, policy->text_length, "%s",
		    message);
}

/* --- nothing new ------------------------------------------------------------------------------ */

/* By name; names before wildcards, then as in the file. */
static int compare(const void *a, const void *b)
{
	const struct host_pattern *x = *(const struct host_pattern *const *)a;
	const struct host_pattern *y = *(const struct host_pattern *const *)b;
	int r = strcmp(x->name, y->name);

	if (r)
		return r;
	if (x->is_wildcard != y->is_wildcard)
		return x->is_wildcard ? 1 : -1;
	return x < y ? -1 : x > y;
}

static bool same_name(const struct host_pattern *a, const struct host_pattern *b)
{
	return a->is_wildcard == b->is_wildcard && strcmp(a->name, b->name) == 0;
}

/* Whether all ports of b are a's, too. */
static bool covers_ports(const struct host_pattern *a, const struct host_pattern *b)
{
	return a->port == b->port || (!a->port && (b->port == 80 || b->port == 443));
}

struct sorted {
	const struct host_pattern **list;
	size_t n;
};

static const struct host_pattern *find_wildcard(const struct sorted *wildcards, const char *name,
						const struct host_pattern *entry)
{
	size_t low = 0, high = wildcards->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(wildcards->list[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < wildcards->n && strcmp(wildcards->list[low]->name, name) == 0; low++)
		if (covers_ports(wildcards->list[low], entry))
			return wildcards->list[low];
	return NULL;
}

static void advise_cover(const struct policy *policy, const struct sorted *wildcards,
			 const struct host_pattern *entry, struct diags *diags)
{
	const struct host_pattern *cover = NULL;
	const char *dot = entry->name;

	while (!cover && (dot = strchr(dot, '.')))
		cover = find_wildcard(wildcards, ++dot, entry);
	if (cover)
		warn(policy, entry, diags,
		     arena_printf(diags->arena, "\"*.%s\" on line %u is for this host, too",
				  cover->name, cover->place.line));
}

/* Entries with one name stand side by side. Of two that say the same, the second is too much. */
static void advise_twice(const struct policy *policy, const struct sorted *all, size_t i,
			 struct diags *diags)
{
	const struct host_pattern *entry = all->list[i];
	size_t first = i;

	while (first > 0 && same_name(all->list[first - 1], entry))
		first--;
	for (; first < all->n && same_name(all->list[first], entry); first++) {
		const struct host_pattern *other = all->list[first];

		if (other == entry || !covers_ports(other, entry) ||
		    (covers_ports(entry, other) && entry < other))
			continue;
		warn(policy, entry, diags,
		     arena_printf(diags->arena, "line %u lists this host already",
				  other->place.line));
		return;
	}
}

static void advise_repetition(const struct policy *policy, struct diags *diags)
{
	AUTO(mem) const struct host_pattern **list = calloc(2 * policy->n_hosts + 1, sizeof(*list));
	struct sorted all, wildcards;

	if (!list)
		abort();
	all = (struct sorted){ list, policy->n_hosts };
	wildcards = (struct sorted){ list + policy->n_hosts, 0 };
	for (size_t i = 0; i < policy->n_hosts; i++)
		list[i] = &policy->hosts[i];
	qsort(list, all.n, sizeof(*list), compare);
	for (size_t i = 0; i < all.n; i++)
		if (list[i]->is_wildcard)
			wildcards.list[wildcards.n++] = list[i];
	for (size_t i = 0; i < all.n; i++) {
		advise_twice(policy, &all, i, diags);
		advise_cover(policy, &wildcards, list[i], diags);
	}
}

/* --- more than was meant ---------------------------------------------------------------------- */

/* Top-level names that nobody can buy a name below: RFC 2606, 6761, 6762, and what sites use. */
static bool is_private_domain(const char *name)
{
	static const char *const domains[] = { "corp",	    "example", "home", "internal",
					       "intranet",  "invalid", "lan",  "local",
					       "localhost", "onion",   "test" };

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
		if (strcmp(domains[i], name) == 0)
			return true;
	return false;
}

/* Ports on which the client's first bytes are TLS or HTTP, and so may hold a name. */
static bool has_names(uint16_t port)
{
	static const uint16_t ports[] = { 80,	443,  465,  563,  636,	853,  989,  990,
					  992,	993,  994,  995,  5061, 5223, 5671, 6697,
					  8000, 8080, 8081, 8443, 8883, 9443 };

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (ports[i] == port)
			return true;
	return port == 0;
}

static void advise_wildcard(const struct policy *policy, const struct host_pattern *entry,
			    struct diags *diags)
{
	if (!strchr(entry->name, '.') && !is_private_domain(entry->name))
		warn(policy, entry, diags,
		     arena_printf(diags->arena,
				  "anybody can have a name below .%s, so this lets %s connect to "
				  "whomever it likes",
				  entry->name, policy->service));
	if (policy->transparent && !has_names(entry->port))
		warn(policy, entry, diags,
		     "a connection that is redirected, and begins neither with TLS nor with HTTP, "
		     "is allowed by the addresses of whole names: name the hosts");
}

/* Private addresses are what people have reason to list, so they need no warning. */
static void advise_address(const struct policy *policy, const struct host_pattern *entry,
			   struct diags *diags)
{
	struct prefix address;
	const char *purpose;

	if (strcmp(entry->name, "localhost") == 0)
		warn(policy, entry, diags,
		     "the proxy refuses what resolves to this machine, unless the address is "
		     "listed "
		     "as well; \"connect\" is for ports of this machine");
	if (parse_address(entry->name, &address) < 0)
		return;
	purpose = special_purpose(&address);
	if (prefix_is_loopback(&address) || prefix_is_unspecified(&address))
		warn(policy, entry, diags,
		     arena_printf(diags->arena,
				  "it is the proxy that connects, so the \"from\" of who listens "
				  "there is about the proxy and not about %s; \"connect\" is for "
				  "ports of this machine",
				  policy->service));
	else if (purpose && strstr(purpose, "metadata"))
		warn(policy, entry, diags,
		     arena_printf(
			     diags->arena,
			     "this opens %s, which gives this machine's credentials to whoever "
			     "asks",
			     purpose));
}

void advise_hosts(const struct policy *policy, struct diags *diags)
{
	advise_repetition(policy, diags);
	for (size_t i = 0; i < policy->n_hosts; i++) {
		const struct host_pattern *entry = &policy->hosts[i];

		if (entry->is_wildcard)
			advise_wildcard(policy, entry, diags);
		else
			advise_address(policy, entry, diags);
	}
}
