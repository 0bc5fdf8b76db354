#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# format.sh - clang-format has nothing to change (make format lets it).
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need clang-format

mapfile -t sources < <(files '*.c' '*.h')
verdicts clang-format --dry-run -Werror -- "${sources[@]}"
plan
