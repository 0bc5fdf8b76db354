# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - a box with uidwalld and uidwall-proxy in it, and an internet with names and TLS around it.
# On top of tests/netns/lib.sh, whose words all stay good. A test goes like this:
#
#     . "$(dirname "$0")/lib.sh"; private "$@"
#     world_make
#     policy blog <<<'{ "user": "blog", "hosts": ["www.example.com"] }'
#     start_daemon
#     start_proxy
#     as blog curl -sS --proxy "$PROXY4" https://www.example.com/
#     as blog "$RAW" --to 127.0.0.1:3128 send='CONNECT www.example.com:443 HTTP/1.1\r\n\r\n' read=head
#     finish
#
#   the box                                          namespace "sink": the internet
#   +-------------------------------------+        +--------------------------------------------------+
#   | lo    uidwall-proxy :3128           |  veth  | 192.0.2.53  2001:db8::53   dnsmasq               |
#   |       user uidwall-proxy            +--------+ 93.184.216.0/24  2606:2800:220:1::/64, each:     |
#   | eth0  192.0.2.2  2001:db8::2        |        |   80 443 8443   nginx: a certificate for each    |
#   |       uidwalld                      |        |                 name of names(), one CA: $CA     |
#   +-------------------------------------+        |   25 587        SMTP's banner, then echo         |
#                                                  |   5000          echo; 5001... see raw.py serve   |
#                                                  +--------------------------------------------------+
#
# The addresses are ordinary ones of the internet, because the proxy judges addresses; they never leave
# the two namespaces. $T/web.log says what each web server was asked, $T/dns.log what the name server
# was, $T/proxy.records what the proxy decided, $T/proxy.log what else it says.

PROXY_LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/netns/lib.sh
. "$PROXY_LIB_DIR/../netns/lib.sh"
: "${UIDWALL_PROXY:=$builddir/uidwall-proxy}"
export UIDWALL_PROXY

# As netns/lib.sh has it, and with what the proxy says.
eval "$(declare -f fail | sed '1s/^fail/fail_of_netns/')"
fail() {
	fail_of_netns "$@"
	((n_failed == 1)) || return 0
	note "--- the proxy's log"
	tail -n 20 "$T/proxy.log" 2>/dev/null | sed 's/^/# /'
}

RAW=$T/bin/raw.py
CA=$T/ca.pem
PROXY4=http://127.0.0.1:3128 PROXY6='http://[::1]:3128'
export RAW CA PROXY4 PROXY6
NET4=93.184.216 NET6=2606:2800:220:1:
DNS_TTL=60

# Who is where: name, last byte of its addresses, families. The certificate of each names only itself.
names() {
	cat <<-'E'
		www.example.com 10 46
		v4.example.com 11 4
		v6.example.com 12 6
		wild.example.com 13 46
		api.wild.example.com 13 46
		deep.api.wild.example.com 13 46
		repo.example.com 14 46
		shared.example.com 66 46
		smtp.example.net 20 46
		ldap.example.net 21 46
		evil.example.net 66 46
	E
}

# --- outside ----------------------------------------------------------------------------------------

# name NAME ADDRESS...: from now on it has these addresses, or, with none, does not exist
name() {
	local name=$1 address
	shift
	sed -i "/ ${name//./\\.}\$/d" "$T/names"
	for address; do
		echo "$address $name" >>"$T/names"
	done
	if [[ -s $T/dns.pid ]]; then
		kill -HUP "$(cat "$T/dns.pid")"
		wait_until 5 name_is "$name" "$#" || die "the name server does not learn $name"
	fi
}

# name_is NAME N: it has N addresses
name_is() {
	[[ $("$RAW" dns "192.0.2.53" "$1" | wc -w) -eq $2 ]]
}

dns_make() {
	local name last families
	: >"$T/names"
	while read -r name last families; do
		[[ $families != *4* ]] || echo "$NET4.$last $name"
		[[ $families != *6* ]] || echo "$NET6:$last $name"
	done < <(names) >"$T/names"
	chmod 644 "$T/names"
	: >"$T/dns.log"
	nsenter --net=/run/netns/sink dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --group=root --no-resolv \
		--no-hosts --addn-hosts="$T/names" --local='/#/' --local-ttl="$DNS_TTL" --neg-ttl=1 \
		--bind-interfaces --listen-address=192.0.2.53,2001:db8::53 --pid-file= \
		--log-queries --log-facility="$T/dns.log" 2>"$T/dns.err" &
	echo $! >"$T/dns.pid"
	wait_until 5 name_is www.example.com 2 || die "no name server: $(cat "$T/dns.err" "$T/dns.log")"
}

# queries NAME: how often it was asked for (A and AAAA are one each)
queries() {
	grep -cE " query\[[A]+\] ${1//./\\.} from" "$T/dns.log"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$T/tls/$1.key" -out "$T/tls/$1.pem" "${@:2}" 2>>"$T/tls/log" ||
		die "openssl: $(tail -n 3 "$T/tls/log")"
}

tls_make() {
	local name
	mkdir -p "$T/tls"
	certificate ca
	cp "$T/tls/ca.pem" "$CA"
	for name in $(names | cut -d' ' -f1) default.invalid; do
		certificate "$name" -CA "$T/tls/ca.pem" -CAkey "$T/tls/ca.key" \
			-addext "subjectAltName=DNS:$name" -addext basicConstraints=critical,CA:false
	done
	# As a site does with a CA of its own; /etc is a copy here.
	mkdir -p /etc/ssl/certs
	cat "$CA" >>/etc/ssl/certs/ca-certificates.crt
	chmod 644 "$CA" /etc/ssl/certs/ca-certificates.crt
}

# web_server NAME [default_server]
web_server() {
	local port tls
	echo "server { server_name $1; ssl_certificate $T/tls/$1.pem; ssl_certificate_key $T/tls/$1.key;"
	for port in 80 443 8443; do
		tls=
		((port == 80)) || tls=' ssl'
		echo "listen $port$tls ${2:-}; listen [::]:$port$tls ${2:-};"
	done
	cat <<-E
		location = /who {
			default_type text/plain;
			return 200 'I am $1, asked by \$scheme on \$server_port.\n';
		}
		location = /away { return 302 http://evil.example.net/who; }
		location / { root $T/www; autoindex on; } }
	E
}

web_make() {
	local name
	mkdir -p "$T/www" "$T/nginx"
	chmod 755 "$T/www"
	head -c 1024 /dev/zero | tr '\0' x >"$T/www/1k"
	head -c 33554432 /dev/urandom >"$T/www/big"
	{
		cat <<-E
			daemon off; master_process off; pid $T/nginx/pid; user root;
			error_log $T/nginx/error.log;
			events { worker_connections 4096; }
			http {
			log_format asked '\$scheme \$server_port host=\$http_host sni=\$ssl_server_name "\$request" '
				'via=\$http_via connection=\$http_connection x=\$http_x_test from=\$remote_addr';
			access_log $T/web.log asked;
			client_body_temp_path $T/nginx/body;
		E
		web_server default.invalid default_server
		while read -r name _; do
			web_server "$name"
		done < <(names)
		echo '}'
	} >"$T/nginx/conf"
	: >"$T/web.log"
	nsenter --net=/run/netns/sink nginx -e "$T/nginx/error.log" -c "$T/nginx/conf" >"$T/nginx/out" 2>&1 &
	echo $! >"$T/web.pid"
	wait_until 5 in_sink bash -c ': </dev/tcp/127.0.0.1/443' ||
		die "no web server: $(cat "$T/nginx/out" "$T/nginx/error.log")"
}

# world_make: all of it
world_make() {
	local tool tls
	[[ -x $UIDWALL_PROXY ]] || die "no $UIDWALL_PROXY: build it first"
	for tool in nginx dnsmasq openssl python3 curl; do
		command -v "$tool" >/dev/null || skip_all "needs the program $tool"
	done
	# Users may not be able to read where the source is.
	install -D -m 755 -t "$T/bin" "$PROXY_LIB_DIR/raw.py" "$PROXY_LIB_DIR/storm.py"
	stop outside # its ports 53 and 80 are taken by real servers
	in_sink nft flush chain inet sink answer
	in_sink ip address add 192.0.2.53/32 dev lo
	in_sink ip address add 2001:db8::53/128 dev lo nodad
	in_sink ip route add local "$NET4.0/24" dev lo
	in_sink ip -6 route add local "$NET6:/64" dev lo
	tls_make &
	tls=$!
	dns_make
	wait "$tls" || exit 99
	web_make
	start outside nsenter --net=/run/netns/sink "$SINK" serve echo:tcp:5000 echo:udp:7 \
		"banner=220 smtp.example.net ESMTP:tcp:25" "banner=220 smtp.example.net ESMTP:tcp:587"
	start behaviour nsenter --net=/run/netns/sink "$RAW" serve
}

# --- inside -----------------------------------------------------------------------------------------

proxy_pid() {
	cat "$T/proxy.pid" 2>/dev/null
}

proxy_alive() {
	local pid
	pid=$(proxy_pid) && kill -0 "$pid" 2>/dev/null
}

# It listens, and it has lists: root, whom no policy governs, is told so, and not that there are none.
proxy_answers() {
	local status
	exec 7<>/dev/tcp/127.0.0.1/3128 || return
	printf 'CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n' >&7
	read -r -t 2 _ status _ <&7
	exec 7>&-
	[[ $status == 403 ]]
} 2>/dev/null

# As its unit does, which starts it as its user; a search for leaks would want more of /proc than its sandbox
# leaves. $PROXY_OPTIONS: words of its command line.
start_proxy() {
	install -m 755 "$UIDWALL_PROXY" "$T/bin/uidwall-proxy"
	# shellcheck disable=SC2086
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 "$T/bin/uidwall-proxy" --config "$CONFIG" \
		--control "$CONTROL" ${PROXY_OPTIONS:-} >>"$T/proxy.records" 2>>"$T/proxy.log" </dev/null &
	echo $! >"$T/proxy.pid"
	wait_until 10 proxy_answers || die "the proxy does not come up: $(tail -n 20 "$T/proxy.log")"
}

# stop_proxy [SIGNAL]: its exit status is this one's
stop_proxy() {
	local pid
	pid=$(proxy_pid) || return 0
	rm -f "$T/proxy.pid"
	kill "-${1:-TERM}" "$pid" 2>/dev/null
	wait "$pid"
}

# record FILTER...: those of the proxy's records that jq's filter selects, one a line
record() {
	jq -c "select($1)" "$T/proxy.records"
}

# recorded NAME FILTER: there is one, soon
recorded() {
	local name=$1 filter=$2
	wait_until 3 eval '[[ -n $(record "$filter") ]]'
	if [[ -n $(record "$filter") ]]; then
		pass "$name"
	else
		fail "$name" "no record with $filter; the last: $(tail -n 5 "$T/proxy.records")"
	fi
}

# as USER COMMAND...: with the environment of a service, and nothing of ours
as() {
	local user=$1 uid
	uid=$(uid_of "$user") || exit
	shift
	[[ -d $T/home/$user ]] || install -d -o "$uid" -g "$uid" "$T/home/$user"
	(
		cd "$T/home/$user" || exit
		exec setpriv --reuid "$uid" --regid "$uid" --clear-groups env -i HOME="$T/home/$user" \
			PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8 NODE_EXTRA_CA_CERTS="$CA" "$@"
	)
}

# proxy_environment URL: what as() is given for an explicit client
proxy_environment() {
	printf '%s\n' "http_proxy=$1" "https_proxy=$1" "HTTP_PROXY=$1" "HTTPS_PROXY=$1"
}

# Whether this build redirects users with "transparent".
can_redirect() {
	local folder=$T/can-redirect
	mkdir -p "$folder"
	echo '{ "user": "blog", "transparent": true, "hosts": ["a.example.com"] }' >"$folder/blog.json"
	programs_copy
	"$T/bin/uidwall" --config "$T/none.json" render "$folder" 2>/dev/null | grep -q 'type nat hook output'
}
