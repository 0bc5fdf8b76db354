#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More clients than there is room for (flood.py), of a daemon whose answers are large. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip_all "needs the program python3"
private "$@"

memory() {
	uidwall status --json | jq .memory
}

# Some text in each, so that a status of them all is half a megabyte.
for ((i = 0; i < 2000; i++)); do
	printf '{ "uids": "%d", "connect": [ { "to": "192.0.2.%d", "port": 443 } ] }\n' \
		$((50000 + i)) $((i % 250)) >"$POLICIES/crowd-with-a-long-name-$i.json"
done
chmod 644 "$POLICIES"/*.json
sample erp blog
config <<<'{ "resolvers": [ "192.0.2.53" ], "admins": [ "caddy" ] }'
start_daemon
for _ in 1 2 3; do
	uidwall status >/dev/null
done
memory=$(memory)
python3 "$(dirname "$0")/flood.py" "$CONTROL" "$(daemon_pid)" || ((++n_failed))
check "the daemon lives" daemon_alive
is "no memory is left ($memory bytes before)" "$(memory)" -le $((memory + 65536))
check "a reload works" reload
refused blog tcp 203.0.113.7:443
pid=$(daemon_pid)
kill -TERM "$pid"
wait "$pid"
is "it ends well, without leaks" "$?" -eq 0
finish
