#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 40-rivals.sh - the table taken away under a real systemd: nftables.service restarts, the daemon is killed
# and restarted while something flushes the ruleset in a loop, stopped and started; all of it with owners
# of tables and without.
# timeout: 180
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
machine_boot --copy "$srcdir/tests/netns/gap.py:/usr/local/bin/" \
	--copy "$srcdir/tests/netns/grab.py:/usr/local/bin/"

# flood: blog tries a port that it may not reach, until flood_end
flood() {
	python3 /usr/local/bin/gap.py 2003 192.0.2.1 9090 >/run/gap 2>/run/gap.err &
	flood_pid=$!
	eventually 5 grep -q ready /run/gap.err
}

flood_end() {
	kill "$flood_pid"
	wait "$flood_pid"
	echo "# $1: $(cat /run/gap)"
}

gap() {
	jq -r "$1" /run/gap
}

# none_out NAME: the flood ends, and nothing got out
none_out() {
	flood_end "$1"
	equal "$1: packets that got out" 0 "$(gap .through)"
	check "... of many" test "$(gap .refused)" -gt 1000
}

taken() {
	uidwall status --json | jq -r ".taken$1"
}

whole() {
	[[ $(taken .open) == false ]] && nft list chain inet uidwall svc-blog >/dev/null
}

running() {
	[[ $(property uidwalld.service SubState) == running ]] && uidwall status >/dev/null 2>&1
}

# restarted: by another process than before
restarted() {
	local now
	now=$(property uidwalld.service MainPID)
	[[ $now != 0 && $now != "$pid" ]] && running
}

# killed: and started again by systemd
killed() {
	pid=$(property uidwalld.service MainPID)
	kill -KILL "$pid"
	eventually 10 restarted
}

# rival: flushes the ruleset as fast as it can
rival() {
	setsid sh -c "while echo 'flush ruleset'; do :; done 2>/dev/null | nft --interactive" >/dev/null 2>&1 &
	rival_pid=$!
}

rival_end() {
	kill -KILL -- "-$rival_pid"
	wait "$rival_pid"
} 2>/dev/null

check "the far side answers" far_side
[[ -e /etc/nftables.conf ]] && head -n 5 /etc/nftables.conf | grep -q 'flush ruleset' ||
	echo 'flush ruleset' >/etc/nftables.conf

# --- with owners of tables ------------------------------------------------------------------------

if [[ $(uidwall status --json | jq .kernel.owner_persist) == true ]]; then
	flood
	for _ in 1 2 3; do
		systemctl restart nftables.service || echo "# nftables.service failed"
	done
	none_out "systemctl restart nftables"
	equal "nothing had to be put back" 0 "$(taken .count)"

	# systemd keeps the socket that owns the table: nobody can use the half second.
	flood
	rival
	for _ in 1 2 3; do
		check "killed, it is started again" killed
	done
	check "systemctl restart" systemctl restart uidwalld.service
	rival_end
	none_out "killed and restarted while something flushes the ruleset"
	equal "nothing had to be put back" 0 "$(taken .count)"
	equal "the rules stand in their own table" uidwall "$(uidwall status --json | jq -r .table)"

	# Stopped, it leaves a table that anybody may take.
	check "systemctl stop" systemctl stop uidwalld.service uidwalld.socket
	check "the wall stands" refused 2003 192.0.2.1:9090
	systemctl restart nftables.service
	check "... until somebody takes it" reaches 2003 192.0.2.1:9090
	check "systemctl start" systemctl start uidwalld.service
	check "puts it back" refused 2003 192.0.2.1:9090
	check "the journal says what was found" sh -c 'journalctl -q --no-pager -u uidwalld.service |
		grep -q "CHANGED BY OTHERS while no uidwalld was running: somebody deleted the table"'
fi

# --- without --------------------------------------------------------------------------------------

mkdir -p /run/systemd/system/uidwalld.service.d
printf '[Service]\nEnvironment=UIDWALLD_NO_TABLE_OWNER=1\n' >/run/systemd/system/uidwalld.service.d/owner.conf
systemctl daemon-reload
systemctl stop uidwalld.service
systemctl start uidwalld.service
equal "the daemon does without owners" false "$(uidwall status --json | jq .kernel.owner_persist)"
flood
for _ in 1 2 3; do
	systemctl restart nftables.service
	check "after systemctl restart nftables the table is back" eventually 5 whole
	sleep 0.2
done
flood_end "systemctl restart nftables"
echo "# longest gap $(gap .longest_ms) ms; the last repair took $(taken .repair_us) us; $(taken .by) $(taken .what)"
check "what others did is counted" test "$(taken .count)" -ge 3
check "it was nft's doing" eval '[[ $(taken .by) == "nft (pid "* ]]'
check "the journal says so" sh -c 'journalctl -q --no-pager -u uidwalld.service |
	grep -q "CHANGED BY OTHERS: nft (pid .* deleted the table; put back within"'
check "the gap, ms: less than 2000" test "$(gap '.longest_ms | ceil')" -lt 2000
check "the wall refuses" refused 2003 192.0.2.1:9090
check "what is allowed passes" reaches 2003 192.0.2.1:8080
finish
