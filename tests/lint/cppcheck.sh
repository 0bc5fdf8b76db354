#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cppcheck.sh - cppcheck finds nothing in the C sources.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need cppcheck

mapfile -t sources < <(files 'src/*.c')
# It sees no cleanup attributes (AUTO): leaks are the address sanitizer's to find.
out=$(cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--library=tests/lint/jansson.cfg --inline-suppr \
	-j "$(nproc)" \
	--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
	--suppress=memleak --suppress=resourceLeak -D_GNU_SOURCE -Isrc "${sources[@]}" 2>&1)
result $? "cppcheck of ${#sources[@]} files" <<<"$out"
plan
