#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# replay.sh - every input of every corpus, and every input that once broke something, goes through its
# parser again. A test for each corpus: tests/fuzz/corpus/SURFACE/ belongs to fuzz-SURFACE.
set -u
: "${srcdir:?}" "${builddir:?}"

n=0
for corpus in "$srcdir"/tests/fuzz/corpus/*/; do
	surface=$(basename "$corpus")
	program=$builddir/tests/fuzz/fuzz-$surface
	n=$((n + 1))
	if out=$(find "$corpus" -type f -print0 | sort -z | xargs -0 -r "$program" 2>&1); then
		echo "ok $n - $surface: $(find "$corpus" -type f | wc -l) inputs"
	else
		tail -n 60 <<<"$out" | sed 's/^/# /'
		echo "not ok $n - $surface"
	fi
done
echo "1..$n"
