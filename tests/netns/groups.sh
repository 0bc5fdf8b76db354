# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# groups.sh - control groups of our own below the cgroup2 mount, for tests of `unit`. Sourced between
# lib.sh and private:
#
#     . "${0%/*}/groups.sh"; groups "$@"; private "$@"
#
# They are not the namespaces' own and would stay behind. So somebody outside waits until the last
# process of the test has let go of a pipe, whatever ended it, and removes them.

# groups "$@": sets GROUPS_MOUNT, the cgroup2 mount, and GROUPS_NAME, the name of a folder there that is
# ours; ends in ".slice", as systemd's do.
groups() {
	GROUPS_MOUNT=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[[ -n $GROUPS_MOUNT ]] || skip_all "no cgroup2 is mounted"
	if [[ -z ${GROUPS_NAME:-} ]]; then
		export GROUPS_NAME=uwtest$$.slice
		mkdir "$GROUPS_MOUNT/$GROUPS_NAME" 2>/dev/null || skip_all "no control groups can be made"
		# shellcheck disable=SC2034 # held open by all of us, that is all
		exec {GROUPS_PIPE}> >(setsid bash -c '
			trap "" HUP INT TERM
			cat >/dev/null
			for i in {1..50}; do
				find "$0" -depth -type d -exec rmdir {} + 2>/dev/null
				[ -d "$0" ] || exit 0
				sleep 0.1
			done' "$GROUPS_MOUNT/$GROUPS_NAME")
	fi
}

# group_make PATH...: below our own folder
group_make() {
	local path
	for path; do
		mkdir -p "$GROUPS_MOUNT/$GROUPS_NAME/$path" || die "cannot make the group $path"
	done
}

group_remove() {
	rmdir "$GROUPS_MOUNT/$GROUPS_NAME/$1"
}

# group_remove_all PATH: with all below it; false while processes are in there
group_remove_all() {
	find "$GROUPS_MOUNT/$GROUPS_NAME/$1" -depth -type d -exec rmdir {} +
}

group_id() {
	stat -c %i "$GROUPS_MOUNT/$GROUPS_NAME/$1"
}

# in_group PATH COMMAND...: the command as a process of that group
in_group() {
	local path=$1
	shift
	(
		echo 0 >"$GROUPS_MOUNT/$GROUPS_NAME/$path/cgroup.procs" || exit 99
		exec "$@"
	)
}
