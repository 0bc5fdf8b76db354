/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_list.h - the hosts of one service → may it go there, and by which line. The proxy decides
 * with it, and `uidwall why` explains with it.
 */
#ifndef UIDWALL_NAMES_HOST_LIST_H
#define UIDWALL_NAMES_HOST_LIST_H

#include "names/host.h"

struct host_rule {
	const char *name; /* as struct host has it; an address as well */
	bool is_wildcard; /* *.name: what ends in ".name", however deep, and not name itself */
	uint16_t port;	  /* 0: 80 and 443 */
	uint32_t line;	  /* of the policy file */
};

struct host_list;

/* Copies what it is given. Rules in any order, duplicates are fine: the first one decides. 0 or
 * -ENOMEM. */
int host_list_new(const struct host_rule *rules, size_t n, struct host_list **ret_list);
void host_list_free(struct host_list *list); /* NULL is fine */
DEFINE_CLEANUP(host_list, struct host_list *, host_list_free)

enum host_verdict {
	HOST_ALLOWED,
	HOST_NOT_LISTED,	 /* no line names it */
	HOST_PORT_NOT_LISTED,	 /* a line names it, for other ports: decision.line */
	HOST_ADDRESS_NOT_LISTED, /* an address instead of a name */
	HOST_ADDRESS_SPECIAL, /* the name has no address but special ones, and no line lists these
			       */
	HOST_VERDICT_COUNT
};

struct host_decision {
	uint8_t verdict; /* enum host_verdict */
	uint32_t line;	 /* of the rule that decided or comes nearest; 0: none */
};

/* Before resolving. Never HOST_ADDRESS_SPECIAL. The first rule that fits, name and port, decides;
 * where only names fit, decision.line is that of the longest name, and of these the first.
 */
struct host_decision host_list_decide(const struct host_list *list, const struct host *host,
				      uint16_t port);

/* After resolving: whether this very address may be connected to, because it is not special, or
 * because a rule lists it with the port. *ret_line: that rule's, or 0.
 */
bool host_list_admits(const struct host_list *list, const struct prefix *address, uint16_t port,
		      uint32_t *ret_line);

/* The names (no wildcards, no addresses) that rules list with this port, one after the other; port
 * 0: with any but 80 and 443. *at starts at 0. NULL: no more.
 */
const char *host_list_next_name(const struct host_list *list, uint16_t port, size_t *at);

/* Whether any rule names this port by number, or 80 and 443 by naming none. */
bool host_list_has_port(const struct host_list *list, uint16_t port);

/* "not-listed", as records and JSON say it; and as a sentence's end: "is not among its hosts". */
const char *host_verdict_name(enum host_verdict verdict);
const char *host_verdict_words(enum host_verdict verdict);

/* What to add to "hosts": "api.example.org" for 80 and 443, "api.example.org:8443"; addresses
 * always with their port: "[2001:db8::1]:443".
 */
enum { HOST_ENTRY_MAX = HOST_TEXT_MAX + 8 };
void host_format_entry(const struct host *host, uint16_t port, char ret_text[HOST_ENTRY_MAX]);

#endif
