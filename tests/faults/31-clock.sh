#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A clock that jumps. Topology: tests/netns/lib.sh.
# timeout: 120
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
needs_plain_build "a library is preloaded"
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive clock.py
else
	drive clock.py --jumps 2
fi
