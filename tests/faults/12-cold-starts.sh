#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As 11-starts.sh, without a table in the kernel, as at boot. Topology: tests/netns/lib.sh.
# timeout: 7200
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
for tool in python3 strace; do
	command -v "$tool" >/dev/null || skip_all "needs the program $tool"
done
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive starts.py --cold --kill 1 --errors 0.2
else
	drive starts.py --cold --kill 0.04 --errors 0.004
fi
