#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# selftest: it finds a wall that holds to hold, and one that does not to be open; it sends what it says,
# and where it says; its processes are the user's and nothing more. Topology: lib.sh, and
#
#   network namespace "bare": no wall; eth1 198.18.0.2 fd00:18::2, default by eth1 of the sink
. "$(dirname "$0")/lib.sh"
private "$@"

sample blog
policy wordpress <<'E'
{ "user": "wordpress", "mode": "monitor" }
E
policy phpmyadmin <<'E'
{
  "user": "phpmyadmin",
  "dns": false,
  "connect": [
    { "to": "198.51.100.0/24", "port": 443 },
    { "to": "10.1.2.3", "port": 5432 },
    { "to": "127.0.0.1", "port": 6 },
    { "to": "127.0.0.1", "port": 514, "protocol": "udp" },
    { "to": "198.51.100.0/24", "protocol": "icmp" },
    { "to": "203.0.113.9", "port": 9, "protocol": "udp" }
  ]
}
E
policy gitea <<'E'
{ "user": "gitea", "proxy": false, "unit": "gitea.service", "listen": [ { "port": 3001, "from": ["caddy"] } ] }
E
policy vault <<'E'
{ "user": "vault" }
E
policy mailer <<'E'
{ "user": "mailer", "conect": [] }
E
policy class <<'E'
{ "uids": ["2005-2006", "2002-2004", "2008-2020", "70000-70010"] }
E
stand_in postgres postgres echo:tcp:5432
stand_in gitea gitea echo:tcp:3001
start_daemon
uidwall off vault >"$T/off.log" 2>&1
install -m 755 "$builddir/uidwall-selftest" "$T/bin/uidwall-selftest"
# What the governed users send, before anybody refuses it.
nft -f - <<'E' || die "packets cannot be counted"
table inet look {
	set governed {
		type uid
		flags interval
		elements = { 2001-2020, 70000-70010, 300000-365535 }
	}
	set senders {
		type uid
		flags dynamic
		size 1024
	}
	chain output {
		type filter hook output priority -300; policy accept;
		meta skuid @governed add @senders { meta skuid }
	}
}
E

# selftest ARGUMENT...: as JSON in $T/st.json, the status in $status
selftest() {
	uidwall selftest "$@" --json >"$T/st.json" 2>"$T/st.err"
	status=$?
}

# found NAME FILTER: jq says true of the last one
found() {
	check "$1" jq -e "$2" "$T/st.json"
}

# all NAME SERVICE FILTER WANTED: of the attempts of a service that jq picks, each is "expected verdict"
all() {
	is "$1" "$(jq -r "[.services[] | select(.service == \"$2\").users[].attempts[] | select($3) |
		.expected + \" \" + .verdict] | unique | join(\", \")" "$T/st.json")" = "$4"
}

# one SERVICE FILTER VALUES: what jq says of the one attempt, or of all where they say the same
one() {
	jq -r "[.services[] | select(.service == \"$1\").users[].attempts[] | select($2) | [$3] | map(tostring) |
		join(\", \")] | unique | join(\"; \")" "$T/st.json"
}

senders() {
	nft -j list set inet look senders | jq -r '[.nftables[1].set.elem // [] | .[] |
		if type == "object" then .elem.val else . end] | sort | map(tostring) | join(" ")'
}

# outside FILE [MARK]: where frames went that are no documentation addresses (the name servers are)
outside() {
	awk -v mark="${2:-0}" 'NR > mark && $1 != "ready" { print $4 }' "$1" | sed 's/\]:[0-9]*$/]/' | sort -u |
		grep -vE '^\[((192\.0\.2|198\.51\.100|203\.0\.113)\.[0-9]+|2001:db8:[0-9a-f:]*)\]$' | xargs
}

# --- beforehand
mark=$(captured)
selftest --dry-run
fence
is "a dry run" "$status" -eq 0
is "... sends nothing" "$(senders) $(arrived_since "$mark" | wc -l)" = " 0"
found "... says what would be sent" '.sends | length > 20'
is "... and where, nowhere else" "$(jq -r '.sends[].address' "$T/st.json" | sort -u | grep -vE \
	'^(192\.0\.2|198\.51\.100|203\.0\.113|127\.0\.0)\.[0-9]+$|^2001:db8:|^::1$|^169\.254\.169\.254$|^fd00:ec2::254$')" \
	= ""
found "... and tries nobody" '.services == null'

# --- a wall that holds
mark=$(captured)
selftest
fence
is "no surprise" "$status $(jq .ok "$T/st.json")" = "0 true"
is "frames go to documentation addresses alone" "$(outside "$T/capture.log" "$mark")" = ""
check "... and some do" grep -q '> \[203\.0\.113\.1\]:443' "$T/capture.log"
found "frames were watched" '.frames_watched'
is "every service" "$(jq -r '[.services[].service] | join(" ")' "$T/st.json")" = \
	"blog class gitea mailer phpmyadmin vault wordpress"
is "blog, and its subordinate ids" "$(jq -c '[.services[0].users[] | [.uid, .origin]]' "$T/st.json")" = \
	'[[2003,"user"],[300000,"subuid"]]'
is "of a range the first that is no other's" "$(jq -c '[.services[1].users[] | select(.attempts != []).uid]' \
	"$T/st.json")" = "[2008,70000]"
is "each sends as itself" "$(senders)" = "2002 2003 2004 2005 2006 2007 2008 70000 300000"
for service in blog class gitea mailer phpmyadmin; do
	all "$service: nothing gets out" "$service" '.attempt == "direct" and .way != "ping" or
		.attempt == "other-name-server" or .attempt == "libcurl" or .attempt == "metadata" or
		.attempt == "root-port"' "refused ok"
done
is "... and no frame of it was seen" "$(jq '[.services[].users[].attempts[] | select(.expected == "refused").seen.left] |
	any' "$T/st.json")" = false
is "all ways are tried" "$(jq -r '[.services[].users[].attempts[] | select(.seen) | .attempt + "/" + .way] |
	unique | join(" ")' "$T/st.json")" = "direct/ping direct/tcp direct/udp endpoint/ping endpoint/tcp\
 endpoint/udp libcurl/http libcurl/https metadata/tcp name-server/dns-tcp name-server/dns-udp\
 neighbour-port/tcp other-name-server/dns-tcp other-name-server/dns-udp proxy/proxy-http\
 proxy/proxy-https root-port/tcp root-port/udp"
all "a file that is wrong: all is refused" mailer .seen "refused ok"
all "a neighbour's port that blog may reach" blog '.port == 5432' "allowed ok"
is "... is open" "$(one blog '.port == 5432' .seen.end)" = answer
all "one that it may not is closed" gitea '.port == 5432' "refused ok"
all "... and so is one whose \"from\" does not name it" blog '.port == 3001' "refused ok"
all "monitor mode lets pass" wordpress '.attempt == "direct"' "allowed ok"
all "... and so does a service that is off" vault '.attempt == "direct"' "allowed ok"
all "... but not to who names its callers" wordpress '.port == 3001' "refused ok"
for service in wordpress vault; do
	all "... $service disturbs nobody" "$service" '.attempt == "metadata" or .port == 5432' "allowed not-tried"
done
is "an allowed port that nobody listens on is no refusal" \
	"$(one phpmyadmin '.port == 6' '.verdict, .seen.errno, .seen.left')" = "ok, ECONNREFUSED, true"
is "... nor is one that stays silent" \
	"$(one phpmyadmin '.address == "203.0.113.9"' '.verdict, .seen.end, .seen.left')" = "ok, silence, true"
all "endpoints elsewhere are not tried" phpmyadmin '.address == "10.1.2.3" or .port == 514' "allowed not-tried"
is "an allowed ping is answered" "$(one phpmyadmin '.way == "ping" and .expected == "allowed"' .seen.end)" = answer
all "dns: false is held" phpmyadmin '.attempt == "name-server"' "refused ok"
is "name servers answer others" "$(one blog '.attempt == "name-server"' '.seen.end')" = answer
is "the proxy is open, nobody listens" "$(one blog '.attempt == "proxy"' '.verdict, .words')" = \
	"ok, open to the proxy; nobody listens there"
all "proxy: false is held" gitea '.attempt == "proxy"' "refused ok"
found "the rules counted it" '[.services[] | .counted >= .refused] | all'
found "what no rule closes is said" '.left_open | length > 4'
uidwall selftest blog >"$T/st.txt" 2>&1
is "for people" $? -eq 0
check "... with a record" grep -qE "^uidwall selftest on $(uname -n), [0-9-]+ [0-9:]+ UTC, by root" "$T/st.txt"
check "... and a sum" grep -q '^NO SURPRISE: [0-9]* as expected, 0 surprises' "$T/st.txt"
is "... without colours" "$(grep -c $'\033' "$T/st.txt")" -eq 0

# --- told otherwise
grep -v 203.0.113.9 "$POLICIES/phpmyadmin.json" | sed 's|"icmp" },|"icmp" }|' | policy phpmyadmin # it is silent
reload
mark=$(captured)
selftest phpmyadmin --to 192.0.2.77
fence
is "another address" "$status $(one phpmyadmin '.address == "192.0.2.77"' .attempt)" = \
	"0 direct; libcurl; other-name-server"
mark=$(captured)
selftest phpmyadmin --endpoints
fence
is "endpoints elsewhere, if told" "$status $(outside "$T/capture.log" "$mark")" = "0 [10.1.2.3]"

# --- a proxy that is not ours
config <<<'{ "proxy": { "external": "127.0.0.1:3128" } }'
reload
printf '%s\n' 'Port 3128' 'Listen 127.0.0.1' 'Timeout 10' 'LogLevel Error' 'MaxClients 20' \
	"Filter \"$T/filter\"" 'FilterDefaultDeny Yes' >"$T/tinyproxy.conf"
echo 'allowed\.example' >"$T/filter"
if command -v tinyproxy >/dev/null; then
	tinyproxy -d -c "$T/tinyproxy.conf" >"$T/tinyproxy.log" 2>&1 </dev/null &
	proxy=$!
	wait_until 5 "$ATTEMPT" tcp 127.0.0.1:3128 || die "tinyproxy does not start: $(cat "$T/tinyproxy.log")"
	selftest blog
	is "a proxy that refuses the name" "$status $(one blog '.attempt == "proxy"' '.verdict, .seen.http_status')" = \
		"0 ok, 403"
	sed -i /Filter/d "$T/tinyproxy.conf"
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	tinyproxy -d -c "$T/tinyproxy.conf" >"$T/tinyproxy.log" 2>&1 </dev/null &
	proxy=$!
	wait_until 5 "$ATTEMPT" tcp 127.0.0.1:3128 || die "tinyproxy does not start: $(cat "$T/tinyproxy.log")"
	selftest blog
	is "... one that does not is its own affair" "$status $(one blog '.attempt == "proxy"' .verdict)" = "0 ok"
	config <<<'{}'
	reload
	selftest blog
	is "... but where ours is meant to be, a surprise" "$status $(one blog '.attempt == "proxy" and
		.address == "127.0.0.1"' .verdict)" = "1 surprise"
	kill "$proxy"
	wait "$proxy" 2>/dev/null
fi
config <<<'{}'
reload

# --- who tries: the user, and nothing more
is_trying() {
	pid=$(pgrep -x -u 2050 uidwall-selftes | head -n 1)
	[[ -n $pid && -e /proc/$pid/fd/4 ]]
}
# With that bit, a process that stops being root keeps its capabilities.
printf '%s\n' 'udp 2050 2050 203.0.113.9 9' |
	setpriv --securebits +no_setuid_fixup --inh-caps +net_admin "$T/bin/uidwall-selftest" >"$T/helper" &
helper=$!
wait_until 2 is_trying || die "no process of the user's"
ids=$(awk '/^(Uid|Gid|Groups):/ { $1 = $1; print }' "/proc/$pid/status" | xargs)
is "an attempt is a process of the user's" "$ids" = "Uid: 2050 2050 2050 2050 Gid: 2050 2050 2050 2050 Groups:"
is "... without capabilities" "$(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' "/proc/$pid/status" | sort -u)" = \
	0000000000000000
is "... nor a way to get some" "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" -eq 1
is "... which the user's others cannot look into" "$(stat -c %u "/proc/$pid/fd")" -eq 0
is "... and which has nothing of root's" "$(find "/proc/$pid/fd" -type l -printf '%f %l\n' | sort -n |
	sed 's/:\[.*//' | xargs)" = "0 /dev/null 1 /dev/null 2 /dev/null 3 pipe 4 socket"
wait "$helper"
is "it says what it saw" "$(cut -d' ' -f1-4,7- "$T/helper" | xargs)" = "0 silence answer 0 0 yes eth0 end"

# An intruder among the user's processes can kill them, and that shows.
setpriv --reuid 2004 --regid 2004 --clear-groups timeout 20 bash -c \
	'while :; do pkill -KILL -x -u 2004 uidwall-selftes; sleep 0.02; done' >"$T/killer.log" 2>&1 &
killer=$!
selftest wordpress
kill "$killer" 2>/dev/null
wait "$killer" 2>/dev/null
is "attempts that are killed are no success" "$status $(jq '.sums.failed > 0' "$T/st.json")" = "1 true"

# --- no wall at all: in a network where there is none
ip netns add bare
ip link add eth1 netns bare type veth peer name eth1 netns sink
ip -n sink address add 198.18.0.1/30 dev eth1
ip -n sink address add fd00:18::1/64 dev eth1 nodad
ip -n bare address add 198.18.0.2/30 dev eth1
ip -n bare address add fd00:18::2/64 dev eth1 nodad
ip -n sink link set eth1 up
ip -n bare link set eth1 up
ip -n bare link set lo up
ip -n bare route add default via 198.18.0.1
ip -n bare -6 route add default via fd00:18::1
nsenter --net=/run/netns/bare sysctl -qw net.ipv4.ping_group_range='0 2147483647'
start capture-bare nsenter --net=/run/netns/sink "$SINK" capture eth1
uidwall_bare() {
	nsenter --net=/run/netns/bare "$T/bin/uidwall" "$@" --config "$CONFIG" --policies "$POLICIES" \
		--control "$CONTROL"
}
uidwall_bare selftest blog --json >"$T/st.json" 2>"$T/st.err"
is "no wall: surprises" "$? $(jq .ok "$T/st.json")" = "1 false"
all "... all that should have been refused" blog '.expected == "refused" and .seen' "refused surprise"
is "... and where it got out" "$(one blog '.attempt == "direct" or .attempt == "metadata"' \
	'.seen.left, .seen.interface')" = "true, eth1"
check "... which is so" grep -q '> \[203\.0\.113\.1\]:443' "$T/capture-bare.log"
is "even then nothing goes elsewhere" "$(outside "$T/capture-bare.log" | xargs -n1 | grep -vE \
	'^\[(169\.254\.169\.254|fd00:ec2::254|198\.18\.0\.1|fd00:18::1)\]$')" = ""
uidwall_bare selftest blog >"$T/st.txt" 2>&1
check "... said to people by name" grep -q \
	'^  blog as blog (uid 2003): direct, TCP, to 203.0.113.1:443: IT GOT THROUGH by eth1' "$T/st.txt"

# --- refused by somebody else
nft -f - <<'E' || die "another firewall cannot be made"
table inet other {
	chain output {
		type filter hook output priority -100; policy accept;
		meta skuid 2003 ip daddr 203.0.113.1 tcp dport 443 reject with tcp reset
		meta skuid 2003 ip daddr 203.0.113.53 tcp dport 53 reject with icmp host-unreachable
		meta skuid 2002 ip daddr 198.51.100.1 reject with tcp reset
	}
}
E
selftest blog
is "another firewall's refusal is not ours" "$status $(jq '.services[0].trouble != null' "$T/st.json")" = "1 true"
is "... by its errno, where that is another" "$(one blog '.verdict == "surprise"' '.address, .seen.errno, .seen.left')" = \
	"203.0.113.53, EHOSTUNREACH, false"
selftest phpmyadmin
is "... and takes away what is allowed" "$status $(one phpmyadmin '.verdict == "surprise"' \
	'.address, .expected, .seen.left')" = "1 198.51.100.1, allowed, false"
nft delete table inet other

# --- off, gone
uidwall off >"$T/off.log" 2>&1
selftest blog
is "the wall off: all passes, as it should" "$status $(jq -r .wall "$T/st.json")" = "0 off"
uidwall on >"$T/off.log" 2>&1
setpriv --reuid 2003 --regid 2003 --clear-groups "$T/bin/uidwall" selftest --control "$CONTROL" >"$T/st.txt" 2>&1
is "not as a user" "$? $(grep -c 'only root can' "$T/st.txt")" = "2 1"
selftest blgo
is "no such service" "$status $(grep -c 'did you mean "blog"' "$T/st.err")" = "2 1"
mv "$T/bin/uidwall-selftest" "$T/bin/elsewhere"
selftest blog
is "without its helper" "$status $(grep -c 'broke off after 0 of' "$T/st.err") $(jq .ok "$T/st.json")" = "1 1 false"
mv "$T/bin/elsewhere" "$T/bin/uidwall-selftest"
stop_daemon TERM
selftest
is "no daemon" "$status" -eq 3
finish
