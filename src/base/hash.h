/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h - FNV-1a, 32 bits: short, and the same on every machine. */
#ifndef UIDWALL_BASE_HASH_H
#define UIDWALL_BASE_HASH_H

#include "base/util.h"

#define HASH_START 2166136261u

static inline uint32_t hash_byte(uint32_t hash, uint8_t byte)
{
	return (hash ^ byte) * 16777619u;
}

static inline uint32_t hash_bytes(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint32_t hash = HASH_START;

	for (size_t i = 0; i < n; i++)
		hash = hash_byte(hash, at[i]);
	return hash;
}

static inline uint32_t hash_text(const char *text)
{
	uint32_t hash = HASH_START;

	for (; *text; text++)
		hash = hash_byte(hash, (uint8_t)*text);
	return hash;
}

#endif
