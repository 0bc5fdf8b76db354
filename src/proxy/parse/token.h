/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token.h - the characters of methods and fields' names (RFC 9110, 5.6.2). */
#ifndef UIDWALL_PROXY_TOKEN_H
#define UIDWALL_PROXY_TOKEN_H

#include <stdbool.h>
#include <string.h>

static inline bool token_has(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

#endif
