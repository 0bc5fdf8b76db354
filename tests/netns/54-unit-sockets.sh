#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Open connections in a unit's control group are judged by its service, whoever owns them: when the policy
# comes into force, when it is tightened, and after the unit has stopped. In the sink ports 8 and 18
# accept and never read.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/groups.sh
. "$(dirname "$0")/groups.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
command -v ss >/dev/null || skip_all "needs the program ss"
groups "$@"
private "$@"
# shellcheck source=tests/netns/hold.sh
. "$(dirname "$0")/hold.sh"

mine=$GROUPS_NAME
unit=blog${GROUPS_NAME//[!0-9]/}
others=61200 # a user of whom only mailer's range knows

in_sink nft insert rule inet sink answer tcp dport '{ 8, 18 }' meta nfproto ipv4 dnat ip to 192.0.2.1
mkfifo -m 666 "$T/silence.fifo"
start silence nsenter --net=/run/netns/sink python3 "$HOLDER" -1 "$T/silence.fifo" \
	eight=silent:0.0.0.0:8 eighteen=silent:0.0.0.0:18

# blog CONNECT [UNIT]
blog() {
	policy blog <<<"{ \"user\": \"blog\"${2:+, \"unit\": \"$2\"}, \"connect\": [ $1 ] }"
}
near='{ "to": "192.0.2.1", "port": [7, 18] }'
far='{ "to": "198.51.100.9", "port": 7 }'
policy erp <<<"{ \"user\": \"erp\", \"connect\": [ $far ] }"
policy mailer <<<"{ \"uids\": \"61184-65519\", \"connect\": [ $far ] }"

# --- connections that are older than the wall -----------------------------------------------------

group_make "$unit.service/made/here" "other.service"
hold_in "$unit.service" root root keep=tcp:192.0.2.1:7 lose=tcp:198.51.100.9:7 \
	'lose6=tcp:[2001:db8:5::1]:7' loseudp=udp:198.51.100.9:7 left=orphan:198.51.100.9:8 \
	leftkeep=orphan:192.0.2.1:18
hold_in "$unit.service" stranger stranger lose=tcp:198.51.100.9:7
hold_in "$unit.service/made/here" below root keep=tcp:192.0.2.1:7 lose=tcp:198.51.100.9:7
hold_in "$unit.service" ranged "$others" lose=tcp:198.51.100.9:7
hold_in "$unit.service" erp erp keep=tcp:198.51.100.9:7
hold_in other.service neighbour root keep=tcp:198.51.100.9:7
hold outside root keep=tcp:198.51.100.9:7
hold ranged-outside "$others" keep=tcp:198.51.100.9:7
ask root
states root ok keep lose lose6 loseudp
is "an orphan waits to send" "$(kernel_has 198.51.100.9:8)" = FIN-WAIT-1

blog "$near" "$unit.service"
start_daemon
ask root
states root ok keep
states root ECONNABORTED lose lose6 loseudp
is "root's orphan is closed" "$(kernel_has 198.51.100.9:8)" = ""
is "an orphan that the policy allows still waits" "$(kernel_has 192.0.2.1:18)" = FIN-WAIT-1
ask stranger
states stranger ECONNABORTED lose
ask below
states below ok keep
states below ECONNABORTED lose
ask ranged
states "a range's user" ECONNABORTED lose
for name in erp neighbour outside ranged-outside; do
	ask "$name"
	states "$name" ok keep
done
check "a line tells the unit" closed 0 \
	'blog tcp .* → 198.51.100.9:7 of uid 0 in its unit (blog.json no line allows it)'
check "and the orphan" closed 0 \
	'blog tcp .* → 198.51.100.9:8 of uid 0 in its unit, which its program had left (blog.json'
is "nothing else is closed" "$(grep -c 'closed: ' "$T/daemon.log")" -eq 7

# --- shown beforehand, closed by the change --------------------------------------------------------

blog "$near, $far"
check "a policy without unit is applied" reload
hold_in "$unit.service" late root lose=tcp:198.51.100.9:9 keep=tcp:198.51.100.9:7
blog "$near, $far" "$unit.service"
uidwall diff --json >"$T/diff.json" 2>"$T/diff.err"
jq -r '.sockets.list[] | "\(.service) \(.uid) \(.by_unit) \(.to) \(.why)"' "$T/diff.json" >"$T/found"
echo "blog 0 true 198.51.100.9:9 blog.json no line allows it" >"$T/expected"
check "diff shows what the unit would close" diff "$T/expected" "$T/found"
uidwall diff >"$T/diff.txt" 2>&1
check "and says so in words" grep -q 'uid 0 in its unit *tcp .*198.51.100.9:9' "$T/diff.txt"
ask late
states late ok keep lose
check "the unit is applied" reload
ask late
states late ok keep
states late ECONNABORTED lose

# --- a unit that has stopped -----------------------------------------------------------------------

hold_in "$unit.service" ending root leftkeep=orphan:192.0.2.1:18
for name in root stranger below ranged erp late ending; do
	stop "$name"
done
check "its groups are removed" wait_until 5 group_remove_all "$unit.service"
is "its orphans wait on" "$(kernel_has 192.0.2.1:18)" = FIN-WAIT-1
check "the daemon saw it" wait_until 5 grep -q "$unit.service .* has ended" "$T/daemon.log"
blog "$far" "$unit.service"
check "a tightened policy is applied" reload
is "what the unit left behind is closed" "$(kernel_has 192.0.2.1:18)" = ""

# --- two policies for one unit ---------------------------------------------------------------------

group_make "$unit.service"
hold_in "$unit.service" both root lose=tcp:198.51.100.9:7
policy gitea <<<"{ \"user\": \"gitea\", \"unit\": \"/$mine/$unit.service\" }"
check "a second policy for the unit is applied" reload
ask both
states both ECONNABORTED lose
check "a line says why" closed 0 \
	'tcp .* → 198.51.100.9:7 of uid 0 in its unit (two policies claim this unit)'
finish
