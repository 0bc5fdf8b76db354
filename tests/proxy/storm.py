#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""storm.py SECONDS SEED - clients that do everything wrong at once, each step at random.

Sixteen threads connect, say part of something, wait, read some, half-close, reset or go away. The last
line says how many connections that were.
"""
import random
import socket
import struct
import sys
import threading
import time

PROXIES = [("127.0.0.1", 3128), ("::1", 3128)]
HOSTS = [b"www.example.com:443", b"www.example.com:5003", b"www.example.com:5004", b"www.example.com:5006",
         b"www.example.com:5002", b"www.example.com:5005", b"www.example.com:5001", b"nowhere.example.com:443",
         b"evil.example.net:443", b"taken.example.com:5003", b"www.example.com:1", b"[::1]:22", b"%00:1"]
REQUESTS = [b"GET http://www.example.com/big HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
            b"GET http://www.example.com/1k HTTP/1.0\r\n\r\n",
            b"POST http://www.example.com/who HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 100000\r\n\r\n",
            b"POST http://www.example.com/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
            b"GET http://nowhere.example.com/ HTTP/1.1\r\nHost: nowhere.example.com\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"EHLO me\r\n", b"\r\n\r\n", b"A" * 40000]
LINGER = struct.pack("ii", 1, 0)


def opening(choice):
    if choice.random() < 0.6:
        host = choice.choice(HOSTS)
        return b"CONNECT " + host + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    return choice.choice(REQUESTS)


def one(choice):
    to = choice.choice(PROXIES)
    with socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET) as s:
        s.settimeout(choice.choice([0.01, 0.1, 0.3]))
        s.connect(to)
        data = opening(choice)
        if choice.random() < 0.2:
            data = data[:choice.randrange(len(data))]
        if choice.random() < 0.2:
            at = choice.randrange(len(data) + 1)
            s.sendall(data[:at])
            time.sleep(choice.random() * 0.05)
            data = data[at:]
        s.sendall(data)
        for _ in range(choice.randrange(5)):
            try:
                what = choice.random()
                if what < 0.4:
                    s.recv(choice.choice([1, 100, 65536]))
                elif what < 0.7:
                    s.sendall(choice.randbytes(choice.choice([1, 1000, 300000])))
                elif what < 0.8:
                    s.shutdown(socket.SHUT_WR)
                else:
                    time.sleep(choice.random() * 0.1)
            except TimeoutError:
                pass
        if choice.random() < 0.4:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)


def storm(end, seed, counts):
    choice = random.Random(seed)
    while time.monotonic() < end:
        try:
            one(choice)
        except OSError:
            pass
        counts[seed] = counts.get(seed, 0) + 1


def main():
    end, seed = time.monotonic() + float(sys.argv[1]), int(sys.argv[2])
    counts = {}
    threads = [threading.Thread(target=storm, args=(end, seed * 100 + i, counts)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(counts.values())} connections")


if __name__ == "__main__":
    main()
