#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 62-confirm.sh - apply --confirm, --dry-run, confirm and rollback: what they ask, say and exit with. The
# daemon's answers are prepared ones here; tests/netns/42-confirm.sh has the real daemon.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

answers=$dir/answers
mkdir "$answers"
start_daemon "$answers"
now=$(date +%s)
clock() {
	date -d "@$1" +%H:%M:%S
}
# Near midnight some of these times are yesterday's or tomorrow's, and have a date.
day=$(date -d "@$now" +%j)
[[ $(date -d "@$((now - 600))" +%j) == "$day" && $(date -d "@$((now + 600))" +%j) == "$day" ]] || {
	echo "too near midnight"
	exit 77
}

# asked WORDS - the last call was this one
asked() {
	verdict "$command asks: $1" "$(tail -n 1 "$answers/asked" | grep -qxF "$1" || tail -n 1 "$answers/asked")"
}

waiting='{ "since": '$((now - 18))', "seconds": 60, "seconds_left": 42, "until": '$((now + 42))', "policies_of": '$((now - 300))', "failed": 0 }'
back='{ "time": '$((now - 5))', "reason": "time", "policies_of": '$((now - 300))', "saved": true }'
change='{ "differs": true, "services": [ ] }'

# outcome CALL [WAITING [ROLLED-BACK [DIFF [CLOSED]]]]
outcome() {
	cat >"$answers/$1.json" <<END
{ "diff": ${4:-$change}, "sockets_closed": ${5:-0}, "sockets": { "judged": 9, "refused": ${5:-0}, "can_close": true, "list": [] },
"ok": true, "error": null, "generation": 8, "services": 7, "good": 7, "last_good": 0, "refused": 0, "off": 0,
"chains_changed": 1, "elements_changed": 0, "retries": 0, "replaced_whole": false,
"kernel_us": 412, "total_us": 12345, "waiting": ${2:-null}, "rolled_back": ${3:-null}, "diags": [] }
END
}

# --- times
outcome apply "$waiting"
for time in 60s:60 90:90 5m:300 1h:3600 24h:86400 1:1 86400:86400 1440m:86400; do
	run apply --confirm "${time%:*}"
	expect 0 err=
	asked "{\"call\": \"apply\", \"confirm_s\": ${time#*:}}"
done
for time in 0 0s 86401 25h 1441m -1 +5 ' 5' 1.5m 60x 60ss s 1d 99999999999999999999 5mm; do
	run apply --confirm="$time"
	expect 2 out= "err=uidwall: --confirm $time: expected a time from 1s to 24h, such as 60s, 5m or 1h"
done
run apply --confirm
expect 2 out=
run apply --confirm 60 --dry-run
expect 2 out= 'err=uidwall: --dry-run changes nothing, so there is nothing to --confirm'
run confirm --confirm 60
expect 2 out=
run rollback blog
expect 2 out=

# --- what waits
run apply --confirm 60
expect 0 err= '^In force: 7 services; changed 1 chain; ' \
	"^In force for 42 s: \"uidwall confirm\" keeps the change of $(clock $((now - 18))), else the\$" \
	"^policies of $(clock $((now - 300))) return at $(clock $((now + 42)))\.\$"
run apply --confirm 60 --json
expect 0 err=
expect_json '.waiting.seconds_left == 42'
outcome apply "${waiting/\"seconds_left\": 42/\"seconds_left\": 601}"
run apply --confirm 11m
expect 0 '^In force for 11 min: '
outcome apply "${waiting/\"seconds_left\": 42/\"seconds_left\": 86400}"
run apply --confirm 24h
expect 0 '^In force for 24 h: '
outcome apply null null '{ "differs": false, "services": [] }'
run apply
expect 0 err= 'out=In force: 7 services; changed 1 chain, but nothing in meaning; 12 ms (kernel 0.41 ms)'
verdict "apply of nothing: one line" "$([[ $(wc -l <"$dir/out") -eq 1 ]] || cat "$dir/out")"
outcome apply null null "$change" 3
run apply
expect 0 '^Closed 3 open connections that these policies refuse; the log of uidwalld names them\.$'
outcome apply null null "$change" 1
run apply
expect 0 '^Closed 1 open connection that these policies refuse; the log of uidwalld names it\.$'
sed -i 's/"sockets_closed": 1/"sockets_closed": 0/; s/"can_close": true/"can_close": false/' "$answers/apply.json"
run apply
expect 0 '^This kernel cannot close 1 open connection that these policies refuse; '
rm "$answers/apply.json"
printf 'the change of 12:04:10 waits for "uidwall confirm" (42 s left): confirm it or roll it back first\n' >"$answers/apply.error"
run apply
expect 1 out= 'err=uidwall: the change of 12:04:10 waits for "uidwall confirm" (42 s left): confirm it or roll it back first'

# --- confirm
printf 'nothing waits to be confirmed\n' >"$answers/confirm.error"
run confirm
expect 1 out= 'err=uidwall: nothing waits to be confirmed'
rm "$answers/confirm.error"
printf '{ "ok": true, "since": %s, "generation": 8, "services": 7, "waiting": null, "rolled_back": null }' $((now - 18)) >"$answers/confirm.json"
run confirm
expect 0 err= "out=Confirmed: the change of $(clock $((now - 18))) stays in force."
asked '{"call": "confirm"}'
run confirm --json
expect 0 err=
expect_json '.ok'

# --- rollback
printf 'nothing to go back to: no change is remembered\n' >"$answers/rollback.error"
run rollback
expect 1 out= 'err=uidwall: nothing to go back to: no change is remembered'
rm "$answers/rollback.error"
outcome rollback null "${back/time\", \"pol/asked\", \"pol}"
run rollback
expect 0 err= '^In force: 7 services' "^Rolled back at $(clock $((now - 5))), because somebody asked for it:\$" \
	"^the policies of $(clock $((now - 300))) are in force, not the files\." '"uidwall apply" puts the files in force\.$'
asked '{"call": "rollback"}'
outcome rollback null "${back/\"saved\": true/\"saved\": false}"
run rollback
expect 0 'because nobody confirmed the change in time:$' '^It could not be written down '
sed -i 's/"ok": true, "error": null/"ok": false, "error": "the kernel is busy"/' "$answers/rollback.json"
run rollback
expect 1 out= 'err=uidwall: nothing changed, the rules in force stay: the kernel is busy'

# --- a dry run
# preview DIFFERS [SED-EXPRESSION]
preview() {
	sed "${2:-}" >"$answers/diff.json" <<END
{ "ok": true, "error": null, "differs": $1, "services": [], "sockets": { "judged": 3, "refused": 0, "can_close": true, "list": [] },
"diags": [], "waiting": null, "rolled_back": null }
END
}
preview false
run apply --dry-run
expect 0 err= 'out=Nothing would change in meaning.'
asked '{"call": "diff"}'
preview true
run apply --dry-run
expect 0 err=
run apply --dry-run --json
expect 0 err=
expect_json '.differs'
preview true 's/"diags": \[\]/"diags": [ { "severity": "error", "file": "blog.json", "line": 2, "column": 3, "message": "unknown user", "excerpt": null, "caret": 0 } ]/'
run apply --dry-run
expect 1 'err=blog.json:2:3: error: unknown user'
preview false 's/"ok": true, "error": null, "differs": false,/"ok": false, "error": "cannot read the folder",/'
run apply --dry-run
expect 1 out= 'err=uidwall: nothing would change, the rules in force would stay: cannot read the folder'
run apply --dry-run --json
expect 1

# --- status and show say so
status_answer() {
	cat >"$answers/status.json" <<END
{ "version": "0.1.0", "pid": 123, "started": $((now - 90000)), "wall": "on", "generation": 7,
"applied": $((now - 300)), "kernel": { "owner_persist": true, "socket_destroy": ${3:-true} },
"last_reload": { "time": $((now - 300)), "ok": true, "error": null, "kernel_us": 400, "total_us": 1200 },
"waiting": $1, "rolled_back": $2, "last_change": { "time": $now, "ok": true, "sockets_closed": 2 },
"services": [ { "service": "blog", "state": "${4:-good}", "mode": "enforce", "uids": ["1001"], "file": "blog.json", "refused_packets": 0, "refused_bytes": 0, "problem": null } ], "diags": [] }
END
}
status_answer "$waiting" null
run status
expect 0 err= '^In force for 42 s: ' '^The last change closed 2 open connections that it refuses\.$'
status_answer "${waiting/\"failed\": 0/\"failed\": 2}" null
run status
expect 1 '^CANNOT GO BACK: ' '\(tried 2 times\):$' '"uidwall confirm" keeps what is in force\.$'
status_answer null "$back" false rolled-back
run status
expect 1 '^Rolled back at ' '^This kernel cannot close sockets: ' '^blog +rolled-back +enforce'
verdict "that it was rolled back is said once" "$(grep 'problem' "$dir/out")"
status_answer null "${back/time\", \"pol/reboot\", \"pol}" true rolled-back
run status
expect 1 'because the machine was booted before anybody confirmed the change:$'
run status --json
expect 1
expect_json '.rolled_back.reason == "reboot" and .services[0].state == "rolled-back"'

kill "$daemon"
wait "$daemon" 2>/dev/null
daemon=
for verb in confirm rollback "apply --confirm 60" "apply --dry-run"; do
	# shellcheck disable=SC2086 # a verb and its arguments
	run $verb
	expect 3 out=
done
plan
