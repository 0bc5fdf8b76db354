#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 60-why.sh - why: what people may type, what they read, and the exit status. Offline, but for what the
# command asks the daemon; the network tests have real packets.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

policy blog <<'END'
{
  "user": 64001,
  "hosts": [
    "*.example.org",
    "example.net:8443",
    "example.com"
  ],
  "connect": [
    { "to": "127.0.0.1", "port": 5432, "comment": "PostgreSQL" },
    { "to": "192.0.2.0/24", "port": [25, "587-588"] },
    { "to": "192.0.2.7",
      "port": 25 },
    { "to": "198.51.100.7", "port": 443, "until": "2001-12-31" },
    { "to": "2001:db8::/32", "port": 53, "protocol": "udp" }
  ],
  "listen": [
    { "port": 3000, "from": [64002] }
  ]
}
END
policy gitea <<'END'
{ "user": 64003, "dns": false, "listen": [ { "port": 3001, "from": [] } ] }
END
policy trial <<'END'
{ "users": [64004, 64005], "mode": "monitor", "proxy": false }
END
policy 64009 <<'END'
{ "user": 64010 }
END

# why STATUS ARGUMENT... -- WANT...: offline
why() {
	local arguments=() status_wanted=$1
	shift
	while [[ $1 != -- ]]; do
		arguments+=("$1")
		shift
	done
	run why "${arguments[@]}" --offline --policies "$dir/policies"
	expect "$status_wanted" "${@:2}"
}

# same TARGET...: each, in other words, is what the first is
same() {
	local first words
	read -ra words <<<"$1"
	run why blog "${words[@]}" --offline --policies "$dir/policies" --json
	first=$(grep -vE '"host"|"notes"' "$dir/out")
	for target in "${@:2}"; do
		read -ra words <<<"$target"
		run why blog "${words[@]}" --offline --policies "$dir/policies" --json
		verdict "why blog $target is why blog $1" \
			"$(diff <(echo "$first") <(grep -vE '"host"|"notes"' "$dir/out"); cat "$dir/err")"
	done
}

# wrong MESSAGE ARGUMENT...: bad use, said in one line
wrong() {
	run why "${@:2}" --offline --policies "$dir/policies"
	expect 2 out= "err=uidwall: $1"
}

# --- what people read
why 0 blog tcp 192.0.2.9:25 -- err= 'out=ALLOWED: blog may connect to 192.0.2.9, tcp port 25.' \
	'out=  blog.json:10 allows it.' \
	'out=      blog.json:10  { "to": "192.0.2.0/24", "port": [25, "587-588"] }' \
	'out=To refuse it, remove from "connect" in blog.json, line 10:'
why 0 blog 192.0.2.7 25 -- 'out=To refuse it, do all of this:' 'line 10:$' 'line 11:$' \
	'out=      { "to": "192.0.2.7", "port": 25 }'
why 1 blog tcp 203.0.113.9:25 -- err= 'out=REFUSED: blog may not connect to 203.0.113.9, tcp port 25.' \
	'out=  No line of blog.json allows it.' \
	'out=  connect() fails at once with ECONNREFUSED (Connection refused).' \
	'out=To allow it, add to "connect" in blog.json, in front of line 9:' \
	'out=      { "to": "203.0.113.9", "port": 25 },'
why 1 blog udp 203.0.113.9 25 -- 'out=  send() fails at once with EPERM (Operation not permitted).' \
	'out=      { "to": "203.0.113.9", "port": 25, "protocol": "udp" },'
why 1 blog ping ::1 -- 'out=REFUSED: blog may not ping ::1.' 'EACCES' '"protocol": "icmp" },$'
why 1 blog 198.51.100.7:443 -- 'out=  blog.json:13 would, but it ended on 2001-12-31.'
why 0 blog dns://192.0.2.53 -- 'out=  blog.json allows the name servers.' 'dns": true \(the default\)$' \
	'out=      "dns": false,'
why 1 gitea dns://192.0.2.53 -- \
	'out=To allow it, write in gitea.json, on line 1, instead of "dns": false:' 'out=      "dns": true'
why 1 blog localhost 5432 -- \
	'out=REFUSED: blog may not connect to localhost, tcp port 5432 (1 of its 2 addresses).' \
	'out=  127.0.0.1: allowed' 'out=  ::1: refused' 'out=      { "to": "::1", "port": 5432 },'
why 1 blog localhost:6379 -- 'out=  127.0.0.1, ::1' 'out=      { "to": "localhost", "port": 6379 },'
why 0 trial 203.0.113.9 25 -- 'out=ALLOWED FOR NOW: trial may connect to 203.0.113.9, tcp port 25.' \
	'monitor mode lets it pass|Monitor mode lets it pass' \
	'out=To allow it also when it enforces, add to trial.json, on line 1, in front of "users":' \
	'out=      "mode": "enforce"'
why 0 64999 203.0.113.9 25 -- 'out=  No policy governs uid 64999: nothing is refused.' 'uidwall new NAME --user 64999'
why 0 64001 192.0.2.9 25 -- 'out=ALLOWED: blog may connect to 192.0.2.9, tcp port 25.'
why 1 64009 203.0.113.9 25 -- 'out=REFUSED: 64009 may not connect to 203.0.113.9, tcp port 25.'
why 0 root 203.0.113.9 25 -- 'out=  No policy governs root: nothing is refused.'
why 0 blog 0.0.0.0 3000 -- 'out=  Note: 0.0.0.0 means 127.0.0.1 to connect().' 'a service may reach its own'
why 1 blog '[::ffff:203.0.113.9]:80' -- 'Note: an IPv4-mapped address'

# --- units: they come behind users that policies name, and before all others
policy unit <<'END'
{ "user": 64020, "unit": "uidwall-no-such.service" }
END
policy another <<'END'
{ "uids": "64021-64022", "unit": "/system.slice/uidwall-neither.service" }
END
why 0 root 203.0.113.9 25 -- "out=  Note: what root owns in the control group of a service's unit is judged by that service, so ask about it: another (/system.slice/uidwall-neither.service), unit (uidwall-no-such.service)."
why 0 64999 203.0.113.9 25 -- 'what uid 64999 owns in .* is judged by that service, so ask about it: another .*, unit '
why 1 another 203.0.113.9 25 -- 'what uid 64021 owns in .* is judged by that service, so ask about it: unit \(uidwall-no-such'
why 1 unit 203.0.113.9 25 -- '^REFUSED: unit may not connect'
verdict "nothing about units where the user has the first word" "$(grep 'control group' "$dir/out")"
rm "$dir/policies/unit.json" "$dir/policies/another.json"

# --- callers
why 0 blog from 64002 tcp 3000 -- 'out=ALLOWED: uid 64002 may connect to tcp port 3000 of blog.' \
	'out=  The answer: blog.json:17 lets it answer on this port.' \
	'out=To refuse it, remove from "from" in blog.json, line 17:' 'out=      64002'
why 1 blog from 64999 3000 -- 'out=  "from" of blog.json:17 does not name uid 64999.' 'out=      64999,'
why 1 blog from 64003 tcp/3000 -- 'out=To allow it, do all of this:' 'gitea.json' 'blog.json' \
	'out=      "connect": [ { "to": "localhost", "port": 3000 } ],' 'out=      64003,'
why 0 blog from root 3000 -- 'out=  No policy governs root: nothing is refused.'
why 0 blog from 203.0.113.9 tcp 3000 -- 'out=ALLOWED: blog may answer 203.0.113.9 from tcp port 3000.' \
	'uidwall does not filter what comes in'
why 1 blog from 203.0.113.9 tcp 22 -- 'ETIMEDOUT' 'out=      { "port": 22 },'
why 1 gitea from 64999 3001 -- 'between the brackets of "from":$' 'out=      64999'
why 1 trial from 64003 80 -- 'uid 64003 may not connect to tcp port 80 of trial'

# --- what people type
same 'tcp 192.0.2.9:25' '192.0.2.9:25' '192.0.2.9 25' 'tcp 192.0.2.9 25' 'tcp/25 192.0.2.9' '192.0.2.9 25/tcp' \
	'TCP 192.0.2.9 smtp' 'smtp 192.0.2.9' 'smtp://192.0.2.9' 'smtp://u:p@192.0.2.9/?x' '192.0.2.9 tcp 25' \
	'tcp 25 192.0.2.9' 'to 192.0.2.9 port 25' 'foo://192.0.2.9:25/a@b'
same 'tcp [2001:db8::1]:443' '2001:db8::1 443' 'https://[2001:db8::1]' 'https://[2001:db8::1]:443/x' \
	'[2001:db8::1] https' 'tcp/https 2001:db8::1' 'wss://[2001:0db8:0::1]'
same 'udp [2001:db8::1]:53' 'dns://[2001:db8::1]' 'udp 2001:db8::1 53' '2001:db8::1 53/udp'
same 'icmp 192.0.2.1' 'ping 192.0.2.1' 'icmp [192.0.2.1]'
same 'localhost 5432' 'postgres://localhost' 'postgresql://u:p@localhost:5432/db' 'postgresql+psycopg2://localhost'
same '127.0.0.1 22' 'git+ssh://git@127.0.0.1/x.git' 'sftp://127.0.0.1'

wrong '192.0.2.0/24 is a prefix; ask about one address in it' blog tcp 192.0.2.0/24 25
wrong 'expected one port from 1 to 65535, got 0' blog 192.0.2.1:0
wrong 'expected one port from 1 to 65535, got 65536' blog 192.0.2.1:65536
wrong 'expected one port from 1 to 65535, got "587-588"' blog 192.0.2.1 587-588
wrong 'icmp has no ports; expected "icmp 192.0.2.1"' blog icmp 192.0.2.1:80
wrong 'one port at a time: 25 or 26?' blog 192.0.2.1 25 26
wrong 'the port of gopherx:// is not known; write it: gopherx://192.0.2.1:PORT' blog gopherx://192.0.2.1
wrong 'the URL names no host; expected postgres://host' blog postgres:///db
wrong 'missing port; expected for example "tcp 192.0.2.7:25", "192.0.2.7 25", "https://example.org"' blog 192.0.2.1
wrong 'missing host; expected for example "tcp 192.0.2.7:25", "192.0.2.7 25", "https://example.org"' blog tcp 80
wrong 'missing port; expected for example "tcp 3000"' blog from root tcp
wrong 'expected a port of blog, such as "tcp 3000", behind "from root", got "192.0.2.1"' blog from root 192.0.2.1:80
wrong 'expected a port behind "from", such as "tcp 3000"' blog from root icmp
wrong 'no user "no-such-user-here"; expected a user or an address behind "from"' blog from no-such-user-here 80
wrong '10.0.0.0/8 is a prefix; ask about one address in it' blog from 10.0.0.0/8 80
wrong 'no service and no user "blgo"; did you mean "blog"?' blgo 192.0.2.1 80
run why blog nosuch.invalid 80 --offline --policies "$dir/policies" # within 5 s, whatever there is for a resolver
expect 2 out=
verdict "... and why" "$(grep -q '^uidwall: cannot resolve "nosuch.invalid": ' "$dir/err" || cat "$dir/err")"
wrong 'missing argument; expected "uidwall why SERVICE|USER [from WHO] TARGET"' blog
for target in 'pg://u:s3cret@192.0.2.1' 'pg://u:s3cret/x@192.0.2.1' 'u:s3cret@192.0.2.1:80' \
	'mongodb://u:s3cret@192.0.2.1,192.0.2.2' 'pg://u:s3cret@192.0.2.1:bad'; do
	run why blog "$target" --offline --policies "$dir/policies"
	verdict "no password is shown: $target" \
		"$([[ $status -eq 2 ]] || echo "status $status"; cat "$dir/out" "$dir/err" | grep s3cret)"
done
why 1 blog "https://u:s3cret@203.0.113.9/?a" --json --
verdict "... nor in JSON" "$(grep s3cret "$dir/out")"

# --- the proxy
why 1 blog https://203.0.113.9 -- 'out=REFUSED: blog may not connect to 203.0.113.9, tcp port 443.' \
	'out=  By the proxy: refused; 203.0.113.9 is an address, and not among its hosts.' \
	'out=    It answers 403 Forbidden, and says why.' 'out=  Directly: refused.' \
	'out=    No line of blog.json allows it.' \
	'out=To allow it, add to "hosts" in blog.json, in front of line 4:' 'out=      "203.0.113.9:443",'
why 1 gitea https://localhost -- 'out=  By the proxy: refused; localhost is not among its hosts.' \
	'out=      "hosts": [ "localhost", "127.0.0.1:443", "[::1]:443" ],'
why 1 gitea http://localhost:8080 -- 'out=      "hosts": [ "localhost:8080", "127.0.0.1:8080", "[::1]:8080" ],'
why 0 trial http://203.0.113.9 -- 'out=ALLOWED FOR NOW: trial may connect to 203.0.113.9, tcp port 80.' \
	'out=  By the proxy: allowed in monitor mode only; "proxy": false in trial.json keeps trial from it.'
why 1 blog tcp 203.0.113.9 443 --
verdict "whoever asks about an address hears nothing of the proxy" "$(grep -i proxy "$dir/out")"
why 1 blog http://127.1 -- '127.1 ends in a number, but is no plain address' 'It answers 400 Bad Request' 'to": "127.0.0.1"'
same 'https://[2001:db8::1]' 'https://[2001:0DB8:0::1]:443/'
same 'http://LOCALHOST' 'http://localhost./x' 'http://ｌｏｃａｌhost'
wrong '"b..ü" is no host: it has an empty part between dots' blog 'https://b..ü'
why 1 blog https://nosuch.invalid -- 'out=REFUSED: blog may not connect to nosuch.invalid, tcp port 443.' \
	'out=  By the proxy: refused; nosuch.invalid is not among its hosts.' \
	'^  Directly: not known; nosuch\.invalid cannot be resolved here: .*\.$' 'out=      "nosuch.invalid",'
why 0 trial https://nosuch.invalid -- \
	'out=ALLOWED FOR NOW: trial may connect to nosuch.invalid, tcp port 443, by the proxy.'
why 2 root https://nosuch.invalid --
why 1 blog http://nosuch.invalid --json --
expect_json '.verdict == "refused" and .directly == null and .answers == [] and (.proxy
	| .verdict == "refused" and .reason == "not-listed" and .port == 80 and .named_by == null
	and (.changes[0] | .key == "hosts" and .insert != ""))'
policy door <<'END'
{ "user": 64030, "hosts": [ "127.0.0.1:3000", "localhost:3000" ], "transparent": false }
END
why 0 door http://localhost:3000 -- 'out=ALLOWED: door may connect to localhost, tcp port 3000, by the proxy.' \
	'out=  By the proxy: allowed; localhost is among its hosts.' 'out=    door.json:1  "localhost:3000"' \
	'out=  Directly, for programs that do not use the proxy: refused.' \
	'out=To refuse it, remove from "hosts" in door.json, line 1:' 'out=      "localhost:3000"'
why 1 door http://localhost -- 'localhost is among its hosts, but not with this port\.$' 'out=    door.json:1  "localhost:3000"'
why 0 door 127.0.0.1 3000 -- ', by the proxy\.$'
rm "$dir/policies/door.json"

policy led <<'END'
{ "user": 64031, "transparent": true, "hosts": [ "example.org", "example.org:25" ] }
END
why 1 led tcp 203.0.113.9 443 -- 'out=BY NAME ONLY: led may connect to 203.0.113.9, tcp port 443, as far as the proxy lets it.' \
	'out=  By the proxy: refused; 203.0.113.9 is an address, and not among its hosts.' \
	'out=    It answers 403 Forbidden, and says why; to TLS with the alert "access denied".' \
	'out=  Directly: led to the proxy, whose verdict holds.' 'ask "uidwall why led https://NAME"' \
	'out=      "203.0.113.9:443",'
why 1 led smtp://203.0.113.9 -- '^BY NAME ONLY: ' 'out=      "203.0.113.9:25",'
why 1 led tcp 203.0.113.9 99 -- 'out=REFUSED: led may not connect to 203.0.113.9, tcp port 99.'
verdict "nothing of the proxy, to which nothing is led" "$(grep -i proxy "$dir/out")"
why 1 led https://nosuch.invalid -- 'to TLS with the alert "access denied"' '^  Directly: not known; '
rm "$dir/policies/led.json"

# --- JSON
why 1 blog 203.0.113.9 25 --json -- err=
expect_json '.verdict == "refused" and .service == "blog" and .uid == 64001 and .from == null and (.answers[0]
	| .address == "203.0.113.9" and .port == 25 and .protocol == "tcp" and .reason == "no-line"
	and .errno == "ECONNREFUSED" and .errno_number == 111 and .call == "connect()"
	and .decided_by == null and (.path | map(.chain) == ["output", "svc-blog", "refuse"])
	and (.changes | length == 1) and .changes[0].action == "add" and .changes[0].line == 9)'
why 0 blog 192.0.2.9 25 --json -- err=
expect_json '.answers[0].decided_by | .file == "blog.json" and .line == 10 and .key == "connect"'
# Made by a program, the edits are what they say.
if command -v python3 >/dev/null; then
	python3 - "$dir/out" <<'END' >"$dir/changed.json"
import json, sys
for e in json.load(open(sys.argv[1]))["changes"]:
    text = open(e["path"]).read()
    assert text[e["offset"]:].startswith(e["remove"])
    sys.stdout.write(text[:e["offset"]] + e["insert"] + text[e["offset"] + len(e["remove"]):])
END
	mkdir "$dir/changed"
	cp "$dir/changed.json" "$dir/changed/blog.json"
	chmod -R go-w "$dir/changed"
	run why blog 192.0.2.9 25 --offline --policies "$dir/changed"
	expect 1 '^REFUSED: '
	run check "$dir/changed"
	expect 0
fi

# --- mistakes
policy bad <<'END'
{ "user": 64011, "conect": [] }
END
run why bad 192.0.2.1 80 --offline --policies "$dir/policies"
expect 1 'bad\.json is wrong and never was right: everything is refused' 'out=To allow it: mend bad.json: "uidwall check" says what is wrong with it.'
verdict "... and why" "$(grep -q 'unknown key "conect"' "$dir/err" || cat "$dir/err")"
why 0 blog 192.0.2.9 25 -- '^ALLOWED'
run why blog 192.0.2.9 25 --offline --policies "$dir/nowhere"
expect 2 out=

# --- the daemon
run why blog 192.0.2.9 25
expect 3 out=
verdict "without a daemon, --offline is an idea" "$(grep -q -- '"--offline" asks' "$dir/err" || cat "$dir/err")"
mkdir "$dir/answers"
start_daemon "$dir/answers"
printf 'only root and admins may ask about services other than their own\n' >"$dir/answers/why.error"
run why blog postgres://u:p@localhost
expect 2 out= 'err=uidwall: only root and admins may ask about services other than their own'
verdict "what the daemon is asked" "$(grep -qx '{"call": "why", "service": "blog", "host": "localhost", "targets": \["tcp 127.0.0.1:5432", "tcp \[::1\]:5432"\]}' \
	"$dir/answers/asked" || cat "$dir/answers/asked")"
run why 64001 from root 3000
verdict "... about a caller" "$(grep -qx '{"call": "why", "service": "64001", "uid": 64001, "from": "root", "from_uid": 0, "targets": \["tcp 3000"\]}' \
	"$dir/answers/asked" || cat "$dir/answers/asked")"
rm "$dir/answers/why.error"
printf '{ "verdict": "allowed" }' >"$dir/answers/why.json"
run why blog 192.0.2.9 25
expect 0
printf '{}' >"$dir/answers/why.json"
run why blog 192.0.2.9 25
expect 1
printf '[]' >"$dir/answers/why.json"
run why blog 192.0.2.9 25
expect 3 out=
plan
