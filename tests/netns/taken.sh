# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# taken.sh - a wall, a user who tries to get out all the time, and others who meddle. Sourced after lib.sh.
# UIDWALLD_NO_TABLE_OWNER in the environment makes the daemon behave as on a kernel without table owners.

# A user without a way out tries vault's; erp may reach PostgreSQL's port and nothing else.
wall_make() {
	policy vault <<<'{ "user": "vault", "dns": false, "proxy": false }'
	policy erp <<<'{ "user": "erp", "connect": [ { "to": "127.0.0.1", "port": 5432 } ] }'
	start_daemon
	nft -s list table inet uidwall | sort >"$T/whole"
}

# start_beside: as start_daemon, where the rules may stand in another table
start_beside() {
	(daemon_run) >>"$T/daemon.log" 2>&1 </dev/null &
	echo $! >"$T/daemon.pid"
	wait_until 10 daemon_answers || die "the daemon does not come up"
}

# The table holds what it should, and packets are refused.
wall_whole() {
	[[ $(nft -s list table inet uidwall 2>&1 | sort) == "$(cat "$T/whole")" ]]
}

# flood NAME: vault tries until flood_end; also says how long it got through
flood() {
	python3 "$LIB_DIR/gap.py" "$(uid_of vault)" 203.0.113.7 443 >"$T/gap-$1" 2>"$T/gap.err" &
	flood_pid=$!
	wait_until 5 grep -q ready "$T/gap.err" || die "gap.py: $(cat "$T/gap.err")"
	sleep 0.2
}

flood_end() {
	kill "$flood_pid"
	wait "$flood_pid"
	note "$1: $(cat "$T/gap-$1")"
}

# gap NAME FILTER
gap() {
	jq -r "$2" "$T/gap-$1"
}

# arrived: packets that reached the other side, of vault's
arrived() {
	in_sink nft -j list counter inet sink leaked | jq '.nftables[] | .counter? // empty | .packets'
}

# taken FILTER: of what status says about others' doings
taken() {
	uidwall status --json | jq -r ".taken$1"
}

# settled: what others did has been dealt with
settled() {
	[[ $(taken .open) == false ]] && wall_whole
}

lines() {
	grep -c "$1" "$T/daemon.log"
}

# The time on a processor that the daemon has had, in ms.
daemon_ms() {
	awk '{ sub(/.*\) /, ""); print ($12 + $13) * 10 }' "/proc/$(daemon_pid)/stat"
}
