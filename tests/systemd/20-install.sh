#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20-install.sh - the README's way from "make install" to a wall, on a machine that is up already, and
# what is there after a reboot.
# timeout: 240
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

# Units below any other prefix are not found by systemd.
prefix=$(sed -n 's/^prefix = //p' "$builddir/Makefile" 2>/dev/null)
case ${SDBOX:-}$prefix in
1 | /usr | /usr/local) ;;
*)
	echo "installed below $prefix, systemd finds no units"
	exit 77
	;;
esac
machine_install=()
machine_prepare=()
machine_boot --then "srcdir=/ builddir=/ bash /usr/local/lib/uidwall-tests/20-install.sh again"

if [[ ${1-} == again ]]; then
	check "after a reboot the daemon runs" systemctl is-active uidwalld.service
	check "and answers" uidwall status
	equal "the policies are in force" "chain svc-blog { chain svc-stranger {" \
		"$(rules | grep -o 'chain svc-.* {' | sort | xargs)"
	equal "nothing failed" "" "$(systemctl --failed --plain --no-legend --no-pager)"
	finish
fi

equal "the daemon does not run yet" inactive "$(systemctl is-active uidwalld.service)"
check "systemd-sysusers" systemd-sysusers
check "systemd-tmpfiles --create" systemd-tmpfiles --create
check "systemctl daemon-reload" systemctl daemon-reload
check "systemctl enable --now uidwalld" systemctl --quiet enable --now uidwalld
equal "the daemon runs" active "$(systemctl is-active uidwalld.service)"
equal "and its socket" "active socket root:root 666" "$(systemctl is-active uidwalld.socket) $(
	stat -c '%F %U:%G %a' /run/uidwall/control.sock)"
check "uidwall new stranger --write" uidwall new stranger --write
check "uidwall check" uidwall check
check "uidwall apply" uidwall apply
check "uidwall status" uidwall status
check "the far side answers" far_side
check "the new policy is in force" refused 2050 192.0.2.1:9090
check "the old one as well" refused 2003 192.0.2.1:9090
check "and what it allows passes" reaches 2003 192.0.2.1:8080
check "uidwall selftest finds its helper, and no surprise" uidwall selftest
check "the schema is installed" jq -e .title "$(dirname "$(dirname "$(command -v uidwalld)")")/share/uidwall/policy.schema.json"
finish
