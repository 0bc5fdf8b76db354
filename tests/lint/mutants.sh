#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mutants.sh - what tests/mutation/run breaks is still there: the text of each of its mutants occurs exactly
# once in its file, so that the table cannot rot.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need python3

exec tests/mutation/run --check
