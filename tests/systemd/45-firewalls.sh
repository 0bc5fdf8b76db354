#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 45-firewalls.sh - beside Debian's own firewalld, docker.io and ufw: start, reload,
# restart, stop, under a flood, with owners of tables and without.
#
# Only on request (make check-firewalls): the packages are fetched from the network, 100 MB, and installed
# into the throw-away machine. Never into this one: installing firewalld or docker.io starts them, and a
# developer would find a firewall of ours on the own machine.
# timeout: 420
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
if [[ ${SDBOX:-} != 1 && -z ${UIDWALL_FIREWALLS:-} ]]; then
	echo "fetches 100 MB of packages: only with UIDWALL_FIREWALLS=1 (make check-firewalls)"
	exit 77
fi
packages=(firewalld docker.io ufw)
machine_boot --timeout 380 --copy "$srcdir/tests/netns/gap.py:/usr/local/bin/" \
	--prepare-net "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update &&
		apt-get -qq install -y --no-install-recommends ${packages[*]} >/dev/null 2>&1 &&
		systemctl --quiet disable firewalld docker docker.socket containerd ufw 2>/dev/null; :"

taken() {
	uidwall status --json | jq -r ".taken$1"
}

flood() {
	python3 /usr/local/bin/gap.py 2003 192.0.2.1 9090 >/run/gap 2>/run/gap.err &
	flood_pid=$!
	eventually 5 grep -q ready /run/gap.err
}

flood_end() {
	kill "$flood_pid"
	wait "$flood_pid"
}

gap() {
	jq -r "$1" /run/gap
}

# beside NAME COMMAND...: the wall holds while that is done, and afterwards
beside() {
	local name=$1 before
	shift
	before=$(taken .count)
	flood
	if ! timeout 60 "$@" >/run/out 2>&1; then
		not_ok "$ways: $name: it could be done" "$(cat /run/out)"
	fi
	sleep 0.3
	flood_end
	echo "# $ways: $name: $(gap .through) got out, $(gap .refused) refused, longest gap $(gap .longest_ms) ms;" \
		"$(($(taken .count) - before)) times the table was touched"
	if [[ $ways == "with owners" ]]; then
		equal "$ways: $name: packets that got out" 0 "$(gap .through)"
	else
		check "$ways: $name: the gap, ms, less than 2000" test "$(gap '.longest_ms | ceil')" -lt 2000
	fi
	check "... the wall refuses" refused 2003 192.0.2.1:9090
}

all() {
	local service
	beside "firewalld starts" systemctl start firewalld
	beside "firewall-cmd --reload" firewall-cmd --reload
	beside "firewall-cmd --complete-reload" firewall-cmd --complete-reload
	beside "firewalld restarts" systemctl restart firewalld
	beside "firewalld stops" systemctl stop firewalld
	beside "docker starts" systemctl start docker
	beside "docker reloads" systemctl reload docker
	beside "docker restarts" systemctl restart docker
	beside "a docker network comes" docker network create mine
	beside "a docker network goes" docker network rm mine
	beside "docker stops" systemctl stop docker.socket docker containerd
	beside "ufw enable" ufw --force enable
	beside "ufw reload" ufw reload
	beside "ufw disable" ufw disable
	for service in iptables ip6tables; do
		beside "$service -F, -X, -Z" sh -c "$service -F && $service -X && $service -Z"
		beside "$service-restore" sh -c "$service-save | $service-restore"
		beside "$service-legacy -F" "$service-legacy" -F
	done
	beside "nft flush ruleset" nft flush ruleset
}

for p in firewall-cmd dockerd ufw; do
	command -v $p >/dev/null || {
		echo "1..0 # SKIP $p is not there: no network?"
		exit 77
	}
done
check "the far side answers" far_side
if [[ $(uidwall status --json | jq .kernel.owner_persist) == true ]]; then
	ways="with owners"
	all
	equal "nothing had to be put back" 0 "$(taken .count)"
fi
mkdir -p /run/systemd/system/uidwalld.service.d
printf '[Service]\nEnvironment=UIDWALLD_NO_TABLE_OWNER=1\n' >/run/systemd/system/uidwalld.service.d/owner.conf
systemctl daemon-reload
systemctl stop uidwalld.service 2>/dev/null
systemctl start uidwalld.service
ways="without owners"
all
journalctl -q --no-pager -u uidwalld.service | sed -n 's/.*CHANGED BY OTHERS/# CHANGED BY OTHERS/p' | tail -n 20
finish
