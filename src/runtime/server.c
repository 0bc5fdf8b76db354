/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - whoever connects → a slot of a fixed table, or a word of regret.
 *
 * A user that floods the socket pays for it alone: each has a share of the slots, and when all are
 * taken, whoever holds the most loses the oldest. Where answers take long, users have turns.
 */
#include "runtime/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "runtime/connection.h"

enum { ACCEPTS_PER_TURN = 64 }; /* then those who are connected get theirs */

struct server {
	struct connection_owner owner;
	struct event *accept_event;
	struct connection connections[SERVER_SLOTS];
	uint64_t n_accepted;
	uid_t answered_uid; /* of those who wait, whoever comes after it has the next turn */
	int spare_fd;	    /* given up for a moment when there are no more descriptors */
};

static void evict(struct connection *c)
{
	connection_count_refusal(c->owner, &c->owner->counts.evicted, c->caller.uid,
				 "too many connections, the oldest is closed");
	if (c->state != CONNECTION_WRITING)
		connection_dismiss(c->fd, "too many connections; this was the oldest");
	connection_close(c);
}

static unsigned count_of_uid(const struct server *server, uid_t uid)
{
	unsigned n = 0;

	for (int i = 0; i < SERVER_SLOTS; i++)
		n += server->connections[i].state != CONNECTION_FREE &&
		     server->connections[i].caller.uid == uid;
	return n;
}

static struct connection *oldest_of_uid(struct server *server, uid_t uid)
{
	struct connection *oldest = NULL;

	for (int i = 0; i < SERVER_SLOTS; i++) {
		struct connection *c = &server->connections[i];

		if (c->state != CONNECTION_FREE && c->caller.uid == uid &&
		    (!oldest || c->number < oldest->number))
			oldest = c;
	}
	return oldest;
}

/* Those who hold for ever must not add up: whoever asks again hardly waits for the answer of
 * before.
 */
static void before_hold(struct connection *newest)
{
	struct server *server = (struct server *)newest->owner; /* its first member */
	struct connection *oldest = NULL;
	unsigned n = 0;

	for (int i = 0; i < SERVER_SLOTS; i++) {
		struct connection *c = &server->connections[i];

		if (c->state != CONNECTION_HELD || c->caller.uid != newest->caller.uid)
			continue;
		n++;
		if (!oldest || c->number < oldest->number)
			oldest = c;
	}
	if (n < SERVER_HELD_EACH)
		return;
	connection_dismiss(oldest->fd, "later calls of the same user wait in its place");
	connection_close(oldest);
}

/* The uid, other than root, with the most connections; *ret_n is 0 where there is none. */
static uid_t greediest_uid(const struct server *server, unsigned *ret_n)
{
	uid_t uid = 0;

	*ret_n = 0;
	for (int i = 0; i < SERVER_SLOTS; i++) {
		const struct connection *c = &server->connections[i];
		unsigned n;

		if (c->state == CONNECTION_FREE || c->caller.uid == 0)
			continue;
		n = count_of_uid(server, c->caller.uid);
		if (n > *ret_n) {
			*ret_n = n;
			uid = c->caller.uid;
		}
	}
	return uid;
}

static struct connection *free_slot(struct server *server)
{
	for (int i = 0; i < SERVER_SLOTS; i++)
		if (server->connections[i].state == CONNECTION_FREE)
			return &server->connections[i];
	return NULL;
}

/* Makes room for one more of a user other than root: false where there is none for it. */
static bool make_room(struct server *server, uid_t uid, unsigned n_others, bool is_full)
{
	unsigned mine = count_of_uid(server, uid), most;
	uid_t greediest;

	if (mine >= SERVER_SLOTS_EACH) {
		evict(oldest_of_uid(server, uid));
	} else if (n_others >= SERVER_SLOTS_OTHERS) {
		greediest = greediest_uid(server, &most);
		if (most <= mine)
			return false;
		evict(oldest_of_uid(server, greediest));
	} else if (is_full) {
		evict(oldest_of_uid(server, 0)); /* which has more than others leave to it */
	}
	return true;
}

/* A slot for one more connection of this uid, made free if need be; NULL: none. */
static struct connection *find_slot(struct server *server, uid_t uid)
{
	unsigned root = count_of_uid(server, 0), used = 0;

	for (int i = 0; i < SERVER_SLOTS; i++)
		used += server->connections[i].state != CONNECTION_FREE;
	if (uid == 0 && used == SERVER_SLOTS)
		evict(oldest_of_uid(server, 0)); /* others never have all of them */
	else if (uid != 0 && !make_room(server, uid, used - root, used == SERVER_SLOTS))
		return NULL;
	return free_slot(server);
}

static void take_connection(struct server *server, int fd)
{
	const int on = 1;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	struct connection *c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		close(fd);
		return;
	}
	c = find_slot(server, peer.uid);
	if (!c) {
		connection_count_refusal(&server->owner, &server->owner.counts.refused, peer.uid,
					 "no free slot");
		connection_dismiss(fd, "too many connections; try again");
		close(fd);
		return;
	}
	c->number = server->n_accepted++;
	connection_start(c, fd, &(struct server_caller){ peer.uid, peer.gid, peer.pid });
}

/* Without descriptors the connection would wait in the queue for ever, and wake us for ever. Where
 * not even the spare one helps (the machine has none left), we sleep between two attempts.
 */
static int accept_without_descriptors(struct server *server)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000000L };
	int fd;

	fd_close(server->spare_fd);
	fd = accept4(server->owner.options.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		nanosleep(&pause, NULL);
	if (fd >= 0) {
		connection_count_refusal(&server->owner, &server->owner.counts.refused, (uid_t)-1,
					 "out of descriptors");
		connection_dismiss(fd, "the daemon is out of descriptors; try again");
		close(fd);
	}
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd;
}

static void on_connection(evutil_socket_t fd, short what, void *data)
{
	struct server *server = data;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (peer >= 0)
			take_connection(server, peer);
		else if (errno == EMFILE || errno == ENFILE) {
			if (accept_without_descriptors(server) < 0)
				return;
		} else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* --- those who wait */

/* The oldest of the next uid, round and round. */
static struct connection *next_waiting(struct server *server)
{
	struct connection *next = NULL;
	uint32_t next_distance = 0;

	for (int i = 0; i < SERVER_SLOTS; i++) {
		struct connection *c = &server->connections[i];
		uint32_t distance = c->caller.uid - server->answered_uid - 1;

		if (c->state != CONNECTION_WAITING)
			continue;
		if (!next || distance < next_distance ||
		    (distance == next_distance && c->number < next->number)) {
			next = c;
			next_distance = distance;
		}
	}
	return next;
}

static void on_turn(evutil_socket_t fd, short what, void *data)
{
	const struct timeval at_once = { 0 };
	struct server *server = data;
	struct connection *c;

	do {
		c = next_waiting(server);
		if (!c)
			return;
		server->answered_uid = c->caller.uid;
		connection_answer(c);
	} while (connection_has_time(&server->owner));
	if (server->owner.n_waiting)
		event_add(server->owner.next_turn, &at_once);
}

int server_new(const struct server_options *options, struct server **ret_server)
{
	AUTO(server) struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->owner.options = *options;
	server->owner.before_hold = before_hold;
	server->spare_fd = -1;
	for (int i = 0; i < SERVER_SLOTS; i++)
		server->connections[i] = (struct connection){ .owner = &server->owner, .fd = -1 };
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->spare_fd < 0)
		return -errno;
	server->accept_event =
		event_new(options->base, options->fd, EV_READ | EV_PERSIST, on_connection, server);
	server->owner.next_turn = evtimer_new(options->base, on_turn, server);
	if (!server->accept_event || !server->owner.next_turn ||
	    event_add(server->accept_event, NULL) < 0)
		return -ENOMEM;
	*ret_server = TAKE(server);
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	for (int i = 0; i < SERVER_SLOTS; i++)
		if (server->connections[i].state != CONNECTION_FREE)
			connection_close(&server->connections[i]);
	if (server->accept_event)
		event_free(server->accept_event);
	if (server->owner.next_turn)
		event_free(server->owner.next_turn);
	fd_close(server->spare_fd);
	free(server);
}

void server_wake(struct server *server)
{
	for (int i = 0; i < SERVER_SLOTS; i++)
		if (server->connections[i].state == CONNECTION_HELD)
			connection_wake(&server->connections[i]);
}

const struct server_counts *server_get_counts(const struct server *server)
{
	return &server->owner.counts;
}
