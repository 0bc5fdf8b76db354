# SPDX-License-Identifier: GPL-2.0-or-later
"""keeps.py - what must keep working while a policy is in force, judged as strictly as the ways out.

Runs as root in the box. A child does each thing as its user; the sink is the same process, in another
network namespace.
"""
import argparse
import contextlib
import faulthandler
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import frames
from driver import IPPROTO_MPTCP, ETH_P_ALL, SO_RCVBUFFORCE, PACKET_OUTGOING, enter, libc
from driver import CLONE_NEWNET

SINK = "/run/netns/sink"
BOX4, BOX6, SINK4, SINK6 = "192.0.2.2", "2001:db8::2", "192.0.2.1", "2001:db8::1"
FRIEND4, FRIEND6 = "198.19.0.9", "2001:db8:f::9"
BLOG, STRANGER, ROOT = 2003, 2050, 0
DECLARED, OTHER, PORT = 3001, 5001, 8001  # ports: declared; nobody's; the sink's
LIMIT = 5.0
LIMIT_ALL = 100.0  # a test that hangs says where
ORPHANS_BYTES = 1 << 20
CONNECTIONS = 300
FAMILIES = (("v4", socket.AF_INET, SINK4, BOX4, FRIEND4), ("v6", socket.AF_INET6, SINK6, BOX6, FRIEND6))
IP_OPTIONS, IPV6_RTHDR, TCP_FASTOPEN = 4, 57, 23

n_failed = 0
n_tests = 0


def say(good, name, detail=""):
    global n_failed, n_tests
    n_tests += 1
    n_failed += not good
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good and detail:
        print("\n".join(f"# {line}" for line in str(detail).splitlines()))


def keeps(name, fn, *arguments):
    """Good when it raises nothing and returns nothing false."""
    try:
        result = fn(*arguments)
        say(result is None or bool(result), name, f"{result!r}")
    except (OSError, EOFError, AssertionError, subprocess.SubprocessError) as e:
        say(False, name, f"{type(e).__name__}: {e}")


@contextlib.contextmanager
def in_sink():
    """For this thread; what it opens stays there."""
    box = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    enter(SINK)
    try:
        yield
    finally:
        libc.setns(box, CLONE_NEWNET)
        os.close(box)


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def as_user(uid, fn, *arguments):
    """What fn does in a child of that user; its words when it fails."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(uid)
            fn(*arguments)
            os.write(w, b"ok")
        except BaseException as e:  # whatever it is, it goes to the parent
            os.write(w, f"{type(e).__name__}: {e}".encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        text = f.read().decode()
    os.waitpid(child, 0)
    assert text == "ok", f"uid {uid}: {text}"


def make(family, kind=socket.SOCK_STREAM, protocol=0):
    s = socket.socket(family, kind, protocol)
    s.settimeout(LIMIT)
    if kind == socket.SOCK_RAW:
        return s
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return s


def listen(family, port, protocol=0, backlog=512):
    s = make(family, socket.SOCK_STREAM, protocol)
    s.bind(("", port))
    s.listen(backlog)
    return s


def any_of(family):
    return "0.0.0.0" if family == socket.AF_INET else "::"


def serve_echo(listener):
    """Answers every connection until the listener is closed."""

    def one(connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(LIMIT)
            while data := connection.recv(65536):
                connection.sendall(data)

    def loop():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    listener.settimeout(None)
    threading.Thread(target=loop, daemon=True).start()


def serve_datagrams(s):
    def loop():
        with contextlib.suppress(OSError):
            while True:
                data, peer = s.recvfrom(65536)
                s.sendto(data, peer)

    s.settimeout(None)
    threading.Thread(target=loop, daemon=True).start()


def ask(family, kind, address, port, protocol=0, data=b"are you there?"):
    with make(family, kind, protocol) as s:
        if kind == socket.SOCK_DGRAM:  # not connected: the sink answers from its first address
            s.sendto(data, (address, port))
            assert s.recv(65536) == data
            return
        s.connect((address, port))
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            part = s.recv(65536)
            if not part:
                raise EOFError(f"only {len(got)} of {len(data)} bytes came back")
            got += part
        assert got == data, "what came back is not what was sent"


# --- the kernel's own answers ------------------------------------------------------------------------


def closed_port_tcp(family, box):
    with in_sink():
        s = make(family)
    try:
        s.connect((box, OTHER))
    except ConnectionRefusedError:
        return True
    finally:
        s.close()
    return False


def closed_port_udp(family, box):
    with in_sink():
        s = make(family, socket.SOCK_DGRAM)
    with s:
        s.connect((box, OTHER))
        s.send(b"anybody?")
        try:
            s.recv(100)
        except ConnectionRefusedError:
            return True
    return False


def echo_reply(family, box):
    with in_sink():
        done = subprocess.run(["ping", "-n", "-c1", "-W3", box], stdout=subprocess.DEVNULL)
    return done.returncode == 0


def neighbours_forgotten(family, box, address):
    """Both sides ask again, and answer."""
    for command in ("ip neigh flush dev eth0", "ip -n sink neigh flush dev eth0"):
        subprocess.run(command.split(), check=True)
    echo_reply(family, box)
    subprocess.run("ip neigh flush dev eth0".split(), check=True)
    as_user(STRANGER, ask, family, socket.SOCK_STREAM, address, PORT)
    subprocess.run("ip neigh flush dev eth0".split(), check=True)
    as_user(BLOG, ask, family, socket.SOCK_STREAM, FRIEND4 if family == socket.AF_INET else FRIEND6,
            frames.FRIEND_PORT)


class Capture:
    def __init__(self):
        with in_sink():
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            self.s.bind(("eth0", ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def sees(self, wanted, seconds=LIMIT):
        """A packet from the box of which wanted() is true arrives in time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                data, (_, ethertype, kind, *_) = self.s.recvfrom(65600)
            except TimeoutError:
                break
            if kind != PACKET_OUTGOING and wanted(frames.Packet(ethertype, data)):
                return True
        return False


def joins_group_v4():
    s = make(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 socket.inet_aton("239.9.9.9") + socket.inet_aton(BOX4))
    time.sleep(0.3)


def joins_group_v6():
    s = make(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                 socket.inet_pton(socket.AF_INET6, "ff05::9:9") + struct.pack("I", socket.if_nametoindex("eth0")))
    time.sleep(0.3)


def report_seen(join, wanted):
    with Capture() as capture:
        as_user(STRANGER, join)
        return capture.sees(wanted)


def kernels_own():
    for name, family, sink, box, _ in FAMILIES:
        keeps(f"{name}: a closed port is answered with a reset", closed_port_tcp, family, box)
        keeps(f"{name}: ... and with an ICMP error over UDP", closed_port_udp, family, box)
        keeps(f"{name}: echo requests are answered", echo_reply, family, box)
        keeps(f"{name}: forgotten neighbours are found again, by everybody", neighbours_forgotten,
              family, box, sink)
    keeps("IGMP reports leave", report_seen, joins_group_v4, lambda p: p.protocol == frames.IGMP)
    keeps("MLD reports leave", report_seen, joins_group_v6,
          lambda p: p.protocol == frames.ICMPV6 and p.payload[:1] == b"\x8f")


# --- other users ---------------------------------------------------------------------------------------


def ping(family, address):
    kind = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    with make(family, socket.SOCK_DGRAM, kind) as s:
        s.sendto(struct.pack(">BBHHH", 8 if family == socket.AF_INET else 128, 0, 0, 0, 1) + b"x", (address, 0))
        s.recv(1000)


def fast_open(family, address):
    with make(family) as s:
        s.sendto(b"early", socket.MSG_FASTOPEN, (address, PORT))
        assert s.recv(100) == b"early"


def ip_options(family, address):
    with make(family, socket.SOCK_DGRAM) as s:
        if family == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, b"\x01\x01\x01\x00")
        s.connect((address, PORT))
        s.send(b"with options")
        assert s.recv(100) == b"with options"


def multicast(family):
    group = "239.9.9.8" if family == socket.AF_INET else "ff05::9:8"
    with make(family, socket.SOCK_DGRAM) as s:
        index = socket.if_nametoindex("eth0")
        if family == socket.AF_INET:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(BOX4))
        else:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        s.sendto(b"to all", (group, PORT))


def multicast_seen(uid, family):
    with Capture() as capture:
        as_user(uid, multicast, family)
        return capture.sees(lambda p: p.dport == PORT and p.payload == b"to all")


def raw_seen(family, address):
    with Capture() as capture, make(family, socket.SOCK_RAW, 253) as s:
        s.sendto(b"whole", (address, 0))
        return capture.sees(lambda p: p.protocol == 253)


def between_users(family):
    """Over loopback, on a port of nobody's policy."""
    local = "127.0.0.1" if family == socket.AF_INET else "::1"
    with service(ROOT, family, OTHER):
        as_user(STRANGER, ask, family, socket.SOCK_STREAM, local, OTHER)


def other_users():
    for name, family, sink, _, _ in FAMILIES:
        for who, uid in (("root", ROOT), ("another user", STRANGER)):
            for what, kind in (("TCP", socket.SOCK_STREAM), ("UDP", socket.SOCK_DGRAM)):
                keeps(f"{name}: {what} of {who}", as_user, uid, ask, family, kind, sink, PORT)
            keeps(f"{name}: ping of {who}", as_user, uid, ping, family, sink)
            keeps(f"{name}: fast open of {who}", as_user, uid, fast_open, family, sink)
            keeps(f"{name}: IP options of {who}", as_user, uid, ip_options, family, sink)
            keeps(f"{name}: multicast of {who}", multicast_seen, uid, family)
        keeps(f"{name}: a raw socket of root's", raw_seen, family, sink)
        keeps(f"{name}: loopback between others", between_users, family)


# --- their orphans -----------------------------------------------------------------------------------------


def send_and_leave(family, address, port, data):
    with make(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(data))
        s.connect((address, port))
        s.sendall(data)


def orphan_arrives(uid, family, address, port):
    """The peer reads nothing until the process is gone."""
    data = os.urandom(ORPHANS_BYTES)
    with in_sink():
        s = make(family)
    with s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the sink listens there, too
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        s.bind((address, port))
        s.listen(1)
        as_user(uid, send_and_leave, family, address, port, data)
        connection, _ = s.accept()
        digest = hashlib.sha256()
        with connection:
            connection.settimeout(LIMIT)
            while part := connection.recv(65536):
                digest.update(part)
    return digest.digest() == hashlib.sha256(data).digest()


def orphans():
    for name, family, *_ in FAMILIES:
        nowhere = "198.18.0.8" if family == socket.AF_INET else "2001:db8:bad::8"
        for who, uid in (("root", ROOT), ("another user", STRANGER)):
            keeps(f"{name}: what a process of {who} left behind arrives", orphan_arrives, uid, family,
                  nowhere, PORT + 1)
        keeps(f"{name}: what a governed user's process left behind for a friend arrives", orphan_arrives,
              BLOG, family, other_friend(family), frames.FRIEND_PORT)


def other_friend(family):
    return "198.19.0.8" if family == socket.AF_INET else "2001:db8:f::8"


# --- MPTCP ------------------------------------------------------------------------------------------------------


def hold_mptcp(family, address, port, seconds):
    with make(family, socket.SOCK_STREAM, IPPROTO_MPTCP) as s:
        s.bind((BOX4 if family == socket.AF_INET else BOX6, 0))
        s.connect((address, port))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            s.sendall(b"x" * 1000)
            assert s.recv(65536)
            time.sleep(0.02)


def endpoint(where, verb, *words):
    subprocess.run(["ip", *(("-n", "sink") if where == "sink" else ()), "mptcp", "endpoint", verb, *words],
                   check=True)


def joins(uid, family, address, port, announced):
    """Whether the box joins what the peer announces."""
    endpoint("sink", "add", announced, "id", "9", "dev", "eth0", "signal")
    try:
        with Capture() as capture:
            child = threading.Thread(target=as_user, daemon=True,
                                     args=(uid, hold_mptcp, family, address, port, 0.4))
            child.start()
            version = socket.inet_pton(family, announced)
            joined = capture.sees(lambda p: p.protocol == frames.TCP and p.flags & frames.SYN
                                  and p.destination == int.from_bytes(version, "big"), 1.0)
            child.join()
    finally:
        endpoint("sink", "delete", "id", "9")
    return joined


def joins_from(uid, family, address, port, own):
    """Whether the box opens a subflow from another address of its own."""
    prefix = f"{own}/{32 if family == socket.AF_INET else 128}"
    subprocess.run(["ip", "address", "add", prefix, "dev", "eth0"]
                   + (["nodad"] if family == socket.AF_INET6 else []), check=True)
    endpoint("box", "add", own, "id", "8", "dev", "eth0", "subflow")
    try:
        with Capture() as capture:
            child = threading.Thread(target=as_user, daemon=True,
                                     args=(uid, hold_mptcp, family, address, port, 0.4))
            child.start()
            source = int.from_bytes(socket.inet_pton(family, own), "big")
            joined = capture.sees(lambda p: p.protocol == frames.TCP and p.flags & frames.SYN
                                  and p.source == source, 1.0)
            child.join()
    finally:
        endpoint("box", "delete", "id", "8")
        subprocess.run(["ip", "address", "delete", prefix, "dev", "eth0"], check=True)
    return joined


def multipath():
    for name, family, sink, _, friend in FAMILIES:
        announced = "198.18.0.7" if family == socket.AF_INET else "2001:db8:bad::7"
        own = "192.0.2.3" if family == socket.AF_INET else "2001:db8::3"
        for who, uid in (("root", ROOT), ("another user", STRANGER)):
            keeps(f"{name}: MPTCP of {who} joins what its peer announces", joins, uid, family, sink,
                  PORT, announced)
            keeps(f"{name}: ... and from another address", joins_from, uid, family, sink, PORT, own)
        keeps(f"{name}: MPTCP of a governed user is plain TCP", as_user, BLOG, ask, family,
              socket.SOCK_STREAM, friend, frames.FRIEND_PORT, IPPROTO_MPTCP)
        keeps(f"{name}: ... and joins nothing",
              lambda: not joins(BLOG, family, friend, frames.FRIEND_PORT, announced))


# --- services ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def service(uid, family, port, protocol=0, is_udp=False):
    """A listener that belongs to the user; the child runs until the end."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(uid)
            if is_udp:
                s = make(family, socket.SOCK_DGRAM)
                s.bind(("", port))
                serve_datagrams(s)
            else:
                serve_echo(listen(family, port, protocol))
            os.write(w, b"ok")
            time.sleep(LIMIT_ALL)
        finally:
            os._exit(1)
    os.close(w)
    try:
        assert os.read(r, 2) == b"ok", f"no service on port {port}"
        yield
    finally:
        os.close(r)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def from_outside(family, kind, address, port, protocol=0, data=b"hello"):
    with in_sink():
        ask(family, kind, address, port, protocol, data)


def many(family, address, port):
    with in_sink():
        all_of_them = [make(family) for _ in range(CONNECTIONS)]
    for s in all_of_them:
        s.connect((address, port))
    for i, s in enumerate(all_of_them):
        s.sendall(b"%d" % i)
    for i, s in enumerate(all_of_them):
        assert s.recv(100) == b"%d" % i, f"connection {i} of {CONNECTIONS}"
        s.close()


def no_answer(family, kind, address, port):
    with in_sink():
        s = make(family, kind)
    with s:
        s.settimeout(0.4)
        try:
            s.connect((address, port))
            s.send(b"hello")
            return not s.recv(100)
        except (TimeoutError, ConnectionError):
            return True


def setting(name, value):
    with open(f"/proc/sys/net/{name}", "r+") as f:
        before = f.read()
        f.seek(0)
        f.write(value)
    return before


def inbound():
    for name, family, _, box, _ in FAMILIES:
        with service(BLOG, family, DECLARED):
            keeps(f"{name}: a declared port answers", from_outside, family, socket.SOCK_STREAM, box, DECLARED)
            keeps(f"{name}: ... with much data", from_outside, family, socket.SOCK_STREAM, box, DECLARED, 0,
                  os.urandom(100000))
            keeps(f"{name}: ... {CONNECTIONS} at once", many, family, box, DECLARED)
            before = setting("ipv4/tcp_syncookies", "2")
            keeps(f"{name}: ... with SYN cookies", many, family, box, DECLARED)
            setting("ipv4/tcp_syncookies", before)
            local = "127.0.0.1" if family == socket.AF_INET else "::1"
            for who, uid in (("itself", BLOG), ("another user", STRANGER), ("root", ROOT)):
                keeps(f"{name}: ... over loopback for {who}", as_user, uid, ask, family,
                      socket.SOCK_STREAM, local, DECLARED)
        with service(BLOG, family, DECLARED, IPPROTO_MPTCP):
            keeps(f"{name}: ... also to MPTCP, as plain TCP", from_outside, family, socket.SOCK_STREAM,
                  box, DECLARED, IPPROTO_MPTCP)
        with service(BLOG, family, 4001, 0, True):
            keeps(f"{name}: a declared UDP port answers", from_outside, family, socket.SOCK_DGRAM, box, 4001)
        with service(BLOG, family, OTHER):
            keeps(f"{name}: another TCP port does not", no_answer, family, socket.SOCK_STREAM, box, OTHER)
        with service(BLOG, family, OTHER, 0, True):
            keeps(f"{name}: another UDP port does not", no_answer, family, socket.SOCK_DGRAM, box, OTHER)
        for who, uid in (("root", ROOT), ("another user", STRANGER)):
            with service(uid, family, OTHER), service(uid, family, OTHER, 0, True):
                keeps(f"{name}: any port of {who} answers", from_outside, family, socket.SOCK_STREAM, box,
                      OTHER)
                keeps(f"{name}: ... over UDP", from_outside, family, socket.SOCK_DGRAM, box, OTHER)
                before = setting("ipv4/tcp_syncookies", "2")
                keeps(f"{name}: ... with SYN cookies", from_outside, family, socket.SOCK_STREAM, box, OTHER)
                setting("ipv4/tcp_syncookies", before)


def allowed():
    for name, family, _, _, friend in FAMILIES:
        resolver = frames.RESOLVERS[0 if family == socket.AF_INET else 1]
        for what, kind in (("TCP", socket.SOCK_STREAM), ("UDP", socket.SOCK_DGRAM)):
            keeps(f"{name}: what is allowed, {what}", as_user, BLOG, ask, family, kind, friend,
                  frames.FRIEND_PORT)
            keeps(f"{name}: the resolver, {what}", as_user, BLOG, ask, family, kind, resolver, 53)


# --- connections over a change ---------------------------------------------------------------------------------------


class Kept:
    """Connections of all kinds, that changes of the policy must not touch."""

    def __init__(self):
        self.all = []
        self.services = contextlib.ExitStack()
        for name, family, sink, box, friend in FAMILIES:
            self.services.enter_context(service(BLOG, family, DECLARED + 1))
            with in_sink():
                inbound_one = make(family)
            inbound_one.connect((box, DECLARED + 1))
            self.all.append((f"{name}: a connection to a declared port", inbound_one))
            for who, uid, address, port in (("root's", ROOT, sink, PORT),
                                            ("another user's", STRANGER, sink, PORT),
                                            ("an allowed", BLOG, friend, frames.FRIEND_PORT)):
                os.seteuid(uid)
                s = make(family)
                s.connect((address, port))
                os.seteuid(0)
                self.all.append((f"{name}: {who} connection", s))
        for _, s in self.all:
            self.used(s)

    @staticmethod
    def used(s):
        s.sendall(b"still there")
        assert s.recv(100) == b"still there"

    def check(self, when):
        for name, s in self.all:
            keeps(f"{name} {when}", self.used, s)


def start_sink():
    """What answers outside, for as long as this runs."""
    with in_sink():
        for _, family, *_ in FAMILIES:
            for port in (PORT, frames.FRIEND_PORT, 53):
                s = make(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)
                s.bind(("", port))
                s.listen(512)
                serve_echo(s)
                d = make(family, socket.SOCK_DGRAM)
                d.bind(("", port))
                serve_datagrams(d)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--change", action="append", default=[], help="a command that changes the policy")
    options = parser.parse_args()

    faulthandler.dump_traceback_later(LIMIT_ALL, exit=True)
    start_sink()
    kept = Kept()
    for command in options.change:
        subprocess.run(command, shell=True, check=True)
        kept.check(f"survives {os.path.basename(command)}")
    kept.services.close()
    for part in (kernels_own, allowed, other_users, orphans, multipath, inbound):
        part()
    print(f"1..{n_tests}")
    sys.exit(1 if n_failed else 0)


main()
