#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The wall does not hang on the daemon: SIGTERM and SIGKILL leave it standing, a restart finds it, and
# only `off` takes it down. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

sample erp blog nothing
stand_in postgres postgres echo:tcp:5432
start_daemon

holds() {
	goes blog dns 192.0.2.53:53 a.example
	goes erp -m x tcp 127.0.0.1:5432
	refused erp dns 192.0.2.53:53 a.example
	refused blog tcp 203.0.113.7:443
	refused vault udp '[2001:db8:bad::7]:443'
	goes stranger -m x tcp '[2001:db8:bad::7]:443'
}

# is_privileged: nothing but CAP_NET_ADMIN (bit 12), and an ordinary user
capabilities() {
	awk '/^Uid:/ { uid = $2 } /^CapEff:/ { caps = $2 } END { print uid, caps }' "/proc/$(daemon_pid)/status"
}
check "the daemon is an ordinary user with CAP_NET_ADMIN alone" \
	test "$(capabilities)" = "2090 0000000000001000"

holds
for signal in TERM KILL INT; do
	stop_daemon "$signal"
	note "after SIG$signal"
	check "SIG$signal leaves the wall standing" wall_stands
	holds
	start_daemon
	note "after a restart"
	holds
done

# Between two daemons nobody gets out, not for one packet.
traffic vault vault -q udp 203.0.113.7:443
traffic erp erp -t 5000 -i 200 tcp 127.0.0.1:5432
for _ in {1..10}; do
	stop_daemon KILL
	start_daemon
	stop_daemon TERM
	start_daemon
done
traffic_stop
note "$(cat "$T/traffic-vault" "$T/traffic-erp")"
is "20 restarts let nothing out" "$(number vault .ok)" -eq 0
is "there was something to refuse" "$(number vault .refused)" -gt 1000
is "20 restarts refuse nothing that is allowed" "$(number erp '.refused + .timeout')" -eq 0
is "there was something allowed" "$(number erp .ok)" -gt 100

# A policy that changed while nobody was there.
stop_daemon TERM
policy blog <<<'{ "user": "blog", "dns": false }'
rm "$POLICIES/erp.json"
start_daemon
refused blog dns 192.0.2.53:53 a.example
goes erp -m x tcp 203.0.113.7:443
sample blog erp
check "reload" reload
holds

# off and on
check "off for one service" uidwall off blog
goes blog -m x tcp 203.0.113.7:443
refused vault tcp 203.0.113.7:443
check "reload while blog is off" reload
goes blog -m x tcp 203.0.113.7:443
stop_daemon TERM
start_daemon
goes blog -m x tcp 203.0.113.7:443
check "on again" uidwall on blog
holds
check "off for all" uidwall off
goes blog -m x tcp 203.0.113.7:443
goes vault -m x tcp 203.0.113.7:443
goes erp dns 192.0.2.53:53 a.example
check "on for all" uidwall on
holds

# Somebody deletes the table while the daemon is away: it comes back whole.
stop_daemon KILL
nft delete table inet uidwall
goes vault -m x tcp 203.0.113.7:443
start_daemon
holds
# ... or puts one of the same name there.
stop_daemon KILL
nft delete table inet uidwall
nft -f - <<'EOF'
table inet uidwall {
	map services { type uid : verdict; elements = { 2003 : accept } }
	chain output { type filter hook output priority 0; policy drop; meta skuid vmap @services; }
	chain stranger { counter; }
}
EOF
start_daemon
holds
finish
