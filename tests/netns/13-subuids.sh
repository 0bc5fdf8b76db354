#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Subordinate ids (/etc/subuid, for rootless containers) are governed like their user: whether a
# process got them by a user namespace of its own, as newuidmap gives them, or otherwise.
# In lib.sh: blog has 300000-365535, erp 400000-465535.
. "$(dirname "$0")/lib.sh"
private "$@"

sample blog erp
policy class <<'EOF'
{
  "comment": "a default for a whole class of accounts, as systemd's DynamicUser= has them",
  "uids": "61184-65519",
  "dns": false,
  "proxy": false,
  "connect": [ { "to": "localhost", "port": 5432 } ]
}
EOF
policy one-of-them <<'EOF'
{ "user": "62000", "dns": true, "proxy": false }
EOF
stand_in postgres postgres echo:tcp:5432
stand_in proxy uidwall-proxy http:tcp:3128
start_daemon

# mapped USER SUBID VERB ARGUMENTS...
for id in 300000 300001 365535; do
	for how in "blog -n $id" "$id"; do
		read -ra who <<<"$how"
		goes "${who[@]}" dns 192.0.2.53:53 a.example
		goes "${who[@]}" -m x tcp '[::1]:5432'
		goes "${who[@]}" get 127.0.0.1:3128 http://a.example/
		refused "${who[@]}" tcp 203.0.113.7:443
		refused "${who[@]}" tcp '[2001:db8:bad::7]:443'
		refused "${who[@]}" udp '[2001:db8:bad::7]:443'
		refused "${who[@]}" ping 203.0.113.7
	done
done
goes erp -n 400000 -m x tcp 127.0.0.1:5432
refused erp -n 465535 dns 192.0.2.53:53 a.example
for id in 299999 365536 399999 465536; do
	goes "$id" -m x tcp 203.0.113.7:443
done

# Ranges of uids, and a user in one of them that has a policy of its own.
for id in 61184 61999 62001 65519; do
	goes "$id" -m x tcp 127.0.0.1:5432
	refused "$id" dns 192.0.2.53:53 a.example
	refused "$id" tcp '[2001:db8:bad::7]:443'
done
goes 62000 dns 192.0.2.53:53 a.example
refused 62000 tcp 127.0.0.1:5432
for id in 61183 65520; do
	goes "$id" -m x tcp 203.0.113.7:443
done

# A subordinate id that a policy claims by itself belongs to that policy.
policy inside <<'EOF'
{ "user": "300001", "dns": false, "proxy": false, "connect": [ { "to": "203.0.113.1", "port": 443 } ] }
EOF
check "reload" reload
goes blog -n 300001 -m x tcp 203.0.113.1:443
refused blog -n 300001 dns 192.0.2.53:53 a.example
goes blog -n 300000 dns 192.0.2.53:53 a.example
goes blog -n 300002 dns 192.0.2.53:53 a.example

# "subuids": false leaves them alone.
config <<<'{ "subuids": false }'
check "reload without subuids" reload
goes blog -n 300002 -m x tcp 203.0.113.7:443
refused blog tcp 203.0.113.7:443
refused 300001 tcp 203.0.113.7:443
finish
