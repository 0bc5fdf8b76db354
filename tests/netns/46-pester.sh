#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The control socket of a running daemon under random and mutated calls of several users at once, root's
# real ones among them (tests/fuzz/pester.c). UIDWALL_SEED=N repeats a run, PESTER_SECONDS=N lasts longer.
# Topology: lib.sh.
# timeout: 900
. "$(dirname "$0")/lib.sh"
[[ -x $builddir/tests/fuzz/pester ]] || skip_all "tests/fuzz/pester is not built"
private "$@"

seconds=${PESTER_SECONDS:-6}
seed=${UIDWALL_SEED:-$((SRANDOM % 1000000))}
note "seed $seed, $seconds s"

descriptors() {
	find "/proc/$(daemon_pid)/fd" -mindepth 1 | wc -l
}

# What malloc() has handed out; 0 under sanitizers.
memory() {
	uidwall status --json | jq .memory
}

is_at() {
	[[ $(descriptors) -le $1 ]]
}

# Somebody else's calls meanwhile: the slowest one, in ms.
slowest_call() {
	local start slowest=0 ms
	while [[ -e $T/pestering ]]; do
		start=$(now_us)
		setpriv --reuid "$1" --regid "$1" --clear-groups "$T/bin/uidwall" status \
			--control "$CONTROL" >/dev/null || (($? == 1)) || echo "unanswered"
		ms=$((($(now_us) - start) / 1000))
		((ms <= slowest)) || slowest=$ms
		sleep 0.1
	done
	echo "$slowest"
}

sample erp blog nothing gitea
config <<<'{ "resolvers": [ "192.0.2.53" ], "admins": [ "caddy" ] }'
start_daemon
reload
uidwall status >/dev/null
fds=$(descriptors) memory=$(memory)
touch "$T/pestering"
slowest_call "$(uid_of mailer)" >"$T/slowest" &
meanwhile=$!
check "every whole call has a proper answer" eval \
	'nice "$builddir/tests/fuzz/pester" "$CONTROL" "$seconds" "$seed" 0 2003 2001 2033 2050 400001 >"$T/pester.log"'
note "$(cat "$T/pester.log")"
rm -f "$T/pestering"
wait "$meanwhile"
is "there were many" "$(jq .inputs "$T/pester.log")" -gt $((seconds * 200))
is "... some of them good" "$(jq .answers "$T/pester.log")" -gt $((seconds * 10))
note "another user's slowest call meanwhile: $(cat "$T/slowest") ms"
is "another user's calls were answered" "$(cat "$T/slowest")" -lt 3000
check "the daemon lives" daemon_alive
check "the wall is up again" eval 'uidwall rollback >/dev/null; uidwall on >/dev/null && reload && wall_stands'
refused blog tcp 203.0.113.7:443
check "no descriptor is left" wait_until 8 is_at "$fds"
is "no memory is left ($memory bytes before)" "$(memory)" -le $((memory + 65536))
check "a sanitizer, if there is one, found nothing" eval '! grep -q "ERROR: \|runtime error" "$T/daemon.log"'
pid=$(daemon_pid)
kill -TERM "$pid"
wait "$pid"
is "it ends well, without leaks" "$?" -eq 0
finish
