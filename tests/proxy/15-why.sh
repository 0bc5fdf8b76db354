#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 15-why.sh - what "uidwall why" says of a host is what the proxy does, and whoever does as it proposes
# gets through.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

world_make
policy blog <<'E'
{
  "user": "blog",
  "hosts": [
    "www.example.com",
    "*.wild.example.com",
    "v4.example.com:8443", "v4.example.com:5000",
    "93.184.216.14",
    "[2606:2800:220:1::14]:80",
    "local.example.com", "inside.example.com:8443",
    "127.0.0.1:5001"
  ]
}
E
policy erp <<<'{ "user": "erp" }'
policy gitea <<<'{ "user": "gitea", "mode": "monitor" }'
policy mailer <<<'{ "user": "mailer", "proxy": false, "hosts": ["www.example.com"] }'
name local.example.com 127.0.0.1 ::1
name inside.example.com 10.1.2.3
name mixed.wild.example.com 10.1.2.3 "$NET4.13"
name xn--bcher-kva.wild.example.com "$NET4.13"
start_daemon
start_proxy

# why QUESTION...: root's; the answer in $T/why.json, the status in $status
why() {
	"$T/bin/uidwall" why "$@" --config "$CONFIG" --policies "$POLICIES" --control "$CONTROL" --json \
		>"$T/why.json" 2>"$T/why.err"
	status=$?
}

# does USER HOST:PORT: "allowed - LINE", "refused REASON LINE", as the proxy answers and records it. What it
# allows may fail.
does() {
	local answer lines
	lines=$(wc -l <"$T/proxy.records")
	answer=$(as "$1" "$RAW" --to 127.0.0.1:3128 --timeout 5 \
		"send=CONNECT $2 HTTP/1.1\r\nHost: $2\r\n\r\n" read=head 2>&1 | head -n 1)
	# the wall keeps it from the proxy
	[[ $answer == HTTP/1.?\ [0-9]* ]] || {
		echo "refused $answer"
		return
	}
	wait_until 3 eval "tail -n +$((lines + 1)) '$T/proxy.records' | grep -q '\"user\":\"$1\"'"
	tail -n "+$((lines + 1))" "$T/proxy.records" | jq -r --arg user "$1" 'select(.user == $user) | [if .verdict == "refused" then .verdict, .reason
		else "allowed", "-" end, (.policy | split(":")[1] // "0")] | join(" ")' | head -n 1
}

says() {
	jq -r '.proxy | [.verdict, if .verdict == "refused" then .reason else "-" end,
		(.named_by.line // .near.line // 0)] | join(" ")' "$T/why.json"
}

# agree USER HOST:PORT
agree() {
	local real
	real=$(does "$1" "$2")
	why "$1" "http://$2/"
	is "$1 to $2: $real" "$(says)" = "$real"
	is "... and the exit status" "$status" -eq "$([[ $real == allowed* ]]; echo $?)"
}

for target in www.example.com:443 WWW.example.com.:80 wild.example.com:443 deep.api.wild.example.com:80 \
	v4.example.com:443 v4.example.com:5000 evil.example.net:443 93.184.216.14:443 93.184.216.10:443 \
	'[2606:2800:220:1::14]:443' '[::ffff:93.184.216.14]:80' local.example.com:443 inside.example.com:8443 \
	mixed.wild.example.com:443 127.0.0.1:5001 '[::1]:5001'; do
	agree blog "$target"
done
agree erp www.example.com:443
agree gitea www.example.com:443

why blog https://BÜCHER.wild.example.com
is "an international name is the one that the proxy knows" "$status $(jq -r .host "$T/why.json")" \
	= "0 xn--bcher-kva.wild.example.com"
why blog http://127.1/
is "what only resolvers take for an address" "$(says) $(does blog 127.1:80 | cut -d' ' -f1)" = "refused no-host 0 refused"

# follow USER HOST:PORT: makes the changes that are proposed, and is let through
follow() {
	is "$1 may not to $2" "$(does "$1" "$2" | cut -d' ' -f1)" = refused
	why "$1" "http://$2/"
	python3 - "$T/why.json" <<-'E'
		import json, sys
		edits = json.load(open(sys.argv[1]))["proxy"]["changes"]
		assert edits
		for e in sorted(edits, key=lambda e: -e["offset"]):
		    text = open(e["path"]).read()
		    assert text[e["offset"]:].startswith(e["remove"])
		    text = text[:e["offset"]] + e["insert"] + text[e["offset"] + len(e["remove"]):]
		    open(e["path"], "w").write(text)
	E
	reload || die "$(cat "$T/apply.log")"
	wait_until 5 lets_through "$1" "$2"
	is "... but may once the policy says what why proposed" "$(does "$1" "$2" | cut -d' ' -f1)" = allowed
	why "$1" "http://$2/"
	is "... and why knows" "$status" -eq 0
}

lets_through() {
	[[ $(does "$1" "$2") == allowed* ]]
}

follow erp www.example.com:443
follow erp v4.example.com:5000
follow blog 93.184.216.10:443
follow mailer www.example.com:443
finish
