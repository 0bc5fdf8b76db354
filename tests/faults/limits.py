#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""limits.py [--step N] - a daemon without descriptors, without memory, and killed at any moment.

At a start and while it runs: RLIMIT_NOFILE from nothing to enough, RLIMIT_AS from nothing to enough. Then SIGKILL at
random moments of reloads, between system calls, too, as the kernel's OOM killer does it.
"""
import argparse
import collections
import subprocess
import sys
import time

import box
import operations
from operations import NEW, OPERATIONS, Scene, Wrong, must

MIB = 1 << 20


class Limited(box.Daemon):
    """A daemon that starts with a limit."""

    def __init__(self, *limit):
        super().__init__()
        self.words = ["prlimit", *limit]

    def command(self):
        command = super().command()
        at = command.index(f"{box.T}/bin/uidwalld")
        return command[:at] + self.words + command[at:]


def starts(scene, limit, cold):
    """How a start under this limit ends; what it leaves behind must be whole, and the next one clean."""
    if not scene.daemon.alive():
        scene.daemon.start()
    scene.base()
    scene.daemon.kill()
    box.put_policies(NEW)
    if cold:
        subprocess.run(["nft", "delete", "table", "inet", "uidwall"], check=True)
        scene.counted = 0
    daemon = Limited(limit)
    mark = daemon.mark()
    daemon.spawn()
    try:
        box.wait_for(lambda: daemon.answers() or not daemon.alive(), 8)
        lives = daemon.alive()
        found = scene.seen()
        must(found in {"old", "new"} | ({"none"} if cold and not lives else set()),
             f"{limit}: the kernel has {found}\n{daemon.said(mark)}")
    finally:
        daemon.kill()
    scene.daemon.start()
    found = scene.seen()
    must(found == "new", f"{limit}: after the next start the kernel has: {found}")
    return f"came up with {found}" if lives else "ended"


def limit(pid, option):
    """As the daemon's user, who may."""
    subprocess.run(["setpriv", "--reuid", str(box.UID), "--regid", str(box.UID), "--clear-groups", "prlimit", "--pid", str(pid), option],
                   check=False, stderr=subprocess.DEVNULL)


def reloads(scene, name, value):
    """A reload by a daemon that has this limit from now on, and one without it again."""
    if not scene.daemon.alive():
        scene.daemon.start()
    scene.base()
    box.put_policies(NEW)
    pid = scene.daemon.pid()
    limit(pid, f"--{name}={value}:")
    mark = scene.daemon.mark()
    outcome = operations.outcome_of(OPERATIONS["apply"], scene.daemon, patience=6)
    limit(pid, {"nofile": "--nofile=1024:", "as": "--as=unlimited:"}[name])
    try:
        return operations.aftermath(scene, OPERATIONS["apply"], outcome)
    except (Wrong, box.Died) as e:
        raise Wrong(f"{name} {value}: {e}\n{scene.daemon.said(mark)}") from e


def killed_sometime(scene, choice, longest):
    operation = OPERATIONS[choice.choice(("apply", "apply --confirm", "rollback", "off vault", "on vault"))]
    operation.prepare(scene)
    pid = scene.daemon.pid()
    killer = subprocess.Popen(["sh", "-c", f"sleep {choice.random() * longest:.6f}; kill -KILL {pid}"])
    outcome = operations.outcome_of(operation, scene.daemon)
    killer.wait()
    scene.daemon.process.wait()
    found = scene.seen()
    must(found in operation.found, f"{operation.name}, killed: the kernel has {found}")
    return operations.aftermath(scene, operation, outcome if outcome != "done" else "no answer: killed")


def run(scene, name, cases):
    """cases: [(function, arguments)]"""
    ends, wrong, start, n = collections.Counter(), [], time.monotonic(), 0
    for function, arguments in cases:
        n += 1
        try:
            ends[function(scene, *arguments)] += 1
        except (Wrong, box.Died, OSError) as e:
            wrong.append(str(e))
            operations.recover(scene)
    box.report(not wrong, f"{name}: {n} times, old or new, and the next start is clean", "\n".join(wrong[:20]))
    box.note(", ".join(f"{k} {v}" for k, v in ends.most_common()) + f"; {time.monotonic() - start:.0f} s")
    return n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    arguments = parser.parse_args()
    choice = box.seeded()
    step = arguments.step
    scene = Scene(box.Daemon())
    scene.measure()
    files = range(1 + choice.randrange(step), 40, step)
    memory = [(2 + choice.randrange(step) / 2 + i / 2) * MIB for i in range(0, 60, step)]
    flood = box.Flood()
    n = run(scene, "starts without descriptors", [(starts, (f"--nofile={k}:1024", False)) for k in files])
    n += run(scene, "starts without memory", [(starts, (f"--as={int(k)}:unlimited", False)) for k in memory])
    n += run(scene, "reloads without descriptors", [(reloads, ("nofile", k)) for k in files])
    n += run(scene, "reloads without memory", [(reloads, ("as", int(k))) for k in memory])
    n += run(scene, "killed at random moments", [(killed_sometime, (choice, 0.03)) for _ in range(arguments.kills)])
    flood.end(f"{n} limits and kills")
    # The same at boot, when there is nothing that stands yet.
    run(scene, "cold starts without descriptors", [(starts, (f"--nofile={k}:1024", True)) for k in files])
    run(scene, "cold starts without memory", [(starts, (f"--as={int(k)}:unlimited", True)) for k in memory])
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
