#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A tightened policy closes the connections that it would refuse, at once, and no others: over IPv4, IPv6
# and mapped addresses, TCP, UDP and MPTCP, in every state, also what a program left behind. They are
# shown beforehand and logged afterwards. Topology: lib.sh. In the sink ports 8 and 18 accept and never
# read, port 81 does not answer.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
command -v ss >/dev/null || skip_all "needs the program ss"
private "$@"

# shellcheck source=tests/netns/hold.sh
. "$(dirname "$0")/hold.sh"

in_sink nft -f - <<-'E' || die "the sink's rules do not load"
	insert rule inet sink answer tcp dport { 8, 18 } meta nfproto ipv4 dnat ip to 192.0.2.1
	insert rule inet sink count tcp dport 81 drop
E
mkfifo -m 666 "$T/silence.fifo"
start silence nsenter --net=/run/netns/sink python3 "$HOLDER" -1 "$T/silence.fifo" \
	eight=silent:0.0.0.0:8 eighteen=silent:0.0.0.0:18

# --- connections that are older than the wall -----------------------------------------------------

note "connections older than the first policy"
policy blog <<-'E'
	{ "user": "blog", "connect": [ { "to": "192.0.2.1", "port": [7, 18] } ] }
E
hold old blog old=tcp:198.51.100.9:7 keep=tcp:192.0.2.1:7 lite=udplite:198.51.100.9:7 \
	left=orphan:198.51.100.9:8 leftkeep=orphan:192.0.2.1:18
ask old
states old ok old keep
is "an orphan waits to send" "$(kernel_has 198.51.100.9:8)" = FIN-WAIT-1
start_daemon
ask old
states old ok keep
states old ECONNABORTED old
states old EPERM lite
is "the orphan is closed" "$(kernel_has 198.51.100.9:8)" = ""
is "an orphan that the policy allows still waits" "$(kernel_has 192.0.2.1:18)" = FIN-WAIT-1
check "a line says so" closed 0 \
	'blog tcp 192.0.2.2:[0-9]* → 198.51.100.9:7 of uid 2003 (blog.json no line allows it)'
check "a line tells the orphan" closed 0 \
	'blog tcp .* → 198.51.100.9:8 of uid 2003, which its program had left (blog.json'
check "UDP-Lite cannot be closed: a line says so" grep -q \
	'1 connection that the policies refuse cannot be closed: Operation not supported' \
	"$T/daemon.log"
stop old

# --- a tightened policy ---------------------------------------------------------------------------

policy blog <<-'E'
	{
	  "user": "blog",
	  "connect": [
	    { "to": "192.0.2.0/24", "port": "1-1000" },
	    { "to": "198.51.100.0/24", "port": "1-1000" },
	    { "to": "2001:db8::/32", "port": "1-1000" },
	    { "to": "127.0.0.1", "port": 5000 },
	    { "to": "192.0.2.0/24", "port": 7, "protocol": "udp" },
	    { "to": "198.51.100.0/24", "port": 7, "protocol": "udp" },
	    { "to": "2001:db8::/32", "port": 7, "protocol": "udp" }
	  ],
	  "listen": [ { "port": [3000, 3001] } ]
	}
E
policy erp <<<'{ "user": "erp", "connect": [ { "to": "198.51.100.0/24", "port": 7 } ] }'
policy gitea <<<'{ "user": "gitea", "listen": [ { "port": 4000, "from": ["caddy", "stranger"] } ] }'
check "a wide policy is applied" reload

hold server root multipath=mplisten:127.0.0.1:5000
hold blog blog keep4=tcp:192.0.2.1:7 'keep6=tcp:[2001:db8::1]:7' 'keepmapped=tcp:[::ffff:192.0.2.1]:7' \
	keepudp=udp:192.0.2.1:7 lose4=tcp:198.51.100.9:7 'lose6=tcp:[2001:db8:5::1]:7' \
	'losemapped=tcp:[::ffff:198.51.100.9]:7' loseudp=udp:198.51.100.9:7 \
	'loseudp6=udp:[2001:db8:5::1]:7' loseplain=mptcp:198.51.100.10:7 \
	multipath=mptcp:127.0.0.1:5000 calling=syn:192.0.2.1:81 \
	left=orphan:198.51.100.9:8 leftkeep=orphan:192.0.2.1:18 declared=listen:127.0.0.1:3000 \
	undeclared=listen:127.0.0.1:3001 unconnected=unconnected:0.0.0.0:3003
hold erp erp other=tcp:198.51.100.9:7
hold gitea gitea server=listen:127.0.0.1:4000
hold root root root=tcp:198.51.100.9:7 guarded=tcp:127.0.0.1:4000
hold caddy caddy guarded=tcp:127.0.0.1:4000
hold stranger stranger guarded=tcp:127.0.0.1:4000 outside=tcp:198.51.100.9:7 \
	declared=tcp:127.0.0.1:3000 undeclared=tcp:127.0.0.1:3001
ask blog
states blog ok keep4 keep6 keepmapped keepudp lose4 lose6 losemapped loseudp loseudp6 loseplain \
	multipath
states blog open calling unconnected
ask stranger
states stranger ok guarded outside declared undeclared

policy blog <<-'E'
	{
	  "user": "blog",
	  "connect": [
	    { "to": "192.0.2.1", "port": [7, 18] },
	    { "to": "2001:db8::1", "port": 7 },
	    { "to": "192.0.2.1", "port": 7, "protocol": "udp" }
	  ],
	  "listen": [ { "port": 3000 } ]
	}
E
policy gitea <<<'{ "user": "gitea", "listen": [ { "port": 4000, "from": ["caddy"] } ] }'

# --- shown beforehand -----------------------------------------------------------------------------

uidwall diff --json >"$T/diff.json" 2>"$T/diff.err"
sort >"$T/expected" <<-'E'
	blog 2003 tcp 127.0.0.1:PORT established false blog.json no line allows it
	blog 2003 tcp 127.0.0.1:5000 established false blog.json no line allows it
	blog 2003 tcp 192.0.2.1:81 syn-sent false blog.json no line allows it
	blog 2003 tcp 198.51.100.10:7 established false blog.json no line allows it
	blog 2003 tcp 198.51.100.9:7 established false blog.json no line allows it
	blog 2003 tcp 198.51.100.9:7 established false blog.json no line allows it
	blog 2003 tcp 198.51.100.9:8 fin-wait-1 true blog.json no line allows it
	blog 2003 tcp [2001:db8:5::1]:7 established false blog.json no line allows it
	blog 2003 udp 198.51.100.9:7 established false blog.json no line allows it
	blog 2003 udp [2001:db8:5::1]:7 established false blog.json no line allows it
	gitea 2050 tcp 127.0.0.1:4000 established false gitea.json:1 listen: from does not name them
E
jq -r '.sockets.list[] | "\(.service) \(.uid) \(.protocol) \(.to) \(.state) \(.orphan) \(.why)"' \
	"$T/diff.json" 2>>"$T/diff.err" | sed -E 's/127\.0\.0\.1:[0-9]{5}/127.0.0.1:PORT/' |
	sort >"$T/found"
check "diff shows what would be closed, and by which line" diff "$T/expected" "$T/found"
is "diff counts them" "$(jq .sockets.refused "$T/diff.json")" -eq 11
is "this kernel can close them" "$(jq .sockets.can_close "$T/diff.json")" = true
ask blog
states blog ok lose4 lose6 losemapped loseudp loseudp6 loseplain

# --- closed by the change -------------------------------------------------------------------------

before=$(wc -l <"$T/daemon.log")
fence
mark=$(captured)
check "the tightened policy is applied" reload
fence
tail -n "+$((mark + 1))" "$T/capture.log" | grep -E '> \[(198\.51\.100\.|2001:db8:5:)' >"$T/left"
ask blog
states blog ok keep4 keep6 keepmapped keepudp
states blog ECONNABORTED lose4 lose6 losemapped loseudp loseudp6 loseplain calling undeclared
states blog ok declared
states blog open unconnected
# Its SYN went out without MPTCP's option, so it is an ordinary one.
states blog ECONNABORTED multipath
is "what was to be an MPTCP connection is closed" "$(kernel_has 127.0.0.1:5000)" = ""
is "the orphan is closed" "$(kernel_has 198.51.100.9:8)" = ""
is "an orphan that is allowed still waits" "$(kernel_has 192.0.2.1:18)" = FIN-WAIT-1
ask erp
states erp ok other
ask root
states root ok root guarded
ask caddy
states caddy ok guarded
ask stranger
states stranger ECONNABORTED guarded
states stranger ok outside declared

is "the log has a line for each" \
	"$(tail -n "+$((before + 1))" "$T/daemon.log" | grep -c 'closed: ')" -eq 11
check "the log names the guarding line" closed "$before" \
	'gitea tcp 127.0.0.1:[0-9]* → 127.0.0.1:4000 of uid 2050 (gitea.json:1 listen: from does'
# What a socket with an owner would send is refused by now, its reset, too: the far side does not hear
# of it. The reset of an orphan has no owner, and leaves.
if [[ $(cat "$T/left") =~ ^tcp\ \[192\.0\.2\.2\]:[0-9]+\ \>\ \[198\.51\.100\.9\]:8\ A?R$ ]]; then
	pass "of all that is closed, one reset leaves: the orphan's"
else
	fail "of all that is closed, one reset leaves: the orphan's" "$(cat "$T/left")"
fi

# --- the way that the next packet would take -------------------------------------------------------

# A tunnel that only erp's packets take: `ip rule` looks at the user.
ip link add tun9 type veth peer name tun9 netns sink
in_sink ip address add 10.9.0.1/24 dev tun9
in_sink ip link set tun9 up
ip address add 10.9.0.2/24 dev tun9
ip link set tun9 up
tunnel_route() {
	ip route "$1" default via 10.9.0.1 dev tun9 table 9
}
tunnel_route add
ip rule add uidrange 2001-2001 lookup main suppress_prefixlength 0 priority 100
ip rule add uidrange 2001-2001 lookup 9 priority 101

# erp N [MODE]: one line, and N to have something to apply
erp() {
	policy erp <<-E
		{
		  "comment": "$1",
		  "user": "erp",
		  "mode": "${2:-enforce}",
		  "connect": [
		    { "to": "198.51.100.9", "port": 7, "interface": "tun9" },
		    { "to": "192.0.2.2", "port": 9, "protocol": "udp", "interface": "lo" },
		    { "to": "localhost", "port": 9, "protocol": "udp" }
		  ],
		  "listen": [ { "port": $1 } ]
		}
	E
}
stop erp
erp 6001 monitor # only what was not refused before is closed, of what is no TCP
check "a policy with interfaces is applied" reload
hold ways erp tunnel=tcp:198.51.100.9:7 own=udp:192.0.2.2:9 own-bound=udp@eth0:192.0.2.2:9 \
	loopback=udp:127.0.0.1:9 'loopback6=udp:[::1]:9' uplink=udp@eth0:127.0.0.1:9 \
	'uplink6=udp@eth0:[::1]:9'
ask ways
states ways ok tunnel
erp 6002
check "a change that leaves the interfaces alone is applied" reload
ask ways
states ways ok tunnel
states ways "open|ECONNREFUSED" own own-bound loopback loopback6
states ways ECONNABORTED uplink uplink6

# While there is no way, nothing says by which interface it would leave.
ip rule del priority 100
tunnel_route del
ip route add unreachable default table 9
erp 6003
check "a change while the tunnel has no route is applied" reload
ip route del unreachable default table 9
tunnel_route add
ask ways
states ways ok tunnel

# --- many ------------------------------------------------------------------------------------------

hold many mailer many=many:198.51.100.9:7
policy mailer <<<'{ "user": "mailer" }'
uidwall diff --json >"$T/diff.json"
is "diff counts all" "$(jq .sockets.refused "$T/diff.json")" -eq 130
is "diff lists some" "$(jq '.sockets.list | length' "$T/diff.json")" -eq 100
before=$(wc -l <"$T/daemon.log")
check "a first policy for a busy user is applied" reload
ask many
states many ECONNABORTED many
is "the log lists some" "$(tail -n "+$((before + 1))" "$T/daemon.log" | grep -c 'closed: mailer')" -eq 20
check "the log counts the rest" closed "$before" '110 more'
finish
