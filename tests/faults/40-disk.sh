#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A full disk and a state folder that cannot be written: what is asked for is enforced all the same, the log and
# status say that it will not be remembered, nothing half-written stays, and the next start is closed. Sizes from
# nothing to enough, so that the disk is full at each of the steps. Topology: tests/netns/lib.sh.
# timeout: 120
. "$(dirname "$0")/../netns/lib.sh"
private "$@"

old() {
	policy blog <<<'{ "user": "blog", "dns": false, "proxy": false, "connect": [ { "to": "203.0.113.7", "port": 443, "protocol": "udp" } ] }'
}
new() {
	policy blog <<<'{ "user": "blog", "dns": false, "proxy": false, "connect": [ { "to": "203.0.113.8", "port": 443, "protocol": "udp" } ] }'
}

rules() {
	nft -s list chain inet uidwall svc-blog
}

is_new() {
	rules | grep -q 203.0.113.8
}

is_old() {
	rules | grep -q 203.0.113.7
}

closed() {
	rules | grep -q 'goto refuse' && { is_old || is_new || ! rules | grep -q 203.0.113; }
}

# half_files: what does not belong there, or is empty
half_files() {
	find "$STATE" -mindepth 1 \( -name '*.new' -o -empty \) -not -name ballast
}

start_daemon
old
check "the old policies" uidwall apply
stop_daemon KILL

# --- disks of all sizes: pages are 4 KiB, and each file takes one at least
sizes='4k 12k' inode_counts='2 3 5'
[[ ${FAULTS:-} != all ]] || sizes='4k 8k 12k 16k 20k' inode_counts='2 3 4 5 6 9'
enforced=0 said=0 n=0 bad=''
for size in $sizes; do
	for inodes in $inode_counts; do
		((++n))
		mount -t tmpfs -o "size=$size,nr_inodes=$inodes,mode=700,uid=$(uid_of uidwall),gid=$(uid_of uidwall)" tmpfs "$STATE"
		old
		start_daemon
		new
		uidwall apply --json >"$T/out" 2>&1
		if is_new; then ((++enforced)); else bad+="$size $inodes: not enforced; "; fi
		if [[ ! -e $STATE/last-good ]] || ! grep -q 203.0.113.8 "$STATE/last-good"; then
			((++said))
			grep -q 'cannot be written' "$T/out" || bad+="$size $inodes: not said; "
			uidwall status >"$T/out" 2>&1 && bad+="$size $inodes: status has nothing to say; "
		fi
		# A promise that cannot be kept is not given, and one that is given is kept.
		old
		if uidwall apply --confirm 60 >"$T/out" 2>&1; then
			is_old || bad+="$size $inodes: confirmed change not in force; "
			stop_daemon KILL
			start_daemon
			uidwall status --json | jq -e .waiting >/dev/null || bad+="$size $inodes: the promise is forgotten; "
			uidwall rollback >/dev/null 2>&1
			is_new || bad+="$size $inodes: not rolled back; "
		else
			grep -q 'cannot promise' "$T/out" || bad+="$size $inodes: $(cat "$T/out"); "
			is_new || bad+="$size $inodes: no promise, but a change; "
		fi
		uidwall off blog >"$T/out" 2>&1
		uidwall on blog >"$T/out" 2>&1
		closed || bad+="$size $inodes: open; "
		[[ -z $(half_files) ]] || bad+="$size $inodes: $(half_files); "
		stop_daemon KILL
		nft delete table inet uidwall
		policy blog <<<'{ broken'
		start_daemon
		closed || bad+="$size $inodes: the next start is open; "
		stop_daemon KILL
		umount "$STATE"
	done
done
is "$n disks of 4 to 16 KiB and 2 to 9 files: enforced, said, and closed after the next start" "$bad" = ""
is "... and it was enforced each time" "$enforced" -eq "$n"
is "... though many of them were full ($said)" "$said" -gt 3
old
start_daemon

# --- a file system that becomes read-only under the daemon, as ext4 does after an error
check "apply" uidwall apply
mount --bind "$STATE" "$STATE"
mount -o remount,bind,ro "$STATE"
new
uidwall apply >"$T/out" 2>&1
is "read-only: apply has something to say: exit status 1" "$?" -eq 1
check "... that it is not remembered" grep -q 'last-good.*cannot be written (Read-only' "$T/out"
check "status says so, too" eval "uidwall status | grep -q 'last-good.*Read-only'"
check "it is in force" is_new
old
check "a promise is not given" eval "! uidwall apply --confirm 60 >'$T/out' 2>&1"
check "... for that reason" grep -q 'cannot promise to go back.*Read-only' "$T/out"
check "nothing has changed" is_new
check "off is done, and said not to last" eval "uidwall off blog --json 2>&1 | grep -q 'only until the daemon restarts'"
stop_daemon KILL
start_daemon
check "a restart is closed" is_old
stop_daemon KILL
nft delete table inet uidwall
policy blog <<<'{ broken'
start_daemon
check "with files that are broken, too, it uses what it has" is_old
umount "$STATE"
old
check "writable again: apply" uidwall apply
check "... and all is well" eval "! uidwall status --json | jq -e '.diags[]'"

# --- others' files in the way
stop_daemon KILL
for name in last-good previous trial off last-good.new trial.new; do
	rm -rf "${STATE:?}"/*
	mkdir "$STATE/$name"
	touch "$STATE/$name/full"
	start_daemon
	new
	uidwall apply >"$T/out" 2>&1
	check "a folder where $name should be: enforced" is_new
	old
	uidwall apply >"$T/out" 2>&1
	check "... and again" is_old
	stop_daemon KILL
done
rm -rf "${STATE:?}"/*
mkfifo "$STATE/last-good" "$STATE/trial" "$STATE/off"
start_daemon
check "pipes in their place: it says so" grep -q "/off: warning: ignored, nothing is off: it is no regular file" "$T/daemon.log"
check "pipes in their place: it starts" is_old
new
uidwall apply >"$T/out" 2>&1
check "... and reloads" is_new
stop_daemon KILL
rm -rf "${STATE:?}"/*
ln -s /dev/zero "$STATE/last-good"
ln -s /etc/passwd "$STATE/previous"
ln -s "$STATE/off" "$STATE/off"
start_daemon
check "links in their place: it starts" is_new
old
uidwall apply >"$T/out" 2>&1
check "... and reloads" is_old
check "... and writes nowhere else" test ! -L "$STATE/last-good"
check "/etc/passwd is what it was" grep -q '^root:' /etc/passwd
stop_daemon KILL
rm -rf "${STATE:?}"/*
truncate -s 600M "$STATE/last-good"
start_daemon
check "600 MB of zeros: it starts" is_old
stop_daemon KILL
rm -rf "$STATE"
start_daemon
check "no state folder: it starts" is_old
finish
