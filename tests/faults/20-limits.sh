#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without descriptors, without memory, killed at any moment. More of it with FAULTS=all. Topology: tests/netns/lib.sh.
# timeout: 1800
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive limits.py --step 1 --kills 1000
else
	drive limits.py --step 9 --kills 30
fi
