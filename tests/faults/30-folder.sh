#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A folder of policies that is exchanged while it is read, and what may stand where a policy should. Topology:
# tests/netns/lib.sh.
# timeout: 600
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive folder.py --rounds 5000
else
	drive folder.py --rounds 100
fi
