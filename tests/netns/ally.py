#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ally.py DEVICE ADDRESS PORT ANNOUNCED - an MPTCP peer in league with the service that calls it.

Answers every SYN to that address and port with MP_CAPABLE, also where the SYN came without. Once the
caller has told its key, announces an address, signed as RFC 8684 (3.4.1) wants it. Speaks raw: the
kernel here must be kept from answering. Prints "ready", "key" and "announced".
"""
import hashlib
import hmac
import socket
import struct
import sys

MPTCP, KEY = 30, b"AN ALLY!"
SYN, ACK = 0x02, 0x10


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


def options_of(data):
    i = 0
    while i < len(data) and data[i]:
        if data[i] == 1:
            i += 1
            continue
        yield data[i], data[i + 2:i + data[i + 1]]
        i += max(data[i + 1], 2)


class Segment:
    def __init__(self, frame):
        self.frame = frame
        start = 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack(">H", frame[16:18])[0]
        tcp = frame[start:end]
        self.source, self.target = frame[26:30], frame[30:34]
        self.sport, self.dport, self.seq, _, offset, self.flags = struct.unpack(
            ">HHIIBB", tcp[:14])
        self.data = tcp[(offset >> 4) * 4:]
        self.mptcp = [v for k, v in options_of(tcp[20:(offset >> 4) * 4]) if k == MPTCP]

    def answer(self, seq, ack, flags, options):
        options += b"\1" * (-len(options) % 4)
        tcp = struct.pack(">HHIIBBHHH", self.dport, self.sport, seq, ack & 0xFFFFFFFF,
                          (20 + len(options)) // 4 << 4, flags, 64000, 0, 0) + options
        pseudo = self.target + self.source + struct.pack(">BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
        ip += self.target + self.source
        ip = ip[:10] + checksum(ip) + ip[12:]
        return self.frame[6:12] + self.frame[0:6] + b"\x08\0" + ip + tcp


def main():
    device, address, port, announced = sys.argv[1:]
    address, announced = socket.inet_aton(address), socket.inet_aton(announced)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    link.bind((device, 0x0800))
    print("ready", flush=True)
    told = False
    while True:
        frame = link.recv(4096)
        if len(frame) < 54 or frame[23] != 6 or frame[30:34] != address:
            continue
        s = Segment(frame)
        if s.dport != int(port):
            continue
        if s.flags & SYN:
            capable = bytes([MPTCP, 12, 0x01, 0x01]) + KEY
            link.send(s.answer(1000, s.seq + 1, SYN | ACK, b"\2\4\5\xb4" + capable))
            continue
        key = next((v[2:10] for v in s.mptcp if v[0] >> 4 == 0 and len(v) >= 18), None)
        if not key or told:
            continue
        told = True
        print("key", flush=True)
        # MPTCP's own acknowledgement makes the connection a full one
        got = s.seq + len(s.data)
        link.send(s.answer(1001, got, ACK, bytes([MPTCP, 8, 0x20, 0x01]) + bytes(4)))
        sign = hmac.new(KEY + key, b"\5" + announced + bytes(2), hashlib.sha256).digest()[-8:]
        link.send(s.answer(1001, got, ACK, bytes([MPTCP, 16, 0x30, 5]) + announced + sign))
        print("announced", flush=True)


if __name__ == "__main__":
    main()
