#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# golden.sh [--update] [CASE]... - what "uidwall check" says and "uidwall render" writes about the policies of
# each folder beside this file is what stands in its `diag` and `ruleset.nft`.
#
# A case is a folder of policies, with, as needed: uidwall.json; passwd, group, subuid, resolv.conf instead of
# those in etc/; `args`, what is named on the command line instead of the folder; `setup`, a script for
# what git does not keep (owners, pipes, odd bytes). --update writes what is said now.
#
# All cases run in one mount and network namespace with an /etc and /run of their own, so neither the users
# nor the ports nor the systemd of this machine count.
set -u

if [[ ${UIDWALL_GOLDEN:-} != inside ]]; then
	if [[ $EUID -ne 0 ]] || ! unshare --mount --net true 2>/dev/null; then
		echo "needs root and namespaces"
		exit 77
	fi
	UIDWALL_GOLDEN=inside exec unshare --mount --net --propagation private -- "$0" "$@"
fi

here=$(cd "$(dirname "$0")" && pwd)
export srcdir=${srcdir:-${here%/tests/golden}}
uidwall=$(realpath "${builddir:-.}")/uidwall
[[ -x $uidwall ]] || {
	echo "$uidwall is not built"
	exit 77
}
update=
if [[ ${1:-} == --update ]]; then
	update=1
	shift
fi
umask 022
unset NO_COLOR
export LC_ALL=C.UTF-8

work=$(mktemp -d) || exit 99
trap 'umount /etc /run 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/etc"
cp -a /etc/ld.so.* /etc/alternatives "$work/etc/" 2>/dev/null
mount --bind "$work/etc" /etc || exit 99
mount -t tmpfs tmpfs /run || exit 99 # with no systemd in it

n=0
failed=0

# compare CASE FILE GOT - shows how they differ, or writes what was got
compare() {
	local want=$here/$1/$2
	cmp -s "$want" "$3" && return 0
	if [[ $update ]]; then
		cp "$3" "$want"
		echo "# $1/$2 is new"
		return 0
	fi
	diff -u "$want" "$3" | sed 's/^/# /'
	return 1
}

run_case() {
	local name=$1 case=$here/$1 bad=0 status file args=(policies)
	rm -rf "$work/case" /run/systemd
	mkdir -p "$work/case/policies"
	cd "$work/case" || exit 99
	for file in passwd group subuid resolv.conf nsswitch.conf; do
		if [[ -e $case/$file ]]; then
			cp "$case/$file" "/etc/$file"
		else
			cp "$here/etc/$file" "/etc/$file"
		fi
	done
	for file in "$case"/*.json; do
		[[ -e $file ]] || continue
		if [[ $file == */uidwall.json ]]; then
			cp "$file" .
		else
			cp "$file" policies/
		fi
	done
	chmod -R u=rwX,go=rX .
	if [[ -e $case/setup ]]; then
		# shellcheck source=/dev/null
		(. "$case/setup") || bad=1
	fi
	[[ ! -e $case/args ]] || read -ra args <"$case/args"

	"$uidwall" check --config uidwall.json "${args[@]}" >"$work/out" 2>"$work/err"
	status=$?
	compare "$name" diag "$work/out" || bad=1
	if [[ -s $work/err ]]; then
		echo "# check wrote to stderr:"
		sed 's/^/# /' "$work/err"
		bad=1
	fi
	if [[ $status -ne $(grep -cm 1 ' error: ' "$work/out") ]]; then
		echo "# exit status $status of check"
		bad=1
	fi
	if [[ -e $case/ruleset.nft ]]; then
		"$uidwall" render --config uidwall.json "${args[@]}" >"$work/out" 2>"$work/err"
		status=$?
		compare "$name" ruleset.nft "$work/out" || bad=1
		if [[ $status -ne 0 ]]; then
			sed 's/^/# /' "$work/err"
			echo "# exit status $status of render"
			bad=1
		fi
	fi
	n=$((n + 1))
	if [[ $bad -eq 0 ]]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		failed=1
	fi
}

[[ $# -gt 0 ]] || set -- "$here"/*/
for case; do
	case=$(basename "$case")
	[[ $case == etc ]] || run_case "$case"
done
echo "1..$n"
exit "$failed"
