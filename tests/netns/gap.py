#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gap.py UID ADDRESS PORT: sends datagrams as that user until SIGTERM, then says as JSON for how long, at
the longest, they went through.

A gap is counted from the last refusal before it to the first one after it, so what the scheduler takes is
in it. "gaps_ms" has all of them, in order.
"""
import json
import os
import signal
import socket
import sys
import time

uid, address, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
print("ready", file=sys.stderr, flush=True)

through = refused = 0
gaps = []
last_refused = time.monotonic()
is_open = False
while not stopped:
    try:
        s.sendto(b"x", (address, port))
        through += 1
        is_open = True
    except PermissionError:
        now = time.monotonic()
        if is_open:
            gaps.append(round((now - last_refused) * 1000, 3))
            is_open = False
        last_refused = now
        refused += 1
    except OSError:
        pass
if is_open:
    gaps.append(round((time.monotonic() - last_refused) * 1000, 3))
print(
    json.dumps(
        {
            "through": through,
            "refused": refused,
            "gaps": len(gaps),
            "longest_ms": max(gaps, default=0),
            "gaps_ms": gaps[:1000],
        }
    )
)
