#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mistake in one file never changes what any other service may do. Its own service keeps its last good
# policy, over restarts too, or is refused everything if it never had one. Topology: lib.sh.
. "$(dirname "$0")/lib.sh"
private "$@"

internet4=(tcp 203.0.113.7:443)
internet6=(tcp '[2001:db8:bad::7]:443')

# keeps USER: as the sample blog says; shut_in USER: refused everything; erp_as_ever: untouched
as_blog() {
	goes "$1" dns 192.0.2.53:53 a.example
	goes "$1" -m x tcp 127.0.0.1:5432
	refused "$1" tcp 127.0.0.1:3306
	refused "$1" "${internet4[@]}"
	refused "$1" "${internet6[@]}"
}

shut_in() {
	refused "$1" dns 192.0.2.53:53 a.example
	refused "$1" dns-tcp '[2001:db8::53]:53' a.example
	refused "$1" tcp 127.0.0.1:5432
	refused "$1" tcp '[::1]:3128'
	refused "$1" "${internet4[@]}"
	refused "$1" udp '[2001:db8:bad::7]:443'
	refused "$1" ping 203.0.113.7
}

erp_as_ever() {
	goes erp -m x tcp '[::1]:5432'
	refused erp dns 192.0.2.53:53 a.example
	refused erp "${internet4[@]}"
}

# reload_complains WORD...: it says so and reports failure
reload_complains() {
	local word
	if reload; then
		fail "apply fails with a mistake in a file" "$(cat "$T/apply.log")"
	else
		pass "apply fails with a mistake in a file"
	fi
	for word; do
		check "apply names $word" grep -qF -- "$word" "$T/apply.log"
	done
}

restart() {
	stop_daemon TERM
	start_daemon
}

sample erp blog
stand_in postgres postgres echo:tcp:5432 echo:tcp:3306
stand_in proxy uidwall-proxy http:tcp:3128
start_daemon
erp_as_ever
as_blog blog

# A file that is wrong, in each of its ways.
declare -A wrong=(
	[key]='{ "user": "blog", "conect": [ { "to": "0.0.0.0/0", "port": "1-65535" } ] }'
	[syntax]='{ "user": "blog", "dns": '
	[empty]=''
	[user]='{ "user": "nobody-of-that-name" }'
	[value]='{ "user": "blog", "connect": [ { "to": "203.0.113.7", "port": "htt\np" } ] }'
)
for kind in key syntax empty user value; do
	policy blog <<<"${wrong[$kind]}"
	reload_complains blog.json
	as_blog blog
	erp_as_ever
	case $kind in key | syntax | user)
		restart
		as_blog blog
		erp_as_ever
		;;
	esac
done
# Whoever may write the file may write the policy.
sample blog
chmod 666 "$POLICIES/blog.json"
reload_complains blog.json
as_blog blog
chown stranger "$POLICIES/blog.json"
chmod 644 "$POLICIES/blog.json"
reload_complains blog.json
as_blog blog
rm "$POLICIES/blog.json"
sample blog
check "put right, it applies" reload
as_blog blog

# Never good: refused everything, whatever is wrong, and the others go on.
policy wordpress <<<'{ "user": "wordpress", "conect": [] }'
policy gitea <<<'{ "user": "gitea", '
reload_complains wordpress.json gitea.json
shut_in wordpress
shut_in gitea
erp_as_ever
as_blog blog
restart
shut_in wordpress
shut_in gitea
erp_as_ever
sample wordpress gitea
check "put right, it applies" reload
goes wordpress dns 192.0.2.53:53 a.example
goes gitea -m x tcp 127.0.0.1:5432
refused wordpress "${internet4[@]}"
rm "$POLICIES/wordpress.json" "$POLICIES/gitea.json"
check "files removed, it applies" reload
goes wordpress -m x "${internet4[@]}"

# Two policies claim one uid: an error that names both, and the uid stays with the one it had.
policy thief <<<'{ "user": "blog", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
reload_complains blog.json thief.json
as_blog blog
erp_as_ever
restart
as_blog blog
# Neither was there before: nobody gets it.
policy first <<<'{ "user": "mailer", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
policy second <<<'{ "uids": "2006", "connect": [ { "to": "203.0.113.7", "port": 443 } ] }'
rm "$POLICIES/thief.json"
check "a user and a range are no conflict" reload
goes mailer -m x "${internet4[@]}"
policy second <<<'{ "users": [ "mailer", "caddy" ], "dns": true }'
reload_complains first.json second.json
goes mailer -m x "${internet4[@]}"
refused mailer "${internet6[@]}"
goes caddy -m x "${internet4[@]}"
rm "$POLICIES"/{first,second}.json
check "put right, it applies" reload
policy left <<<'{ "user": "mailer" }'
policy right <<<'{ "user": "mailer", "proxy": false }'
reload_complains left.json right.json
shut_in mailer
erp_as_ever
as_blog blog
restart
shut_in mailer
rm "$POLICIES/right.json"
check "put right, it applies" reload
goes mailer dns 192.0.2.53:53 a.example

# The whole folder gone, or the configuration wrong: the wall stays as it is.
mv "$POLICIES" "$T/elsewhere"
if reload; then fail "apply fails without a folder"; else pass "apply fails without a folder"; fi
as_blog blog
erp_as_ever
mv "$T/elsewhere" "$POLICIES"
config <<<'{ "resolvers": [ "here" ] }'
if reload; then fail "apply fails with a wrong uidwall.json"; else pass "apply fails with a wrong uidwall.json"; fi
as_blog blog
config <<<'{ "resolvers": [ "192.0.2.54" ] }'
check "with another resolver it applies" reload
goes blog dns 192.0.2.54:53 a.example
refused blog dns 192.0.2.53:53 a.example
finish
