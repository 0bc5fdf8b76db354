#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# "transparent": which connections are led to the proxy, that the proxy learns where they were going, and
# that whatever a service tries with them, nothing of it leaves the box. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
command -v ss >/dev/null || skip_all "needs the program ss"
private "$@"
# shellcheck source=tests/netns/hold.sh
. "$(dirname "$0")/hold.sh"
# shellcheck source=tests/netns/led.sh
. "$(dirname "$0")/led.sh"
sysctl -qw net.ipv4.tcp_fastopen=0x603

# blog [TRANSPARENT] [MORE OF CONNECT]
blog() {
	policy blog <<-EOF
		{
		  "user": "blog",
		  "hosts": ["a.example", "mail.example:587", "mail.example:2587", "ns.example:53"],
		  "connect": [
		    { "to": "203.0.113.9", "port": "400-500" },
		    { "to": "2001:db8:bad::9", "port": 443 }
		    ${2:-}
		  ],
		  "transparent": ${1:-true}
		}
	EOF
}

# lines of the table that are about "transparent"
ways() {
	nft list table inet uidwall | grep -cE 'way|dnat|opening|leaving|strayed|arriving|shifted'
}

# What left since that line of the capture, but for what has no data: the kernel resets and acknowledges
# connections that are no more, and asks orphans' peers for their window, without an owner
# (docs/decisions/transparent.md). That nothing had data the sink counts.
since() {
	arrived_since "$1" | grep -vE ' (A|R|RA|AR)$'
}
in_sink nft -f - <<-'E' || die "the sink's rules do not load"
	add counter inet sink data
	insert rule inet sink count ip daddr { 203.0.113.7, 127.0.0.1 } meta l4proto tcp meta length > 100 counter name data
	insert rule inet sink count ip6 daddr { 2001:db8:bad::7, ::1 } meta l4proto tcp meta length > 100 counter name data
E
data_seen() {
	in_sink nft -j list counter inet sink data | jq '.nftables[].counter | select(.) | .packets'
}

# What became of a connection that is no more.
ENDED="EPIPE|ECONNRESET|ECONNABORTED|ECONNREFUSED|ENOTCONN"

blog
policy erp <<'E'
{ "user": "erp", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }
E
start_daemon

# --- who, where to --------------------------------------------------------------------------------

led blog 203.0.113.7:443
led blog 203.0.113.7:80
led blog 203.0.113.7:587
led blog 203.0.113.7:53
led blog '[2001:db8:bad::7]:443'
led blog '[2001:db8:bad::7]:80'
led blog '[2001:db8:bad::7]:587'
led blog 203.0.113.7:443 -n 300007
led blog 203.0.113.7:443 -s 192.0.2.2
led blog '[2001:db8:bad::7]:443' -s ::1
refused blog tcp 203.0.113.7:8443
refused blog udp 203.0.113.7:443
refused blog tcp '[2001:db8:bad::7]:25'
direct blog 203.0.113.9:443
direct blog '[2001:db8:bad::9]:443'
led blog 203.0.113.9:80
led blog '[2001:db8:bad::9]:80'
direct erp 203.0.113.7:443
direct stranger 203.0.113.7:443
direct stranger '[2001:db8:bad::7]:443'
direct root 203.0.113.7:443
refused erp tcp 203.0.113.7:80
goes blog dns 192.0.2.53:53 a.example
goes blog dns-tcp 192.0.2.53:53 a.example
refused blog tcp 127.0.0.1:443
refused blog tcp 127.0.0.2:80
refused blog tcp 192.0.2.2:443
refused blog tcp '[::1]:443'
refused blog tcp '[2001:db8::2]:80'
goes blog tcp 127.0.0.1:3128
goes blog tcp '[::1]:3128'

# --- what a service could try ---------------------------------------------------------------------

blocked blog -d eth0 tcp 203.0.113.7:443
blocked blog -d eth0 tcp '[2001:db8:bad::7]:443'
blocked blog -d eth0 tcp 127.0.0.1:3128
refused blog tcp 127.0.0.1:31280
refused blog tcp '[::1]:31295'
blocked blog -d eth0 tcp '[::1]:3128'
blocked blog -d lo tcp 203.0.113.7:443
blocked blog -o tcp 203.0.113.7:443
blocked blog -r 2001:db8:bad::8 tcp '[2001:db8:bad::7]:443'
blocked blog -b -s 2001:db8:bad::6 tcp '[2001:db8:bad::7]:443'
leaves root -d eth0 tcp 203.0.113.7:443

# Data in the SYN, by a device that the socket is bound to; MPTCP.
cat >"$T/trick.py" <<'E'
import os
import socket
import sys

os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
for kind in sys.argv[3:]:
    for family, to in ((socket.AF_INET, "203.0.113.7"), (socket.AF_INET6, "2001:db8:bad::7")):
        s = socket.socket(family, socket.SOCK_STREAM, 262 if kind == "mptcp" else 0)
        s.settimeout(0.3)
        try:
            if kind != "mptcp":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[2].encode())
            if kind == "fast":
                s.sendto(b"secret", socket.MSG_FASTOPEN, (to, 443))
            else:
                s.connect((to, 443))
                s.sendall(b"secret")
                if s.recv(6) == b"secret":
                    print(kind, "goes")
        except OSError as e:
            print(kind, e)
E
# tricked NAME ARGUMENT...: whatever comes of it, nothing leaves
tricked() {
	local mark arrived
	settle
	mark=$(captured)
	python3 "$T/trick.py" "$(uid_of blog)" "${@:2}" >"$T/trick.log" 2>&1
	fence
	arrived=$(arrived_since "$mark")
	if [[ -n $arrived ]]; then
		fail "$1" "$arrived"
	else
		pass "$1"
	fi
}
tricked "fast open by the uplink" eth0 fast connect
tricked "MPTCP is led" eth0 mptcp
is "and becomes TCP" "$(grep -c 'mptcp goes' "$T/trick.log")" -eq 2

# With one port NAT would give the second one another source port, and the proxy take it for somebody
# else's; so there are several, and NAT takes the next one.
cat >"$T/same.py" <<'E'
import errno
import os
import socket
import sys

os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
kept = []
for family, own, to in ((socket.AF_INET, "192.0.2.2", ("203.0.113.7", "203.0.113.8")),
                        (socket.AF_INET6, "2001:db8::2", ("2001:db8:bad::7", "2001:db8:bad::8"))):
    for address in to:
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(2)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((own, 41234))
        kept.append(s)
        try:
            s.connect((address, 443))
            print("ok")
        except OSError as e:
            print(errno.errorcode.get(e.errno, e))
E
is "from one port to two targets: both are led" \
	"$(python3 "$T/same.py" "$(uid_of blog)" | tr '\n' ' ')" = "ok ok ok ok "

# --- open connections -----------------------------------------------------------------------------

hold open blog four=tcp:203.0.113.7:443 "six=tcp:[2001:db8:bad::7]:443" mail=tcp:203.0.113.7:587 \
	direct=tcp:203.0.113.9:443
ask open
states "connections" ok four six mail direct
blog true ', { "to": "203.0.113.77", "port": 25 }'
check "a reload" reload
ask open
states "leaves them open" ok four six mail direct
settle
mark=$(captured)
blog false
check "transparent no more" reload
is "nothing of it is left" "$(ways)" -eq 0
ask open
states "what was led is closed" "$ENDED" four six mail
states "what was not is open" ok direct
check "with the reason" closed 0 'blog tcp .* → 203.0.113.7:443 of uid 2003 (blog.json no line'
refused blog tcp 203.0.113.7:443
stop open
blog
check "transparent again" reload
hold orphans blog orphan=orphan:203.0.113.7:2587 "orphan6=orphan:[2001:db8:bad::7]:2587"
is "closed, and still sending" "$(ss -Htan 'dport = 2587' | grep -c FIN-WAIT)" -eq 2
blog false
check "and no more" reload
is "orphans are closed, too" "$(ss -Htan 'dport = 2587' | wc -l)" -eq 0
stop orphans
sleep 0.3
fence
is "nothing that was led has left" "$(since "$mark" | grep '113\.7\|bad::7\|3128')" = ""
is "nor any data" "$(data_seen)" -eq 0

# --- older ones -----------------------------------------------------------------------------------

blog false ', { "to": "203.0.113.7", "port": [443, 2587] }, { "to": "2001:db8:bad::7", "port": 443 }'
check "direct" reload
hold old blog four=tcp:203.0.113.7:443 "six=tcp:[2001:db8:bad::7]:443"
ask old
states "old connections" ok four six
lines=$(wc -l <"$T/daemon.log")
blog
check "transparent again, and direct no more" reload
check "what was direct is closed" closed "$lines" 'blog tcp .* → 203.0.113.7:443 of uid 2003'
ask old
states "old connections" "$ENDED" four six
stop old

# --- conntrack forgets ----------------------------------------------------------------------------

if command -v conntrack >/dev/null; then
	hold forgot blog four=tcp:203.0.113.7:443 "six=tcp:[2001:db8:bad::7]:443"
	ask forgot
	states "led" ok four six
	settle
	mark=$(captured)
	conntrack -F >/dev/null 2>&1
	conntrack -F -f ipv6 >/dev/null 2>&1
	ask forgot
	states "what conntrack forgot ends" "$ENDED" four six
	fence
	is "and does not leave" "$(arrived_since "$mark")" = ""
	stop forgot
fi

# --- under traffic --------------------------------------------------------------------------------

settle
mark=$(captured)
before=$(data_seen)
traffic web blog -i 500 -t 500 tcp 203.0.113.7:443
traffic web6 blog -i 500 -t 500 tcp '[2001:db8:bad::7]:443'
for i in {1..8}; do
	blog false
	reload || fail "reload $i"
	blog true ", { \"to\": \"203.0.113.$((100 + i))\", \"port\": 443 }"
	reload || fail "reload $i"
done
traffic_stop
fence
is "while it comes and goes, nothing leaves" "$(since "$mark" | head -n 3)" = ""
is "nor any data" "$(data_seen)" -eq "$before"
is "and it was led" "$(number web .ok)" -gt 0
is "over IPv6 as well" "$(number web6 .ok)" -gt 0

# --- a proxy with one port ------------------------------------------------------------------------

config <<'E'
{ "proxy": { "transparent_ports": "31280-31280" } }
E
check "one port" reload
led blog 203.0.113.7:443
led blog '[2001:db8:bad::7]:443'
is "from one port to two targets: the second is refused at once" \
	"$(python3 "$T/same.py" "$(uid_of blog)" | tr '\n' ' ')" = "ok ECONNREFUSED ok ECONNREFUSED "
blocked blog -d eth0 tcp 203.0.113.7:443
finish
