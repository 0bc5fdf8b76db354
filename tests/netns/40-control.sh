#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The control socket: who may ask what, and clients that mean harm (hostile.py). Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"

# call USER REQUEST: the answer, or "error: " and the daemon's words. Python may lie where only root
# finds it, so it changes its user itself.
call() {
	local uid
	uid=$(uid_of "$1") || exit
	python3 - "$CONTROL" "$uid" "$2" <<-'E'
		import os, socket, struct, sys
		uid = int(sys.argv[2])
		os.setgroups([])
		os.setresgid(uid, uid, uid)
		os.setresuid(uid, uid, uid)
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		request = sys.argv[3].encode()
		s.sendall(struct.pack(">I", len(request)) + request)
		data = b"".join(iter(lambda: s.recv(65536), b""))
		n = struct.unpack(">I", data[:4])[0]
		print("error: " + data[4:].decode() if n else data[8:].decode())
	E
}

# says NAME USER REQUEST JQ-FILTER EXPECTED
says() {
	local out found
	out=$(call "$2" "$3")
	found=$(jq -rc "$4" <<<"$out" 2>&1)
	if [[ $found == "$5" ]]; then
		pass "$1"
	else
		fail "$1" "expected $5, found $found in $out"
	fi
}

denies() {
	local out
	out=$(call "$2" "$3")
	if [[ $out == "error: only root and admins may $4" ]]; then
		pass "$1"
	else
		fail "$1" "$out"
	fi
}

sample erp blog nothing
config <<<'{ "admins": [ "caddy" ] }'
stand_in postgres postgres echo:tcp:5432
start_daemon

is "anybody may connect" "$(stat -c %a "$CONTROL")" = 666

# --- who may ask what
status='{"call":"status"}'
says "root sees all services" root "$status" '[.services[].service]' '["blog","erp","nothing"]'
says "so do admins" caddy "$status" '[.services[].service]' '["blog","erp","nothing"]'
says "others see their own" blog "$status" '[.services[].service]' '["blog"]'
says "subordinate ids of theirs belong to them" blog "$status" '.services[0].uids' \
	'["2003","300000-365535"]'
says "who has none sees none" stranger "$status" '.services' '[]'
for user in root caddy blog; do
	says "$user may show blog" $user '{"call":"show","service":"blog"}' .service blog
done
own="ask about services other than their own"
denies "erp may not show blog" erp '{"call":"show","service":"blog"}' "$own"
denies "... nor learn whether there is one" erp '{"call":"show","service":"nosuch"}' "$own"
is "root may" "$(call root '{"call":"show","service":"nosuch"}')" = 'error: no service "nosuch"'
for user in blog stranger uidwall 65534; do
	denies "$user may not apply" $user '{"call":"apply"}' "apply policies"
	denies "$user may not take it down" $user '{"call":"off"}' "take the wall down"
	denies "$user may not take its own down" $user '{"call":"off","service":"blog"}' \
		"take the wall down"
	denies "$user may not put it up" $user '{"call":"on"}' "put the wall up"
done
says "an admin may apply" caddy '{"call":"apply"}' '[.ok,.good]' '[true,3]'

# What is wrong with one service is nobody else's business.
policy erp <<<'{ "user": "erp", "secret-key": true }'
says "a mistake leaves ok" root '{"call":"apply"}' '[.ok,.good,.last_good]' '[true,2,1]'
says "root sees the mistake" root "$status" '.diags[0].file' "$POLICIES/erp.json"
says "erp sees it" erp "$status" '.services[0] | [.state, (.problem | contains("secret-key"))]' \
	'["last-good",true]'
says "... with its place" erp '{"call":"show","service":"erp"}' '.diags[0] | [.severity,.line]' \
	'["error",1]'
says "blog does not" blog "$status" '[.diags,.services[0].problem,.last_reload.error]' '[[],null,null]'
is "not a word of it" "$(call blog "$status" | grep -c secret-key)" -eq 0
rm -f "$POLICIES/erp.json"
sample erp
says "put right" root '{"call":"apply"}' '[.ok,.good]' '[true,3]'

# A whole reload that fails changes nothing.
config <<<'{ "admins": [ "stranger" ], "nonsense": 1 }'
says "a bad configuration: not ok" root '{"call":"apply"}' \
	'[.ok,.generation,(.error | contains("nonsense"))]' '[false,4,true]'
says "... and status says so" root "$status" '[.last_reload.ok,.generation,.wall]' '[false,4,"on"]'
says "... to anybody, without the reason" blog "$status" '[.last_reload.ok,.last_reload.error]' \
	'[false,null]'
says "... and admins stay admins" caddy "$status" '.services | length' 3
denies "... and others do not become any" stranger '{"call":"apply"}' "apply policies"
config <<<'{ "admins": [ "caddy" ] }'
says "put right" root '{"call":"apply"}' '[.ok,.generation]' '[true,5]'

# --- counters
refused blog tcp 203.0.113.7:443
says "a refusal is counted" blog "$status" '.services[0].refused_packets > 0' true
says "... for who was refused" erp "$status" '.services[0].refused_packets' 0
n=$(call blog "$status" | jq '.services[0].refused_packets')
says "... the same for root" root "$status" \
	'.services[] | select(.service == "blog") | .refused_packets' "$n"
says "... and in show" root '{"call":"show","service":"blog"}' '.refused_packets' "$n"
says "... and stays over a reload" root '{"call":"apply"}' '.ok' true
says "... it does" blog "$status" '.services[0].refused_packets' "$n"
says "show has the rules" blog '{"call":"show","service":"blog"}' \
	'[.chain, (.rules | map(.text) | any(contains("tcp dport 5432")))]' '["svc-blog",true]'

# --- hostile clients
python3 "$(dirname "$0")/hostile.py" "$CONTROL" "$(daemon_pid)" || ((++n_failed))
check "the daemon lives" daemon_alive
stop_daemon TERM
(ulimit -Sn 17 && daemon_run) >>"$T/daemon.log" 2>&1 </dev/null &
echo $! >"$T/daemon.pid"
wait_until 10 daemon_answers || die "the daemon does not come up"
python3 "$(dirname "$0")/hostile.py" "$CONTROL" "$(daemon_pid)" few || ((++n_failed))
check "that was without descriptors" grep -q 'out of descriptors' "$T/daemon.log"
check "the daemon lives" daemon_alive
refused vault tcp 203.0.113.7:443
goes erp -m x tcp 127.0.0.1:5432
finish
