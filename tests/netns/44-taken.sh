#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Others delete and change our table where the kernel knows no owners of tables (before Linux 6.9; here the
# daemon is told so): the rules are back within milliseconds, and the log and status say who did what. How
# long packets got out is measured and printed. Topology: lib.sh.
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$LIB_DIR/taken.sh"
private "$@"

export UIDWALLD_NO_TABLE_OWNER=1
stand_in postgres postgres echo:tcp:5432
wall_make
printf '{ "user": "vault", "dns": false, "proxy": false }' >"$T/vault.json"
check "a kernel without owners is said to be one" eval 'uidwall status | grep -q "cannot keep other tools off"'

# --- each way to take it away, under a flood ---------------------------------------------------------

# shellcheck disable=SC2317 # called by check
was_done() {
	[[ $(taken .what) == *"$1"* ]]
}

# deed NAME WORDS COMMAND...: does it; the table is whole again, and the log says WORDS about who did it
deed() {
	local name=$1 words=$2 before after
	shift 2
	before=$(taken .count)
	"$@" >"$T/deed.out" 2>&1 || die "$name: $(cat "$T/deed.out")"
	check "$name: put back" wait_until 5 settled
	after=$(taken .count)
	is "... and counted" "$after" -eq $((before + 1))
	check "... as what it was" was_done "$words"
	check "... and whose" eval '[[ $(taken .by) == "nft (pid "* ]]'
	note "$name: $(taken .by) $(taken .what); $(taken .repair_us) us"
	slowest=$(($(taken .repair_us) > slowest ? $(taken .repair_us) : slowest))
	sleep 0.1
}

cat >"$T/firewall.nft" <<'N'
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
	}
}
N
slowest=0
flood deeds
deed "nft flush ruleset" "deleted the table" nft flush ruleset
deed "nft -f, with flush ruleset at the top" "deleted the table" nft -f "$T/firewall.nft"
deed "nft delete table" "deleted the table" nft delete table inet uidwall
deed "another table of the name" "deleted the table and made another" nft -f - <<'N'
table inet uidwall
delete table inet uidwall
table inet uidwall {
	chain output { type filter hook output priority 0; policy accept; }
}
N
deed "a rule in front" "added 1 rule (output)" nft insert rule inet uidwall output accept
deed "a rule behind" "added 1 rule (svc-vault)" nft add rule inet uidwall svc-vault accept
deed "no rules in the base chain" "rules (output)" nft flush chain inet uidwall output
deed "no rules anywhere" "rules (" nft flush table inet uidwall
deed "a user taken out" "removed 1 element (services)" \
	nft delete element inet uidwall services "{ $(uid_of vault) }"
deed "a user put in" "added 1 element (services)" nft add element inet uidwall services '{ 33 : drop }'
deed "another base chain" "added 1 chain (mine)" \
	nft 'add chain inet uidwall mine { type filter hook output priority -6; policy accept; }'
deed "a table put to sleep" "changed its flags" nft 'add table inet uidwall { flags dormant; }'
flood_end deeds
is "all of that refused most of what was tried" "$(gap deeds .refused)" -gt 1000
is "the longest time in which vault got out, ms" "$(gap deeds '.longest_ms | ceil')" -lt 2000
note "longest gap $(gap deeds .longest_ms) ms, of $(gap deeds .gaps); slowest repair $slowest us after it was heard of"
is "the slowest repair, us" "$slowest" -lt 1000000
refused vault -q udp 203.0.113.7:443
check "the log has it" grep -q 'CHANGED BY OTHERS: nft (pid .* deleted the table; put back within' "$T/daemon.log"

# --- what is nothing to us ----------------------------------------------------------------------------

before=$(taken .count)
mark=$(wc -l <"$T/daemon.log")
nft 'add table ip mine; add chain ip mine c { type filter hook output priority 0; }; delete table ip mine'
nft 'table ip uidwall { chain output { counter; }; }'
nft delete table ip uidwall
for program in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
	command -v "$program" >/dev/null || continue
	"$program" -A OUTPUT -p tcp --dport 1 -j ACCEPT 2>/dev/null && "$program" -F && "$program" -X
	"${program/tables-/tables-}-save" 2>/dev/null | "$program-restore" 2>/dev/null
done
uidwall apply >/dev/null
uidwall off vault >/dev/null
uidwall on vault >/dev/null
is "other tables, iptables and our own reloads count for nothing" "$(taken .count)" -eq "$before"
is "... and are not in the log as others' doing" "$(tail -n +$((mark + 1)) "$T/daemon.log" | grep -c CHANGED)" -eq 0
check "the table is whole" wall_whole

# Somebody commits to a table of their own all the time.
printf 'add table ip busy\nadd set ip busy s { type ipv4_addr; }\n' | nft -f -
busy() {
	while :; do
		printf 'add element ip busy s { 10.0.%d.%d }\nflush set ip busy s\n' $((RANDOM % 256)) $((RANDOM % 256))
	done | nft --interactive >/dev/null 2>&1
}
busy &
busy_pid=$!
sleep 0.3
ms=$(daemon_ms)
first=$(nft -j list ruleset >/dev/null; date +%s%N)
sleep 2
ms=$(($(daemon_ms) - ms))
elapsed=$((($(date +%s%N) - first) / 1000000))
{ kill -KILL "$busy_pid"; wait "$busy_pid"; } 2>/dev/null
pkill -KILL -P 1 -x nft 2>/dev/null
note "a rival that commits elsewhere in a loop: the daemon ran $ms ms of $elapsed"
is "others' commits cost little: of $elapsed ms" "$ms" -lt $((elapsed / 3))
is "... and count for nothing" "$(taken .count)" -eq "$before"

# --- somebody keeps at it -----------------------------------------------------------------------------

rival() {
	while :; do
		echo 'insert rule inet uidwall output accept'
		echo 'delete table inet uidwall'
	done | nft --interactive >/dev/null 2>&1
}
before=$(taken .repairs)
mark=$(wc -l <"$T/daemon.log")
ms=$(daemon_ms)
start_us=$(now_us)
flood rival
rival &
rival_pid=$!
sleep 3
uidwall status >"$T/status"
status=$?
repairs=$(($(taken .repairs) - before))
ms=$(($(daemon_ms) - ms))
elapsed=$((($(now_us) - start_us) / 1000))
{ kill -KILL "$rival_pid"; wait "$rival_pid"; } 2>/dev/null
pkill -KILL -P 1 -x nft 2>/dev/null
note "a rival in a loop: $repairs repairs and $ms ms of the processor in $elapsed ms"
is "the repairs went on" "$repairs" -gt 10
is "... but not without a pause" "$repairs" -lt $((elapsed / 20 + 10))
is "status meanwhile: exit status 1" "$status" -eq 1
check "... because something keeps changing the rules" grep -q 'keeps changing the rules' "$T/status"
is "lines in the log" "$(tail -n +$((mark + 1)) "$T/daemon.log" | grep -c 'CHANGED BY OTHERS')" -le $((7 * (elapsed / 10000 + 2)))
check "once it is gone, the table is whole" wait_until 5 settled
flood_end rival
refused vault -q udp 203.0.113.7:443

# --- taken down on purpose ----------------------------------------------------------------------------

check "off" uidwall off
nft -f "$T/firewall.nft"
nft 'add table inet uidwall; delete table inet uidwall'
sleep 0.3
check "a wall that is off stays off" eval '! nft list table inet uidwall 2>/dev/null'
goes vault udp 192.0.2.1:7
check "on" uidwall on
check "and is whole" wall_whole
deed "and guarded again" "deleted the table" nft flush ruleset

# --- more at once than is heard -----------------------------------------------------------------------

# While the daemon stands still, more messages come than wait for it.
nft add table ip huge
{
	echo 'table ip huge { set s { type ipv4_addr . inet_service; }; }'
	echo 'add element ip huge s {'
	for i in {1..60000}; do
		printf '10.%d.%d.%d . %d,\n' $((i / 65536)) $((i / 256 % 256)) $((i % 256)) $((i % 60000))
	done
	echo '}'
} >"$T/huge.nft"
kill -STOP "$(daemon_pid)"
for _ in {1..4}; do
	nft -f "$T/huge.nft" || die "60,000 elements"
	nft flush set ip huge s
done
nft insert rule inet uidwall output accept
kill -CONT "$(daemon_pid)"
check "what nobody heard of is put back" wait_until 10 settled
check "... and status says what it was" eval '[[ "$(taken .what) by $(taken .by)" == "changed the table (chain output) by null" ]]'
nft delete table ip huge
sleep 0.5
check "the table stays whole" wall_whole
is "the daemon is not busy after that" "$(a=$(daemon_ms); sleep 1; echo $(($(daemon_ms) - a)))" -lt 300

# --- many rules ---------------------------------------------------------------------------------------

# First few that let nobody out, then all. What is allowed is dropped for a moment, and sent again.
for i in {1..250}; do
	printf '{ "uids": "%d-%d", "connect": [ { "to": "192.0.2.1", "port": [%d, 443, 80, 25] } ] }' \
		$((50000 + i)) $((50000 + i)) "$i" >"$POLICIES/many$i.json"
done
check "250 services more" reload
nft -s list table inet uidwall | sort >"$T/whole"
traffic allowed erp -m x stream 127.0.0.1:5432
flood many
for _ in 1 2 3; do
	nft flush ruleset
	check "$(nft list table inet uidwall 2>/dev/null | grep -c comment) rules by now; whole again" wait_until 10 settled
	sleep 0.1
done
flood_end many
traffic_stop
note "$(taken .repair_us) us; $(cat "$T/traffic-allowed")"
is "the longest time in which vault got out, ms" "$(gap many '.longest_ms | ceil')" -lt 2000
is "a connection that is allowed lives on: refused" "$(number allowed .refused)" -eq 0
check "... and worked" test "$(number allowed .ok)" -gt 10
rm "$POLICIES"/many*.json
check "without them" reload
nft -s list table inet uidwall | sort >"$T/whole"

# --- while no daemon runs -----------------------------------------------------------------------------

stop_daemon KILL
start_daemon
is "a table that nobody touched is no matter" "$(taken .count)" -eq 0
stop_daemon KILL
nft delete table inet uidwall
start_daemon
check "deleted meanwhile: the log says so" grep -q 'while no uidwalld was running: somebody deleted the table' "$T/daemon.log"
check "... and status" eval 'uidwall status | grep -q "while no uidwalld was running"'
check "the table is whole" wall_whole
stop_daemon TERM
nft insert rule inet uidwall output accept
start_daemon
check "changed meanwhile: the log says where" grep -q 'somebody changed the table (chain output)' "$T/daemon.log"
check "the table is whole" wall_whole
uidwall off >/dev/null
stop_daemon TERM
start_beside
is "off on purpose is no matter" "$(taken .count)" -eq 0
check "on" uidwall on
check "the table is whole" wall_whole
stop_daemon TERM
finish
