#!/usr/bin/env python3
"""Forged reports: what a stranger with cheap domains can move. evaluate.py --attackers runs this.

A base world is what honest reporters say of one or two domains over seven weeks, as mails in a maildir. An attack is a set of
further mails, well authenticated as the attacker's own domains. Both are collected by the binary under three configurations:
`trust` (trusted_authserv_id), `domains` (a list of own domains), `default` (no configuration). Answers before and after are compared.

An attack is held when
    sure     no verdict with a confidence of 0.9 or more is wrong that was not so before
    dns      advise prints no DNS line that it did not print before
    advice   no DNS line that it printed is gone
    ready    advise calls nothing ready that it did not call ready before
    figures  every record of every real report counts as before
    target   the attacked source has no verdict that the attacker wants, at 0.7 or more, that it did not have before; 0.9 where the
             attackers were patient enough to be witnesses
    verdicts no message of a real report lost its right verdict
In a young store `target` and `verdicts` are not asked.
A check that does not hold is named with what moved. Deterministic; standard library only.

    attackers.py --binary .build/release/dmarcstat [--quick] [--kinds sybil-today,superset] [--worlds usual] [--write DIR]
"""
import argparse
import base64
import csv
import datetime
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

from worlds import digest, poisson

HERE = os.path.dirname(os.path.abspath(__file__))
LAST_DAY = datetime.date(2026, 5, 31)
DAY = 86400
SERVER = "mx.ontvangst.example"
OWN, OTHER = "zeilmakerij.example", "kaashandel.example"
HUGE = 10 ** 9
CONFIGURATIONS = ("trust", "domains", "default")
WORLDS = ("usual", "small", "young")
CHECKS = ("sure", "dns", "advice", "ready", "figures", "target", "verdicts")


class Trouble(Exception):
    """Something that keeps the attackers from being run."""


# ------------------------------------------------------------------------------------------------------------------ mails

class Voice:
    """Who mails reports. org: org_name · email: the element · mail: domain of From · passes: what the receiving server found; "silent": it wrote
    nothing."""

    def __init__(self, org, mail, weight=1.0, email=None, passes=True, identifier="%(begin)d.%(n)d@%(mail)s"):
        self.org, self.mail, self.weight, self.passes, self.identifier = org, mail, weight, passes, identifier
        self.email = email or "dmarc@" + mail


class Row:
    """One record. spf: raw result for `env` · sigs: (domain, selector, result)."""
    __slots__ = ("ip", "count", "domain", "env", "spf", "sigs", "hf", "reason", "aligned_spf", "aligned_dkim")

    def __init__(self, ip, count, domain, env, spf, sigs=(), hf=None, reason=None):
        self.ip, self.count, self.domain, self.env, self.spf, self.sigs = ip, count, domain, env, spf, tuple(sigs)
        self.hf, self.reason = hf or domain, reason
        own = lambda name: name == domain or name.endswith("." + domain)        # noqa: E731
        self.aligned_spf = spf == "pass" and own(env)
        self.aligned_dkim = any(r == "pass" and own(d) for d, _, r in self.sigs)

    def key(self):
        return self.ip, self.domain, self.env, self.spf, self.sigs, self.hf, self.reason

    def with_count(self, count):
        return Row(self.ip, count, self.domain, self.env, self.spf, self.sigs, self.hf, self.reason)


class Report:
    """One report and the mail that carries it. day: day of its window, counted from the world's first · arrival: seconds since 1970."""

    def __init__(self, voice, domain, day, rows, arrival, identifier, date=None, policy="none", span=1, forged="", pct=100):
        """span: days of its window · forged: further header fields, below what the receiving server wrote."""
        self.voice, self.domain, self.day, self.rows, self.arrival = voice, domain, day, rows, arrival
        self.identifier, self.date, self.policy, self.span, self.forged, self.pct = identifier, date or arrival, policy, span, forged, pct

    def window(self, first):
        begin = first + self.day * DAY
        return begin, begin + self.span * DAY - 1

    @staticmethod
    def merged(rows):
        found = {}
        for row in rows:
            k = row.key()
            found[k] = row.with_count(found[k].count + row.count) if k in found else row
        return list(found.values())

    def xml(self, first):
        begin, end = self.window(first)
        word = lambda truth: "pass" if truth else "fail"                        # noqa: E731
        out = ['<?xml version="1.0" encoding="UTF-8"?>\n<feedback>\n<version>1.0</version>\n<report_metadata>\n<org_name>%s</org_name>\n'
               '<email>%s</email>\n<report_id>%s</report_id>\n<date_range><begin>%d</begin><end>%d</end></date_range>\n</report_metadata>\n'
               '<policy_published><domain>%s</domain><adkim>r</adkim><aspf>r</aspf><p>%s</p><sp>%s</sp><pct>%d</pct></policy_published>\n'
               % (self.voice.org, self.voice.email, self.identifier, begin, end, self.domain, self.policy, self.policy, self.pct)]
        for r in self.rows:
            failed = not (r.aligned_dkim or r.aligned_spf)
            kept = self.policy if failed and not r.reason else "none"
            why = "<reason><type>%s</type><comment>%s</comment></reason>" % r.reason if r.reason else ""
            sigs = "".join("<dkim><domain>%s</domain><selector>%s</selector><result>%s</result></dkim>" % s for s in r.sigs)
            out.append("<record><row><source_ip>%s</source_ip><count>%d</count><policy_evaluated><disposition>%s</disposition><dkim>%s</dkim>"
                       "<spf>%s</spf>%s</policy_evaluated></row><identifiers><envelope_from>%s</envelope_from><header_from>%s</header_from></identifiers>"
                       "<auth_results>%s<spf><domain>%s</domain><scope>mfrom</scope><result>%s</result></spf></auth_results></record>\n"
                       % (r.ip, r.count, kept, word(r.aligned_dkim), word(r.aligned_spf), why, r.env, r.hf, sigs, r.env, r.spf))
        return "".join(out) + "</feedback>\n"

    def eml(self, first, serial):
        begin, end = self.window(first)
        blob = io.BytesIO()
        with gzip.GzipFile("", "wb", 6, blob, mtime=0) as packed:
            packed.write(self.xml(first).encode())
        v, name = self.voice, "%s!%s!%d!%d.xml.gz" % (self.voice.mail, self.domain, begin, end)
        found = ("dkim=pass header.d=%s; spf=pass smtp.mailfrom=bounce@%s; dmarc=pass header.from=%s" % (v.mail, v.mail, v.mail) if v.passes is True
                 else "dkim=none; spf=none smtp.mailfrom=%s; dmarc=none header.from=%s" % (v.mail, v.mail) if v.passes is None
                 else "dkim=none; spf=fail smtp.mailfrom=%s; dmarc=fail header.from=%s" % (v.mail, v.mail))
        written = "" if v.passes == "silent" else "Authentication-Results: %s; %s\n" % (SERVER, found)
        return ("Return-Path: <bounce@%s>\nDelivered-To: dmarc@%s\n%s"
                "Received: from out.%s (out.%s [198.51.100.%d])\n\tby %s (Postfix) with ESMTPS id %08X\n\tfor <dmarc@%s>; %s\n%s"
                "From: <%s>\nTo: <dmarc@%s>\nSubject: Report Domain: %s Submitter: %s Report-ID: <%s>\nDate: %s\nMessage-ID: <%d.%d@%s>\n"
                "MIME-Version: 1.0\nContent-Type: application/gzip; name=\"%s\"\nContent-Disposition: attachment; filename=\"%s\"\n"
                "Content-Transfer-Encoding: base64\n\n%s" % (
                    v.mail, OWN, written, v.mail, v.mail, serial % 250, SERVER, serial, OWN, formatdate(self.arrival), self.forged,
                    "dmarc@" + v.mail, OWN, self.domain, v.mail, self.identifier, formatdate(self.date), self.arrival, serial, v.mail,
                    name, name, base64.encodebytes(blob.getvalue()).decode())).encode()


def write_maildir(path, reports, first):
    for folder in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(path, folder), exist_ok=True)
    for serial, report in enumerate(sorted(reports, key=lambda r: r.arrival)):
        name = os.path.join(path, "new", "%d.M%dP%d.mx1" % (report.arrival, serial % 1000000, 100 + serial % 9))
        with open(name, "wb") as f:
            f.write(report.eml(first, serial))
        os.utime(name, (report.arrival, report.arrival))


# ------------------------------------------------------------------------------------------------------------ honest mail

class Base:
    """What honest reporters saw. usual: two domains, nine reporters, busy. small: one domain, three reporters, a few messages a day. young: the same,
    with nine days in all, so that nobody is a witness."""

    def __init__(self, name):
        self.name = name
        self.days = {"usual": 50, "small": 45, "young": 9}[name]
        # While a store is young all who agree are believed together, a stranger as well, and nothing is sure.
        self.checks = tuple(c for c in CHECKS if name != "young" or c not in ("target", "verdicts"))
        self.first = (LAST_DAY.toordinal() - self.days + 1 - datetime.date(1970, 1, 1).toordinal()) * DAY
        self.today = self.first + self.days * DAY + 12 * 3600           # noon of the day after the last
        self.domains = [OWN, OTHER] if name == "usual" else [OWN]
        self.voices = [Voice("google.com", "google.com", 10, "noreply-dmarc-support@google.com"),
                       Voice("Enterprise Outlook", "microsoft.com", 7, "dmarcreport@microsoft.com"),
                       # Its mail proves nothing: a small reporter that neither signs nor has SPF.
                       Voice("kliniek-it.test", "kliniek-it.test", 2, passes=None, identifier="kliniek-it.test.%(day)d")]
        if name == "usual":
            self.voices += [Voice("Yahoo", "yahooinc.com", 4, "dmarchelp@yahooinc.com"), Voice("postplein.test", "postplein.test", 4),
                            Voice("Zomerpost B.V.", "zomerpost.test", 3), Voice("stadspost.test", "stadspost.test", 2, identifier="%(day)d"),
                            Voice("mx.gemeente.test", "mx.gemeente.test", 1.5, identifier="gemeente-%(domain)s-%(day)d"),
                            Voice("pakhuis.test", "pakhuis.test", 1)]
        total = sum(v.weight for v in self.voices)
        self.share = {v: v.weight / total for v in self.voices}
        self.meant = defaultdict(set)
        self.flows = []
        busy = 1.0 if name == "usual" else .35
        for k, domain in enumerate(self.domains):
            self.world_of(domain, k, busy * (1 if k == 0 else .7))
        self.reports = self.collect()

    # Addresses that attacks are about. Documentation networks would be odd among real ones: all are plain numbers of nobody in particular.
    own = ["37.19.44.10", "37.19.44.11"]
    fallen = "37.19.44.20"              # an own server that fell out of SPF half-way
    never = "94.130.80.9"               # an own server that nobody ever put into SPF
    stranger = "91.203.70.8"            # forges, on some days
    vendor = "62.141.9.30"              # a service that is not set up
    fresh = "103.77.5.66"               # nobody honest ever met it

    def flow(self, domain, rate, verdict, make, factor=None):
        self.flows.append((domain, rate, verdict, make, factor))

    def world_of(self, domain, k, busy):
        fails = "softfail"
        sig = lambda result="pass": (domain, "zm1", result)                     # noqa: E731
        own = self.own if k == 0 else ["80.65.12.5"]
        half = self.days // 2

        def server(rng, day):
            return Row(rng.choice(own), 1, domain, domain, "pass", [sig()])
        self.flow(domain, 60 * busy, "authorized", server)
        if k == 0:
            def fallen(rng, day):
                return Row(self.fallen, 1, domain, domain, "pass" if day < half else fails, [])
            self.flow(domain, 14 * busy, None, fallen)
            self.flow(domain, 10 * busy, "misconfigured", lambda rng, day: Row(self.never, 1, domain, domain, fails, [sig()]))
        bulk = ["185.33.%d.%d" % (8 + i % 2, 20 + i) for i in range(8)]

        def service(rng, day):
            return Row(rng.choice(bulk), 1, domain, "rb.nieuwsbus.example", "pass", [(domain, "nb1", "pass"), ("nieuwsbus.example", "x", "pass")])
        self.flow(domain, 12 * busy, "dkim-only", service)

        def vendor(rng, day):
            return Row(self.vendor, 1, domain, "uit.planbord.example", "pass", [("planbord.example", "p", "pass")])
        self.flow(domain, 5 * busy, "unaligned", vendor)
        relays = ["%d.%d.7.25" % (51 + i * 9, 40 + i * 7) for i in range(7)]

        def forwarder(rng, day):
            i = rng.randrange(len(relays))
            mail = server(rng, day) if rng.random() < .7 else service(rng, day)
            if i % 3 == 0:
                return Row(relays[i], 1, domain, "alias%d.example" % i, "pass", mail.sigs)
            return Row(relays[i], 1, domain, mail.env, fails, mail.sigs)
        self.flow(domain, 5 * busy, "forwarded", forwarder)
        lists = ["144.76.3.%d" % (9 + i) for i in range(2)]

        def mailing_list(rng, day):
            i = rng.randrange(2)
            return Row(lists[i], 1, domain, "lijst%d.koor.example" % i, "pass", [sig("fail"), ("koor.example", "l", "pass")])
        self.flow(domain, 3 * busy, "mailing-list", mailing_list)

        def scattered(rng, day):
            ip = "%d.%d.%d.%d" % (rng.choice((41, 45, 77, 105, 113, 125, 177, 181, 190, 201)), rng.randrange(256), rng.randrange(256), rng.randrange(1, 255))
            return Row(ip, 1, domain, domain, fails)
        self.flow(domain, 6 * busy, "spoofed", scattered)
        if k == 0:
            self.flow(domain, 9 * busy, "spoofed", lambda rng, day: Row(self.stranger, 1, domain, domain, fails),
                      lambda day: 1.0 if day % 5 < 2 else 0.0)

    def collect(self):
        found = []
        for n, voice in enumerate(self.voices):
            for day in range(self.days):
                for domain in self.domains:
                    rng = random.Random(digest("attackers", self.name, n, day, domain))
                    rows = []
                    for whose, rate, verdict, make, factor in self.flows:
                        if whose == domain:
                            for _ in range(poisson(rng, rate * self.share[voice] * (factor(day) if factor else 1))):
                                row = make(rng, day)
                                rows.append(row)
                                self.meant[domain, row.ip].add(verdict or ("authorized" if row.aligned_spf else "misconfigured"))
                    if rows:
                        found.append(self.report(voice, domain, day, Report.merged(rows), n))
        return found

    def report(self, voice, domain, day, rows, n=0, arrival=None, **more):
        begin = self.first + day * DAY
        identifier = voice.identifier % dict(begin=begin, n=n, mail=voice.mail, day=day + 1, domain=domain)
        usual = begin + DAY + 2 * 3600 + digest(voice.org, day) % 9000
        # Who forges a report forges its Date as well; when it arrived the receiving server says.
        return Report(voice, domain, day, rows, arrival or usual, identifier, date=usual, **more)


# --------------------------------------------------------------------------------------------------------------- attacks

class Attack:
    """mails: what the attacker sends · target, wants: whom it is about and what they should look like · early: its mails are collected before the
    real ones that they collide with · only: configurations in which it can be held at all · likely: the confidence that its target may not reach;
    witnesses may say what they like, as long as nothing of it is sure."""

    def __init__(self, mails, target=None, wants=(), early=False, only=CONFIGURATIONS, likely=.7):
        self.mails, self.target, self.wants, self.early, self.only, self.likely = mails, target, set(wants), early, only, likely


CHEAP = ("goedkoop-bezorgd.example", "prima-post.example", "snelmail.example")


def own_pass(b, ip, n, hf=None):
    return Row(ip, n, OWN, hf or OWN, "pass", [(OWN, "zm1", "pass")], hf)


def lies(b, ip, n, day, turn):
    """Passes until `turn`, then fails: the story of a server that fell out of SPF, which asks for a DNS line."""
    return own_pass(b, ip, n) if day < turn else Row(ip, n, OWN, OWN, "softfail", [(OWN, "zm1", "pass")])


def plausible(b, day, n=0):
    """What an honest reporter might say of that day."""
    rows = [own_pass(b, ip, 3 + (day + n + i) % 5) for i, ip in enumerate(b.own)]
    rows.append(Row("185.33.8.20", 2 + (day + n) % 3, OWN, "rb.nieuwsbus.example", "pass", [(OWN, "nb1", "pass"), ("nieuwsbus.example", "x", "pass")]))
    rows.append(Row("60.47.7.25", 1, OWN, OWN, "softfail", [(OWN, "zm1", "pass")]))
    return rows


def story(b, voices, ip, days, turn, per_day=12, arrival=None, honest=True):
    found = []
    for n, voice in enumerate(voices):
        for day in days:
            rows = (plausible(b, day, n) if honest else []) + [lies(b, ip, per_day, day, turn)]
            found.append(b.report(voice, OWN, day, rows, 90 + n, arrival(n, day) if arrival else b.today + 60 * n + day))
    return found


def attacks(b):
    """-> {kind: Attack} against one base world"""
    x, last = b.stranger, b.days
    one, two, three = (Voice("mx." + d, d) for d in CHEAP)
    recent, turn = range(last - 14, last), last - 6
    found = {}

    def add(kind, mails, target=None, wants=(), **more):
        found[kind] = Attack(mails, target, wants, **more)
    trusted = ("authorized", "misconfigured", "dkim-only")
    add("sybil-two-names", story(b, [Voice("Noorderpost", CHEAP[0]), Voice("mx2." + CHEAP[0], CHEAP[0])], x, recent, turn), x, trusted)
    add("sybil-two-domains", story(b, [one, two], x, recent, turn), x, trusted)
    add("sybil-two-mails", [b.report(v, OWN, last - 1, [lies(b, x, 40, 0, 1), lies(b, x, 40, 1, 1)], 90 + i, b.today + i)
                            for i, v in enumerate((Voice("Noorderpost", CHEAP[0]), Voice("Zuiderpost", CHEAP[0])))], x, trusted)
    add("sybil-old-days", story(b, [one, two, three], x, range(-45, last, 3), last - 9), x, trusted)
    add("sybil-before-all", story(b, [one, two], x, range(-60, -5, 2), 0), x, trusted)
    add("sybil-fresh-address", story(b, [one, two, three], b.fresh, recent, turn), b.fresh, trusted)
    add("big-names", story(b, [Voice("google.com", CHEAP[0], email="noreply-dmarc-support@google.com"),
                               Voice("Enterprise Outlook", CHEAP[1], email="dmarcreport@microsoft.com"),
                               Voice("Yahoo", CHEAP[2], email="dmarchelp@yahooinc.com")], x, recent, turn), x, trusted)
    add("big-names-own-address", story(b, [Voice("google.com", CHEAP[0]), Voice("Microsoft", CHEAP[0]), Voice("Enterprise Outlook", CHEAP[1])],
                                       x, recent, turn), x, trusted)
    # Without a trusted server nobody can see that From is forged: only `trust` can hold these.
    add("forged-from", story(b, [Voice("google.com", "google.com", email="noreply-dmarc-support@google.com", passes=False),
                                 Voice("Enterprise Outlook", "microsoft.com", email="dmarcreport@microsoft.com", passes=False)], x, recent, turn), x, trusted,
        only=("trust",))
    add("forged-from-silent", story(b, [Voice("google.com", "google.com", email="noreply-dmarc-support@google.com", passes="silent"),
                                        Voice("Enterprise Outlook", "microsoft.com", email="dmarcreport@microsoft.com", passes="silent")], x, recent, turn),
        x, trusted, only=("trust",))
    # … and the mail brings the results of the trusted server along, below what that wrote itself, and as a seal.
    good = "dkim=pass header.d=google.com; spf=pass smtp.mailfrom=google.com; dmarc=pass header.from=google.com"
    brought = ("Authentication-Results: %s; %s\nARC-Authentication-Results: i=1; %s; %s\nReceived-SPF: pass\n"
               "Received: from mail.google.com (mail.google.com [209.85.1.1])\n\tby %s (Postfix) with ESMTPS id 1; %s\n"
               "Authentication-Results: %s; %s\n" % (SERVER, good, SERVER, good, SERVER, formatdate(b.today), SERVER, good))
    add("forged-headers", [b.report(Voice("google.com", "google.com", email="noreply-dmarc-support@google.com", passes=False), OWN, day,
                                    [lies(b, x, 40, day, turn)], 90, b.today + day, forged=brought) for day in recent], x, trusted, only=("trust",))
    add("email-of-another", story(b, [Voice("Bezorgdienst", CHEAP[0], email="dmarcreport@microsoft.com"),
                                      Voice("Postverkeer", CHEAP[1], email="noreply-dmarc-support@google.com")], x, recent, turn), x, trusted)
    add("look-alikes", story(b, [Voice("gооgle.com", "xn--ggle-55da.com"), Voice("mıcrosoft.com", "xn--mcrosoft-tkb.com"), Voice("google.co", "google-com.example")],
                             x, recent, turn), x, trusted)
    survives = Row(x, 5, OWN, OWN, "softfail", [(OWN, "zm1", "pass")], reason=("forwarded", "known forwarder"))
    add("one-survives", [b.report(one, OWN, last - 1, [survives], 90, b.today)], x, ("forwarded",))
    add("two-survive", [b.report(v, OWN, d, [survives], 90 + i, b.today + i) for i, v in enumerate((one, two)) for d in (last - 1, last - 6)],
        x, ("forwarded",))
    # The spoofer's name relays for everybody else, says the attacker: then it relays here as well.
    add("relay-elsewhere", [b.report(one, d, day, [Row(x, 9, d, d, "softfail", [(d, "s", "pass")]), Row("11.22.33.4", 9, d, d, "pass", [(d, "s", "pass")])],
                                     90, b.today + day) for day in range(last - 10, last) for d in ("verzonnen%d.example" % i for i in range(5))],
        x, ("forwarded",))
    # An own server is framed as one that sends for everybody, or as one that passes mail on.
    stranger, mends = ("spoofed", "forwarded", "unaligned", "mailing-list"), lambda name: [(name, "k", "pass")]     # noqa: E731
    subs = ["s%d.%s" % (i, OWN) for i in range(24)]
    add("frame-by-subdomains", [b.report(one, d, last - 1 - i % 20, [Row(b.never, 4, d, d, "softfail", mends(d)), Row(b.never, 3, d, "los%d.example" % i, "pass"),
                                                                     Row("11.22.33.5", 5, d, d, "pass", mends(d))], 90, b.today + i)
                                for i, d in enumerate(subs)], b.never, stranger)
    add("frame-by-from", [b.report(one, OWN, last - 1 - i, [Row(b.never, 6, OWN, d, "fail", hf=d) for d in subs], 90, b.today + i) for i in range(8)],
        b.never, stranger)
    others = ["kader%d.example" % i for i in range(24)]
    add("frame-by-domains", [b.report(one, d, last - 1 - i % 20, [Row(b.never, 5, d, d, "fail", mends(d)), Row("11.22.33.5", 5, d, d, "pass", mends(d))],
                                      90, b.today + i) for i, d in enumerate(others)], b.never, stranger)
    add("frame-two-voices", [b.report(v, d, day, [Row(b.never, 5, d, d, "fail", mends(d)), Row("11.22.33.5", 5, d, d, "pass", mends(d))], 90 + n, b.today + day)
                             for n, v in enumerate((one, two)) for day in range(last - 20, last, 4) for d in others[:8]], b.never, stranger)
    add("frame-by-services", [b.report(v, OWN, day, [Row(b.never, 5, OWN, "fwd.doorstuur.example", "pass", [(OWN, "nb1", "pass"), ("nieuwsbus.example", "x", "pass")]),
                                                     Row(b.never, 5, OWN, "fwd.doorstuur.example", "pass", [(OWN, "zm1", "pass")])], 90 + n, b.today + day)
                              for n, v in enumerate((one, two)) for day in range(last - 9, last)], b.never, stranger)
    add("thirty-mails", [b.report(Voice("mx%d.%s" % (i % 3, CHEAP[0]), CHEAP[0]), OWN, last - 1 - i,
                                  [Row(ip, 15, OWN, OWN, "fail", [(OWN, "zm1", "fail")] if i % 2 else ()) for ip in b.own + [b.fallen, b.never]]
                                  + [Row(b.never, 9, OWN, "troep%d.example" % i, "none")], 90, b.today + i) for i in range(30)], b.never, stranger)
    add("thirty-strangers", [b.report(one, OWN, last - 1 - i, [Row(b.never, 40, OWN, "troep%d.example" % j, "pass") for j in range(12)], 90, b.today + i)
                             for i in range(30)], b.never, stranger)
    add("dilution", [b.report(one, OWN, last - 1, [own_pass(b, b.own[0], HUGE)], 90, b.today)], b.fallen, ("authorized",))
    add("dilution-spread", [b.report(v, OWN, last - 1 - d, [own_pass(b, b.own[d % 2], HUGE // 7)], 90 + i, b.today + d)
                            for i, v in enumerate((one, two)) for d in range(28)], b.fallen, ("authorized",))
    add("dilution-of-failure", [b.report(one, OWN, last - 1, [Row(b.own[0], HUGE, OWN, OWN, "fail"), Row(x, HUGE, OWN, OWN, "fail")], 90, b.today)],
        b.own[0], ("spoofed", "misconfigured"))
    # The key of the domain is at home with the attacker, says the attacker.
    add("key-home", story_key(b, (one, two), last), b.fresh, ("dkim-only", "authorized"))
    add("quiet-store", [b.report(v, OWN, last + d, [own_pass(b, b.own[0], 40), own_pass(b, x, 10)], 90 + i, b.today + 40 * DAY + d)
                        for i, v in enumerate((one, two)) for d in range(2, 36)], x, ("authorized",))
    # ---- reports that collide with real ones
    guessable = [r for r in b.reports if r.voice.passes is True and "%(day)d" in r.voice.identifier and r.domain == OWN and r.day >= last - 5]
    if not guessable:
        guessable = [r for r in b.reports if r.voice.org == "google.com" and r.day >= last - 5]
    weak = [r for r in b.reports if r.voice.passes is None and r.day >= last - 5]

    def bird(reports, cheap):
        return [Report(Voice(r.voice.org, cheap, email=r.voice.email), r.domain, r.day, [own_pass(b, b.own[0], 7), own_pass(b, x, 7)],
                       r.arrival - 5 * 3600, r.identifier) for r in reports]
    add("early-bird", bird(guessable, CHEAP[0]), x, trusted, early=True)
    add("early-bird-unverified", bird(weak, CHEAP[0]), x, trusted, early=True)

    def forged(reports, first):
        """With the reporter's own From and id; the receiving server writes that DMARC fails."""
        return [Report(Voice(r.voice.org, r.voice.mail, email=r.voice.email, passes=False), r.domain, r.day,
                       ([] if first else [row.with_count(row.count * 3 + 1) for row in r.rows]) + [own_pass(b, x, 7)],
                       r.arrival - 5 * 3600 if first else b.today + i, r.identifier) for i, r in enumerate(reports)]
    add("forged-bird", forged(guessable, True), x, trusted, early=True)
    add("forged-superset", forged(guessable, False), x, trusted)

    def superset(reports, cheap):
        return [Report(Voice(r.voice.org, cheap, email=r.voice.email), r.domain, r.day,
                       [row.with_count(row.count * 3 + 1) for row in r.rows] + [lies(b, x, 30, r.day, turn)], b.today + i, r.identifier)
                for i, r in enumerate(reports)]
    add("superset", superset([r for r in b.reports if r.day >= last - 10 and r.domain == OWN and r.voice.passes is True], CHEAP[0]), x, trusted)
    add("superset-unverified", superset([r for r in b.reports if r.day >= last - 10 and r.voice.passes is None], CHEAP[0]), x, trusted)
    # ---- patience: twenty days of honest-looking reports, then lies
    begins = lambda day: b.first + (day + 1) * DAY + 4 * 3600                    # noqa: E731

    def patient(lying, ip):
        """The lies tell of a server that passed for all of the lying days but the last three."""
        quiet = [b.report(v, OWN, day, plausible(b, day, n), 90 + n, begins(day) + n) for n, v in enumerate((one, two))
                 for day in range(last - 20 - lying, last - lying)]
        return quiet + story(b, (one, two), ip, range(last - lying, last), last - min(3, lying // 2), arrival=lambda n, day: begins(day) + n)
    add("patient-2-days", patient(2, x), x, trusted, likely=.9)
    add("patient-10-days", patient(10, x), x, trusted, likely=.9)
    add("patient-fresh", patient(12, b.fresh), b.fresh, trusted, likely=.9)
    more_attacks(b, add, one, two, three, trusted, begins)
    return found


def more_attacks(b, add, one, two, three, trusted, begins):
    """Those who wait, and what else was tried later."""
    x, last = b.stranger, b.days
    stranger = ("spoofed", "forwarded", "unaligned", "mailing-list")

    def patient(voices, quiet, lying, rows, since=0, domain=OWN, **more):
        """Reports that look honest for some days, then with `rows(day, n)` beside. Their mails come on the day after. since: days before the usual."""
        begin = last - quiet - lying - since
        return [b.report(v, OWN, day, plausible(b, day, n), 90 + n, begins(day) + n) for n, v in enumerate(voices) for day in range(begin, begin + quiet)] \
            + [b.report(v, domain, day, (plausible(b, day, n) if domain == OWN else []) + rows(day, n), 90 + n, begins(day) + n, **more)
               for n, v in enumerate(voices) for day in range(begin + quiet, begin + quiet + lying)]
    pair = (one, two)
    add("patient-alone", patient((one,), 20, 12, lambda day, n: [lies(b, x, 12, day, last - 3)]), x, trusted, likely=.9)
    add("patient-few-rows", patient(pair, 20, 3, lambda day, n: [lies(b, b.fresh, 2, day, last - 1)]), b.fresh, trusted, likely=.9)
    # What they say now, of days before anybody knew them.
    add("patient-backdated", patient(pair, 20, 10, lambda day, n: [lies(b, x, 12, day, last - 3)])
        + [b.report(v, OWN, day, [own_pass(b, x, 12)], 95 + n, begins(last - 4) + n) for n, v in enumerate(pair) for day in range(-70, last - 30)], x, trusted, likely=.9)
    add("patient-halves", patient((one,), 20, 12, lambda day, n: [own_pass(b, x, 12)])
        + patient((two,), 20, 12, lambda day, n: [Row(x, 12, OWN, OWN, "softfail", [(OWN, "zm1", "pass")])]), x, trusted, likely=.9)
    add("patient-frame", patient(pair, 20, 12, lambda day, n: [
        Row(b.never, 9, OWN, "fwd.doorstuur.example", "pass", [(OWN, "nb1", "pass"), ("nieuwsbus.example", "x", "pass")]),
        Row(b.never, 9, OWN, "troep.example", "pass"), Row(b.own[0], 9, OWN, OWN, "fail")]), b.never, stranger, likely=.9)
    add("patient-key", patient(pair, 20, 12, lambda day, n: [
        Row(b.fresh, 50, OWN, "rb.vreemd.example", "pass", [(OWN, "zm9", "pass"), ("vreemd.example", "v", "pass")])]), b.fresh, ("dkim-only", "authorized"), likely=.9)
    # Rows without number: the key of the domain is mostly seen beside the attacker's name.
    add("patient-key-flood", patient(pair, 20, 8, lambda day, n: [
        Row("103.77.%d.%d" % (i // 200, i % 200), 3, OWN, "rb.vreemd.example", "pass", [(OWN, "zm1", "pass"), ("vreemd.example", "v", "pass")])
        for i in range(400)]), "103.77.1.1", ("dkim-only", "authorized"), likely=.9)
    # A policy domain below the owner's, of which nobody else ever heard.
    ghost = "www." + OWN
    add("patient-subdomain", patient(pair, 20, 12, lambda day, n: [
        Row(x, 12, ghost, ghost, "pass" if day < last - 3 else "softfail", [(ghost, "zm1", "pass")])], domain=ghost), x, trusted, likely=.9)
    add("ghost-domains", [b.report(v, "bestaat-niet%d.example" % i, day, [Row(b.never, 9, "bestaat-niet%d.example" % i, "bestaat-niet%d.example" % i, "softfail",
                                                                            [("bestaat-niet%d.example" % i, "s", "pass")])], 90 + n, b.today + day)
                          for n, v in enumerate(pair) for i in range(6) for day in range(last - 9, last, 2)], b.never, stranger)
    add("ip6-spread", [b.report(v, OWN, day, [own_pass(b, "2a0e:b107:9:1::%x" % (day * 64 + i), 2) for i in range(40)]
                                + [Row("2a0e:b107:9:1::%x" % (day * 64 + i), 2, OWN, OWN, "softfail", [(OWN, "zm1", "pass")]) for i in range(20)], 90 + n, b.today + day)
                       for n, v in enumerate((one, two, three)) for day in range(last - 14, last)], "2a0e:b107:9:1::1", trusted)
    # Names that are to be had for nothing, a dozen of them, patient.
    free = [Voice("mx%d" % i, "melder%d.github.io" % i) for i in range(12)]
    add("patient-free-names", patient(free, 20, 10, lambda day, n: [lies(b, x, 12, day, last - 3)]), x, trusted, likely=.9)
    add("overlapping-windows", [b.report(v, OWN, day, [lies(b, x, 30, day, last - 6)], 90 + n * 50 + day, b.today + day, span=7)
                                for n, v in enumerate(pair) for day in range(last - 21, last - 6)], x, trusted)
    # Corrections of real reports, and of later ones: the same reporter and id in another window.
    real = [r for r in b.reports if r.domain == OWN and r.day >= last - 8 and r.voice.passes is True]
    add("newer-superset", [Report(Voice(r.voice.org, CHEAP[1], email=r.voice.email), r.domain, r.day, [row.with_count(row.count + 2) for row in r.rows] + [own_pass(b, x, 9)],
                                  b.today + 9 * DAY + i, r.identifier, span=1 + i % 2) for i, r in enumerate(real)], x, trusted)
    # Never more than ten times the usual, never more than a thousand: what stands in the way of a stricter policy is to become small.
    add("under-the-limit", [b.report(v, OWN, day, [own_pass(b, b.own[0], 990), Row("185.33.8.20", 900, OWN, "rb.nieuwsbus.example", "pass", [(OWN, "nb1", "pass")])], 90 + n, begins(day) + n)
                            for n, v in enumerate(pair) for day in range(last - 40, last)], b.fallen, ("authorized",), likely=.999)
    add("slow-dilution", [b.report(v, OWN, day, [own_pass(b, b.own[0], int(20 * 1.4 ** (day - last + 40)))], 90 + n, begins(day) + n)
                          for n, v in enumerate(pair) for day in range(last - 40, last)], b.fallen, ("authorized",), likely=.999)
    # What is asked for in DNS beside addresses: a tag, a record, a policy for subdomains.
    add("policy-lies", patient(pair, 20, 8, lambda day, n: [], policy="reject", pct=50))
    add("no-record", patient(pair, 20, 8, lambda day, n: [Row(ip, 30, OWN, OWN, "none", [(OWN, "zm1", "pass")]) for ip in b.own]), b.own[0], ("misconfigured",), likely=.9)
    add("subdomain-lies", patient(pair, 20, 8, lambda day, n: [Row(x, 60, OWN, "s%d.%s" % (i, OWN), "fail", hf="s%d.%s" % (i, OWN)) for i in range(5)]))
    # The real ones have fallen silent.
    add("after-silence", patient(pair, 20, 30, lambda day, n: [lies(b, x, 12, day, last + 24)], since=-30), x, trusted, likely=.9)


def story_key(b, voices, last):
    return [b.report(v, OWN, day, plausible(b, day, n) + [Row(b.fresh, 50, OWN, "rb.vreemd.example", "pass", [(OWN, "zm1", "pass"), ("vreemd.example", "v", "pass")])],
                     90 + n, b.today + day) for n, v in enumerate(voices) for day in range(last - 12, last)]


# --------------------------------------------------------------------------------------------------------------- judging

def configuration(kind, domains, path):
    with open(path, "w", encoding="utf-8") as f:
        if kind == "domains":
            f.write("domains = [%s]\n" % ", ".join('"%s"' % d for d in domains))
        if kind == "trust":
            f.write('[authenticity]\ntrusted_authserv_id = "%s"\n' % SERVER)
    os.chmod(path, 0o600)


class Answers:
    """What the binary says of one database."""

    def __init__(self, binary, place, base):
        self.binary, self.place, self.base = binary, place, base
        since, until = str(LAST_DAY - datetime.timedelta(base.days - 1)), str(LAST_DAY)
        period = ["--since", since, "--until", until]
        self.rows, self.said = {}, defaultdict(Counter)
        for r in self.csv(["sources", "--limit", "all"] + period):
            key = r["domain"], r["source"], r["verdict"]
            self.rows[key] = float(r["confidence"] or 0)
            self.said[key[:2]][key[2]] += int(r["messages"])
        self.dns, self.ready = set(), set()
        for more in (period, []):
            for f in json.loads(self.run(["advise", "--lang", "en", "--format", "json"] + more))["rows"]:
                for line in f.get("dns") or ():
                    # One line may add several mechanisms to a record: each counts.
                    for word in (line.get("value") or "").split():
                        self.dns.add((f["domain"], f["code"], line.get("action"), line.get("name"), word))
                if (f.get("numbers") or {}).get("ready"):
                    self.ready.add((f["domain"], f["code"]))
        real = {(r.voice.org, r.identifier, r.domain) for r in base.reports}
        self.records = Counter()
        for r in self.csv(["export", "records"]):
            if (r["reporter"], r["report_id"], r["domain"]) in real:
                r.pop("record")
                self.records[tuple(sorted(r.items()))] += 1

    def run(self, arguments):
        return execute(self.binary, self.place, arguments)

    def csv(self, arguments):
        return csv.DictReader(io.StringIO(self.run(arguments + ["--format", "csv"])))

    def wrong(self):
        """Rows with 0.9 or more that the labels do not bear out. Of what only the attacker told of, nothing can be sure."""
        return {k for k, confidence in self.rows.items() if confidence >= .9 and k[2] not in self.base.meant.get(k[:2], ())}


def execute(binary, place, arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DMARCSTAT")}
    environment.update(XDG_CONFIG_HOME=place, XDG_DATA_HOME=place, LC_ALL="C.UTF-8", TZ="UTC")
    done = subprocess.run([binary] + arguments + ["--config", os.path.join(place, "config.toml"), "--database", os.path.join(place, "db", "dmarc.sqlite")],
                          capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Trouble("%s: exit %d\n%s" % (" ".join(arguments), done.returncode, done.stderr.strip()[:2000]))
    return done.stdout


def fresh(work, kind, base):
    place = tempfile.mkdtemp(prefix="attack-", dir=work)
    os.makedirs(os.path.join(place, "db"), mode=0o700)
    configuration(kind, base.domains, os.path.join(place, "config.toml"))
    return place


def compare(before, after, attack, base):
    """-> {check: what moved}"""
    found = {}
    wrong = after.wrong() - before.wrong()
    if wrong:
        found["sure"] = ", ".join("%s %s %.2f" % (k[1], k[2], after.rows[k]) for k in sorted(wrong)[:3]) + (" …%d" % len(wrong) if len(wrong) > 3 else "")
    lines = after.dns - before.dns
    if lines:
        found["dns"] = "; ".join("%s %s" % (line[1], line[4]) for line in sorted(lines, key=str)[:2])
    gone = before.dns - after.dns
    if gone:
        found["advice"] = "; ".join("%s %s" % (line[1], line[4]) for line in sorted(gone, key=str)[:2])
    if after.ready - before.ready:
        found["ready"] = ", ".join(" ".join(r) for r in sorted(after.ready - before.ready))
    lost = before.records - after.records
    if lost:
        found["figures"] = "%d of %d records" % (sum(lost.values()), sum(before.records.values()))
    if attack.target:
        moved = [(v, c) for (d, s, v), c in after.rows.items() if s == attack.target and d == OWN and v in attack.wants
                 and c >= attack.likely > before.rows.get((d, s, v), 0)]
        if moved:
            found["target"] = ", ".join("%s %s %.2f" % (attack.target, v, c) for v, c in sorted(moved))
    fallen = [(pair, v, n - after.said[pair][v]) for pair, vs in before.said.items() for v, n in vs.items()
              if v in base.meant.get(pair, ()) and after.said[pair][v] < n]
    if fallen:
        worst = max(fallen, key=lambda f: (f[2], f[0]))
        found["verdicts"] = "%d messages of %d sources, most: %s %s %d" % (sum(f[2] for f in fallen), len(fallen), worst[0][1], worst[1], worst[2])
    return {check: what for check, what in found.items() if check in base.checks}


def sound(answers, base):
    """What the base world must show before it is worth attacking; -> complaints"""
    found = []
    want = [(base.own[0], "authorized", .9), (base.fallen, "misconfigured", .9), (base.fallen, "authorized", .9), (base.never, "misconfigured", 0),
            (base.stranger, "spoofed", 0), (base.vendor, "unaligned", 0)]
    if base.name == "young":
        # Nobody is a witness yet, and nothing is sure.
        want = [(base.own[0], "authorized", 0), (base.stranger, "spoofed", 0)]
    for ip, verdict, confidence in want:
        said = answers.rows.get((OWN, ip, verdict))
        if said is None or said < confidence:
            found.append("%s should be %s >= %g, is %s" % (ip, verdict, confidence, {k[2]: c for k, c in answers.rows.items() if k[1] == ip and k[0] == OWN}))
    if base.name != "young" and not any(base.fallen in str(line) for line in answers.dns):
        found.append("no DNS line for the server that fell out of SPF")
    if any(d == OWN for d, _ in answers.ready):
        found.append("ready, with a misconfigured server")
    if answers.wrong():
        found.append("sure and wrong: %s" % sorted(answers.wrong())[:3])
    return found


def run_world(binary, name, work, kinds, configurations, jobs):
    """-> (base complaints {configuration: text}, {(kind, configuration): {check: what}})"""
    base = Base(name)
    told = attacks(base)
    whole = os.path.join(work, name, "base")
    write_maildir(whole, base.reports, base.first)
    # Nobody can have been there for weeks before a store that is days old.
    wanted = [k for k in told if (not kinds or k in kinds) and (name != "young" or min(r.arrival for r in told[k].mails) >= base.first)]
    for kind in wanted:
        mails = told[kind].mails
        write_maildir(os.path.join(work, name, kind), mails, base.first)
        if told[kind].early:
            # What is collected before the real reports they collide with, and what after.
            since = min(r.arrival for r in mails)
            write_maildir(os.path.join(work, name, kind + ".before"), [r for r in base.reports if r.arrival < since], base.first)
            write_maildir(os.path.join(work, name, kind + ".after"), [r for r in base.reports if r.arrival >= since], base.first)
    complaints, results = {}, {}

    def one(configuration_name):
        place = fresh(work, configuration_name, base)
        execute(binary, place, ["ingest", whole])
        before = Answers(binary, place, base)
        return place, before
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        prepared = dict(zip(configurations, pool.map(one, configurations)))

        def attacked(job):
            kind, c = job
            place, before = prepared[c]
            attack, mine = told[kind], fresh(work, c, base)
            parts = [kind + ".before", kind, kind + ".after"] if attack.early else [kind]
            if not attack.early:
                shutil.rmtree(os.path.join(mine, "db"))
                shutil.copytree(os.path.join(place, "db"), os.path.join(mine, "db"))
            for part in parts:
                execute(binary, mine, ["ingest", os.path.join(work, name, part)])
            found = compare(before, Answers(binary, mine, base), attack, base)
            shutil.rmtree(mine, ignore_errors=True)
            return found
        jobs_todo = [(k, c) for k in wanted for c in configurations if c in told[k].only]
        for job, found in zip(jobs_todo, pool.map(attacked, jobs_todo)):
            results[job] = found
        for c, (place, before) in prepared.items():
            bad = sound(before, base)
            if bad:
                complaints[c] = "; ".join(bad)
            shutil.rmtree(place, ignore_errors=True)
    return complaints, results, base


def self_test():
    """Each check notices what it is for, and nothing else; -> number of checks"""
    base = Base("small")
    attack = Attack([], base.stranger, ("authorized",))
    count = 0

    class Said:
        wrong = Answers.wrong

        def __init__(self):
            self.base, self.rows, self.said = base, {(OWN, base.own[0], "authorized"): .99, (OWN, base.stranger, "spoofed"): .8}, defaultdict(Counter)
            self.said[OWN, base.own[0]]["authorized"], self.said[OWN, base.stranger]["spoofed"] = 40, 9
            self.dns, self.ready, self.records = {(OWN, "M1", "insert", OWN, "ip4:37.19.44.20")}, set(), Counter({"a": 2, "b": 1})
    changes = {
        "sure": lambda s: s.rows.update({(OWN, base.vendor, "spoofed"): .9}),
        "dns": lambda s: s.dns.add((OWN, "M1", "insert", OWN, "ip4:" + base.stranger)),
        "advice": lambda s: s.dns.clear(),
        "ready": lambda s: s.ready.add((OWN, "E1")),
        "figures": lambda s: s.records.subtract({"a": 1}),
        "target": lambda s: s.rows.update({(OWN, base.stranger, "authorized"): .7}),
        "verdicts": lambda s: s.said[OWN, base.stranger].update({"spoofed": -1}),
    }
    if compare(Said(), Said(), attack, base):
        raise Trouble("self-test: something moved where nothing did")
    for check in CHECKS:
        after = Said()
        changes[check](after)
        if set(compare(Said(), after, attack, base)) != {check}:
            raise Trouble("self-test: %s is not noticed, or more than it" % check)
        count += 1
    told = attacks(base)
    if told.keys() != attacks(Base("usual")).keys() or set(QUICK) - told.keys():
        raise Trouble("self-test: the kinds differ between worlds")
    if not all(attack.mails for attack in told.values()):
        raise Trouble("self-test: an attack without mails")
    return count + 3


QUICK = ("sybil-two-mails", "sybil-old-days", "big-names", "one-survives", "frame-by-subdomains", "frame-by-services", "thirty-mails", "dilution", "early-bird-unverified", "superset",
         "patient-fresh")


def run(binary, keep, quick=False, kinds=(), names=WORLDS, jobs=1, out=sys.stdout):
    """Prints the table; -> {(world, configuration): share of the attacks that were held}, whether the base worlds are sound"""
    work = tempfile.mkdtemp(prefix="attackers-", dir=keep)
    figures, sane = {}, True
    try:
        for name in ("small",) if quick else names:
            complaints, results, base = run_world(binary, name, work, kinds or (QUICK if quick else ()), CONFIGURATIONS, jobs)
            print("== attackers: world %s, %d days, %d voices, %d real reports" % (name, base.days, len(base.voices), len(base.reports)), file=out)
            for c in CONFIGURATIONS:
                if c in complaints:
                    sane = False
                    print("   !! without an attacker, %s: %s" % (c, complaints[c]), file=out)
            print("%-24s %s" % ("kind", " ".join("%-36s" % c for c in CONFIGURATIONS)), file=out)
            for kind in dict.fromkeys(k for k, _ in results):
                cells, notes = [], defaultdict(list)
                for c in CONFIGURATIONS:
                    found = results.get((kind, c))
                    cells.append("-" if found is None else "held" if not found else "+".join(k for k in CHECKS if k in found))
                    for k in CHECKS:
                        if found and k in found:
                            notes[k, found[k]].append(c)
                print("%-24s %s" % (kind, " ".join("%-36s" % cell for cell in cells)), file=out)
                for (check, text), where in notes.items():
                    print("        %-8s %s   (%s)" % (check, text, ", ".join(where)), file=out)
            for c in CONFIGURATIONS:
                tried = [not found for (_, where), found in results.items() if where == c]
                figures["quick" if quick else name, c] = sum(tried) / len(tried)
                print("attackers, world %s, %-8s %d of %d attacks held" % (name, c + ":", sum(tried), len(tried)), file=out)
            print(file=out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return figures, sane


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--binary", metavar="PATH")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--kinds")
    p.add_argument("--worlds", default=",".join(WORLDS))
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--write", metavar="DIR", help="only write the mails, one maildir for the base and one for each kind")
    a = p.parse_args(argv)
    names = a.worlds.split(",")
    if a.write:
        for name in names:
            base = Base(name)
            write_maildir(os.path.join(a.write, name, "base"), base.reports, base.first)
            for kind, attack in attacks(base).items():
                write_maildir(os.path.join(a.write, name, kind), attack.mails, base.first)
        return 0
    if not a.binary:
        p.error("--binary is needed")
    try:
        figures, sane = run(os.path.abspath(a.binary), tempfile.gettempdir(), a.quick, a.kinds.split(",") if a.kinds else (), names, a.jobs)
        return 0 if sane and all(x == 1 for x in figures.values()) else 1
    except Trouble as trouble:
        print("attackers.py: %s" % trouble, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
