/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.c - a machine for the proof: two ways out that swallow everything, addresses, routes. */
#include "box.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "differential/nft.h"

static struct space *space;
static struct prefix *own;
static unsigned n_own;
static int far; /* the namespace of the other ends: they live as long as this is open */

const char *const box_devices[BOX_DEVICE_COUNT] = {
	[BOX_LO] = "lo",
	[BOX_ETH0] = "eth0",
	[BOX_WG] = "wg-a.1",
};

/* Our addresses, and whose they are. */
static const struct {
	const char *text;
	enum box_device home;
} addresses[] = {
	{ "127.0.0.1", BOX_LO },	 { "198.51.100.2", BOX_ETH0 }, { "10.1.2.1", BOX_ETH0 },
	{ "203.0.113.1", BOX_WG },	 { "192.0.2.200", BOX_WG },    { "::1", BOX_LO },
	{ "2001:db8:100::2", BOX_ETH0 }, { "2001:db8::a", BOX_ETH0 },  { "fe80::2", BOX_ETH0 },
	{ "2001:db8:f::1", BOX_WG },
};

/* %1$d is the namespace on the far side. Neither end resolves addresses; nothing is announced. */
static const char topology[] =
	"set -e\n"
	"far=/proc/%d/fd/%d\n"
	"ip link set lo up\n"
	"for device in eth0 wg-a.1; do\n"
	"	ip link add $device type veth peer name $device netns $far\n"
	"	nsenter --net=$far ip link set $device up\n"
	"	echo 1 >/proc/sys/net/ipv6/conf/$device/addr_gen_mode 2>/dev/null\n"
	"	ip link set $device up arp off\n"
	"done\n"
	"ip addr add 198.51.100.2/32 dev eth0\n"
	"ip addr add 10.1.2.1/32 dev eth0\n"
	"ip addr add 203.0.113.1/32 dev wg-a.1\n"
	"ip addr add 192.0.2.200/32 dev wg-a.1\n"
	"ip addr add 2001:db8:100::2/128 dev eth0 nodad\n"
	"ip addr add 2001:db8::a/128 dev eth0 nodad\n"
	"ip addr add fe80::2/64 dev eth0 nodad\n"
	"ip addr add 2001:db8:f::1/128 dev wg-a.1 nodad\n"
	"ip route add default dev eth0\n"
	"ip route add 203.0.113.0/24 dev wg-a.1\n"
	"ip -6 route add default dev eth0\n"
	"ip -6 route add 2001:db8:f::/64 dev wg-a.1\n";

/* Answers are not rationed, flows are not forgotten, connections are given up soon, everybody may
 * ping and bind every port.
 */
static const struct {
	const char *path;
	const char *value;
} settings[] = {
	{ "net/ipv4/icmp_ratelimit", "0" },
	{ "net/ipv4/icmp_msgs_per_sec", "1000000" },
	{ "net/ipv4/icmp_msgs_burst", "1000000" },
	{ "net/ipv4/ping_group_range", "0 2147483647" },
	{ "net/ipv4/ip_unprivileged_port_start", "0" },
	{ "net/ipv6/icmp/ratelimit", "0" },
	{ "net/ipv4/tcp_syn_retries", "1" },
	{ "net/mptcp/blackhole_timeout", "0" },
	{ "net/netfilter/nf_conntrack_udp_timeout", "3600" },
	{ "net/netfilter/nf_conntrack_udp_timeout_stream", "3600" },
};

/* What the kernel says by itself (multicast listeners) comes from sockets without a file. Copies
 * of root's marked packets come from none.
 */
static const char rules[] =
	"table inet proof {\n"
	"	counter seen { }\n"
	"	chain track {\n"
	"		type filter hook output priority -300; policy accept;\n"
	"	}\n"
	"	chain seen {\n"
	"		type filter hook output priority -6; policy accept;\n"
	"		meta skuid >= 0 counter name seen accept\n"
	"		icmpv6 type { mld-listener-query, mld-listener-report,"
	" mld-listener-done, mld2-listener-report, nd-router-solicit, nd-neighbor-solicit,"
	" nd-neighbor-advert } drop\n"
	"		counter name seen\n"
	"	}\n"
	"	chain input {\n"
	"		type filter hook input priority -6; policy drop;\n"
	"		tcp flags & rst == rst accept\n"
	"		icmp type destination-unreachable accept\n"
	"		icmpv6 type destination-unreachable accept\n"
	"	}\n"
	"}\n"
	"table ip proof {\n"
	"	chain output {\n"
	"		type filter hook output priority -250; policy accept;\n"
	"		meta skuid 0 meta mark 0x701 dup to 127.0.0.1 device lo\n"
	"		meta skuid 0 meta mark 0x702 dup to 198.51.100.1 device eth0\n"
	"		meta skuid 0 meta mark 0x703 dup to 203.0.113.9 device wg-a.1\n"
	"		meta skuid 0 meta mark 0x701-0x703 drop\n"
	"	}\n"
	"}\n"
	"table ip6 proof {\n"
	"	chain output {\n"
	"		type filter hook output priority -250; policy accept;\n"
	"		meta skuid 0 meta mark 0x701 dup to ::1 device lo\n"
	"		meta skuid 0 meta mark 0x702 dup to 2001:db8:100::1 device eth0\n"
	"		meta skuid 0 meta mark 0x703 dup to 2001:db8:f::9 device wg-a.1\n"
	"		meta skuid 0 meta mark 0x701-0x703 drop\n"
	"	}\n"
	"}\n";

unsigned box_ownerless_mark(enum box_device way)
{
	return 0x700u + way;
}

static void set_up(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		AUTO(mem) char *path = NULL;
		AUTO(file) FILE *f = NULL;

		if (asprintf(&path, "/proc/sys/%s", settings[i].path) < 0)
			abort();
		f = fopen(path, "we");
		if (f)
			fputs(settings[i].value, f);
	}
}

static void read_addresses(void)
{
	own = calloc(ARRAY_SIZE(addresses), sizeof(*own));
	if (!own)
		abort();
	for (; n_own < ARRAY_SIZE(addresses); n_own++)
		if (parse_address(addresses[n_own].text, &own[n_own]) < 0)
			abort();
}

const char *box_make(void)
{
	AUTO(mem) char *script = NULL;
	const char *why = space_unavailable();

	if (why)
		return why;
	if (system("command -v ip nsenter >/dev/null") != 0)
		return "needs ip and nsenter (packages iproute2 and util-linux)";
	/* space_unavailable() has brought us into a namespace of our own: it is the far side */
	far = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	space = space_new();
	if (far < 0 || asprintf(&script, topology, getpid(), far) < 0)
		abort();
	set_up();
	if (system(script) != 0)
		return "no pairs of virtual devices here";
	read_addresses();
	return space_run(space, rules) < 0 ? "this nft or kernel cannot duplicate packets" : NULL;
}

void box_leave(void)
{
	free(own);
	own = NULL;
	close(far);
	space_free(space);
}

void box_track(bool syns)
{
	if (space_run(space, "flush chain inet proof track") < 0 ||
	    (syns && space_run(space, "add rule inet proof track"
				      " tcp flags & (fin | syn | rst | ack) == syn accept") < 0) ||
	    space_run(space, "add rule inet proof track meta l4proto != udp notrack") < 0)
		abort();
}

void box_let_in(bool all)
{
	if (space_run(space, all ? "add chain inet proof input { policy accept; }" :
				   "add chain inet proof input { policy drop; }") < 0)
		abort();
}

const struct prefix *box_own(unsigned number)
{
	return &own[number];
}

unsigned box_n_own(void)
{
	return n_own;
}

enum box_device box_home(const struct prefix *address)
{
	for (unsigned i = 0; i < n_own; i++)
		if (prefix_compare(address, &own[i]) == 0)
			return addresses[i].home;
	return prefix_is_loopback(address) ? BOX_LO : BOX_ANY;
}

bool box_is_own(const struct prefix *address)
{
	return box_home(address) != BOX_ANY;
}

static bool is_within(const struct prefix *address, const char *text)
{
	struct prefix prefix;

	return parse_prefix(text, &prefix) == 0 && prefix_contains(&prefix, address);
}

bool box_is_for_many(const struct prefix *address)
{
	static const char *const many[] = {
		"224.0.0.0/4",
		"255.255.255.255",
		"127.255.255.255",
		"ff00::/8",
	};

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		if (is_within(address, many[i]))
			return true;
	return false;
}

bool box_is_link_local(const struct prefix *address)
{
	return is_within(address, "fe80::/10") || is_within(address, "ff02::/16");
}

enum box_device box_way(const struct prefix *to, enum box_device bound)
{
	enum box_device home = box_home(to);

	if (bound != BOX_ANY)
		return home == bound ? BOX_LO : bound;
	if (home != BOX_ANY)
		return BOX_LO;
	return is_within(to, "203.0.113.0/24") || is_within(to, "2001:db8:f::/64") ? BOX_WG :
										     BOX_ETH0;
}
