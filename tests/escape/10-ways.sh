#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every way out that we know of, tried by an attacker in a service's place: without a policy it must get
# something out, else it proves nothing; with one, nothing may arrive outside, unless docs/security.md
# says that it does. Topology: lib.sh; the sink's part is driver.py's.
#
#     10-ways.sh [PATTERN...]          only ways whose name matches
#     PHASES='off default' 10-ways.sh  only these phases
. "$(dirname "$0")/lib.sh"
private "$@"

: "${ATTACKER:=$builddir/tests/escape/attacker}"
PHASES=${PHASES:-off default unit}

run_phase() {
	local phase=$1 first=$2
	shift 2
	install -m 755 "$ATTACKER" "$T/bin/attacker"
	python3 "$HERE/driver.py" --phase "$phase" --first "$first" \
		--uid "$(uid_of blog)" --other-uid "$(uid_of stranger)" --subuid 300000 --link-local "$LINK_LOCAL" \
		--folder "$T/bin" --only "${ONLY:-*}" "$@" "$T/bin/attacker" \
		"/usr/bin/python3 $HERE/attacker.py" || ((++n_failed))
}

ONLY=$*
sink_make
box_settings
group_make
for phase in $PHASES; do
	case $phase in
	off) run_phase off 0 ;;
	default)
		policies_make
		run_phase default 3000 --before "$T/bin/none" --before "$T/bin/permissive" \
			--enforce "$T/bin/default"
		;;
	unit)
		if [[ -z $GROUP ]]; then
			pass "unit # SKIP needs a cgroup2 mount"
			echo 1..1
			continue
		fi
		policies_make
		run_phase unit 6000 --before "$T/bin/none" --before "$T/bin/permissive" \
			--enforce "$T/bin/unit" --cgroup "$GROUP"
		;;
	esac
done
if ((n_failed)); then
	note "--- the daemon's log"
	tail -n 40 "$T/daemon.log" | sed 's/^/# /'
	exit 1
fi
