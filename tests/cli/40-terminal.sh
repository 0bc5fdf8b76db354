#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 40-terminal.sh - colour on terminals only, and what cannot be written is not passed over.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

policy bad <<END
{ "user": "no-such-user-here" }
END
policy good <<END
{ "user": "nobody" }
END
escape=$'\033'

# on_terminal COMMAND - its output, as a terminal of 100 columns would get it
on_terminal() {
	script -qec "stty cols 100 2>/dev/null; $1" /dev/null </dev/null 2>&1 | tr -d '\r'
}

check="'$uidwall' check --config '$dir/uidwall.json' '$dir/policies'"
if command -v script >/dev/null; then
	out=$(TERM=xterm on_terminal "$check")
	verdict "colour on a terminal" "$([[ $out == *"${escape}["*error* ]] || echo "$out")"
	for environment in TERM=dumb TERM= NO_COLOR=1; do
		out=$(TERM=xterm on_terminal "env $environment $check")
		verdict "no colour with $environment" "$([[ $out == *"error:"* && $out != *"$escape"* ]] || echo "$out")"
	done
	out=$(TERM=xterm on_terminal "$check --json")
	verdict "no colour in JSON" "$([[ $out == *'"errors"'* && $out != *"$escape"* ]] || echo "$out")"
	out=$(TERM=xterm on_terminal "$check | cat")
	verdict "no colour into a pipe" "$([[ $out == *"error:"* && $out != *"$escape"* ]] || echo "$out")"
	out=$(TERM=xterm on_terminal "'$uidwall' render --config '$dir/uidwall.json' '$dir/policies/good.json'")
	verdict "no colour in rules" "$([[ $out == *"table inet"* && $out != *"$escape"* ]] || echo "$out")"

	if command -v python3 >/dev/null; then
		mkdir "$dir/answers"
		start_daemon "$dir/answers"
		echo 1.5 >"$dir/answers/apply.delay"
		printf '{ "ok": true, "services": 0, "total_us": 1, "kernel_us": 1, "diags": [] }' >"$dir/answers/apply.json"
		out=$(TERM=xterm on_terminal "'$uidwall' --control '$control' apply")
		verdict "a long apply shows that it waits" \
			"$([[ $out == *"uidwalld is working: 1 s"*"${escape}[K"*"In force"* ]] || echo "$out")"
		out=$(TERM=dumb on_terminal "'$uidwall' --control '$control' apply")
		verdict "but not on a dumb terminal" "$([[ $out != *working* && $out == *"In force"* ]] || echo "$out")"
	fi
else
	n=$((n + 1))
	echo "ok $n - terminals # SKIP script is not installed"
fi

render() {
	"$uidwall" render --config "$dir/uidwall.json" "$dir/policies/good.json"
}

if [[ -w /dev/full ]]; then
	render >/dev/full 2>"$dir/err"
	status=$? command="uidwall render >/dev/full"
	: >"$dir/out"
	expect 1 "err=uidwall: cannot write all of it to stdout: No space left on device"
	"$uidwall" --help >/dev/full 2>/dev/null
	status=$? command="uidwall --help >/dev/full"
	expect 1
fi
render >&- 2>"$dir/err"
status=$? command="uidwall render >&-"
expect 1 "err=uidwall: cannot write all of it to stdout: Bad file descriptor"
(
	trap '' PIPE
	render 2>"$dir/err"
	echo $? >"$dir/status"
) | true
sleep 0.2
status=$(cat "$dir/status") command="uidwall render | true"
# The reader may have been slower than the writer: then all was well.
[[ $status -eq 0 ]] || expect 1 "err=uidwall: cannot write all of it to stdout: Broken pipe"
plan
