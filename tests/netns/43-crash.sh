#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGKILL at every point of "apply --confirm", "confirm", "rollback" and of going back in time: the next start
# has the old policies or the new ones, whole, and what nobody confirmed goes back. And a kernel that
# refuses to go back. Topology: lib.sh.
# timeout: 400
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || skip_all "needs the program strace"
private "$@"

# What lasts: the calls that write, rename and remove files, and the one that hands rules to the kernel
# (and answers).
calls=(link rename fsync unlink sendto)

# rules: the table, without what counts and what may stand in any order
rules() {
	nft -s list table inet uidwall | sort | sha256sum
}

new() {
	policy blog <<<'{ "user": "blog", "dns": false, "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
	policy erp <<<'{ "user": "erp", "dns": true }'
	rm -f "$POLICIES/nothing.json"
}

old() {
	sample blog erp nothing
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

# clean: the old policies in force, nothing waits, nothing is remembered
clean() {
	stop_daemon KILL
	rm -f "$STATE"/*
	old
	start_daemon
	new
}

is_over() {
	[[ $(uidwall status --json | jq -c .waiting) == null ]]
}

quietly() {
	"$@" >"$T/out" 2>&1
}

# killed_at CALL N COMMAND...: whether the daemon was killed at its Nth call of that name; it is started
# again in any case. `promised` says whether anything was promised by then.
killed_at() {
	local call=$1 n=$2 killed=1
	shift 2
	traced "$call:signal=KILL:when=$n" quietly "$@"
	promised=yes
	if ! daemon_alive; then
		killed=0
		[[ -e $STATE/trial ]] || promised=no
		rm -f "$T/daemon.pid"
		start_daemon
	fi
	return $killed
}

# one_of: the rules are the old ones or the new ones
one_of() {
	local now
	now=$(rules)
	[[ $now == "$old_rules" || $now == "$new_rules" ]]
}

# every_point NAME SECONDS CHECK PREPARATION VERB...: kills at each point of the verb; after each, and after
# the time is over, the check must hold. Unless it was killed before anything was promised: then the
# command had no answer, and the start read the files as any other.
every_point() {
	local name=$1 seconds=$2 holds=$3 prepare=$4 call n points=0 unpromised=0 bad=''
	shift 4
	for call in "${calls[@]}"; do
		for ((n = 1; n < 60; n++)); do
			clean
			$prepare
			killed_at "$call" "$n" "$@" || break
			((++points))
			[[ $promised == yes ]] || ((++unpromised))
			one_of || bad+="$call $n: neither old nor new; "
			wait_until $((seconds + 5)) is_over || bad+="$call $n: it waits for ever; "
			[[ $promised == no ]] || $holds || bad+="$call $n: not what was promised; "
		done
	done
	note "$points points, $unpromised of them before a promise"
	is "killed at $points points of $name: $holds" "$bad" = ""
	is "... and there were some" "$points" -gt 1
}

in_force() {
	[[ $(rules) == "$1" ]]
}

old_again() {
	in_force "$old_rules"
}

start_daemon
new
uidwall apply >/dev/null || die "the new policies"
new_rules=$(rules)
old
uidwall apply >/dev/null || die "the old policies"
old_rules=$(rules)
is "old and new differ" "$old_rules" != "$new_rules"

every_point "apply --confirm" 1 old_again true uidwall apply --confirm 1

# Killed early, the confirm was never heard: back. Killed late, it holds, and holds at the next start.
applied() {
	uidwall apply --confirm 1 >/dev/null || die "apply --confirm"
}
whole() {
	local before
	before=$(rules)
	stop_daemon KILL
	start_daemon
	one_of && [[ $(rules) == "$before" ]]
}
every_point "confirm" 1 whole applied uidwall confirm

applied_long() {
	uidwall apply --confirm 3 >/dev/null || die "apply --confirm"
}
every_point "rollback" 3 old_again applied_long uidwall rollback

# Going back by itself, in a daemon that nobody asks anything meanwhile.
every_point "going back in time" 1 old_again applied sleep 1.3

# --- a kernel that refuses
clean
uidwall apply --confirm 1 >/dev/null || die "apply --confirm"
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
