/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ir.h - the ruleset as plain data: what the text, the netlink and the evaluator back ends consume.
 *
 * Nothing is implicit. Values are bytes in network order, references are indices, every match on
 * a header field follows the match on the protocol that the header belongs to (ir_check() insists).
 * One table; its family is inet.
 */
#ifndef UIDWALL_PLAN_IR_H
#define UIDWALL_PLAN_IR_H

#include "base/arena.h"
#include "base/place.h"

#define IR_TABLE_NAME "uidwall"

enum {
	IR_KEY_MAX = 20,   /* an IPv6 address and a port, padded to 4 bytes each */
	IR_VALUE_MAX = 16, /* an IPv6 address or an interface name */
	IR_NAME_MAX = 64,  /* of chains, sets and counters, with the NUL */
	IR_COMMENT_MAX = 128,
	IR_NONE = UINT32_MAX, /* an index that refers to nothing */
};

/* What a match looks at. ir_fields[] describes each for the back ends. */
enum ir_field {
	IR_SKUID,	 /* fsuid of whoever opened the socket; absent without a socket */
	IR_OIFNAME,	 /* 16 bytes, NUL-padded */
	IR_NFPROTO,	 /* 1 byte: NFPROTO_IPV4 or NFPROTO_IPV6 */
	IR_L4PROTO,	 /* 1 byte: IPPROTO_... */
	IR_TIME,	 /* 8 bytes: nanoseconds since 1970 */
	IR_IP_HDRLENGTH, /* 4 bits, in words of 4 bytes */
	IR_IP_DADDR,	 /* 4 bytes */
	IR_IP6_DADDR,	 /* 16 bytes */
	IR_TCP_SPORT,	 /* ports: 2 bytes */
	IR_TCP_DPORT,
	IR_UDP_SPORT,
	IR_UDP_DPORT,
	IR_TCP_FLAGS,	   /* 1 byte */
	IR_ICMP_TYPE,	   /* 1 byte */
	IR_ICMPV6_TYPE,	   /* 1 byte */
	IR_CT_DIRECTION,   /* 1 byte: 0 original, 1 reply; absent without conntrack */
	IR_SADDR_TYPE,	   /* fib: 4 bytes, RTN_... as the kernel stores it (host order) */
	IR_EXTHDR_ROUTING, /* 1 byte: 1 an IPv6 routing header is present */
	IR_TCPOPT_MPTCP,   /* 1 byte: 1 the option is present */
	IR_CT_STATUS,	   /* 4 bytes: IPS_...; absent without conntrack */
	/* 8 bytes: the number of the socket's control group, or the one above it that is so many
	 * below the root; absent without a socket, or above it
	 */
	IR_CGROUP_1,
	IR_CGROUP_2,
	IR_CGROUP_3,
	IR_CGROUP_4,
	IR_CGROUP_5,
	IR_CGROUP_6,
	IR_CGROUP_7,
	IR_CGROUP_8,
	IR_FIELD_COUNT
};

enum { IR_CGROUP_LEVELS = IR_CGROUP_8 - IR_CGROUP_1 + 1 };

enum ir_load {
	IR_LOAD_META,
	IR_LOAD_PAYLOAD,
	IR_LOAD_CT,
	IR_LOAD_FIB,
	IR_LOAD_EXTHDR,
	IR_LOAD_TCPOPT,
	IR_LOAD_SOCKET
};

struct ir_field_desc {
	const char *text;    /* as nft writes it, "meta skuid" */
	uint8_t length;	     /* bytes loaded */
	bool host_order;     /* the kernel loads it in host order: swapped before < and >= */
	uint8_t load;	     /* enum ir_load */
	uint32_t key;	     /* NFT_META_..., NFT_PAYLOAD_... base, NFT_CT_..., NFT_FIB_RESULT_...,
				NFT_SOCKET_..., header or option type */
	uint32_t offset;     /* payload: bytes from the base; socket: the level */
	uint8_t mask;	     /* only these bits of a single byte; 0: all */
	int needs;	     /* enum ir_field that must have been matched before, or -1 */
	uint8_t needs_value; /* ... and the value it must have had */
};

extern const struct ir_field_desc ir_fields[IR_FIELD_COUNT];

enum ir_op {
	IR_EQ,
	IR_NE,
	IR_LT,
	IR_GE,
	IR_RANGE,   /* value holds low and high, each of the field's length (at most 8) */
	IR_PREFIX,  /* the first prefix_length bits equal value */
	IR_MASK_EQ, /* (field & mask) == value; one byte, the lowest */
	IR_MASK_NE,
};

enum ir_verdict { IR_ACCEPT, IR_DROP, IR_RETURN, IR_JUMP, IR_GOTO };

enum ir_reject { IR_REJECT_TCP_RESET, IR_REJECT_ADMIN_PROHIBITED };

enum ir_stmt_kind {
	IR_STMT_MATCH,	 /* field op value */
	IR_STMT_LOOKUP,	 /* field [. field2] is in the set `index` */
	IR_STMT_VMAP,	 /* the verdict of the map `index` at field; none: go on */
	IR_STMT_COUNTER, /* count in the named counter `index` */
	IR_STMT_STRIP,	 /* overwrite the TCP option `field` with padding; Linux 5.18 */
	IR_STMT_REJECT,	 /* drop and answer; enum ir_reject */
	IR_STMT_DNAT,	 /* lead the connection to an address (`op`: its NFPROTO_...) and port */
	IR_STMT_VERDICT, /* enum ir_verdict; chain `index` for jump and goto */
};

struct ir_stmt {
	uint8_t kind; /* enum ir_stmt_kind */
	uint8_t op; /* match: enum ir_op; verdict: enum ir_verdict; reject: enum ir_reject; dnat */
	uint8_t field;	/* match, lookup, vmap, strip */
	uint8_t field2; /* lookup in a concatenation: the second field, else IR_FIELD_COUNT */
	uint8_t mask;	/* IR_MASK_EQ, IR_MASK_NE; dnat: how many more ports there are behind `port`
			 */
	uint8_t prefix_length; /* IR_PREFIX */
	uint16_t port;	       /* dnat; not in network order */
	union {
		uint32_t index; /* all but matches, rejects and dnat; IR_NONE: a verdict that ends
				 */
		/* matches and dnat: IR_VALUE_MAX bytes, the unused ones 0; shared */
		const uint8_t *value;
	};
};

/* Which line of which policy something comes from: "blog.json:5 connect". */
struct ir_origin {
	struct place place; /* file NULL: from no policy, `what` says it all */
	const char *what;   /* a key of the policy or a few words */
};

struct ir_rule {
	uint32_t first_stmt; /* in ruleset.stmts */
	uint32_t n_stmts;
	struct ir_origin origin;
};

/* Where packets enter a base chain; its default verdict is accept. In the order in which a packet
 * of this machine meets them.
 */
enum ir_hook {
	IR_HOOK_NONE,	     /* no base chain */
	IR_HOOK_NAT_OUTPUT,  /* the first packet of a connection: may be led elsewhere */
	IR_HOOK_OUTPUT,	     /* every packet, with the interface from before it was led elsewhere */
	IR_HOOK_POSTROUTING, /* every packet, with the interface by which it leaves */
	IR_HOOK_INPUT,	     /* what arrives for this machine */
	IR_HOOK_COUNT
};

struct ir_hook_desc {
	const char *text; /* as nft writes it */
	const char *type;
	uint32_t number; /* NF_INET_... */
	int32_t priority;
};

extern const struct ir_hook_desc ir_hooks[IR_HOOK_COUNT];

struct ir_chain {
	const char *name;
	uint8_t hook;	     /* enum ir_hook */
	uint32_t first_rule; /* in ruleset.rules */
	uint32_t n_rules;
};

enum ir_key_type {
	IR_KEY_UID,
	IR_KEY_PORT,
	IR_KEY_IPV4,
	IR_KEY_IPV6,
	IR_KEY_IPV4_PORT,
	IR_KEY_IPV6_PORT,
	IR_KEY_CGROUP,
	IR_KEY_TYPE_COUNT
};

struct ir_element {
	uint8_t key[IR_KEY_MAX]; /* network order; the parts of a concatenation padded to 4 bytes */
	uint8_t last[IR_VALUE_MAX]; /* interval sets: the highest key, inclusive; else as key */
	uint8_t verdict;	    /* maps: IR_JUMP or IR_GOTO ... */
	uint32_t chain;		    /* ... to this chain */
	struct ir_origin origin;    /* what NULL: no comment */
	const char *path;	    /* IR_KEY_CGROUP: as nft writes the key */
};

/* Elements are sorted by key, without duplicates; intervals do not overlap. */
struct ir_set {
	const char *name;
	uint8_t key_type; /* enum ir_key_type */
	bool is_map;	  /* to verdicts */
	bool is_interval; /* never for concatenations */
	uint32_t size; /* fixed number of slots (makes the kernel choose a fixed hash); 0: none */
	uint32_t first_element; /* in ruleset.elements */
	uint32_t n_elements;
};

struct ir_counter {
	const char *name;
};

struct ir_ruleset {
	struct ir_counter *counters;
	struct ir_set *sets;
	struct ir_element *elements;
	struct ir_chain *chains; /* in the order in which they are made and listed */
	struct ir_rule *rules;
	struct ir_stmt *stmts;
	size_t n_counters, n_sets, n_elements, n_chains, n_rules, n_stmts;
	bool uses_conntrack;
};

/* Bytes of a set's key: 2, 4, 8, 16 or 20; and as nft names the type, "ipv4_addr . inet_service".
 */
unsigned ir_key_length(enum ir_key_type type);
const char *ir_key_name(enum ir_key_type type);

/* Writes the comment, "blog.json:5 connect", cut to fit; "" where there is none. */
void ir_format_origin(const struct ir_origin *origin, char ret_text[IR_COMMENT_MAX]);

const char *ir_verdict_name(enum ir_verdict verdict); /* "accept", "jump" */

/* The index of the thing of that name, or IR_NONE. */
uint32_t ir_find_chain(const struct ir_ruleset *ruleset, const char *name);
uint32_t ir_find_set(const struct ir_ruleset *ruleset, const char *name);

/* Whether a chain (with all its rules), or a set's elements, mean the same in both rulesets:
 * names and comments included, indices not.
 */
bool ir_chain_equal(const struct ir_ruleset *a, const struct ir_chain *x,
		    const struct ir_ruleset *b, const struct ir_chain *y);
bool ir_element_equal(const struct ir_ruleset *a, const struct ir_element *x,
		      const struct ir_ruleset *b, const struct ir_element *y);
bool ir_set_same_shape(const struct ir_set *x, const struct ir_set *y); /* all but the elements */

/* Aborts, naming the rule, where the ruleset breaks what this file promises: our own mistake. */
void ir_check(const struct ir_ruleset *ruleset);

#endif
