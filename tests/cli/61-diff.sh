#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 61-diff.sh - diff --against: what changes in meaning, in words and for programs; and what the daemon
# answers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# before NAME and now NAME - a policy of one side, from standard input
before() {
	mkdir -p "$dir/before"
	cat >"$dir/before/$1.json"
	chmod go-w "$dir/before" "$dir/before/$1.json"
}
now() {
	policy "$1"
}
diff_sides() {
	run diff --against "$dir/before" --policies "$dir/policies" "$@"
}
line() {
	grep -qE -- "$1" "$dir/out" || echo "no line like: $1"
}
# says REGEX... - each is a line of the last run
says() {
	local bad='' want
	for want in "$@"; do
		bad+=$(line "$want")
	done
	[[ -z $bad ]] || bad+=$'\n'$(cat "$dir/out")
	verdict "diff says: $*" "$bad"
}

# The same in other words.
before blog <<END
{ "user": 4001, "connect": [
  { "to": "198.51.100.0/24", "port": [80, 443] },
  { "to": "localhost", "port": 5432 } ] }
END
before erp <<END
{ "user": 4002 }
END
now weblog <<END
{ "service": "blog", "user": 4001, "connect": [
  { "to": "::1", "port": 5432 },
  { "to": "198.51.100.0/25", "port": 443 },
  { "to": "203.0.113.9", "port": 25, "until": "2001-01-01" },
  { "to": "198.51.100.0/24", "port": 80 },
  { "to": "127.0.0.1", "port": "5432" },
  { "to": "198.51.100.128/25", "port": 443, "comment": "the other half" } ] }
END
now erp <<END
{ "users": [4002], "dns": true }
END
diff_sides
expect 0 'out=No difference: both folders mean the same.'
diff_sides --json
expect 0 err=
expect_json '.differs == false and .services == [] and .shared == [] and .summary.same == 2'

# The unit. Another word for it is another unit.
unit() { # BEFORE NOW - of erp
	before erp <<<"{ \"user\": 4002${1:+, \"unit\": \"$1\"} }"
	now erp <<<"{ \"users\": [4002]${2:+, \"unit\": \"$2\"} }"
}
unit '' erp.service
diff_sides
expect 1 '^    ~ governs everything in unit erp\.service from now on, whoever owns it$' \
	'^1 service changes: erp reaches the same; 1 stays as it is$'
diff_sides --json
expect_json '.services[0] | .change == "changed" and .effect == "none" and .gains == [] and .losses == [] and
	.unit == {before: null, now: "erp.service", successor: null}'
unit erp.service ''
diff_sides
expect 1 '! what others own in unit erp\.service may reach EVERYTHING from now on: not governed$'
unit erp.service /system.slice/erp.service
diff_sides
expect 1 '~ governs everything in unit /system\.slice/erp\.service from now on' \
	'! what others own in unit erp\.service may reach EVERYTHING'
unit erp.service erp.service
diff_sides
expect 0 'out=No difference: both folders mean the same.'
unit erp.service ''
now other <<<'{ "user": 4003, "unit": "erp.service", "dns": false }'
diff_sides
expect 1 '~ other governs what others own in unit erp\.service from now on$' \
	'^other is new: uid 4003 and everybody in unit erp\.service may reach from now on only$'
rm "$dir/policies/other.json" "$dir/policies/erp.json"
diff_sides
expect 1 '^erp is gone$' '! what others own in unit erp\.service may reach EVERYTHING'
unit '' ''

# Endpoints, ports, prefixes, dates, declared ports, mode.
before blog <<END
{
  "user": 4001,
  "connect": [
    { "to": "192.0.2.7", "port": 443 },
    { "to": "10.1.0.0/16", "port": 443 },
    { "to": "10.128.0.0/9", "port": 22 },
    { "to": "198.51.100.0/24", "port": 80, "until": "2190-01-01" },
    { "to": "203.0.113.1", "protocol": "icmp" },
    { "to": "localhost", "port": 5432 }
  ],
  "listen": [ { "port": 3000 } ]
}
END
rm "$dir/policies/weblog.json"
now blog <<END
{
  "user": 4001,
  "dns": false,
  "connect": [
    { "to": "192.0.2.7", "port": [443, 8443] },
    { "to": "10.0.0.0/8", "port": 443 },
    { "to": "10.128.0.0/16", "port": 22 },
    { "to": "198.51.100.0/24", "port": 80 },
    { "to": "2001:db8::/32", "port": 443, "interface": "eth0" },
    { "to": "localhost", "port": 5433 }
  ],
  "listen": [ { "port": 3000, "from": [4077] }, { "port": "3001-3003" } ]
}
END
now erp <<END
{ "user": 4002, "mode": "monitor" }
END
diff_sides
expect 1 err=
says '^blog$' '\+ tcp 2001:db8::/32 port 443 by eth0 +blog\.json:9$' \
	'\+ listen tcp ports 3001-3003 +blog\.json:12$' \
	'~ tcp 192\.0\.2\.7: port 443 → 443, 8443 +blog\.json:5$' \
	'~ tcp port 443: widened from 10\.1\.0\.0/16 to 10\.0\.0\.0/8 +blog\.json:6$' \
	'~ tcp port 22: narrowed from 10\.128\.0\.0/9 to 10\.128\.0\.0/16 +blog\.json:7$' \
	'~ tcp 198\.51\.100\.0/24 port 80: until 2190-01-01 → without end +blog\.json:8$' \
	'~ tcp localhost: port 5432 → 5433 +blog\.json:10$' \
	'- icmp 203\.0\.113\.1 +blog\.json:8$' '- dns: the name servers 192\.0\.2\.53' \
	'~ who may connect to tcp 3000 over loopback: anyone → only root, uid 4077 +blog\.json:12$' \
	'~ mode enforce → monitor: everything passes from now on' \
	'^2 services change: blog may reach more and less, erp may reach more$'
diff_sides --json
expect 1 err=
expect_json '.services[0] | .service == "blog" and .effect == "mixed" and
	any(.gains[]; .to == "10.0.0.0/16" and .ports == [443] and .protocol == "tcp" and
		.lines == [{file: "blog.json", line: 6, what: "connect",
			quote: "{ \"to\": \"10.0.0.0/8\", \"port\": 443 }"}]) and
	any(.gains[]; .first == "10.2.0.0" and .last == "10.255.255.255" and .to == "10.2.0.0-10.255.255.255") and
	any(.gains[]; .to == "198.51.100.0/24" and .starts == 6942672000 and .until == null) and
	any(.losses[]; .protocol == "icmp" and .types == [8] and .lines[0].line == 8) and
	any(.gains[]; .kind == "listen" and .answers and .ports == ["3001-3003"])'
expect_json '.services[0].callers == [{protocol: "tcp", ports: [3000], gained: [],
	lost: ["1-4076", "4078-4294967295"]}]'
expect_json '.services[1] | .mode == {before: "enforce", now: "monitor"} and .gains == []'
run diff --against "$dir/policies" --policies "$dir/before"
expect 1 err= 'narrowed from 10\.0\.0\.0/8 to 10\.1\.0\.0/16' 'only root, uid 4077 → anyone' \
	'mode monitor → enforce'

# Who governs whom.
before shop <<END
{ "users": [4010, 4012], "connect": [ { "to": "localhost", "port": 3000 } ] }
END
before left <<END
{ "users": [4020] }
END
before old <<END
{ "user": 4030 }
END
cp "$dir/before/blog.json" "$dir/policies/blog.json"
now erp <<END
{ "users": [4002, 4012] }
END
now shop <<END
{ "users": [4010], "connect": [ { "to": "localhost", "port": 3000 } ] }
END
now blog <<END
$(sed 's/"port": 3000 /"port": 3000, "from": [4002] /' "$dir/before/blog.json")
END
now new <<END
{ "user": 4030 }
END
now shut <<END
{ "user": 4050, "dns": false, "proxy": false }
END
now fresh <<END
{ "user": 4040, "dns": false, "connect": [ { "to": "192.0.2.7", "port": 25 } ] }
END
diff_sides
expect 1
says '^left is gone$' '! uid 4020 may reach EVERYTHING from now on: not governed' \
	'^old is gone: new governs uid 4030 from now on$' '~ governs uid 4012 from now on; before: shop$' \
	'~ erp governs uid 4012 from now on$' '^fresh is new: uid 4040 may reach from now on only$' \
	'\+ tcp 192\.0\.2\.7 port 25 +fresh\.json:1$' '\+ proxy: localhost port 3128 +fresh\.json$' \
	'- tcp localhost port 3000 \("from" in blog\.json:11 refuses it now\) +shop\.json:1$' \
	'^shut is new: uid 4050 may reach from now on nothing$' '3 are new; 2 are gone$'
diff_sides --json
expect_json '[.services[] | {(.service): .change}] | add == {blog: "changed", erp: "changed", fresh: "new",
	left: "gone", new: "new", old: "gone", shop: "changed", shut: "new"}'
expect_json '.services[] | select(.service == "left") |
	.users.lost == [{first: 4020, last: 4020, user: null, now: "nobody", service: null}]'
expect_json '.services[] | select(.service == "shop") | .losses[0].guard == {file: "blog.json", line: 11}
	and (.losses | length == 2)'

# A file that is wrong: its service is refused everything, and nobody else is touched.
now shop <<END
{ "users": [4010], "connect": [ { "to": "localhost", "prot": 3000 } ] }
END
diff_sides
expect 1 'good → refused: the file is wrong: it is refused everything' \
	'- proxy: localhost port 3128 +shop\.json$'
verdict "the mistake is on stderr" "$(grep -q 'unknown key "prot"' "$dir/err" || cat "$dir/err")"

# Wrong use; nothing there.
run diff --against
expect 2 out=
run diff "$dir/before"
expect 2 out=
run diff --against "$dir/nowhere" --policies "$dir/policies"
expect 1 out=
run diff
expect 3 out=

# The daemon's answer, with what the configuration changes and connections.
mkdir "$dir/answers"
cat >"$dir/answers/diff.json" <<'END'
{ "ok": true, "error": null, "differs": true, "services": [],
  "shared": [ { "what": "resolvers", "services": 9999, "gains": [], "losses": [],
    "changes": [ { "sign": "+", "text": "dns: the name servers 192.0.2.54", "file": null, "line": 0 } ] } ],
  "uids": [ { "first": 70000, "last": 70009, "before": "nobody", "now": "refused" } ],
  "summary": { "same": 9999, "new": 0, "gone": 0, "changed": 0 },
  "sockets": { "judged": 5, "refused": 1, "can_close": true, "list": [ { "service": "blog", "uid": 4001,
    "user": "blog", "protocol": "tcp", "from": "192.0.2.1:40000", "to": "192.0.2.7:443",
    "state": "established", "orphan": false, "why": "blog.json no line allows it" } ] },
  "diags": [] }
END
start_daemon "$dir/answers"
run diff
expect 1 err= '^the configuration changes the name servers of 9,999 services$' \
	'\+ dns: the name servers 192\.0\.2\.54' '^uids 70000-70009 may reach nothing from now on' \
	'^1 connection would be closed:$' 'blog  blog  tcp 192\.0\.2\.1:40000 → 192\.0\.2\.7:443  established'
run diff --json
expect 1 err=
expect_json '.sockets.refused == 1'
printf '{ "ok": true, "differs": false, "services": [], "diags": [] }' >"$dir/answers/diff.json"
run diff
expect 0 err= 'out=No difference: what is on disk is in force.'
printf '{ "ok": false, "error": "cannot read the policies", "diags": [] }' >"$dir/answers/diff.json"
run diff
expect 1 out= 'err=uidwall: cannot say what would change: cannot read the policies'
plan
