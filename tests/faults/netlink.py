#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netlink.py [--operations NAME,...] [--share PART] - what may go wrong between the daemon and the kernel.

fail.so counts the calls on netlink sockets of one run; then the operation is done again and again, each time
with one of them failing: with an error before or after the kernel has had it, with an answer that is lost, cut off
or overrun.
"""
import argparse
import collections
import errno
import sys

import box
import operations
from operations import OPERATIONS, Scene, Wrong

UNSENT, ERROR, LOSE, TRUNCATE, NO_ROOM = 1, 2, 3, 4, 5  # enum netlink_fault
ERESTART = 85
ERRORS = (errno.ENOBUFS, errno.EINTR, ERESTART, errno.EPERM, errno.ETIMEDOUT, errno.ENOMEM, errno.EAGAIN)
FAULTS = ([(UNSENT, e, f"{errno.errorcode.get(e, e)} before") for e in ERRORS] +
          [(ERROR, e, f"{errno.errorcode.get(e, e)} after") for e in ERRORS] +
          [(LOSE, 0, "a lost answer"), (TRUNCATE, 0, "half an answer"), (NO_ROOM, 0, "an overrun")])


def fault(scene, orders, operation, number, kind, error):
    operation.prepare(scene)
    mark = scene.daemon.mark()
    orders.write(counting=1, netlink_fault=kind, netlink_error=error, netlink_at=number)
    outcome = operations.outcome_of(operation, scene.daemon, patience=60)
    seen = orders.read()
    orders.write()
    try:
        return operations.aftermath(scene, operation, outcome), outcome, seen
    except (Wrong, box.Died) as e:
        raise Wrong(f"{e}\n{scene.daemon.said(mark)}") from e


def every(scene, orders, operation, choice, share):
    ends, wrong, refusals = collections.Counter(), [], collections.Counter()
    tried = 0
    calls = fault(scene, orders, operation, 0, 0, 0)[2]["n_netlink"]
    for number in range(1, calls + 1):
        for kind, error, words in FAULTS:
            if choice.random() >= share:
                continue
            try:
                end, outcome, seen = fault(scene, orders, operation, number, kind, error)
            except (Wrong, box.Died, OSError) as e:
                wrong.append(f"call {number}, {words}: {e}")
                orders.write()
                operations.recover(scene)
                continue
            tried += seen["n_failures"]
            ends[end] += 1
            refusals[f"{words}: {outcome}"[:120]] += 1
    box.report(not wrong, f"{operation.name}: {tried} faults at its {calls} netlink calls: old or new",
               "\n".join(wrong[:40]))
    box.note(", ".join(f"{k} {v}" for k, v in ends.most_common()))
    for text, times in refusals.most_common():
        if ": done" not in text:
            box.note(f"  {times:3} {text}")
    return tried


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", default="apply")
    parser.add_argument("--share", type=float, default=1)
    parser.add_argument("--others", type=float, default=1, help="of --share, for other operations than the first")
    arguments = parser.parse_args()
    choice = box.seeded()
    orders = box.Orders()
    scene = Scene(box.Daemon({"LD_PRELOAD": box.FAIL_SO, "UIDWALL_FAIL": orders.path}))
    scene.measure()
    flood = box.Flood()
    total, share = 0, arguments.share
    for name in OPERATIONS if arguments.operations == "all" else arguments.operations.split(","):
        if name not in ("off", "on"):  # while all is off, nobody is refused anything
            total += every(scene, orders, OPERATIONS[name], choice, share)
            share = arguments.share * arguments.others
    flood.end(f"{total} netlink faults")
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
