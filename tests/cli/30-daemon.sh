#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 30-daemon.sh - apply, status, show, off and on: what they ask, say and exit with. The daemon's answers
# are prepared ones here; the network tests have the real daemon.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# unreachable WHY REMEDY - every verb that needs the daemon says both, and exits with 3
unreachable() {
	local arguments bad
	for arguments in status apply "show blog" off on "status --json"; do
		# shellcheck disable=SC2086 # a verb and its arguments
		run $arguments
		expect 3 out= "err=uidwall: $1"
		bad=
		grep -qF "$2" "$dir/err" || bad=$(cat "$dir/err")
		grep -q 'nft list table inet uidwall' "$dir/err" || bad=$(cat "$dir/err")
		verdict "uidwall $arguments: what to do" "$bad"
	done
}

unreachable "uidwalld does not run (nothing listens on $control)" "systemctl start uidwalld"

answers=$dir/answers
mkdir "$answers"
start_daemon "$answers"
now=$(date +%s)

# answer CALL [SED-EXPRESSION] - the good answer, or one with a difference
answer() {
	sed "${2:-}" >"$answers/$1.json"
}

status_answer() {
	answer status "${1:-}" <<END
{ "version": "0.1.0", "pid": 123, "started": $((now - 90000)), "wall": "on", "generation": 7,
"applied": $((now - 7300)), "kernel": { "owner_persist": true },
"last_reload": { "time": $((now - 7300)), "ok": true, "error": null, "kernel_us": 400, "total_us": 1200 },
"services": [
{ "service": "blog", "state": "good", "mode": "enforce", "uids": ["1001", "100000-165535"], "file": "blog.json", "refused_packets": 12, "refused_bytes": 720, "problem": null }
], "diags": [] }
END
}

status_answer
run status
expect 0 err= '^The wall is up(: 1 service)?, .* \(2 h ago\)\.$' '^uidwalld 0\.1\.0, pid 123' \
	'^blog +good +enforce +12 +1001, 100000-165535$'
run status --json
expect 0 err=
expect_json '.wall == "on" and .services[0].service == "blog"'
verdict "status asks for no more than that" "$(grep -qx '{"call": "status"}' "$answers/asked" || cat "$answers/asked")"

status_answer 's/"wall": "on"/"wall": "off"/'
run status
expect 1 '^THE WALL IS OFF: '
run status --json
expect 1 '"wall": "off"'
status_answer 's/"ok": true, "error": null/"ok": false, "error": "the kernel is \\u001b[2Jbusy"/'
run status
expect 1 '^1 problem$' 'last reload failed' '^    the kernel is \\x1b\[2Jbusy$'
status_answer 's/"services": \[/"units": { "followed": 3, "running": 2, "groups": 5, "past_groups": 4 }, "services": [/'
run status
expect 0 '^It follows 3 units, of which 2 run now; what units left behind in 4 past control groups is governed, too\.$'
status_answer 's/"services": \[/"units": { "followed": 1, "running": 1, "groups": 1, "past_groups": 0 }, "services": [/'
run status
expect 0 '^It follows 1 unit, of which 1 runs now\.$'
status_answer 's/"services": \[/"units": { "followed": 0, "running": 0, "groups": 0, "past_groups": 0 }, "services": [/'
run status
verdict "nothing about units where there are none" "$(grep -i unit "$dir/out")"
# with_proxy MEMBERS [MEMBERS-OF-BLOG]
with_proxy() {
	status_answer "s/\"services\": \[/\"proxy\": { $1 }, &/; s/\"problem\"/${2:-}&/"
	run status
}
with_proxy '"kind": "external"'
expect 0 '^The forward proxy is an external one'
with_proxy '"kind": "built-in", "needed": false, "connected": false, "since": 5'
verdict "nothing about a proxy that nobody needs" "$(grep -i proxy "$dir/out")"
with_proxy "\"kind\": \"built-in\", \"needed\": true, \"connected\": false, \"ever_connected\": true, \"since\": $((now - 90))"
expect 0 '^uidwall-proxy DOES NOT RUN since .* ago\): nobody gets out by name\.$'
with_proxy "\"kind\": \"built-in\", \"needed\": true, \"connected\": false, \"ever_connected\": false, \"since\": $((now - 90000))"
expect 0 '^uidwall-proxy DOES NOT RUN and has not since uidwalld started: nobody gets out by name\.$'
with_proxy '"kind": "built-in", "needed": true, "connected": true, "since": 5, "pid": 77, "by_name": { "allowed": 5, "refused": 3, "would_refuse": 2, "failed": 1 }, "strangers_refused": 1' \
	'"by_name": { "refused": 2, "would_refuse": 2 }, '
expect 0 '^uidwall-proxy, pid 77, is connected since ' \
	'^By name: 5 allowed, 3 refused \(1 of them to users of no service\), 2 would have been, 1 failed\.$' \
	'^SERVICE +STATE +MODE +REFUSED +BY NAME +UIDS$' '^blog +good +enforce +12 +4 +1001' \
	'^REFUSED counts packets; BY NAME, what the proxy refused'
for state in last-good:'keeps its last good' refused:'is refused everything' off:'is OFF'; do
	status_answer "s/\"good\"/\"${state%%:*}\"/"
	run status
	expect 1 '^1 problem$' "^  blog ${state#*:}" "^blog +${state%%:*}"
done
status_answer 's/"problem": null/"problem": "blog.json:5:3: error: unknown user"/; s/"diags": \[\]/"diags": [ { "severity": "error", "file": "blog.json", "line": 5, "column": 3, "message": "unknown user", "excerpt": null, "caret": 0 } ]/'
run status
expect 1 '^1 problem$' '^    blog\.json:5:3: error: unknown user$'
status_answer 's/"state": "good"/"state": "refused"/; s/"uids": \[[^]]*\]/"uids": []/'
run status
expect 1 '^  blog governs nobody: ' '^blog +refused +enforce +12 +none$'
status_answer 's/"diags": \[\]/"diags": [ { "severity": "error", "file": "x y.json", "line": 0, "column": 0, "message": "no name for a file", "excerpt": null, "caret": 0 } ]/'
run status
expect 1 '^1 problem$' '^  x y\.json: error: no name for a file$'
status_answer 's/"diags": \[\]/"diags": [ { "severity": "warning", "file": "a", "line": 1, "column": 1, "message": "m", "excerpt": null, "caret": 0 } ]/; s/"enforce"/"monitor"/'
run status
expect 0 '^1 warning: ' '^monitor: everything passes'
printf '[]' >"$answers/status.json"
run status
expect 3 out=
printf '{}' >"$answers/status.json"
run status
expect 1 'THE WALL IS OFF'
status_answer

# outcome CALL [SED-EXPRESSION]
outcome() {
	answer "$1" "${2:-}" <<END
{ "ok": true, "error": null, "generation": 8, "services": 7, "good": 7, "last_good": 0, "refused": 0, "off": 0,
"chains_changed": 1, "elements_changed": 0, "retries": 0, "replaced_whole": false,
"kernel_us": 412, "total_us": 12345, "diags": [] }
END
}

outcome apply
run apply
expect 0 err= 'out=In force: 7 services; changed 1 chain; 12 ms (kernel 0.41 ms)'
run apply --json
expect 0 err=
expect_json '.generation == 8'
outcome apply 's/"chains_changed": 1/"chains_changed": 0/'
run apply
expect 0 'no rule changed'
outcome apply 's/"ok": true, "error": null/"ok": false, "error": "cannot read the folder"/'
run apply
expect 1 out= 'err=uidwall: nothing changed, the rules in force stay: cannot read the folder'
run apply --json
expect 1 '"ok": false'
outcome apply 's/"diags": \[\]/"diags": [ { "severity": "error", "file": "blog.json", "line": 2, "column": 3, "message": "unknown user", "excerpt": "\\"user\\": \\"blgo\\"", "caret": 9 } ]/; s/"good": 7, "last_good": 0/"good": 6, "last_good": 1/'
run apply
expect 1 'err=blog.json:2:3: error: unknown user' 'err=            ^' \
	'7 services \(6 good, 1 on the last good policy\)'
run apply --json
expect 1
outcome apply 's/"diags": \[\]/"diags": [ { "severity": "warning", "file": "blog.json", "line": 2, "column": 3, "message": "wide", "excerpt": null, "caret": 0 } ]/'
run apply
expect 0 'err=blog.json:2:3: warning: wide'

outcome off 's/"ok": true/"ok": true, "wall": "off"/'
run off
expect 0 '^The wall is off: every service may reach'
outcome apply 's/"ok": true/"ok": true, "wall": "off"/; s/"diags": \[\]/"diags": [ { "severity": "warning", "file": null, "message": "the wall is off" } ]/'
run apply
expect 0 err= '^The wall is off: '
outcome off-blog
run off blog
expect 0 '^blog is off: ' '^In force: '
verdict "off asks about the service" "$(grep -qx '{"call": "off", "service": "blog"}' "$answers/asked" || cat "$answers/asked")"
outcome on
run on
expect 0 '^In force: 7 services'
printf 'only root and admins may do that\n' >"$answers/on-blog.error"
run on blog
expect 1 out= 'err=uidwall: only root and admins may do that'

printf 'no service of that name\n' >"$answers/show.error"
run show blgo
expect 1 out= 'err=uidwall: no service of that name; did you mean "blog"?'
run off $'b\377\033log'
expect 0 'b\\xff\\x1blog|wall is off'

cat >"$answers/show-blog.json" <<END
{ "service": "blog", "state": "good", "mode": "enforce", "uids": ["1001"], "file": "blog.json", "refused_packets": 1, "refused_bytes": 2048, "problem": null,
"since": $((now - 60)), "path": "/etc/uidwall/policies/blog.json",
"text": "{ \"user\": \"blog\",\n  \"dns\": true, \"proxy\": false,\n  \"connect\": [ { \"to\": \"192.0.2.0/24\", \"port\": \"587-588\" },\n    { \"to\": \"::/0\", \"protocol\": \"icmp\" } ],\n  \"hosts\": [\"a.example\"],\n  \"listen\": [ { \"port\": 3000, \"from\": [\"caddy\", 33] } ] }\n",
"no_effect_yet": ["hosts"], "subjects": [ { "uids": "1001", "user": "blog", "origin": "user" }, { "uids": "100000-165535", "user": null, "origin": "subuid" } ],
"chain": "svc-blog", "rules": [ { "text": "ip daddr 192.0.2.0/24 accept", "comment": "blog.json:3 connect" } ], "diags": [] }
END
run show blog
expect 0 err= '^blog: good, enforce mode$' '^/etc/uidwall/policies/blog\.json since 20.* \([0-9]+ s ago\)$' '^Refused so far: 1 packet, 2\.0 KiB$' '^  uid 1001, user blog$' \
	'^  uid 100000-165535, from /etc/subuid$' '^  the configured name servers \(DNS\) +blog\.json:2$' \
	'^  tcp 192\.0\.2\.0/24, ports 587-588 +blog\.json:3$' '^  ping every IPv6 address +blog\.json:4$' \
	'^  tcp port 3000, over loopback only from caddy, uid 33, itself and root +blog\.json:6$' \
	'^No effect in this version: hosts$' '^  blog\.json:3 connect +ip daddr 192\.0\.2\.0/24 accept$'
verdict "show lists no proxy where there is none" "$(grep 'forward proxy\|by the proxy' "$dir/out")"
verdict "nor what it decided" "$(grep '^By name' "$dir/out")"
cp "$answers/show-blog.json" "$dir/show-blog.json"
jq --argjson now "$now" '.names = [
	{ host: "a.example", port: 443, verdict: "allowed", line: 5, count: 1, sent: 10, received: 2048, last: $now },
	{ host: "2001:db8::1", port: 25, verdict: "failed", reason: "timeout", count: 1, last: $now },
	{ host: "b\u001b.example", port: 80, verdict: "refused", reason: "not-listed", add: "b.example", count: 1200, last: 5 },
	{ host: "a.example", port: 80, verdict: "refused", reason: "not-listed", add: "a.example", count: 1, last: 5 }
	]' "$dir/show-blog.json" >"$answers/show-blog.json"
run show blog
expect 0 '^By name, through the proxy$' \
	'^  b\\x1b\.example:80 +REFUSED +1200 times +last at 1970-01-01 .*  not-listed; add to its "hosts": "b\.example"$' \
	'^  a\.example:80 +REFUSED +1 time .*  was not listed; it is by now$' \
	'^  \[2001:db8::1\]:25 +failed +1 time +last at [0-9:]+ +timeout$' \
	'^  a\.example:443 +allowed +1 time +last at [0-9:]+ +10 bytes sent, 2\.0 KiB received; blog\.json:5$'
verdict "what was refused comes first" "$(grep -A1 '^By name' "$dir/out" | grep -q REFUSED || echo no)"
mv "$dir/show-blog.json" "$answers/show-blog.json"
verdict "nor a unit" "$(grep -i 'unit' "$dir/out")"
with_unit() { # GROUPS PAST
	cp "$answers/show-blog.json" "$dir/show-blog.json"
	sed -i "s|\"chain\":|\"unit\": { \"name\": \"blog.service\", \"groups\": [ $1 ], \"past_groups\": $2 }, &|" \
		"$answers/show-blog.json"
	run show blog
	mv "$dir/show-blog.json" "$answers/show-blog.json"
}
with_unit '{ "path": "system.slice/blog.service", "level": 2, "id": 4242 }' 1
expect 0 "^  everybody's in unit blog\.service: control group /system\.slice/blog\.service, id 4242$" \
	'^  what the unit left behind in 1 control group that is gone$'
with_unit '' 0
expect 0 "^  everybody's in unit blog\.service: no control group of it is in force now$"
verdict "nothing about what is gone" "$(grep 'left behind' "$dir/out")"
run show blog --json
expect 0
expect_json '.chain == "svc-blog"'
sed -i 's/"good"/"refused"/; s/"since": [0-9]*/"since": null/' "$answers/show-blog.json"
run show blog
expect 0 '^blog: refused, enforce mode$' '^/etc/uidwall/policies/blog\.json$' '^The file is wrong and never was right' '^  nothing$'

# Longer than a second, but no terminal: nothing about it.
outcome apply
echo 1.3 >"$answers/apply.delay"
run apply
expect 0 err= '^In force'

kill "$daemon"
wait "$daemon" 2>/dev/null
daemon=
unreachable "uidwalld does not run (nothing listens on $control)" "systemctl start uidwalld"
plan
