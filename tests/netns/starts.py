#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""starts.py ROUNDS FOLDER NAME ADDRESS PORT - a unit that starts and stops, again and again.

Each time its group is made, a process of root enters it and sends at once, until it is refused; then
the group goes. One line of JSON: how long after the making of the group that was, in milliseconds, how
many took more than 100, and how many were never refused (within a second). A name with %d in it is another one each time. The socket
of the last group outlives it: what becomes of it is "left_behind".
"""
import errno
import json
import os
import socket
import statistics
import sys
import time

rounds, folder, name, address, port = int(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])
top = os.path.dirname(folder)


def enter(group):
    with open(os.path.join(group, "cgroup.procs"), "w") as procs:
        procs.write("0")


def send(sock):
    try:
        sock.sendto(b"x", (address, port))
        return "sent"
    except OSError as e:
        return errno.errorcode[e.errno]


took, missed, sent = [], 0, 0
for i in range(rounds):
    group = os.path.join(folder, name % i if "%d" in name else name)
    os.mkdir(group)
    start = time.monotonic()
    enter(group)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while (result := send(sock)) == "sent":
        sent += 1
        if time.monotonic() > start + 1:
            missed += 1
            break
    took.append((time.monotonic() - start) * 1000)
    enter(top)
    os.rmdir(group)
time.sleep(0.2)
print(json.dumps({
    "rounds": rounds, "missed": missed, "sent": sent, "last": result,
    "late": sum(ms > 100 for ms in took),
    "median_ms": round(statistics.median(took), 3), "max_ms": round(max(took), 3),
    "left_behind": send(sock),
}))
