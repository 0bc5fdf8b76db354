# SPDX-License-Identifier: GPL-2.0-or-later
"""box.py - the daemon in the namespaces of tests/netns/lib.sh, and faults in it.

A script makes the namespaces and calls one of the drivers here; what it exports (T, POLICIES, ...) says
where things are. A fault comes from strace, at one system call, or from fail.so, which is preloaded.
"""
import ctypes
import json
import mmap
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

T = os.environ["T"]
POLICIES = os.environ["POLICIES"]
CONFIG = os.environ["CONFIG"]
CONTROL = os.environ["CONTROL"]
STATE = os.environ["STATE"]
FAIL_SO = os.environ.get("FAIL_SO", "")
UID = int(os.environ["DAEMON_UID"])
PATIENCE = 30

KEPT = {"last-good", "previous", "trial", "off", "table"}  # what the state folder may hold

# --- TAP

n_tests = 0
n_failed = 0


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def report(good, name, detail=""):
    global n_tests, n_failed
    n_tests += 1
    n_failed += not good
    print(f"{'ok' if good else 'not ok'} {n_tests} - {name}", flush=True)
    if not good and detail:
        note(detail)


def finish():
    print(f"1..{n_tests}")
    sys.exit(n_failed > 0)


def seeded(name="FAULT_SEED"):
    """One share is the same one each time, so that what fails can be seen again; all of them come in any order."""
    seed = os.environ.get(name) or ("1" if os.environ.get("FAULTS") != "all" else
                                    str(random.SystemRandom().randrange(1 << 32)))
    note(f"seed {seed} ({name} repeats it)")
    return random.Random(int(seed))


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


# --- files


def put(path, text, mode=0o644):
    """Replaces the file at once, as an editor does."""
    with open(f"{T}/put.new", "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(f"{T}/put.new", mode)
    os.rename(f"{T}/put.new", path)


def put_policies(policies):
    """Exactly these: {service: text}."""
    for name in os.listdir(POLICIES):
        if name[:-5] not in policies:
            os.unlink(f"{POLICIES}/{name}")
    for service, text in policies.items():
        put(f"{POLICIES}/{service}.json", text if isinstance(text, str) else json.dumps(text))


def strangers():
    """What does not belong into the state folder."""
    return sorted(set(os.listdir(STATE)) - KEPT)


# --- the kernel


def listing():
    """The whole table as nft lists it; empty where there is none."""
    return subprocess.run(["nft", "list", "table", "inet", "uidwall"], capture_output=True, text=True, check=False).stdout


def in_use(text):
    """The objects of a listing that packets can come to: chains and sets that nothing leads to are no rules, nor is a
    base chain that has none yet."""
    objects = {m.group(2): m.group(0) for m in re.finditer(r"^\t(\w+) (\S+) {\n.*?^\t}\n", text, re.M | re.S)}
    todo = [name for name, body in objects.items() if " hook " in body and body.count("\n") > 3]
    found = set()
    while todo:
        name = todo.pop()
        if name not in found and name in objects:
            found.add(name)
            todo += re.findall(r"(?:jump|goto|@|counter name \")\s*([\w.-]+)", objects[name])
    return "".join(objects[name] for name in sorted(found))


def rules_of(text):
    """What packets are judged by: without what counts, and what may stand in any order."""
    text = in_use(re.sub(r"packets \d+ bytes \d+", "", text))
    if "\tchain " not in text:
        return ""  # a table that holds nothing judges nothing
    # Turning one set into another may go round by one of the same meaning and another name.
    for name in set(re.findall(r"map (\S+)\.2 {", text)):
        if f"map {name} {{" not in text:
            text = re.sub(rf"(@|map ){re.escape(name)}\.2\b", rf"\g<1>{name}", text)
    return "\n".join(sorted(line.strip() for line in text.splitlines() if line.strip()))


def table():
    return rules_of(listing())


def counter(text, name):
    """Packets of one named counter, in a listing; None where it is not there."""
    found = re.search(rf"counter {re.escape(name)} {{\s*packets (\d+)", text)
    return int(found.group(1)) if found else None


def arrived():
    """Packets to where nobody may send, counted at the far side."""
    text = subprocess.run(
        ["nsenter", "--net=/run/netns/sink", "nft", "list", "counter", "inet", "sink", "leaked"],
        capture_output=True, text=True, check=True).stdout
    return int(re.search(r"packets (\d+)", text).group(1))


class Flood:
    """A governed user's attempts at a target that is refused throughout, hundreds a second."""

    def __init__(self, user="2001"):
        self.before = arrived()
        self.process = subprocess.Popen(
            [os.environ["ATTEMPT"], "-u", user, "-f", "86400000", "-i", "500", "-q", "udp", "203.0.113.66:443"],
            stdout=subprocess.PIPE, text=True)

    def end(self, name):
        self.process.terminate()
        out = json.loads(self.process.communicate()[0])
        came = arrived() - self.before
        report(came == 0 and out["ok"] == 0, f"{name}: not one of {out['refused']} attempts in the meantime got out",
               f"{came} arrived; {out}")
        report(out["refused"] > 100, f"{name}: it was tried", str(out))
        return out["refused"]


# --- the daemon


class Died(Exception):
    """The daemon ended before it answered."""


class Orders:
    """What fail.so is to do; struct orders there."""
    LAYOUT = struct.Struct("=IIQQQqIIQQQ")
    FIELDS = ("counting", "n_failures", "n_allocations", "fail_at", "fail_last", "clock_s", "netlink_fault",
              "netlink_error", "netlink_at", "n_netlink", "stack")

    def __init__(self):
        self.path = f"{T}/orders"
        with open(self.path, "wb") as out:
            out.write(bytes(4096))
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as source:
            self.map = mmap.mmap(source.fileno(), 4096)

    def read(self):
        return dict(zip(self.FIELDS, self.LAYOUT.unpack_from(self.map)))

    def write(self, **orders):
        values = {**dict.fromkeys(self.FIELDS, 0), **orders}
        self.LAYOUT.pack_into(self.map, 0, *(values[field] for field in self.FIELDS))


libc = ctypes.CDLL(None)


class Daemon:
    """uidwalld as its unit starts it: its own user, CAP_NET_ADMIN alone."""

    def __init__(self, environment=None, wrapper=()):
        self.environment = environment or {}
        self.wrapper = list(wrapper)
        self.process = None
        self.log = open(f"{T}/daemon.log", "ab", buffering=0)  # pylint: disable=consider-using-with

    def command(self):
        return [*self.wrapper, "setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "--no-new-privs",
                "--bounding-set", "-all,+net_admin", "--inh-caps", "-all,+net_admin", "--ambient-caps",
                "-all,+net_admin", "env", *(f"{k}={v}" for k, v in self.environment.items()),
                f"{T}/bin/uidwalld", "--config", CONFIG, "--policies", POLICIES, "--control", CONTROL,
                "--state", STATE]

    def spawn(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def start(self):
        self.spawn()
        if not wait_for(lambda: self.answers() or not self.alive()) or not self.alive():
            raise Died("it does not come up: " + self.tail())

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def pid(self):
        return self.process.pid

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        if self.process:
            self.process.wait()

    def tail(self, n=15):
        with open(f"{T}/daemon.log", "rb") as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - 4000))
            return "\n".join(source.read().decode(errors="replace").splitlines()[-n:])

    def mark(self):
        return os.fstat(self.log.fileno()).st_size

    def said(self, mark):
        with open(f"{T}/daemon.log", "rb") as source:
            source.seek(mark)
            return source.read().decode(errors="replace")

    def ask(self, call, patience=PATIENCE, **arguments):
        """(answer, None) or (None, error text); raises Died where it ends meanwhile, OSError where nothing comes."""
        request = json.dumps({"call": call, **arguments}).encode()
        data = bytearray()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(patience)
            s.connect(CONTROL)
            try:
                s.sendall(struct.pack(">I", len(request)) + request)
                while chunk := s.recv(65536):
                    data += chunk
            except (ConnectionResetError, BrokenPipeError) as e:
                raise Died("it ended while it was asked") from e
        frames = []
        while len(data) >= 4:
            n = struct.unpack_from(">I", data)[0]
            frames.append(bytes(data[4:4 + n]))
            del data[:4 + n]
        if len(frames) == 2 and not frames[0]:
            return json.loads(frames[1]), None
        if len(frames) == 1 and frames[0]:
            return None, frames[0].decode()
        raise Died("no answer")

    def answers(self):
        try:
            self.ask("status", patience=PATIENCE)
            return True
        except (OSError, Died, ValueError):
            return False


# --- faults


class Strace:
    """Tampers with one system call of a daemon that runs."""

    def __init__(self, pid, *expressions, output="/dev/null"):
        self.process = subprocess.Popen(
            ["strace", "-qq", "-f", *(["-yy"] if output != "/dev/null" else []), "-o", output,
             *(word for e in expressions for word in ("-e", e)), "-p", str(pid)],
            stderr=subprocess.PIPE)
        if not wait_for(lambda: self.attached(pid)):
            raise RuntimeError("strace does not attach: " + self.process.stderr.read().decode())

    @staticmethod
    def attached(pid):
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as source:
                return bool(re.search(r"^(TracerPid:\s*[1-9]|State:\s*Z)", source.read(), re.M))
        except FileNotFoundError:
            return True

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()


def calls_of(trace):
    """[(name, number of its kind, line)] of what strace wrote."""
    found, counts = [], {}
    with open(trace, encoding="utf-8", errors="replace") as source:
        for line in source:
            match = re.match(r"\d+\s+([a-z_0-9]+)\(", line)
            if match:
                name = match.group(1)
                counts[name] = counts.get(name, 0) + 1
                found.append((name, counts[name], line.strip()))
    return found
