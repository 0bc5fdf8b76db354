#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The real squid with the lists that uidwall writes for it: each service by its own port, which the wall
# keeps the others from; what passes and what does not is what the built-in proxy would say. dnsmasq is
# squid's name server; the sink answers for every address. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
USERS+=(squid:2060)
private "$@"
for tool in squid curl dnsmasq; do
	command -v "$tool" >/dev/null || skip_all "needs the program $tool"
done

policy blog <<'E'
{
  "user": "blog",
  "hosts": [
    "api.example.com",
    "*.wiki.example",
    "*.de.wiki.example",
    "smtp.example.com:587",
    "inner.example.com",
    "mixed.example.com",
    "private.example.com",
    "10.0.0.7",
    "[fd00::7]"
  ]
}
E
policy erp <<'E'
{ "user": "erp", "hosts": ["erp.example.com"] }
E
policy gitea <<'E'
{ "user": "gitea", "mode": "monitor" }
E
policy wordpress <<'E'
{ "user": "wordpress", "hosts": ["api.example.com"] }
E
ports='"blog": 3129, "erp": 3130, "gitea": 3131'
config <<E
{ "proxy": { "external": ["127.0.0.1:3128", "[::1]:3128"], "ports": { $ports } } }
E
start_daemon
# 9.9.9.8 is called api.example.com by the zone of addresses, which is its owner's
cat >"$T/hosts" <<'E'
9.9.9.1 api.example.com erp.example.com smtp.example.com other.example.com
9.9.9.2 www.wiki.example a.b.wiki.example wiki.example xwiki.example de.wiki.example x.de.wiki.example
9.9.9.8 api.example.com
10.0.0.7 inner.example.com
10.0.0.8 private.example.com mixed.example.com
10.0.0.7 mixed.example.com
127.0.0.1 self.wiki.example
169.254.169.254 metadata.wiki.example
E
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --addn-hosts="$T/hosts" \
	--listen-address=127.0.0.1 --bind-interfaces --user=root --pid-file= >"$T/dnsmasq.log" 2>&1 &

# --- the lists, and squid

wire() {
	uidwall wire --squid >"$T/uidwall.conf" 2>"$T/wire.err"
}

wire
is "a service without a port is told" $? -eq 1
check "... with the line that gives it one" grep -q '"wordpress": 3132' "$T/wire.err"
uid=$(uid_of squid)
mkdir "$T/squid"
mount -t tmpfs tmpfs /dev/shm || die "cannot mount a tmpfs" # another squid's segments have the same names
chown "$uid" "$T/squid"
# Debian's squid.conf ends so; what is above is said in "uidwall wire --help".
cat >"$T/squid.conf" <<E
include $T/uidwall.conf
acl SSL_ports port 443
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
http_access allow localhost
http_access deny all
http_port 127.0.0.1:3128
http_port [::1]:3128
hosts_file none
dns_nameservers 127.0.0.1
access_log stdio:$T/squid/access.log
cache_log $T/squid/cache.log
coredump_dir $T/squid
pid_filename none
pinger_enable off
cache_mem 1 MB
shutdown_lifetime 0 seconds
max_filedescriptors 256
visible_hostname box
E

as_squid=(setpriv --reuid "$uid" --regid "$uid" --clear-groups squid -f "$T/squid.conf")
"${as_squid[@]}" -k parse >"$T/parse.log" 2>&1
is "squid reads them" $? -eq 0
complaints=$(grep -E 'WARNING|ERROR|FATAL' "$T/parse.log")
if [[ -z $complaints ]]; then
	pass "... and has nothing to say about them"
else
	fail "... and has nothing to say about them" "$complaints"
fi
"${as_squid[@]}" -N >"$T/squid.log" 2>&1 </dev/null &
squid_pid=$!
listens() {
	ss -Hltn "sport = :$1" | grep -q .
}
wait_until 10 listens 3131 || die "squid does not start: $(tail "$T/squid.log" "$T/squid/cache.log")"

# --- who reaches what

# says USER PROXY URL: what squid says about it, or what became of the connection to squid
says() {
	local user_id
	user_id=$(uid_of "$1")
	setpriv --reuid "$user_id" --regid "$user_id" --clear-groups curl -q --silent --max-time 5 --noproxy '' \
		--output /dev/null --write-out '%{http_code} %{http_connect}' --proxy "http://$2" "${@:3}"
	[[ $? -ne 7 ]] || echo refused
}

# goes VERDICT USER PROXY URL [OPTION]...
goes() {
	local said
	said=$(says "${@:2}")
	case $said in
	*refused) said=refused ;;
	"200 000" | *" 200") said=passes ;; # of CONNECT its own answer counts
	"403 000" | *" 403") said=403 ;;
	esac
	is "$2 by $3 ${*:4}: $1" "$said" = "$1"
}

blog=127.0.0.1:3129 erp=127.0.0.1:3130 gitea=127.0.0.1:3131

goes passes blog $blog http://api.example.com/
goes passes blog '[::1]:3129' http://api.example.com/
goes passes blog $blog http://API.Example.COM./
goes passes blog $blog -p http://api.example.com:443/
goes 403 blog $blog http://other.example.com/
goes 403 blog $blog -p http://other.example.com:443/
goes passes blog $blog http://www.wiki.example/
goes passes blog $blog http://a.b.wiki.example/
goes passes blog $blog http://x.de.wiki.example/
goes passes blog $blog http://de.wiki.example/
goes 403 blog $blog http://wiki.example/
goes 403 blog $blog -p http://WIKI.example.:443/
goes 403 blog $blog http://xwiki.example/
# ports
goes 403 blog $blog http://api.example.com:8080/
goes 403 blog $blog -p http://api.example.com:22/
goes 403 blog $blog -p http://api.example.com:587/
goes passes blog $blog -p http://smtp.example.com:587/
goes 403 blog $blog http://smtp.example.com/
# addresses: those that are listed, whatever they are called
goes passes blog $blog http://10.0.0.7/
goes passes blog $blog 'http://[fd00:0::7]/' -g
goes 403 blog $blog http://10.0.0.8/
goes 403 blog $blog http://9.9.9.8/
goes 403 blog $blog http://0x09090908/
goes 403 blog $blog 'http://[::ffff:9.9.9.8]/' -g
# where names may lead
goes 403 blog $blog http://private.example.com/
goes 403 blog $blog http://self.wiki.example/
goes 403 blog $blog http://metadata.wiki.example/
goes passes blog $blog http://inner.example.com/
goes 403 blog $blog http://mixed.example.com/
# squid's own pages are behind the other rules
goes 403 blog $blog http://127.0.0.1:3129/squid-internal-mgr/info
# whose port it is
goes passes erp $erp http://erp.example.com/
goes 403 erp $erp http://api.example.com/
goes refused erp $blog http://api.example.com/
goes refused erp '[::1]:3129' http://api.example.com/
goes refused blog $erp http://erp.example.com/
goes refused blog 127.0.0.1:3128 http://api.example.com/
goes refused wordpress $blog http://api.example.com/
# ... and the common one is squid.conf's own affair
goes passes wordpress 127.0.0.1:3128 http://other.example.com/
goes passes gitea $gitea http://other.example.com/

# --- a change of hosts, and a new port

policy erp <<'E'
{ "user": "erp", "hosts": ["other.example.com"] }
E
config <<E
{ "proxy": { "external": ["127.0.0.1:3128", "[::1]:3128"], "ports": { $ports, "wordpress": 3132 } } }
E
reload
wire
is "all have ports now" $? -eq 0
kill -HUP "$squid_pid" # what squid -k reconfigure does
wait_until 10 listens 3132
goes 403 erp $erp http://erp.example.com/
goes passes erp $erp http://other.example.com/
goes passes wordpress 127.0.0.1:3132 http://api.example.com/
goes 403 wordpress 127.0.0.1:3132 http://other.example.com/
goes refused wordpress 127.0.0.1:3128 http://api.example.com/

is "why knows the port" "$(uidwall why blog tcp $blog --json | jq -r '.answers[0].verdict')" = allowed
is "... and that it is nobody else's" "$(uidwall why erp tcp $blog --json | jq -r '.answers[0].verdict')" = refused
is "... and that blog has a way to the proxy" \
	"$(uidwall why blog https://api.example.com --json | jq .proxy.reachable)" = true
finish
