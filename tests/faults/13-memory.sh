#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each allocation of a reload fails, one at a time: some; all, and of other changes, with FAULTS=all. Topology:
# tests/netns/lib.sh.
# timeout: 3600
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
needs_plain_build "its allocator"
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive memory.py --operations all
else
	drive memory.py --operations apply --share 0.25
fi
