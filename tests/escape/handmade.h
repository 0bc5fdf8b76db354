/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handmade.h - a TCP peer whose every segment is made by hand, in the sink: windows as it likes. */
#ifndef ESCAPE_HANDMADE_H
#define ESCAPE_HANDMADE_H

#include "way.h"

enum { HANDMADE_FIN = 1, HANDMADE_SYN = 2, HANDMADE_RST = 4, HANDMADE_ACK = 16 };

/* Ports from which the sink's kernel sends no reset, and where nobody listens (10-ways.sh). */
enum { HOLE_FIRST = 9, HOLE_LAST = 60 };

struct handmade {
	int raw;
	union way_address from, to; /* both with their ports */
	uint32_t next, expected;    /* sequence numbers: ours, the other one's */
};

void handmade_open(struct handmade *h, const union way_address *from, const union way_address *to);
void handmade_send(struct handmade *h, unsigned flags, unsigned window, const char *data);
/* Opens the connection, with a window that is shut, and data in the SYN if not NULL. False: no
 * answer in time.
 */
bool handmade_connect(struct handmade *h, const char *data, int ms);
/* Acknowledges whatever comes for that long, with that window. */
void handmade_acknowledge(struct handmade *h, unsigned window, int ms);

#endif
