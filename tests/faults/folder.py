#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""folder.py [--rounds N] - a folder of policies that is exchanged, and files that are put in place of others, while
they are read.

A reload sees each file as it was or as it is, and of two folders the one or the other, never files of both; it ends
within seconds, whatever stands where a policy should.
"""
import argparse
import collections
import json
import os
import socket
import stat
import sys
import threading
import time

import box
import operations
from operations import NEW, OLD, Scene, Wrong, must

QUICK = 10  # seconds: milliseconds, but on a bad day of the machine
KINDS = {}


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


# What may stand in a policy's place; returns whether its service then has its last good policy.


@kind
def a_pipe(path):
    os.mkfifo(path)


@kind
def a_folder(path):
    os.mkdir(path, 0o755)


@kind
def a_device_without_end(path):
    os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5))


@kind
def a_tape_that_nobody_has(path):
    os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(9, 77))


@kind
def a_terminal(path):
    os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(5, 0))


@kind
def a_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


@kind
def a_loop_of_links(path):
    os.symlink(path, path)


@kind
def a_link_to_nothing(path):
    os.symlink("/nonexistent", path)


@kind
def a_link_to_a_secret(path):
    os.symlink("/etc/shadow", path)


@kind
def a_link_to_the_kernels_memory(path):
    os.symlink("/proc/self/mem", path)


@kind
def a_link_into_proc(path):
    os.symlink("/proc/self/status", path)


@kind
def a_gigabyte_of_nothing(path):
    with open(path, "wb") as out:
        out.truncate(1 << 30)


@kind
def a_file_of_somebody_else(path):
    box.put(path, '{ "user": "blog" }')
    os.chown(path, 2050, 2050)


@kind
def a_file_that_all_may_write(path):
    box.put(path, '{ "user": "blog" }', 0o666)


@kind
def a_file_that_nobody_may_read(path):
    box.put(path, '{ "user": "blog" }', 0o000)


@kind
def an_empty_file(path):
    box.put(path, "")


@kind
def half_a_file(path):
    box.put(path, '{ "user": "blog", "dns": tr')


@kind
def bytes_of_all_kinds(path):
    with open(path, "wb") as out:
        out.write(bytes(range(256)) * 16)
    os.chmod(path, 0o644)


def clear(path):
    try:
        os.unlink(path)
    except IsADirectoryError:
        os.rmdir(path)
    except FileNotFoundError:
        pass


def in_its_place(scene, words, make):
    """Once, at leisure: the service keeps what it had, the others get what is new, and it is said."""
    scene.base()
    box.put_policies(NEW)
    path = f"{box.POLICIES}/blog.json"
    clear(path)
    make(path)
    start = time.monotonic()
    answer, error = scene.daemon.ask("apply")
    took = time.monotonic() - start
    try:
        must(took < QUICK, f"{words}: it took {took:.1f} s")
        must(answer and answer["ok"], f"{words}: {error or answer}")
        found = scene.seen()
        must(found == "mix without blog", f"{words}: the kernel has {found}")
        problems = [s.get("problem") or "" for s in scene.status()["services"] if s["service"] == "blog"]
        must("blog.json" in problems[0], f"{words}: status says of it: {problems}")
    finally:
        clear(path)


def stop(event, thread):
    event.set()
    thread.join()


def race(scene, rounds, change, allowed, judged):
    """Reloads while a thread changes the folder; returns how they ended."""
    done, ends = threading.Event(), collections.Counter()
    thread = threading.Thread(target=change, args=(done,))
    thread.start()
    try:
        for _ in range(rounds):
            start = time.monotonic()
            answer, error = scene.daemon.ask("apply")
            took = time.monotonic() - start
            must(took < QUICK, f"it took {took:.1f} s")
            must(answer, f"apply: {error}")
            found = judged()
            must(found in allowed, f"{answer['ok']}, {answer.get('error')}: the kernel has {found}")
            ends["reloaded" if answer["ok"] else answer["error"].split(": ")[-1]] += 1
    finally:
        stop(done, thread)
    return ends


def swapped(scene, rounds):
    """Two folders take turns behind one name, as releases do."""
    for name, policies in (("one", {k: OLD[k] for k in ("blog", "erp")}),
                           ("two", {**NEW, "a": {"user": "gitea"}})):
        os.mkdir(f"{box.T}/{name}", 0o755)
        for service, policy in policies.items():
            box.put(f"{box.T}/{name}/{service}.json", json.dumps(policy))
    os.rename(box.POLICIES, f"{box.T}/kept")

    def point_to(name):
        os.symlink(f"{box.T}/{name}", f"{box.T}/link.new")
        os.rename(f"{box.T}/link.new", box.POLICIES)

    for name in ("one", "two"):
        point_to(name)
        scene.apply(name)
        scene.learn(name)

    def swap(done):
        i, pause = 0, 0.0005
        while not done.is_set():
            point_to(("one", "two")[i % 2])
            i += 1
            time.sleep(pause)
            pause = 0.0005 if i % 20 else 0.02

    try:
        # "one" is known by another name already: the old policies, vault switched off.
        return race(scene, rounds, swap, {"no vault", "two"}, scene.seen)
    finally:
        os.unlink(box.POLICIES)
        os.rename(f"{box.T}/kept", box.POLICIES)


def grow(path):
    """What a link may point at, or a pipe, is not ours to write to."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            for _ in range(20):
                os.write(fd, b" " * 1000)
    finally:
        os.close(fd)


def replaced(scene, rounds, choice):
    """Everything that is possible takes the place of one policy, as fast as it goes."""
    path, beside = f"{box.POLICIES}/blog.json", f"{box.T}/beside"

    def replace(done):
        makers = list(KINDS.values())
        while not done.is_set():
            make = choice.choice(makers + [None, None, "gone", "grows"])
            if make == "gone":
                clear(path)
            elif make == "grows":
                grow(path)
            elif make is None:
                box.put(path, json.dumps(choice.choice((OLD, NEW))["blog"]))
            else:
                clear(beside)
                make(beside)
                if os.path.isdir(path) and not os.path.islink(path):
                    os.rmdir(path)
                if os.path.isdir(beside) and not os.path.islink(beside):
                    clear(path)
                os.rename(beside, path)
            if choice.random() < 0.3:
                time.sleep(0.002)

    def survive(done):
        while not done.is_set():
            try:
                replace(done)
            except OSError:  # the other way round would have been another way
                pass

    def judged():
        """blog may be anything that its file said, or nobody's once the file was gone; others never change."""
        rules = box.table()
        must("svc-erp" in rules and "svc-vault" in rules and 'counter name "refused-erp"' in rules, "erp or vault is gone")
        return "fine"

    box.put_policies(OLD)
    ends = race(scene, rounds, survive, {"fine"}, judged)
    clear(path)
    clear(beside)
    return ends


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=150)
    arguments = parser.parse_args()
    choice = box.seeded()
    scene = Scene(box.Daemon())
    scene.measure()
    flood = box.Flood()
    wrong = []
    for words, make in KINDS.items():
        try:
            in_its_place(scene, words, make)
        except (Wrong, box.Died, OSError) as e:
            wrong.append(f"{e}\n{scene.daemon.tail()}")
    box.report(not wrong, f"{len(KINDS)} things in the place of a policy: its service keeps what it had", "\n".join(wrong))
    scene.base()
    for name, function in (("two folders that take turns: the one or the other", lambda: swapped(scene, arguments.rounds)),
                           ("a file that is replaced by anything: the others stay", lambda: replaced(scene, arguments.rounds, choice))):
        try:
            ends = function()
            box.report(True, f"{arguments.rounds} reloads, {name}")
            box.note(", ".join(f"{k} {v}" for k, v in ends.most_common()))
        except (Wrong, box.Died, OSError) as e:
            box.report(False, name, f"{e}\n{scene.daemon.tail(40)}")
        scene.base()
    flood.end("all of it")
    scene.daemon.kill()
    box.finish()


if __name__ == "__main__":
    sys.exit(main())
