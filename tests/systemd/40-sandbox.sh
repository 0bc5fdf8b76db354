#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 40-sandbox.sh - the daemon's own sandbox inside the unit's: both are on, an intruder gets nothing, and
# users that only systemd's name service knows (DynamicUser=) are found.
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
if [[ ${SDBOX:-} != 1 && ! -x $builddir/tests/tools/inside ]]; then
	echo "there is no tests/tools/inside"
	exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/dynamic.service" <<'U'
[Service]
DynamicUser=yes
User=dynamic-app
ExecStart=/bin/sleep infinity
U
machine_boot --copy "$builddir/tests/tools/inside:/usr/local/bin/" \
	--copy "$scratch/dynamic.service:/etc/systemd/system/"

pid=$(property uidwalld.service MainPID)
in_status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | tr '\t' ' '
}
says() {
	equal "$1" "$3" "$(uidwall status --json | jq -rc "$2")"
}
gets() {
	equal "an intruder: ${*:2}" "$1" "$(inside "$pid" "${@:2}" 2>&1)"
}
numbered() {
	[[ $(inside "$pid" "$@" 2>&1) =~ ^[0-9]+$ ]]
}

check "its own filter is there beside the unit's" test "$(in_status Seccomp_filters)" -gt 1
for set in CapInh CapAmb; do
	equal "$set: none" 0000000000000000 "$(in_status $set)"
done
says "status calls the sandbox complete" '.sandbox | [.user,.other_capabilities,.no_new_privileges]' \
	'["uidwall",0,true]'
check "... system calls are on a list" eval 'uidwall status --json | jq -e ".sandbox.system_calls > 50"'
landlock=$(uidwall status --json | jq .sandbox.landlock)
check "it may go on" numbered getpid
check "... and reach nf_tables" numbered socket 16 3 12
gets EPERM execve =/bin/true 0 0
gets EAFNOSUPPORT socket 2 1 0
gets EPERM unshare 0x10000000
gets EPERM mmap 0 4096 7 0x22 -1 0
gets EPERM kill 1 0
gets EPERM memfd_create =x 0
gets ENOSYS openat2 0xffffff9c =/etc/passwd 0 0
if ((landlock)); then
	install -m 666 /dev/null /dev/shm/open
	gets EACCES openat 0xffffff9c =/dev/shm/open 1
	check "it may write its state" numbered openat 0xffffff9c =/var/lib/uidwall/trial.new 0x41 0600
fi
check "the daemon is none the worse for it" uidwall status
equal "... and the same" "$pid" "$(property uidwalld.service MainPID)"

# --- a user that comes and goes
policy dynamic '{ "user": "dynamic-app", "dns": false }'
if grep -q '^passwd:.*systemd' /etc/nsswitch.conf; then
	uidwall apply >/run/out 2>&1
	says "before it starts nobody knows the user" \
		'.services[] | select(.service == "dynamic") | .state' refused
	check "the service starts" systemctl start dynamic.service
	check "... and its user is there" eventually 5 id -u dynamic-app
	uid=$(id -u dynamic-app)
	check "then it is found" uidwall apply
	says "... by its number" '.services[] | select(.service == "dynamic") | [.state,.uids]' \
		"[\"good\",[\"$uid\"]]"
else
	echo "ok $((++n_tests)) - users of systemd's # SKIP no systemd in this nsswitch.conf"
fi
finish
