#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clock.py [--jumps N] - a daemon whose clock jumps, by days, decades and centuries, forwards and back.

CLOCK_REALTIME is shifted by fail.so, for the daemon alone; no namespace has a clock of its own. What is promised in
seconds (confirm) keeps to CLOCK_BOOTTIME, which nobody sets. When a line with "until" ends is the kernel's business, and
by the kernel's clock.
"""
import argparse
import re
import subprocess
import sys
import time

import box
import operations
from operations import NEW, OLD, Scene, Wrong, must

DAY = 86400
YEAR = 365 * DAY
SHIFTS = (DAY, -DAY, 10 * YEAR, -10 * YEAR, 200 * YEAR, -int(time.time()) + 1)
CONFIRM_S = 2


def words(seconds):
    if abs(seconds) < YEAR:
        return f"{seconds / DAY:+.0f} days"
    return "to 1970" if seconds < -40 * YEAR else f"{seconds / YEAR:+.0f} years"


def command_says(*arguments):
    result = subprocess.run([f"{box.T}/bin/uidwall", *arguments, "--config", box.CONFIG, "--policies", box.POLICIES,
                             "--control", box.CONTROL], capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def jump(scene, orders, shift):
    """A promise is given, the clock jumps, the promise is kept in its time; then the daemon is restarted in
    the other time, and back in this one."""
    scene.base()
    box.put_policies(NEW)
    start = time.monotonic()
    answer, error = scene.daemon.ask("apply", confirm_s=CONFIRM_S)
    must(answer and answer["ok"], f"apply --confirm: {error or answer}")
    orders.write(clock_s=shift)
    status = scene.status()
    left = status["waiting"]["seconds_left"]
    must(0 < left <= CONFIRM_S, f"{left} s are left of {CONFIRM_S}")
    must(scene.seen() == "new", "a clock that jumps ends no wait")
    must(box.wait_for(lambda: scene.seen() == "old", CONFIRM_S + 5), "it does not go back")
    took = time.monotonic() - start
    must(took >= CONFIRM_S - 0.1, f"it went back after {took:.1f} s of {CONFIRM_S}")
    must(scene.status()["rolled_back"], "status does not say that it went back")
    for time_zone in (shift, 0):
        orders.write(clock_s=time_zone)
        scene.daemon.kill()
        scene.daemon.start()
        must(scene.seen() == "old", "what was rolled back does not return by a restart")
        must(scene.status()["rolled_back"], "a restart forgets that it was rolled back")
        text = command_says("status")
        must(not re.search(r"-\d+ (s|min|h|days) ago", text), f"status: {text}")
        must(("in the future" in text) == (time_zone > 0), f"status: {text}")
    box.put_policies(NEW)
    scene.apply("new")
    must(scene.seen() == "new", "apply ends it")


def until(scene, orders):
    """Rules do not depend on the daemon's clock."""
    policy = {**OLD, "vault": {"user": "vault", "dns": False, "connect": [
        {"to": "203.0.113.9", "port": 443, "until": "2020-01-01"}, {"to": "203.0.113.9", "port": 444, "until": "2100-01-01"}]}}
    box.put_policies(policy)
    scene.apply("until")
    first = box.table()
    for shift in SHIFTS:
        orders.write(clock_s=shift)
        scene.apply("until")
        must(box.table() == first, f"{words(shift)}: other rules")
    orders.write()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jumps", type=int, default=len(SHIFTS))
    arguments = parser.parse_args()
    orders = box.Orders()
    scene = Scene(box.Daemon({"LD_PRELOAD": box.FAIL_SO, "UIDWALL_FAIL": orders.path}))
    scene.measure()
    flood = box.Flood()
    for shift in box.seeded().sample(SHIFTS, arguments.jumps):
        try:
            jump(scene, orders, shift)
            box.report(True, f"the clock jumps {words(shift)}: a promise is kept in its time, restarts come to the same")
        except (Wrong, box.Died, OSError) as e:
            orders.write()
            box.report(False, f"the clock jumps {words(shift)}", f"{e}\n{scene.daemon.tail()}")
            operations.recover(scene)
        orders.write()
    try:
        until(scene, orders)
        box.report(True, "rules with a date are the same whatever the daemon takes for today")
    except (Wrong, box.Died, OSError) as e:
        box.report(False, "rules with a date", str(e))
    flood.end("all of it")
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
