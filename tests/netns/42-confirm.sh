#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A change that nobody confirms goes back: by itself, when asked, after a crash and after a boot; and what
# went back stays back. With the packets of real users. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"

old() {
	sample blog
}

new() {
	policy blog <<<'{ "user": "blog", "dns": false, "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
}

newer() {
	policy blog <<<'{ "user": "blog", "dns": false, "connect": [ { "to": "203.0.113.8", "port": 443 } ] }'
}

is_old() {
	note "${1:-as before}"
	goes blog dns 192.0.2.53:53 a.example
	refused blog tcp 203.0.113.7:443
	refused vault udp 203.0.113.7:443
}

is_new() {
	note "${1:-as the files say}"
	refused blog dns 192.0.2.53:53 a.example
	goes blog -m x tcp 203.0.113.7:443
	refused vault udp 203.0.113.7:443
}

# status_says NAME JQ-FILTER EXPECTED
status_says() {
	is "$1" "$(uidwall status --json | jq -rc "$2")" = "$3"
}

# fails NAME STATUS WORDS VERB...: with this exit status and these words
fails() {
	local name=$1 status=$2 words=$3 found
	shift 3
	uidwall "$@" >"$T/out" 2>"$T/err"
	found=$?
	is "$name: exit status $status" "$found" -eq "$status"
	check "$name: says \"$words\"" grep -qF -- "$words" "$T/err"
}

is_rolled_back() {
	[[ $(uidwall status --json | jq -r '.rolled_back.reason') == "$1" ]]
}

# went_back REASON [SECONDS]
went_back() {
	check "it goes back ($1)" wait_until "${2:-10}" is_rolled_back "$1"
}

# The state folder as another boot left it.
boot_anew() {
	python3 - "$STATE/trial" <<-'P'
		import re, sys
		text = re.sub(r"(?m)^waiting \S+", "waiting 00000000-0000-0000-0000-000000000000", open(sys.argv[1]).read())
		body = text[:text.rindex("end ")]
		checksum = 0xcbf29ce484222325
		for byte in body.encode():
		    checksum = (checksum ^ byte) * 0x100000001b3 % 2**64
		open(sys.argv[1], "w").write(f"{body}end {checksum:016x}\n")
	P
}

sample blog nothing
start_daemon
is_old "the first policies"

# --- confirmed in time
fails "nothing waits" 1 "nothing waits to be confirmed" confirm
fails "nothing was changed yet" 1 "nothing to go back to" rollback
new
check "apply --confirm" uidwall apply --confirm 2
is_new
check "confirm" uidwall confirm
sleep 2.3
is_new "after the time, confirmed"
status_says "nothing waits any more" '[.waiting, .rolled_back]' '[null,null]'
stop_daemon KILL
start_daemon
is_new "after a crash, confirmed"
check "rollback goes back after a confirm, too" uidwall rollback
is_old
status_says "status says so" '[.rolled_back.reason, .services[0].state]' '["asked","rolled-back"]'
uidwall status >/dev/null
is "... with exit status 1" $? -eq 1
fails "a second rollback" 1 "rolled back already" rollback
is_old "after the second"
check "apply" uidwall apply
is_new

# --- not confirmed
old
check "the old policies again" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 1s
is_new
went_back time
is_old
check "the log says so" grep -q 'ROLLED BACK.*nobody confirmed' "$T/daemon.log"
stop_daemon TERM
start_daemon
is_old "after a restart: the files are not asked"
went_back time
stop_daemon KILL
start_daemon
is_old "after a crash"
check "show says so" eval 'uidwall show blog | grep -q "Rolled back at"'
check "diff still shows what the files say" eval 'uidwall diff --json | jq -e .rolled_back.time'
check "off and on leave it so" eval 'uidwall off blog && uidwall on blog'
is_old
went_back time
check "apply puts the files in force" uidwall apply
is_new
status_says "nothing was rolled back any more" '[.waiting, .rolled_back]' '[null,null]'
stop_daemon TERM
start_daemon
is_new "after a restart"
old
check "apply" uidwall apply

# --- while it waits
new
check "apply --confirm, 60 s" uidwall apply --confirm 1m
fails "apply is refused" 1 'waits for "uidwall confirm" (' apply
is_new
newer
check "apply --confirm once more" uidwall apply --confirm 60s
goes blog -m x tcp 203.0.113.8:443
new
kill -HUP "$(daemon_pid)"
check "SIGHUP reloads" wait_until 5 eval 'uidwall show blog --json | grep -q 203.0.113.7'
is_new
check "off" uidwall off blog
check "on" uidwall on blog
status_says "it waits on" '[.waiting.seconds, .waiting.seconds_left > 40]' '[60,true]'
check "rollback" uidwall rollback
is_old "as before the first of them"
fails "nothing is left to confirm" 1 "nothing waits" confirm
check "SIGHUP puts the files in force" eval 'kill -HUP "$(daemon_pid)"'
check "... as it did before" wait_until 5 eval 'uidwall show blog --json | grep -q 203.0.113.7'
is_new
old
check "apply" uidwall apply

# --- a change of nothing
check "apply --confirm that changes nothing" uidwall apply --confirm 1
check "... ends by itself" wait_until 5 eval '[[ $(uidwall status --json | jq -c .waiting) == null ]]'
status_says "... and nothing went back" '[.waiting, .rolled_back]' '[null,null]'
is_old

# --- the daemon is killed
new
check "apply --confirm" uidwall apply --confirm 3
stop_daemon KILL
start_daemon
is_new "killed, and started in time: it waits on"
went_back time
is_old
check "apply" uidwall apply
check "confirm after a crash" eval 'uidwall rollback; uidwall apply --confirm 60'
stop_daemon KILL
start_daemon
check "... is taken" uidwall confirm
is_new
old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 1
stop_daemon KILL
sleep 1.2
is_new "killed: the kernel holds what it has"
start_daemon
is_old "started too late: back at once"
went_back time 1
stop_daemon KILL
start_daemon
is_old "and once more"
check "apply" uidwall apply
old
check "apply" uidwall apply

# --- another boot
new
check "apply --confirm" uidwall apply --confirm 1h
stop_daemon KILL
boot_anew
nft delete table inet uidwall
start_daemon
is_old "booted anew: nobody confirmed"
went_back reboot 1
stop_daemon TERM
nft delete table inet uidwall
start_daemon
is_old "and booted once more"
old
check "apply" uidwall apply
status_says "the files are in force" '[.waiting, .rolled_back]' '[null,null]'

# --- what never was right stays closed, what was mistaken keeps its last good policy
rm "$POLICIES/nothing.json"
policy vault <<<'{ "user": "vault", "nonsense": true }'
policy erp <<<'{ "user": "erp", "connect": [ { "to": "203.0.113.9", "port": 25 } ] }'
policy mailer <<<'{ "users": ["mailer", "nosuch"], "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
uidwall apply >/dev/null 2>&1
policy erp <<<'{ "user": "erp", "nonsense": true }'
uidwall apply >/dev/null 2>&1
closed() {
	note "$1"
	refused vault tcp 203.0.113.7:443
	refused mailer tcp 203.0.113.7:443
	goes erp -m x tcp 203.0.113.9:25
	refused erp tcp 203.0.113.7:443
}
closed "one that never was right, one that is no longer"
policy vault <<<'{ "user": "vault", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
policy mailer <<<'{ "user": "mailer", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
rm "$POLICIES/erp.json"
check "apply --confirm" uidwall apply --confirm 1
goes mailer -m x tcp 203.0.113.7:443
goes vault -m x tcp 203.0.113.7:443
goes erp -m x tcp 203.0.113.7:443
went_back time
closed "back"
stop_daemon KILL
nft delete table inet uidwall
start_daemon
closed "back, after a boot"
sample nothing
rm "$POLICIES/vault.json" "$POLICIES/mailer.json"
old
check "apply" uidwall apply

# --- who may
config <<<'{ "admins": [ "stranger", "caddy" ] }'
check "apply" uidwall apply
as() {
	local uid
	uid=$(uid_of "$1")
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$T/bin/uidwall" "$@" --control "$CONTROL"
}
new
check "one admin applies" as stranger apply --confirm 60
check "who is none may not confirm" eval '! as blog confirm'
check "nor roll back" eval '! as blog rollback'
check "nor ask what would change" eval '! as blog apply --dry-run'
is_new
check "another admin confirms" as caddy confirm
check "and rolls back" as caddy rollback
is_old
config <<<'{ }'
check "apply" uidwall apply
old
check "apply" uidwall apply

# --- nowhere to write
fill() {
	head -c 1M /dev/zero >"$STATE/ballast" 2>/dev/null
}
new
mount -t tmpfs -o size=32k,mode=700,uid="$(uid_of uidwall)" tmpfs "$STATE"
fill
fails "a full disk: no promise" 1 "cannot promise to go back after a reboot" apply --confirm 60
is_old "nothing was changed"
status_says "nothing waits" .waiting null
check "a full disk leaves no half file" test "$(ls "$STATE")" = ballast
check "plain apply goes on" eval 'uidwall apply || test $? -eq 1'
is_new
fails "... but cannot be undone" 1 "could not be written down" rollback
old
rm "$STATE/ballast"
check "apply with room" uidwall apply
new
check "apply --confirm with room" uidwall apply --confirm 60
fill
check "a rollback that cannot be written down" eval 'uidwall rollback || test $? -eq 1'
is_old "happens all the same"
check "... and says so" eval 'uidwall status | grep -q "could not be written down"'
rm "$STATE/ballast"
check "apply" uidwall apply
old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 1h
mount -o remount,ro "$STATE"
fails "a confirm that cannot last" 1 "cannot be confirmed" confirm
status_says "it waits on" '.waiting.seconds' 3600
mount -o remount,rw "$STATE"
rm -f "$STATE/previous"
check "what was remembered is gone from the disk: rollback" uidwall rollback
is_old
umount "$STATE"

# --- what others could have written counts for nothing
check "apply" uidwall apply
old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 60
stop_daemon KILL
chmod 666 "$STATE/trial"
start_daemon
is_new "a file that others may write does not make us go back"
check "... and that is said" grep -q 'trial.*others than root' "$T/daemon.log"
old
check "apply" uidwall apply
new
check "apply --confirm" uidwall apply --confirm 1
stop_daemon KILL
sleep 1.2
echo torn >"$STATE/previous"
start_daemon
is_new "nothing to go back to: the files"
check "... and that is said" grep -q 'is to go back, but .*previous cannot be read' "$T/daemon.log"
status_says "... in status, too" '[.waiting, ([.diags[].severity] | contains(["error"]))]' '[null,true]'

# --- a dry run
old
before=$(nft -s list table inet uidwall | sha256sum)
check "apply --dry-run" uidwall apply --dry-run
is "changes nothing" "$(nft -s list table inet uidwall | sha256sum)" = "$before"
is_new
policy blog <<<'{ "user": "blog", "nonsense": true }'
fails "a dry run of a mistake" 1 "nonsense" apply --dry-run
old
check "apply" uidwall apply
is_old
stop_daemon TERM
finish
