#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 10-units.sh - the units under a real systemd: order of the boot, privileges, socket, reload, and
# what stays when the daemon is killed, stopped or stuck.
# timeout: 240
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

# The hardest order there is: a network that is up before sysinit.target, as cloud-init has it. What
# network-pre.target gives the network to start on is written down by a unit in between. The daemon
# comes late, so that order and not luck has it first.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/early.conf" <<'U'
[Unit]
Before=sysinit.target
U
printf '[Service]\nExecStartPre=/bin/sleep 1\n' >"$scratch/slow.conf"
cat >"$scratch/witness.service" <<'U'
[Unit]
DefaultDependencies=no
After=network-pre.target
Before=sdbox-network.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir -p /run/witness; nft list table inet uidwall >/run/witness/rules; ip -o link show up >/run/witness/links'
[Install]
WantedBy=sysinit.target
U
machine_boot --copy "$scratch/early.conf:/etc/systemd/system/sdbox-network.service.d/" \
	--copy "$scratch/slow.conf:/etc/systemd/system/uidwalld.service.d/" \
	--copy "$scratch/witness.service:/etc/systemd/system/" \
	--prepare 'systemctl --quiet enable witness.service'

# --- boot -----------------------------------------------------------------------------------------

check "the rules are there before any interface is" grep -q svc-blog /run/witness/rules
equal "no interface was up then" "" "$(grep -v ' lo:' /run/witness/links)"
equal "the boot has no ordering cycle" "" "$(journalctl -q -b --no-pager -g 'ordering cycle' 2>&1)"
ready=$(property uidwalld.service ActiveEnterTimestampMonotonic)
network=$(property sdbox-network.service ExecMainStartTimestampMonotonic)
check "the daemon was ready before the network started" test "$ready" -gt 0 -a "$ready" -lt "$network"
equal "nothing failed" "" "$(systemctl --failed --plain --no-legend --no-pager)"
check "systemd finds no mistake in the units" systemd-analyze verify --man=no --recursive-errors=no \
	/usr/lib/systemd/system/uidwalld.service /usr/lib/systemd/system/uidwalld.socket

rm /etc/systemd/system/uidwalld.service.d/slow.conf
systemctl daemon-reload

# --- privileges -----------------------------------------------------------------------------------

pid=$(property uidwalld.service MainPID)
status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | tr '\t' ' '
}
equal "it runs as the user uidwall" "$(id -u uidwall)" "$(status Uid | cut -d' ' -f2)"
for set in CapEff CapPrm CapBnd; do
	equal "$set is CAP_NET_ADMIN alone" 0000000000001000 "$(status $set)"
done
equal "a program that it starts would have none" 0000000000000000 "$(status CapAmb)"
equal "no new privileges" 1 "$(status NoNewPrivs)"
equal "its system calls are filtered" 2 "$(status Seccomp)"
check "its sandbox is rated OK or better" systemd-analyze security --no-pager --threshold=25 uidwalld.service
equal "its state is its own" "uidwall:uidwall 750" "$(stat -c '%U:%G %a' /var/lib/uidwall)"
equal "the policies' folder is root's" "root:root 755" "$(stat -c '%U:%G %a' /etc/uidwall/policies)"

# --- the socket -----------------------------------------------------------------------------------

equal "the control socket is root's, and anyone may connect" "socket root:root 666" \
	"$(stat -c '%F %U:%G %a' /run/uidwall/control.sock)"
equal "its folder is root's" "root:root 755" "$(stat -c '%U:%G %a' /run/uidwall)"
equal "systemd holds it" active "$(systemctl is-active uidwalld.socket)"
check "root is answered" uidwall status
check "a user is answered about the own service" setpriv --reuid 2003 --regid 2003 --clear-groups \
	uidwall show blog
if setpriv --reuid 2050 --regid 2050 --clear-groups uidwall show blog >/run/out 2>&1; then
	not_ok "nobody is answered about the service of others" "$(cat /run/out)"
else
	ok "nobody is answered about the service of others"
fi

# --- the wall -------------------------------------------------------------------------------------

check "the far side answers" far_side
check "what the policy allows passes" reaches 2003 192.0.2.1:8080
check "in both families" reaches 2003 '[2001:db8::1]:8080'
check "the rest is refused" refused 2003 192.0.2.1:9090
check "in both families" refused 2003 '[2001:db8::1]:9090'
check "a user without a policy goes on as before" reaches 2050 192.0.2.1:9091

# --- reload ---------------------------------------------------------------------------------------

policy blog '{ "user": "blog", "dns": false, "proxy": false,
	"connect": [ { "to": "192.0.2.1", "port": [8080, 9091] } ] }'
check "systemctl reload succeeds" systemctl reload uidwalld.service
check "and has done it when it returns" reaches 2003 192.0.2.1:9091
equal "by the same process" "$pid" "$(property uidwalld.service MainPID)"
equal "which is running" "active running" \
	"$(property uidwalld.service ActiveState) $(property uidwalld.service SubState)"

before=$(rules)
policy blog '{ "user": "blog", "connect": [ { "to": "192.0.2.1", "port": "http" } ] }'
if systemctl reload uidwalld.service 2>/run/out; then
	not_ok "systemctl reload fails when a policy is wrong"
else
	ok "systemctl reload fails when a policy is wrong"
fi
check "the journal says where" eventually 5 sh -c \
	'journalctl -q --no-pager -u uidwalld.service | grep -q "blog.json:1:"'
equal "the daemon goes on" "active running $pid" "$(property uidwalld.service ActiveState) $(
	property uidwalld.service SubState) $(property uidwalld.service MainPID)"
equal "and the rules are what they were" "$(sed 's/packets [0-9]* bytes [0-9]*//' <<<"$before")" \
	"$(rules | sed 's/packets [0-9]* bytes [0-9]*//')"
policy blog '{ "user": "blog", "dns": false, "proxy": false,
	"connect": [ { "to": "192.0.2.1", "port": 8080 } ] }'
check "mended, it succeeds again" systemctl reload uidwalld.service
check "and refuses what is no longer allowed" refused 2003 192.0.2.1:9091

# --- killed, stuck, stopped -----------------------------------------------------------------------

# Tries without a pause, as the governed user, while the daemon dies in several ways.
arrived=$(arrived 9090)
attempt -u 2003 -f 9000 -t 500 tcp 192.0.2.1:9090 >/run/attempts 2>&1 &
tries=$!

kill -KILL "$pid"
restarted() {
	local now
	now=$(property uidwalld.service MainPID)
	[[ $now != 0 && $now != "$pid" && $(property uidwalld.service SubState) == running ]]
}
check "killed, it is started again" eventually 5 restarted
check "and answers" uidwall status
pid=$(property uidwalld.service MainPID)

mkdir -p /run/systemd/system/uidwalld.service.d
printf '[Service]\nWatchdogSec=1s\n' >/run/systemd/system/uidwalld.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart uidwalld.service
pid=$(property uidwalld.service MainPID)
restarts=$(property uidwalld.service NRestarts)
sleep 2.5
equal "a daemon that is well keeps the watchdog quiet" "$restarts" "$(property uidwalld.service NRestarts)"
kill -STOP "$pid"
check "one that is stuck is replaced" eventually 10 restarted
check "and the new one answers" uidwall status

wait "$tries"
equal "nothing came through in the meantime" "$arrived" "$(arrived 9090)"
refusals=$(sed -n 's/.*"refused":\([0-9]*\).*/\1/p' /run/attempts)
check "though it was tried $refusals times" test "${refusals:-0}" -gt 1000

systemctl stop uidwalld.service 2>/run/out
equal "stopped, it is gone" inactive "$(systemctl is-active uidwalld.service)"
check "the wall stands" refused 2003 192.0.2.1:9090
check "and what is allowed passes" reaches 2003 192.0.2.1:8080
equal "the socket is still there" "socket root:root 666" "$(stat -c '%F %U:%G %a' /run/uidwall/control.sock)"
check "a call starts the daemon again" uidwall status
equal "with the same rules" 1 "$(rules | grep -c 'chain svc-blog {')"
systemctl stop uidwalld.socket uidwalld.service 2>/run/out
check "with the socket stopped, too, the wall stands" refused 2003 192.0.2.1:9090
check "started by hand" systemctl start uidwalld.service
equal "it brings its socket" active "$(systemctl is-active uidwalld.socket)"
check "and answers there" uidwall status
finish
