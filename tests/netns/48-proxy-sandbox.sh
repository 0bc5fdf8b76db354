#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The proxy around its core: command line and configuration, where it listens, credentials, whom it becomes,
# and what an intruder in it gets (tests/tools/inside makes system calls in its place).
. "$(dirname "$0")/lib.sh"
: "${UIDWALL_PROXY:=$builddir/uidwall-proxy}"
export UIDWALL_PROXY
inside=$builddir/tests/tools/inside
[[ -x $inside ]] || skip_all "$inside is not built"
[[ -x $UIDWALL_PROXY ]] || skip_all "$UIDWALL_PROXY is not built"
private "$@"
install -m 755 "$UIDWALL_PROXY" "$T/bin/uidwall-proxy"
proxy=$T/bin/uidwall-proxy

sanitized() {
	readelf -d "$UIDWALL_PROXY" | grep -q 'NEEDED.*asan'
}

proxy_pid() {
	cat "$T/proxy.pid"
}

in_status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(proxy_pid)/status" | tr '\t' ' '
}

# As which user, or root, with which options; its log is new each time.
run_proxy() {
	: >"$T/proxy.log"
	"$@" --config "$CONFIG" --control "$CONTROL" >"$T/proxy.records" 2>"$T/proxy.log" </dev/null &
	echo $! >"$T/proxy.pid"
}

is_ready() {
	grep -q 'listens at' "$T/proxy.log"
}

start_proxy() {
	run_proxy "$@"
	wait_until 5 is_ready || die "the proxy does not start: $(cat "$T/proxy.log")"
}

stop_proxy() {
	kill -TERM "$(proxy_pid)"
	wait "$(proxy_pid)"
}

# ends NAME STATUS PATTERN COMMAND...: it ends like this by itself, and says that
ends() {
	local name=$1 wanted=$2 pattern=$3 status=0
	shift 3
	timeout 5 "$@" --config "$CONFIG" --control "$CONTROL" >"$T/out" 2>&1 </dev/null || status=$?
	if [[ $status == "$wanted" ]] && grep -q -- "$pattern" "$T/out"; then
		pass "$name"
	else
		fail "$name" "exit status $status"$'\n'"$(cat "$T/out")"
	fi
}

log_says() {
	check "$1" grep -q -- "$2" "$T/proxy.log"
}

listens_at() {
	ss -Hltn | awk '{ print $4 }' | grep -qxF "$1"
}

# --- the command line

out=$("$proxy" --help)
check "--help fits on a screen" test "$(wc -l <<<"$out")" -le 24
is "... of 100 columns" "$(awk 'length > 100' <<<"$out")" = ""
check "--version" grep -q '^uidwall-proxy [0-9]' <("$proxy" --version)
"$proxy" --nonsense >"$T/out" 2>&1
is "wrong use: 2" $? = 2
"$proxy" please >"$T/out" 2>&1
is "an argument: 2" $? = 2

# --- the configuration

config <<<'{ "proxy": { "listne": 1 } }'
ends "a mistake is told with its place" 1 'uidwall.json:1:14: error: unknown key "listne"' "$proxy"
config <<<'{ "proxy": { "external": "127.0.0.1:8888" } }'
ends "another proxy: nothing to do, and no failure" 0 'another proxy is used' "$proxy"
is "... in one line" "$(wc -l <"$T/out")" = 1
config <<<'{ "proxy": { "listen": ["127.0.0.1:3129", "192.0.2.99:3129", "[2001:db8::99]:3129"] } }'
start_proxy "$proxy"
check "listens where it is told" listens_at 127.0.0.1:3129
check "... also at addresses that an interface gets later" listens_at 192.0.2.99:3129
check "... of both families" listens_at '[2001:db8::99]:3129'
log_says "... and says so, with the place" 'uidwall.json:1:43: warning: no interface has the address of 192.0.2.99:3129'
ends "taken already: the remedies" 1 '1:25: error: cannot listen at 127.0.0.1:3129: Address already in use; "ss -ltnp"' "$proxy"
stop_proxy
is "SIGTERM: 0" $? = 0
rm -f "$CONFIG"
start_proxy "$proxy"
check "without a configuration: port 3128" listens_at 127.0.0.1:3128
check "... and over IPv6" listens_at '[::1]:3128'
check "all the descriptors that there may be" eval \
	'awk "/^Max open files/ { exit \$4 != \$5 }" "/proc/$(proxy_pid)/limits"'
stop_proxy
config <<<'{ "proxy": { "listen": "127.0.0.1:80" } }'
ends "as a user, a port that only root may have" 1 'ports below 1024 need root' \
	setpriv --reuid 2091 --regid 2091 --clear-groups "$proxy"
rm -f "$CONFIG"

config <<<'{ "proxy": { "connections": 900000 } }'
start_proxy "$proxy"
log_says "more connections than there are descriptors" '900000 "connections" take 1800000 descriptors'
stop_proxy
rm -f "$CONFIG"

# --- sockets handed over, by sd_listen_fds(3)

cat >"$T/hand.py" <<'P'
import os, socket, sys
kind, command = sys.argv[1], sys.argv[2:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.bind(("127.0.0.1", int(kind) if kind.isdigit() else 3128))
if kind != "udp":
    s.listen(5)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(command[0], command)
P
start_proxy python3 "$T/hand.py" 3128 "$proxy"
log_says "takes a socket that is handed over" 'listens at 127.0.0.1:3128, handed over'
check "... and makes no other" eval '! listens_at "[::1]:3128"'
stop_proxy
start_proxy python3 "$T/hand.py" 3999 "$proxy"
log_says "... warns of one that no service may connect to" 'warning: the service manager handed over a socket at 127.0.0.1:3999'
stop_proxy
ends "... refuses one that is not for TCP" 1 'is not a listening TCP socket' \
	python3 "$T/hand.py" udp "$proxy"

# --- credentials

credentials=/etc/uidwall-credentials
config <<<'{ "proxy": { "upstream": "http://192.0.2.1:8080", "credentials": "'$credentials'" } }'
ends "no file with credentials" 1 "uidwall.json:1:66: error: $credentials: there is no such file" "$proxy"
install -m 644 /dev/stdin $credentials <<<'me:sesame:open'
ends "one that others may read" 1 'has to belong to root with mode 0600' "$proxy"
install -m 600 -o 2091 /dev/stdin $credentials <<<'me:sesame:open'
ends "one that is not root's" 1 'has to belong to root' "$proxy"
install -m 600 /dev/stdin $credentials <<<'sesame'
ends "one without a user" 1 'expected user:password on one line' "$proxy"
printf 'me:sesame\nyou:other\n' >$credentials
ends "one with two lines" 1 'expected user:password on one line' "$proxy"
check "... whose contents are not shown" eval '! grep -q sesame "$T/out"'
head -c 600 /dev/zero | tr '\0' x >$credentials
ends "one that is too large" 1 'expected user:password on one line' "$proxy"
rm $credentials && ln -s /etc/shadow $credentials
ends "a link" 1 'is not a regular file' "$proxy"
rm $credentials
install -m 600 /dev/stdin $credentials <<<'me:sesame:open'
as_user=(setpriv --reuid 2091 --regid 2091 --clear-groups)
ends "as its user, not loaded by the service manager" 1 'the service manager has not loaded it' \
	"${as_user[@]}" "$proxy"
mkdir -p "$T/loaded"
install -m 400 -o 2091 $credentials "$T/loaded/"
start_proxy "${as_user[@]}" env CREDENTIALS_DIRECTORY="$T/loaded" "$proxy"
pass "... loaded, it starts"
stop_proxy
start_proxy "$proxy"
pass "as root it reads the file itself"
check "... of which nothing is in its log" eval '! grep -q sesame "$T/proxy.log" "$T/proxy.records"'
stop_proxy
rm -f "$CONFIG"

# --- who it is

ends "no such user: it does not run as root" 1 'there is no user uidwall-proxy in /etc/passwd' \
	unshare --mount bash -c 'sed /^uidwall-proxy:/d /etc/passwd >/run/passwd &&
		mount --bind /run/passwd /etc/passwd && exec "$@"' bash "$proxy"
ends "another user: it says so" 1 'runs as the user blog' \
	setpriv --reuid 2003 --regid 2003 --clear-groups "$proxy"
how_status() {
	is "$1: the user uidwall-proxy" "$(in_status Uid) / $(in_status Gid)" = \
		"2091 2091 2091 2091 / 2091 2091 2091 2091"
	is "... of no other group" "$(in_status Groups | tr -d ' ')" = ""
	for set in CapInh CapPrm CapEff CapAmb ${2-CapBnd}; do
		is "... $set: none" "$(in_status "$set")" = 0000000000000000
	done
	is "... no new privileges" "$(in_status NoNewPrivs)" = 1
	is "... its system calls are filtered" "$(in_status Seccomp)" = 2
	is "... in all of its threads" "$(cat "/proc/$(proxy_pid)"/task/*/status |
		grep -E '^(Uid|CapPrm|CapEff|NoNewPrivs|Seccomp):' | sort -u | wc -l)" = 5
	is "... nobody looks inside: its files in /proc are root's" "$(stat -c %U "/proc/$(proxy_pid)/maps")" = root
}

# gets WANTED CALL [ARGUMENT]...: what an intruder in the proxy gets, in its main thread or in that one;
# WANTED may be a pattern
thread=
gets() {
	local out
	out=$("$inside" "${thread:-$(proxy_pid)}" "${@:2}" 2>&1)
	# shellcheck disable=SC2254 # a pattern
	case $out in
	$1) pass "an intruder: ${*:2}: $1" ;;
	*) fail "an intruder: ${*:2}: $1" "$out" ;;
	esac
}

# could CALL [ARGUMENT]...: a process of the same user, without a sandbox, can
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
install -m 600 /dev/null /etc/shadow

start_proxy setpriv --reuid 2091 --regid 2091 --clear-groups --inh-caps +net_admin,+sys_admin \
	--ambient-caps +net_admin,+sys_admin "$proxy"
how_status "started as its user, with capabilities" ""
stop_proxy
start_proxy "$proxy" --no-seccomp
is "--no-seccomp: not filtered" "$(in_status Seccomp)" = 0
log_says "... which the log says" no-seccomp
stop_proxy
start_proxy "$proxy"
how_status "started by root"
log_says "says what its sandbox is" 'sandbox: user uidwall-proxy, no capability, [0-9]* system calls, '
landlock=$(sed -n 's/.*system calls, Landlock //p' "$T/proxy.log")
[[ $landlock ]] || note "this kernel has no Landlock: nothing is said about files"

setpriv --reuid 2091 --regid 2091 --clear-groups sleep 600 &
naked=$!
wait_until 5 grep -q '^State:.*sleeping' "/proc/$naked/status"
could openat $AT_FDCWD =/run/open/file 1
could openat $AT_FDCWD =/proc/self/status 0
could mmap 0 4096 7 0x22 -1 0
could memfd_create =x 0
could socket 16 3 0
could socket 2 2 1 # ping
could socket 2 1 262 # MPTCP
could prctl 38 1 0 0 0
could unshare 0x10000000

# Its work.
gets "$numbers" getpid
gets "$numbers" socket 2 1 6
gets "$numbers" socket 10 0x80801 6
gets "$numbers" socket 2 2 0
gets "$numbers" socket 10 0x80802 17
gets "$numbers" socket 1 1 0
gets "$numbers" socket 16 3 4 # sock_diag
gets "$numbers" openat $AT_FDCWD =/etc/hosts 0
mv /etc/hosts /etc/hosts.old && cp /etc/hosts.old /etc/hosts
gets "$numbers" openat $AT_FDCWD =/etc/hosts 0 # as an editor replaced it
gets "$numbers" mmap 0 4096 3 0x22 -1 0
# Files.
gets EACCES openat $AT_FDCWD =/etc/shadow 0
if [[ $landlock ]]; then
	sanitized || gets EACCES openat $AT_FDCWD =/proc/self/status 0
	gets EACCES openat $AT_FDCWD =/usr/bin/env 0
	gets EACCES openat $AT_FDCWD =/run/open/file 0
	gets EACCES openat $AT_FDCWD =/run/open/file 1
	gets EACCES openat $AT_FDCWD =/run/open/new 0x41 0600
	gets EACCES openat $AT_FDCWD =/etc 0 # names of files: no
	gets EACCES openat $AT_FDCWD =/ 0
	gets EACCES openat $AT_FDCWD =/dev/null 1
fi
gets ENOSYS truncate =/run/open/file 0
gets EPERM unlink =/run/open/file
gets EPERM rename =/run/open/file =/run/open/other
gets EPERM link =/run/open/file =/run/open/other
gets EPERM symlink =/etc/shadow =/run/open/link
gets EPERM mkdir =/run/open/folder 0777
gets EPERM chmod =/run/open/file 0777
gets ENOSYS getdents64 0 0 0
gets ENOSYS openat2 $AT_FDCWD =/etc/hosts 0 0
# Programs and processes.
gets EPERM execve =/bin/true 0 0
gets EPERM execveat $AT_FDCWD =/bin/true 0 0 0
gets EPERM fork
gets EPERM vfork
gets EPERM clone3 0 0
sanitized || gets EPERM clone 17 0 0 0 0
gets EPERM kill 1 0
gets ENOSYS tgkill 1 1 0
sanitized || gets EPERM ptrace 16 1 0 0
gets EPERM process_vm_readv 1 0 0 0 0 0
sanitized || gets EPERM prctl 38 1 0 0 0
gets EPERM pidfd_open 1 0
# Sockets.
gets EPERM bind 0 =x 16
gets EPERM listen 0 1
gets ENOSYS socket 2 3 255    # raw
gets ENOSYS socket 10 3 58
gets ENOSYS socket 2 2 1      # ping
gets ENOSYS socket 2 1 262    # MPTCP
gets ENOSYS socket 2 1 132    # SCTP
gets EAFNOSUPPORT socket 17 3 0
gets ENOSYS socket 16 3 0     # netlink, routes
gets ENOSYS socket 16 3 12    # netlink, nf_tables
gets ENOSYS socket 16 3 15    # netlink, uevents
gets ENOSYS socket 40 1 0     # vsock
gets ENOSYS socket 38 5 0     # crypto
# Others and the rest of the kernel.
gets EPERM setuid 0
gets EPERM setresuid 0 0 0
gets EPERM setgroups 0 0
gets EPERM capset 0 0
gets EPERM unshare 0x10000000
gets EPERM setns 0 0
gets EPERM mount =none =/mnt =tmpfs 0 0
gets EPERM chroot =/
gets EPERM bpf 0 0 0
gets EPERM io_uring_setup 8 0
gets EPERM userfaultfd 0
gets EPERM perf_event_open 0 0 0 0 0
gets EPERM keyctl 0 0
gets EPERM add_key =user =x =y 1 0
gets EPERM memfd_create =x 0
gets EPERM mmap 0 4096 7 0x22 -1 0
gets EPERM mmap 0 4096 5 0x22 -1 0
gets EPERM mprotect 0 0 4
gets EPERM pkey_mprotect 0 0 4 0
gets EPERM prlimit64 0 7 "=0123456701234567" 0
gets ENOSYS ioctl 0 0x5412 =x # TIOCSTI
gets EPERM personality 0x20000
for thread in "/proc/$(proxy_pid)/task"/*; do
	thread=${thread##*/}
	gets "$numbers" socket 2 1 6
	gets EPERM execve =/bin/true 0 0
	gets EPERM bind 0 =x 16
	[[ ! $landlock ]] || gets EACCES openat $AT_FDCWD =/run/open/file 1
done
thread=
check "it is none the worse for it" kill -0 "$(proxy_pid)"
gets killed 0x40000027 # x32, another numbering of the calls
wait "$(proxy_pid)" 2>/dev/null
kill -KILL $naked
wait $naked 2>/dev/null
finish
