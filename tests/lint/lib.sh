# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - what the lints share: the list of files, and one TAP line for each of them.
set -u
cd "${srcdir:-.}" || exit 99

n=0

# Root may well lint what belongs to somebody else.
git() {
	command git -c safe.directory='*' "$@"
}

# files PATTERN... - those of the repository, or of an unpacked distribution
files() {
	if git rev-parse --git-dir >/dev/null 2>&1 && git ls-files --error-unmatch configure.ac >/dev/null 2>&1; then
		git ls-files -- "$@" | while read -r f; do [[ -e $f ]] && echo "$f"; done
	else
		local find=() pattern
		for pattern in "$@"; do
			find+=(-o -path "./${pattern}")
		done
		find . -path ./.git -prune -o -type f \( "${find[@]:1}" \) -print | sed 's,^\./,,' | sort
	fi
}

# result STATUS NAME - output of the check comes on standard input, and is shown when it failed
result() {
	local out
	out=$(cat)
	n=$((n + 1))
	if [[ $1 -eq 0 ]]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
	[[ -z $out ]] || sed 's/^/# /' <<<"$out"
}

# verdict NAME TEXT - good when there is no text to complain with
verdict() {
	local bad=0
	[[ -z $2 ]] || bad=1
	result "$bad" "$1" <<<"$2"
}

# verdicts COMMAND... -- FILE...: the command's words about each file. It is run once with all of them, and
# only where it has something to say once more for each.
verdicts() {
	local command=() all f
	while [[ $1 != -- ]]; do
		command+=("$1")
		shift
	done
	shift
	all=$("${command[@]}" "$@" 2>&1)
	for f; do
		if [[ -z $all ]]; then
			verdict "$f" ""
		else
			verdict "$f" "$("${command[@]}" "$f" 2>&1)"
		fi
	done
}

need() {
	command -v "$1" >/dev/null && return
	echo "1..0 # SKIP $1 is not installed"
	exit 0
}

plan() {
	echo "1..$n"
}
