#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the daemon tells the forward proxy, and hears from it: a stand-in (proxy_link.py) asks as the
# proxy's user. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
# shellcheck source=tests/netns/groups.sh
. "$(dirname "$0")/groups.sh"
groups "$@"
private "$@"

FAST_US=100000
unit=lists${GROUPS_NAME//[!0-9]/}
stand_in_program=$(dirname "$0")/proxy_link.py

# call USER REQUEST: the answer, or "error: ..."
call() {
	python3 -S -E "$stand_in_program" "$CONTROL" "$(uid_of "$1")" call "$2"
}

# says NAME USER REQUEST JQ-FILTER EXPECTED
says() {
	local out found
	out=$(call "$2" "$3")
	found=$(jq -rc "$4" <<<"$out" 2>&1)
	if [[ $found == "$5" ]]; then
		pass "$1"
	else
		fail "$1" "expected $5, found $found in $out"
	fi
}

# answered NAME USER REQUEST WORDS: with this error
answered() {
	local out
	out=$(call "$2" "$3")
	if [[ $out == "error: $4" ]]; then
		pass "$1"
	else
		fail "$1" "$out"
	fi
}

follow=$T/follow
followers=()
# follow FILE USER: as the proxy does, in the background
follow() {
	: >"$1"
	python3 -S -E "$stand_in_program" "$CONTROL" "$(uid_of "$2")" follow "$1" 2>"$1.err" &
	followers+=($!)
	wait_until 5 test -s "$1" || die "$2 gets no lists: $(cat "$1.err")"
}

told() {
	wc -l <"$follow"
}

# monotonic: as the stand-in's clock
monotonic_us() {
	python3 -S -E -c 'import time; print(time.monotonic_ns() // 1000)'
}

# news NAME JQ-FILTER EXPECTED COMMAND...: one more answer comes, soon after the command is done
news() {
	local name=$1 filter=$2 expected=$3 before done_us last found
	shift 3
	before=$(told)
	"$@" >"$T/command.log" 2>&1 || { fail "$name" "$(cat "$T/command.log")"; return; }
	done_us=$(monotonic_us)
	if ! wait_until 3 eval "((\$(told) > $before))"; then
		fail "$name" "nothing came"
		return
	fi
	last=$(tail -n 1 "$follow")
	found=$(jq -rc ".answer | $filter" <<<"$last" 2>&1)
	if [[ $found != "$expected" ]]; then
		fail "$name" "expected $expected, found $found in $last"
	elif (($(jq .at <<<"$last") > done_us + FAST_US)); then
		fail "$name" "it came $(($(jq .at <<<"$last") - done_us)) us late"
	else
		pass "$name"
	fi
}

# no_news NAME COMMAND...: nothing comes
no_news() {
	local name=$1 before
	shift
	before=$(told)
	"$@" >/dev/null 2>&1
	sleep 0.2
	is "$name" "$(told)" -eq "$before"
}

blog_is() {
	policy blog <<-E
		{ "user": "blog", "unit": "$unit.service",
		  "hosts": [ "api.example.org", "*.example.net", "mail.example.org:587" ] }
	E
}

blog_is
policy erp <<<'{ "user": "erp", "proxy": false, "uids": "61184-65519" }'
policy vault <<<'{ "user": "vault", "nonsense": 1, "hosts": [ "a.example" ] }'
config <<<'{ "admins": [ "caddy" ] }'
start_daemon

# --- who may
strangers="only root and the user uidwall-proxy may make this call"
for user in blog caddy stranger; do
	answered "$user is told nothing" $user '{"call":"lists"}' "$strangers"
	answered "... and tells nothing" $user \
		'{"call":"record","records":[{"verdict":"refused"}]}' "$strangers"
done
says "root is told" root '{"call":"lists"}' '.services | length' 3

# --- what is told
follow "$follow" uidwall-proxy
first=$(jq -c .answer "$follow")
has() {
	is "$1" "$(jq -c "$2" <<<"$first")" = "$3"
}
has "services by name" '[.services[].service]' '["blog","erp","vault"]'
has "hosts" '.services[0].hosts' '["api.example.org","*.example.net","mail.example.org:587"]'
has "... with their lines" '.services[0].lines' '[2,2,2]'
has "mode and keys" '.services[0] | [.file,.mode,.proxy,.transparent]' \
	'["blog.json","enforce",true,false]'
has "users by name, subuids" '.services[0].uids' '[[2003,2003,0,"blog"],[300000,365535,2,null]]'
has "ranges" '.services[1].uids' '[[2001,2001,0,"erp"],[61184,65519,1,null],[400000,465535,2,null]]'
has "proxy: false" '.services[1].proxy' false
has "who is refused everything is there, with nothing" '.services[2] | [.proxy,.hosts,.uids[0][0]]' \
	'[false,[],2007]'

# --- news
apply() {
	uidwall apply || (($? == 1)) # a file is wrong
}
no_news "a reload without a difference is no news" reload
says "status: the proxy is connected" root '{"call":"status"}' '.proxy.connected' true
policy erp <<<'{ "user": "erp", "hosts": [ "b.example" ], "uids": "61184-65519" }'
news "a change is" '.services[1] | [.proxy,.hosts]' '[true,["b.example"]]' apply
is "... and what did not change is left out" \
	"$(tail -n 1 "$follow" | jq -c '.answer.services[0] | has("hosts")')" = false
news "off" '.services[0].mode' off uidwall off blog
news "on" '.services[0].mode' enforce uidwall on blog
news "all off" '[.services[].mode]' '["off","off","off"]' uidwall off
news "all on" '[.services[].mode]' '["enforce","enforce","enforce"]' uidwall on
policy erp <<<'{ "user": "erp", "mode": "monitor", "hosts": [ "b.example" ] }'
news "monitor" '.services[1] | [.mode,has("hosts")]' '["monitor",false]' apply
news "back" '.services[1].mode' enforce uidwall rollback
news "... and forth" '.services[1].mode' monitor apply
policy erp <<<'{ "user": "erp", "hosts": [ "c.example" '
no_news "a mistake changes nothing" reload
rm -f "$POLICIES/vault.json"
news "a service that is gone" '[.services[].service]' '["blog","erp"]' apply

group_make "$unit.service/below"
unit_is_told() {
	jq -se "[.[-1].answer.services[0].groups | contains([$1])] == [true]" "$follow" >/dev/null
}
check "a unit's control group" wait_until 3 unit_is_told "$(group_id "$unit.service")"
says "... and the groups below it" root '{"call":"lists"}' \
	".services[0].groups | contains([$(group_id "$unit.service"),$(group_id "$unit.service/below")])" \
	true

# --- records
record='{"service":"blog","host":"evil.example","port":443,"verdict":"refused",
	"reason":"not-listed","entry":"evil.example","count":3,"first":1763750000,"last":1763750009}'
good='{"service":"blog","host":"api.example.org","port":443,"verdict":"allowed","line":2,"count":2,
	"sent":1000,"received":5000,"first":1763750000,"last":1763750001}'
nobody='{"verdict":"refused","count":4}'
says "records are taken" uidwall-proxy "{\"call\":\"record\",\"records\":[$record,$good,$nobody]}" . '{}'
says "... and added up" uidwall-proxy "{\"call\":\"record\",\"records\":[$record]}" . '{}'
says "show has them" root '{"call":"show","service":"blog"}' \
	'.names | map([.host,.port,.verdict,.count,.add])' \
	'[["evil.example",443,"refused",6,"evil.example"],["api.example.org",443,"allowed",2,null]]'
says "... for the service's own user, too" blog '{"call":"show","service":"blog"}' \
	'.by_name | [.allowed,.refused,.sent,.received]' '[2,6,1000,5000]'
answered "... and nobody else's" erp '{"call":"show","service":"blog"}' \
	"only root and admins may ask about services other than their own"
says "status counts" root '{"call":"status"}' \
	'[.proxy.by_name.refused,.proxy.strangers_refused,.services[0].by_name.refused]' '[10,4,6]'
says "... but not for others" erp '{"call":"status"}' \
	'[(.services | length),(.proxy | has("by_name")),.services[0].by_name.refused]' '[1,false,0]'
uidwall show blog >"$T/show"
check "show prints what to add" grep -qE \
	'^  evil\.example:443 +REFUSED +6 times .*add to its "hosts": "evil\.example"$' "$T/show"
check "... and what went through" grep -qE \
	'^  api\.example\.org:443 +allowed +2 times .*1000 bytes sent, 4\.9 KiB received; blog\.json:2$' "$T/show"
uidwall status >"$T/status"
check "status prints both" grep -qE '^blog +good +enforce +0 +6 ' "$T/status"
check "... and the sum" grep -qE \
	'^By name: 2 allowed, 10 refused \(4 of them to users of no service\)\.$' "$T/status"
reload
says "they survive a reload" root '{"call":"show","service":"blog"}' '.names | length' 2
flood=$(jq -nc '[range(300) | {service: "blog", host: "h\(.).example", port: 443,
	verdict: "refused", count: 1, first: 1763750010, last: (1763750010 + .)}]')
says "many hosts" uidwall-proxy "{\"call\":\"record\",\"records\":$flood}" . '{}'
says "... leave the latest 64" root '{"call":"show","service":"blog"}' \
	'[(.names | length),.names[0].host,.by_name.refused]' '[64,"h299.example",306]'
mv "$POLICIES/blog.json" "$T/blog.json"
reload
mv "$T/blog.json" "$POLICIES/blog.json"
reload
says "they go with the service" root '{"call":"show","service":"blog"}' \
	'[.names,.by_name.refused]' '[[],0]'
for bad in '[]' '[{"verdict":"refused","port":65536}]'; do
	out=$(call uidwall-proxy "{\"call\":\"record\",\"records\":$bad}")
	is "no records: $bad" "$out" = 'error: call "record": expected a list of records as "records"'
done

# --- whoever holds too much
kill -STOP "${followers[0]}" # what it asked is the oldest, and ended
python3 "$stand_in_program" "$CONTROL" "$(uid_of uidwall-proxy)" flood "$T/flood" &
flooder=$!
wait_until 10 test -s "$T/flood" || die "no flood"
is "two calls of one user are held, however many it makes" "$(cat "$T/flood")" -eq 2
for user in blog root caddy; do
	says "... and $user is answered" $user '{"call":"status"}' '.wall' on
done
kill "$flooder"
wait "$flooder" 2>/dev/null
kill -CONT "${followers[0]}"
wait_until 3 eval "tail -n 1 $follow | grep -q 'later calls'" || die "it is not told why"
sleep 0.3 # and asks again
says "status: the proxy is connected still" root '{"call":"status"}' '.proxy.connected' true

# --- the daemon goes and comes back
before=$(jq -s 'map(.answer.generation? // 0) | max' "$follow")
stop_daemon KILL
start_daemon
told_again() {
	tail -n 1 "$follow" | jq -e ".answer.generation > $before and .answer.services[0].hosts != null"
}
check "a daemon that was killed tells all of it again" wait_until 3 told_again
stop_daemon TERM
check "an end ends the calls" wait_until 3 eval "tail -n 1 $follow | grep -q gone"
start_daemon
wait_until 3 told_again || die "no lists"

# --- the proxy goes
kill "${followers[@]}"
wait "${followers[@]}" 2>/dev/null
absent() {
	call root '{"call":"status"}' | jq -e '.proxy | .needed and (.connected | not)'
}
check "status: it does not run" wait_until 7 absent
status=0
uidwall status >"$T/status" || status=$?
check "... in words" grep -q '^uidwall-proxy DOES NOT RUN since ' "$T/status"
policy erp <<<'{ "user": "erp" }'
reload
uidwall status >"$T/status" && status=0
is "... which is no fault of the wall" "$status" -eq 0

# --- another proxy
config <<<'{ "proxy": { "external": "127.0.0.1:3128" } }'
reload
external='uidwall.json names an external proxy ("proxy"): the built-in one has nothing to do here'
answered "with an external proxy there are no lists" uidwall-proxy '{"call":"lists"}' "$external"
says "... and status says so" root '{"call":"status"}' '.proxy.kind' external
check "... in words" grep -q 'forward proxy is an external one' <(uidwall status)
check "the daemon lives" daemon_alive
finish
