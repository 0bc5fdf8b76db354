/* SPDX-License-Identifier: GPL-2.0-or-later */
/* selftest.h - the parts of `uidwall selftest`: who tries what, what is expected, what was seen. */
#ifndef UIDWALL_CLI_SELFTEST_H
#define UIDWALL_CLI_SELFTEST_H

#include "cli/output.h"
#include "policy/config.h"
#include "selftest/job.h"

/* What an attempt is about. */
enum selftest_kind {
	SELFTEST_DIRECT,    /* a documentation address, or --to */
	SELFTEST_OTHER_DNS, /* a name server there */
	SELFTEST_WEB,	    /* by libcurl, there */
	SELFTEST_METADATA,
	SELFTEST_OWN_PORT,  /* a port on loopback that the command itself has opened, as root */
	SELFTEST_NEIGHBOUR, /* others' ports on loopback */
	SELFTEST_RESOLVER,
	SELFTEST_PROXY,
	SELFTEST_ENDPOINT, /* of "connect" */
	SELFTEST_KINDS,
};

enum selftest_verdict {
	SELFTEST_OK,
	SELFTEST_SURPRISE,
	SELFTEST_FAILED,     /* the test itself */
	SELFTEST_IMPOSSIBLE, /* no route, no such socket: there is nothing for the wall to judge */
	SELFTEST_NOT_TRIED,
	SELFTEST_VERDICTS,
};

struct selftest_attempt {
	uint8_t kind; /* enum selftest_kind */
	struct job job;
	const char *not_tried; /* why; NULL: it is tried */
	/* as the daemon has it */
	bool is_refused;
	bool would_refuse; /* allowed by monitor mode alone */
	bool has_route;
	int error;	     /* what a refused program sees */
	const char *reason;  /* a word for programs: "connect", "no-line" */
	const char *because; /* a sentence for people */
	const char *line;    /* "blog.json:5", or "" */
	const char *counter; /* whose refusals it counts as, or NULL */
	/* as it came out */
	struct seen seen;
	uint8_t verdict; /* enum selftest_verdict */
	const char *words;
};

struct selftest_user {
	uint32_t uid, gid;
	uint32_t last;	    /* of the range; uid where it is none */
	const char *name;   /* or NULL */
	const char *origin; /* "user", "range", "subuid" */
	const char *note;   /* why there is nothing to try; or NULL */
	struct selftest_attempt *attempts;
	size_t n;
};

struct selftest_service {
	const char *name, *state, *mode;
	const char *note;    /* why it has no users to try; or NULL */
	const char *trouble; /* a surprise that is no single attempt's, or NULL */
	struct selftest_user *users;
	size_t n;
	size_t n_left_out; /* more users */
	size_t n_refused;  /* attempts that its counter has to have counted */
	int64_t counted;   /* by how much the counter rose */
};

struct selftest_port {
	struct prefix at; /* 127.0.0.1 or ::1 */
	uint16_t port;
	uint32_t uid; /* whose */
};

/* What is the same for all services. */
struct selftest_scene {
	struct prefix far[2], far_dns[2]; /* IPv4, IPv6 */
	bool is_told;			  /* --to */
	struct prefix to;
	struct selftest_port own[4]; /* TCP, UDP: 127.0.0.1, then ::1; port 0: could not be had */
	struct selftest_port *neighbours;
	size_t n_neighbours;
	size_t n_left_out; /* more of them */
	struct config config;
};

struct selftest {
	struct cli *cli;
	json_t *status; /* the daemon's, from before */
	json_int_t generation;
	const char *wall; /* "on", "off" */
	struct selftest_scene scene;
	struct selftest_service *services;
	size_t n;
	/* for the record */
	const char *host, *kernel, *who;
	int64_t time, took_us;
	bool is_blind;	     /* nobody could look what leaves */
	const char *trouble; /* a surprise that is no single service's, or NULL */
	size_t sums[SELFTEST_VERDICTS];
};

/* selftest_scene.c: opens the ports, which stay open as long as the process. */
void selftest_set_scene(struct selftest *test);
bool selftest_is_documentation(const struct prefix *address);

/* selftest_plan.c: the attempts of one service, from the daemon's answer to "show". */
void selftest_plan_service(struct selftest *test, struct selftest_service *service,
			   const json_t *shown);

/* selftest_expect.c: asks the daemon what is to be expected, and leaves out what must not be tried.
 * CLI_FINE, or an exit status after a line on stderr.
 */
enum cli_status selftest_expect(struct selftest *test);

/* selftest_run.c: all attempts. CLI_FINE, or CLI_FINDINGS after a line on stderr. */
enum cli_status selftest_run(struct selftest *test);

/* selftest_judge.c: after is the daemon's status afterwards. */
void selftest_judge(struct selftest *test, const json_t *after);
bool selftest_is_fine(const struct selftest *test);

/* selftest_print.c: for people; the announcement, then the results. */
void selftest_announce(struct selftest *test);
void selftest_print(struct selftest *test);

/* selftest_json.c: the same as one JSON object, written in two halves; dry: the first is all. */
void selftest_announce_json(struct selftest *test, bool is_dry);
void selftest_print_json(struct selftest *test);
void selftest_break_off_json(void); /* in place of the second half */

/* selftest_words.c: the words that both have in common. */
extern const char *const selftest_kind_names[];	   /* for programs: "own-port" */
extern const char *const selftest_verdict_names[]; /* "ok" */
extern const char *const selftest_left_open[];	   /* what no rule closes; NULL ends it */
const char *selftest_what(struct cli *cli, const struct selftest_attempt *attempt);
const char *selftest_where(struct cli *cli, const struct job *job); /* "[2001:db8::1]:443" */
const char *selftest_protocol(const struct job *job);		    /* "tcp", "udp", "icmp" */
const char *selftest_errno(struct cli *cli, int error);		    /* "ECONNREFUSED" */
const char *selftest_time(struct cli *cli, int64_t time);	    /* UTC */

/* What is to be tried, each target once, by ways: visits them in order. */
struct selftest_cursor {
	size_t service, user, attempt;
};
struct selftest_attempt *selftest_next(struct selftest *test, struct selftest_cursor *cursor);

#endif
