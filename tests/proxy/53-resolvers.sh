#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Name servers that are not there yet when the proxy starts, as at boot, and others later: without a restart.
. "$(dirname "$0")/lib.sh"
private "$@"
world_make
: >/etc/resolv.conf
policy blog <<<'{ "user": "blog", "hosts": ["www.example.com", "v4.example.com", "v6.example.com", "repo.example.com"] }'
start_daemon
start_proxy

# wall_asks ADDRESS: the daemon has seen it, and so has the proxy
wall_asks() {
	wait_until 5 eval "nft list table inet uidwall | grep -q 'daddr $1'" || die "no rule for $1"
	sleep 0.2
}

# status NAME: of a request by blog
status() {
	as blog curl -sS -o /dev/null -w '%{http_code}\n' --max-time 15 --proxy "$PROXY4" "http://$1/who" 2>&1
}

answers() {
	[[ $(status "$1") == 200 ]]
}

is "without name servers: 502 or 504, no 200" "$(status v6.example.com | tr 4 2)" = 502
echo 'nameserver 192.0.2.53' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
wall_asks 192.0.2.53
check "once there is one it is asked" wait_until 3 answers www.example.com
recorded "... which the record shows" '.host == "www.example.com" and .verdict == "allowed"'

mark=$(wc -l <"$T/dns.log")
echo 'nameserver 2001:db8::53' >/etc/resolv.conf
wall_asks 2001:db8::53
check "another one" answers v4.example.com
check "... is asked itself" eval 'tail -n +$((mark + 1)) "$T/dns.log" | grep -q "from 2001:db8::2"'
config <<<'{ "resolvers": ["192.0.2.53"] }'
reload
check "those of a new configuration" answers repo.example.com
check "... too" eval 'tail -n 8 "$T/dns.log" | grep -q "repo.example.com from 192.0.2.2"'
finish
