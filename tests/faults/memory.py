#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""memory.py [--operations NAME,...] [--share PART] - each allocation of an operation fails, one at a time.

fail.so counts the allocations of one run; then the operation is done again with the 1st failing, the 2nd, ...
until a run passes in which none is left to fail. With --share only some of them, chosen by FAULT_SEED.
"""
import argparse
import collections
import sys

import box
import operations
from operations import OPERATIONS, Scene, Wrong


def run(scene, orders, operation, first, last):
    """Returns how it ended and how many allocations failed."""
    operation.prepare(scene)
    mark = scene.daemon.mark()
    orders.write(counting=1, fail_at=first, fail_last=last)
    outcome = operations.outcome_of(operation, scene.daemon)
    seen = orders.read()
    orders.write()
    try:
        return operations.aftermath(scene, operation, outcome), outcome, seen
    except (Wrong, box.Died) as e:
        raise Wrong(f"{e}; stack {seen['stack']:016x}\n{scene.daemon.said(mark)}") from e


def every(scene, orders, operation, choice, share):
    ends, wrong, refusals, stacks = collections.Counter(), [], collections.Counter(), set()
    n = tried = 0
    while True:
        n += 1
        # Two at a time now and then: what is tried after the first failure fails, too.
        last = n + (choice.randrange(1, 5) if choice.random() < 0.1 else 0)
        if choice.random() >= share and n % 1000:
            continue
        tried += 1
        try:
            end, outcome, seen = run(scene, orders, operation, n, last)
        except (Wrong, box.Died, OSError) as e:
            wrong.append(f"allocation {n}: {e}")
            orders.write()
            operations.recover(scene)
            continue
        ends[end] += 1
        refusals[outcome[:100]] += 1
        if not seen["n_failures"]:
            break
        stacks.add(seen["stack"])
    box.report(not wrong, f"{operation.name}: {tried} of {seen['n_allocations']} allocations fail one by one: "
               "old or new, and the next start is clean", "\n".join(wrong[:40]))
    if len(wrong) > 40:
        box.note(f"and {len(wrong) - 40} more")
    box.note(f"{len(stacks)} places in the code: " + ", ".join(f"{k} {v}" for k, v in ends.most_common()))
    for text, times in refusals.most_common(12):
        box.note(f"  {times:5} {text}")
    return tried


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", default="apply")
    parser.add_argument("--share", type=float, default=1)
    arguments = parser.parse_args()
    choice = box.seeded()
    orders = box.Orders()
    scene = Scene(box.Daemon({"LD_PRELOAD": box.FAIL_SO, "UIDWALL_FAIL": orders.path}))
    scene.measure()
    flood = box.Flood()
    total = 0
    for name in OPERATIONS if arguments.operations == "all" else arguments.operations.split(","):
        if name not in ("off", "on"):  # while all is off, nobody is refused anything
            total += every(scene, orders, OPERATIONS[name], choice, arguments.share)
    flood.end(f"{total} failed allocations")
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
