#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 52-proxy.sh - the proxy's unit: it starts and listens, without a right; what is killed comes back, what
# another proxy replaces does not; credentials that only root may read; sockets from a unit of one's own.
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
if [[ ${SDBOX:-} != 1 && ! (-x $builddir/uidwall-proxy && -x $builddir/tests/tools/inside) ]]; then
	echo "there is no uidwall-proxy to install, or no tests/tools/inside"
	exit 77
fi
machine_boot --copy "$builddir/tests/tools/inside:/usr/local/bin/" --prepare 'systemctl --quiet enable uidwall-proxy.service'
unit=uidwall-proxy.service

pid() {
	property $unit MainPID
}

in_status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status" | tr '\t' ' '
}

# The addresses that the unit's process listens at, or those of anybody ("").
listens() {
	ss -Hltnp 'sport = :3128 or sport = :3129' | grep "${1-pid=$(pid),}" | awk '{ print $4 }' |
		sort | tr '\n' ' '
}

state() {
	echo "$(property $unit ActiveState) $(property $unit Result)"
}

said() {
	journalctl -q --no-pager -u "$unit" | grep -q -- "$1"
}

configure() {
	cat >/etc/uidwall/uidwall.json
	systemctl reset-failed $unit
	systemctl restart $unit
}

equal "it runs after the boot" "active success" "$(state)"
equal "nothing failed" "" "$(systemctl --failed --plain --no-legend --no-pager)"
equal "the boot has no ordering cycle" "" "$(journalctl -q -b --no-pager -g 'ordering cycle' 2>&1)"
check "systemd finds no mistake in the unit" systemd-analyze verify --man=no --recursive-errors=no \
	/usr/lib/systemd/system/$unit
check "its sandbox is rated OK or better" systemd-analyze security --no-pager --threshold=20 $unit
equal "it listens on loopback, of both families" "127.0.0.1:3128 [::1]:3128 " "$(listens)"
equal "... and says so" "listens at 127.0.0.1:3128, [::1]:3128" "$(property $unit StatusText)"

equal "it runs as its user" "$(id -u uidwall-proxy)" "$(in_status Uid | cut -d' ' -f2)"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	equal "$set: none" 0000000000000000 "$(in_status $set)"
done
equal "no new privileges" 1 "$(in_status NoNewPrivs)"
check "its own filter is there beside the unit's" test "$(in_status Seccomp_filters)" -gt 1
check "... with Landlock, where the kernel has it" said 'sandbox: user uidwall-proxy, no capability, [0-9]* system calls'

# --- its work

# ask HOST:PORT - what blog's program is told
ask() {
	setpriv --reuid 2003 --regid 2003 --clear-groups timeout 5 bash -c '
		exec 3<>/dev/tcp/127.0.0.1/3128
		printf "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" "$1" "$1" >&3
		read -r -u 3 line && echo "${line%%[[:cntrl:]]*}"
		while read -r -u 3 line && [[ $line != $'"'\r'"' ]]; do :; done
		echo hello >&3
		read -r -u 3 line && echo "$line"' ask "$1" 2>&1
}
policy blog '{ "user": "blog", "hosts": ["192.0.2.1:8080", "www.example.com"] }'
check "the far side answers" far_side
check "a policy with hosts" uidwall apply
is_let() {
	[[ $(ask 192.0.2.1:8080) == *" 200 "*hello ]]
}
check "... lets blog through" eventually 5 is_let
check "... and no further" eval '[[ $(ask 192.0.2.1:9090) == *" 403 "*"blog may not connect to 192.0.2.1:9090"* ]]'
check "which is a line in the journal" eventually 5 eval \
	'journalctl -q --no-pager -o cat -u $unit | grep -F "\"verdict\":\"refused\"" | grep -qF 192.0.2.1'

# --- killed, without the daemon

was=$(pid)
kill -KILL "$was"
restarted() {
	[[ $(pid) != 0 && $(pid) != "$was" && $(property "$unit" SubState) == running ]]
}
check "killed, it is started again" eventually 5 restarted
equal "... and listens" "127.0.0.1:3128 [::1]:3128 " "$(listens)"
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nWatchdogSec=1s\n' >/run/systemd/system/$unit.d/watchdog.conf
systemctl daemon-reload
systemctl restart $unit
was=$(pid)
restarts=$(property $unit NRestarts)
sleep 2.5
equal "well, it keeps the watchdog quiet" "$restarts $was" "$(property $unit NRestarts) $(pid)"
threads=("/proc/$was/task"/*)
inside "${threads[-1]##*/}" poll 0 0 9000 >/dev/null 2>&1 & # one of its threads waits for nothing
check "with a thread that is stuck, it is replaced" eventually 8 restarted
was=$(pid)
kill -STOP "$was"
check "stuck as a whole, too" eventually 8 restarted
rm /run/systemd/system/$unit.d/watchdog.conf
systemctl daemon-reload
systemctl restart $unit
was=$(pid)
systemctl stop uidwalld.service uidwalld.socket 2>/dev/null
equal "the daemon's end is not its end" "active success $was" "$(state) $(pid)"
systemctl restart $unit
check "to start it starts the daemon" systemctl is-active uidwalld.service
systemctl stop $unit
equal "stopped, it ends well" "inactive success" "$(state)"
equal "... and nobody listens" "" "$(listens '')"

# --- another proxy

check "with another proxy it starts" configure <<<'{ "proxy": { "external": "127.0.0.1:8888" } }'
check "... and ends" eventually 5 eval '[[ $(property $unit ActiveState) == inactive ]]'
equal "... since it has nothing to do" "inactive success 0" "$(state) $(property $unit NRestarts)"
check "... which it says" said 'another proxy is used'

# --- credentials

file=/etc/uidwall/proxy-credentials
upstream='{ "proxy": { "upstream": "http://192.0.2.1:8080", "credentials": "'$file'" } }'
install -m 600 /dev/stdin $file <<<'me:sesame'
check "with credentials it starts" configure <<<"$upstream"
equal "... and runs" "active success" "$(state)"
chmod 640 $file
configure <<<"$upstream" 2>/dev/null
check "not with those that others may read" said 'proxy-credentials: holds a password'
rm $file
configure <<<"$upstream" 2>/dev/null
check "not without those that it needs" said 'proxy-credentials: there is no such file'
install -m 600 /dev/stdin ${file}2 <<<'me:sesame'
configure <<<"${upstream/proxy-credentials/proxy-credentials2}" 2>/dev/null
check "of another file it says what to do" said 'LoadCredential=NAME:PATH'
mkdir -p /etc/systemd/system/$unit.d
printf '[Service]\nLoadCredential=proxy-credentials2:%s2\n' $file >/etc/systemd/system/$unit.d/more.conf
systemctl daemon-reload
check "... which helps" configure <<<"${upstream/proxy-credentials/proxy-credentials2}"
if journalctl -q --no-pager | grep -q sesame; then
	not_ok "the password is in no log"
else
	ok "the password is in no log"
fi

# --- mistakes, and sockets of a unit

configure <<<'{ "proxy": { "listen": "127.0.0.1:3129", "idle": 5 } }' 2>/dev/null
check "a mistake in the configuration is told with its place" said 'uidwall.json:1:42: error: unknown key "idle"'
sleep 1
check "... again and again, but not for ever" test "$(property $unit NRestarts)" -le 30
cat >/etc/systemd/system/uidwall-proxy.socket <<'U'
[Socket]
ListenStream=127.0.0.1:3129
U
systemctl daemon-reload
systemctl stop $unit
echo '{ "proxy": { "listen": "127.0.0.1:3129" } }' >/etc/uidwall/uidwall.json
systemctl reset-failed $unit
check "a socket unit of one's own starts" systemctl start uidwall-proxy.socket
check "... and with it the proxy, once somebody calls" bash -c ': </dev/tcp/127.0.0.1/3129'
check "... which takes the socket" eventually 5 said 'listens at 127.0.0.1:3129, handed over'
equal "... and makes none" "127.0.0.1:3129 " "$(listens)"
finish
