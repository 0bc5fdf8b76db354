#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# agree.sh [ROUNDS [SEED]] - the generated JSON Schemas and the parser, which share their tables of keys, agree
# on every file, by the word of a real validator.
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${srcdir:=${here%/tests/schema}}" "${builddir:=.}"

python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null || {
	echo "needs python3-jsonschema"
	exit 77
}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
for kind in policy config; do
	"$builddir/gen-schema" "$kind" >"$tmp/$kind.schema.json" || exit 99
done
python3 "$here/agree.py" "$tmp" "$builddir/tests/tools/judge" "$srcdir" "$@"
