#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""powercut.py [--share PART] - what a disk may hold after a power cut, and a daemon that starts from it.

What the daemon does to its state folder is recorded by strace while policies are applied, confirmed, rolled
back, switched off and on. A model of a disk that keeps nothing but what fsync() made it keep then gives, for each
moment, the states that may be found after a power cut at that moment: names that were made, renamed and removed since
the folder was last synced, each of them or not; bytes that were not synced whole, missing, cut off or zero. From
each of them a daemon is started, in what it must take for another boot, without a table in the kernel: with the
files as they were, and with files that are all broken, so that only its memory counts.
"""
import argparse
import collections
import itertools
import os
import re
import subprocess
import sys

import box
import operations
from operations import NEW, OLD, Scene, Wrong, must

UNLASTING = {"table"}  # counts for nothing after a boot
BROKEN = {name: "{" for name in OLD}
CALLS = "openat,write,fsync,rename,link,unlink,close"
BOOT_ID = "/proc/sys/kernel/random/boot_id"

# --- recording


def decoded(text):
    return bytes(int(pair, 16) for pair in re.findall(r"\\x(..)", text))


class Recorder:
    """Events of the state folder: (kind, ...) with names in it, and marks in between."""

    def __init__(self, pid):
        self.path = f"{box.T}/cut.trace"
        self.tracer = subprocess.Popen(
            ["strace", "-qq", "-f", "-xx", "-s", "1000000", "-o", self.path, "-e", f"trace={CALLS}", "-p", str(pid)],
            stderr=subprocess.DEVNULL)
        must(box.wait_for(lambda: box.Strace.attached(pid)), "strace does not attach")

    def end(self):
        self.tracer.terminate()
        self.tracer.wait()
        with open(self.path, encoding="ascii") as source:
            return list(self.events(source))

    @staticmethod
    def inside(path):
        path = path.decode(errors="replace")
        name = path[len(box.STATE) + 1:] if path.startswith(box.STATE + "/") else None
        return None if name in UNLASTING else name

    def events(self, source):
        fds = {}
        for line in source:
            match = re.match(r"\d+\s+(\w+)\((.*)\)\s+= (-?\d+)", line)
            if not match or int(match.group(3)) < 0:
                continue
            call, arguments, result = match.group(1), match.group(2), int(match.group(3))
            texts = [decoded(t) for t in re.findall(r'"((?:\\x..)*)"', arguments)]
            number = re.match(r"(\d+)", arguments)
            fd = fds.get(int(number.group(1))) if number else None
            if call == "openat":
                name = self.inside(texts[0])
                fds[result] = "" if texts[0].decode() == box.STATE else name
                if name and "O_CREAT" in arguments:
                    yield ("create", name)
            elif call == "write" and fd:
                yield ("write", fd, texts[0][:result])
            elif call == "fsync" and fd is not None:
                yield ("sync", fd)
            elif call == "close" and number:
                fds.pop(int(number.group(1)), None)
            elif call in ("rename", "link") and self.inside(texts[0]):
                yield (call, self.inside(texts[0]), self.inside(texts[1]))
            elif call == "unlink" and self.inside(texts[0]):
                yield ("unlink", self.inside(texts[0]))


# --- the disk


class Disk:
    """A folder of files: what programs see, and what lasts."""

    def __init__(self):
        self.seen = {}      # name → number of a file
        self.lasting = {}
        self.pending = []   # what was done to names since the folder was synced
        self.bytes = []     # of each file: as written, ...
        self.synced = []    # ... and as synced, or None

    def load(self, files):
        """As it is in the beginning, all of it long on disk."""
        for name, text in files.items():
            self.seen[name] = self.lasting[name] = len(self.bytes)
            self.bytes.append(text)
            self.synced.append(text)

    def change(self, names, event):
        kind, *arguments = event
        if kind == "create":
            names[arguments[0]] = arguments[1]
        elif kind == "link" and arguments[0] in names:
            names[arguments[1]] = names[arguments[0]]
        elif kind == "rename" and arguments[0] in names:
            # rename(2) does nothing where both are the same file already
            if names.get(arguments[1]) != names[arguments[0]]:
                names[arguments[1]] = names.pop(arguments[0])
        elif kind == "unlink":
            names.pop(arguments[0], None)

    def take(self, event):
        kind, *arguments = event
        if kind == "create":
            event = ("create", arguments[0], len(self.bytes))
            self.bytes.append(b"")
            self.synced.append(None)
        if kind == "write":
            self.bytes[self.seen[arguments[0]]] += arguments[1]
        elif kind == "sync" and arguments[0]:
            number = self.seen[arguments[0]]
            self.synced[number] = self.bytes[number]
        elif kind == "sync":
            self.lasting = dict(self.seen)
            self.pending = []
        else:
            self.change(self.seen, event)
            self.pending.append(event)

    def contents(self, number):
        """What a file may hold."""
        text = self.bytes[number]
        if self.synced[number] == text:
            return [text]
        old = self.synced[number] or b""
        return list(dict.fromkeys((text, old, b"", text[:len(text) // 2], text[:-1], bytes(len(text)),
                                   text[:len(text) // 2] + bytes(len(text) - len(text) // 2))))

    def after_a_cut(self):
        """All folders that may be found: {name: bytes}."""
        for chosen in itertools.product((False, True), repeat=len(self.pending)):
            names = dict(self.lasting)
            for event, done in zip(self.pending, chosen):
                if done:
                    self.change(names, event)
            numbers = sorted(set(names.values()))
            for texts in itertools.product(*(self.contents(n) for n in numbers)):
                held = dict(zip(numbers, texts))
                yield {name: held[number] for name, number in names.items()}


# --- a sequence of changes


class Step:
    """What is asked; which rulesets a boot may bring meanwhile, and which once it was answered; and those of a
    boot with nothing but broken files."""

    def __init__(self, name, files, call, meanwhile, answered, from_memory, **arguments):
        self.name, self.files, self.call, self.arguments = name, files, call, arguments
        self.meanwhile, self.answered, self.from_memory = meanwhile, answered, from_memory


BOTH = {"old", "new"}
STEPS = (
    Step("apply", NEW, "apply", {"new"}, {"new"}, BOTH),
    Step("apply again", OLD, "apply", {"old"}, {"old"}, BOTH),
    # A promise that the disk does not hold yet was not given; then the files count.
    Step("apply --confirm", NEW, "apply", BOTH, {"old"}, BOTH, confirm_s=3600),
    Step("confirm", NEW, "confirm", BOTH, {"new"}, BOTH),
    Step("rollback", NEW, "rollback", BOTH, {"old"}, BOTH),
    Step("apply what was rolled back", NEW, "apply", BOTH, {"new"}, BOTH),
    # What is off, is off until the next boot.
    Step("off", NEW, "off", {"new"}, {"new"}, {"new"}, service="vault"),
    Step("on", NEW, "on", {"new"}, {"new"}, {"new"}, service="vault"),
    Step("back", OLD, "apply", {"old"}, {"old"}, BOTH),
)


def folder():
    found = {}
    for name in set(os.listdir(box.STATE)) - UNLASTING:
        with open(f"{box.STATE}/{name}", "rb") as source:
            found[name] = source.read()
    return found


def record(scene, step):
    """[(events so far, possible folders)] of one step, the first before anything happened."""
    disk = Disk()
    disk.load(folder())
    box.put_policies(step.files)
    recorder = Recorder(scene.daemon.pid())
    answer, error = scene.daemon.ask(step.call, **step.arguments)
    events = recorder.end()
    must(answer and answer.get("ok", True), f"{step.name}: {error or answer}")
    moments = [(0, False, list(disk.after_a_cut()))]
    for i, event in enumerate(events):
        disk.take(event)
        moments.append((i + 1, i + 1 == len(events), list(disk.after_a_cut())))
    must({n: disk.bytes[i] for n, i in disk.seen.items()} == folder(), f"{step.name}: the model is not what is there")
    return events, moments


# --- boots


def boot(scene, files, policies, allowed):
    """A cold start on such a folder."""
    for name in os.listdir(box.STATE):
        os.unlink(f"{box.STATE}/{name}")
    for name, text in files.items():
        with open(f"{box.STATE}/{name}", "wb") as out:
            out.write(text)
        os.chmod(f"{box.STATE}/{name}", 0o600)
        os.chown(f"{box.STATE}/{name}", box.UID, box.UID)
    box.put_policies(policies)
    subprocess.run(["nft", "delete", "table", "inet", "uidwall"], stderr=subprocess.DEVNULL, check=False)
    mark = scene.daemon.mark()
    try:
        scene.daemon.start()
        found = scene.seen()
        must(found in allowed, f"it came up with: {found}, expected {sorted(allowed)}")
    except (Wrong, box.Died) as e:
        raise Wrong(f"{e}\n" + "\n".join(f"{n}: {t!r}" for n, t in sorted(files.items())) + "\n" +
                    scene.daemon.said(mark)) from e
    finally:
        scene.daemon.kill()


def distinct(moments, step, choice, share):
    """[(folder, rulesets allowed)], each folder once."""
    allowed = {}
    for _, answered, folders in moments:
        for files in folders:
            key = tuple(sorted(files.items()))
            allowed.setdefault(key, set()).update(step.answered if answered else step.meanwhile)
    for key, rulesets in allowed.items():
        if choice.random() < share:
            yield dict(key), rulesets


def cut(scene, step, recorded, choice, share):
    events, moments = recorded
    wrong, n = [], 0
    for files, allowed in distinct(moments, step, choice, share):
        for policies, rulesets in ((step.files, allowed), (BROKEN, step.from_memory)):
            n += 1
            try:
                boot(scene, files, policies, rulesets)
            except (Wrong, OSError) as e:
                wrong.append(str(e))
    box.report(not wrong, f"{step.name}: {n} boots after a power cut at one of {len(moments)} moments",
               "\n".join(wrong[:10]))
    if len(wrong) > 10:
        box.note(f"and {len(wrong) - 10} more")
    return n


def first_boots(scene, choice, share):
    """The very first start writes its first file: until that lasts there is nothing to remember."""
    for name in os.listdir(box.STATE):
        os.unlink(f"{box.STATE}/{name}")
    box.put_policies(OLD)
    scene.daemon.start()
    text = folder()["last-good"]
    scene.daemon.kill()
    disk = Disk()
    moments = []
    for event in (("create", "last-good.new"), ("write", "last-good.new", text), ("sync", "last-good.new"),
                  ("rename", "last-good.new", "last-good"), ("sync", "")):
        disk.take(event)
        moments.append((len(moments), False, list(disk.after_a_cut())))
    return cut(scene, Step("the first start", OLD, "", {"old"}, {"old"}, {"old", "refused"}), ([], moments),
               choice, share)


def learn_refused(scene):
    """What broken files are without a memory."""
    scene.daemon.kill()
    for name in os.listdir(box.STATE):
        os.unlink(f"{box.STATE}/{name}")
    box.put_policies(BROKEN)
    scene.daemon.start()
    scene.learn("refused")
    operations.recover(scene)


def another_boot():
    """The daemon that is started from here on takes this for a boot of its own."""
    box.put(f"{box.T}/boot_id", "11111111-2222-3333-4444-555555555555\n")
    subprocess.run(["mount", "--bind", f"{box.T}/boot_id", BOOT_ID], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1)
    arguments = parser.parse_args()
    choice = box.seeded()
    scene = Scene(box.Daemon())
    scene.measure()
    learn_refused(scene)
    recorded = []
    for step in STEPS:
        if step.name == "rollback":
            box.put_policies(OLD)
            scene.apply("old")
            box.put_policies(NEW)
            scene.apply("new")
        recorded.append(record(scene, step))
    scene.daemon.kill()
    another_boot()
    total = sum(cut(scene, step, events, choice, arguments.share) for step, events in zip(STEPS, recorded))
    total += first_boots(scene, choice, arguments.share)
    kinds = collections.Counter(event[0] for events, _ in recorded for event in events)
    box.note(f"{total} boots; " + ", ".join(f"{k} {v}" for k, v in kinds.most_common()))
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
