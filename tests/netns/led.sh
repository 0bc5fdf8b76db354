# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# led.sh - a stand-in for the proxy, and who is led there. Sourced behind private.

start proxy python3 "$(dirname "$0")/standin.py"

# led USER TARGET [OPTION]...: to the proxy, which knows the target; nothing leaves the box
led() {
	local name="$1 ${*:3} to $2 is led to the proxy" out mark seen arrived address=${2%:*}
	settle
	mark=$(captured)
	seen=$(wc -l <"$T/proxy.log")
	out=$(attempt "$1" "${@:3}" -m echo tcp "$2" 2>&1)
	fence
	arrived=$(arrived_since "$mark")
	address=${address#[} address=${address%]}
	if [[ $out != *'"result":"ok"'* ]]; then
		fail "$name" "$out"
	elif ! tail -n "+$((seen + 1))" "$T/proxy.log" | grep -qx "led $address ${2##*:}"; then
		fail "$name" "$(tail -n "+$((seen + 1))" "$T/proxy.log")"
	elif [[ -n $arrived ]]; then
		fail "$name" "$arrived"
	else
		pass "$name"
	fi
	# shellcheck disable=SC2034,SC2154 # lib.sh's
	clean_at=$n_tests
}

# direct USER TARGET: goes there, and the proxy sees nothing of it
direct() {
	local seen
	seen=$(wc -l <"$T/proxy.log")
	goes "$1" -m echo tcp "$2"
	is "$1 to $2 is not led to the proxy" "$(wc -l <"$T/proxy.log")" -eq "$seen"
}
