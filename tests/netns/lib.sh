# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - a machine of its own for one test: network, users, daemon. Sourced first, like this:
#
#     . "$(dirname "$0")/lib.sh"; private "$@"
#
#   network namespace of the test ("the box")            network namespace "sink"
#   +------------------------------------------+        +--------------------------------------+
#   | lo    127.0.0.1  ::1                     |        | answers for every address and port:  |
#   |       stand-ins: PostgreSQL, MySQL, ...  |  veth  |   53 DNS (A 198.51.100.80)           |
#   | eth0  192.0.2.2/32  2001:db8::2/128      +--------+   80 HTTP, 25 465 587 SMTP's banner  |
#   | default via 192.0.2.1, 2001:db8::1       |        |   all others, TCP and UDP: echo      |
#   | uidwalld: user uidwall, CAP_NET_ADMIN    |        | eth0  192.0.2.1/24  2001:db8::1/64   |
#   +------------------------------------------+        |   every frame in $T/capture          |
#                                                       +--------------------------------------+
#
# private() runs the script again in network, mount and pid namespaces of its own. All that a test
# makes (processes, namespaces, users, mounts) lives in there and is taken down by the kernel when the
# script ends, however it ends: the first process of a pid namespace takes all others with it. /run
# is an empty tmpfs (no nscd, no other machine's control socket), /etc a copy with our users.
#
# Results are TAP: ok and not ok lines, the plan at the end. 77 and a reason skip.

LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${srcdir:=${LIB_DIR%/tests/netns}}"
: "${builddir:=$srcdir}"
: "${UIDWALLD:=$builddir/uidwalld}" "${UIDWALL:=$builddir/uidwall}"
: "${ATTEMPT:=$builddir/tests/tools/attempt}" "${SINK:=$builddir/tests/tools/sink}"
export srcdir builddir UIDWALLD UIDWALL ATTEMPT SINK
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8

T=/run/test                 # files of this test
POLICIES=$T/policies
CONFIG=$T/uidwall.json
CONTROL=$T/uidwall/control.sock
STATE=$T/state
FAST_MS=50                  # a refusal that takes longer is not one

# name:uid, made by users_make(); caddy, www-data, postgres and mysql have no policy
USERS=(uidwall:2090 uidwall-proxy:2091 erp:2001 phpmyadmin:2002 blog:2003 wordpress:2004 gitea:2005
	mailer:2006 vault:2007 caddy:2033 www-data:33 postgres:2100 mysql:2101 stranger:2050)

# --- TAP --------------------------------------------------------------------------------------------

n_tests=0
n_failed=0

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	echo "ok $((++n_tests)) - $1"
}

# fail NAME [DETAIL]: with all that helps to find out why
fail() {
	echo "not ok $((++n_tests)) - $1"
	((++n_failed))
	[[ -z ${2:-} ]] || note "$2"
	((n_failed == 1)) || return 0 # the same again helps nobody
	if [[ -s $T/daemon.log ]]; then
		note "--- the daemon's log"
		tail -n 40 "$T/daemon.log" | sed 's/^/# /'
	fi
	note "--- nft list table inet uidwall"
	nft list table inet uidwall 2>&1 | head -n 200 | sed 's/^/# /'
}

# check NAME COMMAND...: ok when the command succeeds
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name" "$(printf '%s\n%s' "$*" "$out" | head -n 30)"
	fi
}

# is NAME VALUE OPERATOR EXPECTED, as test(1) compares
is() {
	if test "$2" "$3" "$4"; then
		pass "$1"
	else
		fail "$1" "expected $3 $4, found $2"
	fi
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 77
}

finish() {
	echo "1..$n_tests"
	((n_failed == 0))
	exit
}

die() {
	echo "Bail out! $*"
	[[ ! -s $T/daemon.log ]] || tail -n 40 "$T/daemon.log" | sed 's/^/# /'
	exit 99
}

# wait_until SECONDS COMMAND...: polls; false when the time is over
wait_until() {
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/[.,]/} < end)) || return 1
		sleep 0.02
	done
}

now_us() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# --- the machine ------------------------------------------------------------------------------------

# Why this cannot run here; silent when it can.
why_not() {
	local tool
	[[ $(id -u) -eq 0 ]] || { echo "must be run as root"; return; }
	for tool in ip nft jq nsenter setpriv unshare mount; do
		command -v "$tool" >/dev/null || { echo "needs the program $tool"; return; }
	done
	unshare --net --mount --pid --fork true 2>/dev/null ||
		{ echo "cannot make namespaces here"; return; }
	unshare --net nft -f - 2>/dev/null <<-'E' ||
		table inet t {
			chain c {
				type filter hook output priority filter; policy accept;
				meta skuid 1 reject with icmpx type admin-prohibited
				meta nfproto ipv6 fib saddr type != local tcp option mptcp exists drop
			}
		}
	E
		{ echo "this kernel's nftables lacks skuid, fib or reject"; return; }
	unshare --net ip link add eth0 type veth peer name eth1 2>/dev/null ||
		echo "this kernel has no veth"
}

# private "$@": comes back in namespaces of our own, the network up, the users made. Does not return
# in the process that called it.
private() {
	local reason child here
	here=$(readlink /proc/self/ns/net)
	if [[ $$ -ne 1 || ${UIDWALL_PRIVATE:-$here} == "$here" ]]; then
		reason=$(why_not)
		[[ -z $reason ]] || skip_all "$reason"
		# unshare blocks SIGTERM and SIGINT, so somebody else has to listen; and when
		# that one is killed, unshare goes too, and with it all that is inside.
		UIDWALL_PRIVATE=$here setpriv --pdeathsig KILL unshare --net --mount --pid --fork \
			--kill-child --mount-proc --propagation private -- bash "$0" "$@" &
		child=$!
		trap 'kill -KILL "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 143' \
			HUP INT TERM
		wait "$child"
		exit
	fi
	trap 'exit 143' HUP INT TERM
	set -u
	mount -t tmpfs -o mode=755 tmpfs /run || die "cannot mount a tmpfs on /run"
	mkdir -p "$T/bin" "$POLICIES" "$STATE" "$T/uidwall" /run/netns
	chmod 755 "$T" "$POLICIES"
	users_make
	network_make
}

# Users, groups, subordinate ids and resolvers of our own, in a copy of /etc that only we see.
users_make() {
	local entry name uid
	cp -a /etc "$T/etc" 2>/dev/null
	mount --bind "$T/etc" /etc || die "cannot mount our own /etc"
	rm -f /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid \
		/etc/resolv.conf /etc/nsswitch.conf /etc/hosts
	echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
	echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>/etc/passwd
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' 'webapps:x:2200:erp,blog' >/etc/group
	for entry in "${USERS[@]}"; do
		name=${entry%:*} uid=${entry#*:}
		echo "$name:x:$uid:$uid::/:/bin/false" >>/etc/passwd
		echo "$name:x:$uid:" >>/etc/group
	done
	echo 'blog:300000:65536' >/etc/subuid
	echo 'erp:400000:65536' >>/etc/subuid
	cp /etc/subuid /etc/subgid
	printf '%s\n' 'nameserver 192.0.2.53' 'nameserver 2001:db8::53' >/etc/resolv.conf
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >/etc/nsswitch.conf
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >/etc/hosts
	chown "$(uid_of uidwall):$(uid_of uidwall)" "$STATE" "$T/uidwall"
	chmod 700 "$STATE"
}

uid_of() {
	local entry
	for entry in "${USERS[@]}" root:0; do
		[[ ${entry%:*} != "$1" ]] || { echo "${entry#*:}"; return; }
	done
	[[ $1 =~ ^[0-9]+$ ]] || die "no user $1"
	echo "$1"
}

in_sink() {
	nsenter --net=/run/netns/sink "$@"
}

# start NAME COMMAND...: in the background, its output in $T/NAME.log; waits for its "ready"
start() {
	local name=$1
	shift
	"$@" >"$T/$name.log" 2>"$T/$name.err" </dev/null &
	echo $! >"$T/$name.pid"
	wait_until 5 grep -q '^ready' "$T/$name.log" || die "$name: $(cat "$T/$name.err")"
}

stop() {
	local pid
	pid=$(cat "$T/$1.pid" 2>/dev/null) || return 0
	rm -f "$T/$1.pid"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	return 0
}

network_make() {
	ip netns add sink || die "cannot make the namespace sink"
	local sysctls=(net.ipv6.conf.{all,default}.disable_ipv6=0 net.ipv6.conf.{all,default}.accept_dad=0)
	sysctl -qw "${sysctls[@]}" net.ipv4.ping_group_range='0 2147483647'
	in_sink sysctl -qw "${sysctls[@]}"
	ip link add eth0 type veth peer name eth0 netns sink
	ip -n sink address add 192.0.2.1/24 dev eth0
	ip -n sink address add 2001:db8::1/64 dev eth0 nodad
	ip address add 192.0.2.2/32 dev eth0
	ip address add 2001:db8::2/128 dev eth0 nodad
	ip -n sink link set lo up
	ip -n sink link set eth0 up
	ip link set lo up
	ip link set eth0 up
	# One neighbour only, so that the sink need not answer for others' addresses on the link.
	ip route add 192.0.2.1 dev eth0
	ip route add default via 192.0.2.1
	ip -6 route add 2001:db8::1 dev eth0
	ip -6 route add default via 2001:db8::1
	in_sink nft -f - <<-'E' || die "the sink's own nftables rules do not load"
		table inet sink {
			counter arrived { }
			counter leaked { }
			chain count {
				type filter hook prerouting priority raw; policy accept;
				counter name arrived
				ip daddr 203.0.113.0/24 counter name leaked
				ip6 daddr 2001:db8:bad::/48 counter name leaked
				udp dport 9 drop
			}
			chain answer {
				type nat hook prerouting priority dstnat; policy accept;
				meta l4proto { tcp, udp } th dport 53 meta nfproto ipv4 dnat ip to 192.0.2.1:53
				meta l4proto { tcp, udp } th dport 53 meta nfproto ipv6 dnat ip6 to [2001:db8::1]:53
				tcp dport { 80, 25, 465, 587 } meta nfproto ipv4 dnat ip to 192.0.2.1
				tcp dport { 80, 25, 465, 587 } meta nfproto ipv6 dnat ip6 to 2001:db8::1
				meta l4proto { tcp, udp } meta nfproto ipv4 dnat ip to 192.0.2.1:7
				meta l4proto { tcp, udp } meta nfproto ipv6 dnat ip6 to [2001:db8::1]:7
				icmp type echo-request dnat ip to 192.0.2.1
				icmpv6 type echo-request dnat ip6 to 2001:db8::1
			}
		}
	E
	start outside nsenter --net=/run/netns/sink "$SINK" serve echo:tcp:7 echo:udp:7 dns:tcp:53 \
		dns:udp:53 http:tcp:80 "banner=220 relay.example ESMTP:tcp:25" \
		"banner=220 relay.example ESMTP:tcp:465" "banner=220 relay.example ESMTP:tcp:587"
	start capture nsenter --net=/run/netns/sink "$SINK" capture eth0
	# Both families' neighbours are known from here on: no attempt waits for a lookup.
	"$ATTEMPT" -t 3000 udp 192.0.2.1:7 >/dev/null || die "no way to the sink over IPv4"
	"$ATTEMPT" -t 3000 udp '[2001:db8::1]:7' >/dev/null || die "no way to the sink over IPv6"
}

# stand_in NAME USER ROLE:PROTOCOL:PORT...: a server of that user's in the box
stand_in() {
	local name=$1 uid
	uid=$(uid_of "$2")
	shift 2
	start "$name" "$SINK" serve -u "$uid" "$@"
}

# --- the daemon -------------------------------------------------------------------------------------

# The ordinary user uidwall cannot look into everybody's build folder: programs run from a copy.
programs_copy() {
	[[ -x $UIDWALLD ]] || die "no $UIDWALLD: build it first"
	[[ -x $T/bin/uidwalld ]] && return
	install -m 755 "$UIDWALLD" "$T/bin/uidwalld"
	[[ ! -x $UIDWALL ]] || install -m 755 "$UIDWALL" "$T/bin/uidwall"
}

# sample NAME...: takes policies from policies/
sample() {
	local name
	for name; do
		install -m 644 "$srcdir/policies/$name.json" "$POLICIES/$name.json"
	done
}

# policy NAME <JSON: replaces the file at once, as an editor does
policy() {
	cat >"$T/policy.new"
	chmod 644 "$T/policy.new"
	mv "$T/policy.new" "$POLICIES/$1.json"
}

config() {
	cat >"$CONFIG"
	chmod 644 "$CONFIG"
}

# With nothing but CAP_NET_ADMIN, as its unit starts it.
daemon_run() {
	local uid
	uid=$(uid_of uidwall)
	exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
		--bounding-set -all,+net_admin --inh-caps -all,+net_admin \
		--ambient-caps -all,+net_admin "$T/bin/uidwalld" --config "$CONFIG" \
		--policies "$POLICIES" --control "$CONTROL" --state "$STATE"
}

wall_stands() {
	nft list chain inet uidwall output | grep -q 'hook output'
}

daemon_pid() {
	cat "$T/daemon.pid" 2>/dev/null
}

daemon_alive() {
	local pid
	pid=$(daemon_pid) && kill -0 "$pid" 2>/dev/null
}

daemon_answers() {
	local status=0
	uidwall status || status=$?
	((status <= 1)) # 1: it answers, and there are problems
}

start_daemon() {
	programs_copy
	(daemon_run) >>"$T/daemon.log" 2>&1 </dev/null &
	echo $! >"$T/daemon.pid"
	if ! wait_until 10 wall_stands || ! wait_until 10 daemon_answers; then
		die "the daemon does not come up"
	fi
}

# stop_daemon [SIGNAL]
stop_daemon() {
	local pid
	pid=$(daemon_pid) || return 0
	kill "-${1:-TERM}" "$pid" 2>/dev/null
	{ wait_until 10 eval "! kill -0 $pid"; } 2>/dev/null || die "the daemon does not end"
	rm -f "$T/daemon.pid"
}

uidwall() {
	"$T/bin/uidwall" "$@" --config "$CONFIG" --policies "$POLICIES" --control "$CONTROL"
}

reload() {
	uidwall apply >"$T/apply.log" 2>&1
}

# --- attempts ---------------------------------------------------------------------------------------

# attempt USER [OPTION]... WHAT TARGET [ARGUMENT]: one line of JSON
attempt() {
	local uid
	uid=$(uid_of "$1") || exit
	shift
	"$ATTEMPT" -u "$uid" "$@"
}

# traffic NAME USER ARGUMENTS...: again and again, in the background, until traffic_stop
traffic_pids=()
traffic() {
	local name=$1 uid
	uid=$(uid_of "$2")
	"$ATTEMPT" -u "$uid" -f 600000 "${@:3}" >"$T/traffic-$name" 2>&1 &
	traffic_pids+=($!)
}

traffic_stop() {
	kill -TERM "${traffic_pids[@]}"
	wait "${traffic_pids[@]}"
	traffic_pids=()
}

# number NAME FILTER: from what traffic of that name counted
number() {
	jq -r "$2" "$T/traffic-$1"
}

# goes USER ARGUMENTS...: it is allowed and answered
goes() {
	local out
	out=$(attempt "$@" 2>&1)
	if [[ $out == *'"result":"ok"'* ]]; then
		pass "$* goes through"
	else
		fail "$* goes through" "$out"
	fi
}

# All frames that left the box so far are in the capture once this one is: it comes last.
fence_port=49999
fence() {
	((++fence_port))
	"$ATTEMPT" -q -p "$fence_port" udp 192.0.2.1:9 >/dev/null || die "the fence cannot be sent"
	wait_until 5 grep -q "\]:$fence_port > \[192.0.2.1\]:9\$" "$T/capture.log" ||
		die "the fence does not arrive"
}

# Before a refusal is judged: frames of the attempts before it, if there were any, are in.
clean_at=-1
settle() {
	((clean_at == n_tests)) || fence
}

# arrived_since LINE: the frames after that line of the capture. Fences are left out, and so is what
# belongs to TCP connections from before it: the last acknowledgement of one comes when it likes.
arrived_since() {
	awk -v mark="$1" '
		/> \[192\.0\.2\.1\]:9$/ { next }
		NR <= mark { if ($1 == "tcp") seen[$2 $4] = 1; next }
		!($1 == "tcp" && ($2 $4) in seen)' "$T/capture.log"
}

captured() {
	wc -l <"$T/capture.log"
}

# The errno with which an attempt is refused. ping_v6_sendmsg() does not look at what became of the
# packet, so there the ICMPv6 error speaks.
errno_for() {
	case "$*" in
	tcp* | stream* | reaim* | get* | connect* | dns-tcp*) echo ECONNREFUSED ;;
	ping*:*) echo EACCES ;;
	*) echo EPERM ;;
	esac
}

# refused USER ARGUMENTS...: at once, with the right errno, and no frame leaves the box
refused() {
	local errno out ms arrived mark
	errno=$(errno_for "$(what_of "${@:2}")")
	settle
	mark=$(captured)
	for _ in 1 2 3; do # a machine may have better things to do; a refusal that waits is always slow
		out=$(attempt "$@" 2>&1)
		ms=$(jq -r .ms <<<"$out" 2>/dev/null)
		[[ ${ms%.*} -ge $FAST_MS ]] 2>/dev/null || break
	done
	fence
	arrived=$(arrived_since "$mark")
	if [[ $out != *'"result":"refused"'*"\"errno\":\"$errno\""* ]]; then
		fail "$* is refused with $errno" "$out"
	elif ((${ms%.*} >= FAST_MS)); then
		fail "$* is refused within $FAST_MS ms" "$out"
	elif [[ -n $arrived ]]; then
		fail "$* is refused, and nothing arrives" "$arrived"
	else
		pass "$* is refused with $errno"
	fi
	clean_at=$n_tests
}

# blocked USER ARGUMENTS...: no matter how and how fast, but nothing leaves the box, not even an answer
blocked() {
	local out mark arrived
	settle
	mark=$(captured)
	out=$(attempt "$1" -t 200 "${@:2}" 2>&1)
	fence
	arrived=$(arrived_since "$mark")
	if [[ $out == *'"result":"ok"'* ]]; then
		fail "$* does not go through" "$out"
	elif [[ -n $arrived ]]; then
		fail "$* is blocked, and nothing arrives" "$arrived"
	else
		pass "$* is blocked"
	fi
}

# leaves USER ARGUMENTS...: frames of it arrive. The control for tricks that must be refused to others.
leaves() {
	local out mark
	settle
	mark=$(captured)
	out=$(attempt "$1" -t 200 "${@:2}" 2>&1)
	fence
	if [[ -n $(arrived_since "$mark") ]]; then
		pass "$* leaves the box"
	else
		fail "$* leaves the box" "$out"
	fi
}

# gets_no_answer USER ARGUMENTS...: neither through nor refused: silence
gets_no_answer() {
	local out
	out=$(attempt "$1" -t 300 "${@:2}" 2>&1)
	if [[ $out == *'"result":"timeout"'* ]]; then
		pass "$* gets no answer"
	else
		fail "$* gets no answer" "$out"
	fi
}

# What and target: the words after the options.
what_of() {
	while [[ ${1:-} == -* ]]; do
		case $1 in
		-q | -b | -o) shift ;;
		*) shift 2 ;;
		esac
	done
	echo "$1 $2"
}
