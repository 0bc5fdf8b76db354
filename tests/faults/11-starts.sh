#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGKILL at each system call of a start, and errors in its place: some; all with FAULTS=all. Topology:
# tests/netns/lib.sh.
# timeout: 7200
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
for tool in python3 strace; do
	command -v "$tool" >/dev/null || skip_all "needs the program $tool"
done
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive starts.py --kill 1 --errors 0.2
else
	drive starts.py --kill 0.06 --errors 0.004
fi
