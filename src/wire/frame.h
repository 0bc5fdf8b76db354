/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - the control socket's framing: a big-endian uint32 length (not counting itself) and that
 * many bytes.
 *
 * One call a connection. The client sends one frame, a JSON object with "call" and its arguments;
 * the server answers an empty frame and then the payload frame, or one frame with the error text
 * (never empty), and closes.
 */
#ifndef UIDWALL_WIRE_FRAME_H
#define UIDWALL_WIRE_FRAME_H

#include "base/util.h"

enum {
	FRAME_HEADER = 4,
	FRAME_REQUEST_MAX = 64 * 1024,	     /* bytes a client may ask with */
	FRAME_ANSWER_MAX = 64 * 1024 * 1024, /* bytes a client takes as an answer */
};

void frame_put_length(uint8_t ret_header[FRAME_HEADER], uint32_t length);
uint32_t frame_get_length(const uint8_t header[FRAME_HEADER]);

#endif
