#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What no rule closes, docs/security.md names with the line of the unit that does: each is tried without
# it, where it must work, and with it. Under a throw-away systemd (../tools/sdbox).
set -u
: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"

if [[ ${SDBOX:-} != 1 ]]; then
	if ! why=$("$srcdir/tests/tools/sdbox" check 2>&1); then
		echo "$why"
		exit 77
	fi
	exec "$srcdir/tests/tools/sdbox" run --timeout 100 --copy "$srcdir/tests/escape:/escape" \
		-- bash /escape/40-hardening.sh </dev/null
fi

n=0
n_failed=0

# says NAME EXPECTED PROBE [LINE OF THE UNIT]...: a pattern; the probe runs as an ordinary user
says() {
	local name=$1 expected=$2 probe=$3 found lines=() line
	shift 3
	for line; do
		lines+=(-p "$line")
	done
	found=$(systemd-run -q --wait --pipe -p User=nobody "${lines[@]}" \
		/usr/bin/python3 /escape/hardening.py "$probe" 2>&1)
	n=$((n + 1))
	# shellcheck disable=SC2053
	if [[ $found == $expected ]]; then
		echo "ok $n - $name"
	else
		n_failed=$((n_failed + 1))
		echo "not ok $n - $name"
		echo "# expected $expected, found: $found"
	fi
}

install -m 4755 /usr/bin/id /usr/local/bin/id-of-root
/usr/bin/python3 /escape/hardening.py relay &
for _ in {1..100}; do
	[[ ! -S /run/relay ]] || break
	sleep 0.05
done

families='RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6'
says "a set-user-ID program runs as root" 0 set-user-id
says "... not with NoNewPrivileges=" 65534 set-user-id NoNewPrivileges=yes
# /sbin/request-key of the machine itself, not of this box: there is none, or it knows no such key
says "request_key() has the kernel run a program as root" 'ENO@(ENT|KEY)' request-key
says "... not with SystemCallFilter=~@keyring" EPERM request-key 'SystemCallFilter=~@keyring' \
	SystemCallErrorNumber=EPERM
says "AF_VSOCK is there, or this kernel has none" '@(works|EAFNOSUPPORT)' vsock
says "... not with RestrictAddressFamilies=" EAFNOSUPPORT vsock "$families"
says "a relay's unix socket is everybody's" "relayed by uid 0" ask-relay
says "... not with InaccessiblePaths=" 'E@(ACCES|NOENT|CONNREFUSED)' ask-relay \
	InaccessiblePaths=/run/relay
says "multicast groups are joined" works join
says "... with RestrictAddressFamilies= and IPAddressDeny=, too" works join "$families" IPAddressDeny=any
says "user namespaces, for subordinate ids" works userns
says "... not with RestrictNamespaces=" EPERM userns RestrictNamespaces=yes
echo "1..$n"
exit $((n_failed > 0))
