#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# MPTCP: a peer announces an address, and the kernel opens a subflow to it that has no owner. Services speak
# plain TCP, so theirs announce in vain: on connections that are older than the policy, on new ones, and
# where a peer in league with the service insists. Everybody else's MPTCP goes on.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
command -v ss >/dev/null || skip_all "needs the program ss"
ip mptcp limits >/dev/null 2>&1 || skip_all "needs ip mptcp and a kernel with MPTCP"
private "$@"
# shellcheck source=tests/netns/hold.sh
. "$(dirname "$0")/hold.sh"

ip mptcp limits set subflows 8 add_addr_accepted 8
in_sink ip mptcp limits set subflows 8 add_addr_accepted 8
in_sink nft -f - <<-'E' || die "the sink's rules do not load"
	insert rule inet sink answer tcp dport 9000 return
	insert rule inet sink count tcp dport 9001 drop
E
mkfifo -m 666 "$T/peer.fifo"
start peer nsenter --net=/run/netns/sink python3 "$HOLDER" -1 "$T/peer.fifo" \
	peer=mplisten:0.0.0.0:9000

# announced NUMBER: the peer announces 192.0.2.NUMBER from now on
announced() {
	in_sink ip address add "192.0.2.$1/32" dev eth0
	in_sink ip mptcp endpoint add "192.0.2.$1" dev eth0 signal
}

# joined NUMBER PORT: a SYN arrived there
joined() {
	grep -q "^tcp .* > \[192\.0\.2\.$1\]:$2 S" "$T/capture.log"
}

# no_join NAME NUMBER PORT: none has, after the time that one takes
no_join() {
	sleep 0.3
	fence
	if joined "$2" "$3"; then
		fail "$1" "$(grep "192\.0\.2\.$2\]" "$T/capture.log")"
	else
		pass "$1"
	fi
}

# --- before the policy ----------------------------------------------------------------------------

hold old blog old=mptcp:192.0.2.1:9000
hold monitored erp old=mptcp:192.0.2.1:9000
ask old
states old ok old
announced 101
check "without a policy an announced address is joined" wait_until 5 joined 101 9000

# --- it comes into force --------------------------------------------------------------------------

policy blog <<'E'
{ "user": "blog", "connect": [ { "to": "192.0.2.1", "port": [9000, 9001] } ] }
E
policy erp <<'E'
{ "user": "erp", "mode": "monitor", "connect": [ { "to": "192.0.2.1", "port": 9000 } ] }
E
start_daemon
is "the old connection's segments are closed, allowed as they are" \
	"$(ss -HtneO "dst 192.0.2.1 or dst 192.0.2.101" | grep -c 'uid:2003 ')" -eq 0
check "a line says why" closed 0 \
	'blog tcp .* → 192.0.2.1:9000 of uid 2003 (blog.json MPTCP is refused: older than the policy'
ask monitored
states "in monitor mode" ok old
announced 102
check "in monitor mode it is joined" wait_until 5 joined 102 9000
ask old
states old "open|EPIPE" old # MPTCP waits a minute for another connection below it
in_sink ip mptcp endpoint flush
sed -i 's/"mode": "monitor", //' "$POLICIES/erp.json"
check "monitor mode ends" reload
is "what was begun in it is closed, too" "$(ss -Htne "dst 192.0.2.1" | grep -c 'uid:2001 ')" -eq 0
announced 103
no_join "nothing joins what is announced from now on" 103 9000

# --- new connections ------------------------------------------------------------------------------

hold new blog new=mptcp:192.0.2.1:9000
ask new
states "a new connection" ok new
announced 104
no_join "a new one is plain TCP" 104 9000
check "and a reload leaves it open" reload
ask new
states new ok new
hold root root root=mptcp:192.0.2.1:9000
announced 105
check "root's is MPTCP" wait_until 5 joined 105 9000

# --- addresses of our own to connect from ----------------------------------------------------------

# Where one subflow ends, the kernel makes the next one.
stop old
stop monitored
is "blog is off" "$(uidwall off blog --json | jq .ok)" = true
ip mptcp limits set subflows 1 add_addr_accepted 0
for own in 202 203 204; do
	ip address add "192.0.2.$own/32" dev eth0
	ip mptcp endpoint add "192.0.2.$own" dev eth0 subflow
done
hold ours blog ours=mptcp:192.0.2.1:9000
subflows() {
	ss -HtneO "dst 192.0.2.1:9000" | grep -c 'uid:2003 '
}
check "begun while blog was off, it has a second way" wait_until 5 eval '(($(subflows) == 3))' # and `new`
is "blog is on" "$(uidwall on blog --json | jq .ok)" = true
sleep 0.3
is "all of it is closed, and what follows it" "$(subflows)" -eq 1
ip mptcp endpoint flush
ip mptcp limits set subflows 8 add_addr_accepted 8

# --- a peer that insists --------------------------------------------------------------------------

start ally nsenter --net=/run/netns/sink python3 "$(dirname "$HOLDER")/ally.py" eth0 192.0.2.1 9001 192.0.2.111
hold insisted blog insisted=mpsyn:192.0.2.1:9001
sleep 0.3
ask insisted
states "a peer that insists" ECONNRESET insisted
is "it is told no key" "$(grep -c key "$T/ally.log")" -eq 0
no_join "nor joined" 111 9001
hold insisted-root root insisted=mpsyn:192.0.2.1:9001
check "root's connection to it is" wait_until 5 joined 111 9001
finish
