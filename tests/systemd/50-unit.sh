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
	--prepare 'install -o stranger -m 4755 /usr/local/bin/attempt /usr/local/bin/attempt-setuid'

units=/run/systemd/system
out=/run/out
in=192.0.2.1:8080 # what each policy allows
not=192.0.2.1:9090

# governs SERVICE WHO UNIT - a policy that allows one port
governs() {
	policy "$1" "{ $2, \"unit\": \"$3\", \"dns\": false, \"proxy\": false,
		\"connect\": [ { \"to\": \"192.0.2.1\", \"port\": ${4:-8080} } ] }"
}

# service NAME LINE... - a unit's file, after systemctl daemon-reload
service() {
	printf '%s\n' '[Service]' "${@:2}" >"$units/$1.service"
}

# Tries one target after the other, once what is to be governed is.
cat >/usr/local/bin/try <<'S'
#!/bin/sh
sleep 0.3
for to; do "${TRY:-attempt}" -t 1000 tcp "$to"; done
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

# transient [OPTION OF SYSTEMD-RUN]... [COMMAND]
transient() {
	[[ " $* " == *" try "* ]] || set -- "$@" try $in $not
	systemd-run --quiet --collect --wait --pipe "$@"
}

# starts UNIT - a oneshot service whose results go to $out
starts() {
	rm -f "$out"
	systemctl start "$1" || echo "failed: $1"
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
governs job '"user": "3006"' job.scope
governs hand '"user": "3007"' hand.service
governs web '"user": "3008"' web.service
governs crash '"user": "3009"' crash.service
governs early '"user": "3010"' early.service
governs eager '"user": "3011"' eager.service
governs eagers '"user": "3012"' eager@.service
governs session '"user": "3013"' user@2050.service
policy broken '{ "user": "3014", "unit": "broken.service", "conect": [] }'
check "the far side answers" far_side
uidwall apply >"$out" 2>&1 || true
governed "a unit that was there before the daemon is governed" within system.slice/early.service
equal "the unit's hierarchy is read-only for the daemon" yes "$(property uidwalld.service ProtectControlGroups)"

# --- plain services -------------------------------------------------------------------------------

free "elsewhere, root and everybody else go on as before" transient --unit=other
for user in root blog stranger; do
	governed "User=$user" transient --unit=app -p User=$user
done
free "a set-user-ID program steps around the policy of its caller ..." \
	transient --unit=other -p User=blog -p Environment=TRY=attempt-setuid
governed "... but not out of its unit" transient --unit=app -p User=blog -p Environment=TRY=attempt-setuid
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

governed "DynamicUser=" transient --unit=dynamic -p DynamicUser=yes
governed "DynamicUser= elsewhere, by its uid" transient --unit=other -p DynamicUser=yes

# --- sub-groups -----------------------------------------------------------------------------------

systemd-run --quiet --collect --unit=hand -p Delegate=yes sleep infinity
check "a unit with Delegate= is in force" eventually 2 in_force /hand.service
mkdir -p /sys/fs/cgroup/system.slice/hand.service/{deep/deeper,app.service}
for group in hand.service/deep/deeper hand.service/app.service; do
	governed "in the group $group" within system.slice/$group
done
systemctl stop hand
finish
