#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 20-offline.sh - check, render and new: without a daemon, and by anybody.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# A user other than root, who cannot be governed.
user=nobody

policy good <<END
{ "user": "$user", "connect": [ { "to": "192.0.2.7", "port": 443 } ] }
END
run check --policies "$dir/policies"
expect 0 err= 'out=1 policy, no mistakes'
run --policies="$dir/policies" check --json
expect 0 err=
expect_json '. == { policies: 1, errors: 0, warnings: 0, diags: [] }'
run check "$dir/policies/good.json"
expect 0 'out=1 policy, no mistakes'
run render "$dir/policies"
expect 0 err= '^table inet uidwall' 'good.json:1 connect'
cp "$dir/out" "$dir/text"
run render "$dir/policies/good.json" --json
expect 0 err=
command -v jq >/dev/null &&
	verdict "render --json holds the same text" "$(jq -jr .ruleset "$dir/out" | diff "$dir/text" -)"

policy bad <<END
{
  "user": "no-such-user-here",
  "connect": [ { "to": "192.0.2.7", "prot": 443 } ]
}
END
run check --policies "$dir/policies"
expect 1 err= 'bad\.json:2:11: error: unknown user' 'bad\.json:3:37: error: unknown key "prot"' \
	'^2 policies: [0-9]+ errors in 1 file$'
run check --policies "$dir/policies" --json
expect 1 err=
expect_json '.errors >= 2 and (.diags[0] | .severity == "error" and .line == 2 and .column == 11
	and (.file | endswith("bad.json")) and (.message | startswith("unknown user"))
	and (.excerpt | contains("no-such-user-here")) and .caret > 0)'
run render "$dir/policies"
expect 1 out=
verdict "render says why there is nothing" "$(grep -q '^uidwall: nothing rendered: ' "$dir/err" || cat "$dir/err")"
run render "$dir/policies" --json
expect 1 out=
run check "$dir/nowhere"
expect 1 err= 'nowhere: error: cannot read'
printf '{ "resolverz": [] }\n' >"$dir/bad-config.json"
chmod 644 "$dir/bad-config.json"
run check --config "$dir/bad-config.json" --policies "$dir/policies"
expect 1 'bad-config\.json:1:3: error: unknown key "resolverz"'

# A name that would move the cursor of a terminal.
mkdir "$dir/evil"
printf '{}' >"$dir/evil/"$'a\033[2Jb.json'
chmod -R go-w "$dir/evil"
run check "$dir/evil"
expect 1 'a\\x1b\[2Jb\.json'
verdict "no escape reaches stdout" "$(tr -d '\n\t' <"$dir/out" | grep -c '[[:cntrl:]]' | grep -v '^0$')"
run check "$dir/evil" --json
expect_json '.diags | length > 0'

run new web --user "$user"
expect 0 err= '"user": "nobody"'
mkdir "$dir/new"
cp "$dir/out" "$dir/new/web.json"
chmod go-w "$dir/new" "$dir/new/web.json"
run check "$dir/new"
expect 0 'out=1 policy, no mistakes'
run new web --user 4711 --json
expect 0 err=
expect_json '.service == "web" and .policy.user == 4711 and .written == null'
run new web --write --user "$user" --policies "$dir/new"
expect 1 out= "err=uidwall: $dir/new/web.json exists already and stays as it is"
old=$(umask)
umask 077
run new shop --write --user "$user" --policies "$dir/new"
umask "$old"
expect 0 err= 'Wrote .*/shop\.json'
verdict "a file that uidwalld can read" \
	"$(stat -c %a "$dir/new/shop.json" | grep -vx 644; jq -e . "$dir/new/shop.json" 2>&1 >/dev/null)"
run new web --write --policies "$dir/nowhere"
expect 1 out=
run new no-such-user-here
expect 0 '"user": "no-such-user-here"'
verdict "new says when the user does not exist" \
	"$(grep -q 'there is no user "no-such-user-here" yet' "$dir/err" || cat "$dir/err")"

# Not as root: files may belong to root or to the caller, and to nobody else.
if [[ $EUID -eq 0 ]] && command -v setpriv >/dev/null; then
	as_nobody=(setpriv --reuid=nobody --clear-groups)
	rm "$dir/policies/bad.json"
	if "${as_nobody[@]}" test -x "$uidwall" -a -r "$dir/policies/good.json"; then
		"${as_nobody[@]}" "$uidwall" check --config "$dir/uidwall.json" "$dir/policies" \
			>"$dir/out" 2>"$dir/err"
		status=$? command="nobody: uidwall check, files of root"
		expect 0 err= 'out=1 policy, no mistakes'
		chown 1 "$dir/policies/good.json"
		"${as_nobody[@]}" "$uidwall" check --config "$dir/uidwall.json" "$dir/policies" \
			>"$dir/out" 2>"$dir/err"
		status=$? command="nobody: uidwall check, a file of uid 1"
		expect 1 err= 'belongs to uid 1'
	fi
fi
plan
