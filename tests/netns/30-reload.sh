#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 1,000 reloads under traffic: allowed flows lose nothing, denied ones leak nothing, over both families;
# counters of services that did not change live on. Topology: lib.sh.
# timeout: 300
. "$(dirname "$0")/lib.sh"
private "$@"

reloads=${RELOADS:-1000}
most_s=150

sample erp blog gitea mailer nothing
stand_in postgres postgres echo:tcp:5432
stop capture # a line for each of a million packets helps nobody; the sink's own counters do

# Two versions of the one service that changes; what counts is in both of them.
policy_version() {
	policy wordpress <<-EOF
		{
		  "user": "wordpress",
		  "proxy": false,
		  "connect": [
		    { "to": "198.51.100.$(($1 % 200 + 1))", "port": $(($1 % 1000 + 1)) },
		    { "to": "198.51.100.250", "port": "1-1000", "protocol": "udp" },
		    { "to": "2001:db8:1::250", "port": "1-1000", "protocol": "udp" },
		    { "to": "localhost", "port": 5432 }
		  ]
		}
	EOF
}

in_sink nft -f - <<-'EOF'
	table inet sink {
		counter allowed4 { }
		counter allowed6 { }
		chain count_allowed {
			type filter hook prerouting priority raw; policy accept;
			ip daddr 198.51.100.250 meta l4proto udp counter name allowed4
			ip6 daddr 2001:db8:1::250 meta l4proto udp counter name allowed6
		}
	}
EOF
sink_counter() {
	in_sink nft -j list counter inet sink "$1" | jq '.nftables[] | select(.counter) | .counter.packets'
}

policy_version 0
start_daemon

# The allowed: of the service that changes, and of others.
traffic allowed-udp4 wordpress -i 300 -q udp 198.51.100.250:123
traffic allowed-udp6 wordpress -i 300 -q udp '[2001:db8:1::250]:123'
traffic allowed-tcp wordpress -t 5000 -i 1000 tcp 127.0.0.1:5432
traffic allowed-stream wordpress -t 5000 -i 300 stream '[::1]:5432'
traffic allowed-dns blog -t 5000 -i 1000 dns 192.0.2.53:53 a.example
traffic allowed-erp erp -t 5000 -i 1000 tcp '[::1]:5432'
# The denied.
traffic denied-udp4 wordpress -i 100 -q udp 203.0.113.7:443
traffic denied-udp6 vault -i 100 -q udp '[2001:db8:bad::7]:443'
traffic denied-tcp4 wordpress -i 500 tcp 203.0.113.7:443
traffic denied-tcp6 blog -i 500 tcp '[2001:db8:bad::7]:443'
traffic denied-subuid 300001 -i 500 -q udp 203.0.113.7:443

# What was refused to the user vault, whose policy does not change.
refused_count() {
	nft -j list counters table inet uidwall |
		jq '[.nftables[].counter? | select(. != null and (.name | test("nothing"))) | .packets] | add // 0'
}

sleep 0.5
before=$(refused_count)
start_us=$(now_us)
failures=0
n_reloads=0
for ((i = 1; i <= reloads; i++)); do
	policy_version "$i"
	if ((i % 2)); then
		reload || ((failures++))
	else
		kill -HUP "$(daemon_pid)" # without waiting: reloads may pile up
	fi
	n_reloads=$i
	(($(now_us) - start_us < most_s * 1000000)) || break
done
check "a last reload" reload
took_ms=$((($(now_us) - start_us) / 1000))
sleep 0.5

is "no reload fails" "$failures" -eq 0
is "$reloads reloads within $most_s s ($took_ms ms)" "$n_reloads" -eq "$reloads"
nft list chain inet uidwall svc-wordpress >"$T/wordpress.nft"
check "the last version is in force" grep -qF "198.51.100.$((n_reloads % 200 + 1)) " "$T/wordpress.nft"
is "counters of others live on" "$(refused_count)" -gt "$((before + 100))"

traffic_stop
for name in allowed-udp4 allowed-udp6 allowed-tcp allowed-stream allowed-dns allowed-erp; do
	note "$(cat "$T/traffic-$name")"
	is "$name: nothing is refused or lost" "$(number "$name" '.refused + .timeout')" -eq 0
	is "$name: there was traffic" "$(number "$name" .ok)" -gt 100
done
for family in 4 6; do
	is "allowed-udp$family: all that was sent arrives" "$(sink_counter allowed$family)" -eq \
		"$(number allowed-udp$family .ok)"
done
for name in denied-udp4 denied-udp6 denied-tcp4 denied-tcp6 denied-subuid; do
	note "$(cat "$T/traffic-$name")"
	want=EPERM
	[[ $name != *tcp* ]] || want=ECONNREFUSED
	is "$name: not one gets through" "$(number "$name" '.ok + .timeout')" -eq 0
	is "$name: there was traffic" "$(number "$name" .refused)" -gt 100
	is "$name: refused with $want" "$(number "$name" '.errnos | keys | join(",")')" = "$want"
done
is "not one denied packet arrives" "$(sink_counter leaked)" -eq 0
finish
