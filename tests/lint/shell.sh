#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh - shellcheck has nothing to say about any script.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"
need shellcheck

while read -r f; do
	[[ $f == *.sh || $(head -n 1 "$f" | tr -d '\0') =~ ^#!.*[/\ ](ba)?sh ]] || continue
	# SC2016: $ in single quotes is meant for another shell; SC2001: sed is fine; SC2317: functions
	# that are called by name through others look unreachable
	out=$(shellcheck -x -P SCRIPTDIR -P . -e SC2016,SC2001,SC2317 "$f" 2>&1)
	verdict "$f" "$out"
done < <(files '*')
plan
