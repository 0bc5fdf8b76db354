#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# words.sh - every file says its licence, none was built, and none carries a path of the machine it was
# written on.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"

# Formats without comments, texts for people, and inputs whose every byte counts.
without_comments() {
	case $1 in
	LICENSE | *.md | *.json | *.txt | *.nft | *.diag | .gitignore | */corpus/* | tests/golden/*/*) return 0 ;;
	esac
	return 1
}

bad=$(files '*' | while read -r f; do without_comments "$f" || printf '%s\0' "$f"; done |
	xargs -0 -r awk '
		FNR == 1 { if (name && !seen) print name; name = FILENAME; seen = 0 }
		/SPDX-License-Identifier: GPL-2.0-or-later/ { seen = 1 }
		FNR == 3 { nextfile }
		END { if (name && !seen) print name }' | sed 's/$/: no SPDX line in its first three/')
verdict "licence lines" "$bad"

# The path of this tree, and home folders.
words=(-e '/home/[a-z0-9_]+/' -e '/root/[a-z.]')
here=$(pwd -P)
[[ $here == */*/* ]] && words+=(-e "$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$here")")
bad=$(files '*' | grep -v '^tests/lint/words\.sh$' | tr '\n' '\0' |
	xargs -0 -r grep -InE "${words[@]}" -- 2>/dev/null)
verdict "no paths of one machine" "$bad"

bad=
while read -r f; do
	LC_ALL=C IFS= read -r -N 4 magic <"$f" 2>/dev/null
	[[ $magic == $'\x7fELF' ]] && bad+="$f: a program"$'\n'
done < <(files '*')
verdict "nothing that was built" "${bad%$'\n'}"

bad=$(files '*' | tr '\n' '\0' | xargs -0 -r grep -IlP '[ \t]+$' -- 2>/dev/null | grep -v '\.md$' |
	grep -vE '^(LICENSE|tests/golden/|tests/fuzz/corpus/)')
verdict "no white space at line ends" "$bad"
plan
