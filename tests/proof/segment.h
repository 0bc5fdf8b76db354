/* SPDX-License-Identifier: GPL-2.0-or-later */
/* segment.h - a shot → the bytes of its packet, for raw sockets; and back, for what a capture saw.
 */
#ifndef UIDWALL_TESTS_PROOF_SEGMENT_H
#define UIDWALL_TESTS_PROOF_SEGMENT_H

#include "shot.h"

enum { SEGMENT_MAX = 256 };

/* With IP header and true checksums. Returns the length. */
size_t segment_write(const struct shot *shot, uint8_t ret_bytes[SEGMENT_MAX]);

/* What a frame is about; what it does not have is 0. */
struct frame {
	struct prefix to;
	uint8_t l4proto;
	uint16_t sport, dport; /* TCP, UDP */
	uint8_t tcp_flags;
	uint8_t icmp_type; /* ICMP, ICMPv6 */
	uint8_t device;	   /* enum box_device */
};

/* bytes begin with an IP header. */
void frame_read(const uint8_t *bytes, size_t n, struct frame *ret_frame);
bool frame_equal(const struct frame *a, const struct frame *b);
void frame_print(const struct frame *frame, FILE *out);

#endif
