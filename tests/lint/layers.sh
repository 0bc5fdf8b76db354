#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# layers.sh - includes name their folder, point only where the table of layers lets them, each outside
# library stays in its home, and every header compiles alone.
# shellcheck source=tests/lint/lib.sh
. "$(dirname "$0")/lib.sh"

# folder: what it may include besides itself
declare -A arrows=(
	[base]=""
	[policy]="base names"
	[plan]="base policy"
	[backend]="base plan"
	[backend/nl]="base plan backend kernel"
	[wire]="base"
	[names]="base"
	[kernel]="base"
	[why]="base names policy plan backend kernel wire"
	[diff]="base policy plan backend wire"
	[sandbox]="base"
	[service]="base"
	[runtime]="base names policy plan backend backend/nl kernel wire why diff sandbox service"
	[proxy]="base names kernel sandbox service proxy/serve proxy/resolve proxy/out proxy/daemon"
	[proxy/parse]="base names"
	[proxy/resolve]="base"
	[proxy/out]="base"
	[proxy/daemon]="base names wire"
	[proxy/serve]="base names kernel proxy/parse proxy/resolve proxy/out proxy/daemon"
	[selftest]="base"
	[cli]="base names policy plan backend kernel wire why diff selftest"
)

# header: folders that may include it
declare -A homes=(
	[jansson.h]="policy wire"
	[libmnl/]="backend/nl kernel"
	[libnftnl/]="backend/nl"
	[linux/netfilter]="plan backend backend/nl kernel runtime"
	[event2/]="runtime proxy proxy/serve proxy/resolve proxy/out proxy/daemon"
	[seccomp.h]="sandbox"
	[cap-ng.h]="sandbox"
	[http_parser.h]="proxy/parse"
	[ares.h]="proxy/resolve"
	[idn2.h]="names"
	[curl/]="proxy proxy/out selftest"
)

folder_of() {
	local d=${1#src/}
	[[ $d == */* ]] && echo "${d%/*}" || echo main
}

mapfile -t sources < <(files 'src/*.c' 'src/*.h')
for f in "${sources[@]}"; do
	folder=$(folder_of "$f")
	bad=
	if [[ $folder != main && ! -v arrows[$folder] ]]; then
		bad="src/$folder is no layer; tests/lint/layers.sh has the table"
	fi
	while read -r quote name; do
		if [[ $quote == '"' && $name == config.h ]]; then
			continue
		elif [[ $quote == '"' ]]; then
			to=${name%/*}
			if [[ $name != */* || ! -e src/$name ]]; then
				bad+="\"$name\": an include names its folder below src/"$'\n'
			elif [[ $folder != main && $to != "$folder" && " ${arrows[$folder]-} " != *" $to "* ]]; then
				bad+="\"$name\": $folder may include only: $folder ${arrows[$folder]-}"$'\n'
			fi
			continue
		fi
		for library in "${!homes[@]}"; do
			[[ $name == "$library"* && $folder != main ]] || continue
			[[ " ${homes[$library]} " == *" $folder "* ]] ||
				bad+="<$name> has its home in: ${homes[$library]}"$'\n'
		done
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*(["<])([^">]*)[">].*/\1 \2/p' "$f")
	verdict "$f: includes" "${bad%$'\n'}"
done

cc=${CC:-cc}
flags=()
for library in jansson libmnl libnftnl libevent_core; do
	read -ra more < <(pkg-config --cflags "$library" 2>/dev/null)
	flags+=(${more[@]+"${more[@]}"})
done
for f in "${sources[@]}"; do
	[[ $f == *.h ]] || continue
	out=$("$cc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -Isrc \
		"${flags[@]}" -fsyntax-only -x c - 2>&1 <<<"#include \"${f#src/}\"")
	verdict "$f: compiles alone" "$out"
done
plan
