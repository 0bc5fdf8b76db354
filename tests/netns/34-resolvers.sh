#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# At boot the wall is up before the network, and /etc/resolv.conf is written later: new name servers
# come into force by themselves, and nothing else does. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

# comes USER ARGUMENTS...: what was refused goes through before long
comes() {
	check "$* comes to pass" wait_until 5 answered "$@"
}

# gone USER ARGUMENTS...: what went through is refused before long
gone() {
	check "$* comes to an end" wait_until 5 unanswered "$@"
}

answered() {
	[[ $(attempt "$@" 2>&1) == *'"result":"ok"'* ]]
}

unanswered() {
	! answered "$@"
}

policy blog <<<'{ "user": "blog" }'
rm -f /etc/resolv.conf
start_daemon
refused blog dns 192.0.2.53:53 a.example

note "written for the first time"
echo 'nameserver 192.0.2.53' >/etc/resolv.conf
comes blog dns 192.0.2.53:53 a.example
refused blog dns '[2001:db8::53]:53' a.example

note "replaced by renaming, as most programs do; a policy that is being edited waits for its apply"
echo '{ "user": "blog", "dns": false }' >"$POLICIES/blog.json"
echo 'nameserver 2001:db8::53' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
comes blog dns '[2001:db8::53]:53' a.example
gone blog dns 192.0.2.53:53 a.example
echo '{ "user": "blog" }' >"$POLICIES/blog.json"

note "a link to a file elsewhere, which is then replaced"
mkdir /run/resolver
echo 'nameserver 192.0.2.53' >/run/resolver/stub.conf
ln -sf /run/resolver/stub.conf /etc/resolv.conf
comes blog dns 192.0.2.53:53 a.example
gone blog dns '[2001:db8::53]:53' a.example
echo 'nameserver 2001:db8::53' >/run/resolver/new
mv /run/resolver/new /run/resolver/stub.conf
comes blog dns '[2001:db8::53]:53' a.example
gone blog dns 192.0.2.53:53 a.example

note "the same name servers in other words change nothing"
generation() {
	uidwall status --json | jq .generation
}
before=$(generation)
printf '# a comment\nsearch example.org\nnameserver   2001:db8::53\n' >/run/resolver/stub.conf
sleep 1
is "no new generation" "$(generation)" -eq "$before"

note "a configuration that names resolvers is left alone"
echo '{ "resolvers": [ "192.0.2.53" ] }' >"$CONFIG"
uidwall apply >/dev/null
echo 'nameserver 2001:db8::53' >/run/resolver/stub.conf
sleep 1
goes blog dns 192.0.2.53:53 a.example
refused blog dns '[2001:db8::53]:53' a.example
finish
