#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 30-confirm.sh - a change that nobody confirms, under a real systemd: restarts, crashes and reboots in
# between, and the sandbox of the unit.
# timeout: 300
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
again="srcdir=/ builddir=/ bash /usr/local/lib/uidwall-tests/30-confirm.sh"
machine_boot --then "$again rebooted" --then "$again twice"

old() {
	policy blog '{ "user": "blog", "dns": false, "proxy": false,
		"connect": [ { "to": "192.0.2.1", "port": 8080 }, { "to": "2001:db8::1", "port": 8080 } ] }'
}

new() {
	policy blog '{ "user": "blog", "dns": false, "proxy": false, "connect": [ { "to": "192.0.2.1", "port": 9090 } ] }'
}

is_old() {
	check "$1: what was allowed passes" reaches 2003 192.0.2.1:8080
	check "$1: the rest is refused" refused 2003 192.0.2.1:9090
}

is_new() {
	check "$1: the new passes" reaches 2003 192.0.2.1:9090
	check "$1: the old is refused" refused 2003 192.0.2.1:8080
}

# undo FILTER - of status
undo() {
	uidwall status --json | jq -rc "$1"
}

rolled_back() {
	[[ $(undo .rolled_back.reason) == "$1" ]]
}

unit_says() {
	property uidwalld.service StatusText | grep -qF -- "$1"
}

check "the far side answers" far_side

case ${1-} in
rebooted)
	is_old "after a reboot nobody confirmed"
	equal "it went back because of that" reboot "$(undo .rolled_back.reason)"
	check "the file says something else" grep -q 9090 /etc/uidwall/policies/blog.json
	check "the unit's status says so" unit_says "ROLLED BACK"
	check "the journal says so" sh -c 'journalctl -q --no-pager -b -u uidwalld.service | grep -q "ROLLED BACK.*booted before"'
	equal "nothing failed" "" "$(systemctl --failed --plain --no-legend --no-pager)"
	finish
	;;
twice)
	is_old "after one more reboot"
	check "systemctl reload puts the files in force" systemctl reload uidwalld.service
	is_new "reloaded"
	equal "nothing waits, nothing was rolled back" "[null,null]" "$(undo '[.waiting, .rolled_back]')"
	check "systemctl restart" systemctl restart uidwalld.service
	is_new "restarted"
	finish
	;;
esac

is_old "at first"
equal "the unit may close sockets" true "$(undo .kernel.socket_destroy)"

new
check "apply --confirm" uidwall apply --confirm 1h
is_new "waiting"
check "the unit's status says so" unit_says 'WAITS FOR "uidwall confirm"'
if systemctl reload uidwalld.service 2>/run/out; then
	not_ok "systemctl reload fails meanwhile"
else
	ok "systemctl reload fails meanwhile"
fi
pid=$(property uidwalld.service MainPID)
kill -KILL "$pid"
another() {
	local now
	now=$(property uidwalld.service MainPID)
	[[ $now != 0 && $now != "$pid" && $(property uidwalld.service SubState) == running ]]
}
check "killed, it is started again" eventually 5 another
is_new "killed"
equal "it waits on" 3600 "$(undo .waiting.seconds)"
check "systemctl restart" systemctl restart uidwalld.service
equal "restarted, it waits on" 3600 "$(undo .waiting.seconds)"
check "confirm" uidwall confirm
is_new "confirmed"

old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 2
is_new "for two seconds"
check "it goes back by itself" eventually 10 rolled_back time
is_old "back"
check "systemctl restart" systemctl restart uidwalld.service
is_old "restarted"
check "apply" uidwall apply

old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 2
systemctl stop uidwalld.socket uidwalld.service 2>/run/out
sleep 2.2
is_new "stopped before the time was over"
check "started when it is" systemctl start uidwalld.service
is_old "started"

check "apply" uidwall apply
old
check "apply" uidwall apply
new
check "apply --confirm, and a reboot" uidwall apply --confirm 1h
is_new "before the reboot"
finish
