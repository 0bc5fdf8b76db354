#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""soak.py CONTROL PID POLICIES HOURS [how] - hours' worth of a daemon's life, without the pauses.

What a day brings, at the rate of a busy one (DAY), in a random order that depends on $UIDWALL_SEED. A hundred
times on the way the policies are what they were at the start, and it is noted what the daemon holds:
descriptors, memory handed out by malloc() (0 under sanitizers and valgrind), resident memory. Speaks TAP;
how: "plain" has limits for resident memory too, others only for what is theirs to grow.
"""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import hostile
from hostile import BLOG, ERP, STRANGER, as_user, ask, dial, frame, report

PID = hostile.PID
POLICIES = sys.argv[3]
HOURS = float(sys.argv[4])
HOW = sys.argv[5] if len(sys.argv) > 5 else "plain"
TICK = 10  # seconds of the day that a turn stands for
SAMPLES = 100
MEMORY_SLACK = 1024
SETTLE_S = 0.4  # the daemon waits for writers of resolv.conf to finish
RSS_SLACK = 256  # KiB: what malloc() keeps, page by page

counts = {}


def count(name, n=1):
    counts[name] = counts.get(name, 0) + n


def call(request, uid=0):
    count("calls")
    answer = ask(request) if uid == 0 else as_user(uid, lambda: ask(request))
    if answer[0] == "nothing":
        report(False, f"{request} is answered", answer)
    return answer


# --- policies and accounts


def write(path, text):
    with open(path + ".tmp", "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path + ".tmp", 0o644)
    os.rename(path + ".tmp", path)


def put_policy(name, value):
    text = value if isinstance(value, str) else json.dumps(value, indent=1)
    write(f"{POLICIES}/{name}.json", text)


def drop_policy(name):
    if os.path.exists(f"{POLICIES}/{name}.json"):
        os.unlink(f"{POLICIES}/{name}.json")


def restore():
    for name in os.listdir(POLICIES):
        os.unlink(f"{POLICIES}/{name}")
    for name in os.listdir(saved):
        shutil.copy(f"{saved}/{name}", POLICIES)
    write("/etc/passwd", passwd)
    with open("/etc/resolv.conf", encoding="utf-8") as now:
        if now.read() == resolv_conf:
            return
    write("/etc/resolv.conf", resolv_conf)
    time.sleep(SETTLE_S)


def edit_policies():
    n = random.randrange(1000)
    random.choice(
        [
            lambda: put_policy(
                "blog",
                {
                    "user": "blog",
                    "connect": [
                        {"to": f"192.0.2.{i % 250}", "port": 1 + (n * 7 + i) % 65535}
                        for i in range(n % 40)
                    ],
                },
            ),
            lambda: put_policy("erp", '{ "user": "erp", "nonsense": %d }' % n),
            lambda: put_policy("erp", '{ "user": "erp", "connect": [ { "to": "10.0.0.0/8"'),
            lambda: put_policy("fresh", {"uids": f"{70000 + n}-{70000 + n + 50}"}),
            lambda: put_policy("fresh", {"user": "nobody-knows-them", "listen": [{"port": 9000}]}),
            lambda: put_policy("unit", {"unit": f"/nosuch.slice/app-{n}.service", "user": "vault"}),
            lambda: drop_policy("fresh"),
            lambda: drop_policy("erp"),
            restore,
        ]
    )()


def change_users():
    n = random.randrange(100)
    write("/etc/passwd", passwd + f"guest{n}:x:{80000 + n}:{80000 + n}::/:/bin/false\n")
    put_policy("guest", {"user": f"guest{n}", "dns": True})


def change_resolvers():
    write("/etc/resolv.conf", f"nameserver 192.0.2.{random.randrange(1, 250)}\n")
    time.sleep(SETTLE_S)
    count("resolvers")


# --- what happens


def status():
    call({"call": "status"}, random.choice([0, 0, 0, 0, 0, 0, 0, BLOG, ERP, STRANGER]))


def why():
    target = random.choice(["tcp 192.0.2.7:443", "udp [2001:db8::1]:53", "https://example.org/"])
    call({"call": "why", "service": random.choice(["blog", "erp", "x"]), "targets": [target] * 5})


def show():
    call({"call": "show", "service": random.choice(["blog", "erp", "nosuch"])})


def diff():
    call({"call": "diff"})


def reload():
    edit_policies()
    call({"call": "apply"})
    count("reloads")


def hangup():
    os.kill(PID, signal.SIGHUP)
    count("reloads")


def confirmed():
    edit_policies()
    call({"call": "apply", "confirm_s": 60})
    call({"call": "confirm"})
    count("reloads")


def rolled_back():
    edit_policies()
    call({"call": "apply", "confirm_s": 60})
    call({"call": "rollback"})
    call({"call": "apply"})
    count("reloads", 3)


def expired():
    edit_policies()
    call({"call": "apply", "confirm_s": 1})
    time.sleep(1.2)
    call({"call": "apply"})
    count("reloads", 3)


def off_and_on():
    service = random.choice([{}, {"service": "blog"}])
    call({"call": "off"} | service)
    call({"call": "on"} | service)


def users():
    change_users()
    call({"call": "apply"})
    count("reloads")


def nonsense():
    data = random.choice([b"{", b'{"call":1}', b"\xff" * 50, b'{"call":"why","targets":[]}'])
    as_user(STRANGER, lambda: hostile.send(frame(data)))
    count("calls")


def hung_up():
    s = dial()
    s.sendall(frame(b'{"call":"status"}')[: random.randrange(20)])
    s.close()
    count("calls")


def sockets():
    """Connections for the daemon to judge."""
    mine = [hostile.socket.socket(type=hostile.socket.SOCK_DGRAM) for _ in range(5)]
    for s in mine:
        s.connect(("192.0.2.1", 7))
    call({"call": "apply"})
    count("reloads")


# seconds between two of them
DAY = {
    status: 10,
    why: 60,
    show: 60,
    nonsense: 60,
    hung_up: 60,
    reload: 300,
    diff: 300,
    sockets: 1800,
    hangup: 3600,
    users: 3600,
    change_resolvers: 3600,
    confirmed: 3600,
    rolled_back: 3600,
    off_and_on: 3600,
    expired: 6 * 3600,
}


# --- what it holds


def rss_kib():
    with open(f"/proc/{PID}/status", encoding="ascii") as text:
        return [int(line.split()[1]) for line in text if line.startswith("VmRSS")][0]


def settled_descriptors(wanted, patience=2):
    """What was hung up last may not have been closed yet."""
    end = time.monotonic() + patience
    while (n := hostile.descriptors()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    return n


def sample(wanted):
    restore()
    call({"call": "on"})
    call({"call": "apply"})
    answer = ask({"call": "status"})[1]
    return {"fds": settled_descriptors(wanted), "memory": answer["memory"], "rss_kib": rss_kib()}


def judge(samples):
    at = {percent: samples[len(samples) * percent // 100 - 1] for percent in (10, 50, 100)}
    for percent, held in at.items():
        print(f"# at {percent} %: {held}", flush=True)
    late = samples[len(samples) // 10 - 1 :]
    first = late[0]
    extremes = {key: [min(s[key] for s in late), max(s[key] for s in late)] for key in first}
    report(
        all(s["fds"] == first["fds"] for s in late),
        f"descriptors: {first['fds']}, the same all the time",
        extremes,
    )
    report(
        max(s["memory"] for s in late) <= first["memory"] + MEMORY_SLACK,
        f"malloc: {first['memory']} bytes, and never {MEMORY_SLACK} more",
        extremes,
    )
    if HOW == "plain":
        report(
            max(s["rss_kib"] for s in late) <= first["rss_kib"] + RSS_SLACK,
            f"resident memory: {first['rss_kib']} KiB, and never {RSS_SLACK} more",
            extremes,
        )


def main():
    ticks = int(HOURS * 3600 / TICK)
    samples = []
    started = time.monotonic()
    for tick in range(1, ticks + 1):
        for what, period in DAY.items():
            if random.randrange(period // TICK) == 0:
                what()
        while len(samples) < SAMPLES * tick // ticks:
            samples.append(sample(samples[0]["fds"] if samples else hostile.descriptors()))
    counts["seconds"] = round(time.monotonic() - started)
    print(f"# {HOURS:g} hours' worth: {counts}", flush=True)
    judge(samples)
    print(f"1..{hostile.n_tests}")
    return hostile.n_failed != 0


saved = subprocess.check_output(["mktemp", "-d"], text=True).strip()
shutil.copytree(POLICIES, saved, dirs_exist_ok=True)
with open("/etc/passwd", encoding="utf-8") as source:
    passwd = source.read()
with open("/etc/resolv.conf", encoding="utf-8") as source:
    resolv_conf = source.read()
random.seed(int(os.environ.get("UIDWALL_SEED", "1")))
if __name__ == "__main__":
    try:
        status_code = main()
    finally:
        shutil.rmtree(saved)
    sys.exit(status_code)
