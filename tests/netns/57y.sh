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

# led USER TARGET [OPTION]...: to the proxy, which knows the target; nothing leaves the box
led() {
	local name="$1 ${*:3} to $2 is led to the proxy" out mark seen arrived address=${2%:*}
	settle
	mark=$(captured)
	seen=$(wc -l <"$T/proxy.log")
	out=$(attempt "$1" "${@:3}" -m echo tcp "$2" 2>&1)
	fence
	arrived=$(arrived_since "$mark")
	address=${address#[} address=${address%]}
	if [[ $out != *'"result":"ok"'* ]]; then
		fail "$name" "$out"
	elif ! tail -n "+$((seen + 1))" "$T/proxy.log" | grep -qx "led $address ${2##*:}"; then
		fail "$name" "$(tail -n "+$((seen + 1))" "$T/proxy.log")"
	elif [[ -n $arrived ]]; then
		fail "$name" "$arrived"
	else
		pass "$name"
	fi
	clean_at=$n_tests
}

# direct USER TARGET: goes there, and the proxy sees nothing of it
direct() {
	local seen
	seen=$(wc -l <"$T/proxy.log")
	goes "$1" -m echo tcp "$2"
	is "$1 to $2 is not led to the proxy" "$(wc -l <"$T/proxy.log")" -eq "$seen"
}

# lines of the table that are about "transparent"
ways() {
	nft list table inet uidwall | grep -cE 'way|dnat|opening|leaving|strayed'
}

# What left since that line of the capture, but for resets: what the kernel says about connections that
# are no more has no owner, and no data (docs/decisions/transparent.md).
data_since() {
	arrived_since "$1" | grep -vE ' (R|RA|AR)$'
}

# What became of a connection that is no more.
ENDED="EPIPE|ECONNRESET|ECONNABORTED|ECONNREFUSED|ENOTCONN"

start proxy python3 "$(dirname "$HOLDER")/standin.py"
blog
policy erp <<'E'
{ "user": "erp", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }
E
start_daemon


cp -a "$UIDWALL-selftest" "$T/bin/" 2>/dev/null
uidwall show blog | head -50
UIDWALL_SELFTEST=$builddir/uidwall-selftest uidwall selftest blog --yes 2>&1 | head -80
stop proxy
uidwall selftest blog --yes 2>&1 | grep -i led
finish
