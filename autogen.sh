#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# autogen.sh - makes ./configure out of configure.ac and Makefile.am.
set -e
cd "$(dirname "$0")"
command -v autoreconf >/dev/null || {
	echo "autogen.sh: autoreconf is missing; install autoconf and automake" >&2
	exit 1
}
exec autoreconf --install --warnings=all
