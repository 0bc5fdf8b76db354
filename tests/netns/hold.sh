# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hold.sh - processes that hold sockets (holder.py), and what has become of these. Sourced behind private.

HOLDER=$(dirname "$(readlink -f "$0")")/holder.py

# hold NAME USER WHAT...: a process with these sockets; see holder.py
hold() {
	hold_by "$1" "$2" python3 "$HOLDER" "${@:3}"
}

# hold_in GROUP NAME USER WHAT...: the same in a control group; see groups.sh
hold_in() {
	# shellcheck disable=SC2016 # the inner shell's
	hold_by "$2" "$3" bash -c 'echo 0 >"$0/cgroup.procs" && exec python3 "$@"' \
		"$GROUPS_MOUNT/$GROUPS_NAME/$1" "$HOLDER" "${@:4}"
}

# hold_by NAME USER COMMAND... HOLDER WHAT...
hold_by() {
	local name=$1 uid=-1 n=3
	[[ $2 == root ]] || uid=$(uid_of "$2")
	mkfifo -m 666 "$T/$name.fifo"
	while [[ ${!n} != "$HOLDER" ]]; do
		((++n))
	done
	start "$name" "${@:3:n-2}" "$uid" "$T/$name.fifo" "${@:n+1}"
}

# ask NAME: how its sockets are now, into $answers
asked=0
ask() {
	local word=ask$((++asked))
	echo "$word" >"$T/$1.fifo"
	wait_until 60 grep -q "^$word done" "$T/$1.log" || die "$1 does not answer"
	answers=$(sed -n "s/^$word //p" "$T/$1.log")
}

# states NAME EXPECTED SOCKET...: these sockets of the process asked last; EXPECTED may be "A|B"
states() {
	local name=$1 expected=$2 socket state
	shift 2
	for socket; do
		state=$(sed -n "s/^$socket //p" <<<"$answers")
		if [[ "|$expected|" == *"|$state|"* ]]; then
			pass "$name: $socket is $state"
		else
			fail "$name: $socket is $expected" "it is ${state:-not there}"
		fi
	done
}

# In which state the kernel has the connection to that address and port; "" for none.
kernel_has() {
	ss -Htan "dst $1" | awk '{ print $1 }' | sort -u
}

# closed SINCE REGEX: the log has that line behind the first SINCE lines
closed() {
	tail -n "+$(($1 + 1))" "$T/daemon.log" | grep -q "closed: $2"
}
