/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.h - what a policy file says, after parsing: one struct policy a file. */
#ifndef UIDWALL_POLICY_POLICY_H
#define UIDWALL_POLICY_POLICY_H

#include "base/addr.h"
#include "base/diag.h"

enum {
	SERVICE_NAME_MAX = 32,
	POLICY_FILE_MAX = 1024 * 1024, /* bytes of a policy file */
	CGROUP_LEVELS = 8,	       /* a unit's control group is at most so deep */
};

#define UID_LAST 4294967294u /* (uid_t)-1 means "no user" in every system call */

/* An inclusive range of numbers: uids or ports. */
struct number_range {
	uint32_t first;
	uint32_t last;
};

enum claim_kind { CLAIM_USER, CLAIM_GROUP, CLAIM_UIDS };

/* One thing that says whose sockets: a user, a group or a range of uids. */
struct claim {
	uint8_t kind;		   /* enum claim_kind */
	const char *name;	   /* user or group as written; NULL where a number was given */
	struct number_range range; /* the uid, gid or uids where name is NULL */
	struct place place;
};

/* A uid or range of uids that the policy governs, once names are resolved. */
struct subject {
	struct number_range uids;
	bool is_named;	    /* by user, users or group: wins over a range */
	bool is_subuid;	    /* from /etc/subuid: gives way to both */
	struct place place; /* the claim it comes from */
};

enum policy_protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP };

struct endpoint {
	struct prefix to;	    /* family ADDR_NONE: "localhost", both loopbacks */
	struct number_range *ports; /* sorted, merged; none with ICMP */
	size_t n_ports;
	uint8_t protocol;	/* enum policy_protocol */
	const char *interface;	/* NULL: any */
	int64_t until;		/* seconds since 1970 at which it ends; INT64_MAX: never */
	const char *until_text; /* as written, or NULL */
	struct place place;
};

struct user_ref {
	const char *name; /* NULL where a number was given */
	uint32_t uid;	  /* valid after policy_set_check() */
	struct place place;
};

struct listener {
	struct number_range *ports; /* sorted, merged */
	size_t n_ports;
	uint8_t protocol; /* PROTOCOL_TCP or PROTOCOL_UDP */
	bool has_from;	  /* false: anyone may connect over loopback */
	struct user_ref *from;
	size_t n_from;
	struct place place;
};

/* "name", "*.name", "name:port": name lower case without trailing dot. */
struct host_pattern {
	const char *name;
	bool is_wildcard;
	uint16_t port; /* 0: 80 and 443 */
	struct place place;
};

enum policy_mode { MODE_ENFORCE, MODE_MONITOR };

struct policy {
	const char *service;
	const char *file; /* its name without folder, as comments show it */
	const char *path; /* as opened */
	const char *text; /* the file's bytes, NUL-terminated; kept for messages and last good */
	size_t text_length;
	struct place place; /* of the object */

	struct claim *claims;
	size_t n_claims;
	struct subject *subjects; /* sorted by uid; see policy_set_check() */
	size_t n_subjects;

	uint8_t mode; /* enum policy_mode */
	bool dns;
	bool proxy;
	bool transparent;
	struct place mode_place, dns_place, proxy_place, transparent_place; /* line 0: default */
	struct host_pattern *hosts;
	size_t n_hosts;
	struct endpoint *connect;
	size_t n_connect;
	struct listener *listen;
	size_t n_listen;
	const char *unit; /* NULL: none */
	struct place unit_place;
	const char *socket_path; /* NULL: none */
	const char *socket_peer; /* user or group name, or NULL */
	struct place socket_place;
};

#endif
