#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 50-documents.sh - manual pages are well-formed and complete, their key references are the parser's, and
# the policies shown in documents are right.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

schema=${builddir:-.}/gen-schema

if command -v mandoc >/dev/null; then
	for page in "$srcdir"/man/*.[158]; do
		bad=$(mandoc -Tlint "$page" 2>&1 | grep -vE 'referenced manual not found|mandoc\.db')
		verdict "${page##*/}: mandoc has nothing to say" "$bad"
	done
else
	n=$((n + 1))
	echo "ok $n - manual pages # SKIP mandoc is not installed"
fi

# words - where lines break does not count
words() {
	tr -s ' ' '\n' | sed '/^$/d'
}

# keys PAGE TABLE - the lines between the marks are what the parser's table says
keys() {
	sed -n "/^\.\\\\\" keys: $2\$/,/^\.\\\\\" end of keys\$/p" "$srcdir/man/$1" | sed '1d;$d' |
		words >"$dir/manual"
	"$schema" "$2-manual" | words >"$dir/parser"
	verdict "$1: the keys of the parser ($schema $2-manual | fold -s -w 78)" \
		"$(diff "$dir/parser" "$dir/manual")"
}

if [[ -x $schema ]]; then
	keys uidwall-policy.5 policy
	keys uidwalld.8 config
else
	n=$((n + 1))
	echo "ok $n - keys # SKIP gen-schema is not built"
fi

bad=
while read -r verb; do
	grep -qE "^\.It Cm $verb( |\$)" "$srcdir/man/uidwall.1" || bad+="no verb $verb"$'\n'
done < <("$uidwall" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
while read -r option; do
	grep -qE "^\.It Fl -$option( |\$)" "$srcdir/man/uidwall.1" || bad+="no option $option"$'\n'
done < <({ "$uidwall" --help && "$uidwall" new --help; } | sed -n 's/^  --\([a-z]*\) .*/\1/p')
verdict "uidwall.1: every verb and option" "$bad"

# examples FILE START END - writes the policies between such lines to $dir/examples/
examples() {
	rm -rf "$dir/examples"
	mkdir "$dir/examples"
	awk -v dir="$dir/examples" -v start="$2" -v end="$3" '
		$0 ~ end { if (out) close(out); out = "" }
		out { print >out }
		$0 ~ start { out = dir "/example" ++n }' "$1"
	grep -LE '^ *[{]' "$dir"/examples/* | xargs -r rm
	chmod -R go-w "$dir/examples"
}

# The users of an example need not exist here; nothing else may be wrong with it.
check_examples() {
	local example bad='' count=0
	for example in "$dir"/examples/*; do
		[[ -e $example ]] || continue
		count=$((count + 1))
		mv "$example" "$example.json"
		run check "$example.json"
		bad+=$(grep ': error: ' "$dir/out" | grep -v ': error: unknown user ')
	done
	[[ $count -gt 0 ]] || bad="no example found"
	verdict "$1: $count policies are right" "$bad"
}

for document in README.md docs/policy.md; do
	# shellcheck disable=SC2016 # backticks of Markdown
	examples "$srcdir/$document" '^```json$' '^```$'
	check_examples "$document"
done
# shellcheck disable=SC1003 # a dot of mdoc, escaped for awk
examples "$srcdir/man/uidwall-policy.5" '^[.]Bd -literal' '^[.]Ed'
check_examples uidwall-policy.5
plan
