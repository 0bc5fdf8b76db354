# SPDX-License-Identifier: GPL-2.0-or-later
"""operations.py - what a daemon does while something fails, and what must be true afterwards.

Between any two faults the daemon is where base() puts it: the old policies in force, nothing off,
nothing waiting. An operation says what it needs before, what is asked, and which rulesets may be found then.
"""
import difflib
import itertools
import json
import os
import time

import box
from box import Died

ALLOWED_PORT = 443
OLD = {
    "blog": {"user": "blog", "hosts": ["rest.akismet.com"],
             "connect": [{"to": "localhost", "port": 5432}, {"to": "203.0.113.8", "port": ALLOWED_PORT}],
             "listen": [{"port": 3000, "from": ["caddy"]}]},
    "erp": {"user": "erp", "dns": False, "proxy": False, "connect": [{"to": "localhost", "port": 5432}]},
    "vault": {"user": "vault", "dns": False, "proxy": False},
}
NEW = {
    "blog": {"user": "blog", "dns": False, "connect": [{"to": "203.0.113.7", "port": ALLOWED_PORT}]},
    "erp": {"user": "erp", "connect": [{"to": "localhost", "port": [5432, 6379]}]},
    "vault": {"user": "vault", "dns": False, "listen": [{"port": 7000}]},
}


class Wrong(Exception):
    """What must be true is not."""


def must(good, what):
    if not good:
        raise Wrong(what)


class Scene:
    """A daemon and the rulesets that are known by name: old, new, mixes of them, some switched off."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.tables = {}
        self.counted = 0
        self.counters_stay = True  # not where the whole table goes and comes back

    def measure(self):
        """Puts each ruleset in force once, to know it again."""
        box.put_policies(OLD)
        if not self.daemon.alive():
            self.daemon.start()
        self.apply("old")
        self.learn("old")
        for name, call, service in (("no vault", "off", "vault"), ("", "on", "vault"), ("none", "off", None), ("", "on", None)):
            self.daemon.ask(call, **({"service": service} if service else {}))
            if name:
                self.learn(name)
        # One file that cannot be read leaves its service what it was: per set of files, a ruleset.
        for broken in (("blog",), ("erp",), ("vault",), ("blog", "erp"), ("blog", "vault"), ("erp", "vault")):
            box.put_policies(OLD)
            self.apply("old")
            box.put_policies({**NEW, **{name: "{" for name in broken}})
            self.apply("a mix")
            self.learn("mix without " + " ".join(broken))
        box.put_policies(NEW)
        self.apply("new")
        self.learn("new")
        must(len(set(self.tables.values())) == len(self.tables), "two of the rulesets are the same")
        self.base()

    def learn(self, name):
        self.tables[name] = box.table()

    def apply(self, what):
        answer, error = self.daemon.ask("apply")
        must(answer and answer.get("ok"), f"cannot apply {what}: {error or answer.get('error')}")
        return answer

    def status(self):
        return self.daemon.ask("status")[0]

    def counters_go_on(self, text):
        """What the flood is refused by counts on, whatever happened."""
        now = box.counter(text, "refused-erp")
        if now is None or not self.counters_stay:
            self.counted = 0
            return
        must(now >= self.counted, f"a counter went back from {self.counted} to {now}")
        self.counted = now

    def seen(self):
        """The name of the ruleset in the kernel."""
        text = box.listing()
        self.counters_go_on(text)
        rules = box.rules_of(text)
        for name, known in self.tables.items():
            if rules == known:
                return name
        return "unknown" + "".join(self.difference(name, rules) for name in ("old", "new"))

    def difference(self, name, rules):
        """What is in the kernel and not in the ruleset of that name, and the other way round."""
        lines = difflib.unified_diff(self.tables[name].splitlines(), rules.splitlines(), name, "the kernel", n=0,
                                     lineterm="")
        return "\n" + "\n".join(itertools.islice(lines, 20))

    def base(self):
        """The old policies in force, nothing off, nothing waiting."""
        box.put_policies(OLD)
        status = self.status()
        if status.get("waiting"):
            answer, error = self.daemon.ask("rollback")
            must(answer and answer.get("ok", True), f"cannot roll back: {error or answer}")
            found = self.seen()
            must(found == "old", f"what waited goes back to the old policies, and went to: {found}")
        if status.get("wall") == "off" or any(s["state"] == "off" for s in status["services"]):
            answer, error = self.daemon.ask("on")
            must(answer and answer.get("ok"), f"cannot switch on: {error or answer}")
        self.apply("the old policies")
        found = self.seen()
        must(found == "old", f"the next reload should give the old ruleset, and gave: {found}")


EXPIRE_S = 1.2


class Operation:
    """name; prepare(scene); run(daemon) → (answer, error); found: rulesets that may be in the kernel then;
    done: the one that a good answer means; undone: the one that a refusal means; started: those that the next
    start may come to where the daemon died.
    """

    def __init__(self, name, call, found, done, undone, started, prepare=None, **arguments):
        self.name = name
        self.call = call
        self.arguments = arguments
        self.found, self.done, self.undone, self.started = found, done, undone, started
        self.prepared = prepare or (lambda scene: None)

    def prepare(self, scene):
        self.prepared(scene)

    def run(self, daemon, patience):
        return daemon.ask(self.call, patience, **self.arguments)


def new_files(_scene):
    box.put_policies(NEW)


def waiting(scene):
    box.put_policies(NEW)
    answer, error = scene.daemon.ask("apply", confirm_s=3600)
    must(answer and answer.get("ok"), f"apply --confirm: {error or answer}")


def about_to_expire(scene):
    box.put_policies(NEW)
    answer, error = scene.daemon.ask("apply", confirm_s=1)
    must(answer and answer.get("ok"), f"apply --confirm: {error or answer}")


def applied(scene):
    box.put_policies(NEW)
    scene.apply("new")


def vault_off(scene):
    scene.daemon.ask("off", service="vault")


def all_off(scene):
    scene.daemon.ask("off")


OPERATIONS = {o.name: o for o in (
    Operation("apply", "apply", {"old", "new"}, "new", "old", {"new"}, new_files),
    Operation("apply --confirm", "apply", {"old", "new"}, "new", "old", {"new"}, new_files, confirm_s=3600),
    Operation("confirm", "confirm", {"new"}, "new", "new", {"new"}, waiting),
    Operation("rollback of what waits", "rollback", {"old", "new"}, "old", "new", {"old", "new"}, waiting),
    Operation("going back in time", None, {"old", "new"}, "old", "new", {"old"}, about_to_expire),
    Operation("rollback", "rollback", {"old", "new"}, "old", "new", {"old", "new"}, applied),
    Operation("off vault", "off", {"old", "no vault"}, "no vault", "old", {"old", "no vault"}, service="vault"),
    Operation("on vault", "on", {"old", "no vault"}, "old", "no vault", {"old", "no vault"}, vault_off, service="vault"),
    Operation("off", "off", {"old", "none"}, "none", "old", {"old", "none"}),
    Operation("on", "on", {"old", "none"}, "old", "none", {"old", "none"}, all_off),
    Operation("diff", "diff", {"old"}, "old", "old", {"new"}, new_files),
    Operation("status", "status", {"old"}, "old", "old", {"old"}),
)}


def outcome_of(operation, daemon, patience=box.PATIENCE):
    """Runs it: "done", "refused: why", "no answer"; or "over": nobody was asked."""
    if operation.call is None:
        time.sleep(EXPIRE_S)
        return "over"
    try:
        answer, error = operation.run(daemon, patience)
    except (OSError, Died, ValueError) as e:
        return f"no answer: {e}"
    if error is not None:
        return f"refused: {error}"
    if answer.get("ok") is False:
        return f"refused: {answer.get('error')}"
    return "done"


def aftermath(scene, operation, outcome, extra=frozenset()):
    """Judges, and brings the scene back to its base. Returns what became of the daemon."""
    daemon = scene.daemon
    # One that is about to end has the time to.
    box.wait_for(lambda: daemon.answers() or not daemon.alive(), 15)
    found = scene.seen()
    must(found in operation.found | extra, f"{outcome}; the kernel has: {found}")
    if daemon.alive():
        must(daemon.answers(), "it lives and does not answer")
        if outcome == "done":
            must(found in {operation.done} | extra, f"it says done; the kernel has: {found}")
        if outcome.startswith("refused") and "may have been done" not in outcome:
            must(found in {operation.undone} | extra, f"{outcome}; the kernel has: {found}")
        end = outcome.split(":")[0]
    else:
        promised = os.path.exists(f"{box.STATE}/trial")
        daemon.start()
        if promised:
            status = scene.status()
            must(status["waiting"] or status["rolled_back"] or operation.name == "apply",
                 "a promise was written down, and the next start does not know of it")
        found = scene.seen()
        must(found in operation.started, f"after the next start the kernel has: {found}")
        end = "died"
    scene.base()
    rest = [name for name in box.strangers() if name[:-4] not in box.KEPT]
    must(not rest, f"left in the state folder: {rest}")
    return end


def recover(scene):
    """After something was wrong: a new daemon on an empty state folder."""
    scene.daemon.kill()
    for name in os.listdir(box.STATE):
        os.unlink(f"{box.STATE}/{name}")
    box.put_policies(OLD)
    scene.daemon.start()
    scene.base()
