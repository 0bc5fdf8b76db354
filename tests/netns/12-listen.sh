#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# listen: only declared ports answer, `from` keeps other local users off, and a declared port does not
# call out, whoever owns it. Topology: lib.sh; "outside" is the namespace sink.
. "$(dirname "$0")/lib.sh"
private "$@"

sample blog gitea nothing
policy chat <<'EOF'
{
  "user": "erp",
  "dns": false,
  "proxy": false,
  "listen": [
    { "port": [ "7000-7002", 7010 ] },
    { "port": 7000, "protocol": "udp" }
  ]
}
EOF
stand_in blog blog echo:tcp:3000
stand_in gitea gitea echo:tcp:3001 echo:tcp:2222
stand_in chat erp echo:tcp:7000 echo:tcp:7002 echo:tcp:7003 echo:tcp:7010 echo:udp:7000 echo:udp:7001
start_daemon

outside() {
	in_sink "$ATTEMPT" -t 400 "$@"
}

# answers NAME ARGUMENTS...: the outsider gets through
answers() {
	local out
	if out=$(outside "$@" 2>&1); then
		pass "outside: $* is answered"
	else
		fail "outside: $* is answered" "$out"
	fi
}

# silent ARGUMENTS...: the outsider gets not one byte of data
silent() {
	local out
	out=$(outside "$@" 2>&1)
	if [[ $out == *'"result":"timeout"'* ]]; then
		pass "outside: $* is not answered"
	else
		fail "outside: $* is not answered" "$out"
	fi
}

# bind_shell USER KIND ADDRESS:PORT: listens in the background for one caller
bind_shell() {
	: >"$T/shell.log" # of the shell before: it says that it listens, too
	attempt "$1" -t 3000 "$2" "$3" >"$T/shell.log" &
	shell_pid=$!
	wait_until 3 grep -q listening "$T/shell.log" || die "no bind shell"
}

bind_shell_ends() {
	wait "$shell_pid"
}

answers -m x tcp 192.0.2.2:3000
answers -m x tcp '[2001:db8::2]:3000'
answers -m x tcp 192.0.2.2:7000
answers -m x tcp '[2001:db8::2]:7002'
answers -m x tcp '[2001:db8::2]:7010'
answers udp 192.0.2.2:7000
answers udp '[2001:db8::2]:7000'
silent -m x tcp 192.0.2.2:7003
silent -m x tcp '[2001:db8::2]:7003'
silent udp 192.0.2.2:7001
silent udp '[2001:db8::2]:7001'

# A bind shell: nothing answers, not even the handshake.
for user in vault blog; do
	mark=$(captured)
	bind_shell "$user" listen '[::]:4444'
	silent -m id tcp 192.0.2.2:4444
	silent -m id tcp '[2001:db8::2]:4444'
	fence
	check "$user's bind shell sends no frame" test -z "$(arrived_since "$mark")"
	gets_no_answer stranger -m id tcp 127.0.0.1:4444
	gets_no_answer stranger -m id tcp '[::1]:4444'
	bind_shell_ends
	bind_shell "$user" listen-udp '[::]:4444'
	silent -m id udp 192.0.2.2:4444
	bind_shell_ends
	check "$user's answer over UDP is refused" grep -q '"stage":"send","errno":"EPERM"' "$T/shell.log"
done

# A SYN cookie belongs to no socket, and neither does the reset of a port that is closed by then: the
# handshake may pass. No data does.
sysctl -qw net.ipv4.tcp_syncookies=2
for target in 192.0.2.2 '[2001:db8::2]'; do
	bind_shell vault listen '[::]:4444'
	outside -m id tcp "$target:4444" >"$T/cookie"
	bind_shell_ends
	check "outside: $target:4444 gets no data behind a SYN cookie" \
		jq -e '.result != "ok" and .answer == null' "$T/cookie"
done
answers -m x tcp 192.0.2.2:3000
sysctl -qw net.ipv4.tcp_syncookies=1

# from: the web server, root and the service itself; nobody else on this machine
for to in 127.0.0.1 '[::1]' 192.0.2.2; do
	goes caddy -m x tcp "$to:3000"
	goes root -m x tcp "$to:3000"
	refused stranger tcp "$to:3000"
	refused www-data tcp "$to:3000"
	refused gitea tcp "$to:3000"
	goes www-data -m x tcp "$to:3001"
	refused caddy tcp "$to:3001"
	goes stranger -m x tcp "$to:2222"
done
goes blog -m x tcp 127.0.0.1:3000
goes gitea -m x tcp '[::1]:3001'
# The port number alone is nobody's: elsewhere it is just a port.
goes stranger -m x tcp 203.0.113.7:3000
goes stranger -m x tcp '[2001:db8:bad::7]:3000'

# A declared port answers, it does not call out: neither its owner nor root, who may have opened it.
stop blog
stop chat
for target in 203.0.113.7 '[2001:db8:bad::7]'; do
	refused blog -p 3000 tcp "$target:443"
	refused root -p 3000 tcp "$target:443"
	refused blog -p 3000 reaim "$target:443"
	refused erp -p 7000 udp "$target:443"
	refused root -p 7000 udp "$target:443"
	goes root -p 3002 -m x tcp "$target:443"
done
# A port that two services declare, on addresses of their own: the one's guard stands in the other's way.
sample blog
policy twin <<'EOF'
{ "user": "phpmyadmin", "listen": [ { "port": 7100 }, { "port": 7100, "protocol": "udp" } ] }
EOF
policy guarded <<'EOF'
{ "user": "mailer", "listen": [ { "port": 7100, "from": ["caddy"] },
  { "port": 7100, "protocol": "udp", "from": ["caddy"] } ] }
EOF
stand_in guarded mailer echo:tcp:7100 echo:udp:7100
reload
goes caddy -m x tcp 127.0.0.9:7100
goes caddy udp 127.0.0.1:7100
refused phpmyadmin tcp 127.0.0.9:7100
refused phpmyadmin tcp '[::1]:7100'
refused phpmyadmin udp 127.0.0.9:7100
finish
