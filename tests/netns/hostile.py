#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hostile.py CONTROL PID [few] - clients of the control socket that do what they should not.

Each attack runs as a user of its own; then somebody else's call must be answered, and at once. Speaks
TAP. PID is the daemon's: what it has open is counted before and after. few: it may open
hardly any files.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

import encodings.idna  # pylint: disable=unused-import  # a name service that children cannot load

PATH = sys.argv[1]
PID = int(sys.argv[2])
STRANGER, BLOG, ERP = 2050, 2003, 2001
PATIENCE = 12  # seconds: twice the daemon's deadline and a bit
AT_ONCE = 3.0  # seconds: a busy machine has its moments; who waits for others waits 5

n_tests = 0
n_failed = 0


def report(good, name, detail=""):
    global n_tests, n_failed
    n_tests += 1
    n_failed += not good
    print(f"{'ok' if good else 'not ok'} {n_tests} - {name}", flush=True)
    if not good and detail != "":
        print(f"# {detail!r}", flush=True)


def frame(data):
    return struct.pack(">I", len(data)) + data


def as_user(uid, function):
    """Runs function in a child of that user's; its JSON-able result, or a text that says what broke."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            result = function()
        except Exception as error:  # pylint: disable=broad-except
            result = f"{type(error).__name__}: {error}"
        with os.fdopen(writer, "w") as out:
            json.dump(result, out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as source:
        text = source.read()
    os.waitpid(child, 0)
    return json.loads(text)


def dial():
    """As client.c does: Python's own time-outs would not wait while the listener's queue is full."""
    s = socket.socket(socket.AF_UNIX)
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", PATIENCE, 0))
    s.connect(PATH)
    return s


def drain(s):
    """All bytes until the end; a reset is an end."""
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def take(data):
    """The frames of an answer: ["error", text], ["answer", value] or ["nothing"]."""
    frames = []
    while len(data) >= 4:
        n = struct.unpack(">I", data[:4])[0]
        frames.append(data[4 : 4 + n])
        data = data[4 + n :]
    if not frames:
        return ["nothing"]
    if frames[0]:
        return ["error", frames[0].decode()]
    return ["answer", json.loads(frames[1])]


def send(data):
    s = dial()
    try:
        s.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all was sent; the reason can be read all the same
    return take(drain(s))


def ask(request):
    return send(frame(json.dumps(request).encode()))


def others_are_fine(after):
    started = time.monotonic()
    answer = as_user(ERP, lambda: ask({"call": "status"}))
    took = time.monotonic() - started
    report(
        answer[0] == "answer" and took < AT_ONCE,
        f"{after}: another user is answered at once",
        [took, answer],
    )


def refused(name, data, words):
    answer = as_user(STRANGER, lambda: send(data))
    report(answer[0] == "error" and words in answer[1], f"{name}: {words}", answer)


def descriptors():
    return len(os.listdir(f"/proc/{PID}/fd"))


# --- frames and JSON


def frames():
    refused("length of 4 GiB", b"\xff\xff\xff\xff", "larger than 65536")
    refused("length of 64 KiB and one", struct.pack(">I", 65537), "larger than 65536")
    refused("empty request", frame(b""), "empty")
    refused("64 KiB of nothing", frame(b" " * 65536), "not JSON")
    refused("no JSON", frame(b"status"), "not JSON")
    refused("half of JSON", frame(b'{"call":"status"'), "not JSON")
    refused("two values", frame(b'{"call":"status"}{}'), "not JSON")
    refused("nesting", frame(b"[" * 65536), "not JSON")
    refused("nesting of objects", frame(b'{"a":' * 13000), "not JSON")
    refused("no UTF-8", frame(b'{"call":"\xff\xfe"}'), "not JSON")
    refused("NUL in a name", frame(b'{"call":"status\\u0000"}'), "not JSON")
    refused("the same key twice", frame(b'{"call":"status","call":"off"}'), "not JSON")
    refused("array", frame(b'["status"]'), "expected a JSON object")
    refused("null", frame(b"null"), "not JSON")
    refused("no call", frame(b"{}"), "expected a JSON object")
    refused("number as call", frame(b'{"call":1}'), "expected a JSON object")
    refused("unknown call", frame(b'{"call":"rm -rf"}'), 'unknown call "rm -rf"')
    refused("escape sequence", frame(b'{"call":"\\u001b[2J"}'), '\\x1b[2J')
    refused("show without service", frame(b'{"call":"show"}'), 'needs a "service"')
    refused("number as service", frame(b'{"call":"show","service":1}'), "expected a string")
    refused("unknown argument", frame(b'{"call":"status","all":true}'), 'takes no "all"')
    others_are_fine("nonsense")


def silence():
    """All at once, since each takes the daemon's whole deadline."""

    def run():
        started = time.monotonic()
        quiet, half, body = dial(), dial(), dial()
        half.sendall(b"\x00\x00")
        body.sendall(frame(b"{" * 1000)[:500])
        answers = [take(drain(s)) for s in (quiet, half, body)]
        return [time.monotonic() - started, answers]

    took, answers = as_user(STRANGER, run)
    for name, answer in zip(("nothing", "half a length", "half a request"), answers):
        report(answer[0] == "error" and "in time" in answer[1], f"{name}: is cut off", answer)
    report(4 < took < 8, "it is cut off after 5 seconds", took)


def dripping():
    def run():
        s, started = dial(), time.monotonic()
        data = frame(b" " * 1000)
        try:
            for byte in data:
                s.sendall(bytes([byte]))
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return [time.monotonic() - started, take(drain(s))]

    took, answer = as_user(STRANGER, run)
    report(4 < took < 8 and answer[0] == "error", "a byte now and then: is cut off", [took, answer])


# --- who is calling


def credentials():
    def handed_on():
        s = dial()  # as root
        child = os.fork()
        if child == 0:
            os.setresuid(STRANGER, STRANGER, STRANGER)
            s.sendall(frame(b'{"call":"apply"}'))
            os._exit(0)
        os.waitpid(child, 0)
        return take(drain(s))

    answer = handed_on()
    report(
        answer[0] == "error" and "not who connected" in answer[1],
        "root's connection does not speak for another",
        answer,
    )

    def set_user_id():
        os.setresuid(STRANGER, 0, 0)  # as a set-user-ID program of root's is
        s = dial()
        s.sendall(frame(b'{"call":"apply"}'))
        return take(drain(s))

    answer = as_user(0, set_user_id)
    report(
        answer[0] == "error" and "not who connected" in answer[1],
        "a set-user-ID program does not speak for its user",
        answer,
    )


def sent_descriptors(make, name):
    before = descriptors()

    def run():
        s = dial()
        fds = [make() for _ in range(100)]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("100i", *fds))]
        try:
            s.sendmsg([frame(b'{"call":"status"}')], rights)
        except PermissionError:
            return ["error", "the kernel does not take descriptors"]  # SO_PASSRIGHTS
        for fd in fds:
            os.close(fd)
        return take(drain(s))

    answer = as_user(STRANGER, run)
    report(answer[0] == "error" and "descriptors" in answer[1], f"{name} are not taken", answer)
    report(descriptors() == before, f"{name} are not kept", [before, descriptors()])
    others_are_fine(name)


def lingering():
    """A TCP connection that cannot be closed in less than its SO_LINGER."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    s = socket.create_connection(listener.getsockname())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    s.setblocking(False)
    try:
        while True:
            s.send(b"x" * 65536)
    except BlockingIOError:
        pass
    keep.append(listener)
    return s.detach()


keep = []


# --- too many


def crowd(n, uid, data=b""):
    """Holds n connections in a child until the returned function is called."""
    ready, ready_w = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        mine = []
        for _ in range(n):
            s = dial()
            try:
                s.sendall(data)
            except OSError:
                pass
            mine.append(s)
        os.write(ready_w, b".")
        signal.pause()
    os.close(ready_w)
    select.select([ready], [], [], 30)

    def go():
        os.kill(child, signal.SIGKILL)
        os.close(ready)
        os.waitpid(child, 0)

    return go


def many():
    before = descriptors()
    for n, uids, data in (
        (1000, [STRANGER], b""),
        (1000, [STRANGER], b"\x00\x00\x10\x00{"),
        (300, [3000, 3001, 3002, 3003, 3004, 3005], b""),
        (1, list(range(3100, 3164)), b""),
    ):
        name = f"{n} idle connections of each of {len(uids)} users"
        gone = [crowd(n, uid, data) for uid in uids]
        report(descriptors() - before <= 64, f"{name}: a bounded number is kept", descriptors())
        for _ in range(3):
            others_are_fine(name)
        answer = ask({"call": "status"})
        report(answer[0] == "answer", f"{name}: root is answered", answer)
        answer = as_user(uids[0], lambda: ask({"call": "status"}))
        report(answer[0] == "answer", f"{name}: so are they", answer)
        for go in gone:
            go()


def storm(seconds=3):
    """Connections made and dropped as fast as four processes can."""
    children = []
    end = time.monotonic() + seconds
    for uid in (STRANGER, STRANGER, 3000, 3001):
        child = os.fork()
        if child == 0:
            os.setresuid(uid, uid, uid)
            while time.monotonic() < end:
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(1)
                try:
                    s.connect(PATH)
                    s.send(b"\x00")
                except OSError:
                    pass
                s.close()
            os._exit(0)
        children.append(child)
    time.sleep(0.3)
    for _ in range(5):
        others_are_fine("a storm of connections")
        time.sleep(0.3)
    for child in children:
        os.waitpid(child, 0)


def cpu_seconds():
    with open(f"/proc/{PID}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def no_descriptors():
    """Connections wait in the queue that the daemon cannot accept: it must not spin on them."""
    go = crowd(50, STRANGER)
    before = cpu_seconds()
    answer = as_user(ERP, lambda: ask({"call": "status"}))
    report(
        answer[0] == "answer" or "out of descriptors" in answer[1],
        "without descriptors: answered or told why not",
        answer,
    )
    time.sleep(2)
    report(cpu_seconds() - before < 0.5, "... and it does not spin", cpu_seconds() - before)
    go()
    others_are_fine("after that")


def main():
    before = descriptors()
    if sys.argv[3:] == ["few"]:
        no_descriptors()
        print(f"1..{n_tests}")
        return n_failed != 0
    frames()
    credentials()
    sent_descriptors(lambda: os.open("/dev/null", os.O_RDONLY), "descriptors")
    sent_descriptors(lingering, "sockets that linger")
    silence()
    dripping()
    many()
    storm()
    time.sleep(0.5)
    report(descriptors() == before, "nothing is left open", [before, descriptors()])
    others_are_fine("all that")
    print(f"1..{n_tests}")
    return n_failed != 0


if __name__ == "__main__":
    sys.exit(main())
