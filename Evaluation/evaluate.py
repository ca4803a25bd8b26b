#!/usr/bin/env python3
"""Scores the verdicts of dmarcstat against worlds in which the right answers are known.

    evaluate.py --binary .build/release/dmarcstat                    everything: some minutes
    evaluate.py --binary .build/release/dmarcstat --quick            own worlds reduced, kinds of world small: for the tests
    evaluate.py --binary … --groups kinds --diagnose out.md          what goes wrong in each kind of world, as a table
    evaluate.py --binary … --floors floors.tsv --check               exit 1, naming each figure below its floor
    evaluate.py --binary … --attackers                               forged reports as well: attackers.py
    evaluate.py --self-test                                          proves that the scorer can fail

What is counted, and what the worlds cannot decide, is in README.md. Standard library only.
Exit codes: 0 done · 1 a figure is below its floor (--check) or below the must figure (--must) · 2 could not be run.
"""
import argparse
import csv
import hashlib
import io
import ipaddress
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import attackers
from kinds import KINDS

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(HERE)
OWN = os.path.join(HERE, "worlds.py")
KIND = os.path.join(HERE, "kinds.py")
OTHER = os.path.join(PROJECT, "..", "shared", "tools", "gen_corpus.py")

VERDICTS = ("authorized", "dkim-only", "forwarded", "mailing-list", "spoofed", "unaligned", "misconfigured", "unknown")
EITHER = "spoofed|unaligned"
MEASURES = ("precision-messages", "recall-messages", "precision-sources", "recall-sources")
# verdict: ((precision, recall) by messages, (…) by sources), goal by messages = by sources. ANALYSIS section 3.
MUST = {
    "authorized": (.999, .999, .995, .995), "dkim-only": (.98, .98, .97, .97), "forwarded": (.98, .95, .97, .93),
    "mailing-list": (.92, .95, .88, .93), "spoofed": (.95, .93, .96, .96), "unaligned": (.95, .90, .85, .80),
    "misconfigured": (.85, .80, .80, .70),
}
GOAL = {
    "authorized": (1, 1), "dkim-only": (.999, .999), "forwarded": (.998, .975), "mailing-list": (.97, .98), "spoofed": (.98, .97),
    "unaligned": (.985, .98), "misconfigured": (.95, .95),
}
MISCONFIGURED_SOURCES = 30
CONFIDENT, CONFIDENT_MUST = .9, .99
BINS = (0, .5, .6, .7, .8, .9, .95, 1.01)                       # of the calibration table
# What the classes of the other generator mean as verdicts.
CLASSES = {"own": "authorized", "esp": "authorized", "esp_spf_only": "authorized", "esp_dkim_only": "dkim-only", "forwarded": "forwarded",
           "mailing_list": "mailing-list", "unaligned": "unaligned", "spoofed": "spoofed", "impostor": EITHER}


class Trouble(Exception):
    """Something that keeps the evaluation from being run: said without a traceback, exit 2."""


# ------------------------------------------------------------------------------------------------------- reading answers

def address(text):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def read_labels(path):
    """-> {(domain, source): {verdict: messages}}, {(domain, source, verdict): {note: messages}}"""
    meant, notes = defaultdict(lambda: defaultdict(int)), {}
    with open(path, encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            verdict = row.get("verdict") or CLASSES.get(row.get("class"))
            if not verdict or not set(verdict.split("|")) <= set(VERDICTS):
                raise Trouble("%s: unknown label %r" % (path, row))
            key = row["domain"], address(row["source"])
            meant[key][verdict] += int(row["messages"])
            parts = notes.setdefault(key + (verdict,), defaultdict(int))
            for part in (row.get("note") or "").split(";"):
                if "=" in part:
                    name, _, count = part.partition("=")
                    parts[name] += int(count)
            if "class" in row and row["class"]:
                parts[row["class"]] += int(row["messages"])
    return meant, notes


def read_said(text, where):
    """-> {(domain, source): {verdict: messages}}, [(domain, source, verdict, messages, confidence)]"""
    reader = csv.DictReader(io.StringIO(text))
    for column in ("source", "domain", "messages", "verdict", "confidence"):
        if column not in (reader.fieldnames or ()):
            raise Trouble("%s: the answer has no column %r, only %s" % (where, column, reader.fieldnames))
    said, rows = defaultdict(lambda: defaultdict(int)), []
    for r in reader:
        verdict = r["verdict"]
        if verdict not in VERDICTS:
            raise Trouble("%s: there is no verdict %r" % (where, verdict))
        confidence = float(r["confidence"] or 0)
        if not 0 <= confidence <= 1:
            raise Trouble("%s: confidence %r is not within 0…1" % (where, r["confidence"]))
        key = r["domain"], address(r["source"])
        said[key][verdict] += int(r["messages"])
        rows.append(key + (verdict, int(r["messages"]), confidence))
    return said, rows


# --------------------------------------------------------------------------------------------------------------- scoring

def settle(meant, said):
    """A label `a|b` may be called either: its messages count as meant for whatever was said, and for the first of the two if neither was."""
    if not any("|" in v for v in meant):
        return meant
    plain = {v: n for v, n in meant.items() if "|" not in v}
    for label, left in sorted(meant.items()):
        if "|" in label:
            choices = label.split("|")
            for v in choices:
                take = min(left, max(0, said.get(v, 0) - plain.get(v, 0)))
                if take:
                    plain[v] = plain.get(v, 0) + take
                    left -= take
            if left:
                plain[choices[0]] = plain.get(choices[0], 0) + left
    return plain


class Score:
    """The counts of one group of worlds; adding worlds is adding counts."""

    def __init__(self):
        self.meant, self.said, self.hit = ([defaultdict(float), defaultdict(float)] for _ in range(3))   # [messages, pairs]
        self.pairs = defaultdict(int)                           # verdict -> sources for which it was meant
        self.confusion = [defaultdict(float), defaultdict(float)]
        self.bins = [[0, 0.0, 0, 0.0] for _ in BINS[1:]]        # rows, right rows, messages, right messages
        self.all = [0, 0.0, 0, 0.0]
        self.mistakes = defaultdict(lambda: [0.0, 0.0, set(), 0.0])     # (note, meant, said) -> messages, sum of confidence, sources, sure messages
        self.confident = [0, 0.0, 0, 0.0]
        self.notes = defaultdict(lambda: [0, 0.0, 0, 0.0])      # (verdict, note) -> messages, hit, pairs, hit by pairs
        self.wrong = []
        self.messages_meant = self.messages_said = 0

    def add(self, meant, notes, said, rows, where=""):
        right, sure = {}, {(d, source, v): c for d, source, v, _, c in rows}
        for pair in sorted(set(meant) | set(said)):
            s = said.get(pair, {})
            raw = meant.get(pair, {})
            m = settle(raw, s)
            total = sum(m.values()) or sum(s.values())
            if not total:
                continue
            self.messages_meant += sum(m.values())
            self.messages_said += sum(s.values())
            hits = {v: min(m.get(v, 0), s.get(v, 0)) for v in VERDICTS}
            for v in VERDICTS:
                for k, weight in enumerate((1, 1 / total)):
                    self.meant[k][v] += m.get(v, 0) * weight
                    self.said[k][v] += s.get(v, 0) * weight
                    self.hit[k][v] += hits[v] * weight
                    if hits[v]:
                        self.confusion[k][v, v] += hits[v] * weight
                if m.get(v):
                    self.pairs[v] += 1
                if s.get(v):
                    right[pair + (v,)] = hits[v] / s[v]
            # What is left over of both sides is matched in proportion: who said what about which message cannot be known.
            missed = {v: m.get(v, 0) - hits[v] for v in VERDICTS if m.get(v, 0) > hits[v]}
            extra = {v: s.get(v, 0) - hits[v] for v in VERDICTS if s.get(v, 0) > hits[v]}
            lost, gained = sum(missed.values()), sum(extra.values())
            for a, x in missed.items():
                if not gained:
                    for k, weight in enumerate((1, 1 / total)):
                        self.confusion[k][a, "(nothing)"] += x * weight
                for b, y in extra.items():
                    for k, weight in enumerate((1, 1 / total)):
                        self.confusion[k][a, b] += x * y / max(lost, gained) * weight
                    self.mistake(raw, notes, pair, a, b, x * y / max(lost, gained), sure.get(pair + (b,), 0))
            if lost or gained:
                self.wrong.append((lost or gained, pair, dict(raw), dict(s), where))
            for v, count in raw.items():
                hit = hits.get(v, 0) / m[v] if v in m else None
                if "|" in v:
                    hit = min(1, sum(hits[x] for x in v.split("|")) / max(1, sum(m.get(x, 0) for x in v.split("|"))))
                parts = notes.get(pair + (v,)) or {"-": count}
                for note, n in parts.items():
                    entry = self.notes[v, note]
                    entry[0] += n
                    entry[1] += n * hit
                    entry[2] += 1
                    entry[3] += hit
        for domain, source, verdict, messages, confidence in rows:
            if not messages:
                continue
            share = right.get((domain, source, verdict), 0)
            entries = [self.all, self.bins[next(i for i in range(len(self.bins)) if confidence < BINS[i + 1])]]
            if confidence >= CONFIDENT:
                entries.append(self.confident)
            for e in entries:
                e[0] += 1
                e[1] += share
                e[2] += messages
                e[3] += share * messages

    def mistake(self, raw, notes, pair, meant, said, messages, confidence):
        label = meant if meant in raw else next((v for v in raw if "|" in v and meant in v.split("|")), meant)
        parts = notes.get(pair + (label,)) or {"-": 1}
        note = max(parts, key=lambda n: (parts[n], n))
        entry = self.mistakes[note, label, said]
        entry[0] += messages
        entry[1] += messages * confidence
        entry[2].add(pair)
        entry[3] += messages if confidence >= CONFIDENT else 0

    def figures(self):
        """-> {(verdict, measure): figure or None}; None: nothing was said, so there is no precision to speak of."""
        found = {}
        for v in VERDICTS[:-1]:
            if not self.pairs[v]:
                continue
            for k, unit in enumerate(("messages", "sources")):
                found[v, "precision-" + unit] = self.hit[k][v] / self.said[k][v] if self.said[k][v] else None
                found[v, "recall-" + unit] = self.hit[k][v] / self.meant[k][v]
        rows, right, messages, right_messages = self.confident
        found["confident", "right-rows"] = right / rows if rows else None
        found["confident", "right-messages"] = right_messages / messages if messages else None
        return found


# ------------------------------------------------------------------------------------------------------------- printing

def number(x, width=7):
    return "%*s" % (width, "-" if x is None else "%.4f" % x)


def span(i):
    """The name of a column of the calibration table."""
    return "%g-%g" % (BINS[i], min(1, BINS[i + 1]))


def report_kinds(scores, advice, out):
    """One table over all kinds of world: how much is right, above all where it is said to be sure; -> number of figures below the must column"""
    say = lambda text="": print(text, file=out)             # noqa: E731
    misses = 0
    say("== kinds of world: share of messages (of sources) that are right; of what is said with %g or more; DNS lines of addresses that are not the owner's" % CONFIDENT)
    say("%-22s %-8s %9s %16s %16s %18s %10s" % ("kind", "", "messages", "all", "its subject", ">= .9: rows, messages", "DNS lines"))
    for (kind, size), (score, subject) in sorted(scores.items()):
        rows, right, messages, right_messages = score.confident
        ok = not rows or right / rows >= CONFIDENT_MUST and right_messages / messages >= CONFIDENT_MUST
        lines, foreign = advice[kind, size]
        misses += (not ok) + (foreign > 0)
        say("%-22s %-8s %9d %s (%s) %s (%s) %s %s %s %6d %3d %s" % (
            kind, size, score.messages_meant, *accuracy(score), *accuracy(subject), number(right / rows if rows else None), number(right_messages / messages if messages else None),
            "ok  " if ok else "MISS", lines, foreign, "MISS" if foreign else ""))
    say()
    say("calibration by kind, messages: said … right (messages)")
    say("%-22s %s" % ("kind", " ".join("%17s" % span(i) for i in range(len(BINS) - 1))))
    for kind in dict.fromkeys(k for k, _ in sorted(scores)):
        total = [[sum(score.bins[i][j] for (k, _), (score, _) in scores.items() if k == kind) for j in range(4)] for i in range(len(BINS) - 1)]
        say("%-22s %s" % (kind, " ".join("%17s" % ("-" if not b[2] else "%.3f (%d)" % (b[3] / b[2], b[2])) for b in total)))
    say()
    say("held out: what the other kinds let expect of a kind by its confidences, and what is right (messages)")
    say("%-22s %10s %10s %10s   %10s %10s" % ("kind", "expected", "right", "apart", ">= .9", "right"))
    for kind, expected, right, sure, sure_right in held_out(scores):
        say("%-22s %10.4f %10.4f %+10.4f   %s %s" % (kind, expected, right, right - expected, number(sure, 10), number(sure_right, 10)))
    say()
    return misses


def held_out(scores):
    """-> for each kind: the share of messages that should be right if each confidence came true as often as in all other kinds, the share that is;
    the same of what is said with CONFIDENT or more (None: nothing is)"""
    def count(kinds):
        return [[sum(score.bins[i][j] for (k, _), (score, _) in scores.items() if k in kinds) for j in (2, 3)] for i in range(len(BINS) - 1)]
    kinds = sorted({k for k, _ in scores})
    first = BINS.index(CONFIDENT)
    for kind in kinds:
        mine, others = count({kind}), count(set(kinds) - {kind})
        if not any(b[0] for b in mine) or len(kinds) < 2:
            continue
        came_true = [o[1] / o[0] if o[0] else (BINS[i] + min(1, BINS[i + 1])) / 2 for i, o in enumerate(others)]

        def shares(bins):
            total = sum(mine[i][0] for i in bins)
            return (sum(mine[i][0] * came_true[i] for i in bins) / total, sum(mine[i][1] for i in bins) / total) if total else (None, None)
        yield (kind,) + shares(range(len(mine))) + shares(range(first, len(mine)))


def accuracy(score):
    """-> share of messages, share of sources that are right, as text"""
    return [number(sum(score.hit[k].values()) / total if total else None).strip() for k, total in ((k, sum(score.meant[k].values())) for k in (0, 1))]


def diagnosis(scores, out):
    """What was meant, what was said, how sure: by kind and situation, most messages first."""
    say = lambda text="": print(text, file=out)             # noqa: E731
    say("| kind | size | situation | meant | said | confidence | messages | sources | of them >= %g |" % CONFIDENT)
    say("|---|---|---|---|---|--:|--:|--:|--:|")
    for (kind, size), (score, _) in sorted(scores.items()):
        for (note, meant, said), (messages, confidence, sources, sure) in sorted(score.mistakes.items(), key=lambda m: (-m[1][0], m[0])):
            if messages >= max(3, score.messages_meant * .0005) or sure >= 1:
                say("| %s | %s | %s | %s | %s | %.2f | %.0f | %d | %.0f |" % (kind, size, note, meant.replace("|", " or "), said, confidence / messages, messages,
                                                                              len(sources), sure))


def report(name, score, notes, worst, out):
    """Prints one group; -> the number of figures below the must column."""
    say = lambda text="": print(text, file=out)             # noqa: E731
    figures, misses = score.figures(), 0
    say("== %s: %d messages, %d pairs of domain and source" % (name, score.messages_meant, round(sum(score.meant[1].values()))))
    if score.messages_meant != score.messages_said:
        say("   !! messages meant %d, said %d: the store and the labels disagree" % (score.messages_meant, score.messages_said))
    say("%-14s %-19s %7s %7s %7s %9s  %s" % ("verdict", "measure", "figure", "must", "goal", "to goal", ""))
    for v in VERDICTS[:-1]:
        if not score.pairs[v]:
            continue
        for i, measure in enumerate(MEASURES):
            x, must, goal = figures[v, measure], MUST[v][i], GOAL[v][i % 2]
            ok = x is not None and x >= must
            misses += not ok
            say("%-14s %-19s %s %7g %7g %9s  %s" % (v if not i else "", measure, number(x), must, goal,
                                                    "-" if x is None else "%+.4f" % min(0, x - goal), "ok" if ok else "MISS"))
        said = score.said[0][v]
        say("%14s meant %d messages of %d sources, said %d messages" % ("", score.meant[0][v], score.pairs[v], said))
    if 0 < score.pairs["misconfigured"] < MISCONFIGURED_SOURCES:
        say("   (misconfigured: %d sources; the figure is defined over at least %d)" % (score.pairs["misconfigured"], MISCONFIGURED_SOURCES))
    for k, unit in enumerate(("messages", "sources")):
        say("confusion by %s (down: meant, across: said)" % unit)
        columns = [v for v in VERDICTS + ("(nothing)",) if any(score.confusion[k].get((a, v)) for a in VERDICTS)]
        say("%-14s %s" % ("", " ".join("%13s" % c for c in columns)))
        for a in VERDICTS:
            if any(score.confusion[k].get((a, c)) for c in columns):
                say("%-14s %s" % (a, " ".join("%13s" % ("." if not score.confusion[k].get((a, c)) else "%.*f" % (k, score.confusion[k][a, c])) for c in columns)))
    say("confidence: said … right by rows, by messages (rows, messages)")
    for i, (rows, right, messages, right_messages) in enumerate(score.bins):
        if rows:
            say("  %-9s %s %s   (%d, %d)" % (span(i), number(right / rows), number(right_messages / messages), rows, messages))
    rows, right, messages, right_messages = score.confident
    for unit, x in (("rows", figures["confident", "right-rows"]), ("messages", figures["confident", "right-messages"])):
        ok = x is not None and x >= CONFIDENT_MUST
        misses += not ok
        say("  >= %.1f by %-8s %s, must %g  %s" % (CONFIDENT, unit, number(x), CONFIDENT_MUST, "ok" if ok else "MISS"))
    say("  (%d of %d rows, %d of %d messages are >= %.1f)" % (rows, sum(b[0] for b in score.bins), messages, sum(b[2] for b in score.bins), CONFIDENT))
    if notes:
        say("by situation: recall by messages, by sources (messages, sources)")
        for (v, note), (n, hit, pairs, pair_hit) in sorted(score.notes.items()):
            say("  %-17s %-28s %s %s   (%d, %d)" % (v, note, number(hit / n), number(pair_hit / pairs), n, pairs))
    if worst:
        say("worst pairs")
        for lost, pair, meant, said, where in sorted(score.wrong, key=lambda w: (-w[0], w[1]))[:worst]:
            say("  %7d  %s %s  meant %s  said %s  %s" % (lost, pair[0], pair[1], meant, said, where))
    say()
    return misses


# --------------------------------------------------------------------------------------------------------------- running

class Case:
    """One world: how to make it, and where."""

    def __init__(self, group, script, arguments, kind=None):
        self.group, self.script, self.arguments, self.kind = group, script, arguments, kind     # kind: (name, size)

    def make(self, keep):
        """-> (directory of reports, labels, first day, last day); made once for the same arguments and generator."""
        code = b""
        for script in (self.script, OWN) if self.script == KIND else (self.script,):
            with open(script, "rb") as f:
                code += f.read()
        key = hashlib.sha256(code + "\0".join(self.arguments).encode()).hexdigest()[:20]
        own = self.script in (OWN, KIND)
        path = os.path.join(keep, "%s-%s" % (self.group, key))
        done = os.path.join(path, "totals.json" if own else "truth.json")
        if not os.path.exists(done):
            fresh = tempfile.mkdtemp(prefix="making-", dir=keep)
            made = os.path.join(fresh, "world")
            run([sys.executable, self.script, "--out", made] + self.arguments)
            try:
                os.rename(made, path)
            except OSError:                     # another run was faster: its world is the same
                if not os.path.exists(done):
                    raise
            shutil.rmtree(fresh, ignore_errors=True)
        with open(done, encoding="utf-8") as f:
            totals = json.load(f)
        if own:
            return os.path.join(path, "reports"), os.path.join(path, "labels.tsv"), totals["first_day"], totals["last_day"]
        days = sorted(day for d in totals["domains"].values() for day in d["days"])
        return os.path.join(path, "files"), os.path.join(path, "labels.tsv"), days[0], days[-1]


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise Trouble("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stderr.strip()[:2000]))
    return done.stdout


def judge(binary, case, keep):
    reports, labels, first, last = case.make(keep)
    place = tempfile.mkdtemp(prefix="judging-", dir=keep)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DMARCSTAT")}
    environment.update(XDG_CONFIG_HOME=place, XDG_DATA_HOME=place, LC_ALL="C.UTF-8", TZ="UTC")
    try:
        database = os.path.join(place, "world.sqlite")
        run([binary, "ingest", reports, "--database", database], env=environment)
        text = run([binary, "sources", "--database", database, "--since", first, "--until", last, "--format", "csv", "--limit", "all"], env=environment)
        lines = case.kind and run([binary, "advise", "--database", database, "--since", first, "--until", last, "--lang", "en", "--format", "json"], env=environment)
        return read_labels(labels) + read_said(text, " ".join(case.arguments)), lines
    finally:
        shutil.rmtree(place, ignore_errors=True)


def addresses(advice, meant):
    """-> addresses that advise would put into SPF, those of them that are not the owner's by the labels"""
    found = set()
    for finding in json.loads(advice)["rows"]:
        for line in finding.get("dns") or ():
            for word in (line.get("value") or "").split():
                if word.startswith(("ip4:", "ip6:")):
                    found.add((finding["domain"], word[4:]))
    return len(found), sum(not {"authorized", "misconfigured"} & {v for label in meant.get((d, address(ip)), ()) for v in label.split("|")} for d, ip in found)


def seeds(text):
    found = []
    for part in text.split(","):
        a, _, b = part.partition("-")
        found += range(int(a), int(b or a) + 1)
    return found


def kinds_of_world(large, small, group="kinds-"):
    found = []
    for name, kind in KINDS.items():
        for size, numbers in (("large", large), ("small", small)):
            for seed in numbers if size in kind.sizes else ():
                found.append(Case(group + size, KIND, ["--kind", name, "--size", size, "--seed", str(seed)], (name, size)))
    return found


def cases(args):
    """-> cases, in the order of the groups they are printed in"""
    found, numbers = [], args.seeds
    if args.quick:
        for seed in numbers[:2]:
            found.append(Case("quick-large", OWN, ["--seed", str(seed), "--world", "varied", "--reports", "700", "--domains", "8", "--days", "120"]))
            found.append(Case("quick-small", OWN, ["--seed", str(seed), "--world", "small", "--reports", "300", "--days", "150"]))
        return found + kinds_of_world((), numbers[:1], "quickkinds-")
    for seed in numbers:
        for world in ("varied", "small", "tiny"):
            found.append(Case("own-large" if world == "varied" else "own-small", OWN, ["--seed", str(seed), "--world", world]))
    found += kinds_of_world(numbers[:2], numbers[:4])
    other = args.generator or (OTHER if os.path.exists(OTHER) else None)
    if not other:
        print("evaluate.py: gen_corpus.py is not at hand: own worlds only", file=sys.stderr)
        return found
    common = ["--format", "files", "--labels", "--jobs", "1"]
    for seed in numbers:
        found.append(Case("gen-large", other, ["--reports", "3000", "--profile", "mixed", "--domains", "20", "--seed", str(seed)] + common))
        found.append(Case("gen-small", other, ["--reports", "600", "--profile", "small", "--domains", "1", "--seed", str(seed)] + common))
    # Many domains, few reports of each: what advise would put into SPF must be the owner's.
    found.append(Case("hosting-gen", other, ["--reports", "3000", "--profile", "small", "--domains", "250", "--seed", str(numbers[0])] + common, ("gen-250-domains", "large")))
    return found


def read_floors(path):
    floors = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    try:
                        group, verdict, measure, floor = line.split()
                        floors[group, verdict, measure] = float(floor)
                    except ValueError:
                        if line.split()[:1] != ["group"]:
                            raise Trouble("%s: not a floor: %r" % (path, line))
    return floors


def below(floors, figures):
    """-> what is under its floor, as text. Groups that were not run are left alone; a verdict nobody says has no precision: under."""
    groups, found = {g for g, _, _ in figures}, []
    for key, floor in sorted(floors.items()):
        if key[0] not in groups:
            continue
        x = figures.get(key)
        if x is None or x < floor:
            found.append("%s %s %s: %s, floor %.4f" % (key + (number(x).strip(), floor)))
    return found


def raised(floors, figures):
    new = dict(floors)
    for key, x in figures.items():
        if x is not None:
            new[key] = max(new.get(key, 0), int(x * 10000) / 10000)
    return new


def write_floors(path, floors):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write("# Figures that may only rise: evaluate.py --floors FILE --raise\ngroup\tverdict\tmeasure\tfloor\n")
        for key, floor in sorted(floors.items()):
            f.write("%s\t%s\t%s\t%.4f\n" % (key + (floor,)))
    os.replace(path + ".new", path)


# ------------------------------------------------------------------------------------------------------------- self-test

def self_test():
    """Perfect answers score one, wrong ones do not, and floors notice."""
    rng = random.Random(7)
    meant, notes = defaultdict(dict), {}
    for i in range(400):
        pair = "d%d.example" % (i % 5), "192.0.2.%d" % (i % 250) if i % 2 else "2001:db8::%x" % (i + 1)
        for v in rng.sample(VERDICTS[:-1] + (EITHER,), rng.choice((1, 1, 2))):
            meant[pair][v] = rng.randrange(1, 90)

    def score(answer, confidence=.95):
        text = io.StringIO()
        w = csv.writer(text)
        w.writerow(("source", "domain", "messages", "failed", "verdict", "confidence"))
        for (d, ip), verdicts in answer.items():
            for v, n in verdicts.items():
                w.writerow((ip, d, n, 0, v, confidence))
        s = Score()
        s.add(meant, notes, *read_said(text.getvalue(), "self-test"))
        return s
    checks = []

    def check(name, truth):
        checks.append(name)
        if not truth:
            raise Trouble("self-test: %s does not hold" % name)
    for either in ("spoofed", "unaligned"):
        perfect = {p: defaultdict(int) for p in meant}
        for p, vs in meant.items():
            for v, n in vs.items():
                perfect[p][either if v == EITHER else v] += n
        s = score(perfect)
        check("perfect answers score 1 (impostors %s)" % either, all(abs(x - 1) < 1e-9 for x in s.figures().values()))
        check("a perfect confusion matrix is diagonal", all(a == b for a, b in s.confusion[0]))
        check("messages are conserved", s.messages_meant == s.messages_said)
        check("no must figure is missed by perfect answers", report("perfect", s, True, 3, io.StringIO()) == 0)
    best = {("all", v, m): x for (v, m), x in s.figures().items()}
    floors = raised({}, best)
    check("perfect answers are above their own floors", not below(floors, best))
    keys = list(perfect)
    other = keys[:]
    rng.shuffle(other)
    shuffled = {}
    for a, b in zip(keys, other):
        n, m = sum(perfect[a].values()), sum(perfect[b].values())
        shuffled[a] = {v: max(1, round(x * n / m)) for v, x in perfect[b].items()}
    bad = score(shuffled)
    check("shuffled answers score low", all(x < .6 for x in bad.figures().values()))
    check("shuffled answers miss", report("shuffled", bad, False, 0, io.StringIO()) > 20)
    worse = {("all", v, m): x for (v, m), x in bad.figures().items()}
    check("shuffled answers are under the floors", len(below(floors, worse)) == len(floors))
    check("floors never fall", raised(floors, worse) == floors)
    neither = {p: {"unknown" if EITHER in meant[p] else v: n for v, n in vs.items()} for p, vs in perfect.items()}
    check("an impostor called neither is a spoofer missed", score(neither).figures()["spoofed", "recall-messages"] < 1)
    silent = score({p: {"unknown": sum(vs.values())} for p, vs in perfect.items()})
    check("who says nothing has no recall, no precision", silent.figures()["forwarded", "recall-messages"] == 0
          and silent.figures()["forwarded", "precision-messages"] is None)
    check("and is under the floors", len(below(floors, {("all", v, m): x for (v, m), x in silent.figures().items()})) >= 28)
    half = {p: dict(vs) for p, vs in perfect.items()}
    del half[keys[0]]
    check("a source left out lowers recall", min(x for (v, m), x in score(half).figures().items() if m == "recall-sources") < 1)
    check("low confidence is not counted as confident", score(perfect, .5).figures()["confident", "right-rows"] is None)
    # By hand: 10 messages meant 6 forwarded + 4 spoofed, said 10 forwarded.
    tiny = Score()
    tiny.add({("d", "1"): {"forwarded": 6, "spoofed": 4}}, {}, {("d", "1"): {"forwarded": 10}}, [("d", "1", "forwarded", 10, .95)])
    f = tiny.figures()
    check("arithmetic by hand", (f["forwarded", "precision-messages"], f["forwarded", "recall-messages"], f["spoofed", "recall-messages"],
                                 f["confident", "right-messages"], tiny.confusion[0]["spoofed", "forwarded"]) == (.6, 1, 0, .6, 4))
    three = {"forwarded|spoofed|mailing-list": 10, "spoofed": 2}
    check("any of several right answers", settle(three, {"mailing-list": 6, "spoofed": 6}) == {"spoofed": 6, "mailing-list": 6}
          and settle(three, {"authorized": 12}) == {"spoofed": 2, "forwarded": 10})
    mistakes = Score()
    mistakes.add({("d", "1"): {"forwarded|mailing-list": 9}}, {("d", "1", "forwarded|mailing-list"): {"@x": 9}}, {("d", "1"): {"spoofed": 9}}, [("d", "1", "spoofed", 9, .95)])
    check("a mistake is filed under its situation", [(k, v[0], v[3]) for k, v in mistakes.mistakes.items()] == [(("@x", "forwarded|mailing-list", "spoofed"), 9, 9)])
    text = io.StringIO()
    check("a sure mistake misses", report_kinds({("k", "small"): (mistakes, mistakes)}, {("k", "small"): (0, 0)}, text) == 1)
    lines = json.dumps({"rows": [{"domain": "d", "dns": [{"value": "ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.3"}]}, {"domain": "d"}]})
    check("DNS lines of others are counted", addresses(lines, {("d", "192.0.2.1"): {"misconfigured": 1}, ("d", "192.0.2.2"): {"forwarded": 4}}) == (3, 2))
    for text, why in (("source,domain\n", "a missing column"), ("source,domain,messages,verdict,confidence\n1,d,1,fine,1\n", "an unknown verdict"),
                      ("source,domain,messages,verdict,confidence\n1,d,1,spoofed,1.5\n", "an impossible confidence")):
        try:
            read_said(text, "self-test")
        except Trouble:
            checks.append(why)
        else:
            raise Trouble("self-test: %s was accepted" % why)
    print("self-test: %d checks hold" % (len(checks) + attackers.self_test()))


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", metavar="PATH")
    p.add_argument("--generator", metavar="PATH", help="gen_corpus.py (default: ../shared/tools, if it is there)")
    p.add_argument("--seeds", type=seeds, default=seeds("1-6"), help="1-6 (default), 2, 1,4")
    p.add_argument("--attackers", action="store_true", help="also what forged reports can move; with --groups attackers, that alone")
    p.add_argument("--groups", help="only these groups of worlds, e.g. own-small,gen,kinds,one-key")
    p.add_argument("--quick", action="store_true", help="own worlds, two seeds, reduced; kinds of world, one seed")
    p.add_argument("--floors", metavar="FILE")
    p.add_argument("--check", action="store_true", help="exit 1 if a figure is below its floor")
    p.add_argument("--raise", dest="lift", action="store_true", help="write today's figures as floors, where they are higher")
    p.add_argument("--must", action="store_true", help="exit 1 if a figure is below the must column")
    p.add_argument("--keep", metavar="DIR", help="where worlds are kept between runs (default .build/evaluation)")
    p.add_argument("--diagnose", metavar="FILE", help="write what goes wrong in the kinds of world, as a table")
    p.add_argument("--worst", type=int, default=0, metavar="N", help="list the N worst pairs of each group")
    p.add_argument("--no-situations", action="store_true", help="leave out the recall by situation")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--self-test", action="store_true")
    a = p.parse_args(argv)
    try:
        if a.self_test:
            self_test()
            return 0
        if not a.binary:
            p.error("--binary is needed")
        if (a.check or a.lift) and not a.floors:
            p.error("--check and --raise need --floors")
        binary = os.path.abspath(a.binary)
        if not os.access(binary, os.X_OK):
            raise Trouble("%s cannot be run" % binary)
        keep = os.path.abspath(a.keep or os.path.join(PROJECT, ".build", "evaluation"))
        os.makedirs(keep, exist_ok=True)
        todo = cases(a)
        if a.groups:
            wanted = set(a.groups.split(","))
            todo = [c for c in todo if c.group in wanted or c.group.split("-")[0] in wanted or c.kind and c.kind[0] in wanted]
        if not todo and not a.attackers:
            raise Trouble("there is nothing to evaluate")
        scores, kinds, advice = {}, {}, defaultdict(lambda: [0, 0])
        with ThreadPoolExecutor(max(1, a.jobs)) as pool:
            answers = [(case, pool.submit(judge, binary, case, keep)) for case in todo]
            try:
                for case, answer in answers:
                    found, lines = answer.result()
                    if case.kind:
                        meant, notes, said, rows = found
                        about = {key[:2] for key, parts in notes.items() if any(n.startswith("@") for n in parts)}
                        whole, subject = kinds.setdefault(case.kind, (Score(), Score()))
                        whole.add(*found)
                        subject.add({k: v for k, v in meant.items() if k in about}, notes, {k: v for k, v in said.items() if k in about},
                                    [r for r in rows if r[:2] in about])
                        for i, n in enumerate(addresses(lines, meant)):
                            advice[case.kind][i] += n
                    for group in (case.group, case.group.split("-")[0] + "-all"):
                        scores.setdefault(group, Score()).add(*found, where=" ".join(case.arguments))
            except Trouble:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        misses, figures = 0, {}
        if kinds:
            misses += report_kinds(kinds, advice, sys.stdout)
            name = "quick-kind-%s-%s" if a.quick else "kind-%s-%s"
            for (kind, size), (score, subject) in kinds.items():
                for part, s in (("all", score), ("subject", subject)):
                    total = sum(s.meant[0].values())
                    if total:
                        figures[name % (kind, size), part, "right-messages"] = sum(s.hit[0].values()) / total
                if score.confident[0]:
                    figures[name % (kind, size), "confident", "right-rows"] = score.confident[1] / score.confident[0]
            if a.diagnose:
                with open(a.diagnose, "w", encoding="utf-8") as f:
                    diagnosis(kinds, f)
        for group in sorted(scores, key=lambda g: (not g.startswith(("own", "quick")), g.endswith("-all"), g)):
            misses += report(group, scores[group], not a.no_situations, a.worst, sys.stdout)
            figures.update({(group, v, m): x for (v, m), x in scores[group].figures().items()})
        if a.attackers:
            held, sane = attackers.run(binary, keep, a.quick, jobs=a.jobs)
            figures.update({("attackers-" + world, c, "held"): x for (world, c), x in held.items()})
            misses += sum(x < 1 for x in held.values()) + (not sane)
        print("%d figures below the must column" % misses)
        failed = False
        if a.floors:
            floors = read_floors(a.floors)
            if a.check:
                for line in below(floors, figures):
                    print("below its floor: " + line)
                    failed = True
            if a.lift:
                write_floors(a.floors, raised(floors, figures))
        return 1 if failed or (a.must and misses) else 0
    except (Trouble, attackers.Trouble) as trouble:
        print("evaluate.py: %s" % trouble, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
