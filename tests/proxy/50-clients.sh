#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs as they are found on servers, each through the proxy: told of it by the environment, over both
# loopbacks, and redirected to it without knowing. Each goes to a name that its policy lists, where it must
# reach just that web server over TLS, and to one that it does not list, where it must fail at once and say
# why. Topology: lib.sh.
# shellcheck source=tests/proxy/lib.sh
. "$(dirname "$0")/lib.sh"
private "$@"

AT_ONCE_MS=5000 # of a whole client, many at a time on a busy machine; none of them gives up as early
WORKERS=4
EVIL=evil.example.net

# --- the clients: each gets a URL's scheme and host, and fetches something ------------------------------

client_curl() {
	as "$user" "${environment[@]}" curl -sS -m 10 "$1://$2/who"
}

client_wget() {
	as "$user" "${environment[@]}" wget -nv -O- --tries=1 --timeout=10 --content-on-error "$1://$2/who"
}

client_git() {
	as "$user" "${environment[@]}" GIT_TERMINAL_PROMPT=0 git ls-remote "$1://$2/repo.git"
}

client_php() {
	as "$user" "${environment[@]}" php -r '
		$c = curl_init($argv[1]);
		curl_setopt($c, CURLOPT_TIMEOUT, 10);
		if (!curl_exec($c)) { fwrite(STDERR, curl_error($c) . "\n"); exit(1); }' "$1://$2/who"
}

client_requests() {
	as "$user" "${environment[@]}" REQUESTS_CA_BUNDLE="$CA" /usr/bin/python3 -c '
import sys, requests
print(requests.get(sys.argv[1], timeout=10).text)' "$1://$2/who"
}

# fetch() of Node before 24 heeds no environment; undici, which it is made of, does where it is told.
client_node() {
	as "$user" "${environment[@]}" NODE_PATH=/usr/share/nodejs node -e '
		const proxy = process.env.https_proxy;
		let get = fetch;
		if (proxy) {
			const undici = require("undici");
			undici.setGlobalDispatcher(new undici.ProxyAgent(proxy));
			get = undici.fetch;
		}
		get(process.argv[1]).then(r => r.text()).then(console.log).catch(error => {
			for (; error; error = error.cause)
				console.error(String(error));
			process.exit(1);
		});' "$1://$2/who"
}

client_ruby() {
	as "$user" "${environment[@]}" ruby -rnet/http -e '
		begin
			puts Net::HTTP.get(URI(ARGV[0]))
		rescue => error
			abort error.message
		end' "$1://$2/who"
}

# Nothing of the machine's own configuration, which may name other proxies.
client_apt() {
	local folder=$T/home/$user/apt-$mode-$1-$2
	install -d -o "$(uid_of "$user")" "$folder" "$folder"/{state,cache}{,/lists,/archives}{,/partial}
	cat >"$folder/conf" <<-E2
		Dir::Etc::main "/dev/null"; Dir::Etc::parts "/dev/null"; Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::sourcelist "$folder/sources"; Dir::Etc::trustedparts "/dev/null";
		Dir::State "$folder/state"; Dir::State::status "/dev/null"; Dir::Cache "$folder/cache";
		Acquire::Languages "none"; Acquire::https::CAInfo "$CA"; Acquire::Retries "0";
		APT::Update::Error-Mode "any"; Debug::NoLocking "true"; Acquire::http::Timeout "10";
	E2
	echo "deb [trusted=yes] $1://$2/apt ./" >"$folder/sources"
	as "$user" "${environment[@]}" APT_CONFIG="$folder/conf" apt-get -q update || return
	grep -rhs '^Package:' "$folder/state/lists" || ls -R "$folder/state/lists"
}

# It knows no http://, and its proxy from the command line only.
client_openssl() {
	local proxy=()
	[[ ! ${environment[*]} =~ https_proxy=http://([^ ]*) ]] || proxy=(-proxy "${BASH_REMATCH[1]}")
	printf 'GET /who HTTP/1.0\r\nHost: %s\r\n\r\n' "$2" |
		as "$user" openssl s_client -quiet -verify_return_error -CAfile "$CA" "${proxy[@]}" \
			-servername "$2" -connect "$2:443"
}

# NAME | needs | host it is allowed | what it says when it got there
clients() {
	cat <<-'E2'
		curl | curl | www.example.com | I am www.example.com, asked by SCHEME
		wget | wget | www.example.com | I am www.example.com, asked by SCHEME
		git | git | repo.example.com | refs/heads/main
		php | php | www.example.com | I am www.example.com, asked by SCHEME
		requests | /usr/bin/python3 | www.example.com | I am www.example.com, asked by SCHEME
		node | node | www.example.com | I am www.example.com, asked by SCHEME
		ruby | ruby | www.example.com | I am www.example.com, asked by SCHEME
		apt | apt-get | repo.example.com | Package: nothing-much
		openssl | openssl | www.example.com | I am www.example.com, asked by SCHEME
	E2
}

# Why a client cannot be tried; silent when it can.
lacks() {
	local program
	program=$(clients | sed -n "s/^$1 | \([^ ]*\) .*/\1/p")
	command -v "$program" >/dev/null || { echo "needs the program $program"; return; }
	case $1 in
	php) php -m | grep -qx curl || echo "needs PHP's extension curl" ;;
	requests) /usr/bin/python3 -c 'import requests' 2>/dev/null || echo "needs python3-requests" ;;
	node)
		node -e 'fetch' 2>/dev/null || echo "needs a Node that has fetch()"
		[[ $2 == redirected || -d /usr/share/nodejs/undici ]] || echo "needs node-undici"
		;;
	openssl) [[ $3 == https ]] || echo "speaks TLS only" ;;
	esac
}

# --- all of them, some at a time ------------------------------------------------------------------------

# Whose connections, and how they come to the proxy.
mode_set() {
	mode=$1
	environment=() user=blog
	case $mode in
	explicit-IPv4) mapfile -t environment < <(proxy_environment "$PROXY4") ;;
	explicit-IPv6) mapfile -t environment < <(proxy_environment "$PROXY6") ;;
	redirected*) user=wordpress ;;
	esac
}

# one NAME MODE SCHEME HOST: a client, what it says and how long it takes in files
one() {
	local file=$T/out/$1-$2-$3-$4 start
	mode_set "$2"
	start=$(now_us)
	(client_"$1" "$3" "$4") >"$file" 2>&1 </dev/null
	echo "$?" >"$file.status"
	echo $((($(now_us) - start) / 1000)) >"$file.ms"
}

queue=()
plan_clients() {
	local name mode scheme allowed
	while IFS='|' read -r name _ allowed _; do
		name=${name// } allowed=${allowed// }
		for mode in "${modes[@]}"; do
			for scheme in https http; do
				[[ -z $(lacks "$name" "$mode" "$scheme") ]] || continue
				queue+=("$name $mode $scheme $allowed" "$name $mode $scheme $EVIL")
			done
		done
	done < <(clients)
}

run_clients() {
	local worker pids=()
	mkdir -p "$T/out"
	for ((worker = 0; worker < WORKERS; worker++)); do
		(
			for ((i = worker; i < ${#queue[@]}; i += WORKERS)); do
				# shellcheck disable=SC2086 # four words
				one ${queue[i]}
			done
		) &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# judge_allowed FILE WORDS NAME
judge_allowed() {
	if [[ $(cat "$1.status") -eq 0 ]] && grep -qF -- "$2" "$1"; then
		pass "$3"
	else
		fail "$3" "status $(cat "$1.status"), $(cat "$1.ms") ms, expected \"$2\": $(tail -n 12 "$1")"
	fi
}

# judge_refused FILE WORDS NAME: fails at once, with words that help
judge_refused() {
	if grep -q 'I am ' "$1"; then
		fail "$3" "it got there: $(head -n 5 "$1")"
	elif grep -qiE 'connection refused|could ?n.t connect to' "$1"; then
		fail "$3" "that was not the proxy: $(head -n 5 "$1")"
	elif (($(cat "$1.ms") > AT_ONCE_MS)); then
		fail "$3" "took $(cat "$1.ms") ms: $(tail -n 12 "$1")"
	elif ! grep -qE -- "$2" "$1"; then
		fail "$3" "status $(cat "$1.status"), expected \"$2\": $(tail -n 12 "$1")"
	else
		pass "$3"
	fi
}

# What a client shows of a refusal: the text itself where the answer is the page, the status where it is
# that of CONNECT; where it does not know that there is a proxy, TLS ends without a word.
words_of_refusal() {
	case $1-$2-$3 in
	*-redirected-https) echo . ;;
	node-explicit*) echo 'fetch failed' ;; # undici 5 keeps the rest to itself
	git-* | apt-* | *-https) echo '403|may not connect|Proxy response' ;;
	*) echo "$EVIL" ;;
	esac
}

judge_clients() {
	local name allowed words mode scheme reason file
	while IFS='|' read -r name _ allowed words; do
		name=${name// } allowed=${allowed// } words=${words# }
		for mode in "${modes[@]}"; do
			for scheme in https http; do
				reason=$(lacks "$name" "$mode" "$scheme")
				if [[ -n $reason ]]; then
					[[ $name-$scheme == openssl-http ]] ||
						skip "$name, $mode, $scheme" "$reason"
					continue
				fi
				file=$T/out/$name-$mode-$scheme
				judge_allowed "$file-$allowed" "${words/SCHEME/$scheme}" \
					"$name, $mode, $scheme: gets there"
				judge_refused "$file-$EVIL" "$(words_of_refusal "$name" "$mode" "$scheme")" \
					"$name, $mode, $scheme: is refused at once, and says so"
			done
		done
	done < <(clients)
}

skip() {
	echo "ok $((++n_tests)) - $1 # SKIP $2"
}

# --- what they fetch --------------------------------------------------------------------------------------

repositories_make() {
	local git="git -c user.name=x -c user.email=x@example.com -c init.defaultBranch=main" size sum
	if command -v git >/dev/null; then
		(
			mkdir "$T/work" && cd "$T/work" && export HOME=$T
			$git init -q && $git commit -q --allow-empty -m first &&
				$git clone -q --bare . "$T/www/repo.git" &&
				$git -C "$T/www/repo.git" update-server-info
		) >"$T/git.log" 2>&1 || die "git: $(cat "$T/git.log")"
	fi
	mkdir -p "$T/www/apt"
	printf '%s\n' 'Package: nothing-much' 'Version: 1' 'Architecture: all' 'Filename: ./none.deb' \
		'Size: 1' "SHA256: $(printf x | sha256sum | cut -d' ' -f1)" '' >"$T/www/apt/Packages"
	size=$(stat -c %s "$T/www/apt/Packages")
	sum=$(sha256sum "$T/www/apt/Packages" | cut -d' ' -f1)
	printf '%s\n' "Date: $(date -Ru | sed 's/+0000/UTC/')" 'SHA256:' " $sum $size Packages" \
		>"$T/www/apt/Release"
	chmod -R a+rX "$T/www"
}

world_make
repositories_make
hosts='"hosts": ["www.example.com", "v4.example.com", "v6.example.com", "*.wild.example.com",
	"shared.example.com", "repo.example.com", "port.example.com:8443", "smtp.example.net:587",
	"ldap.example.net:5000"]'
policy blog <<<"{ \"user\": \"blog\", $hosts }"
modes=(explicit-IPv4 explicit-IPv6)
redirected=
if can_redirect; then
	redirected=1
	modes+=(redirected)
	policy wordpress <<<"{ \"user\": \"wordpress\", \"transparent\": true, $hosts }"
fi
config <<<'{ "resolvers": ["192.0.2.53", "2001:db8::53"] }'
start_daemon
start_proxy
plan_clients
run_clients
judge_clients

# gets NAME WORDS COMMAND...
gets() {
	local name=$1 words=$2 out
	out=$("${@:3}" 2>&1)
	if [[ $out == *"$words"* ]]; then
		pass "$name"
	else
		fail "$name" "expected \"$words\": $out"
	fi
}

# does_not NAME COMMAND...: it ends without a web server's or a mail server's words
does_not() {
	local name=$1 out start ms
	start=$(now_us)
	out=$("${@:2}" 2>&1)
	ms=$((($(now_us) - start) / 1000))
	if [[ $out == *"I am"* || $out == *220* || $out == *hello-there* ]]; then
		fail "$name" "$out"
	elif ((ms > AT_ONCE_MS)); then
		fail "$name" "$ms ms"
	else
		pass "$name"
	fi
}

fetch() {
	as "$1" curl -sS -m 10 "${@:2}"
}

# through MODE NAME...: what does not need every client
through() {
	local who=$1 mode=$2 options=("${@:3}")
	gets "$mode: a name with IPv4 alone" 'I am v4' fetch "$who" "${options[@]}" https://v4.example.com/who
	gets "$mode: a name with IPv6 alone" 'I am v6' fetch "$who" "${options[@]}" https://v6.example.com/who
	gets "$mode: a wildcard" 'I am api.wild' fetch "$who" "${options[@]}" https://api.wild.example.com/who
	gets "$mode: ... however deep" 'I am deep' fetch "$who" "${options[@]}" https://deep.api.wild.example.com/who
	does_not "$mode: ... but not the name itself" fetch "$who" "${options[@]}" https://wild.example.com/who
	gets "$mode: a name at an address that others share" 'I am shared' \
		fetch "$who" "${options[@]}" https://shared.example.com/who
	does_not "$mode: ... and not those others" fetch "$who" "${options[@]}" https://$EVIL/who
	does_not "$mode: nor does a redirection lead there" \
		fetch "$who" "${options[@]}" -L http://www.example.com/away
	gets "$mode: 32 MiB, whole" "$(sha256sum <"$T/www/big")" \
		bash -c "$(declare -f as uid_of); USERS=(${USERS[*]}); T=$T; CA=$CA
			as $who curl -sS -m 20 ${options[*]} https://www.example.com/big | sha256sum"
}

through blog explicit --proxy "$PROXY4"
does_not "explicit: a name that is not listed" \
	fetch blog --proxy "$PROXY4" https://www.never.example.net/who
is "... is not even asked for" "$(queries www.never.example.net)" -eq 0
if [[ -n $redirected ]]; then
	through wordpress redirected
	gets "redirected: a server that speaks first" '220 smtp.example.net' \
		as wordpress "$RAW" --to "$NET4.20:587" read=quiet:1000 send='hello-there\r\n' read=quiet:500
	gets "redirected: one that waits, over IPv4" 'hello-there' \
		as wordpress "$RAW" --to "$NET4.21:5000" send='hello-there\r\n' read=13
	gets "redirected: one that waits, over IPv6" 'hello-there' \
		as wordpress "$RAW" --to "[$NET6:21]:5000" send='hello-there\r\n' read=13
	does_not "redirected: that port of another address" \
		as wordpress "$RAW" --to "$NET4.66:5000" send='hello-there\r\n' read=13
	does_not "redirected: another port of that address" \
		as wordpress "$RAW" --to "$NET4.21:25" send='hello-there\r\n' read=13
	# Whoever lies about the address gets the name's own.
	gets "redirected: the address that the client believes in does not count" 'I am www.example.com' \
		fetch wordpress --resolve "www.example.com:443:$NET4.66" https://www.example.com/who
else
	skip "redirected clients" "this build does not redirect"
fi

for way in connect http ${redirected:+tls plain-http}; do
	recorded "a refusal by the way \"$way\" is on record, with the line to add" \
		".way == \"$way\" and .verdict == \"refused\" and .host == \"$EVIL\" and .add == \"$EVIL\""
done
check "no request came to $EVIL" eval '! grep -E "(host|sni)=$EVIL" "$T/web.log"'
stop_proxy TERM
is "the proxy ends when it is told to" $? -eq 0
finish
