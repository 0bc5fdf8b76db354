#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""manager.py CONTROL COMMAND... - a service manager for one daemon after the other, by systemd's protocols.

Speaks TAP. COMMAND starts a daemon that listens, where no socket is handed over, on CONTROL.
"""
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

CONTROL = sys.argv[1]
COMMAND = sys.argv[2:]
PATIENCE = 15

n_tests = 0
n_failed = 0


def report(good, name, detail=""):
    global n_tests, n_failed
    n_tests += 1
    n_failed += not good
    print(f"{'ok' if good else 'not ok'} {n_tests} - {name}", flush=True)
    if not good and detail != "":
        print(f"# {detail!r}", flush=True)


def frame(data):
    return struct.pack(">I", len(data)) + data


def begin(path, call):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE)
    s.connect(path)
    s.sendall(frame(json.dumps({"call": call}).encode()))
    return s


def end(s):
    data = b""
    while more := s.recv(65536):
        data += more
    n = struct.unpack(">I", data[:4])[0]
    return "error: " + data[4:].decode() if n else json.loads(data[8:])


def table_stands():
    done = subprocess.run(
        ["nft", "list", "chain", "inet", "uidwall", "output"], capture_output=True, check=False
    )
    return b"hook output" in done.stdout


def table_remove():
    subprocess.run(["nft", "delete", "table", "inet", "uidwall"], capture_output=True, check=False)


class Daemon:
    """One run, and what it told."""

    def __init__(self, abstract=False, listener=None, env=None, listen_pid=None, stored=None):
        if abstract:
            name = f"@uidwall-test-{os.getpid()}-{time.monotonic_ns()}"
        else:
            name = tempfile.mktemp(prefix="notify-", dir="/run")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(name.replace("@", "\0", 1))
        if not abstract:
            os.chmod(name, 0o777)
        self.notify.settimeout(PATIENCE)
        self.err, err = os.pipe()
        st = os.fstat(err)
        full = dict(os.environ, NOTIFY_SOCKET=name, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}")
        full.update(env or {})
        handed = [s.fileno() for s in (listener, stored) if s]
        if handed:
            full.update(LISTEN_FDS=str(len(handed)), LISTEN_PID="0")
        if stored:
            full.update(LISTEN_FDNAMES="uidwalld.socket:table" if listener else "table")

        def prepare():
            os.dup2(err, 2)
            copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in handed]
            for i, fd in enumerate(copies):
                os.dup2(fd, 3 + i)
                os.close(fd)

        # LISTEN_PID has to be the daemon's: a shell puts its own there and becomes it.
        command = COMMAND
        if handed:
            pid = listen_pid or "$$"
            command = ["sh", "-c", f'LISTEN_PID={pid} exec "$@"', "sh"] + COMMAND
        self.process = subprocess.Popen(
            command, env=full, preexec_fn=prepare, close_fds=False, stdin=subprocess.DEVNULL
        )
        os.close(err)

    def told(self):
        return self.notify.recv(65536).decode()

    def told_until(self, word):
        """All messages up to the first with this line."""
        messages = []
        while not messages or word not in messages[-1].split("\n"):
            messages.append(self.told())
        return messages

    def stored(self):
        """The descriptor that it leaves with its manager."""
        while True:
            message, fds, _, _ = socket.recv_fds(self.notify, 65536, 1)
            if message.startswith(b"FDSTORE=1"):
                return message.decode(), socket.socket(fileno=fds[0])
            assert b"READY=1" not in message

    def quiet(self, seconds):
        self.notify.settimeout(seconds)
        try:
            message = self.told()
        except TimeoutError:
            message = None
        self.notify.settimeout(PATIENCE)
        return message

    def kill(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def end(self):
        """The exit status and the log."""
        status = self.process.wait(PATIENCE)
        with os.fdopen(self.err) as err:
            return status, err.read()


def fields(message):
    return dict(line.split("=", 1) for line in message.split("\n"))


def life():
    table_remove()
    daemon = Daemon()
    messages = daemon.told_until("READY=1")
    report(table_stands(), "READY=1 comes once the rules are there")
    report(
        all(message.startswith(("STATUS=", "FDSTORE=1")) for message in messages[:-1]),
        "before it only what is being done",
        messages,
    )
    report("good" in fields(messages[-1])["STATUS"], "a status line", messages[-1])
    report(daemon.quiet(1) is None, "then it is quiet")

    before = time.monotonic_ns() // 1000
    daemon.kill(signal.SIGHUP)
    messages = daemon.told_until("READY=1")
    first = fields(messages[0])
    report(first.get("RELOADING") == "1", "SIGHUP: RELOADING=1", messages)
    report(
        before <= int(first.get("MONOTONIC_USEC", 0)) <= time.monotonic_ns() // 1000,
        "... with the time",
        messages,
    )

    answer = end(begin(CONTROL, "apply"))
    messages = daemon.told_until("READY=1")
    report(answer["ok"], "apply, and the status line is new", messages)

    daemon.kill()
    messages = [daemon.told()]
    report("STOPPING=1" in messages[0], "SIGTERM: STOPPING=1", messages)
    status, log = daemon.end()
    report(status == 0, "... and exit status 0", status)
    report(table_stands(), "... and the wall stands")
    report(not os.path.exists(CONTROL), "... and its own socket is gone")
    report(
        all(line[:3] in ("<3>", "<4>", "<5>", "<6>") for line in log.splitlines()),
        "lines for the journal begin with their priority",
        log,
    )


def plain_log():
    daemon = Daemon(env={"JOURNAL_STREAM": "1:1"}, abstract=True)
    daemon.told_until("READY=1")
    report(True, "an abstract NOTIFY_SOCKET will do")
    daemon.kill(signal.SIGINT)
    status, log = daemon.end()
    report(status == 0, "SIGINT: exit status 0", status)
    report(
        all(line.startswith("uidwalld: ") for line in log.splitlines()),
        "lines for others begin with the program's name",
        log,
    )


def watchdog():
    for env, beats in (
        ({"WATCHDOG_USEC": "400000"}, True),
        ({"WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "nonsense"}, False),
    ):
        daemon = Daemon(env=env)
        daemon.told_until("READY=1")
        started = time.monotonic()
        beat = [daemon.quiet(1) for _ in range(5 if beats else 1)]
        took = time.monotonic() - started
        if beats:
            report(beat == ["WATCHDOG=1"] * 5, f"{env}: a sign of life", beat)
            report(0.7 < took < 1.9, "... twice as often as asked for", took)
        else:
            report(beat == [None], f"{env}: no sign of life", beat)
        daemon.kill()
        daemon.end()


def idle():
    """Nothing wakes it: the kernel counts every time it goes to sleep again."""
    daemon = Daemon()
    daemon.told_until("READY=1")
    end(begin(CONTROL, "status"))
    pid = daemon.process.pid

    def switches():
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return [line.split()[1] for line in status if "voluntary_ctxt_switches" in line][0]

    time.sleep(0.5)
    before = switches()
    time.sleep(6)  # longer than the deadline of a call
    report(switches() == before, "an idle daemon sleeps", [before, switches()])
    daemon.kill()
    daemon.end()


def unix_listener(credentials):
    path = tempfile.mktemp(prefix="control-", dir="/run")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o666)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, credentials)
    s.listen()
    return s, path


def activation():
    listener, path = unix_listener(1)
    early = begin(path, "status")
    daemon = Daemon(listener=listener)
    answer = end(early)
    report(isinstance(answer, dict), "who called before it started is answered", answer)
    daemon.told_until("READY=1")
    report(isinstance(end(begin(path, "status")), dict), "and who calls later")
    report(not os.path.exists(CONTROL), "no other socket is made")
    daemon.kill()
    status, _ = daemon.end()
    report(status == 0 and os.path.exists(path), "the socket is left to the manager", status)

    daemon = Daemon(listener=listener, listen_pid="1")
    daemon.told_until("READY=1")
    report(os.path.exists(CONTROL), "sockets for another process are not taken")
    daemon.kill()
    daemon.end()

    listener, path = unix_listener(0)
    early = begin(path, "status")
    daemon = Daemon(listener=listener)
    answer = end(early)
    report(
        isinstance(answer, dict) or "does not say who" in answer,
        "without PassCredentials= an early caller is known or refused",
        answer,
    )
    report(isinstance(end(begin(path, "status")), dict), "... and later ones are answered")
    daemon.kill()
    daemon.end()


def storing():
    """The socket that owns the table outlives the daemon, and is the next one's."""
    table_remove()
    listener, path = unix_listener(1)
    daemon = Daemon(listener=listener)
    if not end(begin(path, "status"))["kernel"]["owner_persist"]:
        daemon.kill()
        daemon.end()
        return
    message, table = daemon.stored()
    report(
        message == "FDSTORE=1\nFDNAME=table\nFDPOLL=0", "the table's socket is stored", message
    )
    port = table.getsockname()[0]
    for number in (signal.SIGKILL, signal.SIGTERM):
        daemon.kill(number)
        daemon.end()
        table_remove()
        report(table_stands(), f"{number.name}: nobody else can remove the table")
        daemon = Daemon(listener=listener, stored=table)
        again = daemon.stored()[1]
        report(again.getsockname()[0] == port, "... and the next daemon has the same socket")
        answer = end(begin(path, "apply"))
        report(answer["ok"] and not answer["replaced_whole"], "... and can change it", answer)
        again.close()
    daemon.kill()
    daemon.end()
    table.close()
    daemon = Daemon(listener=listener, stored=socket.socket())
    daemon.told_until("READY=1")
    report(isinstance(end(begin(path, "status")), dict), "any other socket is passed over")
    daemon.kill()
    status, log = daemon.end()
    report(status == 0 and "cannot be used" in log, "... and said to be", [status, log])


def wrong_sockets():
    table_remove()
    tcp = socket.socket()
    tcp.bind(("127.0.0.1", 0))
    tcp.listen()
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(tempfile.mktemp(prefix="control-", dir="/run"))
    for name, s in (("TCP", tcp), ("datagram", datagrams), ("not listening", silent)):
        status, log = Daemon(listener=s).end()
        report(
            status == 1 and "not a listening unix stream" in log,
            f"handed over, {name}: refused",
            [status, log],
        )
        report(table_stands(), "... but the wall stands")
        table_remove()


def main():
    life()
    plain_log()
    watchdog()
    idle()
    activation()
    storing()
    wrong_sockets()
    print(f"1..{n_tests}")
    return n_failed != 0


if __name__ == "__main__":
    sys.exit(main())
