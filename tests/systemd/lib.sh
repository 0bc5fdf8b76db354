# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - a test under a real systemd: the script runs again, as root, in a machine that was just booted
# and has uidwall installed. Sourced first, then
#
#     machine_boot [OPTION OF SDBOX]...
#
# which outside boots the machine and exits with the result, and inside returns. The machine is an
# overlay of this one (tests/tools/sdbox): nothing it does lasts, and it ends with the script.
#
#   the machine                                     network namespace "sink"
#   +-------------------------------------+         +------------------------------------+
#   | eth0 192.0.2.2/24  2001:db8::2/64   +--veth---+ takes packets for every address    |
#   | users blog (2003), stranger (2050)  |         | nft counts what arrives, by port   |
#   +-------------------------------------+         +------------------------------------+
set -u
: "${srcdir:?}" "${builddir:?}"

# What a test may change before machine_boot: variables of "make install" (by default the units go
# where a package has them, wherever --prefix points), and what is done before the boot.
machine_install=(systemdsystemunitdir=/usr/lib/systemd/system sysusersdir=/usr/lib/sysusers.d
	tmpfilesdir=/usr/lib/tmpfiles.d)
machine_prepare=(--prepare systemd-sysusers --prepare 'systemctl --quiet enable uidwalld.service')

n_tests=0
n_failed=0

ok() {
	echo "ok $((++n_tests)) - $1"
}

# not_ok NAME [DETAIL]
not_ok() {
	echo "not ok $((++n_tests)) - $1"
	n_failed=$((n_failed + 1))
	[[ -z ${2-} ]] || sed 's/^/# /' <<<"$2"
}

# check NAME COMMAND... - good when the command succeeds; its output is shown otherwise
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$name"
	else
		not_ok "$name" "exit status $?: $*"$'\n'"$out"
	fi
}

# equal NAME WANTED FOUND
equal() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "wanted: $2"$'\n'"found:  $3"
	fi
}

# eventually SECONDS COMMAND... - waits until it succeeds
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

finish() {
	((n_failed == 0)) || journalctl -q --no-pager -o short-monotonic -u 'uidwall*' | tail -n 60 | sed 's/^/# /'
	echo "1..$n_tests"
	exit $((n_failed > 0))
}

property() {
	systemctl show -P "$2" "$1"
}

machine_boot() {
	[[ ${SDBOX:-} != 1 ]] || return 0

	local why scratch sdbox=$srcdir/tests/tools/sdbox script
	script=$(realpath "$0")
	if ! why=$("$sdbox" check 2>&1); then
		echo "$why"
		exit 77
	fi
	[[ -x $builddir/uidwalld ]] || {
		echo "there is no uidwalld to install"
		exit 77
	}
	scratch=$(mktemp -d /var/tmp/uidwall-machine.XXXXXX) || exit 99
	# shellcheck disable=SC2064
	trap "rm -rf '$scratch'" EXIT
	trap 'exit 99' HUP INT TERM

	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$builddir" install-exec install-data \
		DESTDIR="$scratch/root" "${machine_install[@]}" >"$scratch/log" 2>&1 || {
		cat "$scratch/log"
		exit 99
	}
	local copies=() d
	for d in "$scratch"/root/*; do
		copies+=(--copy "$d:/${d##*/}")
	done
	mkdir "$scratch/policies"
	policy blog '{ "user": "blog", "dns": false, "proxy": false,
		"connect": [ { "to": "192.0.2.1", "port": 8080 }, { "to": "2001:db8::1", "port": 8080 } ] }' \
		"$scratch/policies"
	# A sanitized build needs what the sandbox rightly forbids.
	if readelf -d "$builddir/uidwalld" | grep -q 'NEEDED.*asan'; then
		printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\nMemoryDenyWriteExecute=no\n' \
			>"$scratch/sanitizers.conf"
		for d in uidwalld uidwall-proxy; do
			copies+=(--copy "$scratch/sanitizers.conf:/etc/systemd/system/$d.service.d/")
		done
	fi

	"$sdbox" run --sink --timeout 150 "${copies[@]}" \
		--copy "$scratch/policies:/etc/uidwall/policies" \
		--copy "$srcdir/tests/systemd:/usr/local/lib/uidwall-tests" \
		--copy "$builddir/tests/tools/attempt:/usr/local/bin/" \
		--copy "$builddir/tests/tools/sink:/usr/local/bin/" \
		--setenv srcdir=/nonexistent --setenv builddir=/nonexistent \
		--prepare 'useradd --uid 2003 blog && useradd --uid 2050 stranger' \
		"${machine_prepare[@]}" "$@" -- bash "/usr/local/lib/uidwall-tests/${script##*/}" </dev/null
	exit
}

# policy NAME JSON [FOLDER] - one policy file, as an administrator would put it there
policy() {
	printf '%s\n' "$2" >"${3:-/etc/uidwall/policies}/$1.json"
	chmod 644 "${3:-/etc/uidwall/policies}/$1.json"
}

# --- the far side ---------------------------------------------------------------------------------

# Answers on 8080, 9090 and 9091, and counts what arrives for them, refused or not.
far_side() {
	ip netns exec sink sink serve echo:tcp:8080 echo:tcp:9090 echo:tcp:9091 >/run/sink.log 2>&1 &
	ip netns exec sink nft -f - <<-'N' || return
	table inet count {
		counter at9090 { }
		counter at9091 { }
		chain input {
			type filter hook input priority 0;
			tcp dport 9090 counter name at9090
			tcp dport 9091 counter name at9091
		}
	}
	N
	eventually 5 grep -q ready /run/sink.log
}

# arrived PORT - packets
arrived() {
	ip netns exec sink nft -j list counter inet count "at$1" |
		sed -n 's/.*"packets": \([0-9]*\).*/\1/p'
}

reaches() {
	attempt -u "$1" -t 2000 tcp "$2"
}

refused() {
	local out
	out=$(attempt -u "$1" -t 2000 tcp "$2")
	echo "$out"
	grep -q '"refused"' <<<"$out"
}

rules() {
	nft list table inet uidwall
}
