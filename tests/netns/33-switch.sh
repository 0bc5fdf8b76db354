#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# While the kernel goes from one ruleset to the next there is no moment without one: not when a daemon
# starts anew and takes the table over, not when a user moves to another service's chain.
#
# nft_do_chain() picks a generation of rules when a packet enters the base chain, a map is looked up
# in the generation of that later moment. A packet between the two sees old rules and new elements: a
# chain that is new in that batch is still empty to it, and in a table that is deleted it finds
# nothing. So batches must be ordered such that this mixture refuses, too. Topology: lib.sh.
# timeout: 300
. "$(dirname "$0")/lib.sh"
private "$@"

times=${SWITCHES:-60}

# flood NAME: as many attempts as go, as a user (hash map) and as subordinate ids (interval map)
flood() {
	traffic "$1-user4" vault -q udp 203.0.113.7:443
	traffic "$1-user6" vault -q udp '[2001:db8:bad::7]:443'
	traffic "$1-subuid" 300001 -q udp 203.0.113.7:443
	traffic "$1-subuid-first" 300000 -q udp 203.0.113.7:443
	sleep 0.2
}

none_leaked() {
	local who
	traffic_stop
	for who in user4 user6 subuid subuid-first; do
		note "$(cat "$T/traffic-$1-$who")"
		is "$1 $times times: not one packet of $who gets out" "$(number "$1-$who" .ok)" -eq 0
		is "$1: $who tried" "$(number "$1-$who" .refused)" -gt 1000
	done
}

stop capture
policy nothing <<<'{ "user": "vault", "dns": false, "proxy": false }'
policy blog <<<'{ "user": "blog", "dns": false, "proxy": false }'
start_daemon

flood restart
for ((i = 0; i < times; i++)); do
	stop_daemon KILL
	start_daemon
done
none_leaked restart

flood rename
failures=0
for ((i = 0; i < times * 5; i++)); do
	policy nothing <<<"{ \"user\": \"vault\", \"dns\": false, \"proxy\": false, \"service\": \"vault$((i % 2))\" }"
	policy blog <<<"{ \"user\": \"blog\", \"dns\": false, \"proxy\": false, \"service\": \"blog$((i % 2))\" }"
	reload || ((failures++))
done
none_leaked rename
is "no reload fails" "$failures" -eq 0

flood move
failures=0
for ((i = 0; i < times * 5; i++)); do
	if ((i % 2)); then
		policy nothing <<<'{ "users": [ "vault", "blog" ], "dns": false, "proxy": false }'
		rm -f "$POLICIES/blog.json"
	else
		policy nothing <<<'{ "user": "vault", "dns": false, "proxy": false }'
		policy blog <<<'{ "user": "blog", "dns": false, "proxy": false }'
	fi
	reload || ((failures++))
done
none_leaked move
# Between the two files of a move a reload would see one user twice; ours come after both.
is "no reload fails" "$failures" -eq 0
finish
