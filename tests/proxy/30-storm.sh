#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 30-storm.sh - clients that do everything wrong, lists that change under them, no descriptors left: the proxy
# stands, keeps nothing, and serves. $STORM_SECONDS: how long (2), $STORM_SEED.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

SECONDS_EACH=${STORM_SECONDS:-2}
SEED=${STORM_SEED:-1}

world_make
with() {
	policy blog <<<"{ \"user\": \"blog\", \"hosts\": [ \"www.example.com\", \"nowhere.example.com\", $1
		\"www.example.com:5001\", \"www.example.com:5002\", \"www.example.com:5003\", \"www.example.com:5004\",
		\"www.example.com:5005\", \"www.example.com:5006\", \"www.example.com:1\" ] }"
}
with ''
cat >"$CONFIG" <<<'{ "resolvers": ["192.0.2.53"], "proxy": { "request_s": 1, "idle_s": 2 } }'
start_daemon
start_proxy

descriptors() {
	find "/proc/$(proxy_pid)/fd" -type l | wc -l
}

memory() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(proxy_pid)/status"
}

serves() {
	[[ $(as blog curl -s -m 5 -o /dev/null -w '%{http_code}' --proxy "$PROXY4" http://www.example.com/who) == 200 ]]
}

# at_rest N: as many descriptors as before, but for pipes that are kept for the next; and perhaps the call
# to the daemon that was not made yet then
# shellcheck disable=SC2317 # by wait_until
at_rest() {
	local pipes
	pipes=$(find "/proc/$(proxy_pid)/fd" -type l -lname 'pipe:*' | wc -l)
	(($(descriptors) - pipes <= $1 + 1))
}

serves
pipes=$(find "/proc/$(proxy_pid)/fd" -type l -lname 'pipe:*' | wc -l)
before=$(($(descriptors) - pipes))
as blog "$T/bin/storm.py" "$SECONDS_EACH" "$SEED" >"$T/storm" &
storm=$!
changes=0
while kill -0 "$storm" 2>/dev/null; do
	with '"taken.example.com:5003",'
	"$T/bin/uidwall" --control "$CONTROL" apply >/dev/null
	sleep 0.1
	with ''
	"$T/bin/uidwall" --control "$CONTROL" apply >/dev/null
	sleep 0.1
	((changes += 2))
done
wait "$storm"
note "$(cat "$T/storm"), $changes changes of the lists, $(wc -l <"$T/proxy.records") records"
is "a storm of clients, and it was one" "$(($(cut -d' ' -f1 "$T/storm") > 50 * SECONDS_EACH))" = 1
check "the proxy stands" proxy_alive
check "and serves" serves
wait_until 6 at_rest "$before" || note "$(ls -l "/proc/$(proxy_pid)/fd"; ss -ntp | head -n 40)"
check "and holds no descriptor of theirs" at_rest "$before"
first=$(memory)
as blog "$T/bin/storm.py" "$SECONDS_EACH" "$((SEED + 1))" >"$T/storm"
wait_until 6 at_rest "$before"
second=$(memory)
note "memory after each: $first and $second KiB"
# A sanitizer's allocator keeps what was freed for a while.
if ! readelf -d "$UIDWALL_PROXY" | grep -q 'NEEDED.*asan'; then
	is "a second one makes it no larger" "$second" -lt $((first + first / 4))
fi

# --- few descriptors, which root's own limit is
stop_proxy TERM
is "it ends when it is told to" $? = 0
cp "$UIDWALL_PROXY" "$T/bin/unlimited"
printf '#!/bin/sh\nulimit -n 300\nexec %s "$@"\n' "$T/bin/unlimited" >"$T/bin/limited"
UIDWALL_PROXY=$T/bin/limited start_proxy
as blog python3 - <<'P' &
import socket, time
s = []
for i in range(200):
    c = socket.socket()
    c.settimeout(1)
    try:
        c.connect(("127.0.0.1", 3128))
        c.sendall(b"CONNECT www.example.com:5001 HTTP/1.1\r\nHost: www.example.com:5001\r\n\r\n")
    except OSError:
        pass
    s.append(c)
time.sleep(1)
P
flood=$!
sleep 0.8
check "more connections than descriptors: it stands" proxy_alive
recorded "and says so" '.reason == "too-many"'
wait "$flood"
check "and serves when they are gone" wait_until 5 serves
finish
