#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a disk may hold after a power cut, and a daemon that starts from it. Topology: tests/netns/lib.sh.
# timeout: 600
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
for tool in python3 strace; do
	command -v "$tool" >/dev/null || skip_all "needs the program $tool"
done
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive powercut.py
else
	drive powercut.py --share 0.4
fi
