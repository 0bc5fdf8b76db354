#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""standin.py - in place of uidwall-proxy: echoes on 127.0.0.1 and [::1], 3128 and 31280 to 31295, and prints a line
for each connection, "led ADDRESS PORT" with the address that its client meant. From whoever meant
port 2587 it reads nothing."""
import socket
import struct
import threading

SO_ORIGINAL_DST = 80  # of IPv6 as well: IP6T_SO_ORIGINAL_DST
SILENCE = []


def meant(s, family):
    if family == socket.AF_INET:
        raw = s.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
        return socket.inet_ntoa(raw[4:8]), struct.unpack("!H", raw[2:4])[0]
    raw = s.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
    return socket.inet_ntop(family, raw[8:24]), struct.unpack("!H", raw[2:4])[0]


def echo(s):
    try:
        while data := s.recv(65536):
            s.sendall(data)
    except OSError:
        pass
    s.close()


def serve(family, address, port):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    server.bind((address, port))
    server.listen(256)

    def accept():
        while True:
            s, _ = server.accept()
            try:
                where = meant(s, family)
            except OSError: # by its own address, or forgotten
                where = s.getsockname()[:2]
            print("led", *where, flush=True)
            if where[1] == 2587:
                SILENCE.append(s)
            else:
                threading.Thread(target=echo, args=(s,), daemon=True).start()
    return threading.Thread(target=accept)


for port in (3128, *range(31280, 31296)):
    serve(socket.AF_INET, "127.0.0.1", port).start()
    serve(socket.AF_INET6, "::1", port).start()
print("ready", flush=True)
