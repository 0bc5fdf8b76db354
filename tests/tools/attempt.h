/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attempt.h - what an attempt is asked to do, what came of it, and the ways there are. */
#ifndef UIDWALL_TESTS_TOOLS_ATTEMPT_H
#define UIDWALL_TESTS_TOOLS_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 512 };

enum result { RESULT_OK, RESULT_REFUSED, RESULT_TIMEOUT, RESULT_COUNT };

struct options {
	const char *what;
	const char *target;
	const char *argument; /* name, URL or host:port; or NULL */
	struct sockaddr_storage address;
	socklen_t address_length;
	long uid;      /* -1: stay who we are */
	long uid_last; /* all of uid to uid_last, a process each */
	long gid;      /* -1: as uid */
	long mapped;   /* a uid reached through a user namespace of uid's; -1: none */
	unsigned timeout_ms;
	unsigned for_ms; /* repeat as long as this and count; 0: once */
	unsigned pause_us;
	uint16_t source_port;
	const char *source;
	const char *device;
	const char *via; /* first hop of an IPv6 routing header */
	const char *message;
	bool ip_options;
	bool foreign_source;
	bool answer_wanted;
	int inherited; /* root's socket, for reaim; -1 */
};

struct outcome {
	enum result result;
	int error;
	int error_after; /* what the socket reported once sending had failed; 0 none */
	const char *stage;
	double ms;
	char answer[ANSWER_MAX];
};

/* One way out, by its name on the command line. */
struct kind {
	const char *name;
	void (*attempt)(const struct options *, struct outcome *);
	bool needs_argument;
	const char *help;
};

extern const struct kind kinds[];
extern const size_t n_kinds;

/* --- attempt_socket.c ------------------------------------------------------------------------- */

/* Says what is wrong and ends the program with status 2: wrong use, or a machine that lacks
 * something.
 */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

double now_ms(void);

/* "192.0.2.1:80", "[2001:db8::1]:80", and without the port for ping. */
void parse_target(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length);

void outcome_end(struct outcome *o, enum result result, int error, const char *stage, double start);

/* A socket of the target's family; what the options ask of it, and then its source address and
 * port. -1 and errno.
 */
int socket_open(const struct options *opt, int type, int protocol);
int socket_prepare(int fd, const struct options *opt);

int socket_wait(int fd, short events, double start, unsigned timeout_ms); /* as poll() */
int socket_error(int fd);						  /* the pending one */

/* Waits for bytes; true when some are in o->answer, else the outcome is complete. */
bool socket_read(int fd, const struct options *opt, double start, struct outcome *o, size_t *ret_n);

/* Connects; returns the socket, or -1 with the outcome complete. */
int socket_connect(const struct options *opt, double start, struct outcome *o);
void socket_exchange(int fd, const struct options *opt, double start, struct outcome *o);

#endif
