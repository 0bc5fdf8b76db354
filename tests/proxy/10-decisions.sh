#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 10-decisions.sh - who gets where by name, and what each of them is told: requests as real clients send
# them, and as nobody should.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

world_make
policy blog <<'E2'
{ "user": "blog",
  "hosts": [ "www.example.com",
             "*.wild.example.com",
             "ports.example.com:8443", "ports.example.com:5000",
             "93.184.216.11", "[2606:2800:220:1::11]:80",
             "listed.example.com", "127.0.0.9:80",
             "rebind.example.com", "mixed.example.com", "inside.example.com",
             "nowhere.example.com", "closed.example.com:81", "silent.example.com:82" ] }
E2
policy erp <<<'{ "user": "erp" }'
policy gitea <<<'{ "user": "gitea", "mode": "monitor", "hosts": ["v4.example.com"] }'
name ports.example.com "$NET4.10"
name listed.example.com 127.0.0.9
name inside.example.com 10.1.2.3 fd00::3 169.254.169.254
name mixed.example.com 127.0.0.1 "$NET4.10" ::1
name closed.example.com "$NET4.10"
start_daemon
start_proxy

# ask USER BYTES [TO]: the status, or what else came of it
ask() {
	local out
	out=$(as "$1" "$RAW" --to "${3:-127.0.0.1:3128}" --timeout 5 "send=$2" read=head 2>"$T/asked")
	[[ $out =~ ^HTTP/1.[01]\ ([0-9]{3}) ]] && echo "${BASH_REMATCH[1]}" && return
	echo "nothing, $(tail -n 1 "$T/asked")"
}

# answers NAME STATUS USER BYTES [TO]
answers() {
	is "$1: $2" "$(ask "$3" "$4" "${5:-}")" = "$2"
}

connects() {
	answers "CONNECT $2 by $1" "$3" "$1" "CONNECT $2 HTTP/1.1\r\nHost: $2\r\n\r\n" "${4:-}"
}

get() {
	printf 'GET %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' "$1" "$2"
}

# --- names
connects blog www.example.com:443 200
connects blog www.example.com:443 200 '[::1]:3128'
connects blog WWW.Example.COM.:443 200
connects blog www.example.com:80 200
connects blog www.example.com:8443 403
connects blog api.wild.example.com:443 200
connects blog deep.api.wild.example.com:443 200
connects blog wild.example.com:443 403
connects blog xwild.example.com:443 403
connects blog www.example.com.evil.example.net:443 403
connects blog ports.example.com:8443 200
connects blog ports.example.com:443 403
connects blog evil.example.net:443 403
connects erp www.example.com:443 403
connects gitea www.example.com:443 200
connects stranger www.example.com:443 403
connects root www.example.com:443 403

# --- addresses
connects blog 93.184.216.11:443 200
connects blog 93.184.216.10:443 403
connects blog '[2606:2800:220:1::11]:80' 200
connects blog '[2606:2800:220:1::11]:443' 403
connects blog '[::ffff:93.184.216.11]:443' 200
connects blog 127.0.0.1:443 403
connects blog 0x5db8d80b:443 400
connects blog 1572395019:443 400
connects blog listed.example.com:443 403
connects blog inside.example.com:443 403
connects blog mixed.example.com:443 200
connects blog nowhere.example.com:443 502
connects blog closed.example.com:81 502
recorded "mixed.example.com was reached by its ordinary address alone" \
	".host == \"mixed.example.com\" and .address == \"$NET4.10\" and .verdict == \"allowed\""
recorded "inside.example.com was refused for its addresses" \
	'.host == "inside.example.com" and .verdict == "refused" and .reason == "address-special"'
name rebind.example.com "$NET4.10"
connects blog rebind.example.com:443 200

# --- plain HTTP
answers "GET of a listed host" 200 blog "$(get http://www.example.com/who www.example.com)"
answers "GET of another one" 403 blog "$(get http://evil.example.net/who evil.example.net)"
# RFC 9112, 3.2.2: the target counts, and the next hop gets a Host that agrees.
answers "target and Host disagree" 404 blog "$(get http://www.example.com/disagree evil.example.net)"
check "the next hop sees one host" grep -q 'host=www.example.com .*disagree' "$T/web.log"
answers "Host and target the other way round" 403 blog "$(get http://evil.example.net/who www.example.com)"
answers "two Hosts" 400 blog 'GET http://www.example.com/who HTTP/1.1\r\nHost: www.example.com\r\nHost: evil.example.net\r\n\r\n'
answers "no absolute form" 400 blog "$(get /who www.example.com)"
answers "CONNECT without a port" 400 blog 'CONNECT www.example.com HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
answers "a bare line feed" 400 blog 'GET http://www.example.com/who HTTP/1.1\nHost: www.example.com\n\n'
answers "a NUL" 400 blog 'GET http://www.example.com/\0 HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
answers "an obs-fold" 400 blog 'GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nX: a\r\n b\r\n\r\n'
answers "Content-Length and chunked" 400 blog 'POST http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
answers "a target without an end" 414 blog 'GET http://www.example.com/%9000% HTTP/1.1\r\nHost: www.example.com\r\n\r\n'
answers "a field without an end" 431 blog 'GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nX: %40000%'
answers "HTTP/2" 505 blog 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
answers "ftp" 501 blog "$(get ftp://www.example.com/ www.example.com)"

# What follows a request goes nowhere, whomever it is for.
: >"$T/web.log"
as blog "$RAW" --to 127.0.0.1:3128 \
	"send=$(get http://www.example.com/who?first www.example.com)$(get http://www.example.com/who?second www.example.com)$(get http://evil.example.net/who?third evil.example.net)" \
	read=eof >"$T/out" 2>/dev/null
is "three requests in one go: one is answered" "$(grep -c '^HTTP/1.1 200' "$T/out")" = 1
is "three requests in one go: one is sent on" "$(grep -c '?' "$T/web.log")" = 1
: >"$T/web.log"
as blog "$RAW" --to 127.0.0.1:3128 \
	"send=POST http://www.example.com/who HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\n12345$(get http://evil.example.net/who evil.example.net)" \
	read=eof >"$T/out" 2>/dev/null
is "a request behind a body goes nowhere" "$(wc -l <"$T/web.log")" = 1
: >"$T/web.log"
as blog "$RAW" --to 127.0.0.1:3128 \
	"send=GET http://www.example.com/who HTTP/1.1\r\nHost: www.example.com\r\nConnection: Upgrade, X-Secret\r\nUpgrade: websocket\r\nX-Secret: 1\r\nProxy-Authorization: Basic eDp5\r\nX-Test: kept\r\n\r\n" \
	read=eof >"$T/out" 2>/dev/null
check "a request to upgrade is an ordinary one, by the time it is sent on" \
	grep -qE 'via=1.1 uidwall-proxy connection=close x=kept' "$T/web.log"
is "HEAD has no body" "$(as blog curl -sSI --proxy "$PROXY4" http://www.example.com/who | grep -c '^HTTP/1.1 200')" = 1
is "a body of 32 MiB arrives whole" \
	"$(as blog curl -sS --proxy "$PROXY4" http://www.example.com/big | sha256sum)" = "$(sha256sum <"$T/www/big")"
is "the same through a tunnel" \
	"$(as blog curl -sS --cacert "$CA" --proxy "$PROXY6" https://www.example.com/big | sha256sum)" = "$(sha256sum <"$T/www/big")"
is "and a body of 32 MiB up" "$(as blog curl -sS -o /dev/null -w '%{http_code}' -H Expect: --data-binary @"$T/www/big" \
	--proxy "$PROXY4" http://www.example.com/who)" = 413

# --- words
as blog curl -sS --proxy "$PROXY4" http://evil.example.net/ >"$T/out"
check "a 403 names the service" grep -q '\bblog\b' "$T/out"
check "a 403 names the host" grep -q 'evil\.example\.net' "$T/out"
check "a 403 names the line to add" grep -q '"hosts" in blog.json:  "evil.example.net"' "$T/out"
recorded "its record says the same" '.service == "blog" and .user == "blog" and .uid == 2003 and
	.host == "evil.example.net" and .port == 80 and .verdict == "refused" and .reason == "not-listed" and .add == "evil.example.net"'
recorded "monitor mode passes, and records what it would have refused" \
	'.service == "gitea" and .host == "www.example.com" and .verdict == "would-refuse"'
recorded "an allowed one has its line and its bytes" \
	'.service == "blog" and .way == "http" and .policy == "blog.json:2" and .received > 32000000'
finish
