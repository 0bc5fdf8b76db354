/* SPDX-License-Identifier: GPL-2.0-or-later */
/* values.h - the kinds of values that keys take: how each is parsed, named and described. */
#ifndef UIDWALL_POLICY_VALUES_H
#define UIDWALL_POLICY_VALUES_H

#include "policy/keys.h"
#include "policy/policy.h"

/* What each parser fills in is said behind it. */
extern const struct value_type value_anything;	/* nothing: the key is ignored */
extern const struct value_type value_bool;	/* bool */
extern const struct value_type value_service;	/* const char * */
extern const struct value_type value_prefix;	/* struct prefix; ADDR_NONE: localhost */
extern const struct value_type value_ports;	/* struct port_list */
extern const struct value_type value_protocol;	/* uint8_t, enum policy_protocol */
extern const struct value_type value_transport; /* the same without ICMP */
extern const struct value_type value_mode;	/* uint8_t, enum policy_mode */
extern const struct value_type value_interface; /* const char * */
extern const struct value_type value_date;	/* struct date */
extern const struct value_type value_user_refs; /* struct user_list */
extern const struct value_type value_hosts;	/* struct host_patterns */
extern const struct value_type value_unit;	/* const char * */
extern const struct value_type value_path;	/* const char *: a unix socket's */
extern const struct value_type value_account;	/* const char *: a user's or group's name */

/* Lists as they lie in struct policy: pointer, then number. */
struct port_list {
	struct number_range *ports;
	size_t n;
};

struct user_list {
	struct user_ref *users;
	size_t n;
};

struct host_patterns {
	struct host_pattern *hosts;
	size_t n;
};

/* How a name in another script would have to be written, for messages; a program that is linked
 * with libidn2 sets it (names/idna.h), others cannot say. As host_parse().
 */
struct host;
typedef int hosts_to_ascii_fn(const char *text, size_t n, struct host *ret_host,
			      const char **ret_why);
extern hosts_to_ascii_fn *hosts_to_ascii;

struct date {
	int64_t end; /* seconds since 1970: the first moment after that day (UTC) */
	const char *text;
};

/* A name (1 to 32 bytes) or a number up to UID_LAST; name NULL for a number. */
int parse_account(struct cursor at, const char *expected, const char **ret_name,
		  uint32_t *ret_number, struct diags *diags);
#define SCHEMA_ACCOUNT(lowest)                                                                     \
	"{'type':['string','integer'],'minimum':" lowest ",'maximum':4294967294,'minLength':1,"    \
	"'maxLength':32,'pattern':'^[^:/, \\\\x00-\\\\x1f\\\\x7f]+$'}"

/* "100" or "100-200", both at most max. */
int parse_number_range(const char *text, uint32_t max, struct number_range *ret_range);

/* Sorts, and joins what overlaps or touches. */
void ranges_normalize(struct number_range *ranges, size_t *n);
bool ranges_overlap(const struct number_range *a, size_t n_a, const struct number_range *b,
		    size_t n_b);
bool ranges_contain(const struct number_range *outer, size_t n, uint32_t number);

/* Parts of patterns in schemas: a port, an IPv4 address. */
#define SCHEMA_DECIMAL_PORT                                                                        \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define SCHEMA_OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define SCHEMA_V4 SCHEMA_OCTET "(\\\\." SCHEMA_OCTET "){3}"

#endif
