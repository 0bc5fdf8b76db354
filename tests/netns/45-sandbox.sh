#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon's own sandbox: who it is and what it may do, started as by its unit and by hand as root; what
# an intruder in it gets (tests/tools/inside makes system calls in its place); name service modules with
# bad habits. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
inside=$builddir/tests/tools/inside
odd=$builddir/tests/tools/libnss_odd.so.2
[[ -x $inside ]] || skip_all "$inside is not built"
private "$@"

sanitized() {
	readelf -d "$UIDWALLD" | grep -q 'NEEDED.*asan'
}

# in_status FIELD: of the daemon's /proc/PID/status
in_status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(daemon_pid)/status" | tr '\t' ' '
}

# says NAME JQ-FILTER EXPECTED: about status
says() {
	is "$1" "$(uidwall status --json | jq -rc "$2")" = "$3"
}

# by_hand: as root, with all that root may; the way of an init that knows nothing
by_hand() {
	programs_copy
	"$T/bin/uidwalld" --config "$CONFIG" --policies "$POLICIES" --control "$CONTROL" \
		--state "$STATE" "$@" >>"$T/daemon.log" 2>&1 </dev/null &
	echo $! >"$T/daemon.pid"
	if ! wait_until 10 wall_stands || ! wait_until 10 daemon_answers; then
		die "the daemon does not come up"
	fi
}

# gets WANTED CALL [ARGUMENT]...: what an intruder in the daemon gets; WANTED may be a pattern
gets() {
	local out
	out=$("$inside" "$(daemon_pid)" "${@:2}" 2>&1)
	# shellcheck disable=SC2254 # a pattern
	case $out in
	$1) pass "$how: ${*:2}: $1" ;;
	*) fail "$how: ${*:2}: $1" "$out" ;;
	esac
}

# could CALL [ARGUMENT]...: a process of the same user, with the same capability and no sandbox, can
could() {
	local out
	out=$("$inside" "$naked" "$@" 2>&1)
	if [[ $out =~ ^[0-9]+$ ]]; then
		pass "without a sandbox: $*"
	else
		fail "without a sandbox: $*" "$out"
	fi
}

numbers='[0-9]*'
AT_FDCWD=0xffffff9c
install -d -m 777 /run/open
install -m 666 /dev/null /run/open/file

# What is refused, and with what; what `could` is asked first must succeed without the sandbox.
intrude() {
	how=$1
	gets "$numbers" getpid
	gets "$numbers" openat $AT_FDCWD =/etc/passwd 0 # reading is left alone
	gets "$numbers" mmap 0 4096 3 0x22 -1 0
	gets "$numbers" socket 16 3 12          # netlink, nf_tables: what it is there for
	gets EPERM execve =/bin/true 0 0
	gets EPERM execveat $AT_FDCWD =/bin/true 0 0 0
	gets EPERM fork
	gets EPERM vfork
	gets EPERM clone3 0 0
	sanitized || gets EPERM clone 17 0 0 0 0
	sanitized || gets EPERM prctl 38 1 0 0 0
	gets EPERM ptrace 16 1 0 0 # ATTACH
	gets EPERM process_vm_writev 1 0 0 0 0 0
	gets EPERM kill 1 0
	gets ENOSYS tgkill 1 1 0
	gets EAFNOSUPPORT socket 2 1 0
	gets EAFNOSUPPORT socket 2 3 255        # raw: CAP_NET_ADMIN is not enough for it anyway
	gets EAFNOSUPPORT socket 10 2 0
	gets EAFNOSUPPORT socket 17 3 0
	gets ENOSYS socket 16 3 15              # netlink, uevents
	gets ENOSYS socket 40 1 0               # vsock
	gets EPERM connect 0 =x 2
	gets EPERM listen 0 1
	gets EPERM mmap 0 4096 7 0x22 -1 0
	gets EPERM mmap 0 4096 5 0x22 -1 0
	gets EPERM mprotect 0 0 4
	gets EPERM memfd_create =x 0
	gets EPERM unshare 0x10000000
	gets EPERM setns 0 0
	gets EPERM mount =none =/mnt =tmpfs 0 0
	gets EPERM chroot =/
	gets EPERM setuid 0
	gets EPERM setresuid 0 0 0
	gets EPERM capset 0 0
	gets EPERM bpf 0 0 0
	gets EPERM io_uring_setup 8 0
	gets EPERM userfaultfd 0
	gets EPERM keyctl 0 0
	gets EPERM prlimit64 0 7 "=0123456701234567" 0
	gets EPERM chmod =/run/open/file 0777
	gets EPERM symlink =/etc/shadow =/run/open/link
	gets ENOSYS ioctl 0 0x5412 =x           # TIOCSTI
	gets ENOSYS pkey_alloc 0 0
	gets ENOSYS openat2 $AT_FDCWD =/etc/passwd 0 0
	if ((landlock)); then
		gets EACCES openat $AT_FDCWD =/run/open/file 1
		gets EACCES openat $AT_FDCWD =/run/open/new 0x41 0600
	fi
	check "$how: the daemon is none the worse for it" daemon_answers
}

# --- as its unit starts it
sample erp blog
start_daemon
landlock=$(uidwall status --json | jq .sandbox.landlock)
((landlock)) || note "this kernel has no Landlock: nothing is said about files"
is "CAP_NET_ADMIN is all it may" "$(in_status CapPrm) $(in_status CapEff)" = \
	"0000000000001000 0000000000001000"
is "... and a program that it starts has nothing" "$(in_status CapAmb)" = 0000000000000000
is "no new privileges" "$(in_status NoNewPrivs)" = 1
is "its system calls are filtered" "$(in_status Seccomp)" = 2
says "status says so" '.sandbox | [.complete,.user,.stays_root,.other_capabilities]' \
	'[true,"uidwall",null,0]'
says "... and counts the calls" '.sandbox.system_calls > 50 and .sandbox.system_calls < 150' true
says "... for root and admins" '.memory != null' true
check "... in words, too" eval 'uidwall status | grep "^Its sandbox: user uidwall, CAP_NET_ADMIN alone, [0-9]* system calls"'

uid=$(uid_of uidwall)
setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps -all,+net_admin \
	--ambient-caps -all,+net_admin sleep 600 &
naked=$!
wait_until 5 grep -q '^State:.*sleeping' "/proc/$naked/status"
could socket 2 1 0
could socket 10 2 0
could mmap 0 4096 7 0x22 -1 0
could memfd_create =x 0
could userfaultfd 1
could openat $AT_FDCWD =/run/open/file 1
could prctl 38 1 0 0 0
could unshare 0x10000000
could execve =/bin/true 0 0
wait $naked 2>/dev/null
intrude "as the unit starts it"
how="x32, another numbering of the calls"
gets killed 0x40000027
wait "$(daemon_pid)" 2>/dev/null
check "... and the wall stands" wall_stands
rm -f "$T/daemon.pid"

# --- by hand, as root
install -d -m 755 /run/hand
STATE=/run/hand/state CONTROL=/run/hand/run/control.sock
by_hand
is "started by root it becomes uidwall" "$(in_status Uid) / $(in_status Gid)" = \
	"2090 2090 2090 2090 / 2090 2090 2090 2090"
is "... of no other group" "$(in_status Groups | tr -d ' ')" = ""
for set in CapPrm CapEff; do
	is "... $set: CAP_NET_ADMIN alone" "$(in_status $set)" = 0000000000001000
done
for set in CapInh CapBnd CapAmb; do
	is "... $set: none" "$(in_status $set)" = 0000000000000000
done
is "... no new privileges" "$(in_status NoNewPrivs)" = 1
is "... filtered" "$(in_status Seccomp)" = 2
is "... the state folder, which it made, is the user's" "$(stat -c '%U %a' "$STATE")" = "uidwall 750"
check "... and written" test -s "$STATE/last-good"
says "status says so" .sandbox.complete true
refused blog tcp 203.0.113.7:443
check "... and a reload works" reload
intrude "by hand"
stop_daemon TERM
check "a start finds what is left of the last one" by_hand
stop_daemon KILL

# --- as root, without the user, or one that could not do the work
stays_root() {
	is "$1: stays root" "$(in_status Uid)" = "0 0 0 0"
	is "... with CAP_NET_ADMIN alone" "$(in_status CapPrm) $(in_status CapEff) $(in_status CapBnd)" = \
		"0000000000001000 0000000000001000 0000000000000000"
	check "... says why" eval "uidwall status | grep -q 'It stays root, because .*$2'"
	check "... in the log" grep -q "stays root, because .*$2" "$T/daemon.log"
	says "... it is not called complete" .sandbox.complete false
	says "... state and policies are used" '[.last_reload.ok,(.services | length),.diags]' \
		'[true,2,[]]'
	refused blog tcp 203.0.113.7:443
}
chmod 600 "$POLICIES/blog.json"
by_hand
stays_root "a file that only root may read" "may not read $POLICIES/blog.json"
is "... the state folder goes with it" "$(stat -c %U "$STATE" "$STATE/last-good" | sort -u)" = root
if ((landlock)); then
	how="root that stays root"
	gets EACCES openat $AT_FDCWD =/etc/passwd 1
	gets EACCES openat $AT_FDCWD =/etc/cron.d/x 0x41 0600
	gets "$numbers" openat $AT_FDCWD "=$STATE/trial.new" 0x41 0600
fi
chmod 644 "$POLICIES/blog.json"
stop_daemon TERM
by_hand
is "readable again: it becomes uidwall" "$(in_status Uid)" = "2090 2090 2090 2090"
is "... and so does the state folder" "$(stat -c %U "$STATE" "$STATE/last-good" | sort -u)" = uidwall
stop_daemon TERM
chown -R 0:0 "$STATE"
mkdir "$STATE/somebody-elses"
by_hand
stays_root "a state folder with other things in it" "may not write $STATE"
is "... which is not given away" "$(stat -c %U "$STATE")" = root
stop_daemon TERM
rmdir "$STATE/somebody-elses"
cp /etc/passwd "$T/passwd"
sed -i '/^uidwall:/d' /etc/passwd
by_hand
stays_root "no such user" "no user uidwall in /etc/passwd"
stop_daemon TERM
cp "$T/passwd" /etc/passwd

# --- without the filter, for whoever debugs
by_hand --no-seccomp
is "--no-seccomp: not filtered" "$(in_status Seccomp)" = 0
says "... which status says" '.sandbox | [.complete,.system_calls,.user]' '[false,0,"uidwall"]'
check "... aloud" eval 'uidwall status | grep -q "system calls NOT FILTERED"'
check "... and so does the log" grep -q 'no-seccomp' "$T/daemon.log"
stop_daemon TERM

# As start_daemon. setpriv(1) asks the name service itself, which with this module does it no good.
start_odd() {
	setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
		--bounding-set -all,+net_admin --inh-caps -all,+net_admin --ambient-caps -all,+net_admin \
		env LD_LIBRARY_PATH="$T/bin" "$T/bin/uidwalld" --config "$CONFIG" \
		--policies "$POLICIES" --control "$CONTROL" --state "$STATE" >>"$T/daemon.log" 2>&1 </dev/null &
	echo $! >"$T/daemon.pid"
	if ! wait_until 10 wall_stands || ! wait_until 10 daemon_answers; then
		die "the daemon does not come up"
	fi
}

# --- name service modules: a process of their own, with no right at all
# The number of the user "odd" is 2300 and a bit for whatever it got away with (nss_odd.c).
if [[ -e $odd ]]; then
	install -m 755 "$odd" "$T/bin/libnss_odd.so.2"
	printf '%s\n' 'passwd: files odd' 'group: files' >/etc/nsswitch.conf
	policy odd <<<'{ "user": "odd" }'
	number=$(setpriv --reuid "$uid" --regid "$uid" --clear-groups \
		env LD_LIBRARY_PATH="$T/bin" getent passwd odd | cut -d: -f3)
	is "a module with bad habits, anywhere else: gets away with some" "$number" -gt 2300
	STATE=$T/state CONTROL=$T/uidwall/control.sock
	start_odd
	says "started as by the unit: with none, and answers" \
		'.services[] | select(.service == "odd") | [.state,.uids]' '["good",["2300"]]'
	check "... again and again" eval 'reload && reload'
	check "... and its code is not in the daemon" eval '! grep -q libnss_odd "/proc/$(daemon_pid)/maps"'
	refused 2300 tcp 203.0.113.7:443
	stop_daemon TERM
	STATE=/run/hand/state CONTROL=/run/hand/run/control.sock
	LD_LIBRARY_PATH=$T/bin by_hand
	says "by hand: with none either" '.services[] | select(.service == "odd") | [.state,.uids]' \
		'["good",["2300"]]'
	stop_daemon TERM
fi
finish
