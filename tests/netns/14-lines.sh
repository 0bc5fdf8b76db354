#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The finer points of a policy's lines: monitor mode, until, interface, prefixes, lists and ranges of
# ports, protocols, groups and lists of users, long lists of endpoints. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

# A second way out, to 198.51.100.0/24, so that "interface" has something to choose from.
ip link add eth1 type veth peer name eth1 netns sink
ip -n sink address add 192.0.3.1/24 dev eth1
ip -n sink link set eth1 up
ip address add 192.0.3.2/24 dev eth1
ip link set eth1 up
ip route add 198.51.100.0/25 via 192.0.3.1 dev eth1
"$ATTEMPT" -t 3000 -m x tcp 192.0.3.1:7 >/dev/null || die "no second way"

yesterday=$(date -u -d yesterday +%F)
today=$(date -u +%F)
policy blog <<'EOF'
{ "user": "blog", "mode": "monitor", "dns": false, "proxy": false, "listen": [ { "port": 3000 } ] }
EOF
policy dates <<EOF
{
  "user": "erp",
  "dns": false,
  "proxy": false,
  "connect": [
    { "to": "203.0.113.1", "port": 443, "until": "$yesterday" },
    { "to": "203.0.113.2", "port": 443, "until": "$today" },
    { "to": "203.0.113.3", "port": 443, "until": "2199-12-31" },
    { "to": "2001:db8:bad::1", "port": 443, "until": "$yesterday" },
    { "to": "2001:db8:bad::3", "port": 443, "until": "2199-12-31" }
  ]
}
EOF
policy ways <<'EOF'
{
  "user": "gitea",
  "dns": false,
  "proxy": false,
  "connect": [
    { "to": "203.0.113.0/25", "port": 443, "interface": "eth0" },
    { "to": "203.0.113.128/25", "port": 443, "interface": "eth1" },
    { "to": "198.51.100.0/24", "port": 443, "interface": "eth1" },
    { "to": "2001:db8:bad::/64", "port": 443, "interface": "eth0" },
    { "to": "2001:db8:bad:1::/64", "port": 443, "interface": "eth1" }
  ]
}
EOF
policy protocols <<'EOF'
{
  "users": [ "mailer", "wordpress" ],
  "dns": false,
  "proxy": false,
  "connect": [
    { "to": "203.0.113.16/28", "port": [ 82, 443, "8000-8010" ] },
    { "to": "2001:db8:bad:10::/60", "port": "8000-8010" },
    { "to": "203.0.113.7", "port": 123, "protocol": "udp" },
    { "to": "2001:db8:bad::7", "port": 123, "protocol": "udp" },
    { "to": "203.0.113.9", "protocol": "icmp" },
    { "to": "2001:db8:bad::9", "protocol": "icmp" }
  ]
}
EOF
policy everything <<'EOF'
{
  "user": "vault",
  "dns": false,
  "proxy": false,
  "connect": [
    { "to": "0.0.0.0/0", "port": "1-65535" },
    { "to": "::/0", "port": "1-65535" }
  ]
}
EOF
{
	echo '{ "user": "phpmyadmin", "dns": false, "proxy": false, "connect": ['
	for i in {1..120}; do
		echo "{ \"to\": \"203.0.113.$i\", \"port\": $((1000 + i)) },"
		echo "{ \"to\": \"2001:db8:bad::$i\", \"port\": $((1000 + i)) },"
	done
	echo '{ "to": "203.0.113.0/24", "port": 82 } ] }'
} | policy many
stand_in postgres postgres echo:tcp:5432
start_daemon

# monitor: all of it passes
for way in 'tcp 203.0.113.7:443' 'tcp [2001:db8:bad::7]:443' 'udp 203.0.113.7:443' \
	'ping 2001:db8:bad::7' 'dns 203.0.113.53:53 a.example' 'tcp 127.0.0.1:5432' \
	'-r 2001:db8::53 -q udp [2001:db8:bad::7]:53'; do
	read -ra words <<<"$way"
	goes blog "${words[@]}"
done

# until: through the end of that day
refused erp tcp 203.0.113.1:443
[[ $(date -u +%F) != "$today" ]] || goes erp -m x tcp 203.0.113.2:443
goes erp -m x tcp 203.0.113.3:443
refused erp tcp '[2001:db8:bad::1]:443'
goes erp -m x tcp '[2001:db8:bad::3]:443'

# interface: the route decides which way a packet takes, the policy whether it may
goes gitea -m x tcp 203.0.113.7:443
refused gitea tcp 203.0.113.200:443
leaves stranger -q udp 203.0.113.200:443
goes gitea -m x tcp 198.51.100.7:443
refused gitea tcp 198.51.100.200:443
refused gitea -d eth1 tcp 203.0.113.7:443
goes gitea -m x tcp '[2001:db8:bad::7]:443'
refused gitea tcp '[2001:db8:bad:1::7]:443'

# prefixes, lists, ranges, protocols
for user in mailer wordpress; do
	for target in 203.0.113.16:82 203.0.113.31:443 203.0.113.20:8000 203.0.113.20:8010 \
		'[2001:db8:bad:10::]:8000' '[2001:db8:bad:1f:ffff::1]:8010'; do
		goes "$user" -m x tcp "$target"
	done
	for target in 203.0.113.15:82 203.0.113.32:443 203.0.113.20:7999 203.0.113.20:8011 \
		203.0.113.20:81 '[2001:db8:bad:20::]:8000' '[2001:db8:bad:f::1]:8000'; do
		refused "$user" tcp "$target"
	done
done
goes mailer udp 203.0.113.7:123
goes mailer udp '[2001:db8:bad::7]:123'
refused mailer tcp 203.0.113.7:123
refused mailer udp 203.0.113.7:124
refused mailer udp 203.0.113.20:443
goes mailer ping 203.0.113.9
goes mailer ping 2001:db8:bad::9
refused mailer ping 203.0.113.7
refused mailer ping 2001:db8:bad::7
goes vault -m x tcp 203.0.113.7:1
goes vault -m x tcp '[2001:db8:bad::7]:65535'
refused vault udp 203.0.113.7:53

# a list longer than a handful: each address with its own port and no other
for i in 1 2 64 119 120; do
	goes phpmyadmin -m x tcp "203.0.113.$i:$((1000 + i))"
	goes phpmyadmin -m x tcp "[2001:db8:bad::$i]:$((1000 + i))"
	refused phpmyadmin tcp "203.0.113.$i:$((1001 + i))"
	refused phpmyadmin tcp "[2001:db8:bad::$i]:$((1001 + i))"
	refused phpmyadmin udp "203.0.113.$i:$((1000 + i))"
done
goes phpmyadmin -m x tcp 203.0.113.255:82
refused phpmyadmin tcp 203.0.113.121:1121

# group: its members, those whose first group it is too; it takes the place of the others' policies
rm "$POLICIES"/*.json
policy web <<'EOF'
{ "group": "webapps", "dns": true, "proxy": false }
EOF
check "reload" reload
for user in erp blog; do
	goes "$user" dns 192.0.2.53:53 a.example
	refused "$user" tcp 203.0.113.7:443
done
for user in mailer gitea; do # their files are gone
	goes "$user" -m x tcp 203.0.113.7:443
done
finish
