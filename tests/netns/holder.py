#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""holder.py UID FIFO NAME=KIND[@DEVICE]:ADDRESS:PORT... - holds sockets of a user, and says how they
are.

Becomes the user (-1: stays who it is), opens a socket for each name, prints "ready". Then a line
written to the FIFO prints a line for each, "WORD NAME STATE", and "WORD done" at the end. The state is
"ok" (what was sent came back), "open" (nothing came back, no error either) or an error's name: what
the socket says before it is used, as poll() would.

	tcp mptcp       a connection          udp udplite   a connected socket
	syn mpsyn       one that is not answered, or not yet
	orphan          a connection, filled with what the peer does not read, and closed
	listen mplisten a server that echoes; its state is that of the last connection it has
	silent          a server that accepts and does not read
	unconnected     a UDP socket that is bound, no more
	many            130 connected UDP sockets; the state of the last one
"""
import errno
import os
import select
import socket
import sys
import threading

PATIENCE = 1.0  # seconds for an answer
IPPROTO_UDPLITE, IPPROTO_MPTCP = 136, 262
SILENCE = []  # what must not be closed, nor read


def endpoint(text):
    address, _, port = text.rpartition(":")
    address = address.strip("[]")
    return socket.AF_INET6 if ":" in address else socket.AF_INET, (address, int(port))


def open_socket(kind, family):
    kind, _, device = kind.partition("@")
    stream = kind not in ("udp", "udplite", "unconnected")
    protocol = {"udplite": IPPROTO_UDPLITE, "mptcp": IPPROTO_MPTCP,
                "mplisten": IPPROTO_MPTCP}.get(kind, 0)
    s = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM, protocol)
    s.settimeout(PATIENCE)
    if device:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    return s


def error_of(held):
    error = held.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.errorcode[error] if error else "open"


class Connected:
    """A socket that asks its peer for an echo."""
    def __init__(self, kind, family, address):
        self.socket = open_socket(kind, family)
        self.socket.connect(address)
        self.count = 0

    def state(self):
        error = error_of(self.socket)
        if error != "open":
            return error
        self.count += 1
        token = f"token {self.count}\n".encode()
        try:
            self.socket.send(token)
            answer = b""
            while not answer.endswith(token):
                part = self.socket.recv(4096)
                if not part:
                    return "EOF"
                answer += part
            return "ok"
        except TimeoutError:
            return "open"


class Calling:
    def __init__(self, kind, family, address):
        self.socket = open_socket("mptcp" if kind == "mpsyn" else "tcp", family)
        self.socket.setblocking(False)
        self.socket.connect_ex(address)

    def state(self):
        return error_of(self.socket)


class Orphan:
    def __init__(self, _, family, address):
        s = open_socket("tcp", family)
        s.connect(address)
        s.setblocking(False)
        try:
            while True:
                s.send(bytes(65536))
        except BlockingIOError:
            pass
        s.close()

    def state(self):
        return "open"


class Server:
    def __init__(self, kind, family, address):
        self.echoes = kind != "silent"
        self.last = "open"
        self.listener = open_socket(kind, family)
        self.listener.settimeout(None)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not self.echoes:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(address)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection = self.listener.accept()[0]
            SILENCE.append(connection)
            if self.echoes:
                threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        try:
            while data := connection.recv(4096):
                self.last = "ok"
                connection.send(data)
            self.last = "EOF"
        except OSError as e:
            self.last = errno.errorcode[e.errno]

    def state(self):
        return self.last


class Unconnected:
    def __init__(self, kind, family, address):
        self.socket = open_socket(kind, family)
        self.socket.bind(address)

    def state(self):
        return error_of(self.socket)


class Many(Connected):
    def __init__(self, _, family, address):
        for _ in range(130):
            super().__init__("udp", family, address)
            SILENCE.append(self.socket)


KINDS = {"tcp": Connected, "mptcp": Connected, "udp": Connected, "udplite": Connected,
         "syn": Calling, "mpsyn": Calling, "orphan": Orphan, "listen": Server, "mplisten": Server,
         "silent": Server, "unconnected": Unconnected, "many": Many}


def state_of(held):
    try:
        return held.state()
    except OSError as e:
        return errno.errorcode[e.errno]


def main():
    uid = int(sys.argv[1])
    if uid >= 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    fifo = os.open(sys.argv[2], os.O_RDWR | os.O_CLOEXEC)  # read and write: never at its end
    held = {}
    for argument in sys.argv[3:]:
        name, _, what = argument.partition("=")
        kind, _, target = what.partition(":")
        held[name] = KINDS[kind.partition("@")[0]](kind, *endpoint(target))
    print("ready", flush=True)
    while True:
        select.select([fifo], [], [])
        for word in os.read(fifo, 4096).decode().split():
            for name, what in held.items():
                print(word, name, state_of(what), flush=True)
            print(word, "done", flush=True)


if __name__ == "__main__":
    main()
