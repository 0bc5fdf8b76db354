#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""raw.py - a client that sends just what it is told, when it is told; and servers that behave oddly.

	raw.py --to ADDRESS:PORT [--timeout SECONDS] STEP...

	send=TEXT    \\r \\n \\t \\0 \\\\ \\xHH are understood; %N% in it is N bytes "x"
	file=PATH    the file's bytes
	drip=MS:TEXT one byte, a pause of MS milliseconds, the next ...
	wait=MS      nothing, for so long
	read=head    until an empty line; read=N: so many bytes; read=eof: to the end; read=quiet:MS: until
	             nothing came for so long; read=for:MS: whatever comes in so long
	shut         no more will be sent (FIN); what comes is still read
	close        ends without a word
	reset        ends with a reset
	buffer=N     a receive buffer of N bytes, before it connects

What is received goes to standard output as it is. The last line of standard error says how it went:
"eof", "reset", "timeout" or "open", bytes received, milliseconds. Exit status 0: the steps could be
done; 1: they could not (refused, reset, closed early); 3: time over.

	raw.py serve          on all addresses; port: behaviour
	5001 never answers    5002 resets at once          5003 sends and sends
	5004 reads to the end, then "BYTES SHA256\\n"       5005 closes at once
	5006 sends a line, half-closes, then as 5004, into a file: see $T/behaviour.log
	5007 reads 1 kB a second                            5008 sends a byte every 100 ms

	raw.py dns SERVER NAME [PORT]      prints its addresses
	raw.py hello NAME [OPTION]...      writes a ClientHello: --no-sni, --split N (records of N bytes)
"""
import hashlib
import os
import re
import socket
import socketserver
import struct
import sys
import threading
import time

TIMEOUT = 10


def unescape(text):
    text = re.sub(r"%(\d+)%", lambda m: "x" * int(m[1]), text)
    return text.encode("latin-1", "surrogateescape").decode("unicode_escape").encode("latin-1")


def parse_address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


# --- client ---------------------------------------------------------------------------------------

class Ended(Exception):
    """The other side closed before the step was done."""


class Client:
    def __init__(self, to, timeout, buffer):
        self.start = time.monotonic()
        self.received = 0
        self.end = "open"
        family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        self.socket = socket.socket(family)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(to)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, n=65536):
        data = self.socket.recv(n)
        if not data:
            self.end = "eof"
        self.received += len(data)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return data

    def read(self, how):
        if how == "eof":
            while self.receive():
                pass
        elif how.startswith(("quiet:", "for:")):
            verb, ms = how.split(":")
            end, old = time.monotonic() + int(ms) / 1000, self.socket.gettimeout()
            try:
                while True:
                    left = int(ms) / 1000 if verb == "quiet" else end - time.monotonic()
                    self.socket.settimeout(max(left, 0.001))
                    if not self.receive() or left <= 0:
                        break
            except TimeoutError:
                pass
            self.socket.settimeout(old)
        elif how == "head":
            seen = b""
            while not seen.endswith(b"\r\n\r\n"):
                data = self.receive(1)
                if not data:
                    raise Ended
                seen = (seen + data)[-4:]
        else:
            left = int(how)
            while left:
                data = self.receive(left)
                if not data:
                    raise Ended
                left -= len(data)

    def step(self, step):
        verb, _, rest = step.partition("=")
        if verb == "send":
            self.socket.sendall(unescape(rest))
        elif verb == "file":
            with open(rest, "rb") as file:
                self.socket.sendall(file.read())
        elif verb == "drip":
            pause, _, text = rest.partition(":")
            for byte in unescape(text):
                self.socket.sendall(bytes([byte]))
                time.sleep(int(pause) / 1000)
        elif verb == "wait":
            time.sleep(int(rest) / 1000)
        elif verb == "read":
            self.read(rest)
        elif verb == "shut":
            self.socket.shutdown(socket.SHUT_WR)
        elif verb == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
        elif verb == "close":
            self.socket.close()
        else:
            sys.exit(f"raw.py: {step}: no such step; see the top of the file")


def main_client(argv):
    to, timeout, buffer, steps = None, TIMEOUT, 0, []
    while argv:
        word = argv.pop(0)
        if word == "--to":
            to = parse_address(argv.pop(0))
        elif word == "--timeout":
            timeout = float(argv.pop(0))
        elif word.startswith("buffer="):
            buffer = int(word[7:])
        else:
            steps.append(word)
    status, client, start = 0, None, time.monotonic()
    end = "refused"
    try:
        client = Client(to, timeout, buffer)
        for step in steps:
            client.step(step)
        end = client.end
    except TimeoutError:
        status, end = 3, "timeout"
    except (ConnectionResetError, BrokenPipeError):
        status, end = 1, "reset"
    except Ended:
        status, end = 1, "eof"
    except OSError as error:
        status, end = 1, error.strerror
    sys.stdout.flush()
    print(f"{end} {client.received if client else 0} {(time.monotonic() - start) * 1000:.0f}",
          file=sys.stderr)
    return status


# --- servers --------------------------------------------------------------------------------------

def swallow(s):
    n, digest = 0, hashlib.sha256()
    while data := s.recv(65536):
        n += len(data)
        digest.update(data)
    return f"{n} {digest.hexdigest()}\n".encode()


def be_silent(s):
    while s.recv(65536):
        pass
    time.sleep(3600)


def be_reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def be_flood(s):
    while True:
        s.sendall(b"x" * 65536)


def be_count(s):
    s.sendall(swallow(s))


def be_closed(_s):
    pass


def be_first_done(s):
    s.sendall(b"that is all\n")
    s.shutdown(socket.SHUT_WR)
    print("5006", swallow(s).decode(), end="", flush=True)


def be_slow_reader(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    while s.recv(1024):
        time.sleep(1)


def be_slow_writer(s):
    while True:
        s.sendall(b"x")
        time.sleep(0.1)


BEHAVIOURS = {5001: be_silent, 5002: be_reset, 5003: be_flood, 5004: be_count, 5005: be_closed,
              5006: be_first_done, 5007: be_slow_reader, 5008: be_slow_writer}


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            BEHAVIOURS[self.server.server_address[1]](self.request)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6  # and IPv4
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024

    def shutdown_request(self, request):
        self.close_request(request)  # no shutdown() before: 5002 resets


def main_serve():
    for port in BEHAVIOURS:
        threading.Thread(target=Server(("::", port), Handler).serve_forever).start()
    print("ready", flush=True)
    return 0


# --- DNS and TLS ----------------------------------------------------------------------------------

def skip_name(data, at):
    while data[at]:
        if data[at] >= 0xC0:
            return at + 2
        at += data[at] + 1
    return at + 1


def main_dns(server, name, port="53"):
    addresses = []
    for kind, family in (1, socket.AF_INET), (28, socket.AF_INET6):
        s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(2)
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
        s.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question + struct.pack("!HH", kind, 1),
                 (server, int(port)))
        data = s.recv(4096)
        at = skip_name(data, 12) + 4
        for _ in range(struct.unpack("!H", data[6:8])[0]):
            at = skip_name(data, at)
            found, _, _, size = struct.unpack("!HHIH", data[at:at + 10])
            at += 10
            if found == kind:
                addresses.append(socket.inet_ntop(family, data[at:at + size]))
            at += size
    print(" ".join(addresses))
    return 0


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def main_hello(argv):
    name, size, sni = argv[0].encode(), 16384, "--no-sni" not in argv
    if "--split" in argv:
        size = int(argv[argv.index("--split") + 1])
    extensions = extension(0x0A0A, b"")  # GREASE
    if sni:
        extensions += extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)
    extensions += extension(43, b"\x02\x03\x04")
    body = b"\3\3" + os.urandom(32) + b"\x20" + os.urandom(32) + b"\0\4\x13\1\x13\2" + b"\1\0"
    body += struct.pack("!H", len(extensions)) + extensions
    message = b"\1" + struct.pack("!I", len(body))[1:] + body
    for at in range(0, len(message), size):
        part = message[at:at + size]
        sys.stdout.buffer.write(b"\x16\3\1" + struct.pack("!H", len(part)) + part)
    return 0


def main():
    argv = sys.argv[1:]
    if argv[:1] == ["serve"]:
        return main_serve()
    if argv[:1] == ["dns"]:
        return main_dns(*argv[1:])
    if argv[:1] == ["hello"]:
        return main_hello(argv[1:])
    if "--to" not in argv:
        sys.exit(__doc__)
    return main_client(argv)


if __name__ == "__main__":
    sys.exit(main())
