#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel that refuses to go back to what nobody confirmed: it is asked again, what is in force stays, and
# it is said. What a daemon leaves behind that is killed at any point: tests/faults. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip_all "needs the program strace"
private "$@"

# rules: the table, without what counts and what may stand in any order
rules() {
	nft -s list table inet uidwall | sort | sha256sum
}

new() {
	policy blog <<<'{ "user": "blog", "dns": false, "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
	policy erp <<<'{ "user": "erp", "dns": true }'
	rm -f "$POLICIES/nothing.json"
}

# traced INJECTION COMMAND...: the command, while the daemon's system calls are tampered with
traced() {
	local injection=$1 tracer
	shift
	: >"$T/strace.err"
	strace -qq -f -o /dev/null -p "$(daemon_pid)" -e "inject=$injection" 2>"$T/strace.err" &
	tracer=$!
	wait_until 5 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$(daemon_pid)/status" || die "strace: $(cat "$T/strace.err")"
	"$@"
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
}

in_force() {
	[[ $(rules) == "$1" ]]
}

sample blog erp nothing
start_daemon
old_rules=$(rules)
new
uidwall apply --confirm 1 >/dev/null || die "apply --confirm"
new_rules=$(rules)
is "old and new differ" "$old_rules" != "$new_rules"
refused_thrice() {
	[[ $(grep -c 'CANNOT GO BACK' "$T/daemon.log") -ge 3 ]]
}
refusing() {
	check "a kernel that refuses is asked again" wait_until 15 refused_thrice
}
traced "sendto:error=ENOBUFS" refusing
check "what is in force stays" in_force "$new_rules"
uidwall status >"$T/out"
is "status: exit status 1" $? -eq 1
check "... and the reason" grep -q 'CANNOT GO BACK' "$T/out"
check "once it does not refuse any more it goes back" wait_until 20 in_force "$old_rules"
check "... and says so" eval 'uidwall status | grep -q "Rolled back at"'
stop_daemon TERM
finish
