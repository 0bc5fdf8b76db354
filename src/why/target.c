/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target.c - "tcp 192.0.2.7:25" → where something is to go.
 *
 * One form only: the command has made it of whatever was typed. It comes over the control socket
 * from anybody, so it is checked like any other input.
 */
#include "why/target.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "policy/values.h"

enum { FOUND_MAX = 80 };

const char *const target_protocols[] = {
	[PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",
	[PROTOCOL_ICMP] = "icmp",
};

/* Cuts "%eth0" off an address. */
static int take_zone(char *address, struct target *target)
{
	char *percent = strchr(address, '%');

	if (!percent)
		return 0;
	if (!percent[1] || strlen(percent + 1) >= sizeof(target->zone))
		return -EINVAL;
	strcpy(target->zone, percent + 1);
	*percent = '\0';
	return 0;
}

static int take_port(const char *text, struct target *target)
{
	struct number_range port;

	if (parse_number_range(text, UINT16_MAX, &port) < 0 || port.first == 0 || strchr(text, '-'))
		return -EINVAL;
	target->port = (uint16_t)port.first;
	return 0;
}

static int take_address(char *address, struct target *target)
{
	if (take_zone(address, target) < 0)
		return -EINVAL;
	return parse_address(address, &target->to);
}

/* "192.0.2.7:25", "[2001:db8::1]:53", or a port alone. */
static int take_endpoint(char *text, struct target *target)
{
	char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';

	if (!colon)
		return take_port(text, target);
	*colon = '\0';
	if (bracket) {
		if (colon < text + 2 || colon[-1] != ']')
			return -EINVAL;
		colon[-1] = '\0';
		text++;
	}
	if (take_port(colon + 1, target) < 0 || take_address(text, target) < 0)
		return -EINVAL;
	return (target->to.family == ADDR_V6) == bracket ? 0 : -EINVAL;
}

/* Where the kernel sends packets to addresses that are not what they seem. */
static void resolve_spelling(struct target *target)
{
	static const struct prefix v4 = { ADDR_V4, 32, { 127, 0, 0, 1 } };
	static const struct prefix v6 = { ADDR_V6, 128, { [15] = 1 } };

	if (target->to.family != ADDR_NONE && prefix_is_mapped(&target->to)) {
		struct prefix inner = { ADDR_V4, 32, { 0 } };

		memcpy(inner.bytes, target->to.bytes + 12, 4);
		target->to = inner;
		target->note = "an IPv4-mapped address: packets to it leave as IPv4";
	}
	if (target->to.family != ADDR_NONE && prefix_is_unspecified(&target->to)) {
		bool is_v4 = target->to.family == ADDR_V4;

		target->to = is_v4 ? v4 : v6;
		target->note = is_v4 ? "0.0.0.0 means 127.0.0.1 to connect()" :
				       ":: means ::1 to connect()";
	}
}

static int parse_words(char *copy, struct target *target)
{
	char *blank = strchr(copy, ' ');

	if (!blank)
		return -EINVAL;
	*blank = '\0';
	for (size_t i = PROTOCOL_TCP; i <= PROTOCOL_ICMP; i++) {
		if (strcmp(copy, target_protocols[i]) != 0)
			continue;
		target->protocol = (uint8_t)i;
		return i == PROTOCOL_ICMP ? take_address(blank + 1, target) :
					    take_endpoint(blank + 1, target);
	}
	return -EINVAL;
}

int target_parse(const char *text, struct arena *arena, struct target *ret_target,
		 const char **ret_error)
{
	struct target target = { .text = text };

	if (parse_words(arena_strdup(arena, text), &target) < 0) {
		*ret_error = arena_printf(
			arena,
			"expected a target such as \"tcp 192.0.2.7:25\", \"udp [2001:db8::1]:53\", "
			"\"icmp 192.0.2.1\" or \"tcp 3000\", got \"%s\"",
			text_printable(arena, text, strlen(text), FOUND_MAX));
		return -EINVAL;
	}
	resolve_spelling(&target);
	*ret_target = target;
	return 0;
}
