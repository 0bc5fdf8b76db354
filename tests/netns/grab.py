#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""grab.py TABLE SECONDS [FLAGS]: becomes the owner of inet TABLE, makes it where there is none, and keeps it for
so long (0: until it is killed). FLAGS: of the table, default 6: owner and persist."""
import socket
import struct
import sys
import time

table, seconds = sys.argv[1], float(sys.argv[2])
flags = int(sys.argv[3]) if len(sys.argv) > 3 else 6
NFTABLES, INET = 10, 1


def attr(kind, data):
    n = 4 + len(data)
    return struct.pack("=HH", n, kind) + data + bytes(-n % 4)


def message(kind, flags, family, res_id, attrs=b""):
    body = struct.pack("=BBH", family, 0, res_id) + attrs
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.bind((0, 0))
s.settimeout(5)
new_table = attr(1, table.encode() + b"\0") + attr(2, struct.pack(">I", flags))
s.send(
    message(0x10, 1, 0, socket.htons(NFTABLES))
    + message(NFTABLES << 8, 0x1 | 0x4 | 0x400, INET, 0, new_table)
    + message(0x11, 1, 0, socket.htons(NFTABLES))
)
error = struct.unpack_from("=i", s.recv(4096), 16)[0]
print("ready" if error == 0 else f"error {-error}", flush=True)
if error:
    sys.exit(1)
time.sleep(seconds or 1e6)
