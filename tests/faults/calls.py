#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""calls.py [--operations NAME,...] [--kill PART] [--errors PART] [--lasting NAME,...] - a fault at each system call of a daemon.

Each operation is traced once; then it is done again and again, each time with one fault at one of its calls:
SIGKILL before it, or an error instead of it. PART is the share of faults that is tried, 0 to 1.
"""
import argparse
import collections
import re
import sys

import box
import operations
from operations import OPERATIONS, Scene, Wrong

ERRORS = ("ENOMEM", "EIO", "ENOSPC", "EROFS", "EINTR", "EAGAIN", "EMFILE", "ENFILE", "ENOBUFS", "EPERM")
SPARED = {"exit_group", "restart_syscall", "rt_sigreturn"}
LASTING = {"link", "rename", "fsync", "unlink", "sendto"}
FREE = ("off", "on")  # the whole wall
NEVER_FAIL = {"brk"}  # gives back the old end instead, and libc takes -1 for an address


def traced(scene, operation):
    """The calls of one run without a fault."""
    operation.prepare(scene)
    tracer = box.Strace(scene.daemon.pid(), "trace=all", output=f"{box.T}/trace")
    outcome = operations.outcome_of(operation, scene.daemon)
    box.time.sleep(0.05)
    tracer.end()
    operations.must(outcome in ("done", "over"), f"{operation.name} without a fault: {outcome}")
    operations.aftermath(scene, operation, outcome)
    return [c for c in box.calls_of(f"{box.T}/trace") if c[0] not in SPARED]


def mixes(said):
    """Rulesets that are right besides: a policy that could not be read leaves its service what it was, and the
    log says so."""
    names = sorted(set(re.findall(rf"{re.escape(box.POLICIES)}/([a-z]+)\.json: error: ", said)))
    return frozenset(["mix without " + " ".join(names)] if names else [])


def fault(scene, operation, injection):
    operation.prepare(scene)
    mark = scene.daemon.mark()
    tracer = box.Strace(scene.daemon.pid(), f"inject={injection}")
    try:
        outcome = operations.outcome_of(operation, scene.daemon)
    finally:
        tracer.end()
    try:
        return operations.aftermath(scene, operation, outcome, mixes(scene.daemon.said(mark)))
    except (Wrong, box.Died) as e:
        raise Wrong(f"{e}\n{scene.daemon.said(mark)}") from e


def plan(calls, choice, kill, errors):
    """The injections to try: [(words, strace's expression)]. The words are of the run without a fault: which call
    is the 9th of its name may differ from run to run, by one that the kernel interrupted."""
    for name, n, line in calls:
        words = re.sub(r"\s+", " ", line)[:150]
        if choice.random() < kill:
            yield f"KILL at {name} {n}: {words}", f"{name}:signal=KILL:when={n}"
        for error in ERRORS if name not in NEVER_FAIL else ():
            if choice.random() < errors:
                yield f"{error} at {name} {n}: {words}", f"{name}:error={error}:when={n}"


def every(scene, operation, choice, kill, errors, only=None):
    calls = [c for c in traced(scene, operation) if not only or c[0] in only]
    ends, wrong, n = collections.Counter(), [], 0
    for words, injection in plan(calls, choice, kill, errors):
        n += 1
        try:
            ends[fault(scene, operation, injection)] += 1
        except (Wrong, box.Died, OSError) as e:
            wrong.append(f"{words}\n    {e}")
            operations.recover(scene)
    name = f"{operation.name}: {n} faults at its {len(calls)} system calls"
    box.report(not wrong, f"{name}: old or new, and the next start is clean", "\n".join(wrong[:40]))
    if len(wrong) > 40:
        box.note(f"and {len(wrong) - 40} more")
    box.note(", ".join(f"{k} {v}" for k, v in ends.most_common()))
    return n


def names(text):
    if text == "all":
        return [name for name in OPERATIONS if name not in FREE]
    return [name for name in text.split(",") if name]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", default="apply")
    parser.add_argument("--kill", type=float, default=1)
    parser.add_argument("--errors", type=float, default=0)
    parser.add_argument("--others", type=float, default=1, help="of --errors, for other operations than the first")
    parser.add_argument("--lasting", default="", metavar="NAME=PART,...",
                        help="operations that are killed only where they make something last")
    arguments = parser.parse_args()
    choice = box.seeded()
    scene = Scene(box.Daemon())
    scene.measure()
    flood = box.Flood()
    total = 0
    errors = arguments.errors
    for name in [name for name in names(arguments.operations) if name not in FREE]:
        total += every(scene, OPERATIONS[name], choice, arguments.kill, errors)
        errors = arguments.errors * arguments.others
    for name in names(arguments.lasting):
        name, _, part = name.partition("=")
        total += every(scene, OPERATIONS[name], choice, float(part or 1), 0, LASTING)
    flood.end(f"{total} faults")
    # While all is off, nobody is refused anything.
    scene.counters_stay = False
    for name in FREE if arguments.operations == "all" else [name for name in arguments.operations.split(",") if name in FREE]:
        every(scene, OPERATIONS[name], choice, arguments.kill, errors)
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
