# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - ../netns/lib.sh's box with a sink that is many: every attempt aims at addresses of its own.
#
#     198.18.0.0/15, 2001:db8:bad::/48   nothing there is allowed ...
#     198.19.0.0/16, 2001:db8:f::/48     ... but a friend's port 7000
#     192.0.2.53, 2001:db8::53           the resolvers
. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
export HERE=$srcdir/tests/escape
export PYTHONDONTWRITEBYTECODE=1

# The sink answers for all addresses itself, without NAT: attempts and their peers know real addresses.
sink_make() {
	stop outside
	stop capture
	in_sink nft delete table inet sink
	in_sink ip route add local 198.18.0.0/15 dev lo
	in_sink ip route add local 192.0.2.53 dev lo
	in_sink ip -6 route add local 2001:db8:bad::/48 dev lo
	in_sink ip -6 route add local 2001:db8:f::/48 dev lo
	in_sink ip -6 route add local 2001:db8::53 dev lo
	in_sink nft -f - <<-'E'
		table inet sink {
			chain hole { # handmade.h
				type filter hook output priority filter;
				tcp sport 9-60 tcp flags & rst == rst drop
			}
		}
	E
	in_sink sysctl -qw net.ipv6.ip_nonlocal_bind=1 net.ipv4.ip_nonlocal_bind=1
	export LINK_LOCAL
	LINK_LOCAL=$(in_sink ip -j -6 address show dev eth0 scope link | jq -r 'first(.[].addr_info[]?.local // empty)')
}

# Settings that some machines have and that give an attacker more to try.
box_settings() {
	# fast open without cookies; ports below 1024 for everybody, as container engines like it
	sysctl -qw net.ipv4.tcp_fastopen=0x207 net.ipv4.ip_unprivileged_port_start=0
	in_sink sysctl -qw net.ipv4.tcp_fastopen=0x603
	ip mptcp limits set subflow 8 add_addr_accepted 8
	in_sink ip mptcp limits set subflow 8 add_addr_accepted 8
}

# policy_text [KEY-AND-VALUE,]: DNS, a friend's one port, some ports to listen on
policy_text() {
	jq -n --argjson more "{ ${1:-} }" '{
		user: "blog",
		connect: [
			{ to: "198.19.0.0/16", port: 7000 },
			{ to: "2001:db8:f::/48", port: 7000 },
			{ to: "198.19.0.0/16", port: 7000, protocol: "udp" },
			{ to: "2001:db8:f::/48", port: 7000, protocol: "udp" }
		],
		listen: ([ range(3000; 3064) | { port: . } ] +
			[ range(4000; 4064) | { port: ., protocol: "udp" } ])
	} + $more'
}

# A command for the driver: that policy, or none, is in force when it ends.
command_make() {
	cat >"$T/bin/$1" <<-E
		#!/bin/sh
		rm -f "$POLICIES/blog.json"
		[ ! -e "$T/$1.json" ] || install -m 644 "$T/$1.json" "$POLICIES/blog.json"
		out=\$("$T/bin/uidwall" apply --config "$CONFIG" --policies "$POLICIES" \
			--control "$CONTROL" 2>&1) && exit
		echo "\$out" | sed 's/^/# /'
		exit 1
	E
	chmod 755 "$T/bin/$1"
}

# The daemon, and what a driver may put into force.
policies_make() {
	daemon_alive && return
	policy_text >"$T/default.json"
	[[ -z $GROUP ]] ||
		policy_text "\"unit\": \"${GROUP#"$UNIFIED"}\"" >"$T/unit.json"
	jq '.connect = [
		{ to: "0.0.0.0/0", port: "1-65535" }, { to: "::/0", port: "1-65535" },
		{ to: "0.0.0.0/0", port: "1-65535", protocol: "udp" },
		{ to: "::/0", port: "1-65535", protocol: "udp" }
	]' "$T/default.json" >"$T/permissive.json"
	for name in none permissive default unit; do
		command_make "$name"
	done
	start_daemon
}

# A control group for the service's processes, or none where there is no cgroup2. Somebody sleeps in it, so
# that others, who clean up after runs that were killed, can tell that it is in use.
GROUP=
group_make() {
	local sleeper
	UNIFIED=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
	[[ -w $UNIFIED/cgroup.procs ]] || return
	find "$UNIFIED" -maxdepth 1 -name 'uidwall-escape.*' -exec rmdir {} + 2>/dev/null
	sleep infinity &
	sleeper=$!
	disown "$sleeper"
	for _ in 1 2 3; do
		GROUP=$UNIFIED/uidwall-escape.$RANDOM$RANDOM
		mkdir "$GROUP" && echo "$sleeper" >"$GROUP/cgroup.procs" && break
	done
	trap group_remove EXIT
}

group_remove() {
	echo 1 >"$GROUP/cgroup.kill"
	wait_until 5 rmdir "$GROUP"
}
