#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every sample of policies/: what it may do goes through, all else is refused at once with the right
# errno and never arrives, over IPv4 and IPv6. Topology: lib.sh.
# timeout: 180
. "$(dirname "$0")/lib.sh"
private "$@"

sample erp phpmyadmin blog wordpress gitea mailer nothing
stand_in postgres postgres echo:tcp:5432
stand_in mysql mysql echo:tcp:3306
stand_in redis stranger echo:tcp:6379
stand_in proxy uidwall-proxy http:tcp:3128
stand_in erp erp echo:tcp:3100
stand_in blog blog echo:tcp:3000
stand_in gitea gitea echo:tcp:3001 echo:tcp:2222
start_daemon

# The name of a way out, and the attempts that make it up.
declare -A ways=(
	[dns]='dns 192.0.2.53:53 a.example|dns [2001:db8::53]:53 a.example|dns-tcp 192.0.2.53:53 a.example|dns-tcp [2001:db8::53]:53 a.example'
	[proxy]='get 127.0.0.1:3128 http://a.example/|connect [::1]:3128 a.example:443'
	[postgres]='-m x tcp 127.0.0.1:5432|-m x tcp [::1]:5432'
	[mysql]='-m x tcp 127.0.0.1:3306|-m x tcp [::1]:3306'
	[redis]='-m x tcp 127.0.0.1:6379|-m x tcp [::1]:6379'
	[erp]='-m x tcp 127.0.0.1:3100|-m x tcp [::1]:3100'
	[blog]='-m x tcp 127.0.0.1:3000|-m x tcp [::1]:3000'
	[gitea]='-m x tcp 127.0.0.1:3001|-m x tcp [::1]:3001'
	[git-ssh]='-m x tcp 127.0.0.1:2222|-m x tcp [::1]:2222'
	[relay]='-m x tcp 192.0.2.25:587|-m x tcp [2001:db8:25::25]:465'
	[relay-port]='tcp 192.0.2.25:25|tcp [2001:db8:25::25]:25'
	[internet]='tcp 203.0.113.7:443|tcp [2001:db8:bad::7]:443'
	[udp]='udp 203.0.113.7:123|udp [2001:db8:bad::7]:123'
	[ping]='ping 203.0.113.7|ping 2001:db8:bad::7'
	[metadata]='tcp 169.254.169.254:80'
)
declare -A may=(
	[erp]='postgres erp'
	[phpmyadmin]='mysql'
	[blog]='dns proxy postgres redis blog'
	[wordpress]='dns proxy mysql'
	[gitea]='dns proxy postgres gitea git-ssh'
	[mailer]='relay'
	[vault]=''
	# no policy: all but the ports that are for the web server
	[stranger]='dns proxy postgres mysql redis git-ssh relay relay-port internet udp ping metadata'
)

for user in erp phpmyadmin blog wordpress gitea mailer vault stranger; do
	for way in dns proxy postgres mysql redis erp blog gitea git-ssh relay relay-port internet udp \
		ping metadata; do
		IFS='|' read -ra attempts <<<"${ways[$way]}"
		for attempt in "${attempts[@]}"; do
			read -ra words <<<"$attempt"
			if [[ " ${may[$user]} " == *" $way "* ]]; then
				goes "$user" "${words[@]}"
			else
				refused "$user" "${words[@]}"
			fi
		done
	done
done
finish
