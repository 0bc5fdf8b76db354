# SPDX-License-Identifier: GPL-2.0-or-later
"""hardening.py PROBE - one thing that rules do not reach; prints what came of it, a word or two."""
import ctypes
import errno
import os
import socket
import subprocess
import sys

SYS_REQUEST_KEY = {"aarch64": 218}.get(os.uname().machine, 249)
CLONE_NEWUSER = 0x10000000
RELAY = "/run/relay"

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def set_user_id():
    return subprocess.check_output(["/usr/local/bin/id-of-root", "-u"]).decode().strip()


def request_key():
    """The program makes no key, so the call fails, but after it has run, or was not there."""
    checked(libc.syscall(SYS_REQUEST_KEY, b"user", b"uidwall", b"whatever the caller likes", 0))
    return "works"


def vsock():
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    return "works"


def relay():
    """Root's, for everybody: it could fetch what it is asked for."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(RELAY)
        os.chmod(RELAY, 0o666)
        s.listen(5)
        while True:
            connection, _ = s.accept()
            with connection:
                connection.sendall(b"relayed by uid %d" % os.getuid())


def ask_relay():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(RELAY)
        return s.recv(100).decode()


def join():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.inet_aton("239.9.9.9") + socket.inet_aton("127.0.0.1"),
        )
    return "works"


def userns():
    checked(libc.unshare(CLONE_NEWUSER))
    return "works"


PROBES = {
    "set-user-id": set_user_id,
    "request-key": request_key,
    "vsock": vsock,
    "relay": relay,
    "ask-relay": ask_relay,
    "join": join,
    "userns": userns,
}

try:
    print(PROBES[sys.argv[1]]())
except OSError as failed:
    print(errno.errorcode[failed.errno])
