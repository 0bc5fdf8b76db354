#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the proxy on the control socket, for 58-lists.sh.

proxy_link.py SOCKET UID call JSON       one call; prints the answer, or "error: ..."
proxy_link.py SOCKET UID follow FILE     the call "lists" again and again; a line for each answer
proxy_link.py SOCKET UID flood FILE      200 calls that there is no answer to; how many are held
"""
import json
import os
import socket
import struct
import sys
import time


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def dial(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def ask(s, request):
    data = json.dumps(request).encode()
    s.sendall(struct.pack(">I", len(data)) + data)


def take(s):
    data = b"".join(iter(lambda: s.recv(65536), b""))
    if len(data) < 4:
        return "gone"
    n = struct.unpack(">I", data[:4])[0]
    return "error: " + data[4:].decode() if n else json.loads(data[8:])


def follow(path, out):
    generation = 0
    while True:
        try:
            s = dial(path)
            ask(s, {"call": "lists", "generation": generation})
            answer = take(s)
        except OSError as e:
            answer = "gone: " + str(e)
        line = {"at": time.monotonic_ns() // 1000, "answer": answer}
        out.write(json.dumps(line) + "\n")
        out.flush()
        if isinstance(answer, str):
            time.sleep(0.2)
        else:
            generation = answer["generation"]


def flood(path, out):
    s = dial(path)
    ask(s, {"call": "lists"})
    generation = take(s)["generation"]
    held, calls = 0, []
    for _ in range(200):
        s = dial(path)
        ask(s, {"call": "lists", "generation": generation})
        s.setblocking(False)
        calls.append(s)
    time.sleep(0.3)
    for s in calls:
        try:
            s.recv(4096)
        except BlockingIOError:
            held += 1
    out.write("%d\n" % held)
    out.flush()
    time.sleep(60)


def main():
    path, uid, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if what in ("follow", "flood"):
        with open(sys.argv[4], "w") as out:
            become(uid)
            {"follow": follow, "flood": flood}[what](path, out)
    become(uid)
    s = dial(path)
    ask(s, json.loads(sys.argv[4]))
    answer = take(s)
    print(answer if isinstance(answer, str) else json.dumps(answer))


main()
