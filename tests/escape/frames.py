# SPDX-License-Identifier: GPL-2.0-or-later
"""frames.py - bytes of a captured frame to whose attempt it belongs to, and whether it counts.

Every attempt has addresses, a port and a marker of its own; each of the three is enough. What a kernel
sends by itself does not count: ARP, neighbour discovery, IGMP and MLD, ICMP errors, bare RSTs and
bare SYN-ACKs (both answer what came from outside). Nor does what the policy allows: the friend's one
port, and answers from declared ports. But the marker always counts, wherever it turns up, in an ICMP
error that somebody provoked too: the only exception is the friend's one port.
"""
import ipaddress
import re
import struct

FRIEND_PORT = 7000
RESOLVERS = ("192.0.2.53", "2001:db8::53")
DECLARED_TCP = range(3000, 3064)
DECLARED_UDP = range(4000, 4064)
FIRST_PORT = 20000  # attempt n: port 20000 + n
LAST_PORT = 32000  # the kernel's own begin at 32768

V4, V4_FRIEND = (int(ipaddress.ip_address(a)) for a in ("198.18.0.0", "198.19.0.0"))
V6, V6_FRIEND = (int(ipaddress.ip_address(a)) for a in ("2001:db8:bad::", "2001:db8:f::"))
MARKER = re.compile(rb"way-out-([0-9]{6})-")

TCP, UDP, UDPLITE, ICMP, ICMPV6, IGMP = 6, 17, 136, 1, 58, 2
FIN, SYN, RST, ACK = 1, 2, 4, 16
TCP_LETTERS = {SYN: "S", ACK: "A", FIN: "F", RST: "R", 8: "P", 32: "U"}
ICMP_ERRORS = {ICMP: (3, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
ND_AND_MLD = (130, 131, 132, 133, 134, 135, 136, 137, 143)  # RFC 2710, 3810, 4861
EXTENSIONS = (0, 43, 60)  # hop-by-hop, routing, destination options
FRAGMENT = 44


def marker(n):
    return f"way-out-{n:06d}-"


def addresses(n):
    """--to, --to6, --friend, --friend6 of attempt n"""
    return (
        str(ipaddress.ip_address(V4 + n)),
        str(ipaddress.ip_address(V6 + n)),
        str(ipaddress.ip_address(V4_FRIEND + n)),
        str(ipaddress.ip_address(V6_FRIEND + n)),
    )


class Packet:
    """What matters of a frame."""

    def __init__(self, ethertype, data):
        self.data = data
        self.version = {0x0800: 4, 0x86DD: 6}.get(ethertype, 0)
        self.ethertype = ethertype
        self.protocol, self.at, self.plain = -1, 0, True
        self.source = self.destination = 0
        self.sport = self.dport = self.flags = 0
        self.first = True  # of its fragments
        if self.version == 4 and len(data) >= 20:
            self.read_v4()
        elif self.version == 6 and len(data) >= 40:
            self.read_v6()
        self.payload = data[self.at :]
        if self.first and self.protocol in (TCP, UDP, UDPLITE) and len(self.payload) >= 8:
            self.read_ports()

    def read_v4(self):
        d = self.data
        self.at = (d[0] & 15) * 4
        self.plain = self.at == 20
        self.protocol = d[9]
        self.data = d = d[: struct.unpack_from(">H", d, 2)[0]]
        self.first = struct.unpack_from(">H", d, 6)[0] & 0x1FFF == 0
        self.source, self.destination = struct.unpack_from(">II", d, 12)

    def read_v6(self):
        d = self.data
        self.protocol, self.at = d[6], 40
        self.source = int.from_bytes(d[8:24], "big")
        self.destination = int.from_bytes(d[24:40], "big")
        while self.protocol in EXTENSIONS + (FRAGMENT,) and self.at + 8 <= len(d):
            self.plain = False
            if self.protocol == FRAGMENT:
                self.first = self.first and struct.unpack_from(">H", d, self.at + 2)[0] & 0xFFF8 == 0
                length = 8
            else:
                length = (d[self.at + 1] + 1) * 8
            self.protocol = d[self.at]
            self.at += length

    def read_ports(self):
        self.sport, self.dport = struct.unpack_from(">HH", self.payload)
        if self.protocol == TCP and len(self.payload) >= 20:
            self.flags = self.payload[13]
            self.payload = self.payload[(self.payload[12] >> 4) * 4 :]
        else:
            self.payload = self.payload[8:]

    def attempt(self):
        """Whose it is, or None."""
        found = MARKER.search(self.data)
        if found:
            return int(found.group(1))
        for address in (self.destination, self.source):
            for base in (V4, V4_FRIEND) if self.version == 4 else (V6, V6_FRIEND):
                if 0 < address - base < 65536:
                    return address - base
        for port in (self.dport, self.sport):
            if FIRST_PORT < port < LAST_PORT:
                return port - FIRST_PORT
        return None

    def is_error(self):
        """An ICMP error; it carries the packet that it is about."""
        return bool(self.payload) and self.payload[0] in ICMP_ERRORS.get(self.protocol, ())

    def is_kernels(self):
        if self.version == 0:
            return True  # ARP, and what is no IP
        if MARKER.search(self.data):
            return False
        if self.protocol == ICMPV6 and self.payload[:1] and self.payload[0] in ND_AND_MLD:
            return True
        if self.protocol == IGMP:
            return True
        return self.is_error()

    def is_foreign(self):
        """Its source is an address of the sink's."""
        bases = (V4, V4_FRIEND) if self.version == 4 else (V6, V6_FRIEND)
        return any(0 < self.source - base < 65536 for base in bases)

    def is_allowed(self):
        """By the policy; never with IP options or extension headers, or from an address of the sink's."""
        if not self.plain or self.is_foreign() or self.protocol not in (TCP, UDP):
            return False
        base = V4_FRIEND if self.version == 4 else V6_FRIEND
        if self.dport == FRIEND_PORT and 0 < self.destination - base < 65536:
            return True
        if MARKER.search(self.data):
            return False
        if self.dport == 53 and str(ipaddress.ip_address(self.destination)) in RESOLVERS:
            return True
        if self.protocol == TCP:
            return self.sport in DECLARED_TCP and self.flags & (SYN | ACK) != SYN
        return self.sport in DECLARED_UDP

    def counts(self):
        """True for bytes that somebody in the box made leave."""
        if self.is_kernels() or self.is_allowed():
            return False
        if self.protocol == TCP and self.first and not self.payload:
            return not self.flags & RST and self.flags & (SYN | ACK) != SYN | ACK
        return True

    def is_bare(self):
        """An acknowledgement and nothing else, of whatever kind."""
        return self.protocol == TCP and not self.payload and not self.flags & (SYN | FIN | RST)

    def __str__(self):
        if self.version == 0:
            return f"ethertype {self.ethertype:04x}"
        make = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        name = {TCP: "tcp", UDP: "udp", UDPLITE: "udplite"}.get(self.protocol, f"ip-{self.protocol}")
        text = f"{name} [{make(self.source)}]:{self.sport} > [{make(self.destination)}]:{self.dport}"
        if self.protocol == TCP:
            text += " " + "".join(c for bit, c in TCP_LETTERS.items() if self.flags & bit)
        elif self.protocol in ICMP_ERRORS:
            text += f" type {self.payload[0] if self.payload else -1}"
        return f"{text} +{len(self.payload)}" + ("" if self.plain else " options")
