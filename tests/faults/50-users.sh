#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Accounts that go while their services run, files of accounts that cannot be read or are half there, and a
# name service that hangs or crashes: nobody who was governed is free because of it, nobody waits for ever,
# and the other services go on. Topology: tests/netns/lib.sh.
# timeout: 180
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
private "$@"
preload_install

refused_all() {
	local uid
	for uid in "$@"; do
		refused "$uid" udp 203.0.113.66:443
	done
}

# took_less SECONDS COMMAND...: it may fail, but not wait
took_less() {
	local start limit=$1
	shift
	start=$(now_us)
	"$@" >"$T/out" 2>&1
	(($(now_us) - start < limit * 1000000)) || { cat "$T/out"; return 1; }
}

says() {
	check "$1" grep -q -- "$2" "$T/out"
}

status_has() {
	uidwall status >"$T/out" 2>&1
	says "$1" "$2"
}

cp /etc/passwd "$T/passwd"
cp /etc/group "$T/group"
cp /etc/subuid "$T/subuid"
accounts_back() {
	cp "$T/passwd" /etc/passwd
	cp "$T/group" /etc/group
	cp "$T/subuid" /etc/subuid
	chmod 644 /etc/passwd /etc/group /etc/subuid
}

# without USER...: as userdel does, also out of groups; at once, by a rename
without() {
	local user
	for user; do
		sed -i "/^$user:/d" /etc/passwd
		sed -i "s/\([:,]\)$user\(,\|\$\)/\1/; s/,\$//" /etc/group
	done
}

policy blog <<<'{ "user": "blog", "dns": false, "proxy": false }'
policy apps <<<'{ "group": "webteam", "dns": false, "proxy": false }'
policy other <<<'{ "user": "gitea", "dns": false, "proxy": false }'
echo 'webteam:x:2300:erp,wordpress' >>/etc/group
cp /etc/group "$T/group"
start_daemon
refused_all blog erp wordpress gitea 300005

note "--- userdel blog"
without blog
uidwall check "$POLICIES" >"$T/out" 2>&1
is "check: exit status 1" "$?" -eq 1
says "... and names the user" 'unknown user "blog"'
check "apply says so, and fails" eval "! uidwall apply >'$T/out' 2>&1"
says "... naming the user" 'unknown user "blog"'
refused_all 2003
status_has "status says so" 'unknown user "blog"'
stop_daemon KILL
start_daemon
refused_all 2003
note "its uid goes to somebody else"
echo 'newcomer:x:2003:2003::/:/bin/false' >>/etc/passwd
uidwall apply >"$T/out" 2>&1
refused_all 2003 gitea
note "somebody decides: the policy goes"
rm "$POLICIES/blog.json"
check "apply" uidwall apply
leaves 2003 -q udp 192.0.2.1:9999
accounts_back
policy blog <<<'{ "user": "blog", "dns": false, "proxy": false }'
check "and comes back" uidwall apply
refused_all 2003 300005

note "--- userdel erp, who was in a group"
without erp
check "apply" eval "uidwall apply >'$T/out' 2>&1"
says "it says that the uid stays" 'uid 2001 was in the group and has no account now'
refused_all 2001 wordpress
stop_daemon KILL
start_daemon
refused_all 2001
uidwall apply >"$T/out" 2>&1
refused_all 2001
note "an account that left the group is free: somebody decided"
accounts_back
sed -i 's/:erp,wordpress/:wordpress/' /etc/group
check "apply" uidwall apply
leaves 2001 -q udp 192.0.2.1:9999
refused_all wordpress
accounts_back
check "apply" uidwall apply
refused_all 2001

note "--- files that cannot be read"
for file in passwd group subuid; do
	chmod 600 "/etc/$file"
	check "/etc/$file unreadable: apply fails" eval "! uidwall apply >'$T/out' 2>&1"
	says "... and says so" "/etc/$file: .*cannot be read: Permission denied"
	refused_all blog erp gitea 300005
	stop_daemon KILL
	nft delete table inet uidwall
	start_daemon
	note "a start does with what it remembers"
	refused_all blog erp gitea
	accounts_back
	check "apply" uidwall apply
	refused_all 300005
done

note "--- files that are empty, or half there"
: >/etc/passwd
uidwall apply >"$T/out" 2>&1
refused_all blog 2001 gitea wordpress
stop_daemon KILL
start_daemon
refused_all blog 2001 gitea wordpress
accounts_back
head -c "$(grep -b '^blog:' "$T/passwd" | cut -d: -f1)" "$T/passwd" >/etc/passwd
printf 'blog:x:20' >>/etc/passwd
uidwall apply >"$T/out" 2>&1
refused_all blog 2001 gitea wordpress
accounts_back
: >/etc/group
uidwall apply >"$T/out" 2>&1
refused_all blog 2001 gitea wordpress
accounts_back
check "apply" uidwall apply

note "--- a name service"
stop_daemon TERM
# For the daemon alone: setpriv and others ask the name service, too, and wait.
NSS_STUCK=$T/nss
mkdir "$NSS_STUCK"
mv "$T/bin/uidwalld" "$T/bin/uidwalld.real"
printf '#!/bin/sh\nNSS_STUCK=%s LD_LIBRARY_PATH=%s exec %s "$@"\n' "$NSS_STUCK" "$T/bin" "$T/bin/uidwalld.real" >"$T/bin/uidwalld"
chmod 755 "$T/bin/uidwalld"
printf 'passwd: files stuck\ngroup: files stuck\n' >/etc/nsswitch.conf
policy far <<<'{ "user": "ldapper", "dns": false, "proxy": false }'
policy apps <<<'{ "group": "ldapgroup", "dns": false, "proxy": false }'
rm "$POLICIES/blog.json"
start_daemon
uidwall apply >"$T/out" 2>&1 # ldapper is in both, which is a mistake
policy apps <<<'{ "users": [ "erp" ], "dns": false, "proxy": false }'
check "who is only in the name service is found" uidwall apply
refused_all 2201 erp gitea
stop_daemon KILL
touch "$NSS_STUCK/hang"
nft delete table inet uidwall
start=$(now_us)
start_daemon
took=$(($(now_us) - start))
note "it hangs: a cold start takes $((took / 1000)) ms"
is "... less than 9 s" "$took" -lt 9000000
refused_all 2201 erp gitea
status_has "status names the user" 'unknown user "ldapper"'
uidwall status --json >"$T/out"
says "... and the name service" 'name service does not answer'
policy other <<<'{ "user": "gitea", "dns": false, "connect": [ { "to": "192.0.2.1", "port": 8888, "protocol": "udp" } ] }'
check "a reload of others takes effect within seconds" took_less 9 uidwall apply
leaves gitea -q udp 192.0.2.1:8888
refused_all 2201
policy new <<<'{ "user": "nosuch", "dns": false }'
check "another unknown one does not make it wait longer" took_less 9 uidwall apply
rm "$POLICIES/new.json"
rm "$NSS_STUCK/hang"
answered() {
	uidwall apply
}
check "once it answers again it is asked again" wait_until 30 answered
refused_all 2201
touch "$NSS_STUCK/crash"
check "it crashes whoever asks: a reload does not wait" took_less 9 uidwall apply
check "the daemon goes on" daemon_answers
refused_all 2201 erp
rm "$NSS_STUCK/crash"
check "once it is well again it is asked again" wait_until 30 answered
is "a helper and a worker at most" "$(pgrep -c -x uidwalld-names)" -le 2
check "the one that asks has no capability" test "$(pgrep -x uidwalld-names | while read -r p; do sed -n 's/^CapPrm:\t//p' "/proc/$p/status"; done | sort -u)" = 0000000000000000

note "--- as at boot: the daemon is up before the name service"
stop_daemon KILL
touch "$NSS_STUCK/away"
policy far <<<'{ "user": "ldapper", "dns": false, "connect": [ { "to": "192.0.2.1", "port": 8888, "protocol": "udp" } ] }'
start_daemon
refused_all 2201
blocked 2201 udp 192.0.2.1:8888
rm "$NSS_STUCK/away"
found_by_itself() {
	nft list chain inet uidwall svc-far | grep -q 8888
}
check "once it answers, the user is found without anybody's asking" wait_until 60 found_by_itself
leaves 2201 -q udp 192.0.2.1:8888
refused_all 2201
check "all is well then" uidwall status
stop_daemon KILL
check "and does not outlive the daemon" wait_until 5 eval '! pgrep -x uidwalld-names'
finish
