# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the tests of faults add to tests/netns/lib.sh: libraries that are preloaded or take the
# place of others, and the drivers in Python.

: "${srcdir:?}" "${builddir:?}"

# A preloaded library must be readable for the daemon's user.
preload_install() {
	programs_copy
	install -m 755 "$builddir/tests/faults/fail.so" "$T/bin/fail.so"
	install -m 755 "$builddir/tests/faults/libnss_stuck.so" "$T/bin/libnss_stuck.so.2"
}

# ASan has an allocator of its own, and wants to be loaded first.
needs_plain_build() {
	! readelf -d "$UIDWALLD" | grep -q 'NEEDED.*asan' || skip_all "not with a sanitizer: $1"
}

# drive DRIVER [ARGUMENT]...: the rest of the test; does not return
drive() {
	local driver=$1
	shift
	preload_install
	DAEMON_UID=$(uid_of uidwall)
	FAIL_SO=$T/bin/fail.so
	export T POLICIES CONFIG CONTROL STATE DAEMON_UID FAIL_SO PYTHONDONTWRITEBYTECODE=1
	exec python3 "$srcdir/tests/faults/$driver" "$@"
}
