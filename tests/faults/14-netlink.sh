#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Errors, lost and broken answers between the daemon and the kernel: some; all with FAULTS=all. Topology:
# tests/netns/lib.sh.
# timeout: 7200
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
needs_plain_build "a library is preloaded"
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive netlink.py --operations all --others 0.15
else
	drive netlink.py --operations apply --share 0.08
fi
