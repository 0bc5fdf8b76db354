#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/security.md says of every way out what closes it, and of none that is not tried; its figures are
# those of the lists. --write puts the table into the page.
set -u
: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${builddir:=$srcdir}"
PAGE=$srcdir/docs/security.md

ways() {
	"$builddir/tests/escape/attacker" --list
	/usr/bin/python3 "$srcdir/tests/escape/attacker.py" --list
}

# NAME-v4, NAME-v6 and NAME-mapped are one row; those of one family that are closed by default, too.
table() {
	ways | awk -F '\t' '
		{
			class = $1
			sub(/-(v4|v6|mapped)$/, "", class)
			if (class in closed)
				next
			closed[class] = $2
			family = class
			sub(/-.*/, "", family)
			if ($2 != "default") {
				order[++n] = class
				what[class] = $4
			} else if (family in names) {
				names[family] = names[family] ", `" class "`"
			} else {
				families[++n_families] = family
				names[family] = "`" class "`"
			}
		}
		END {
			print "| closed by `unit` | what |"
			print "| --- | --- |"
			for (i = 1; i <= n; i++)
				if (closed[order[i]] == "unit")
					print "| `" order[i] "` | " what[order[i]] " |"
			print ""
			print "| closed by neither | what |"
			print "| --- | --- |"
			for (i = 1; i <= n; i++)
				if (closed[order[i]] == "nothing")
					print "| `" order[i] "` | " what[order[i]] " |"
			print ""
			print "| closed by default |"
			print "| --- |"
			for (i = 1; i <= n_families; i++)
				print "| " names[families[i]] " |"
		}'
}

figures() {
	ways | awk -F '\t' '
		{ n++; count[$2]++ }
		END {
			printf "%d ways tried: %d closed by default, %d more by `unit`, %d by neither.\n", n,
				count["default"], count["unit"], count["nothing"]
		}'
}

generated() {
	figures
	echo
	table
}

written() {
	sed -n '/^<!-- ways: begin/,/^<!-- ways: end/p' "$PAGE" | sed '1d;$d'
}

if [[ ${1:-} == --write ]]; then
	new=$(mktemp) || exit 99
	{
		sed '/^<!-- ways: begin/q' "$PAGE"
		generated
		sed -n '/^<!-- ways: end/,$p' "$PAGE"
	} >"$new" && cat "$new" >"$PAGE"
	rm -f "$new"
	exit
fi

if diff <(written) <(generated); then
	echo "ok 1 - docs/security.md names every way out and what closes it"
else
	echo "not ok 1 - docs/security.md names every way out and what closes it"
	echo "# tests/escape/30-documents.sh --write brings it up to date"
fi
twice=$(ways | cut -f 1 | sort | uniq -d)
if [[ -z $twice ]]; then
	echo "ok 2 - no two ways have one name"
else
	echo "not ok 2 - no two ways have one name: $twice"
fi
echo 1..2
