#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hours' worth of reloads and calls, compressed (soak.py): what the daemon holds at the end is what it held
# at the start. SOAK_HOURS=24 is a whole day ("make check-soak"); SOAK_VALGRIND=1 has it run under
# memcheck, without its seccomp filter, which valgrind's own calls would not pass. Topology: lib.sh.
# timeout: 3600
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
hours=${SOAK_HOURS:-4}
how=plain
if readelf -d "$UIDWALLD" | grep -q 'NEEDED.*asan'; then
	how=sanitizers
elif [[ ${SOAK_VALGRIND:-} == 1 ]]; then
	how=valgrind
	command -v valgrind >/dev/null || skip_all "needs the program valgrind"
fi
private "$@"

export UIDWALL_SEED=${UIDWALL_SEED:-$((SRANDOM % 1000000))}
note "$how, seed $UIDWALL_SEED; 24 hours' worth: make check-soak"

# As daemon_run.
soaked_run() {
	local uid wrap=() more=()
	uid=$(uid_of uidwall)
	if [[ $how == valgrind ]]; then
		wrap=(valgrind --quiet --leak-check=full --error-exitcode=98
			--show-leak-kinds="definite,indirect,possible"
			--errors-for-leak-kinds="definite,indirect,possible"
			--child-silent-after-fork=yes --vgdb=no)
		more=(--no-seccomp)
	fi
	# What a thread keeps for itself of freed memory counts as handed out.
	export GLIBC_TUNABLES=glibc.malloc.tcache_count=0
	exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
		--bounding-set -all,+net_admin --inh-caps -all,+net_admin --ambient-caps -all,+net_admin \
		"${wrap[@]}" "$T/bin/uidwalld" --config "$CONFIG" --policies "$POLICIES" \
		--control "$CONTROL" --state "$STATE" "${more[@]}"
}

sample erp blog gitea nothing phpmyadmin wordpress
programs_copy
(soaked_run) >>"$T/daemon.log" 2>&1 </dev/null &
echo $! >"$T/daemon.pid"
if ! wait_until 30 wall_stands || ! wait_until 30 daemon_answers; then
	die "the daemon does not come up"
fi
python3 "$(dirname "$0")/soak.py" "$CONTROL" "$(daemon_pid)" "$POLICIES" "$hours" "$how" || ((++n_failed))
check "the daemon lives" daemon_alive
refused blog tcp 203.0.113.7:443
pid=$(daemon_pid)
kill -TERM "$pid"
wait "$pid"
status=$?
is "it ends well, without leaks" "$status" -eq 0
((status == 0)) || note "$(grep -E -A30 '^==[0-9]+==' "$T/daemon.log" | head -n 60)"
check "nobody complained about it" eval '! grep -E "^==[0-9]+==|runtime error" "$T/daemon.log"'
finish
