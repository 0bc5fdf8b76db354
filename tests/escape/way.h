/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way.h - one way in which a service's user might get bytes out.
 *
 * attacker.c runs one way; driver.py runs all of them, each with addresses and a port that no other
 * attempt has, so that whatever arrives outside tells whose it is, when it likes.
 */
#ifndef ESCAPE_WAY_H
#define ESCAPE_WAY_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	WAY_TRIED = 0,
	WAY_CANNOT = 77, /* what this kernel does not have; the reason goes to stderr */
};

/* Bits of a way's flags. */
enum {
	WAY_OLDER = 1,	 /* run() calls way_wait() where the policy comes into force */
	WAY_ALONE = 2,	 /* changes what others use: nothing else runs meanwhile */
	WAY_OUTSIDE = 4, /* prepare() runs outside the unit's control group, run() inside */
	WAY_LISTENS =
		8, /* outsiders connect: bare acknowledgements are the kernel's, before accept() */
};

/* Filled by attacker.c from its command line. All addresses but the resolver's are this attempt's.
 */
struct way_aim {
	struct in_addr v4;  /* the sink's, reached through the uplink; nothing there is allowed */
	struct in6_addr v6; /* likewise */
	struct in6_addr v6_link_local; /* the sink's own, the same for all attempts */
	struct in_addr v4_friend;      /* of the sink, too: the policy allows one TCP port ... */
	struct in6_addr v6_friend;
	uint16_t friend_port; /* ... this one, and the same of UDP */
	uint16_t port;	      /* the sink listens there, TCP and UDP, and a stranger on the box's
			       * own addresses, loopback too; refused by the policy */
	struct in_addr resolver4; /* the policy allows DNS to it */
	struct in6_addr resolver6;
	struct in_addr local4; /* the box's own on the uplink */
	struct in6_addr local6;
	char interface[IFNAMSIZ]; /* the uplink */
	unsigned ifindex;
	uint16_t declared_tcp, declared_udp; /* ports that the policy declares in listen; no other
					      * attempt has them at the same time */
	uid_t uid;			     /* the governed user's */
	gid_t gid;
	uid_t other_uid;    /* another user's, without a policy */
	uid_t subuid;	    /* the first of the governed user's subordinate ids */
	const char *marker; /* bytes unique to this attempt: put them into what you send */
	const char *sink;   /* the network namespace of the sink, a path */
	const char *folder; /* where set-user-ID programs work */
};

struct way {
	const char *name; /* "tcp-orphan-window-shut" */
	const char *what; /* one line, for the report and docs/security.md */
	int (*prepare)(const struct way_aim *aim); /* NULL, or run as root before the uid is given
						    * up; keeps descriptors in statics */
	int (*run)(const struct way_aim *aim);	   /* as the user: WAY_TRIED, whatever the kernel
						    * said; WAY_CANNOT; else the test is wrong */
	const char *closed_by; /* "default", "unit", "nothing" (told in docs/security.md) */
	unsigned flags;
};

/* Tables end with a name of NULL. */
extern const struct way ways_tcp[], ways_older[], ways_inherit[], ways_mptcp[], ways_listen[];
extern const struct way ways_udp[], ways_udp_past[], ways_ip[], ways_header[], ways_group[],
	ways_family[], ways_loopback[], ways_uring[];

/* run(aim, to) → run_v4(aim) and run_v6(aim), aimed at what is refused; with run_mapped(aim), too.
 * Their rows are NAME-v4, NAME-v6 and NAME-mapped.
 */
#define WAY_BOTH_FAMILIES(run)                                                                     \
	static int run##_v4(const struct way_aim *aim)                                             \
	{                                                                                          \
		return run(aim, way_v4(aim->v4, aim->port));                                       \
	}                                                                                          \
	static int run##_v6(const struct way_aim *aim)                                             \
	{                                                                                          \
		return run(aim, way_v6(aim->v6, aim->port));                                       \
	}
#define WAY_EACH_FAMILY(run)                                                                       \
	WAY_BOTH_FAMILIES(run)                                                                     \
	static int run##_mapped(const struct way_aim *aim)                                         \
	{                                                                                          \
		return run(aim, way_mapped(aim->v4, aim->port));                                   \
	}

#define WAY_TWO_ROWS(name, what, prepare, run, closed_by, flags)                                   \
	{ name "-v4", what, prepare, run##_v4, closed_by, flags },                                 \
	{                                                                                          \
		name "-v6", what ", over IPv6", prepare, run##_v6, closed_by, flags                \
	}
#define WAY_ROWS(name, what, prepare, run, closed_by, flags)                                       \
	WAY_TWO_ROWS(name, what, prepare, run, closed_by, flags),                                  \
	{                                                                                          \
		name "-mapped", what ", from an IPv6 socket to ::ffff:a.b.c.d", prepare,           \
			run##_mapped, closed_by, flags                                             \
	}

/* A set-user-ID copy of the attacker, called as "attacker helper ADDRESS MARKER" (ways_inherit.c).
 */
int helper_main(char **argv);

/* --- helpers, help.c: they end the process with the reason when the test itself is wrong ---------
 */

/* The policy comes into force now: returns when it is. Only for ways with WAY_OLDER. */
void way_wait(void);

/* A port of the box's for this attempt alone, neither declared nor ephemeral. */
uint16_t way_own_port(const struct way_aim *aim);

/* What this kernel lacks, for WAY_CANNOT: "return way_cannot("...")". */
int way_cannot(const char *format, ...) __attribute__((format(printf, 1, 2)));
void way_wrong(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

union way_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

union way_address way_v4(struct in_addr address, uint16_t port);
union way_address way_v6(struct in6_addr address, uint16_t port);
union way_address way_mapped(struct in_addr address, uint16_t port); /* ::ffff:192.0.2.1 */
socklen_t way_length(const union way_address *address);

/* A connection from `fd` that gets at most `ms`; 0 or -errno. */
int way_connect(int fd, const union way_address *to, int ms);
/* True when there is something to read, or the end, within `ms`. */
bool way_readable(int fd, int ms);
/* A socket of the address's family. */
int way_socket(const union way_address *like, int type, int protocol);
/* Binds `fd` to a port on all addresses, to be used again at once. */
void way_bind(int fd, const union way_address *like, uint16_t port);
/* The marker, once. What the kernel says to it is no concern of the way's. */
void way_send_marker(int fd, const struct way_aim *aim);
void way_sleep(int ms);

/* The peer's part, played as root in the sink's namespace by a child made in prepare(). Its
 * descriptor `talk` and the one returned are two ends of a SOCK_SEQPACKET pair. It ends with the
 * way.
 */
int way_outsider(const struct way_aim *aim, void (*play)(const struct way_aim *aim, int talk));
void way_say(int talk, char what);
char way_hear(int talk, int ms); /* 0: nothing in time, or the other one is gone */

/* The same for a child of another user's in the box. */
int way_other_user(const struct way_aim *aim, uid_t uid,
		   void (*play)(const struct way_aim *aim, int talk));
void way_send_fd(int talk, int fd);
int way_receive_fd(int talk); /* -1: nobody sent one */

/* Writes a setting of this network namespace, "net/ipv4/tcp_ecn", until the way has ended; then
 * `back` is written. For prepare() of a way with WAY_ALONE. WAY_CANNOT where the kernel refuses it.
 */
int way_sysctl(const struct way_aim *aim, const char *setting, const char *value, const char *back);

/* Gives up root for good. */
void way_become(uid_t uid, gid_t gid);

#endif
