#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20-shrink.sh - an evaluator with a mistake is found out, and the counterexample is a small one: it
# shows the mistake again, and without the mistake nothing.
set -u

proof=${builddir:-.}/tests/proof/test-proof
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0

"$proof" --seed 1 --packets 1 --policies >"$tmp/out" 2>&1
status=$?
if [[ $status -ne 0 ]]; then
	tail -n 1 "$tmp/out"
	exit "$status" # 77: it cannot run here
fi

# result STATUS NAME
result() {
	n=$((n + 1))
	[[ $1 -eq 0 ]] && echo "ok $n - $2" || echo "not ok $n - $2"
}

# How much a counterexample says: services, lines of their policies, shots.
size() {
	python3 - "$1" <<-'PYTHON'
		import json, sys
		case = json.load(open(sys.argv[1]))
		lines = sum(len(v) if isinstance(v, list) else 1 for s in case["services"]
			for k, v in s["policy"].items() if k not in ("user", "users", "uids"))
		print(len(case["services"]), lines, len(case["shots"]))
	PYTHON
}

# mistake SERVICES LINES - how large the counterexample may be
mistake() {
	local services lines shots
	"$proof" --seed 1 --packets 6000 --policies --break "$1" >"$tmp/out" 2>&1
	grep -q '^not ok' "$tmp/out"
	result $? "$1: found"
	sed -n '/^# --- counterexample/,/^# --- end/{/^# ---/d;s/^# //;p}' "$tmp/out" >"$tmp/case"
	read -r services lines shots < <(size "$tmp/case")
	[[ ${services:-99} -le $2 && ${lines:-99} -le $3 && ${shots:-99} -eq 1 ]]
	result $? "$1: shown by ${services:-no} service, ${lines:-no} line, ${shots:-no} packet"
	"$proof" --replay "$tmp/case" --break "$1" >"$tmp/again" 2>&1
	[[ $? -eq 1 ]]
	result $? "$1: the counterexample shows it again"
	"$proof" --replay "$tmp/case" >"$tmp/again" 2>&1
	result $? "$1: without the mistake it shows nothing"
}

mistake range-end 1 2
mistake no-interface 1 2
mistake negation 1 2
mistake element 1 2
echo "1..$n"
