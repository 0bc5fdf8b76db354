# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - runs the command and says in TAP whether it did what was expected of it.
set -u

uidwall=${builddir:-.}/uidwall
srcdir=${srcdir:-.}
here=$(cd "$(dirname "$0")" && pwd)
n=0
daemon=

[[ -x $uidwall ]] || {
	echo "$uidwall is not built"
	exit 77
}
dir=$(mktemp -d) || exit 99
chmod 755 "$dir"
trap '[[ -z $daemon ]] || kill "$daemon"; rm -rf "$dir"' EXIT
unset NO_COLOR
control=$dir/control.sock
# No test looks at the configuration of this machine.
printf '{ "resolvers": ["192.0.2.53"] }\n' >"$dir/uidwall.json"
chmod 644 "$dir/uidwall.json"

# run ARGUMENT... - output and errors in $dir/out and $dir/err, status in $status
run() {
	command="uidwall $*"
	"$uidwall" --config "$dir/uidwall.json" --control "$control" "$@" \
		>"$dir/out" 2>"$dir/err" </dev/null
	status=$?
}

# verdict NAME TEXT - good when there is no text to complain with
verdict() {
	n=$((n + 1))
	if [[ -z $2 ]]; then
		echo "ok $n - $1"
		return
	fi
	echo "not ok $n - $1"
	echo "# ${2//$'\n'/$'\n# '}"
}

# expect STATUS [out=LINE] [err=LINE] [OUT~REGEX...] - about the last run: status, a whole line in one of
# the streams ("" for a silent one), or a pattern somewhere in stdout
expect() {
	local bad='' want
	[[ $status -eq $1 ]] || bad+="exit status $status, expected $1"$'\n'
	for want in "${@:2}"; do
		case $want in
		out= | err=)
			[[ ! -s $dir/${want%=} ]] || bad+="std${want%=} is not empty"$'\n'
			;;
		out=* | err=*)
			grep -qxF -- "${want#*=}" "$dir/${want%%=*}" || bad+="no line: $want"$'\n'
			;;
		*)
			grep -qE -- "$want" "$dir/out" || bad+="nothing in stdout like: $want"$'\n'
			;;
		esac
	done
	[[ -z $bad ]] || bad+=$(tail -n +1 "$dir/out" "$dir/err")
	verdict "$command" "$bad"
}

# expect_json FILTER - that stdout of the last run is JSON for which jq's filter is true
expect_json() {
	local bad=''
	command -v jq >/dev/null || {
		n=$((n + 1))
		echo "ok $n - $command: JSON # SKIP jq is not installed"
		return
	}
	jq -e "$1" "$dir/out" >/dev/null 2>"$dir/jq" || bad="not: $1"$'\n'$(cat "$dir/jq" "$dir/out")
	verdict "$command: JSON: $(tr -s ' \n\t' ' ' <<<"$1")" "$bad"
}

# policy NAME - a policy in the policies folder of the test, from standard input
policy() {
	mkdir -p "$dir/policies"
	cat >"$dir/policies/$1.json"
	chmod go-w "$dir/policies" "$dir/policies/$1.json"
}

# start_daemon FOLDER - answers as prepared there stand in for uidwalld
start_daemon() {
	command -v python3 >/dev/null || {
		echo "python3 is not installed"
		exit 77
	}
	"$here/answer.py" "$control" "$1" &
	daemon=$!
	for ((i = 0; i < 100; i++)); do
		[[ -S $control ]] && return
		sleep 0.05
	done
	echo "the stand-in does not start"
	exit 99
}

plan() {
	echo "1..$n"
}
