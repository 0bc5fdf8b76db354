#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 64-wire.sh - wire: without a daemon, and by anybody. What squid makes of it: tests/netns/59-squid.sh.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

config() {
	cat >"$dir/uidwall.json"
}

policy blog <<'END'
{
  "user": "nobody",
  "hosts": [
    "api.example.com",
    "*.example.org",
    "*.www.example.org",
    "api.example.com",
    "smtp.example.net:587",
    "10.0.0.7"
  ]
}
END
policy erp <<'END'
{ "user": "daemon", "hosts": ["api.example.com"], "listen": [ { "port": 3130 } ] }
END
policy quiet <<'END'
{ "user": "bin", "proxy": false }
END

run wire
expect 2 out= 'err=uidwall: wire what? So far: uidwall wire --squid'
run wire blog
expect 2 out= 'err=uidwall: "uidwall wire blog" does not exist yet; what does: uidwall wire --squid'
run check --squid
expect 2 out= 'err=uidwall: --squid goes with "uidwall wire", not with "check"'

run wire --squid --policies "$dir/policies"
expect 1 out= \
	"err=uidwall: $dir/uidwall.json names no external proxy, so the built-in one is used, which needs no lists" \
	'err=      "proxy": {"external": "127.0.0.1:3128", "ports": {"blog": 3129, "erp": 3131}}'

config <<'END'
{
  "proxy": {
    "external": ["127.0.0.1:3128", "[::1]:3128"],
    "ports": { "blog": 3129 }
  }
}
END
run wire --squid --policies "$dir/policies"
expect 1 '^http_port 127\.0\.0\.1:3129 name=uidwall\.blog\.1$' '^http_port \[::1\]:3129 name=uidwall\.blog\.2$' \
	'^acl uidwall\.blog myportname uidwall\.blog\.1 uidwall\.blog\.2$' \
	'out=# blog.json:4 "api.example.com"' \
	'out=acl uidwall.blog.names.web dstdomain -n api.example.com' \
	'out=# blog.json:5 "*.example.org"' \
	'out=acl uidwall.blog.below.web dstdomain -n .example.org' \
	'out=acl uidwall.blog.itself.web dstdomain -n example.org' \
	'out=# blog.json:6 "*.www.example.org" (line 5 says so already)' \
	'out=# blog.json:7 "api.example.com" (line 4 says so already)' \
	'out=acl uidwall.port.587 port 587' \
	'out=acl uidwall.blog.addresses.web dstdomain -n 10.0.0.7' \
	'out=http_access allow uidwall.blog uidwall.blog.names.587 uidwall.port.587 !uidwall.special' \
	'out=http_access deny uidwall.blog' \
	'err=uidwall: no port of its own at the proxy, so squid cannot know it: erp' \
	'err=      "proxy": {"external": ["127.0.0.1:3128", "[::1]:3128"], "ports": {"blog": 3129, "erp": 3131}}'
verdict "a list has every entry once" "$(grep '^acl .* dstdomain' "$dir/out" | sort | uniq -d)"
cp "$dir/out" "$dir/text"
run wire --squid --policies "$dir/policies" --json
expect 1 err=
expect_json '.without_port == ["erp"] and .proxy.ports == { blog: 3129, erp: 3131 } and .notes == []
	and .services == [{ service: "blog", file: "blog.json", port: 3129, hosts: 6, monitor: false }]'
command -v jq >/dev/null &&
	verdict "wire --json holds the same text" "$(jq -jr .squid "$dir/out" | diff "$dir/text" -)"

config <<'END'
{
  "proxy": {
    "external": "192.0.2.8:3128",
    "ports": { "blog": 3129, "erp": 3131, "quiet": 3132, "gone": 3133 }
  }
}
END
policy shop <<'END'
{ "user": "games", "mode": "monitor", "connect": [ { "to": "192.0.2.0/24", "port": "3000-3130" } ] }
END
run wire --squid --policies "$dir/policies"
expect 0 'out=acl uidwall.erp myportname uidwall.erp.1' \
	'err=uidwall: note: shop.json:1 lets shop reach port 3129 too: squid takes it for blog there' \
	'err=uidwall: note: shop.json:1 says monitor: the wall lets shop reach the ports of others too' \
	'err=uidwall: note: uidwall.json:4: there is no service gone' \
	'err=uidwall: note: quiet.json:1 keeps quiet from the proxy, so its port is left out' \
	"err=uidwall: note: 192.0.2.8 is no loopback address: unless it is this machine's, the lists are for squid over there, where whoever reaches a service's port is taken for that service"
verdict "no port of quiet" "$(grep -n 'quiet\|3132\|gone' "$dir/out")"

policy bad <<'END'
{ "user": "no-such-user-here" }
END
run wire --squid --policies "$dir/policies"
expect 1 out= 'err=uidwall: nothing written: 1 error in the policies'
plan
