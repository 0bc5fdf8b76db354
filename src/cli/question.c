/* SPDX-License-Identifier: GPL-2.0-or-later */
/* question.c - the words behind "uidwall why" → a question.
 *
 * People type targets in many ways; all of them become "tcp 192.0.2.7:25" here, the one form that
 * the daemon and src/why know. A URL may hold a password: it is never shown again.
 */
#include "cli/question.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "cli/output.h"
#include "cli/resolve.h"
#include "cli/schemes.h"
#include "names/idna.h"

enum { ADDRESSES_MAX = 64 };

#define EXAMPLES                                                                                   \
	"expected for example \"tcp 192.0.2.7:25\", \"192.0.2.7 25\", \"https://example.org\""

/* What the words came to so far; NULL and 0: not said. */
struct wanted {
	struct cli *cli;
	const char *protocol; /* "tcp", "udp" or "icmp" */
	const char *host;
	uint16_t port;
	const char *likely; /* the protocol that the port's name stands for */
	bool is_web;
	bool is_inbound;
};

/* --- words ------------------------------------------------------------------------------------ */

/* Fit to be shown: without what may be a password. */
static const char *shown(struct cli *cli, const char *word)
{
	const char *at = strrchr(word, '@');

	return printable(cli, at ? arena_printf(cli->arena, "...%s", at) : word);
}

static const char *find_protocol(const char *word, size_t length)
{
	static const struct {
		const char *word, *protocol;
	} protocols[] = {
		{ "tcp", "tcp" },    { "udp", "udp" },	      { "icmp", "icmp" },
		{ "ping", "icmp" },  { "icmpv6", "icmp" },    { "icmp6", "icmp" },
		{ "ping6", "icmp" }, { "ipv6-icmp", "icmp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strlen(protocols[i].word) == length &&
		    strncasecmp(protocols[i].word, word, length) == 0)
			return protocols[i].protocol;
	return NULL;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* "25", "smtp". */
static enum cli_status take_port(struct wanted *w, const char *text)
{
	const char *protocol = w->protocol && strcmp(w->protocol, "icmp") != 0 ? w->protocol : NULL;
	unsigned long number;

	if (w->port)
		return bad_use(w->cli, "one port at a time: %u or %s?", w->port,
			       shown(w->cli, text));
	if (!is_number(text)) {
		if (scheme_find(text, protocol, &w->likely, &w->port))
			return CLI_FINE;
		return bad_use(w->cli, "expected one port from 1 to 65535, got \"%s\"",
			       shown(w->cli, text));
	}
	number = strtoul(text, NULL, 10);
	if (number < 1 || number > UINT16_MAX)
		return bad_use(w->cli, "expected one port from 1 to 65535, got %s",
			       printable(w->cli, text));
	w->port = (uint16_t)number;
	return CLI_FINE;
}

static enum cli_status take_host(struct wanted *w, const char *host)
{
	const char *slash = strchr(host, '/');
	struct prefix prefix;

	if (w->host)
		return bad_use(w->cli, "unexpected \"%s\" behind \"%s\"", shown(w->cli, host),
			       shown(w->cli, w->host));
	if (slash && parse_prefix(host, &prefix) != -EINVAL)
		return bad_use(w->cli, "%s is a prefix; ask about one address in it", host);
	if (!*host || slash || strpbrk(host, "@ ,\"'"))
		return bad_use(w->cli, "expected the name or address of one host, got \"%s\"",
			       shown(w->cli, host));
	w->host = host;
	return CLI_FINE;
}

/* "host", "host:port", "[2001:db8::1]", "[2001:db8::1]:53", "2001:db8::1". */
static enum cli_status take_endpoint(struct wanted *w, const char *text)
{
	const char *colon = strchr(text, ':'), *host = text, *end = text + strlen(text);
	const char *port = NULL;
	enum cli_status status;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return bad_use(w->cli, "expected \"[address]:port\", got \"%s\"",
				       shown(w->cli, text));
		host = text + 1;
		port = end[1] ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		end = colon;
		port = colon + 1;
	}
	status = take_host(w, arena_strndup(w->cli->arena, host, (size_t)(end - host)));
	if (status == CLI_FINE && port)
		status = take_port(w, port);
	return status;
}

/* scheme://user:password@host:port/path?query#fragment */
static enum cli_status take_url(struct wanted *w, const char *url)
{
	const char *separator = strstr(url, "://"), *start = separator + 3, *at;
	const char *scheme = arena_strndup(w->cli->arena, url, (size_t)(separator - url));
	char *authority = arena_strndup(w->cli->arena, start, strcspn(start, "/?#"));
	enum cli_status status;

	at = strrchr(authority, '@');
	/* "u:pass/word@host": what looks like a port is half a password */
	if (!at && strchr(start, '@') && strchr(authority, ':') &&
	    !is_number(strrchr(authority, ':') + 1))
		return bad_use(w->cli,
			       "expected %s://host; in a password, write / ? # as %%2F %%3F "
			       "%%23",
			       printable(w->cli, scheme));
	if (at)
		authority = arena_strdup(w->cli->arena, at + 1);
	if (!*authority)
		return bad_use(w->cli, "the URL names no host; expected %s://host",
			       printable(w->cli, scheme));
	w->is_web = strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
	status = take_endpoint(w, authority);
	if (status != CLI_FINE || w->port)
		return status;
	if (!scheme_find(scheme, NULL, &w->likely, &w->port))
		return bad_use(w->cli, "the port of %s:// is not known; write it: %s://%s:PORT",
			       printable(w->cli, scheme), printable(w->cli, scheme),
			       shown(w->cli, authority));
	return CLI_FINE;
}

/* "tcp/25", "25/tcp". False: it is something else. */
static bool take_pair(struct wanted *w, const char *word, enum cli_status *ret_status)
{
	const char *slash = strchr(word, '/'), *protocol, *port;

	if (!slash || strchr(slash + 1, '/'))
		return false;
	protocol = find_protocol(word, (size_t)(slash - word));
	port = slash + 1;
	if (!protocol) {
		protocol = find_protocol(slash + 1, strlen(slash + 1));
		port = arena_strndup(w->cli->arena, word, (size_t)(slash - word));
	}
	if (!protocol)
		return false;
	w->protocol = protocol;
	*ret_status = take_port(w, port);
	return true;
}

static bool is_filler(const char *word)
{
	static const char *const fillers[] = { "to", "port", "on", "at" };

	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		if (strcasecmp(word, fillers[i]) == 0)
			return true;
	return false;
}

/* "smtp 192.0.2.7", but not "mail 25": that mail is a host. */
static bool is_port_name(const struct wanted *w, const char *word, const char *next)
{
	const char *protocol;
	uint16_t port;

	if (w->port || (!w->is_inbound && (!next || is_number(next))))
		return false;
	return scheme_find(word, NULL, &protocol, &port);
}

/* next: the word behind it, or NULL: then it has to be the host where there is none yet. */
static enum cli_status take_word(struct wanted *w, const char *word, const char *next)
{
	bool is_host = !next && !w->host && !w->is_inbound;
	const char *protocol = find_protocol(word, strlen(word));
	enum cli_status status = CLI_FINE;

	if (strstr(word, "://"))
		return take_url(w, word);
	if (take_pair(w, word, &status) || (is_filler(word) && !is_host))
		return status;
	if (!w->protocol && protocol && !is_host) {
		w->protocol = protocol;
		return CLI_FINE;
	}
	if (is_number(word) || w->host || is_port_name(w, word, next))
		return take_port(w, word);
	return take_endpoint(w, word);
}

/* --- what is wanted --------------------------------------------------------------------------- */

static enum cli_status check_wanted(struct wanted *w)
{
	if (!w->protocol)
		w->protocol = w->likely ? w->likely : "tcp";
	if (strcmp(w->protocol, "icmp") == 0 && w->is_inbound)
		return bad_use(w->cli, "expected a port behind \"from\", such as \"tcp 3000\"");
	if (strcmp(w->protocol, "icmp") == 0 && w->port)
		return bad_use(w->cli, "icmp has no ports; expected \"icmp %s\"",
			       w->host ? shown(w->cli, w->host) : "192.0.2.1");
	if (!w->host && !w->is_inbound)
		return bad_use(w->cli, "missing host; " EXAMPLES);
	if (!w->port && strcmp(w->protocol, "icmp") != 0)
		return bad_use(w->cli, w->is_inbound ?
					       "missing port; expected for example \"tcp 3000\"" :
					       "missing port; " EXAMPLES);
	return CLI_FINE;
}

/* "fe80::1%eth0" is an address, too. */
static bool is_address(struct cli *cli, const char *text, struct prefix *ret_address)
{
	return parse_address(arena_strndup(cli->arena, text, strcspn(text, "%")), ret_address) == 0;
}

static void add_target(struct wanted *w, const char *address, struct question *question)
{
	bool v6 = strchr(address, ':') != NULL;
	const char *text = arena_printf(w->cli->arena, "%s %s", w->protocol, address);

	if (strcmp(w->protocol, "icmp") != 0)
		text = arena_printf(w->cli->arena, "%s %s%s%s:%u", w->protocol, v6 ? "[" : "",
				    address, v6 ? "]" : "", w->port);
	*ARENA_APPEND(w->cli->arena, question->targets, question->n_targets) = text;
}

/* As policies and the proxy have it. What no proxy takes for a host, but some resolver may, is left
 * as it was typed.
 */
static enum cli_status normalize_host(struct wanted *w)
{
	const char *why = NULL;
	struct host host;
	bool is_ascii = true;

	if (idna_parse(w->host, strlen(w->host), &host, &why) == 0) {
		w->host = arena_strdup(w->cli->arena, host.name);
		return CLI_FINE;
	}
	for (const char *p = w->host; *p; p++)
		is_ascii = is_ascii && (unsigned char)*p < 0x80;
	if (is_ascii)
		return CLI_FINE;
	return bad_use(w->cli, "\"%s\" is no host: it %s", shown(w->cli, w->host), why);
}

enum cli_status question_unresolved(struct cli *cli, const struct question *question)
{
	return bad_use(cli, "cannot resolve \"%s\": %s", printable(cli, question->host),
		       printable(cli, question->unresolved));
}

static enum cli_status add_addresses(struct wanted *w, struct question *question)
{
	struct addresses addresses = { 0 };
	enum cli_status status;
	const char *error;
	struct prefix address;

	if (is_address(w->cli, w->host, &address)) {
		add_target(w, w->host, question);
		question->host = w->host;
		return CLI_FINE;
	}
	status = normalize_host(w);
	if (status != CLI_FINE)
		return status;
	question->host = w->host;
	if (is_address(w->cli, w->host, &address)) {
		add_target(w, w->host, question);
		return CLI_FINE;
	}
	question->is_name = strcmp(w->host, "localhost") != 0;
	if (!question->is_name) {
		add_target(w, "127.0.0.1", question);
		add_target(w, "::1", question);
		return CLI_FINE;
	}
	if (resolve_host(w->cli, w->host, ADDRESSES_MAX, &addresses, &error) < 0) {
		question->unresolved = error;
		if (!w->is_web)
			return question_unresolved(w->cli, question);
		*ARENA_APPEND(w->cli->arena, question->targets, question->n_targets) =
			arena_printf(w->cli->arena, "%s %u", w->protocol, w->port);
	}
	for (size_t i = 0; i < addresses.n; i++)
		add_target(w, addresses.list[i], question);
	question->n_left_out = addresses.n_left_out;
	return CLI_FINE;
}

/* Both loopbacks are asked about, so only their names may stand beside the port. */
static enum cli_status add_port(struct wanted *w, struct question *question)
{
	struct prefix address;

	if (w->host && strcasecmp(w->host, "localhost") != 0 &&
	    !(is_address(w->cli, w->host, &address) && prefix_is_loopback(&address)))
		return bad_use(w->cli,
			       "expected a port of %s, such as \"tcp 3000\", behind \"from %s\", "
			       "got \"%s\"",
			       printable(w->cli, question->subject),
			       printable(w->cli, question->from), shown(w->cli, w->host));
	*ARENA_APPEND(w->cli->arena, question->targets, question->n_targets) =
		arena_printf(w->cli->arena, "%s %u", w->protocol, w->port);
	return CLI_FINE;
}

/* --- who -------------------------------------------------------------------------------------- */

/* The uid of a name or number; QUESTION_NO_UID where there is none. */
static enum cli_status find_uid(struct cli *cli, const char *name, int64_t *ret_uid)
{
	uint32_t uid;
	int r = resolve_user(cli, name, &uid);

	*ret_uid = QUESTION_NO_UID;
	if (r == 0)
		*ret_uid = uid;
	else if (is_number(name) && strlen(name) <= 10 && strtoull(name, NULL, 10) < UINT32_MAX)
		*ret_uid = (int64_t)strtoull(name, NULL, 10);
	else if (r != -ENOENT)
		return bad_use(cli, "cannot find out who \"%s\" is: %s", printable(cli, name),
			       strerror(-r));
	return CLI_FINE;
}

static enum cli_status take_from(struct cli *cli, const char *who, struct question *question)
{
	enum cli_status status = find_uid(cli, who, &question->from_uid);
	const char *name = NULL;
	struct prefix address;

	question->from = who;
	if (status != CLI_FINE)
		return status;
	if (question->from_uid != QUESTION_NO_UID && is_number(who))
		name = resolve_uid(cli, (uint32_t)question->from_uid);
	if (name)
		question->from = name;
	if (question->from_uid != QUESTION_NO_UID || is_address(cli, who, &address))
		return CLI_FINE;
	if (parse_prefix(who, &address) != -EINVAL)
		return bad_use(cli, "%s is a prefix; ask about one address in it", who);
	return bad_use(cli, "no user \"%s\"; expected a user or an address behind \"from\"",
		       printable(cli, who));
}

enum cli_status question_parse(struct cli *cli, struct question *ret_question)
{
	struct wanted wanted = { .cli = cli };
	size_t first = 1;
	enum cli_status status;

	*ret_question = (struct question){ .subject = cli->args[0], .from_uid = QUESTION_NO_UID };
	status = find_uid(cli, cli->args[0], &ret_question->uid);
	if (status == CLI_FINE && cli->n_args > 2 && strcasecmp(cli->args[1], "from") == 0) {
		first = 3;
		wanted.is_inbound = true;
		status = take_from(cli, cli->args[2], ret_question);
	}
	for (size_t i = first; status == CLI_FINE && i < cli->n_args; i++)
		status = take_word(&wanted, cli->args[i],
				   i + 1 < cli->n_args ? cli->args[i + 1] : NULL);
	if (status == CLI_FINE)
		status = check_wanted(&wanted);
	if (status != CLI_FINE)
		return status;
	if (wanted.is_inbound)
		return add_port(&wanted, ret_question);
	ret_question->is_web = wanted.is_web;
	return add_addresses(&wanted, ret_question);
}
