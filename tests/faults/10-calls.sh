#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGKILL at each system call of a reload, and errors in its place; of other changes at those calls that make
# something last. All of it with FAULTS=all. Topology: tests/netns/lib.sh.
# timeout: 7200
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/lib.sh"
for tool in python3 strace; do
	command -v "$tool" >/dev/null || skip_all "needs the program $tool"
done
private "$@"
if [[ ${FAULTS:-} == all ]]; then
	drive calls.py --operations all --kill 1 --errors 1 --others 0.3
else
	drive calls.py --operations apply --kill 1 --errors 0.03 \
		--lasting 'apply --confirm,confirm,rollback of what waits,going back in time=0.2,off vault=0.3,on vault=0.3'
fi
