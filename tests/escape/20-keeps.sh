#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What must keep working while policies are in force: the kernel's own answers, other users' traffic, what
# their processes leave behind, their MPTCP, services that listen, connections over a change.
# Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

sink_make
box_settings
group_make
policies_make
# The control group is nobody's but the service's: here it is empty, as of a unit that is stopped.
last=default
[[ -z $GROUP ]] || last=unit
python3 "$HERE/keeps.py" --change "$T/bin/default" --change "$T/bin/permissive" --change "$T/bin/$last" ||
	((++n_failed))
if ((n_failed)); then
	note "--- the daemon's log"
	tail -n 40 "$T/daemon.log" | sed 's/^/# /'
	exit 1
fi
