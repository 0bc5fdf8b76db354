#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# unit: everything in a control group is the service's, whoever owns the socket; followed as groups
# come and go. The groups are made by hand here; tests/systemd has real units.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/groups.sh
. "$(dirname "$0")/groups.sh"
groups "$@"
private "$@"

mine=$GROUPS_NAME               # a slice in the root
unit=blog${GROUPS_NAME//[!0-9]/} # a name that no unit of this machine has
policy blog <<E
{ "user": "blog", "unit": "$unit.service", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }
E
policy erp <<E
{ "user": "erp", "unit": "/$mine/deep/er/erp.service", "connect": [ { "to": "203.0.113.8", "port": 443 } ] }
E
policy gitea <<E
{ "user": "gitea", "unit": "$unit@.service" }
E
policy vault <<E
{ "user": "vault", "unit": "${mine%.slice}-v.slice", "connect": [ { "to": "203.0.113.9", "port": 443 } ] }
E
policy mailer <<E
{ "user": "mailer", "unit": "${unit}m.service", "uids": "61184-65519" }
E
policy wordpress <<E
{ "user": "wordpress", "unit": "$unit-typo.service" }
E

# Attempts from within the group $at; those of the tests themselves (fences) stay outside.
cat >"$T/bin/attempt" <<E
#!/bin/bash
case "\$*" in *192.0.2.1:9) ;; *) [[ -z \${at:-} ]] || echo 0 >"$GROUPS_MOUNT/$mine/\$at/cgroup.procs" ;; esac
exec "$ATTEMPT" "\$@"
E
chmod 755 "$T/bin/attempt"
ATTEMPT=$T/bin/attempt
export at=

group_make "$unit.service"
start_daemon

in_force() {
	nft list map inet uidwall units | grep -c -e "$1"
}

# --- there from the start -------------------------------------------------------------------------

at=$unit.service
for who in root caddy stranger blog; do
	refused "$who" tcp 203.0.113.7:444
	refused "$who" tcp '[2001:db8:bad::7]:443'
	refused "$who" udp 203.0.113.7:443
	refused "$who" ping 203.0.113.7
	refused "$who" tcp 127.0.0.1:5432
	goes "$who" -m x tcp 203.0.113.7:443
	goes "$who" dns 192.0.2.53:53 a.example
done
# whom a policy names is judged by that, wherever
goes erp -m x tcp 203.0.113.8:443
refused erp tcp 203.0.113.7:443
at=
for who in root caddy stranger; do
	goes "$who" -m x tcp 203.0.113.7:444
done

# --- what comes later, at any depth ---------------------------------------------------------------

group_make deep/er/erp.service/sub/group
check "a path comes into force" wait_until 1 in_force deep/er/erp.service
at=deep/er/erp.service/sub/group
refused root tcp 203.0.113.7:443
goes root -m x tcp 203.0.113.8:443
at=deep/er
goes root -m x tcp 203.0.113.7:443

for instance in 1 2 a-b; do
	group_make "$unit@$instance.service"
	check "an instance of the template comes into force" wait_until 1 in_force "$unit@$instance"
	at=$unit@$instance.service
	refused root tcp 203.0.113.7:443
done
at=

group_make "${mine%.slice}-v.slice"
check "a slice comes into force" wait_until 1 in_force "-v.slice"
group_make "${mine%.slice}-v.slice/any.service"
at=${mine%.slice}-v.slice/any.service
refused root tcp 203.0.113.7:443
goes root -m x tcp 203.0.113.9:443
# a unit of its own within it
group_make "${mine%.slice}-v.slice/${unit}m.service"
check "a unit within a slice comes into force" wait_until 1 in_force "${unit}m"
at=${mine%.slice}-v.slice/${unit}m.service
refused root tcp 203.0.113.9:443
# uids of a range are the unit's within it, as the sockets of DynamicUser= are
at=$unit.service
goes 61200 -m x tcp 203.0.113.7:443
at=
refused 61200 tcp 203.0.113.7:443

# --- what looks like it, and is not ---------------------------------------------------------------

group_make theirs.slice
chown 2050 "$GROUPS_MOUNT/$mine/theirs.slice"
group_make "theirs.slice/$unit@evil.service" "$unit@.service.d" "x$unit.service" "no-slice/$unit@x.service"
sleep 0.3
is "folders that users may make are no units, nor are names that only resemble one" \
	"$(nft list map inet uidwall units | grep -cE 'evil|service\.d|x@x|/x'"$unit")" -eq 0
at=theirs.slice/$unit@evil.service
goes root -m x tcp 203.0.113.7:444
at=

# --- again and again ------------------------------------------------------------------------------

# starts ROUNDS NAME
starts() {
	"$srcdir/tests/netns/starts.py" "$1" "$GROUPS_MOUNT/$mine" "$2" 203.0.113.7 443
}
id=$(group_id "$unit.service")
group_remove "$unit.service"
check "a group that is gone stays in the map" wait_until 1 in_force "\b$id comment \"blog.json"
for name in "$unit.service" "$unit@run%d.service"; do
	result=$(starts 100 "$name")
	note "$name: $result"
	is "${name/$unit/blog}: no start was missed" "$(jq .missed <<<"$result")" -eq 0
	# a busy machine may let anybody wait
	is "${name/$unit/blog}: within 100 ms, 19 of 20 at least" "$(jq .late <<<"$result")" -le 5
	is "${name/$unit/blog}: the socket that outlives its group is refused" \
		"$(jq -r .left_behind <<<"$result")" = EPERM
done

# --- reload, restart, off -------------------------------------------------------------------------

group_make "$unit.service"
wait_until 1 in_force "$unit.service" || fail "the unit is in force again"
reload || true
at=$unit.service
refused root tcp 203.0.113.7:444
at=
stop_daemon KILL
group_remove "$unit.service"
group_make "$unit.service"
at=$unit.service
start_daemon
refused root tcp 203.0.113.7:444
is "the groups that an earlier daemon knew are still in the map" \
	"$(nft list map inet uidwall units | grep -oE '\b[0-9]+ comment "blog.json' | wc -l)" -gt 100
uidwall off blog >/dev/null
goes root -m x tcp 203.0.113.7:444
at=
group_remove "$unit.service"
group_make "$unit.service"
uidwall on blog >/dev/null
at=$unit.service
refused root tcp 203.0.113.7:444
at=

# --- mistakes -------------------------------------------------------------------------------------

# a policy that never was right has its unit refused, also by a daemon that cannot read it any more
policy wrong <<E
{ "user": "phpmyadmin", "unit": "$unit-wrong.service", "conect": [] }
E
group_make "$unit-wrong.service"
reload
at=$unit-wrong.service
refused root tcp 203.0.113.7:443
at=
chmod 700 "$POLICIES"
stop_daemon KILL
start_daemon
at=$unit-wrong.service
refused root tcp 203.0.113.7:443
at=
chmod 755 "$POLICIES"
rm "$POLICIES/wrong.json"
reload

policy twin <<E
{ "user": "phpmyadmin", "unit": "$unit.service" }
E
reload
check "two policies for one unit are an error that names both" grep -q \
	"twin.json:1:33: error: the unit is also claimed by .*blog.json:1:27 (service blog)" "$T/apply.log"
at=$unit.service
refused root tcp 203.0.113.7:444
goes root -m x tcp 203.0.113.7:443
at=
rm "$POLICIES/twin.json"
policy alias <<E
{ "user": "phpmyadmin", "unit": "/$mine/$unit.service" }
E
reload
at=$unit.service
refused root tcp 203.0.113.7:443
rm "$POLICIES/alias.json"
reload
goes root -m x tcp 203.0.113.7:443
policy blog <<E
{ "user": "blog", "unit": "$unit.service", "conect": [] }
E
reload
goes root -m x tcp 203.0.113.7:443
refused root tcp 203.0.113.7:444
finish
