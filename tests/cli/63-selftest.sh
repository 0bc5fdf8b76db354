#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 63-selftest.sh - selftest: wrong use, and what it says where there is nobody to become. A stand-in for
# uidwalld; the network tests have users and packets.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

run selftest --to nowhere
expect 2 out= 'err=uidwall: expected an address such as 192.0.2.1 or 2001:db8::1 behind --to, got "nowhere"'
run selftest --to $'192.0.2.0/24\033[31m'
expect 2 out= 'err=uidwall: expected an address such as 192.0.2.1 or 2001:db8::1 behind --to, got "192.0.2.0/24\x1b[31m"'
run selftest --to
expect 2 out= 'err=uidwall: --to needs a value: --to ADDRESS'
run selftest a b
expect 2 out= 'err=uidwall: unexpected argument "b"; expected "uidwall selftest [SERVICE]"'
run selftest --confirm 60s
expect 2 out= 'err=uidwall: --confirm goes with "uidwall apply", not with "selftest"'
run status --endpoints
expect 2 out= 'err=uidwall: --endpoints goes with "uidwall selftest", not with "status"'
run status --dry-run
expect 2 out= 'err=uidwall: --dry-run goes with "uidwall apply" and "uidwall selftest", not with "status"'
run selftest --help
expect 0 err= '^  --dry-run +say what it would send' '^  --to ADDRESS' '^  --endpoints'
run apply --help
expect 0 err= '^  --dry-run +show what would change'

if [[ $(id -u) -ne 0 ]]; then
	run selftest
	expect 2 out= 'err=uidwall: only root can become other users: try "sudo uidwall selftest"'
	plan
	exit
fi
if command -v setpriv >/dev/null; then
	chmod 755 "$dir"
	install -m 755 "$uidwall" "$dir/uidwall"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/uidwall" selftest >"$dir/out" 2>"$dir/err"
	status=$? command="uidwall selftest, as nobody"
	expect 2 out= 'err=uidwall: only root can become other users: try "sudo uidwall selftest"'
fi
run selftest
expect 3 out=

mkdir "$dir/answers"
printf '{ "version": "0", "wall": "on", "generation": 7, "applied": 1, "services": [ { "service": "blog" } ] }' \
	>"$dir/answers/status.json"
printf '{ "service": "blog", "state": "good", "mode": "enforce", "file": "blog.json", "text": "{ \\"user\\": 1 }", "subjects": [] }' \
	>"$dir/answers/show-blog.json"
printf 'no service "x"' >"$dir/answers/show-x.error"
start_daemon "$dir/answers"
run selftest x
expect 2 out= 'err=uidwall: no service "x"'
run selftest --dry-run
expect 0 err= 'out=0 attempts as 0 users of 1 service, each by a process of its own, 2 s at most.' \
	'generation 7 in force since 1970-01-01 00:00:01 UTC'
run selftest --dry-run --json
expect 0 err=
expect_json '.generation == 7 and .wall == "on" and .sends == [] and .name == "uidwall-selftest.invalid"'
expect_json '[.host, .utc, .by, .kernel, .version] | map(type) | unique == ["string"]'
run selftest --json
expect 0 err=
expect_json '.ok and .generation == 7 and .sums.surprise == 0 and (.left_open | length > 4)'
expect_json '.services[0] | .service == "blog" and .users == [] and .note == "governs nobody: none of its users exists"'
run selftest
expect 0 err= '^blog: good, enforce mode; governs nobody' '^NO SURPRISE: 0 as expected' '^What no rule closes'
plan
