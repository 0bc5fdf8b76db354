#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lists.sh - Makefile.am names every source and every test, so that none is left out of a build, of
# "make check" or of a distribution; and the client is linked with no netfilter library.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"

bad=
while read -r f; do
	[[ $f == */lib.sh ]] && continue
	grep -qE "(^|[[:space:]])${f//./\\.}([[:space:]]|\$)" Makefile.am ||
		bad+="$f is not in Makefile.am"$'\n'
done < <(files 'src/*.c' 'src/*.h' 'tests/*.sh' 'policies/*.json' 'man/*.[158]')
verdict "sources and scripts" "${bad%$'\n'}"

bad=
while read -r f; do
	grep -qE "(^|[[:space:]])${f%.c}(\.c)?([[:space:]]|\$)" Makefile.am ||
		bad+="$f: nothing of that name in Makefile.am"$'\n'
done < <(files 'tests/*.c')
verdict "test programs" "${bad%$'\n'}"

# The objects of a sanitizer build need what the sanitizers need.
client=${builddir:-.}/uidwall
if [[ -x $client ]]; then
	bad=$(readelf -d "$client" | grep -E 'NEEDED.*(nftnl|event|curl)')
	verdict "uidwall is linked without netfilter libraries" "$bad"
else
	n=$((n + 1))
	echo "ok $n - uidwall is linked without netfilter libraries # SKIP it is not built"
fi
plan
