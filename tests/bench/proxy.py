# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxy beside squid and tinyproxy: transactions, one tunnel, 10,000 idle tunnels.

All of it over loopback in one network namespace:

	proxy_load ---> squid 127.0.0.1:3129        ---> nginx 93.184.216.34:8080, one worker
	(16 at once)    tinyproxy 127.0.0.1:3130         /1k, /big (tmpfs, sendfile)
	                uidwall-proxy 127.0.0.1:3128

nginx has an ordinary address of the internet, which is given to the loopback interface here, so that
the proxy's judgement of addresses is the everyday one. Ours has lists of 1,000 services with 100 hosts
each, asks the kernel whose each connection is, and writes a record of each to a file; squid (one
process, no cache) and tinyproxy let everything pass and log nothing, or, with BENCH_PEER_LOGS=1, what
they log where nobody says otherwise. In turn: direct, squid, tinyproxy, ours; again and again.
"""
import json
import os
import pwd
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time

ADDRESS, PORT = "93.184.216.34", 8080
NAME = "web.example.org"
TARGET, BY_NAME = f"{ADDRESS}:{PORT}", f"{NAME}:{PORT}"
SERVICES, HOSTS = 1000, 100
PROXY_UID = 902
BIG = 1 << 30
# Only CAP_SYS_RESOURCE raises the hard limit. Two of them for each tunnel, and of these one service may have
# three quarters, after what is kept for pipes.
DESCRIPTORS = min(60000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
TUNNELS = min(10000, DESCRIPTORS * 29 // 100)
PEER_LOGS = bool(os.environ.get("BENCH_PEER_LOGS"))
stage = None  # tests/bench/run: its daemon, its ways to report

SQUID = """
http_port 127.0.0.1:3129
http_access allow all
cache deny all
cache_mem 0
cache_effective_user proxy
access_log {log}
cache_log {work}/squid/cache.log
cache_store_log none
pid_filename none
coredump_dir {work}/squid
dns_nameservers 127.0.0.1
pinger_enable off
max_filedescriptors {descriptors}
client_idle_pconn_timeout 1 hour
shutdown_lifetime 0 seconds
"""
TINYPROXY = """
User nobody
Group nogroup
Listen 127.0.0.1
Port 3130
Timeout 600
MaxClients 20000
Allow 127.0.0.1
ViaProxyName "tinyproxy"
{log}
"""
NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {work}/nginx/pid;
error_log {work}/nginx/error.log;
events {{ worker_connections {descriptors}; }}
http {{
	access_log off;
	sendfile on;
	open_file_cache max=10;
	client_header_timeout 600s;
	client_body_temp_path {work}/nginx/body;
	server {{ listen {target} backlog=4096; root {work}/www; }}
}}
"""


def raise_limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def answers(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A program in the foreground that listens."""

    def __init__(self, name, port, argv, address="127.0.0.1"):
        self.name, self.at = name, f"{address}:{port}"
        self.log = f"{stage.WORK}/{name}.log"
        with open(self.log, "w") as log, open(f"{stage.WORK}/{name}.out", "w") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=log, preexec_fn=raise_limits)
        deadline = time.monotonic() + 20
        while not answers(address, port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{name} does not start: {open(self.log).read()[-2000:]}")
            time.sleep(0.05)

    def processes(self):
        """It and its children."""
        found = [self.process.pid]
        for pid in found:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                found += [int(child) for child in file.read().split()]
        return found

    def cpu_s(self):
        ticks = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])  # with children that ended
        return ticks / os.sysconf("SC_CLK_TCK")

    def pss_mib(self):
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# --- the servers ----------------------------------------------------------------------------------

def start_nginx():
    os.makedirs(f"{stage.WORK}/nginx")
    os.makedirs(f"{stage.WORK}/www")
    write(f"{stage.WORK}/www/1k", "x" * 1024)
    with open(f"{stage.WORK}/www/big", "wb") as file:
        for _ in range(BIG >> 20):
            file.write(b"\xa5" * (1 << 20))
    conf = write(f"{stage.WORK}/nginx/conf", NGINX.format(
        work=stage.WORK, target=TARGET, descriptors=DESCRIPTORS))
    return Server("nginx", PORT, ["nginx", "-e", "stderr", "-c", conf], ADDRESS)


def start_squid():
    os.makedirs(f"{stage.WORK}/squid")
    shutil.chown(f"{stage.WORK}/squid", "proxy")
    conf = write(f"{stage.WORK}/squid/conf", SQUID.format(
        work=stage.WORK, descriptors=DESCRIPTORS,
        log=f"daemon:{stage.WORK}/squid/access.log" if PEER_LOGS else "none"))
    return Server("squid", 3129, ["squid", "-N", "-f", conf])


def start_tinyproxy():
    log = f'LogFile "{stage.WORK}/tinyproxy.access"\nLogLevel {"Info" if PEER_LOGS else "Critical"}'
    if PEER_LOGS:
        shutil.chown(write(f"{stage.WORK}/tinyproxy.access", ""), "nobody")
    else:
        log = log.replace(f"{stage.WORK}/tinyproxy.access", "/dev/null")
    conf = write(f"{stage.WORK}/tinyproxy.conf", TINYPROXY.format(log=log))
    return Server("tinyproxy", 3130, ["tinyproxy", "-d", "-c", conf])


def write_policies(folder):
    os.makedirs(folder)
    for i in range(SERVICES):
        hosts = [f"api{j}.s{i}.example.net" for j in range(HOSTS - 2)] + [BY_NAME, TARGET]
        write(f"{folder}/s{i:05d}.json",
              json.dumps({"user": stage.FIRST_UID + i, "hosts": hosts}, indent=1))
    return folder


def start_ours():
    program = os.environ.get("UIDWALL_PROXY", f"{stage.BUILD}/uidwall-proxy")
    if not os.path.exists(program):
        print(json.dumps({"note": f"no {program}: squid and tinyproxy alone"}), flush=True)
        return None
    daemon = stage.Daemon(write_policies(f"{stage.WORK}/proxy-policies"))
    os.chmod(os.path.dirname(daemon.control), 0o711)
    config = write(f"{stage.WORK}/none.json", "{}")
    ours = Server("uidwall-proxy", 3128, [program, "--config", config, "--control", daemon.control])
    ours.daemon = daemon
    for _ in range(100):  # until it has its lists
        if subprocess.run(client(ours, "idle", TARGET, "1"), capture_output=True,
                          stdin=subprocess.DEVNULL).returncode == 0:
            break
        time.sleep(0.05)
    return ours


def set_stage():
    """The address of nginx, its name, the proxy's user, and ports enough."""
    stage.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    stage.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=10240 65535", "net.ipv4.tcp_tw_reuse=1")
    with open("/etc/passwd") as file:
        users = [line for line in file if not line.startswith(("uidwall-proxy:",))]
    users.append(f"uidwall-proxy:x:{PROXY_UID}:{PROXY_UID}::/nonexistent:/usr/sbin/nologin\n")
    with open("/etc/group") as file:
        groups = [line for line in file if not line.startswith("uidwall-proxy:")]
    groups.append(f"uidwall-proxy:x:{PROXY_UID}:\n")
    for name, text in ("passwd", "".join(users)), ("group", "".join(groups)), \
            ("hosts", f"127.0.0.1 localhost\n::1 localhost\n{ADDRESS} {NAME}\n"):
        stage.run("mount", "--bind", write(f"{stage.WORK}/{name}", text), f"/etc/{name}")
    pwd.getpwnam("nobody")


# --- measuring ------------------------------------------------------------------------------------

def client(peer, *argv):
    """Its command: before ours as a user whom one of the thousand policies governs, before others (and
    None) as one whom the wall lets pass."""
    program = os.environ.get("PROXY_LOAD", f"{stage.BUILD}/tests/bench/proxy_load")
    uid = stage.FIRST_UID + 777 if peer and peer.name == "uidwall-proxy" else stage.OUTSIDER
    options = [a for a in argv if a.startswith("-")]
    mode, target, number = [a for a in argv if not a.startswith("-")]
    return [program, f"-u{uid}", *options, mode, peer.at if peer else "-", target, number]


def load(peer, *argv):
    """What the client says about one peer (None: none between)."""
    result = subprocess.run(client(peer, *argv), capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{peer.name if peer else 'direct'}: {result.stderr}{result.stdout}")
    return json.loads(result.stdout)


def rounds(peers, n, measure):
    """{name: [figure of each round]}, in turn."""
    figures = {peer.name if peer else "direct": [] for peer in peers}
    for _ in range(n):
        for peer in peers:
            figures[peer.name if peer else "direct"].append(measure(peer))
    return figures


def report(what, unit, samples, **more):
    print(json.dumps({"what": what, "median": round(statistics.median(samples), 4), "unit": unit,
                      **more, "samples": [round(s, 4) for s in samples]}), flush=True)


def goal(what, unit, samples, at_least=None, at_most=None, **more):
    """A figure that has a goal, and whether it is met."""
    value = statistics.median(samples)
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    words = f"at least {at_least}" if at_least is not None else f"at most {at_most}"
    report(what, unit, samples, goal=words, result="PASS" if met else "short", **more)


def compare_rounds(what, figures, peers, at_most=False):
    """Ratios ours / peer, round by round, with the goal for each peer."""
    for peer, bound in peers.items():
        if "uidwall-proxy" not in figures:
            return
        ratios = [a / b for a, b in zip(figures["uidwall-proxy"], figures[peer])]
        goal(f"{what}, ours / {peer}", "ratio", ratios, **{"at_most" if at_most else "at_least": bound})


def bench_rate(peers, n, seconds, target, label):
    def measure(peer):
        before = peer.cpu_s() if peer else 0
        figures = load(peer, "rate", target, str(seconds))
        figures["cpu_us"] = ((peer.cpu_s() if peer else 0) - before) * 1e6 / figures["transactions"]
        return figures

    figures = rounds(peers, n, measure)
    for name, samples in figures.items():
        report(f"CONNECT, GET of 1 kB, close{label}: {name}", "transactions/s",
               [s["per_second"] for s in samples],
               p50_us=statistics.median(s["p50_us"] for s in samples),
               p99_us=statistics.median(s["p99_us"] for s in samples),
               cpu_us=round(statistics.median(s["cpu_us"] for s in samples), 1))
    pick = {key: {name: [s[key] for s in samples] for name, samples in figures.items()}
            for key in ("per_second", "p99_us")}
    compare_rounds(f"transactions{label}", pick["per_second"], {"squid": 1.8, "tinyproxy": 1.1})
    compare_rounds(f"p99 latency{label}", pick["p99_us"], {"tinyproxy": 1.0}, at_most=True)


def bench_tunnel(peers, n):
    figures = rounds(peers, n, lambda peer: load(peer, "-g/big", f"-s{BIG}", "tunnel", TARGET, "1")
                     ["per_second"] / 1e9)
    for name, samples in figures.items():
        report(f"one tunnel, 1 GiB: {name}", "GB/s", samples)
    compare_rounds("one tunnel", figures, {"squid": 1.6, "tinyproxy": 4})


def bench_idle(peer, n, bound):
    before = peer.pss_mib()
    holder = subprocess.Popen(client(peer, "idle", TARGET, str(n)), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, preexec_fn=raise_limits)
    if not holder.stdout.readline():
        print(json.dumps({"what": f"{n} idle tunnels: {peer.name} does not open them",
                          "result": "short"}), flush=True)
        return
    time.sleep(1)
    memory = peer.pss_mib()
    holder.stdin.close()
    standing = json.loads(holder.stdout.readline())["standing"]
    holder.wait()
    if standing != n:
        sys.exit(f"{peer.name}: {n - standing} of {n} idle tunnels are gone")
    for_all = before + (memory - before) * 10000 / n
    what = f"memory at 10,000 idle tunnels{'' if n == 10000 else f', from {n}'}: {peer.name}"
    more = {"before": round(before, 1), "kib_each": round((memory - before) * 1024 / n, 2)}
    if bound:
        goal(what, "MiB", [for_all], at_most=bound, **more)
    else:
        report(what, "MiB", [for_all], **more)


def bench(run):
    global stage
    stage = run
    for program in "squid", "tinyproxy", "nginx":
        if not shutil.which(program):
            sys.exit(f"needs the program {program}: see build-aux/packages")
    set_stage()
    nginx = start_nginx()
    peers = [None, start_squid(), start_tinyproxy()]
    ours = start_ours()
    if ours:
        peers.append(ours)
    n, seconds = (2, 1) if stage.QUICK else (5, 3)
    bench_rate(peers, n, seconds, TARGET, "")
    bench_rate(peers, n, seconds / 2, BY_NAME, ", by name")
    bench_tunnel(peers, n)
    for peer in peers[1:]:
        bench_idle(peer, 1000 if stage.QUICK else TUNNELS, 60 if peer is ours else None)
    for server in peers[1:] + [nginx]:
        server.stop()
    if ours:
        ours.daemon.stop()
