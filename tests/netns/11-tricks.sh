#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ways round a careless ruleset that a service's user can take by itself (design, section 6):
# spellings of loopback, other devices, protocols on an allowed port, packets with options. Each trick is
# also played by a user without a policy, to show that it works where nothing stands in its way.
. "$(dirname "$0")/lib.sh"
private "$@"

sample erp blog nothing
stand_in postgres postgres echo:tcp:5432 echo:udp:5432
stand_in proxy uidwall-proxy http:tcp:3128
start_daemon

# Loopback is never exempt, however it is written.
link_local=$(ip -6 -o address show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 }')
for target in 127.0.0.1 127.0.0.2 127.255.255.254 '[::1]' '[::ffff:127.0.0.1]' 0.0.0.0 '[::]' \
	'[::ffff:0.0.0.0]' 192.0.2.2 '[2001:db8::2]' '[::ffff:192.0.2.2]' "[$link_local%eth0]"; do
	goes stranger -m x tcp "$target:5432"
	refused vault tcp "$target:5432"
	refused vault udp "$target:5432"
done
# What a policy opens is 127.0.0.1 and ::1, not all that ends on this machine.
for target in 127.0.0.1 '[::1]' '[::ffff:127.0.0.1]' 0.0.0.0 '[::]'; do
	goes erp -m x tcp "$target:5432"
	refused erp udp "$target:5432"
done
for target in 127.0.0.2 192.0.2.2 '[2001:db8::2]' '[::ffff:192.0.2.2]' "[$link_local%eth0]"; do
	refused erp tcp "$target:5432"
done
refused blog tcp '[::ffff:203.0.113.7]:443'
refused vault ping 127.0.0.1
refused vault ping ::1

# An allowed loopback address leaves by the uplink when the socket is bound to it.
leaves stranger -d eth0 tcp 127.0.0.1:5432
refused erp -d eth0 tcp 127.0.0.1:5432
refused blog -d eth0 tcp 127.0.0.1:3128
goes erp -d lo -m x tcp 127.0.0.1:5432

# The resolver is open for UDP and TCP to port 53, and for nothing else.
leaves stranger udplite 192.0.2.53:53
refused blog udplite 192.0.2.53:53
refused blog udplite '[2001:db8::53]:53'
refused blog tcp 192.0.2.53:853
refused blog udp 192.0.2.53:5353
refused blog ping 192.0.2.53
refused blog ping 2001:db8::53
refused blog dns 203.0.113.53:53 a.example
refused blog dns-tcp '[2001:db8:bad::53]:53' a.example
refused blog udp 127.0.0.1:53
sysctl -qw net.ipv4.ip_unprivileged_port_start=0
refused blog -p 53 udp 203.0.113.7:53
refused blog -p 53 tcp 203.0.113.7:53000

# The address is the resolver's, but the packet goes elsewhere or claims to come from elsewhere.
leaves stranger -r 2001:db8::53 udp '[2001:db8:bad::7]:53'
refused blog -r 2001:db8::53 udp '[2001:db8:bad::7]:53'
blocked blog -r 2001:db8::53 tcp '[2001:db8:bad::7]:53' # the reset names another address than the socket
leaves stranger -o udp 192.0.2.53:53
refused blog -o dns 192.0.2.53:53 a.example
refused blog -o dns-tcp 192.0.2.53:53 a.example
leaves stranger -b -s 2001:db8:77::5 udp '[2001:db8::53]:53'
# An ICMP error or a reset as the answer to this one would go to the foreign address: with our data.
blocked blog -b -s 2001:db8:77::5 dns '[2001:db8::53]:53' a.example
blocked blog -b -s 2001:db8:77::5 udp '[2001:db8:bad::7]:443'
blocked blog -b -s 2001:db8:77::5 tcp '[2001:db8:bad::7]:443'
blocked vault -b -s 2001:db8:77::5 -m data udp '[2001:db8:bad::7]:443'
blocked vault -b -s 203.0.113.99 -m data udp 203.0.113.7:443

# Addresses that mean more than one host.
refused blog udp 255.255.255.255:53
refused blog udp 224.0.0.251:5353
refused blog udp '[ff02::fb%eth0]:5353'
finish
