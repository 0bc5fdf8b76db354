#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""flood.py CONTROL PID - more clients of the control socket than it has room for, in every bad manner.

Speaks TAP. While each kind is at it, root's and another user's calls are timed. The daemon (PID) has so
many services that root's answers are far larger than a socket's buffer.
"""
import json
import os
import signal
import socket
import struct
import sys
import time

import hostile
from hostile import ERP, STRANGER, as_user, ask, crowd, descriptors, dial, drain, frame, report, take

ADMIN = 2033
AT_ONCE = 3.0  # seconds: who waits for others waits 5
STATUS = frame(b'{"call":"status"}')
CROWD = range(3000, 3200)  # users without a policy


def children(uids, client):
    """A process of each user's that runs client(); the returned function ends them all."""
    pids = []
    for uid in uids:
        child = os.fork()
        if child == 0:
            try:
                os.nice(10)  # other tests run meanwhile
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                client()
            finally:
                os._exit(0)
        pids.append(child)

    def end():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)

    return end


def timed(uid):
    started = time.monotonic()
    answer = as_user(uid, lambda: ask({"call": "status"})[0])
    return time.monotonic() - started, answer


def others_are_fine(name, rounds=3, callers=(("root", 0), ("another user", ERP))):
    """Who does no harm is answered; says how long they waited."""
    for who, uid in callers:
        results = [timed(uid) for _ in range(rounds)]
        times = sorted(took for took, _ in results)
        report(
            all(answer == "answer" for _, answer in results) and times[-1] < AT_ONCE,
            f"{name}: {who} is answered, in {times[len(times) // 2] * 1000:.0f} ms,"
            f" {times[-1] * 1000:.0f} at worst",
            results,
        )


def flood(name, uids, client, seconds=0.5):
    end = children(uids, client)
    time.sleep(seconds)
    if 0 in uids:  # in its own way
        others_are_fine(name, callers=(("another user", ERP),))
    else:
        others_are_fine(name)
    report(descriptors() <= room, f"{name}: a bounded number is open", [descriptors(), room])
    end()


# --- clients; each goes on until it is killed


def again_and_again(once):
    def run():
        kept = []
        while True:
            try:
                once(kept)
            except OSError:
                pass
            del kept[:-20]

    return run


def idle(kept):
    kept.append(dial())


def slow_writer(kept):
    s = dial()
    kept.append(s)
    for byte in STATUS:
        s.sendall(bytes([byte]))
        time.sleep(0.1)


def slow_reader(kept):
    s = dial()
    kept.append(s)
    s.sendall(STATUS)
    for _ in range(20):
        s.recv(1)
        time.sleep(0.1)


def never_reads(kept):
    s = dial()
    s.sendall(STATUS)
    kept.append(s)


def half_closed(kept):
    s = dial()
    s.sendall(STATUS[:12])
    s.shutdown(socket.SHUT_WR)
    kept.append(s)


def gone_in_the_middle(kept):
    s = dial()
    s.sendall(STATUS)
    s.recv(100)
    s.close()


def large_request(kept):
    s = dial()
    s.sendall(struct.pack(">I", 65536) + b"[" * 65000)
    kept.append(s)


# --- single answers


def half_closed_is_answered():
    def run():
        s = dial()
        s.sendall(STATUS)
        s.shutdown(socket.SHUT_WR)
        return take(drain(s))[0]

    report(as_user(ERP, run) == "answer", "who says that there is no more to come is answered")


def killed_clients(n=100):
    """Processes that die while a large answer is on its way to them."""
    before = descriptors()
    for _ in range(n):
        end = children([ADMIN], lambda: gone_after(dial()))
        end()
    others_are_fine(f"{n} clients killed while they read")
    time.sleep(0.2)
    report(descriptors() <= before, "... and nothing of them is left", [before, descriptors()])


def gone_after(s):
    s.sendall(STATUS)
    s.recv(1)
    signal.pause()


def large():
    answer = as_user(0, lambda: len(json.dumps(ask({"call": "status"})[1])))
    report(
        isinstance(answer, int) and answer > 400000,
        f"root's answer is large: {answer} bytes",
        answer,
    )


room = 0


def main():
    global room
    before = descriptors()
    room = before + 64 + 1
    large()
    others_are_fine("nothing")
    flood("200 users, all they can connect", CROWD, again_and_again(idle), 2)
    flood("slow writers", CROWD[:40], again_and_again(slow_writer))
    flood("slow readers", [ADMIN] * 20 + [STRANGER] * 20, again_and_again(slow_reader))
    flood("large answers that nobody reads", [ADMIN] * 4, again_and_again(never_reads), 1)
    flood("... root's own", [0] * 2, again_and_again(never_reads), 1)
    flood("requests that end in the middle", CROWD[:40], again_and_again(half_closed))
    flood("clients gone in the middle", [ADMIN] * 4 + [STRANGER] * 4, again_and_again(gone_in_the_middle))
    flood("large requests", CROWD[:20], again_and_again(large_request))
    gone = [crowd(20, uid) for uid in CROWD]
    others_are_fine("4,000 idle connections of 200 users")
    for go in gone:
        go()
    half_closed_is_answered()
    killed_clients()
    deadline = time.monotonic() + 12
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.1)
    report(descriptors() <= before, "nothing is left open", [before, descriptors()])
    others_are_fine("all that")
    print(f"1..{hostile.n_tests}")
    return hostile.n_failed != 0


if __name__ == "__main__":
    sys.exit(main())
