#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Others delete and change our table where the kernel knows owners of tables (Linux 6.9): while the daemon
# runs they cannot; what they do while none runs is found at the start, and a table that another process
# has become the owner of has a stand-in. Not one packet gets out but in the moments named. Topology:
# lib.sh.
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$LIB_DIR/taken.sh"
private "$@"

unset UIDWALLD_NO_TABLE_OWNER
wall_make
[[ $(uidwall status --json | jq .kernel.owner_persist) == true ]] || skip_all "this kernel knows no owners of tables"

# none_out NAME: the flood of that name ends; nothing got out, by either side's count
none_out() {
	flood_end "$1"
	is "$1: packets of vault's that got out" "$(gap "$1" .through)" -eq 0
	is "... though it tried" "$(gap "$1" .refused)" -gt 1000
	is "... and the other side saw" "$(arrived)" -eq 0
}

table_held() {
	[[ $(uidwall status --json | jq -r '.table') == "$1" ]]
}

# --- while the daemon runs ----------------------------------------------------------------------------

# refused_to NAME COMMAND...: the kernel does not let them
refused_to() {
	local name=$1
	shift
	if "$@" >"$T/out" 2>&1; then
		fail "$name: refused" "it was done: $*"
	else
		pass "$name: refused"
	fi
}

printf 'flush ruleset\ntable inet filter { }\n' >"$T/firewall.nft"
flood running
for _ in {1..20}; do
	nft flush ruleset
	nft -f "$T/firewall.nft"
done
refused_to "nft delete table" nft delete table inet uidwall
refused_to "a rule in front" nft insert rule inet uidwall output accept
refused_to "no rules anywhere" nft flush table inet uidwall
refused_to "a user taken out" nft delete element inet uidwall services "{ $(uid_of vault) }"
refused_to "a table put to sleep" nft 'add table inet uidwall { flags dormant; }'
refused_to "another owner" python3 "$LIB_DIR/grab.py" uidwall 0
for _ in {1..300}; do
	echo 'delete table inet uidwall'
done | nft --interactive >/dev/null 2>&1
for program in iptables-nft iptables-legacy; do
	command -v "$program" >/dev/null && "$program" -F
done
none_out running
check "the table is whole" wall_whole
is "there was nothing to put back" "$(taken .count)" -eq 0

# --- restarts -----------------------------------------------------------------------------------------

flood restarts
for signal in KILL TERM KILL TERM KILL; do
	stop_daemon "$signal"
	start_daemon
done
none_out restarts
check "the table is whole" wall_whole
is "nobody changed it meanwhile" "$(taken .count)" -eq 0

# --- while no daemon runs -----------------------------------------------------------------------------

# The rules stand without an owner; any tool can take them then, and the start puts them back.
stop_daemon KILL
nft flush ruleset
start_us=$(now_us)
start_daemon
note "put back $((($(now_us) - start_us) / 1000)) ms after the start, the command's time included"
check "deleted meanwhile: the log says so" grep -q 'while no uidwalld was running: somebody deleted the table' "$T/daemon.log"
check "... and status" eval 'uidwall status | grep -q "while no uidwalld was running"'
check "the table is whole" wall_whole
refused vault -q udp 203.0.113.7:443
sleep 0.4 # until it has been written down what stands
stop_daemon KILL
nft insert rule inet uidwall output accept
start_daemon
check "changed meanwhile: the log says where" grep -q 'somebody changed the table (chain output)' "$T/daemon.log"
refused_to "a rule in front" nft insert rule inet uidwall output accept
check "the table is whole" wall_whole
stop_daemon KILL
nft -f - <<'N'
delete table inet uidwall
table inet uidwall {
	chain output { type filter hook output priority -5; policy accept; }
}
N
start_daemon
check "another one meanwhile: the log says so" grep -q 'somebody deleted the table and made another one' "$T/daemon.log"
refused_to "a rule in front" nft insert rule inet uidwall output accept
check "the table is whole" wall_whole

# A table that nft made has no owner and cannot be given one: another one stands in while it is replaced.
uidwall render >"$T/rendered.nft"
flood rendered
for _ in {1..10}; do
	stop_daemon KILL
	nft -f - <<-N
		table inet uidwall-cover { chain c { type filter hook output priority 0; meta skuid $(uid_of vault) reject with icmpx admin-prohibited; }; }
	N
	nft delete table inet uidwall # nft cannot make one "again" that says persist
	nft -f "$T/rendered.nft" || die "the rendered rules"
	nft delete table inet uidwall-cover # the script's own gap is not what is tested here
	start_daemon
done
none_out rendered
check "the table is whole" wall_whole
check "what stood in is gone" eval '! nft list table inet uidwall-standby 2>/dev/null'

# --- another owner ------------------------------------------------------------------------------------

# grab [FLAGS]: another process becomes the owner of what the daemon left, or of a table that it makes
grab() {
	start grab python3 "$LIB_DIR/grab.py" uidwall 0 "$@"
}

is_home() {
	table_held uidwall
}

flood grabbed
stop_daemon KILL
grab
start_beside
check "the rules stand beside it" table_held uidwall-standby
uidwall status >"$T/status"
is "status: exit status 1" $? -eq 1
check "... and who has the table" grep -q 'belongs to another process (netlink port .*grab.py' "$T/status"
check "... which the log says, too" grep -q 'BELONGS TO ANOTHER PROCESS (netlink port .*grab.py' "$T/daemon.log"
policy erp <<<'{ "user": "erp", "connect": [ { "to": "127.0.0.1", "port": 5433 } ] }'
check "policies can change meanwhile" uidwall apply
check "... and do" eval 'nft list chain inet uidwall-standby svc-erp | grep -q 5433'
refused_to "a rule in front" nft insert rule inet uidwall-standby output accept
nft flush ruleset
check "off" uidwall off
note "the table that the other process has holds the rules from before, which nobody can take off"
check "on" uidwall on
stop_daemon KILL
start_beside
check "a restart changes nothing" table_held uidwall-standby
stop grab
check "once that process is gone, they move back" wait_until 10 is_home
check "... and what stood in is gone" eval '! nft list table inet uidwall-standby 2>/dev/null'
uidwall status >"$T/status"
is "status: exit status 0" $? -eq 0
refused_to "a rule in front" nft insert rule inet uidwall output accept
none_out grabbed

# Not with our rules, but with none, and it goes without a trace when its owner goes.
stop_daemon KILL
nft delete table inet uidwall
grab 2
start_beside
check "the rules stand beside it" table_held uidwall-standby
flood empty
stop grab
check "once that process is gone, they move back" wait_until 10 is_home
none_out empty

# Both names.
stop_daemon KILL
grab
start grab2 python3 "$LIB_DIR/grab.py" uidwall-standby 0
(daemon_run) >"$T/start.log" 2>&1
is "where both are taken there is no start: exit status" $? -eq 1
check "... and the log says why" grep -q 'owned by another running process' "$T/start.log"
stop grab2
stop grab
start_daemon
check "afterwards there is" table_held uidwall
stop_daemon TERM
finish
