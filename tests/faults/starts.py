#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""starts.py [--cold] [--kill PART] [--errors PART] - a fault at each system call of a start.

The table of an earlier run stands, the state folder remembers it, and the files say something else; with --cold there
is no table, as at boot. Each start has one fault: SIGKILL before a call, or an error instead of it. It comes up
with the new policies or the old ones, or ends and leaves the kernel as it was; the next start is clean.
"""
import argparse
import collections
import os
import re
import signal
import subprocess
import sys
import time

import box
import calls
import operations
from operations import NEW, Scene, Wrong, must

# The first call of the daemon's own: what ld.so does before it can fail, and then nothing has happened.
FIRST = re.compile(r"mkdir\(\"" + re.escape(box.STATE))


class Traced(box.Daemon):
    """A daemon that strace starts: the daemon's pid is that of strace's child."""

    def __init__(self, *expressions, output="/dev/null"):
        super().__init__()
        self.words = ["strace", "-qq", "-yy", "-o", output, *(w for e in expressions for w in ("-e", e))]

    def command(self):
        command = super().command()
        at = command.index(f"{box.T}/bin/uidwalld")
        return command[:at] + self.words + command[at:]

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as source:
                for pid in source.read().split():
                    os.kill(int(pid), number)
        if self.process:
            self.process.wait()


def ready(daemon):
    """Whether it answers, or has ended."""
    box.wait_for(lambda: daemon.answers() or not daemon.alive())
    return daemon.alive()


def trace():
    box.put(f"{box.T}/start.trace", "", 0o666)
    daemon = Traced("trace=all", output=f"{box.T}/start.trace")
    daemon.spawn()
    must(ready(daemon), "a start without a fault: " + daemon.tail())
    daemon.kill()
    text = f"{box.T}/start.trace"
    with open(text, encoding="utf-8", errors="replace") as source:
        lines = source.read().splitlines()
    first = next(i for i, line in enumerate(lines) if FIRST.search(line))
    counts, found = collections.Counter(), []
    for i, line in enumerate(lines):
        match = re.match(r"([a-z_0-9]+)\(", line)
        if match:
            counts[match.group(1)] += 1
            if i >= first and match.group(1) not in calls.SPARED:
                found.append((match.group(1), counts[match.group(1)], line))
    return found


def prepare(scene, cold):
    """The old policies in force and remembered, nobody running, the new ones in the files."""
    if not scene.daemon.alive():
        scene.daemon.start()
    scene.base()
    scene.daemon.kill()
    box.put_policies(NEW)
    if cold:
        subprocess.run(["nft", "delete", "table", "inet", "uidwall"], check=True)
        scene.counted = 0


def reload(scene, daemon):
    """Whether it lives still: a call counted at the start may come a little later this time, and the fault with it."""
    try:
        answer, error = daemon.ask("apply")
        must(answer and answer.get("ok"), f"the next reload: {error or answer}")
        expected = {"new"}
    except box.Died:
        must(box.wait_for(lambda: not daemon.alive(), 15), "it lives and does not answer")
        expected = {"old", "new"}
    found = scene.seen()
    must(found in expected, f"after the next reload the kernel has: {found}")
    return daemon.alive()


def fault(scene, injection, cold):
    prepare(scene, cold)
    daemon = Traced(f"inject={injection}")
    mark = daemon.mark()
    daemon.spawn()
    try:
        lives = ready(daemon)
        found = scene.seen()
        allowed = {"old", "new"} | calls.mixes(daemon.said(mark)) | ({"none"} if cold and not lives else set())
        must(found in allowed, f"{'it lives' if lives else 'it ended'}; the kernel has: {found}")
        if lives and not daemon.answers():
            lives = not box.wait_for(lambda: not daemon.alive(), 15)
            must(not lives, "it lives and does not answer")
        if lives:
            lives = reload(scene, daemon)
    except (Wrong, box.Died) as e:
        raise Wrong(f"{e}\n{daemon.said(mark)}") from e
    finally:
        daemon.kill()
    scene.daemon.start()
    found = scene.seen()
    must(found == "new", f"after the next start the kernel has: {found}\n{daemon.said(mark)}")
    return "it came up" if lives else "it ended"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--kill", type=float, default=1)
    parser.add_argument("--errors", type=float, default=0)
    arguments = parser.parse_args()
    choice = box.seeded()
    scene = Scene(box.Daemon())
    scene.measure()
    prepare(scene, arguments.cold)
    found = trace()
    flood = None if arguments.cold else box.Flood()
    ends, wrong, n, start = collections.Counter(), [], 0, time.monotonic()
    for words, injection in calls.plan(found, choice, arguments.kill, arguments.errors):
        n += 1
        try:
            ends[fault(scene, injection, arguments.cold)] += 1
        except (Wrong, box.Died, OSError) as e:
            wrong.append(f"{words}\n    {e}")
            operations.recover(scene)
    name = "a cold start" if arguments.cold else "a start"
    box.report(not wrong, f"{name}: {n} faults at its {len(found)} system calls: old or new, and the next one is clean",
               "\n".join(wrong[:40]))
    box.note(", ".join(f"{k} {v}" for k, v in ends.most_common()) + f"; {time.monotonic() - start:.0f} s")
    if flood:
        flood.end(f"{n} faults")
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
