#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# why: what it says, through the daemon and --offline alike, is what a real program of that user sees;
# and whoever does as it proposes gets through. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

sample blog gitea mailer nothing
policy wordpress <<'E'
{
  "user": "wordpress",
  "dns": false,
  "proxy": false,
  "mode": "monitor"
}
E
policy phpmyadmin <<'E'
{
  "user": "phpmyadmin",
  "hosts": [ "*.example.org" ],
  "connect": [
    { "to": "198.51.100.0/24", "port": [80, "8000-8009"] },
    { "to": "198.51.100.7", "port": 8001 },
    { "to": "2001:db8:1::/48", "port": 443, "interface": "eth0" },
    { "to": "2001:db8:2::/48", "port": 443, "interface": "wg0" },
    { "to": "203.0.113.9", "port": 443, "until": "2001-12-31" },
    { "to": "203.0.113.9", "protocol": "icmp" },
    { "to": "localhost", "port": 3000 },
    { "to": "203.0.113.10", "port": 5000, "protocol": "udp" }
  ]
}
E
config <<'E'
{ "admins": [ "caddy" ] }
E
stand_in blog blog echo:tcp:3000
stand_in gitea gitea echo:tcp:3001 echo:tcp:2222
stand_in postgres postgres echo:tcp:5432 echo:tcp:3306
stand_in proxy uidwall-proxy echo:tcp:3128
start_daemon
ip route add unreachable 240.0.0.0/8

# ask WHO QUESTION...: as that user, through the daemon; the answer in $T/why.json, the status in $status
ask() {
	local uid
	uid=$(uid_of "$1")
	setpriv --reuid "$uid" --regid "$uid" --clear-groups "$T/bin/uidwall" why "${@:2}" \
		--config "$CONFIG" --policies "$POLICIES" --control "$CONTROL" --json \
		>"$T/why.json" 2>"$T/why.err"
	status=$?
}

# agree USER SUBJECT "ATTEMPT" ["QUESTION"]: verdict and errno are those of a real attempt
agree() {
	local user=$1 subject=$2 question=${4:-$3} real said
	read -ra words <<<"$3"
	real=$(attempt "$user" -t 1000 "${words[@]}" |
		jq -r 'if .result == "refused" then "refused " + .errno else .result end')
	# a name server does not answer what is no question
	[[ $real != ok && "$3 $real" != "udp "*" timeout" ]] || real=allowed
	read -ra words <<<"$question"
	ask root "$subject" "${words[@]}"
	said=$(jq -r '.answers[0] | .verdict + if .errno then " " + .errno else "" end' "$T/why.json")
	is "why $subject $question: $real" "$said" = "$real"
	is "... and its exit status" "$status" -eq "$([[ $real == allowed ]]; echo $?)"
	cp "$T/why.json" "$T/daemon.json"
	ask root "$subject" "${words[@]}" --offline
	check "... and the same --offline" cmp "$T/daemon.json" "$T/why.json"
}

targets=(
	'tcp 203.0.113.7:443' 'tcp [2001:db8:bad::7]:443' 'udp 203.0.113.7:5000' 'udp [2001:db8:bad::7]:5000'
	'ping 203.0.113.9' 'ping 2001:db8:bad::9' 'ping 127.0.0.1' 'ping ::1'
	'tcp 127.0.0.1:5432' 'tcp [::1]:5432' 'tcp 127.0.0.2:5432' 'tcp 192.0.2.2:5432' 'tcp 127.0.0.1:3306'
	'tcp 127.0.0.1:3000' 'tcp [::1]:3001' 'tcp 192.0.2.2:3001' 'tcp 127.0.0.1:2222' 'tcp 127.0.0.1:3128'
	'tcp 198.51.100.7:80' 'tcp 198.51.100.7:8001' 'tcp 198.51.100.255:8009' 'tcp 198.51.100.7:8010'
	'tcp [2001:db8:1::7]:443' 'tcp [2001:db8:2::7]:443' 'tcp 203.0.113.9:443' 'udp 203.0.113.10:5000'
	'tcp 192.0.2.25:587' 'tcp [2001:db8:25::25]:465' 'udp 192.0.2.53:53' 'tcp [2001:db8::53]:53'
	'udp 192.0.2.53:5353' 'tcp [::ffff:203.0.113.7]:443'
)
for user in blog gitea mailer phpmyadmin wordpress vault stranger caddy; do
	subject=$user
	[[ $user != vault ]] || subject=nothing
	for target in "${targets[@]}"; do
		question=${target/ping/icmp}
		agree "$user" "$subject" "$target" "$question"
	done
done
agree root root 'tcp 127.0.0.1:3000'
agree stranger 2050 'tcp 127.0.0.1:3000'

# Callers, over both loopbacks.
# calls USER SERVICE PORT
calls() {
	local real said
	real=$(attempt "$1" -t 1000 -m x tcp "127.0.0.1:$3" | jq -r .result)
	[[ $real != ok ]] || real=allowed
	for offline in '' --offline; do
		ask root "$2" from "$1" tcp "$3" $offline
		said=$(jq -r .verdict "$T/why.json")
		is "why $2 from $1 tcp $3 $offline: $real" "$said" = "$real"
	done
}

for user in root caddy www-data stranger blog gitea phpmyadmin mailer; do
	calls "$user" blog 3000
	calls "$user" gitea 3001
	calls "$user" gitea 2222
done
in_sink "$ATTEMPT" -t 400 -m x tcp 192.0.2.2:2222 >/dev/null
is "outside: gitea's 2222 answers" $? -eq 0
ask root gitea from 192.0.2.1 tcp 2222
is "... and so says why" "$status" -eq 0
attempt blog -t 3000 listen '[::]:4444' >"$T/shell.log" &
wait_until 3 grep -q listening "$T/shell.log"
in_sink "$ATTEMPT" -t 400 -m x tcp 192.0.2.2:4444 >/dev/null
is "outside: a bind shell of blog's does not" $? -ne 0
ask root blog from 192.0.2.1 tcp 4444
is "... and so says why" "$status" -eq 1
wait %% 2>/dev/null

# What it proposes, done in the files, is what then happens.
# edit NAME: writes the edits of the last answer into the policies
edit() {
	python3 - "$T/why.json" <<-'E'
		import json, os, sys
		edits = json.load(open(sys.argv[1]))["changes"]
		for e in sorted(edits, key=lambda e: -e["offset"]):
		    text = open(e["path"], "rb").read()
		    old = e["remove"].encode()
		    assert text[e["offset"]:e["offset"] + len(old)] == old, e
		    text = text[:e["offset"]] + e["insert"].encode() + text[e["offset"] + len(old):]
		    with open(e["path"] + ".new", "wb") as f:
		        f.write(text)
		    os.chmod(e["path"] + ".new", 0o644)
		    os.rename(e["path"] + ".new", e["path"])
	E
}

refused gitea tcp 203.0.113.7:443
ask root gitea tcp 203.0.113.7:443
check "the edit is made" edit
check "... and applied" reload
goes gitea -m x tcp 203.0.113.7:443
ask root gitea tcp 203.0.113.7:443
check "the edit back is made" edit
check "... and applied" reload
refused gitea tcp 203.0.113.7:443
refused gitea tcp 127.0.0.1:3000
ask root blog from gitea tcp 3000
is "two policies have to change" "$(jq '[.changes[].file] | unique | length' "$T/why.json")" -eq 2
check "the edits are made" edit
check "... and applied" reload
goes gitea -m x tcp 127.0.0.1:3000
goes gitea -m x tcp '[::1]:3000'

# --- who may ask
ask blog blog tcp 127.0.0.1:5432
is "blog may ask about itself" "$status" -eq 0
ask blog 2003 tcp 127.0.0.1:5432
is "... by number" "$status" -eq 0
ask stranger stranger tcp 203.0.113.7:443
is "and so may who has no policy" "$status" -eq 0
ask caddy blog tcp 203.0.113.7:443
is "an admin may ask about all" "$status" -eq 1
for subject in gitea 2005 erp nosuch; do
	ask blog "$subject" tcp 203.0.113.7:443
	is "blog may not ask about $subject" "$status $(grep -c 'only root and admins' "$T/why.err")" = "2 1"
done
ask blog blog from gitea tcp 3000
is "... nor whether others may call it" "$status" -eq 2
ask blog blog from root tcp 3000
is "... but whether root may" "$status" -eq 0
# whoever names a service and an own uid besides asks about the service
python3 - "$CONTROL" "$(uid_of blog)" >"$T/raw" <<'E'
import json, os, socket, struct, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
q = json.dumps({"call": "why", "service": "gitea", "uid": int(sys.argv[2]), "targets": ["tcp 192.0.2.1:1"]}).encode()
s.sendall(struct.pack(">I", len(q)) + q)
print(s.recv(4096)[4:].decode(errors="replace"))
E
check "... not even with its own uid beside it" grep -q "only root and admins" "$T/raw"
ask phpmyadmin phpmyadmin tcp 127.0.0.1:3001
check "others' lines are not shown" test "$(grep -cE 'gitea|blog' "$T/why.json")" -eq 0
ask phpmyadmin phpmyadmin tcp 127.0.0.1:3000
is "... but the verdict is" "$status $(grep -cE 'gitea|blog|caddy' "$T/why.json")" = "1 0"

# --- names
ask root blog https://a.example
is "a name is resolved" "$status $(jq -r '.answers[].address' "$T/why.json" | grep -c '^198\.51\.100\.80$')" = "1 1"
is "... and the other way named" "$(jq -r '.proxy | [.reachable, .named_by] | @csv' "$T/why.json")" = 'true,'
ask root phpmyadmin https://a.example.org
is "hosts name it" "$(jq -r .proxy.named_by.text "$T/why.json")" = '"*.example.org"'
printf '%s relay.example\n' 192.0.2.25 2001:db8:25::25 203.0.113.7 >>/etc/hosts
ask root mailer relay.example submission
is "every address is judged" "$status $(jq -r '[.answers[].verdict] | sort | join(" ")' "$T/why.json")" \
	= "1 allowed allowed refused"
is "... and the change is for the one refused" "$(jq '[.changes[] | .text] | length' "$T/why.json")" -eq 1
in_sink nft add rule inet sink count udp dport 53 drop
start_us=$(now_us)
ask root blog b.example 443
ms=$((($(now_us) - start_us) / 1000))
is "a silent name server is not waited for" "$status $(grep -c 'within 5 s' "$T/why.err")" = "2 1"
is "... longer than that" "$ms" -lt 9000

# --- the wall off, no daemon
uidwall off >/dev/null
ask root gitea tcp 203.0.113.8:443
is "the wall is off: allowed" "$status $(jq -r '.answers[0] | [.reason, .would_refuse] | @csv' "$T/why.json")" \
	= '0 "wall-off",true'
uidwall on >/dev/null
uidwall off gitea >/dev/null
ask root gitea tcp 203.0.113.8:443
is "gitea is off: allowed" "$status $(jq -r '.answers[0].reason' "$T/why.json")" = "0 off"
uidwall on >/dev/null
ask root blog tcp 240.0.0.1:80
is "no route: judged all the same" "$status $(jq -r '.answers[0].route' "$T/why.json")" = "1 none"
stop_daemon TERM
ask root gitea tcp 203.0.113.8:443
is "no daemon" "$status $(grep -c -- --offline "$T/why.err")" = "3 1"
finish
