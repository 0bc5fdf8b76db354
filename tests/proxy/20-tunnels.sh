#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20-tunnels.sh - what becomes of connections once they stand: half-closes, resets, slow sides, time
# limits, and lists that change under them.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

world_make
hosts_of() {
	local list
	list=$(printf '"%s", ' "$@")
	policy blog <<<"{ \"user\": \"blog\", \"hosts\": [${list%, }] }"
}
HOSTS=(www.example.com{,:500{1,2,3,4,5,6,7,8}})
hosts_of "${HOSTS[@]}"
cat >"$CONFIG" <<<'{ "resolvers": ["192.0.2.53"], "proxy": { "request_s": 2, "idle_s": 3, "connections_per_service": 40 } }'
start_daemon
start_proxy

CONNECT() {
	printf 'CONNECT %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' "$1" "$1"
}

# raw STEP...: $T/out, $T/how
raw() {
	as blog "$RAW" --to 127.0.0.1:3128 "$@" >"$T/out" 2>"$T/how"
}

how() {
	tail -n 1 "$T/how"
}

# --- ends
raw "send=$(CONNECT www.example.com:5004)" read=head 'send=hello' shut read=eof
check "what is sent before a half-close is answered after it" \
	grep -q "^5 $(printf hello | sha256sum | cut -d' ' -f1)" "$T/out"
raw "send=$(CONNECT www.example.com:5006)" read=head wait=200 'send=later' shut read=eof
check "a server that half-closes still reads" wait_until 3 grep -q "5006.*5 $(printf later | sha256sum | cut -d' ' -f1)" "$T/behaviour.log"
raw "send=$(CONNECT www.example.com:5002)" read=head read=eof
check "a server's reset is one for the client" grep -q '^reset' <(how)
raw "send=$(CONNECT www.example.com:5005)" read=head read=eof
check "a server's end is one for the client" grep -q '^eof' <(how)
# Bytes behind the head of CONNECT, in the same segment, belong to the tunnel.
raw "send=$(CONNECT www.example.com:5004)early" shut read=eof
check "bytes that did not wait for the 200 arrive" grep -q "^5 $(printf early | sha256sum | cut -d' ' -f1)" "$T/out"
# A megabyte, byte by byte at first.
raw "send=$(CONNECT www.example.com:5004)" read=head drip=1:abcdefgh file="$T/www/1k" shut read=eof
check "dripped bytes and others arrive in order" \
	grep -q "^1032 $( (printf abcdefgh; cat "$T/www/1k") | sha256sum | cut -d' ' -f1)" "$T/out"
raw "send=$(CONNECT www.example.com:5004)" read=head file="$T/www/big" shut read=eof
check "32 MiB up a tunnel arrive whole" grep -q "^33554432 $(sha256sum <"$T/www/big" | cut -d' ' -f1)" "$T/out"

# --- slow ones
raw buffer=4096 "send=$(CONNECT www.example.com:5003)" read=head wait=1500 read=65536 close &
slow=$!
sleep 0.5
memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$(proxy_pid)/status")
is "a client that does not read costs no memory to speak of (RSS $memory KiB)" "$memory" -lt 40000
is "others are served meanwhile" "$(as blog curl -sS --max-time 2 --proxy "$PROXY4" http://www.example.com/who | wc -l)" = 1
wait "$slow"
start=$(now_us)
raw --timeout 8 'send=CONNECT www.exa' read=eof
check "half a request is answered with 408" grep -q '^HTTP/1.1 408' "$T/out"
is "and after the time that is configured" $((($(now_us) - start) / 1000000)) -le 4
start=$(now_us)
raw --timeout 9 "send=$(CONNECT www.example.com:5001)" read=head read=eof
is "an idle tunnel ends after idle_s" $((($(now_us) - start) / 1000000)) -le 6
recorded "and its record says why" '.port == 5001 and .reason == "idle"'

# --- lists
: >"$T/proxy.records"
raw --timeout 20 "send=$(CONNECT www.example.com:5008)" read=head read=eof &
cut=$!
raw2=$T/out2
as blog "$RAW" --to 127.0.0.1:3128 --timeout 20 "send=$(CONNECT www.example.com:5003)" read=head read=for:2500 close >/dev/null 2>"$raw2" &
kept=$!
sleep 0.6
hosts_of www.example.com www.example.com:5003
"$T/bin/uidwall" --control "$CONTROL" apply >/dev/null || die "apply"
start=$(now_us)
wait "$cut"
is "a tunnel whose host is taken off the list ends at once" $((($(now_us) - start) / 1000)) -lt 1000
recorded "its record says so" '.port == 5008 and .verdict == "cut"'
wait "$kept"
check "the others go on" grep -qE '^open [0-9]{6,}' "$raw2"
is "and it is not to be had anew" "$(raw "send=$(CONNECT www.example.com:5008)" read=head; grep -c '^HTTP/1.1 403' "$T/out")" = 1

# --- the daemon comes and goes
stop_daemon KILL
is "without the daemon the last lists hold: allowed" \
	"$(as blog curl -sS --proxy "$PROXY4" http://www.example.com/who | wc -l)" = 1
is "without the daemon the last lists hold: refused" \
	"$(as blog curl -s -o /dev/null -w '%{http_code}' --proxy "$PROXY4" http://evil.example.net/)" = 403
stop_proxy KILL 2>/dev/null
"$T/bin/uidwall-proxy" --config "$CONFIG" --control "$CONTROL" >>"$T/proxy.records" 2>>"$T/proxy.log" </dev/null &
echo $! >"$T/proxy.pid"
wait_until 5 bash -c ': </dev/tcp/127.0.0.1/3128'
as blog curl -si --proxy "$PROXY4" http://www.example.com/who >"$T/out"
check "without lists nobody gets out" grep -q '^HTTP/1.1 503' "$T/out"
check "and is told why" grep -q 'uidwalld' "$T/out"
start_daemon
wait_until 3 proxy_answers
is "with the daemon back it goes on by itself" \
	"$(as blog curl -sS --proxy "$PROXY4" http://www.example.com/who | wc -l)" = 1

# --- a flood harms nobody else
policy erp <<<'{ "user": "erp", "hosts": ["www.example.com"] }'
"$T/bin/uidwall" --control "$CONTROL" apply >/dev/null
as blog python3 - <<'P' &
import socket, time
s = []
for i in range(60):
    c = socket.create_connection(("127.0.0.1", 3128))
    c.sendall(b"CONNECT www.example.com:5003 HTTP/1.1\r\nHost: www.example.com:5003\r\n\r\n")
    s.append(c)
time.sleep(3)
P
flood=$!
sleep 1
is "a service with too many connections is told so" \
	"$(as blog curl -s -o /dev/null -w '%{http_code}' --proxy "$PROXY4" http://www.example.com/who)" = 503
is "another one is served" "$(as erp curl -s -o /dev/null -w '%{http_code}' --proxy "$PROXY4" http://www.example.com/who)" = 200
wait "$flood"
sleep 0.2
is "and it is served again afterwards" \
	"$(as blog curl -s -o /dev/null -w '%{http_code}' --proxy "$PROXY4" http://www.example.com/who)" = 200
finish
