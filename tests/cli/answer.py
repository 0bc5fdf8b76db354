#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""answer.py SOCKET FOLDER - stands in for uidwalld where a test is about the command alone.

A call NAME is answered with FOLDER/NAME.json, or with the text of FOLDER/NAME.error; for a service,
NAME-SERVICE is looked for first. FOLDER/NAME.delay holds seconds to wait before. What was asked
last is written to FOLDER/asked.
"""
import json
import os
import socket
import struct
import sys
import time


def frame(data):
    return struct.pack(">I", len(data)) + data


def read_exactly(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_file(folder, name, suffix):
    try:
        with open(os.path.join(folder, name + suffix), "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def prepared(folder, names):
    for name in names:
        delay = read_file(folder, name, ".delay")
        if delay:
            time.sleep(float(delay))
        payload = read_file(folder, name, ".json")
        if payload is not None:
            return frame(b"") + frame(payload)
        error = read_file(folder, name, ".error")
        if error is not None:
            return frame(error.strip())
    return frame(b"no answer prepared")


def answer(connection, folder):
    length = struct.unpack(">I", read_exactly(connection, 4))[0]
    request = json.loads(read_exactly(connection, length))
    with open(os.path.join(folder, "asked"), "w", encoding="utf-8") as f:
        json.dump(request, f)
    names = [request["call"]]
    if "service" in request:
        names.insert(0, request["call"] + "-" + request["service"].replace("/", "_"))
    connection.sendall(prepared(folder, names))


def main():
    path, folder = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                answer(connection, folder)
            except (EOFError, OSError):
                pass


main()
