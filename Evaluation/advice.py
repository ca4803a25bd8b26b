#!/usr/bin/env python3
"""Is what `advise` says true, and does it do no harm?

    advice.py --binary .build/release/dmarcstat                       all of it: own worlds, kinds, 250 domains
    advice.py --binary … --groups kinds-small --seeds 1               a part
    advice.py --binary … --reports DIR --labels labels.tsv            one corpus
    advice.py --self-test                                             that the checker can fail

Each world is collected by the binary, and `advise` is asked for everything at once and for each domain, as data and as text in both languages. Then:

  harm      no DNS line names an address that is not the owner's by the labels, passes mail on, or is scattered
  numbers   every count, share and day of every finding is counted again from `export records` (all rows); parts add up to the last message
  texts     every number that a sentence prints is one of the finding, in English and in Dutch; a period that is named has two ends
  policies  the policy that a finding names is one that reports of the last week show; E1 refers only to findings that are there
  itself    each number of some findings is made wrong by one: that must be noticed
  alike     a domain asked for alone gets the same findings as among all

`export` gives no verdicts, no voices and, of several results, one; for these the database is read (docs/SCHEMA.md): which verdict a record has, whose
word its report is, whether that is heard, and all its authentication results. Sums, shares, days and comparisons are made here, with no code of the
program's. With more than 127 voices about a domain, or 20,000 sets of results with one verdict, the program counts coarser than this.

Exit 0: all is true. 1: something is not; each is printed. 2: trouble.
"""
import argparse
import json
import os
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import evaluate                                                                                                    # noqa: E402

VERDICTS = {2: "unknown", 3: "authorized", 4: "dkim-only", 5: "forwarded", 6: "mailing-list", 7: "misconfigured", 8: "unaligned", 9: "spoofed"}
QUIET, LOOKED_BACK, REPORTER_DAYS, REGULAR_DAYS = 0.005, 90, 3, 8
BROKEN = ("fail", "permerror", "policy", "neutral")
DIRECT = ("authorized", "misconfigured", "dkim-only")
EPOCH = date(1970, 1, 1)
# Numbers that are part of a sentence, whatever the finding: RFCs, limits, "the next 2-3 days".
CONSTANTS = {0, 2, 3, 10, 30, 60, 255, 7489, 9989, 9990, 2026, 100, 1}


class Suffixes:
    """Organisational domains by the system's Public Suffix List; without it by the usual two labels."""

    PLACES = ("/usr/share/publicsuffix/public_suffix_list.dat", "/usr/share/publicsuffix/effective_tld_names.dat")

    def __init__(self):
        self.rules, self.known = set(), {}
        for place in self.PLACES:
            if os.path.exists(place):
                with open(place, encoding="utf-8") as f:
                    self.rules = {line.split()[0] for line in f if line.strip() and not line.startswith("//")}
                break

    def organisation(self, name):
        if name not in self.known:
            labels, n = name.split("."), 1
            for i in range(len(labels)):
                tail, wild = ".".join(labels[i:]), ".".join(["*"] + labels[i + 1:])
                if "!" + tail in self.rules:
                    n = len(labels) - i - 1
                    break
                if tail in self.rules or wild in self.rules:
                    n = len(labels) - i
                    break
            self.known[name] = ".".join(labels[-(n + 1):])
        return self.known[name]


class Record:
    __slots__ = ("domain", "day", "is_spread", "source", "messages", "passed", "dkim", "disposition", "header_from", "verdict", "voice", "dkims", "spfs")


class Report:
    __slots__ = ("domain", "day", "reporter", "voice", "heard", "p", "pct")


class World:
    """What was collected, and what advise says of it."""

    def __init__(self, binary, database, environment, since=None, until=None):
        self.binary, self.database, self.environment = binary, database, environment
        period = (["--since", since] if since else []) + (["--until", until] if until else [])
        self.asked = period
        self.answers = {lang: json.loads(self.ask(["advise", "--format", "json", "--lang", lang])) for lang in ("en", "nl")}
        self.period = self.answers["en"]["period"]
        self.since, self.until = (date.fromisoformat(self.period[k]) for k in ("since", "until"))
        self.read()

    def ask(self, words, asked=None):
        asked = self.asked if asked is None else asked
        return evaluate.run([self.binary] + words + ["--database", self.database] + asked, env=self.environment)

    def read(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True)
        names = dict(db.execute("SELECT id, name FROM names"))
        self.domains = [d for d, in db.execute("SELECT name FROM domains ORDER BY name")]
        unheard = set(db.execute("SELECT domain_id, report_id FROM unheard_reports"))
        standing = {(names[o], v): s for o, v, s in db.execute("SELECT organisation_id, voice_id, standing FROM voice_organisations")}
        results = defaultdict(lambda: ([], []))
        for set_id, method, domain, selector, scope, result in db.execute(
                "SELECT set_id, method, domain_id, selector_id, scope, result FROM authentication_results ORDER BY set_id, position"):
            results[set_id][method == "spf"].append((names.get(domain), names.get(selector) if method == "dkim" else scope, result))
        self.standing = standing
        self.reports, keys = [], {}
        by_name = {}
        for key, domain_id, domain, reporter, report_id, begin, day, voice, p, pct in db.execute(
                "SELECT r.id, r.domain_id, d.name, o.name, r.report_id, r.begin_utc, r.day, r.voice_id, p.p, p.pct FROM reports r "
                "JOIN domains d ON d.id = r.domain_id JOIN reporters o ON o.id = r.reporter_id JOIN policies p ON p.id = r.policy_id WHERE r.is_counted = 1"):
            report = Report()
            report.domain, report.day, report.reporter, report.voice = domain, EPOCH + timedelta(day), reporter, voice or 0
            report.heard, report.p, report.pct = (domain_id, key) not in unheard, p, pct
            self.reports.append(report)
            keys[key] = report
            by_name[reporter, report_id, domain, begin] = key
        place = {(key, sequence): (verdict, authentication) for key, sequence, authentication, verdict in db.execute(
            "SELECT r.report_id, r.sequence, r.authentication_id, f.verdict FROM records r JOIN flows f ON f.source = r.source"
            " AND f.domain_id = r.domain_id AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf"
            " WHERE r.counted_as < 2")}
        db.close()
        self.records = defaultdict(list)
        window = ["--since", self.period["since"], "--until", self.period["until"]]
        for line in self.ask(["export", "records", "--format", "ndjson", "--limit", "all"], window).splitlines():
            row = json.loads(line)
            begin = int((date.fromisoformat(row["begin"][:10]) - EPOCH).days * 86400 + sum(int(x) * y for x, y in zip(row["begin"][11:19].split(":"), (3600, 60, 1))))
            key = by_name[row["reporter"] or "", row["report_id"] or "", row["domain"], begin]
            if not keys[key].heard or not row["messages"]:
                continue
            r = Record()
            r.domain, r.day, r.source, r.messages = row["domain"], date.fromisoformat(row["day"]), row["source"], row["messages"]
            r.is_spread = row["begin"][:10] < row["end"][:10] and (date.fromisoformat(row["end"][:10]) - date.fromisoformat(row["begin"][:10])).days > 1
            r.passed, r.dkim, r.disposition, r.header_from = row["passed"], row["dkim"] == "pass", row["disposition"], row["header_from"]
            verdict, authentication = place[key, row["record"]]
            r.verdict, r.voice = VERDICTS.get(verdict, "unknown"), keys[key].voice
            r.dkims, r.spfs = results[authentication]
            self.records[r.domain].append(r)


def treatment(rows):
    t = defaultdict(int)
    for r in rows:
        t["messages"] += r.messages
        t["passed"] += r.messages if r.passed else 0
        t["failed"] += 0 if r.passed else r.messages
        if not r.passed:
            t[{"quarantine": "quarantined", "reject": "rejected"}.get(r.disposition, "delivered")] += r.messages
    t["sources"] = len({r.source for r in rows})
    t["reporters"] = len({r.voice for r in rows})
    return t


class Checker:
    """One domain's findings against its records."""

    def __init__(self, world, domain, suffixes, say):
        self.w, self.domain, self.say, self.suffixes = world, domain, say, suffixes
        self.rows = world.records.get(domain, [])
        self.organisation = suffixes.organisation(domain)
        self.heard = [r for r in world.reports if r.domain == domain and r.heard]
        self.recent = [r for r in self.heard if world.since - timedelta(LOOKED_BACK) <= r.day <= world.until]
        self.checked = 0

    def own(self, name):
        return bool(name) and self.suffixes.organisation(name) == self.organisation

    def of(self, *verdicts):
        return [r for r in self.rows if r.verdict in verdicts]

    def same(self, finding, what, said, counted):
        self.checked += 1
        if said != counted:
            self.say("%s %s: %s is %r, counted %r" % (self.domain, finding["code"], what, said, counted))

    def numbers(self, finding, counted, keys):
        for key in keys.split():
            said = finding["messages"] if key == "messages" else finding["numbers"].get(key)
            self.same(finding, key, said, counted[key])

    def days(self, finding, rows):
        if any(r.is_spread for r in rows) or not rows:
            return
        n = finding["numbers"]
        self.same(finding, "first_day", n["first_day"], min(r.day for r in rows).isoformat())
        self.same(finding, "last_day", n["last_day"], max(r.day for r in rows).isoformat())

    # Who a record authenticates as: the name of the finding about it.

    def foreign(self, r):
        spf, own = None, False
        for scope in ("mfrom", "helo"):
            for name, where, result in r.spfs:
                if ((where == "helo") == (scope == "helo")) and name:
                    kind = "own" if self.own(name) else "pass" if result == "pass" else "fail"
                    if spf is None or (kind == "own" and result == "pass") or (kind == "pass" and spf[0] == "fail"):
                        spf = (kind, name)
        signature = next((name for name, _, result in r.dkims if name and result == "pass" and not self.own(name)), None)
        return [x for x in (spf[1] if spf and spf[0] == "pass" else None, signature, spf[1] if spf and spf[0] in ("pass", "fail") else None) if x], spf

    def own_spf(self, r):
        return next(((name, result) for name, where, result in
                     [x for x in r.spfs if x[1] != "helo"] if name and self.own(name)), None)

    def check(self, findings, services):
        by = defaultdict(list)
        for f in findings:
            by[f["code"]].append(f)
        known = [r for r in self.rows if r.verdict != "spoofed"]
        questions = []
        for f in by["C1"] + by["C3"]:
            rows = [r for r in self.of("unaligned") if self.named(r, f["subjects"], services)]
            t = treatment(rows)
            self.numbers(f, t, "messages failed delivered quarantined rejected sources reporters")
            self.days(f, rows)
            if f["numbers"]["unrelated"]:
                questions += rows
        if self.of("unaligned") or by["C1"] or by["C3"]:
            said = sum(f["messages"] for f in by["C1"] + by["C3"])
            self.same({"code": "C1+C3"}, "messages in all", said, treatment(self.of("unaligned"))["messages"])
        asked = {id(r) for r in questions}
        known = [r for r in known if id(r) not in asked]
        for f in by["M1"] + by["G3"]:
            rows = [r for r in self.of("misconfigured") if r.source in f["subjects"]]
            t = treatment(rows)
            t["signed"] = sum(r.messages for r in rows if any(self.own(d) and x == "pass" for d, _, x in r.dkims))
            self.numbers(f, t, "messages failed delivered sources reporters signed")
            self.days(f, rows)
        for f in by["B1"]:
            rows = [r for r in self.of("authorized") if r.source in f["subjects"]]
            t = treatment(rows)
            bare = [r for r in rows if r.passed and not any(self.own(d) for d, _, _ in r.dkims)]
            t["messages"] = sum(r.messages for r in bare)
            self.numbers(f, t, "messages sources reporters")
            self.same(f, "by DKIM", sum(r.messages for r in bare if r.dkim), 0)
            self.same(f, "share", round(f["numbers"]["share"], 9), round(t["messages"] / sum(r.messages for r in known), 9))
        for f in by["B2"]:
            good = bad = 0
            voices, first, passed_voices = set(), None, set()
            selector, domain = f["numbers"]["selector"], f["numbers"]["signing_domain"]
            for r in self.of(*DIRECT):
                found = [x for d, s, x in r.dkims if d == domain and (s or "") == selector]
                if "pass" in found:
                    good += r.messages
                    passed_voices.add(r.voice)
                elif any(x in BROKEN for x in found):
                    bad += r.messages
                    voices.add(r.voice)
                    first = min(first or r.day, r.day)
            self.same(f, "messages", f["messages"], bad)
            self.same(f, "passed", f["numbers"]["passed"], good)
            self.same(f, "reporters", f["numbers"]["reporters"], len(voices))
            self.same(f, "passed_reporters", f["numbers"]["passed_reporters"], len(passed_voices))
            self.same(f, "everywhere", f["numbers"]["everywhere"], good == 0 and selector != "")
        for code, verdict, keys in (("C2", "dkim-only", "messages failed sources"), ("A1", "forwarded", "messages passed failed delivered quarantined rejected sources"),
                                    ("A2", "mailing-list", "messages passed failed delivered quarantined rejected sources")):
            rows = self.of(verdict)
            self.same({"code": code}, "findings", len(by[code]), 1 if rows else 0)
            for f in by[code]:
                self.numbers(f, treatment(rows), keys)
                if code == "A1":
                    self.same(f, "passed by the signature", f["numbers"]["passed"], sum(r.messages for r in rows if r.dkim))
                if code == "C2":
                    self.same(f, "passed by SPF", 0, sum(r.messages for r in rows if r.passed and not r.dkim))
        rows = self.of("spoofed")
        self.same({"code": "D1+D2"}, "findings", len(by["D1"] + by["D2"]), 1 if rows else 0)
        for f in by["D1"] + by["D2"]:
            t, n = treatment(rows), f["numbers"]
            t["networks"] = len({network(r.source) for r in rows})
            self.numbers(f, t, "messages delivered quarantined rejected sources networks")
            self.same(f, "parts", t["messages"] - t["passed"], n["delivered"] + n["quarantined"] + n["rejected"])
            if n["policy"]:
                since = date.fromisoformat(n["policy_since"])
                later = treatment([r for r in rows if r.day >= since])
                if not any(r.is_spread for r in rows):
                    self.same(f, "since_delivered", n["since_delivered"], later["delivered"])
                    self.same(f, "since_messages", n["since_messages"], later["messages"])
            self.policy(f, n["policy"])
        for f in by["F1"]:
            below = [r for r in rows if r.header_from in f["subjects"]]
            t = treatment(below)
            self.numbers(f, t, "messages delivered")
            self.same(f, "names", f["numbers"]["names"], len({r.header_from for r in below}))
            self.same(f, "others there", sum(r.messages for r in self.rows if r.header_from in f["subjects"] and r.verdict != "spoofed"), 0)
        for f in by["G1"] + by["G2"]:
            sums, voices = defaultdict(int), defaultdict(set)
            for r in self.rows:
                spf = self.own_spf(r)
                if spf and spf[0] == f["subjects"][0]:
                    sums[spf[1]] += r.messages
                    voices[spf[1]].add(r.voice)
            n = f["numbers"]
            if f["code"] == "G1":
                self.same(f, "permanent_errors", n["permanent_errors"], sums["permerror"])
                self.same(f, "temporary_errors", n["temporary_errors"], sums["temperror"])
                self.same(f, "checks", n["checks"], sum(sums.values()))
                self.same(f, "passed", n["passed"], sums["pass"])
                self.same(f, "reporters", n["reporters"], len(voices["permerror"]))
                self.same(f, "messages", f["messages"], sums["permerror"] if n["permanent"] else sums["temperror"])
            else:
                word = "none" if n["missing"] else "neutral"
                self.same(f, "messages", f["messages"], sums[word])
                self.same(f, "reporters", n["reporters"], len(voices[word]))
                self.same(f, "passed", n["passed"], sums["pass"])
                self.same(f, "its own record", f["subjects"], [self.domain])
                self.same(f, "said no", sums["fail"] + sums["softfail"], 0)
        for f in by["E2"]:
            self.same(f, "pct", str(f["numbers"]["pct"]) in {r.pct for r in self.recent}, True)
            self.policy(f, f["numbers"]["policy"])
        for f in by["F2"]:
            n = f["numbers"]
            first = min(r.day for r in self.heard)
            self.same(f, "since", n["since"], first.isoformat())
            self.same(f, "days", n["days"], (self.w.until - first).days + 1)
            self.same(f, "reporters", n["reporters"], self.witnesses())
            self.same(f, "known mail", sum(r.messages for r in self.rows if r.passed), 0)
        for f in by["H1"]:
            n = f["numbers"]
            last = max(r.day for r in self.recent if r.reporter in f["subjects"] or n["everybody"])
            self.same(f, "last_day", n["last_day"], last.isoformat())
            if not n["everybody"]:
                newest = max((r.day for r in self.w.reports if r.day <= self.w.until), default=last)
                self.same(f, "silent_days", n["silent_days"], (newest - last).days)
        for f in by["I1"]:
            for p in f["numbers"]["seen"] + [f["numbers"]["policy"]]:
                self.same(f, "p=%s" % p, p in {(r.p or "").lower() for r in self.recent}, True)
        for f in by["E1"]:
            self.readiness(f, known, questions, by)

    def witnesses(self):
        days = defaultdict(set)
        for r in self.recent:
            if self.w.standing.get((self.organisation, r.voice)) == 2:
                days[r.voice].add(r.day)
        return sum(len(d) >= REPORTER_DAYS for d in days.values())

    def stopped(self):
        """Witnesses that reported on eight days or more, and no longer do."""
        days = defaultdict(set)
        for r in self.recent:
            if self.w.standing.get((self.organisation, r.voice)) == 2:
                days[r.voice].add(r.day)
        newest = max(r.day for r in self.w.reports if r.day <= self.w.until)
        count = 0
        for seen in map(sorted, days.values()):
            gaps = [(b - a).days for a, b in zip(seen, seen[1:])]
            silent = (newest - seen[-1]).days
            count += len(seen) >= REGULAR_DAYS and silent > max(3, 3 * statistics.median(gaps), *gaps)
        return count

    def policy(self, f, p):
        if not p:
            return
        last = max(r.day for r in self.recent)
        shown = {(r.p or "").lower() for r in self.recent if (last - r.day).days <= 7}
        self.same(f, "policy p=%s is shown" % p, p in shown, True)

    def readiness(self, f, known, questions, by):
        n, t, q = f["numbers"], treatment(known), treatment(questions)
        self.same(f, "known_messages", n["known_messages"], t["messages"])
        self.same(f, "known_passed", n["known_passed"], t["passed"])
        self.same(f, "messages", f["messages"], t["failed"])
        self.same(f, "question_messages", n["question_messages"], q["messages"])
        self.same(f, "question_failed", n["question_failed"], q["failed"])
        parts = {k[4:]: v for k, v in n.items() if k.startswith("hit_")}
        self.same(f, "sum of parts", sum(parts.values()), f["messages"])
        for verdict in set(VERDICTS.values()) - {"spoofed"}:
            failed = treatment([r for r in known if r.verdict == verdict])["failed"]
            self.same(f, "hit " + verdict, parts.get(verdict.replace("-", "_"), 0), failed)
        witnesses = [r for r in self.recent if self.w.standing.get((self.organisation, r.voice)) == 2]
        days = len({r.day for r in witnesses})
        self.same(f, "days", n["days"], days)
        self.same(f, "reporters", n["reporters"], self.witnesses())
        self.same(f, "mailing_list_messages", n["mailing_list_messages"], treatment(self.of("mailing-list"))["messages"])
        first = min(r.day for r in self.heard)
        self.same(f, "since", n["since"], max(self.w.since, min(first, self.w.until)).isoformat())
        self.same(f, "of_days", n["of_days"], min((self.w.until - self.w.since).days + 1 + LOOKED_BACK, (self.w.until - first).days + 1))
        self.policy(f, n["policy"])
        for line in f["dns"]:
            self.same(f, "replaces", line["replaces"], "p=" + n["policy"])
        self.same(f, "beside", n["beside"], sorted(c for c in by if by[c] and c != "E1"))
        counted = {
            "misconfigured": sum(r.messages for r in self.of("misconfigured") if not self.own_error(r)),
            "unaligned": treatment([r for r in known if r.verdict == "unaligned"])["messages"] - sum(x["messages"] for x in by["C1"] + by["C3"] if "signs_since" in x["numbers"]),
            "unknown": treatment(self.of("unknown"))["failed"],
            "mailing_list": treatment(self.of("mailing-list"))["messages"],
            "dkim_missing": sum(x["messages"] for x in by["B1"]),
            "spf_error": sum(x["numbers"]["permanent_errors"] for x in by["G1"]) if "spf-error" in n["blockers"] and by["G1"] else None,
            "thin": days, "one_reporter": self.witnesses(), "reporters_stopped": self.stopped(), "one_witness": len(n["lonely_senders"]), "late_sender": len(n["late_senders"]), "no_known_mail": t["messages"],
        }
        for word in n["blockers"]:
            key = word.replace("-", "_")
            if counted.get(key) is not None:
                self.same(f, "blocker " + word, n[key], counted[key])
        self.same(f, "ready", n["ready"], not n["blockers"])
        # Whoever nobody knows is a question and never "a service that is not set up"; it is asked only about a name with a share of its own.
        if "question" in n["blockers"]:
            self.same(f, "question is asked", any(x["numbers"]["unrelated"] for x in by["C1"] + by["C3"]), True)

    def own_error(self, r):
        _, spf = self.foreign(r)
        errors = [result for name, where, result in r.spfs if name == (spf or (0, 0))[1]]
        return bool(spf) and spf[0] == "own" and any(x in ("permerror", "temperror") for x in errors)

    def named(self, r, subjects, services):
        names, _ = self.foreign(r)
        for name in names:
            service = services(name)
            if service:
                return service in subjects
        if not names:
            return r.source in subjects
        return self.suffixes.organisation(names[0]) in subjects


def network(source):
    if ":" not in source:
        return source.rsplit(".", 1)[0]
    import ipaddress
    return int(ipaddress.ip_address(source)) >> 80


def spoken(text, finding, language):
    """-> numbers that a text prints and the finding does not hold"""
    thousands, point = (",", ".") if language == "en" else (".", ",")
    held = set(CONSTANTS)
    strings = [str(finding["domain"])] + [str(s) for s in finding["subjects"]]

    def hold(value):
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, int):
            held.add(value)
        elif isinstance(value, list):
            held.update((len(value), len(value) - 5, len(value) - 25))
            strings.extend(str(v) for v in value)
        elif isinstance(value, str):
            strings.append(value)
            m = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", value)
            if m:
                held.update(int(x) for x in m.groups())
    hold(finding["messages"])
    hold(finding["subjects"])
    numbers = finding["numbers"]
    for value in numbers.values():
        hold(value)
    if "since_delivered" in numbers:
        held.add(numbers["delivered"] - numbers["since_delivered"])
    # What stands in names is no number of ours.
    for s in sorted(strings, key=len, reverse=True):
        if s:
            text = text.replace(s, " ")
    text = re.sub(r"\b[A-H][1-3]\b|RFC \d+|p=\w+|v=\S+|\bI1\b|\(SRS\)", " ", text)
    shares = []
    if finding["code"] == "B1":
        shares.append(numbers["share"])
    if finding["code"] == "E1" and numbers["known_messages"]:
        shares.append(numbers["known_passed"] / numbers["known_messages"])
    wrong = []
    for share in re.findall(r"([<>]?)(\d+(?:[.,]\d)?)%", text):
        value = float(share[1].replace(",", ".")) / 100
        if not any(abs(value - s) < 0.00051 or (share[0] and abs(value - s) < 0.0011) for s in shares):
            wrong.append("%s%%" % share[1])
    text = re.sub(r"[<>]?\d+(?:[.,]\d)?%", " ", text)
    for token in re.findall(r"\d{1,3}(?:%s\d{3})+|\d+" % re.escape(thousands), text):
        if int(token.replace(thousands, "")) not in held:
            wrong.append(token)
    return wrong


def check_texts(world, say):
    count = 0
    for language, answer in world.answers.items():
        for f in answer["rows"]:
            for token in spoken(f["text"], f, language):
                say("%s %s (%s): %s is printed, and is no number of the finding: %s" % (f["domain"], f["code"], language, token, f["text"]))
            count += 1
            for a, b in re.findall(r"(?:between|tussen) (\d+ \w+ \d{4}) (?:and|en) (\d+ \w+ \d{4})", f["text"]):
                if a == b:
                    say("%s %s (%s): a period from %s to itself" % (f["domain"], f["code"], language, a))
            if "Optional(" in f["text"] or " ? " in f["text"]:
                say("%s %s (%s): something is not filled in: %s" % (f["domain"], f["code"], language, f["text"]))
            if re.search(r"\b1 (messages|reporters|sources|days|berichten|bronnen|dagen)\b", re.sub(r"\d[\d.,]*1 ", "", f["text"])):
                say("%s %s (%s): one of several: %s" % (f["domain"], f["code"], language, f["text"]))
    if len({json.dumps([[f["code"], f["domain"], f["messages"], f["numbers"], f["dns"]] for f in a["rows"]]) for a in world.answers.values()}) != 1:
        say("the languages differ in more than words")
    return count


def check_harm(world, meant, say):
    """No DNS line for who is not the owner's: -> addresses printed"""
    printed = 0
    for f in world.answers["en"]["rows"]:
        for line in f["dns"]:
            for word in line["value"].split():
                if not word.startswith(("ip4:", "ip6:")):
                    continue
                printed += 1
                ip = evaluate.address(word[4:])
                labels = {v for label in meant.get((f["domain"], ip), ()) for v in label.split("|")}
                if not labels & {"authorized", "misconfigured"}:
                    say("%s %s: %s would be put into SPF, and is %s" % (f["domain"], f["code"], word, ", ".join(sorted(labels)) or "in no label"))
    return printed


def check_text_output(world, say):
    """The text for people holds the same findings as the data."""
    for language in ("en", "nl"):
        text = world.ask(["advise", "--all", "--lang", language, "--no-color"])
        flat = re.sub(r"\s+", " ", text)
        for f in world.answers[language]["rows"]:
            first = f["text"].split(". ")[0]
            if re.sub(r"\s+", " ", first) not in flat:
                say("%s %s (%s): %r is not in the text" % (f["domain"], f["code"], language, first))


def check_world(binary, reports, labels, first, last, keep, suffixes, say, alone=True):
    place = tempfile.mkdtemp(prefix="advising-", dir=keep)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DMARCSTAT")}
    environment.update(XDG_CONFIG_HOME=place, XDG_DATA_HOME=place, LC_ALL="C.UTF-8", TZ="UTC", COLUMNS="100000")
    try:
        database = os.path.join(place, "world.sqlite")
        evaluate.run([binary, "ingest", reports, "--database", database], env=environment)
        figures = defaultdict(int)
        meant = evaluate.read_labels(labels)[0]
        for since, until in {(None, None), (first, last)}:
            world = World(binary, database, environment, since, until)
            known = Services(world)
            for domain in world.domains:
                findings = [f for f in world.answers["en"]["rows"] if f["domain"] == domain]
                checker = Checker(world, domain, suffixes, say)
                checker.check(findings, known)
                figures["numbers"] += checker.checked
                figures["findings"] += len(findings)
            if since is None:
                figures["mutations"] += mutations(world, suffixes, known, say)
            figures["texts"] += check_texts(world, say)
            figures["addresses"] += check_harm(world, meant, say)
            check_text_output(world, say)
            if alone and since is None:
                for domain in world.domains:
                    window = ["--since", world.period["since"], "--until", world.period["until"], "--domain", domain]
                    one = json.loads(world.ask(["advise", "--format", "json", "--lang", "en"], window))
                    mine = [f for f in one["rows"] if f["domain"] == domain]
                    if [strip(f) for f in mine] != [strip(f) for f in world.answers["en"]["rows"] if f["domain"] == domain]:
                        say("%s: asked for alone it gets other findings" % domain)
                    figures["alone"] += 1
            figures["domains"] += len(world.domains)
        return figures
    finally:
        shutil.rmtree(place, ignore_errors=True)


# Words, flags and what another finding of the same answer decides; all other numbers must be missed when they are wrong.
NOT_COUNTED = {
    "signs_elsewhere", "known_service", "unrelated", "sister", "unnamed", "enforced", "open_below", "parked", "ready", "bounded", "not_in_force", "certain", "seen_by_two",
    "subdomains_send", "permanent", "missing", "proven", "passed_before", "everybody", "usual_days", "quarantine_short", "question", "dkim_broken", "spf_error", "signs_since",
    "policy_since", "since_messages", "until", "mixed_policy",
}


def mutations(world, suffixes, services, say, most=40):
    """Each number of some domains' findings is made wrong by itself: what is not noticed, nobody counts. -> how many"""
    count = 0
    for domain in world.domains[:most]:
        findings = [f for f in world.answers["en"]["rows"] if f["domain"] == domain]
        for i, f in enumerate(findings):
            for key, value in [("messages", f["messages"])] + list(f["numbers"].items()):
                if isinstance(value, bool) or not isinstance(value, (int, float)) or key in NOT_COUNTED or (key == "messages" and f["code"] in ("E2", "F2", "H1", "I1")):
                    continue
                if f["code"] == "H1":
                    continue
                wrong = json.loads(json.dumps(findings))
                if key == "messages":
                    wrong[i]["messages"] += 1
                else:
                    wrong[i]["numbers"][key] += 1
                said = []
                Checker(world, domain, suffixes, said.append).check(wrong, services)
                count += 1
                if not said:
                    say("%s %s: %s is never counted" % (domain, f["code"], key))
    return count


def strip(f):
    """Without what rests on the last day of all domains in scope."""
    return None if f["code"] == "H1" else f


class Services:
    """Which service a name belongs to, as `sources` says."""

    def __init__(self, world):
        self.known = {}
        window = ["--since", world.period["since"], "--until", world.period["until"]]
        for line in world.ask(["sources", "--format", "ndjson", "--limit", "all"], window).splitlines():
            row = json.loads(line)
            if row.get("service"):
                for name in (row.get("spf_domain"), row.get("dkim_domain")):
                    if name:
                        self.known.setdefault(name, row["service"])

    def __call__(self, name):
        return self.known.get(name)


def self_test():
    """Each rule fails where it must."""
    finding = {"domain": "a.example", "code": "E1", "messages": 25, "subjects": [], "numbers": {"known_messages": 886, "known_passed": 861, "since": "2026-06-01"}}
    good = "Since 1 Jun 2026 97.2% of 886 messages of known senders passed; 25 would be hit."
    assert spoken(good, finding, "en") == [], spoken(good, finding, "en")
    assert spoken(good.replace("25", "26"), finding, "en") == ["26"]
    assert spoken(good.replace("97.2", "97.9"), finding, "en") == ["97.9%"]
    assert spoken("1.250 berichten", dict(finding, messages=1250), "nl") == []
    assert spoken("1.251 berichten", dict(finding, messages=1250), "nl") == ["1.251"]

    class Fake:
        answers = {"en": {"rows": [{"domain": "a.example", "code": "C1", "messages": 1, "subjects": [], "numbers": {"d": "2026-06-22"}, "dns": [
            {"value": "ip4:192.0.2.1"}], "text": "1 message between 22 Jun 2026 and 22 Jun 2026."}]}}
    said = []
    check_texts(Fake, said.append)
    assert len(said) == 1 and "to itself" in said[0], said
    said = []
    assert check_harm(Fake, {("a.example", evaluate.address("192.0.2.1")): {"forwarded": 3}}, said.append) == 1 and len(said) == 1
    said = []
    assert check_harm(Fake, {("a.example", evaluate.address("192.0.2.1")): {"misconfigured": 3}}, said.append) == 1 and not said
    suffixes = Suffixes()
    assert suffixes.organisation("a.b.example.org") == "example.org"


def cases(args):
    found = []
    if args.quick:
        return evaluate.kinds_of_world((), [args.seeds[0]], "kinds-")
    for seed in args.seeds:
        for world in ("varied", "small"):
            found.append(evaluate.Case("own-large" if world == "varied" else "own-small", evaluate.OWN, ["--seed", str(seed), "--world", world]))
    found += evaluate.kinds_of_world(args.seeds[:1], args.seeds)
    other = evaluate.OTHER if os.path.exists(evaluate.OTHER) else None
    for seed in args.seeds if other else ():
        found.append(evaluate.Case("hosting-gen", other, ["--reports", str(args.reports_of_250), "--profile", "small", "--domains", "250", "--seed", str(seed),
                                                          "--format", "files", "--labels", "--jobs", "1"]))
    return found


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", metavar="PATH")
    p.add_argument("--reports", metavar="DIR", help="one corpus, with --labels; otherwise the worlds of evaluate.py")
    p.add_argument("--labels", metavar="FILE")
    p.add_argument("--groups", help="only these groups of worlds, e.g. kinds-small,hosting-gen, or kinds by name")
    p.add_argument("--seeds", type=evaluate.seeds, default=evaluate.seeds("1-3"))
    p.add_argument("--reports-of-250", type=int, default=12000, metavar="N", help="size of the corpus of 250 domains")
    p.add_argument("--quick", action="store_true", help="small stores of each kind, one seed")
    p.add_argument("--keep", metavar="DIR", help="where worlds are kept between runs (default .build/evaluation)")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--self-test", action="store_true")
    a = p.parse_args(argv)
    self_test()
    if a.self_test:
        return 0
    if not a.binary:
        p.error("--binary is needed")
    binary = os.path.abspath(a.binary)
    keep = os.path.abspath(a.keep or os.path.join(evaluate.PROJECT, ".build", "evaluation"))
    os.makedirs(keep, exist_ok=True)
    suffixes = Suffixes()
    try:
        if a.reports:
            if not a.labels:
                p.error("--reports needs --labels")
            todo = [("corpus", "corpus", lambda: (a.reports, a.labels, None, None))]
        else:
            todo = [(c.group, " ".join(c.arguments), lambda c=c: c.make(keep), c.kind and c.kind[0]) for c in cases(a)]
            if a.groups:
                wanted = set(a.groups.split(","))
                todo = [t for t in todo if t[0] in wanted or t[3] in wanted]
            todo = [t[:3] for t in todo]

        def one(case):
            group, name, make = case
            said = []
            figures = check_world(binary, *make(), keep, suffixes, lambda text: said.append("%s: %s" % (name, text)))
            return group, figures, said
        groups, wrong = defaultdict(lambda: defaultdict(int)), 0
        with ThreadPoolExecutor(max(1, a.jobs)) as pool:
            for group, figures, said in pool.map(one, todo):
                for key, n in figures.items():
                    groups[group][key] += n
                groups[group]["wrong"] += len(said)
                groups[group]["worlds"] += 1
                wrong += len(said)
                for line in said[:20]:
                    print("!! " + line)
                if len(said) > 20:
                    print("!! … and %d more" % (len(said) - 20))
                sys.stdout.flush()
        print("\n%-14s %7s %8s %9s %9s %10s %8s %14s %6s" % ("group", "worlds", "domains", "findings", "numbers", "made wrong", "texts", "addresses (SPF)", "wrong"))
        for group, n in groups.items():
            print("%-14s %7d %8d %9d %9d %10d %8d %15d %6d" % (
                group, n["worlds"], n["domains"], n["findings"], n["numbers"], n["mutations"], n["texts"], n["addresses"], n["wrong"]))
        print("%d of what was said is not so" % wrong)
        return 1 if wrong else 0
    except evaluate.Trouble as trouble:
        print("advice.py: %s" % trouble, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
