#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 50-unit.sh - unit, with the units of a real systemd: services, slices, templates, DynamicUser=,
# scopes, sub-groups, sockets, restarts and crashes; and how soon after its start a unit is governed.
# timeout: 240
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

# A service that is there before the daemon is, as those of early boot are.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/early.service" <<'U'
[Unit]
DefaultDependencies=no
Before=uidwalld.service
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=sysinit.target
U
machine_boot --copy "$scratch/early.service:/etc/systemd/system/" \
	--copy "$builddir/tests/tools/eager:/usr/local/bin/" \
	--prepare 'systemctl --quiet enable early.service' \
	--prepare 'install -o stranger -m 4755 /usr/local/bin/eager /usr/local/bin/eager-setuid'

T=/run/test
mkdir -p "$T"
units=/run/systemd/system
out=$T/out
in=192.0.2.1:8080 # what each policy allows
not=192.0.2.1:9090

# governs SERVICE WHO UNIT - a policy that allows one port
governs() {
	policy "$1" "{ $2, \"unit\": \"$3\", \"dns\": false, \"proxy\": false,
		\"connect\": [ { \"to\": \"192.0.2.1\", \"port\": ${4:-8080} } ] }"
}

# service NAME LINE... - a unit's file, after systemctl daemon-reload
service() {
	printf '%s\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' "${@:2}" >"$units/$1.service"
}

# Tries one target after the other, once what is to be governed is.
cat >/usr/local/bin/try <<'S'
#!/bin/sh
sleep 0.3
for to; do attempt -t 1000 tcp "$to"; done
S
chmod 755 /usr/local/bin/try

results() {
	sed -n 's/.*"result":"\([a-z]*\)".*/\1/p' "$@" | xargs
}

# governed NAME COMMAND... - what is allowed passes, and nothing else
governed() {
	equal "$1" "ok refused" "$("${@:2}" | results)"
}

free() {
	equal "$1" "ok ok" "$("${@:2}" | results)"
}

note() {
	sed 's/^/# /' <<<"$1"
}

# transient [OPTION OF SYSTEMD-RUN]... [COMMAND]
transient() {
	[[ " $* " == *" try "* || " $* " == *" eager"* ]] || set -- "$@" try $in $not
	systemd-run --quiet --collect --wait --pipe "$@"
}

# starts UNIT - a oneshot service whose results go to $out
starts() {
	rm -f "$out"
	systemctl start "$1" 2>"$T/start" # which fails, as the second attempt does
	cat "$out"
}

# within CGROUP - as a process of root there
within() {
	bash -c 'echo 0 >"/sys/fs/cgroup/$1/cgroup.procs" && shift && for to; do attempt -t 1000 tcp "$to"; done' \
		- "$1" $in $not
}

in_force() {
	nft list map inet uidwall units | grep -qF "$1"
}

rm /etc/uidwall/policies/blog.json
governs app '"user": "blog"' app.service
governs shop '"user": "3001"' shop.slice
governs cart '"user": "3002"' cart.service 9091
governs away '"user": "3003"' away.service
governs many '"user": "3004"' many@.service
governs one '"user": "3005"' many@one.service 9091
governs dynamic '"uids": "61184-65519"' dynamic.service
governs named '"user": "named"' named.service
governs job '"user": "3006"' job.scope
governs hand '"user": "3007"' hand.service
governs web '"user": "3008"' web.service
governs crash '"user": "3009"' crash.service
governs early '"user": "3010"' early.service
governs eager '"user": "3011"' eager.service
governs eagers '"user": "3012"' eager@.service
governs session '"user": "3013"' user@2050.service 9091
policy broken '{ "user": "3014", "unit": "broken.service", "conect": [] }'
check "the far side answers" far_side
uidwall apply >"$T/apply" 2>&1
governed "a unit that was there before the daemon is governed" within system.slice/early.service
equal "the unit's hierarchy is read-only for the daemon" yes "$(property uidwalld.service ProtectControlGroups)"

uidwall show app --wait >"$T/wait" 2>&1 & # takes its time
waiting=$!

# --- plain services -------------------------------------------------------------------------------

free "elsewhere, root and everybody else go on as before" transient --unit=other
for user in root blog stranger; do
	governed "User=$user" transient --unit=app -p User=$user
done
# helper UNIT - how its helper, which runs as somebody else, fares
helper() {
	install -m 666 /dev/null "$T/helper"
	transient --unit="$1" -p User=blog eager-setuid 192.0.2.1 9090 "$T/helper"
	cut -d' ' -f4 "$T/helper"
}
equal "a set-user-ID program steps around the policy of its caller ..." none "$(helper other)"
equal "... but not out of its unit" EPERM "$(helper app)"
service app Type=forking ExecStart="/bin/sh -c 'setsid try $in $not >$out &'"
systemctl daemon-reload
systemctl start app
eventually 5 sh -c "[ \$(wc -l <$out) -eq 2 ]"
governed "a process that its master left alone" cat "$out"
systemctl stop app
service app Type=oneshot StandardOutput=append:$out \
	ExecStartPre="/usr/local/bin/try $in $not" ExecStart=/bin/true ExecStopPost="/usr/local/bin/try $in $not"
systemctl daemon-reload
equal "ExecStartPre= and ExecStopPost=" "ok refused ok refused" "$(starts app | results)"
rm "$units/app.service"
systemctl daemon-reload

# --- elsewhere in the tree ------------------------------------------------------------------------

governed "a service in a slice" transient --unit=any --slice=shop
governed "a service in a slice within it" transient --unit=any --slice=shop-web-front
free "a slice of a name that starts alike" transient --unit=any --slice=shopping
equal "a unit in a slice, each with a policy: the unit's counts" "refused refused ok" \
	"$(transient --unit=cart --slice=shop-web try $in $not 192.0.2.1:9091 | results)"
for slice in far far-off-there -; do
	governed "Slice=$slice.slice" transient --unit=away --slice=$slice.slice
done
governed "a scope" systemd-run --quiet --collect --scope --unit=job try $in $not

for i in x "a\\x2db" 2; do
	governed "an instance of a template" transient --unit="many@$i.service"
done
equal "an instance with a policy of its own" "refused refused ok" \
	"$(transient --unit=many@one try $in $not 192.0.2.1:9091 | results)"

# --- sub-groups -----------------------------------------------------------------------------------

systemd-run --quiet --collect --unit=hand -p Delegate=yes sleep infinity
check "a unit with Delegate= is in force" eventually 2 in_force /hand.service
mkdir -p /sys/fs/cgroup/system.slice/hand.service/{deep/deeper,app.service}
for group in hand.service/deep/deeper hand.service/app.service; do
	governed "in the group $group" within system.slice/$group
done
systemctl stop hand
governed "with Delegate=, ExecStartPre= runs in a group below" transient --unit=hand -p Delegate=yes \
	-p "ExecStartPre=+$(command -v uidwall) show hand --wait"
systemctl start user@2050.service
session=user.slice/user-2050.slice/user@2050.service
check "a user's manager is in force" eventually 2 in_force "$session"
mkdir -p "/sys/fs/cgroup/$session/app.slice/app.service"
equal "a user's own unit is not the system's of that name" "refused refused" \
	"$(within "$session/app.slice/app.service" | results)"
systemctl stop user@2050.service

# --- DynamicUser= ---------------------------------------------------------------------------------

governed "DynamicUser=" transient --unit=dynamic -p DynamicUser=yes
governed "DynamicUser= elsewhere, by a policy for all of their uids" \
	transient --unit=other -p DynamicUser=yes
governed "by the name of a user that exists only while the unit runs" \
	transient --unit=named -p DynamicUser=yes
equal "which is no mistake" "good" "$(uidwall show named --json | jq -r .state)"
check "but said" grep -q 'warning: there is no user "named" now' "$T/apply"
systemd-run --quiet --unit=named -p DynamicUser=yes sleep infinity
uidwall apply >"$T/apply" 2>&1
check "it is known while the unit runs" grep -Eq '"uids": "?6[0-9]{4}' <<<"$(uidwall show named --json)"
systemctl stop named
uidwall apply >"$T/apply" 2>&1
equal "and forgotten when it has ended" "good 0" "$(uidwall show named --json | jq -r '"\(.state) \(.subjects | length)"')"

wait "$waiting"
equal "whoever waits for a unit that it is not in, waits in vain" "1 uidwall: the control group of this process" \
	"$? $(cut -d' ' -f1-7 "$T/wait")"

# --- sockets that systemd holds -------------------------------------------------------------------

cat >/usr/local/bin/reaim <<'P'
#!/usr/bin/python3
import ctypes, socket, sys
held = socket.socket(fileno=3)
if sys.argv[1] == "answer":
    held.accept()[0].sendall(b"hello")
    sys.exit()
ctypes.CDLL(None).connect(3, b"\0" * 16, 16)  # AF_UNSPEC: no longer a listener
held.settimeout(1)
try:
    held.connect((sys.argv[2], int(sys.argv[3])))
    print('"result":"ok"')
except ConnectionRefusedError:
    print('"result":"refused"')
P
chmod 755 /usr/local/bin/reaim
# activated NAME ARG... - a service that gets its socket, port 3000, from systemd
activated() {
	printf '[Socket]\nListenStream=192.0.2.2:3000\n' >"$units/$1.socket"
	service "$1" Type=oneshot StandardOutput=append:$out ExecStart="/usr/local/bin/reaim ${*:2}"
	systemctl daemon-reload
	systemctl start "$1.socket"
	note "$(ss -Htln --cgroup 'sport 3000')"
}
for name in other web; do
	activated $name reaim 192.0.2.1 9090
	rm -f "$out"
	systemctl start $name
	systemctl stop $name.socket
	case $name in
	other) equal "a socket that systemd handed over steps around every policy ..." ok "$(results "$out")" ;;
	web) equal "... but not around that of its unit" refused "$(results "$out")" ;;
	esac
done
answers() {
	ip netns exec sink timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.2/3000; cat <&3'
}
activated web answer
equal "nor does a service answer on a port that it has not declared" "" "$(answers 2>/dev/null)"
systemctl stop web.socket web.service
governs web '"user": "3008", "listen": [ { "port": 3000 } ]' web.service
uidwall apply >"$T/apply" 2>&1
activated web answer
equal "declared, it answers" hello "$(answers)"
systemctl stop web.socket web.service

# --- what goes wrong, and what goes on ------------------------------------------------------------

equal "the unit of a policy that never was right is refused everything" "refused refused" \
	"$(transient --unit=broken | results)"

service app ExecStart='/bin/sleep infinity'
service crash ExecStart="/usr/local/bin/eager 192.0.2.1 9090 $T/crash" Restart=always RestartSec=5ms
systemctl daemon-reload
systemctl start crash
for i in {1..10}; do
	systemctl restart app
	uidwall show app --json >"$T/show"
	[[ $(within system.slice/app.service | results) == "ok refused" ]] || break
done
equal "restarted again and again" 10 "$i"
check "a service that crashes all the time" eventually 10 sh -c "[ \$(wc -l <$T/crash) -ge 20 ]"
systemctl stop crash
equal "is governed each time" 0 "$(grep -vc EPERM "$T/crash")"

check "systemctl daemon-reexec" systemctl daemon-reexec
governed "a unit of before is still governed" within system.slice/app.service
governed "one that starts later, too" transient --unit=away
kill -KILL "$(property uidwalld.service MainPID)"
systemctl restart app
governed "a unit that started while the daemon was dead, once it is back" eval \
	'eventually 10 uidwall status; within system.slice/app.service'
governed "a unit of early boot" within system.slice/early.service

# --- how soon -------------------------------------------------------------------------------------

# Of the lines of eager: how many sent something before they were refused, how much, and for how long.
figures() {
	awk '{ us = $2 - $1; sent += $3; early += $3 > 0; missed += $4 != "EPERM"; if (us > max) max = us }
	END { printf "%d starts: %d sent %d datagrams before they were refused, %d were not; at most %.1f ms\n",
		NR, early, sent, missed, max / 1000 }' "$1"
}

# soon NAME FILE STARTS
soon() {
	note "$1: $(figures "$2")"
	equal "$1: no start was missed" "$3" "$(grep -c EPERM "$2")"
	# A program that sends all the time takes the processor that the daemon needs.
	check "$1: governed within 100 ms, but for one in twenty on a busy machine" \
		test "$(awk '$2 - $1 > 100000' "$2" | wc -l)" -le $(($3 / 20))
}

datagrams() {
	ip netns exec sink nft list counter inet count datagrams | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# start_all FILE
start_all() {
	service eager Type=oneshot ExecStart="/usr/local/bin/eager 192.0.2.1 9999 $1.each"
	service eager@ Type=oneshot ExecStart="/usr/local/bin/eager 192.0.2.1 9999 $1.once"
	systemctl daemon-reload
	local i from=${EPOCHREALTIME/./}
	for ((i = 0; i < starts; i++)); do
		systemctl start eager
	done
	note "each took $(((${EPOCHREALTIME/./} - from) / starts)) us"
	systemctl start "eager@"{1..100}
}

starts=200
ip netns exec sink nft 'add counter inet count datagrams; add rule inet count input udp dport 9999 counter name datagrams'
start_all "$T/open"
soon "one after the other" "$T/open.each" $starts
soon "100 at once" "$T/open.once" 100

for unit in eager eager@; do
	mkdir -p "$units/$unit.service.d"
	cat >"$units/$unit.service.d/uidwall.conf" <<-U
	[Unit]
	Wants=uidwalld.service
	After=uidwalld.service
	[Service]
	ExecStartPre=+$(command -v uidwall) show ${unit/@/s} --wait
	U
done
before=$(datagrams)
starts=100
start_all "$T/waits"
soon "one after the other, with ExecStartPre=" "$T/waits.each" $starts
soon "100 at once, with ExecStartPre=" "$T/waits.once" 100
equal "with ExecStartPre= nothing gets out" "$before, 0 let through" \
	"$(datagrams), $(cat "$T/waits.each" "$T/waits.once" | awk '{ n += $3 } END { print n }') let through"
systemctl stop uidwalld.socket uidwalld.service 2>"$T/stop"
systemctl mask --quiet --runtime uidwalld.service uidwalld.socket
lines=$(wc -l <"$T/waits.each")
systemctl start eager 2>"$T/start"
equal "nor does it start while the daemon cannot" "$lines" "$(wc -l <"$T/waits.each")"

# A slice stays when its units stop: what is in it is governed whether the daemon runs or not.
systemd-run --quiet --slice=shop --unit=any --collect -p Type=oneshot \
	"$(command -v eager)" 192.0.2.1 9999 "$T/slice"
eventually 3 test -s "$T/slice"
equal "a start in a slice that is there already" "0 EPERM" "$(cut -d' ' -f3- "$T/slice")"
finish
