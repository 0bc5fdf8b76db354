#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# "transparent" together with unit and ranges: of several claims on a connection the same one wins that
# wins in the filter. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
# shellcheck source=tests/netns/groups.sh
. "$(dirname "$0")/groups.sh"
groups "$@"
private "$@"
# shellcheck source=tests/netns/led.sh
. "$(dirname "$0")/led.sh"

mine=$GROUPS_NAME
policy blog <<E
{ "user": "blog", "unit": "/$mine/blog.service", "transparent": true }
E
policy erp <<E
{ "user": "erp", "unit": "/$mine/erp.service", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }
E
policy range <<E
{ "uids": "2004-2100", "transparent": true }
E
policy gitea <<E
{ "user": "gitea", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }
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

group_make erp.service
start_daemon

# --- outside of every unit ------------------------------------------------------------------------

led blog 203.0.113.7:443
led mailer 203.0.113.7:443 # of the range
direct gitea 203.0.113.7:443
direct erp 203.0.113.7:443
direct www-data 203.0.113.7:443

# --- in a unit that is not transparent ------------------------------------------------------------

at=erp.service
direct www-data 203.0.113.7:443
direct mailer 203.0.113.7:443
led blog 203.0.113.7:443
refused www-data tcp 203.0.113.8:443

# --- in one that is, and starts later -------------------------------------------------------------

at=
group_make blog.service
check "the unit is followed" wait_until 10 eval \
	"nft list map inet uidwall way-units | grep -q 'blog.service.*goto way-blog'"
at=blog.service
led www-data 203.0.113.7:443
led root '[2001:db8:bad::7]:80'
led mailer 203.0.113.8:443
direct erp 203.0.113.7:443
direct gitea 203.0.113.7:443
blocked www-data -d eth0 tcp 203.0.113.7:443
at=
direct www-data 203.0.113.7:443
finish
