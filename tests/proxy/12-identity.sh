#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 12-identity.sh - whose connection it is, when it is not plain: gone before it is looked at, somebody else's
# by the time it is looked at, root's in a service's hands, a subordinate id's. The proxy is stopped meanwhile.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

world_make
policy blog <<<'{ "user": "blog", "hosts": ["v4.example.com"] }'
policy erp <<<'{ "user": "erp", "hosts": ["www.example.com"] }'
policy gitea <<<'{ "user": "gitea", "transparent": true, "hosts": ["www.example.com"] }'
start_daemon
start_proxy

# orders: what users' sockets do while the proxy is stopped. A line for each answer.
cat >"$T/orders.py" <<'PYEND'
import os, signal, socket, struct, sys, time

PROXY = ("127.0.0.1", 3128)
GET = b"GET http://www.example.com/%s HTTP/1.1\r\nHost: www.example.com\r\n\r\n"


def sock(uid, port=0, to=PROXY):
    """Opened by this uid, as seteuid() makes the file system's uid."""
    os.seteuid(uid)
    s = socket.socket()
    os.seteuid(0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port:
        s.bind(("127.0.0.1", port))
    s.settimeout(3)
    os.seteuid(uid)
    s.connect(to)
    os.seteuid(0)
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def answer(s):
    try:
        return s.recv(4096).split(b"\r\n")[0].decode() or "nothing"
    except OSError as e:
        return "nothing"


def is_stopped(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


def stop(pid):
    """All of its threads, which takes a moment."""
    os.kill(pid, signal.SIGSTOP)
    while not all(is_stopped(pid, thread) for thread in os.listdir(f"/proc/{pid}/task")):
        time.sleep(0.001)


def main():
    pid, blog, erp, subordinate = (int(a) for a in sys.argv[1:])
    stop(pid)
    s = sock(erp)
    s.sendall(GET % b"closed")
    s.close()
    s = sock(erp)
    s.sendall(GET % b"reset")
    reset(s)
    # blog may not go there, erp may: one four-tuple after the other
    s = sock(blog, 40000)
    s.sendall(GET % b"reused")
    reset(s)
    t = sock(erp, 40000)
    half = sock(erp)
    half.sendall(GET % b"half")
    half.shutdown(socket.SHUT_WR)
    roots = sock(0)
    roots.sendall(GET % b"root")
    sub = sock(subordinate)
    sub.sendall(GET % b"subordinate")
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.3)
    print("half:", answer(half))
    print("root:", answer(roots))
    print("subordinate:", answer(sub))
    t.sendall(GET % b"successor")
    print("successor:", answer(t))


main()
PYEND
: >"$T/web.log"
python3 "$T/orders.py" "$(proxy_pid)" "$(uid_of blog)" "$(uid_of erp)" 300000 >"$T/answers"
sleep 0.3
check "who closed before it was looked at is refused" bash -c "! grep -q /closed '$T/web.log'"
check "who reset before it was looked at is refused" bash -c "! grep -q /reset '$T/web.log'"
check "what one user asked does not pass as the next one's, who has its port" bash -c "! grep -q /reused '$T/web.log'"
check "and that one is served" grep -q '^successor: HTTP/1.1 404' "$T/answers"
check "a half-closed connection still has its owner" grep -q '^half: HTTP/1.1 404' "$T/answers"
check "root's socket is root's" grep -q '^root: HTTP/1.1 403' "$T/answers"
check "a subordinate id is its user's, who may not go there" grep -q '^subordinate: HTTP/1.1 403' "$T/answers"
recorded "the closed ones are on record" '.reason == "no-owner" and .service == null and .verdict == "refused"'
recorded "a subordinate id has its own uid on record" '.uid == 300000 and .service == "blog" and .verdict == "refused"'

# A socket that root opened, in a service's hands: the wall lets it pass as root's, the proxy does not.
cat >"$T/handed.py" <<'PYEND'
import os, socket, sys
s = socket.socket()
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
s.connect(("127.0.0.1", 3128))
s.sendall(b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n")
print(s.recv(100).decode().split("\r\n")[0])
PYEND
check "a socket that root handed over is refused" grep -q '403' <(python3 "$T/handed.py" "$(uid_of erp)")

# Bound to a device, as nobody needs to be root for; and redirected, where conntrack says where it went.
check "a socket bound to lo has its owner" grep -q '^HTTP/1.1 200' <(as erp curl -s -i --interface lo --proxy "$PROXY4" http://www.example.com/who)
if can_redirect; then
	check "a redirected one has its owner, IPv4" grep -q 'I am' <(as gitea curl -s4 http://www.example.com/who)
	check "a redirected one has its owner, IPv6" grep -q 'I am' <(as gitea curl -s6 http://www.example.com/who)
fi
finish
