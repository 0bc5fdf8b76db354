#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh - shellcheck has nothing to say about any script.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need shellcheck

scripts=()
while read -r f; do
	if [[ $f != *.sh ]]; then
		IFS= read -r first <"$f" || continue
		[[ $first =~ ^#!.*[/\ ](ba)?sh ]] || continue
	fi 2>/dev/null
	scripts+=("$f")
done < <(files '*')
# SC2016: $ in single quotes is meant for another shell; SC2001: sed is fine; SC2317: functions that are
# called by name through others look unreachable
verdicts shellcheck -x -P SCRIPTDIR -P . -e SC2016,SC2001,SC2317 -- "${scripts[@]}"
plan
