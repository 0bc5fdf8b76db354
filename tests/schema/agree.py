#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""agree.py SCHEMA_FOLDER JUDGE SOURCE [ROUNDS [SEED]] - parser and JSON Schema say the same.

Of every golden case, every sample, every one-element variant of their lists, and thousands of
random changes to them. What the schema refuses the parser must refuse; what it lets pass the parser may
refuse only for a reason of the list below. Speaks TAP.
"""

import copy
import glob
import json
import os
import random
import re
import subprocess
import sys

import jsonschema

# What a schema cannot say (or only in pages of it), by the parser's words.
PARSER_KNOWS_MORE = [
    (r"^expected a prefix without host bits", "host bits: arithmetic on addresses"),
    (r"^expected an IPv4 address in its own form", "mapped addresses have many spellings"),
    (r"^expected an address that can be reached", "the unspecified address has many spellings"),
    (r"^expected an IPv4 or IPv6 address or prefix", "how many groups of an IPv6 address there are"),
    (r"^expected a host: ", "lengths of whole names, groups of IPv6 addresses"),
    (r"^expected a host in ASCII", "names in other scripts: said by words of their own"),
    (r"^expected the address of a name server", "addresses, see above"),
    (r"^expected an address and a port", "addresses, see above"),
    (r"^port \d+ is ", "that no port is given twice"),
    (r"^expected two ports such as", "which end is lower, how far they are apart"),
    (r"^expected a proxy such as", "addresses, and names that look like them"),
    (r"^expected a day of the calendar", "how long months are"),
    (r"^expected a port number .*, got \"\d+-\d+\"$", "which end of a range is lower"),
    (r"^expected a range of uids .*, got \"\d+(-\d+)?\"$", "which end is lower; 4294967294 in digits"),
    (r"^loopback is only reached by", "which addresses are loopback"),
    (r"^expected .*, got -?\d+\.0$", "1.0 is an integer to a schema"),
    (r"^expected .*, got -?\d+(\.\d+)?e[+-]?\d+$", "so is 1e3"),
    (r"^expected an absolute path", "bytes, not characters"),
    (r"^expected .* \(a name has at most 32 bytes", "bytes, not characters"),
    (r"^expected the name of a user or group", "bytes, not characters"),
    (r", got \".*\\n\"$", "Python's $ also matches before a line feed at the end"),
    (r"^duplicate key", "schemas see what is left of them"),
    (r"^not valid JSON: too big integer", "other parsers have no bound"),
    (r"^not valid JSON: a string holds \\u0000", "NUL is JSON"),
    (r"^not valid JSON: invalid Unicode", "so is half a surrogate pair"),
    (r"^not valid JSON: maximum parsing depth", "other parsers have other bounds"),
    (r"^not valid JSON: invalid token near '-?(Infinity|NaN)'", "Python writes what JSON has no word for"),
    (r"^not valid JSON: real number overflow", "other parsers have other bounds"),
]

WORDS = [
    "", "blog", "0", "443", "1-65535", "65536", "10-5", "080", "-1", " 80", "localhost", "192.0.2.7",
    "192.0.2.0/24", "192.0.2.7/24", "256.0.0.1", "::1", "2001:db8::/32", "2001:db8::1/32", "::ffff:1.2.3.4",
    "0.0.0.0", "::", "::/0", "fe80::1%eth0", "1::2::3", ":::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9",
    "64:ff9b::192.0.2.1", "tcp", "udp", "icmp", "TCP", "enforce", "monitor", "eth0", "lo", "a b", "..", "wg0*",
    "2026-12-31", "2026-02-30", "2096-02-29", "1969-12-31", "2200-01-01", "2026-1-1", "example.org",
    "*.example.org", "example.org:443", "example.org:0", "https://example.org", "[::1]:25", "[::1]", "1.2.3",
    "a..b", "-a.org", "x" * 63 + ".org", "x" * 64 + ".org", "blog.service", "blog.timer", "/a/b", "/a/../b",
    "/", "/a//b", "/a/", "x" * 32, "x" * 33, "b\u00fccher", "a:b", "a/b", "a,b", "tab\tbed", "quote\"d", "127.0.0.1:3128",
    "[::1]:3128", "::1:3128", "127.0.0.1:0", "61184-65519", "0-5", "4294967294", "4294967295", "1-4294967295",
    "/" + "y" * 106, "/" + "y" * 107, "\u007f", "a\u007fb", "a\u00a0b", "caf\u00e9", "$", "a\n", "80\n", "_a", "A",
    "http://a:1", "http://a:1/", "http://[::1]:1", "http://1.2.3:4", "http://a..b:80", "http://:80",
]
NUMBERS = [0, 1, 53, 443, 65535, 65536, -1, 4294967294, 4294967295, 1.5, 443.0, 10**10]
OTHERS = [None, True, False, [], {}, [[]], [{}], {"a": 1}]


def load_texts(source, config):
    """Every JSON file of the golden cases and samples that Python can read."""
    paths = glob.glob(os.path.join(source, "tests/golden/*/*.json"))
    if not config:
        paths += glob.glob(os.path.join(source, "policies/*.json"))
    for path in sorted(paths):
        if (os.path.basename(path) == "uidwall.json") != config:
            continue
        with open(path, "rb") as f:
            text = f.read()
        try:
            yield path, text, json.loads(text)
        except ValueError:
            continue


def variants(value, config):
    """The value with each of its lists cut down to each single element: one mistake at a time."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, list) and len(inner) > 1:
            for element in inner:
                changed = {k: v for k, v in value.items() if not isinstance(v, list) or k == key}
                changed[key] = [element]
                if not config:
                    changed.setdefault("user", "blog")
                yield changed


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], path + (key,))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from places(inner, path + (i,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


class Mutator:
    def __init__(self, seeds, words, seed):
        self.random = random.Random(seed)
        self.seeds = seeds
        self.keys = sorted({p[-1] for s in seeds for p in places(s) if p and isinstance(p[-1], str)})
        self.values = [at(s, p) for s in seeds for p in places(s)]
        self.words = words

    def value(self):
        kind = self.random.randrange(8)
        if kind < 4:
            return self.random.choice(self.words)
        if kind == 4:
            return self.random.choice(NUMBERS)
        if kind == 5:
            return copy.deepcopy(self.random.choice(OTHERS))
        if kind == 6:
            return copy.deepcopy(self.random.choice(self.values))
        word = self.random.choice(self.words)
        if not word:
            return "x"
        i = self.random.randrange(len(word))
        return word[:i] + self.random.choice(".:-/0159aZ_*[]% ") + word[i + self.random.randrange(2):]

    def mutate(self, value):
        path = self.random.choice(list(places(value)))
        target = at(value, path)
        if isinstance(target, dict) and self.random.randrange(2):
            if target and self.random.randrange(2):
                del target[self.random.choice(sorted(target))]
            else:
                target[self.random.choice(self.keys + ["unknown"])] = self.value()
            return value
        if isinstance(target, list) and self.random.randrange(2):
            target.append(self.value())
            return value
        if not path:
            return self.value() if not self.random.randrange(20) else value
        at(value, path[:-1])[path[-1]] = self.value()
        return value

    def make(self):
        value = copy.deepcopy(self.random.choice(self.seeds))
        for _ in range(1 + self.random.randrange(3)):
            if isinstance(value, (dict, list)):
                value = self.mutate(value)
        return value


def judge(program, kind, texts):
    result = subprocess.run([program, kind], input=b"".join(t + b"\0" for t in texts),
                            stdout=subprocess.PIPE, check=True)
    lines = result.stdout.decode().split("\n")[:-1]
    assert len(lines) == len(texts), "one answer for each text"
    return [[m for m in line.split("\t") if m] for line in lines]


def known(message):
    return any(re.search(pattern, message) for pattern, _ in PARSER_KNOWS_MORE)


def disagreement(validator, value, messages):
    """What is wrong between the two, or None."""
    error = next(validator.iter_errors(value), None)
    if error and not messages:
        return "the schema refuses it (%s: %s), the parser does not" % (
            "/".join(map(str, error.path)), error.message)
    if not error and messages and not all(map(known, messages)):
        return "the schema lets it pass, the parser says: " + "; ".join(messages)
    return None


class Tap:
    def __init__(self):
        self.n = 0
        self.failed = False

    def result(self, name, bad):
        self.n += 1
        for line in bad[:20]:
            print("# " + line.replace("\n", "\n# "))
        print("%s %d - %s" % ("not ok" if bad else "ok", self.n, name))
        self.failed = self.failed or bool(bad)


def compare(tap, name, program, kind, validator, items):
    """items: (where it comes from, text or None, value)"""
    items = [(where, text or json.dumps(value).encode(), value) for where, text, value in items]
    bad = []
    n_good = 0
    for (where, text, value), messages in zip(items, judge(program, kind, [t for _, t, _ in items])):
        n_good += not messages
        why = disagreement(validator, value, messages)
        if why:
            bad.append("%s: %s\n  %s" % (where, why, text.decode(errors="replace")[:600]))
    if not 0 < n_good < len(items):
        bad.append("%d of %d are good: that shows nothing" % (n_good, len(items)))
    tap.result("%s: %d good, %d bad" % (name, n_good, len(items) - n_good), bad)


def main():
    folder, program, source = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3000
    seed = int(sys.argv[5] if len(sys.argv) > 5 else
               os.environ.get("UIDWALL_SEED") or random.SystemRandom().randrange(10**9))
    tap = Tap()
    for kind in ("policy", "config"):
        with open(os.path.join(folder, kind + ".schema.json"), "rb") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        files = list(load_texts(source, kind == "config"))
        values = [value for _, _, value in files]
        compare(tap, "%s: files" % kind, program, kind, validator, files)
        compare(tap, "%s: one-element lists of files" % kind, program, kind, validator,
                [(path, None, v) for path, _, value in files for v in variants(value, kind == "config")])
        mutator = Mutator([v for v in values if isinstance(v, dict)], WORDS, seed)
        compare(tap, "%s: random changes (seed %d)" % (kind, seed), program, kind, validator,
                [("round %d" % i, None, mutator.make()) for i in range(rounds)])
    print("1..%d" % tap.n)
    sys.exit(tap.failed)


main()
