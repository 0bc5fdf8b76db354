# SPDX-License-Identifier: GPL-2.0-or-later
"""driver.py - runs every way out in one phase, and says which of them got something out.

Runs as root in the box (see ../netns/lib.sh). Frames are captured where they come out of the box, at
the sink, and on the box's own loopback; frames.py tells whose each is. Attempts run many at a time,
as whatever arrives late still tells whose it is.
"""
import argparse
import collections
import ctypes
import fnmatch
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import frames

CLONE_NEWNET = 0x40000000
CAPTURE_BYTES = 64 << 20
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
IPPROTO_MPTCP = 262
ETH_P_ALL = 3
PACKET_HOST, PACKET_OUTGOING = 0, 4
LIMIT_S = 20.0  # for one attempt; a way ends by itself long before
READY_S = 10.0
SETTLE_S = 1.2  # the last retransmits; whatever comes later is lost on us
SHOWN = 6

libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path, "rb") as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)


Way = collections.namedtuple("Way", "command name closed_by flags what")


class Attempt:
    def __init__(self, n, way):
        self.n, self.way = n, way
        self.frames, self.process, self.output = [], None, None
        self.sockets, self.status, self.since, self.ready = [], None, 0.0, False
        self.deadline = 0.0
        self.declared = None

    def counted(self):
        """Frames from when the policy was in force on. A listener's are data only: the kernel answers
        for it before anybody accepts."""
        for t, where, packet in self.frames:
            if t >= self.since and not ("listens" in self.way.flags and packet.is_bare()):
                yield where, packet

    def arrived(self):
        return any(True for _ in self.counted())

    def shown(self):
        lines = [f"{where}: {packet}" for where, packet in self.counted()]
        return lines[:SHOWN] + ([f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])

    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace").strip()


class Outside:
    """The sink, and the stranger in the box: captures and listeners."""

    def __init__(self, options):
        self.options = options
        self.selector = selectors.DefaultSelector()
        self.attempts = {}
        self.box = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.capture("box", "lo")
        enter(options.sink)
        self.capture("sink", "eth0")
        for port in (frames.FRIEND_PORT, 53):
            self.listen(port, IPPROTO_MPTCP)
            self.datagrams(port)
        self.back()

    def back(self):
        if libc.setns(self.box, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def capture(self, where, interface):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, CAPTURE_BYTES)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.bind((interface, ETH_P_ALL))
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, lambda _: self.on_frames(where, s))

    def listen(self, port, protocol=0):
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
        s.bind(("::", port))
        s.listen(256)
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, self.on_connection)
        return s

    def datagrams(self, port):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("::", port))
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, self.on_datagram)
        return s

    def open_for(self, attempt):
        """Where the attempt aims: in the sink, and as a stranger in the box."""
        self.attempts[attempt.n] = attempt
        port = frames.FIRST_PORT + attempt.n
        enter(self.options.sink)
        attempt.sockets = [self.listen(port), self.datagrams(port)]
        self.back()
        os.seteuid(self.options.other_uid)
        attempt.sockets += [self.listen(port), self.datagrams(port)]
        os.seteuid(0)

    def close_for(self, attempt):
        for s in attempt.sockets:
            self.selector.unregister(s)
            s.close()
        attempt.sockets = []

    def on_frames(self, where, s):
        for _ in range(500):
            try:
                data, stamps, _, (_, ethertype, kind, *_) = s.recvmsg(65600, 64)
            except BlockingIOError:
                return
            if kind == PACKET_OUTGOING:
                continue
            packet = frames.Packet(ethertype, data)
            attempt = self.attempts.get(packet.attempt())
            if not attempt or not packet.counts():
                continue
            # On loopback, what comes from the port is the stranger's answer, and errors are ours.
            if where == "box" and (
                packet.sport == frames.FIRST_PORT + attempt.n or packet.is_error()
            ):
                continue
            seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
            attempt.frames.append((seconds + nanoseconds / 1e9, where, packet))

    def on_connection(self, s):
        try:
            connection, _ = s.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, self.on_bytes)

    def on_bytes(self, s):
        try:
            data = s.recv(65536)
            if data:
                s.send(data[:1000])
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.selector.unregister(s)
        s.close()

    def on_datagram(self, s):
        try:
            data, peer = s.recvfrom(65536)
            s.sendto(data[:1000], peer)
        except OSError:
            pass

    def turn(self, seconds=0.02):
        for key, _ in self.selector.select(seconds):
            key.data(key.fileobj)


class Runner:
    def __init__(self, options, ways):
        self.options, self.ways = options, ways
        self.outside = Outside(options)
        self.next, self.running, self.done = options.first, [], []
        self.free = list(range(options.slots))

    def arguments(self, attempt):
        to, to6, friend, friend6 = frames.addresses(attempt.n)
        o = self.options
        slot = attempt.declared
        values = {
            "to": to, "to6": to6, "friend": friend, "friend6": friend6,
            "friend-port": frames.FRIEND_PORT, "port": frames.FIRST_PORT + attempt.n,
            "link-local": o.link_local, "resolver": frames.RESOLVERS[0],
            "resolver6": frames.RESOLVERS[1], "local": "192.0.2.2", "local6": "2001:db8::2",
            "interface": "eth0", "declared-tcp": frames.DECLARED_TCP[slot],
            "declared-udp": frames.DECLARED_UDP[slot], "uid": o.uid, "gid": o.uid,
            "other-uid": o.other_uid, "subuid": o.subuid, "marker": frames.marker(attempt.n),
            "sink": o.sink, "folder": o.folder,
        }
        if o.cgroup:
            values["cgroup"] = o.cgroup
        return [text for key, value in values.items() for text in (f"--{key}", str(value))]

    def start(self, way):
        self.next += 1
        attempt = Attempt(self.next, way)
        attempt.declared = self.free.pop(0)
        attempt.output = tempfile.TemporaryFile()
        self.outside.open_for(attempt)
        attempt.process = subprocess.Popen(
            way.command + [way.name] + self.arguments(attempt),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=attempt.output,
            start_new_session=True,
        )
        os.set_blocking(attempt.process.stdout.fileno(), False)
        attempt.deadline = time.monotonic() + LIMIT_S
        self.running.append(attempt)
        return attempt

    def end(self, attempt):
        try:
            os.killpg(attempt.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        attempt.process.stdin.close()
        attempt.process.stdout.close()
        self.free.append(attempt.declared)
        self.running.remove(attempt)
        self.done.append(attempt)

    def turn(self):
        self.outside.turn()
        for attempt in list(self.running):
            if b"ready" in (attempt.process.stdout.read() or b""):
                attempt.ready = True
            attempt.status = attempt.process.poll()
            if attempt.status is None and time.monotonic() > attempt.deadline:
                attempt.status = "over its time"
            if attempt.status is not None:
                self.end(attempt)

    def wait(self):
        while self.running:
            self.turn()

    def run_now(self):
        """Ways that start while the policy is in force."""
        ways = [w for w in self.ways if "older" not in w.flags]
        for way in [w for w in ways if "alone" not in w.flags]:
            while not self.free:
                self.turn()
            self.start(way)
        self.wait()
        for way in [w for w in ways if "alone" in w.flags]:
            self.start(way)
            self.wait()

    def run_older(self, before):
        """Ways that start under what `before` puts into force, in bunches; the policy comes into force when
        all of a bunch are ready."""
        waiting = [w for w in self.ways if "older" in w.flags]
        while waiting:
            bunch, waiting = waiting[: len(self.free)], waiting[len(self.free) :]
            if before:
                self.enforce(before)
            bunch = [self.start(w) for w in bunch]
            end = time.monotonic() + READY_S
            while time.monotonic() < end and any(a.status is None and not a.ready for a in bunch):
                self.turn()
            if before:
                self.enforce(self.options.enforce)
            for attempt in bunch:
                attempt.since = time.time()
                if attempt.status is None:
                    attempt.process.stdin.write(b"g")
                    attempt.process.stdin.flush()
            self.wait()

    def enforce(self, command):
        """The policy comes into force; what has arrived until then is read first."""
        process = subprocess.Popen(command, shell=True)
        while process.poll() is None:
            self.outside.turn()
        if process.returncode != 0:
            sys.exit(f"Bail out! {command}: exit status {process.returncode}")
        for _ in range(5):
            self.outside.turn()

    def settle(self):
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            self.outside.turn()


def verdict(phase, attempt):
    """(good, text) of one attempt."""
    way, arrived = attempt.way, attempt.arrived()
    if attempt.status not in (0, 77):
        return False, f"ended with {attempt.status}"
    if phase == "off":
        if attempt.status == 77 and not arrived:
            return True, f"# SKIP {attempt.said()}"
        return arrived, "gets something out"
    stays = way.closed_by == "nothing" or (way.closed_by == "unit" and phase == "default")
    if attempt.status == 77 and not arrived:
        return True, f"# SKIP {attempt.said()}"
    if stays:
        return arrived, "still gets something out, as the documents say"
    return not arrived, "nothing arrives"


def report(phase, attempts):
    failed = 0
    for attempt in attempts:
        good, text = verdict(phase, attempt)
        failed += not good
        print(f"{'ok' if good else 'not ok'} - {phase}: {attempt.way.name}: {text}")
        if not good:
            for line in [attempt.way.what] + attempt.shown() + attempt.said().splitlines():
                print(f"# {line}")
    print(f"1..{len(attempts)}")
    return failed


def list_ways(commands, pattern):
    ways = []
    for command in commands:
        command = command.split()
        out = subprocess.run(command + ["--list"], check=True, stdout=subprocess.PIPE).stdout.decode()
        for line in out.splitlines():
            name, closed_by, flags, what = line.split("\t")
            if any(fnmatch.fnmatch(name, p) for p in pattern.split()):
                ways.append(Way(command, name, closed_by, flags.split(), what))
    return ways


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phase", choices=("off", "default", "unit"), required=True)
    parser.add_argument("--first", type=int, required=True, help="number of the first attempt")
    parser.add_argument("--slots", type=int, default=60)
    parser.add_argument("--only", default="*")
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--other-uid", type=int, required=True)
    parser.add_argument("--subuid", type=int, required=True)
    parser.add_argument("--link-local", required=True)
    parser.add_argument("--sink", default="/run/netns/sink")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--cgroup")
    parser.add_argument("--before", action="append", default=[],
                        help="a command that puts into force what older ways begin under; may be repeated")
    parser.add_argument("--enforce", help="a command that puts the policy into force")
    parser.add_argument("attackers", nargs="+")
    options = parser.parse_args()

    runner = Runner(options, list_ways(options.attackers, options.only))
    for before in options.before or [None]:
        runner.run_older(before)
    if options.enforce:
        runner.enforce(options.enforce)
    runner.run_now()
    runner.settle()
    sys.exit(1 if report(options.phase, runner.done) else 0)


if __name__ == "__main__":
    main()
