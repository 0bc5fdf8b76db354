#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Other tools' tables stay as they are, byte for byte, through load, reloads, off and on; and others may
# commit to theirs all the time while ours is replaced. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

nft -f - <<'EOF' || die "the tables of others do not load"
table ip filter_of_others {
	set s {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 172.31.0.0/16 }
	}
	chain output {
		type filter hook output priority filter; policy accept;
		ip daddr @s counter accept
	}
}
table inet uidwall2 {
	map services {
		type uid : verdict
		elements = { 2003 : accept }
	}
	chain output {
		type filter hook output priority filter - 5; policy accept;
		meta skuid vmap @services
	}
}
table ip uidwall {
	chain output {
		counter
	}
}
table ip6 uidwall {
	chain svc-blog {
		counter
	}
}
EOF
programs=()
for program in iptables-nft ip6tables-nft; do
	"$program" -N mine 2>/dev/null || continue
	programs+=("$program")
	"$program" -A OUTPUT -m owner --uid-owner 2003 -j mine
	"$program" -A mine -p tcp --dport 5432 -m comment --comment "of others" -j ACCEPT
	"$program" -t mangle -A OUTPUT -p tcp --dport 9999 -j MARK --set-mark 7
done
note "with nft and ${programs[*]:-no iptables}"

# All tables but ours, with handles. Packet counts are left out: there is traffic.
others() {
	local program
	nft --handle list ruleset 2>/dev/null | awk '/^table inet uidwall \{/ { ours = 1 } !ours { print } /^\}/ { ours = 0 }' |
		sed 's/packets [0-9]* bytes [0-9]*/packets 0 bytes 0/'
	for program in "${programs[@]}"; do
		"$program-save" | grep -v '^#' | sed 's/\[[0-9]*:[0-9]*\]/[0:0]/'
	done
}
others >"$T/before"

same_as_before() {
	others >"$T/after"
	check "the tables of others are the same after $1" diff "$T/before" "$T/after"
}

sample erp blog gitea mailer nothing phpmyadmin wordpress
stand_in postgres postgres echo:tcp:5432
start_daemon
check "there are others" test "$(wc -l <"$T/before")" -gt 20
same_as_before "the first load"
policy blog <<<'{ "user": "blog" }'
check "reload" reload
same_as_before "a reload"
policy blog <<<'{ "user": "blog", "listen": [ { "port": 5000, "protocol": "udp" } ] }'
check "reload" reload
same_as_before "a reload that turns connection tracking on"
policy blog <<<'{ "usr": "blog" }'
reload
same_as_before "a reload that fails"
sample blog
check "reload" reload
check "off for one service" uidwall off blog
same_as_before "off for one service"
check "off" uidwall off
same_as_before "off"
check "on" uidwall on
same_as_before "on"
stop_daemon KILL
start_daemon
same_as_before "kill and restart"

# The first rule of others that drops still drops: we come before them and our accept is not theirs.
nft add rule ip filter_of_others output meta skuid 2001 ip daddr 127.0.0.1 tcp dport 5432 reject with tcp reset
refused erp tcp 127.0.0.1:5432
goes erp -m x tcp '[::1]:5432'
nft flush chain ip filter_of_others output

# A rival commits all the time: its generations make ours stale, and we try again.
rival() {
	while :; do
		printf 'add element ip filter_of_others s { 172.16.%d.%d }\n' $((RANDOM % 256)) $((RANDOM % 256))
		printf 'flush set ip filter_of_others s\n'
	done | nft --interactive >/dev/null 2>&1
}
rival &
rival_pid=$!
sleep 0.3
check "a rival is at work" kill -0 "$rival_pid"
failures=0
for i in {1..60}; do
	policy blog <<<"{ \"user\": \"blog\", \"connect\": [ { \"to\": \"198.51.100.$i\", \"port\": 443 } ] }"
	reload || ((failures++))
	attempt blog -m x tcp "198.51.100.$i:443" >"$T/during" || { fail "reload $i is in force" "$(cat "$T/during")"; break; }
	attempt blog tcp 203.0.113.7:443 >"$T/during" && { fail "denied during reload $i" "$(cat "$T/during")"; break; }
done
is "60 reloads against a rival that commits in a loop, failed" "$failures" -eq 0
check "the rival was at work all the time" kill -0 "$rival_pid"
{ kill -KILL "$rival_pid"; wait "$rival_pid"; } 2>/dev/null

# Whoever flushes everything: where the kernel lets tables have owners, ours stays; elsewhere it is back soon.
nft flush ruleset 2>/dev/null
# shellcheck disable=SC2317 # called by wait_until
wall_whole() {
	[[ $(attempt blog tcp 203.0.113.7:443) == *ECONNREFUSED* ]]
}
check "the wall is up after another tool's flush ruleset" wait_until 5 wall_whole
finish
