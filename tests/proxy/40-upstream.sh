#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 40-upstream.sh - a site whose own proxy is the only way out, with a password: tinyproxy, outside.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

command -v tinyproxy >/dev/null || skip_all "needs the program tinyproxy"
world_make
SITE=$NET4.200
cat >"$T/tinyproxy.conf" <<-END
	Port 8888
	Listen $SITE
	Timeout 20
	BasicAuth site s3cret
	ConnectPort 443
	LogLevel Connect
	LogFile "$T/tinyproxy.log"
END
touch "$T/tinyproxy.log"
chmod 666 "$T/tinyproxy.log"
# It resolves by itself; /etc is a copy here.
echo "nameserver 192.0.2.53" >/etc/resolv.conf
nsenter --net=/run/netns/sink tinyproxy -d -c "$T/tinyproxy.conf" >"$T/tinyproxy.out" 2>&1 &
wait_until 5 in_sink bash -c "exec 3<>/dev/tcp/$SITE/8888" || die "no tinyproxy: $(cat "$T/tinyproxy.out")"
name proxy.site.example "$SITE"
credentials() {
	printf '%s\n' "$1" >"$T/credentials"
	chmod 600 "$T/credentials"
}
credentials site:s3cret
config <<-END
	{ "resolvers": ["192.0.2.53"],
	  "proxy": { "upstream": "http://proxy.site.example:8888", "credentials": "$T/credentials" } }
END
policy blog <<<'{ "user": "blog", "hosts": ["www.example.com", "www.example.com:8443"] }'
start_daemon
start_proxy

# get OPTION...: the body's first words
get() {
	as blog curl -sS --cacert "$CA" --proxy "$PROXY4" "$@" 2>&1 | cut -d, -f1
}

code() {
	as blog curl -s -o /dev/null -w '%{http_code} %{http_connect}' --proxy "$PROXY4" "$@"
}

is "https goes through it" "$(get https://www.example.com/who)" = 'I am www.example.com'
is "http goes through it" "$(get http://www.example.com/who)" = 'I am www.example.com'
check "it was asked to connect" grep -q 'CONNECT www.example.com:443' "$T/tinyproxy.log"
check "it was asked in absolute form" grep -q 'GET http://www.example.com/who' "$T/tinyproxy.log"
is "what is not listed does not get that far" "$(code https://evil.example.net/)" = '000 403'
is "what it refuses is a 502" "$(code https://www.example.com:8443/)" = '000 502'
as blog curl -s -i --proxy "$PROXY4" -p http://www.example.com:8443/ >"$T/out"
check "that says who refused" grep -qi "site's.*proxy" "$T/out"
is "its password is in no log" "$(cat "$T/proxy.log" "$T/proxy.records" | grep -c s3cret)" = 0

stop_proxy TERM
credentials site:wrong
start_proxy
as blog curl -s -i --proxy "$PROXY4" -p http://www.example.com:443/ >"$T/out"
check "a wrong password is named" grep -q credentials "$T/out"
stop_proxy TERM
config <<<'{ "resolvers": ["192.0.2.53"], "proxy": { "upstream": "http://proxy.site.example:8888" } }'
start_proxy
is "no password at all is no 407, which would ask the app for one" "$(code http://www.example.com/who)" = '502 000'
finish
