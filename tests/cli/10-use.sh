#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 10-use.sh - wrong use gets exactly one line and exit status 2; help fits a screen.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# wrong LINE ARGUMENT...
wrong() {
	run "${@:2}"
	expect 2 out= "err=uidwall: $1"
	[[ $(wc -l <"$dir/err") -eq 1 ]] || verdict "one line for: ${*:2}" "$(cat "$dir/err")"
}

wrong 'missing verb; "uidwall --help" lists them'
wrong 'unknown verb "chekc"; did you mean "check"?' chekc
wrong 'unknown verb "frobnicate"; "uidwall --help" lists them' frobnicate
wrong 'unknown verb ""; "uidwall --help" lists them' ''
wrong 'unknown verb "a\x1b[31mb"; "uidwall --help" lists them' $'a\033[31mb'
wrong 'unknown option "--jsno"; did you mean "--json"?' check --jsno
wrong 'unknown option "-j"; "uidwall --help" lists them' -j check
wrong 'unknown option "--no-such-thing"; "uidwall --help" lists them' status --no-such-thing=1
wrong '--json takes no value' status --json=yes
wrong '--policies needs a value: --policies DIR' check --policies
wrong '--policies needs a value: --policies DIR' check --policies=
wrong '--confirm needs a value: --confirm TIME' apply --confirm --json
wrong '--write goes with "uidwall new", not with "status"' status --write
wrong 'unexpected argument "now"; expected "uidwall apply"' apply now
wrong 'unexpected argument "b"; expected "uidwall show SERVICE"' show a b
wrong 'missing argument; expected "uidwall show SERVICE"' show
wrong 'missing argument; expected "uidwall new SERVICE"' new
wrong 'unknown verb "shwo"; did you mean "show"?' help shwo
wrong '"Blog" is no name for a service; expected at most 32 of a-z, 0-9, _ and -, the first a letter or digit' new Blog
wrong '"-x" is no name for a service; expected at most 32 of a-z, 0-9, _ and -, the first a letter or digit' new -- -x
wrong '"a:b" is no user'"'"'s name or number; expected --user NAME' new a --user a:b

run --help
expect 0 err= '^usage: uidwall' '^  check \[PATH\.\.\.\]'
cp "$dir/out" "$dir/help"
run -h
verdict "-h is --help" "$(diff "$dir/help" "$dir/out")"
run help
verdict "help is --help" "$(diff "$dir/help" "$dir/out")"
run --version
expect 0 err= '^uidwall [0-9]+\.[0-9]+'
run --version --json
expect_json '.version | test("^[0-9]")'
run help --json
expect_json '.verbs | map(.verb) | contains(["check", "render", "apply", "status", "show", "new", "off", "on"])'

"$uidwall" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' >"$dir/verbs"
while read -r verb; do
	run "$verb" --help
	expect 0 err= "^usage: uidwall $verb" '^  --json'
	cp "$dir/out" "$dir/help"
	run help "$verb"
	verdict "help $verb is $verb --help" "$(diff "$dir/help" "$dir/out")"
	verdict "help $verb: on one screen, with an example" "$(awk '
		length > 80 { print "longer than 80 columns: " $0 }
		/^  uidwall / { examples++ }
		END {
			if (NR > 30) print "longer than 30 lines"
			if (!examples) print "no example"
		}' "$dir/out")"
done <"$dir/verbs"
plan
