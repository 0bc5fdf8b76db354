/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - lengths to bytes and back. */
#include "wire/frame.h"

void frame_put_length(uint8_t ret_header[FRAME_HEADER], uint32_t length)
{
	for (int i = 0; i < FRAME_HEADER; i++)
		ret_header[i] = (uint8_t)(length >> (24 - 8 * i));
}

uint32_t frame_get_length(const uint8_t header[FRAME_HEADER])
{
	uint32_t length = 0;

	for (int i = 0; i < FRAME_HEADER; i++)
		length = length << 8 | header[i];
	return length;
}
