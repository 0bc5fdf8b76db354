#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How the daemon starts and fails: state folder, configuration, other daemons, and what it tells a
# service manager (manager.py). Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"

sample erp blog
config <<<'{ "resolvers": [ "192.0.2.53" ] }'
stand_in postgres postgres echo:tcp:5432

holds() {
	goes blog dns 192.0.2.53:53 a.example
	goes erp -m x tcp 127.0.0.1:5432
	refused erp dns 192.0.2.53:53 a.example
	refused blog tcp 203.0.113.7:443
}

table_absent() {
	! nft list table inet uidwall
}

# start_fails NAME WORDS [ARGUMENT]...: it ends by itself, with status 1 and these words
start_fails() {
	local name=$1 words=$2 status
	shift 2
	programs_copy
	(daemon_run) >"$T/start.log" 2>&1 </dev/null
	status=$?
	is "$name: exit status 1" "$status" -eq 1
	check "$name: says \"$words\"" grep -qF -- "$words" "$T/start.log"
}

# As start_daemon, where no wall is to be waited for.
start_off() {
	(daemon_run) >>"$T/daemon.log" 2>&1 </dev/null &
	echo $! >"$T/daemon.pid"
	wait_until 10 daemon_answers || die "the daemon does not come up"
}

# status_says NAME JQ-FILTER EXPECTED
status_says() {
	is "$1" "$(uidwall status --json | jq -rc "$2")" = "$3"
}

# --- files that cannot be read, and nothing remembered
mv "$POLICIES" "$T/away"
start_fails "no folder of policies" "$POLICIES"
check "... and there is no wall" table_absent
mv "$T/away" "$POLICIES"
config <<<'{ "resolver": [] }'
start_fails "a wrong configuration" 'unknown key "resolver"'
check "... and there is no wall" table_absent
config <<<'{ "resolvers": [ "192.0.2.53" ] }'
start_daemon
holds
stop_daemon TERM

# --- the same, but it remembers
mv "$POLICIES" "$T/away"
start_daemon
note "without the folder of policies"
holds
status_says "status says what is wrong" '[.wall,.last_reload.ok,[.services[].state]]' \
	'["on",false,["last-good","last-good"]]'
status_says "... and names the folder" '.last_reload.error | contains("/policies")' true
mv "$T/away" "$POLICIES"
check "the folder is back: apply" reload
status_says "all is well" '[.last_reload.ok,[.services[].state]]' '[true,["good","good"]]'
stop_daemon TERM
config <<<'{ "resolver": [] }'
start_daemon
note "with a wrong configuration"
holds
status_says "it names the key" '.diags[0].message | contains("\"resolver\"")' true
stop_daemon KILL
start_daemon
note "and again"
holds
config <<<'{ "resolvers": [ "192.0.2.53" ] }'
check "put right: apply" reload
stop_daemon TERM

# --- the state folder
check "what is remembered is not for others to read" test "$(stat -c %a "$STATE/last-good")" = 600
policy blog <<<'{ "user": "blog", "nonsense": true }'
start_daemon
holds
stop_daemon TERM
cp "$STATE/last-good" "$T/last-good"
truncate -s -1 "$STATE/last-good"
start_daemon
note "with a torn file it is as if nothing were remembered"
refused blog dns 192.0.2.53:53 a.example
refused blog tcp 203.0.113.7:443
goes erp -m x tcp 127.0.0.1:5432
check "... and the log says why" grep -q 'last-good.*torn' "$T/daemon.log"
stop_daemon TERM
cp "$T/last-good" "$STATE/last-good"
chmod 606 "$STATE/last-good"
start_daemon
note "nor is one believed that others may write"
refused blog dns 192.0.2.53:53 a.example
stop_daemon TERM
sample blog
start_daemon
holds
# Nowhere to write: what is in force counts, and the trouble shows.
mount -t tmpfs -o size=4k,nr_inodes=2,ro,mode=755 tmpfs "$STATE"
policy blog <<<'{ "user": "blog", "dns": false, "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
reload
refused blog dns 192.0.2.53:53 a.example
goes blog -m x tcp 203.0.113.7:443
status_says "a folder that cannot be written shows in status" \
	'[.last_reload.ok, (.diags[0].message | contains("Read-only"))]' '[true,true]'
umount "$STATE"
mount -t tmpfs -o size=4k,mode=777 tmpfs "$STATE"
head -c 4096 /dev/zero >"$STATE/ballast"
sample blog
reload
goes blog dns 192.0.2.53:53 a.example
status_says "so does a full one" '[.last_reload.ok, (.diags[0].message | contains("No space"))]' \
	'[true,true]'
check "a full disk leaves no half file" test "$(ls "$STATE")" = ballast
umount "$STATE"
check "apply" reload
# A file that is removed is forgotten.
rm "$POLICIES/blog.json"
check "a policy is removed" reload
policy blog <<<'{ "user": "blog", "nonsense": true }'
reload
refused blog dns 192.0.2.53:53 a.example
sample blog
check "and comes back" reload
holds

# --- off belongs to this boot
check "off" uidwall off blog
stop_daemon TERM
sed -i '1s/.*/uidwall-off 1 00000000-0000-0000-0000-000000000000/' "$STATE/off"
start_daemon
note "after a boot nothing is off"
holds
check "off" uidwall off
stop_daemon TERM
start_off
goes blog -m x tcp 203.0.113.7:443
check "... and the log says so" grep -q 'the wall is OFF' "$T/daemon.log"
check "on" uidwall on
holds
check "off for one that is not" eval '! uidwall off nosuch'
holds
stop_daemon TERM
sed -i '$d' "$STATE/off" 2>/dev/null

# --- two daemons
start_daemon
start_fails "a second one on the same socket" "another uidwalld"
holds
check "the first one answers" uidwall apply
CONTROL=$T/uidwall/other.sock start_fails "a second one on another socket" "not started"
holds
check "the first one answers" uidwall apply
check "its socket is its own" test ! -e "$T/uidwall/other.sock"
stop_daemon KILL
check "a crash leaves its socket" test -S "$CONTROL"
start_daemon
holds
stop_daemon TERM
echo precious >"$CONTROL"
start_fails "a file in the way" "in the way"
check "... is not touched" test "$(cat "$CONTROL")" = precious
holds
rm "$CONTROL"
mkdir "$CONTROL"
start_fails "a folder in the way" "in the way"
rmdir "$CONTROL"

# --- without the capability
nft delete table inet uidwall
uid=$(uid_of uidwall)
setpriv --reuid "$uid" --regid "$uid" --clear-groups "$T/bin/uidwalld" --config "$CONFIG" \
	--policies "$POLICIES" --control "$CONTROL" --state "$STATE" >"$T/start.log" 2>&1
is "without CAP_NET_ADMIN: exit status 1" "$?" -eq 1
check "... and it says so" grep -qi 'CAP_NET_ADMIN\|permitted' "$T/start.log"

# --- the command line
for arguments in "--help" "--version"; do
	check "uidwalld $arguments" "$T/bin/uidwalld" $arguments
done
for arguments in "--nonsense" "extra" "--config"; do
	"$T/bin/uidwalld" $arguments >"$T/start.log" 2>&1
	is "uidwalld $arguments: exit status 2" "$?" -eq 2
done

# --- the service manager
python3 "$(dirname "$0")/manager.py" "$CONTROL" setpriv --reuid "$uid" --regid "$uid" --clear-groups \
	--no-new-privs --bounding-set -all,+net_admin --inh-caps -all,+net_admin \
	--ambient-caps -all,+net_admin "$T/bin/uidwalld" --config "$CONFIG" --policies "$POLICIES" \
	--control "$CONTROL" --state "$STATE" || ((++n_failed))

# --- folders that no unit has made
stop_daemon TERM
install -d -o "$(uid_of uidwall)" "$T/own"
STATE=$T/own/state CONTROL=$T/own/run/control.sock
start_daemon
check "the state folder is made" test -s "$STATE/last-good"
check "and nobody else's" test "$(stat -c %a "$STATE")" = 750
check "the control socket's folder is made, for everybody" test "$(stat -c %a "${CONTROL%/*}")" = 755
status_says "the daemon answers" .wall on
finish
