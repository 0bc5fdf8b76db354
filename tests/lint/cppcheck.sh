#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cppcheck.sh - cppcheck finds nothing in the C sources.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need cppcheck

mapfile -t sources < <(files 'src/*.c')
out=$(cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--inline-suppr --suppress=missingInclude --suppress=missingIncludeSystem \
	--suppress=unmatchedSuppression -j "$(nproc)" -D_GNU_SOURCE -Isrc "${sources[@]}" 2>&1)
result $? "cppcheck of ${#sources[@]} files" <<<"$out"
plan
