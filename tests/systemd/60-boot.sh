#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 60-boot.sh - boots that go wrong: with a policy that never was right, one for a user whom only a name service
# knows that never answers, and without name servers; then with garbage in the state folder, and with the service's
# user removed. Each time the wall stands before the network does, the other services are governed, and the boot is not
# held up for long.
# timeout: 300
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
again="srcdir=/ builddir=/ bash /usr/local/lib/uidwall-tests/60-boot.sh"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '[Unit]\nBefore=sysinit.target\n' >"$scratch/early.conf"
cat >"$scratch/witness.service" <<'U'
[Unit]
DefaultDependencies=no
After=network-pre.target
Before=sdbox-network.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir -p /run/witness; nft list table inet uidwall >/run/witness/rules; ip -o link show up >/run/witness/links'
[Install]
WantedBy=sysinit.target
U
# Users that are in no file are asked of "stuck", which never answers.
cat >"$scratch/nsswitch.conf" <<'N'
passwd: files stuck
group: files stuck
shadow: files
hosts: files dns
N
mkdir "$scratch/more"
printf '{ "user": "stranger", "connect": ' >"$scratch/more/stranger.json"
printf '{ "user": "ldapper", "dns": false }\n' >"$scratch/more/far.json"
machine_boot --copy "$scratch/early.conf:/etc/systemd/system/sdbox-network.service.d/" \
	--copy "$scratch/witness.service:/etc/systemd/system/" \
	--copy "$scratch/nsswitch.conf:/etc/nsswitch.conf" \
	--copy "$scratch/more/stranger.json:/etc/uidwall/policies/stranger.json" \
	--copy "$scratch/more/far.json:/etc/uidwall/policies/far.json" \
	--copy "${builddir:-}/tests/faults/libnss_stuck.so:/usr/lib/libnss_stuck.so.2" \
	--prepare 'systemctl --quiet enable witness.service && touch /etc/stuck-hangs && rm -f /etc/resolv.conf' \
	--then "$again garbage" --then "$again removed"

stood_before_the_network() {
	local ready network
	ready=$(property uidwalld.service ActiveEnterTimestampMonotonic)
	network=$(property sdbox-network.service ExecMainStartTimestampMonotonic)
	check "$1: the rules are there before any interface is" grep -q "$2" /run/witness/rules
	equal "$1: no interface was up then" "" "$(grep -v ' lo:' /run/witness/links)"
	check "$1: the daemon was ready before the network started" test "$ready" -gt 0 -a "$ready" -lt "$network"
}

took_ms() {
	echo $((($(property uidwalld.service ActiveEnterTimestampMonotonic) -
		$(property uidwalld.service InactiveExitTimestampMonotonic)) / 1000))
}

check "the far side answers" far_side

case ${1-} in
garbage)
	stood_before_the_network "garbage in the state folder" svc-blog
	check "what is remembered of nobody: refused" refused 2003 192.0.2.1:9090
	check "... and all of it" refused 2003 192.0.2.1:8080
	check "the journal says so" sh -c 'journalctl -q --no-pager -b -u uidwalld.service | grep -q "last-good.*torn or was edited"'
	equal "the daemon runs" active "$(systemctl is-active uidwalld.service)"
	policy blog '{ "user": "blog", "dns": false, "proxy": false, "connect": [ { "to": "192.0.2.1", "port": 8080 } ] }'
	uidwall apply >/run/out 2>&1
	check "mended, it passes" reaches 2003 192.0.2.1:8080
	check "... and nothing else" refused 2003 192.0.2.1:9090
	userdel blog
	finish
	;;
removed)
	stood_before_the_network "a user who is gone" svc-blog
	check "its uid is refused" refused 2003 192.0.2.1:9090
	check "... and keeps what it had" reaches 2003 192.0.2.1:8080
	check "status names the user" sh -c 'uidwall status | grep -q "unknown user .blog"'

	finish
	;;
esac

stood_before_the_network "at first" svc-blog
equal "the daemon runs" active "$(systemctl is-active uidwalld.service)"
took=$(took_ms)
echo "# it took $took ms to be ready"
check "a name service that never answers holds it up for seconds only" test "$took" -lt 15000
check "what the policy allows passes" reaches 2003 192.0.2.1:8080
check "the rest is refused" refused 2003 192.0.2.1:9090
check "a policy that never was right: its user is refused everything" refused 2050 192.0.2.1:8080
uidwall status >/run/out 2>&1
equal "status has something to say" 1 "$?"
check "... of the user nobody knows" grep -q 'unknown user "ldapper"' /run/out
check "... of the policy that is no JSON" grep -q 'stranger.json:1:' /run/out
check "the journal says that the name service does not answer" sh -c \
	'journalctl -q --no-pager -b -u uidwalld.service | grep -q "name service.*answer"'
equal "nothing else failed" "" "$(systemctl --failed --plain --no-legend --no-pager)"

# As after a disk that lost what was written last, at the next boot; and a file that is wrong by then.
for file in last-good previous trial off; do
	head -c 300 /dev/urandom >"/var/lib/uidwall/$file"
	chown uidwall:uidwall "/var/lib/uidwall/$file"
	chmod 600 "/var/lib/uidwall/$file"
done
policy blog '{ "user": "blog", "connect": [ { "to": "192.0.2.1", "port": "http" } ] }'
# A daemon that ends writes nothing.
systemctl kill -s KILL uidwalld.service
finish
