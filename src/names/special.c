/* SPDX-License-Identifier: GPL-2.0-or-later */
/* special.c - addresses with a special purpose.
 *
 * The IANA registries of special-purpose addresses (IPv4, IPv6), those of multicast and what is
 * outside 2000::/3, and the addresses at which clouds answer about the machine. Narrow ones come
 * before those they lie in.
 *
 * 6to4 and Teredo are refused whatever IPv4 address they hold: a relay between here and there
 * unpacks the packet, and no server has been only there since RFC 7526.
 */
#include "names/special.h"

#include <string.h>

#define METADATA "the cloud metadata service"
#define PRIVATE "private"
#define LINK_LOCAL "link-local"
#define DOCUMENTATION "for documentation"
#define PROTOCOLS "for protocols (IETF)"
#define AS112 "for answers about private addresses (AS112)"
#define BENCHMARKS "for benchmarks"

#define V4(a, b, c, d) (((uint32_t)(a) << 24) | ((b) << 16) | ((c) << 8) | (d))

static const struct {
	uint32_t address;
	uint8_t length;
	const char *words;
} v4[] = {
	{ V4(169, 254, 169, 254), 32, METADATA }, /* nearly all */
	{ V4(169, 254, 170, 2), 32, METADATA },	  /* AWS, containers' credentials */
	{ V4(169, 254, 170, 23), 32, METADATA },  /* AWS, pods' credentials */
	{ V4(100, 100, 100, 200), 32, METADATA }, /* Alibaba */
	{ V4(192, 0, 0, 192), 32, METADATA },	  /* Oracle */
	{ V4(168, 63, 129, 16), 32, METADATA },	  /* Azure: an ordinary address everywhere else */
	{ V4(0, 0, 0, 0), 32, "unspecified: this machine" },
	{ V4(0, 0, 0, 0), 8, "this network" },
	{ V4(10, 0, 0, 0), 8, PRIVATE },
	{ V4(100, 64, 0, 0), 10, "shared with other customers (CGNAT)" },
	{ V4(127, 0, 0, 0), 8, "loopback" },
	{ V4(169, 254, 0, 0), 16, LINK_LOCAL },
	{ V4(172, 16, 0, 0), 12, PRIVATE },
	{ V4(192, 0, 0, 0), 24, PROTOCOLS },
	{ V4(192, 0, 2, 0), 24, DOCUMENTATION },
	{ V4(192, 31, 196, 0), 24, AS112 },
	{ V4(192, 52, 193, 0), 24, "for multicast tunnels (AMT)" },
	{ V4(192, 88, 99, 0), 24, "of 6to4 relays" },
	{ V4(192, 168, 0, 0), 16, PRIVATE },
	{ V4(192, 175, 48, 0), 24, AS112 },
	{ V4(198, 18, 0, 0), 15, BENCHMARKS },
	{ V4(198, 51, 100, 0), 24, DOCUMENTATION },
	{ V4(203, 0, 113, 0), 24, DOCUMENTATION },
	{ V4(224, 0, 0, 0), 4, "multicast" },
	{ V4(255, 255, 255, 255), 32, "broadcast" },
	{ V4(240, 0, 0, 0), 4, "reserved" },
};

#define V6(length, ...)                                                                            \
	{                                                                                          \
		ADDR_V6, length,                                                                   \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct {
	struct prefix prefix;
	const char *words; /* NULL: as the IPv4 address in its last four bytes */
} v6[] = {
	{ V6(128, 0), "unspecified: this machine" },
	{ V6(128, [15] = 1), "loopback" },
	{ V6(96, 0), "an IPv4 address in an obsolete form (compatible)" },
	{ V6(96, [10] = 0xff, 0xff), NULL }, /* mapped */
	{ V6(96, [8] = 0xff, 0xff), "an IPv4 address behind a translator" },
	{ V6(96, 0, 0x64, 0xff, 0x9b), NULL }, /* NAT64, RFC 6052 */
	{ V6(48, 0, 0x64, 0xff, 0x9b, 0, 1), "of a local translator (NAT64)" },
	{ V6(64, 1), "for packets to be discarded" },
	{ V6(64, 1, 0, 0, 0, 0, 0, 0, 1), "a dummy" }, /* RFC 9780 */
	{ V6(32, 0x20, 1), "a tunnel (Teredo)" },
	{ V6(48, 0x20, 1, 0, 2), BENCHMARKS },
	{ V6(28, 0x20, 1, 0, 0x10), "a cryptographic identifier (ORCHID)" },
	{ V6(28, 0x20, 1, 0, 0x20), "a cryptographic identifier (ORCHIDv2)" },
	{ V6(23, 0x20, 1), PROTOCOLS },
	{ V6(32, 0x20, 1, 0x0d, 0xb8), DOCUMENTATION },
	{ V6(16, 0x20, 2), "a tunnel (6to4)" },
	{ V6(48, 0x26, 0x20, 0, 0x4f, 0x80), AS112 },
	{ V6(20, 0x3f, 0xff), DOCUMENTATION },
	{ V6(16, 0x5f), "for segment routing (SRv6)" },
	{ V6(128, 0xfd, 0, 0x0e, 0xc2, [14] = 2, 0x54), METADATA }, /* AWS */
	{ V6(128, 0xfd, 0, 0x0e, 0xc2, [15] = 0x23), METADATA },    /* AWS, pods' credentials */
	{ V6(128, 0xfd, 0x20, 0, 0xce, [14] = 2, 0x54), METADATA }, /* Google */
	{ V6(128, 0xfd, 0, 0, 0x42, [15] = 0x42), METADATA },	    /* Scaleway */
	{ V6(128, 0xfe, 0x80, [12] = 0xa9, 0xfe, 0xa9, 0xfe), METADATA }, /* OpenStack */
	{ V6(7, 0xfc), PRIVATE },
	{ V6(10, 0xfe, 0x80), LINK_LOCAL },
	{ V6(10, 0xfe, 0xc0), "private (site-local)" },
	{ V6(8, 0xff), "multicast" },
};

static const char *purpose_v4(const uint8_t bytes[4])
{
	uint32_t address = V4(bytes[0], bytes[1], bytes[2], bytes[3]);

	for (size_t i = 0; i < ARRAY_SIZE(v4); i++)
		if ((address ^ v4[i].address) >> (32 - v4[i].length) == 0)
			return v4[i].words;
	return NULL;
}

/* RFC 5214: the packet is unpacked by whoever has the IPv4 address in the last four bytes. */
static bool is_isatap(const uint8_t bytes[16])
{
	return (bytes[8] & ~2) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;
}

static const char *purpose_v6(const struct prefix *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(v6); i++)
		if (prefix_contains(&v6[i].prefix, address))
			return v6[i].words ? v6[i].words : purpose_v4(address->bytes + 12);
	if (address->bytes[0] >> 5 != 1)
		return "reserved";
	return is_isatap(address->bytes) ? "a tunnel (ISATAP)" : NULL;
}

const char *special_next(size_t *at, struct prefix *ret_prefix)
{
	size_t i = (*at)++;

	if (i < ARRAY_SIZE(v4)) {
		uint32_t address = v4[i].address;

		*ret_prefix = (struct prefix){ ADDR_V4,
					       v4[i].length,
					       { (uint8_t)(address >> 24), (uint8_t)(address >> 16),
						 (uint8_t)(address >> 8), (uint8_t)address } };
		return v4[i].words;
	}
	i -= ARRAY_SIZE(v4);
	if (i >= ARRAY_SIZE(v6))
		return NULL;
	*ret_prefix = v6[i].prefix;
	return v6[i].words ? v6[i].words : special_next(at, ret_prefix);
}

const char *special_purpose(const struct prefix *address)
{
	return address->family == ADDR_V4 ? purpose_v4(address->bytes) : purpose_v6(address);
}
