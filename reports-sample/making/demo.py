"""The demo maildir: 60 days of reports to dmarc@example.nl about three domains, with a story in it.

What happens (README.md tells it for people):

- example.nl: own servers over IPv4 and IPv6, a newsletter service that signs for the domain, two forwarders. Half-way the SPF record is
  rewritten and loses the web server, which sends the mails of the contact form unsigned: it fails from then on.
- webwinkel.example: own servers; an invoicing service that authenticates as itself until half-way, then signs for the shop. The policy
  goes from none to quarantine on the same day. Strangers use the shop's name all the time, and in one wave in September.
- stichting.example: one own server, a members' mailing list that breaks signatures, a forwarder with SRS, a newsletter twice a month.
"""

import hashlib
import json
import random
from collections import Counter
from datetime import datetime, timezone
from ipaddress import ip_address

from . import containers, mailform
from .model import DAY, SPF, Record, Report, Signature, Style, utc, write
from .output import put

FIRST, DAYS = utc("2026-09-02"), 60
HALF = utc("2026-10-02")                # the day on which everything changes
NEW_FROM = utc("2026-10-25")            # mail that came in from this day on lies unread in new/
NL, SHOP, FOUNDATION = "example.nl", "webwinkel.example", "stichting.example"
WAVE = (utc("2026-09-18"), utc("2026-09-20"))
SILENT = (utc("2026-10-12"), utc("2026-10-18"))     # Outlook.com sends nothing in this week


class Dice:
    """Only ``random()`` is used: its sequence for a seed is the same in every version of Python."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def whole(self, low, high):
        return low + int(self.random() * (high - low + 1))

    def rounded(self, expected):
        return int(expected + self.random())

    def choice(self, items):
        return items[int(self.random() * len(items))]

    def weighted(self, weights):
        mark = self.random() * sum(weights.values())
        for key, weight in weights.items():
            mark -= weight
            if mark < 0:
                return key
        return key


# Reporters -----------------------------------------------------------------------------------------------------------

class Reporter:
    def __init__(self, key, org, email, submitter, style, mail, contact=None, envelope=False, scope=False, recipient=None, version="1.0",
                 end=DAY - 1, offset=0, delay=2 * 3600, policy=lambda p: {}):
        self.__dict__.update(locals())

    def id(self, domain, begin):
        digest = hashlib.sha256(f"{self.key} {domain} {begin}".encode())
        if self.key == "google":
            return str(int.from_bytes(digest.digest()[:8], "big") | 1 << 62)[:19]
        if self.key == "yahoo":
            return f"{begin + DAY + 6000}.{int.from_bytes(digest.digest()[:3], 'big') % 1_000_000:06}"
        if self.key == "vereniging":
            return f"{domain}.{begin}.{begin + self.end}"
        if self.key == "fastmail":
            return str(int.from_bytes(digest.digest()[:4], "big") | 1 << 30)
        if self.key == "provider":
            return f"provider.example.{begin + DAY + 3623}.{int.from_bytes(digest.digest()[:3], 'big')}@dmarc-reports.provider.example"
        return digest.hexdigest()[:32]


def tags(p, *left_out, **more):
    values = dict(adkim="r", aspf="r", p=p, sp=p, pct="100")
    for tag in left_out:
        values.pop(tag)
    values.update(more)
    return values


MICROSOFT = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
REPORTERS = [
    Reporter("google", "google.com", "noreply-dmarc-support@google.com", "google.com",
             Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', policy=("domain", "adkim", "aspf", "p", "sp", "pct", "np"),
                   signature=("domain", "result", "selector"), check=("domain", "result")),
             "google", contact="https://support.google.com/a/answer/2466580", policy=lambda p: tags(p, np=p), delay=3 * 3600),
    Reporter("microsoft", "Enterprise Outlook", "dmarcreport@microsoft.com", "enterprise.protection.outlook.com",
             Style(declaration='<?xml version="1.0"?>', root=MICROSOFT, final_line_end=False), "microsoft", envelope=True, scope=True,
             recipient="klant.example", end=DAY, policy=lambda p: tags(p, fo="0"), delay=9 * 3600),
    Reporter("outlook", "Outlook.com", "dmarcreport@microsoft.com", "protection.outlook.com",
             Style(declaration='<?xml version="1.0"?>', root=MICROSOFT, final_line_end=False), "microsoft", envelope=True, scope=True,
             recipient="outlook.com", end=DAY, policy=lambda p: tags(p, fo="0"), delay=10 * 3600),
    Reporter("yahoo", "Yahoo", "dmarchelp@yahooinc.com", "yahoo.com",
             Style(declaration='<?xml version="1.0"?>', after_declaration="\t\n", line_end="\t\n", signature=("domain", "selector", "result"),
                   check=("domain", "result")), "attached", version=None, policy=lambda p: tags(p, "sp"), delay=2 * 3600),
    Reporter("gmx", "GMX", "noreply-dmarc@sicher.gmx.net", "gmx.net",
             Style(root='xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', indent="   ", identifiers=("envelope_from", "header_from")), "attached",
             contact="https://postmaster.gmx.net/en/case?c=r2002", envelope=True, scope=True,
             policy=lambda p: tags(p, "pct", testing="n", discovery_method="psl"), delay=5 * 3600),
    Reporter("provider", "provider.example", "noreply@dmarc-reports.provider.example", "provider.example", Style(), "attached",
             contact="https://provider.example/postmaster", envelope=True, scope=True, policy=lambda p: tags(p, fo="0"), delay=4000),
    Reporter("fastmail", "Fastmail Pty Ltd", "reports@fastmaildmarc.com", "fastmail.com",
             Style(declaration='<?xml version="1.0"?>', indent="\t"), "inline", contact="https://fastmail.com/", envelope=True, scope=True,
             policy=lambda p: tags(p, "adkim", "aspf", fo="0"), delay=4 * 3600),
    Reporter("vereniging", "mx.vereniging.example", "postmaster@mx.vereniging.example", "mx.vereniging.example",
             Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', indent="    ", auth=("spf", "dkim"), check=("domain", "result")), "attached",
             version=None, end=DAY, offset=4 * 3600 + 7, policy=lambda p: tags(p), delay=60),
]

# Share of a domain's mail that goes to users of each reporter.
SHARES = {
    NL: dict(google=.46, microsoft=.30, yahoo=.0006, gmx=.0005, provider=.0009, fastmail=.0004, vereniging=.0005),
    SHOP: dict(google=.48, outlook=.25, yahoo=.0004, gmx=.0002, provider=.0004, fastmail=.0002),
    FOUNDATION: dict(google=.56, yahoo=.001, provider=.012, fastmail=.001, vereniging=.003),
}
# Where forwarded mail ends up, and where strangers try.
FORWARDED_TO = {
    NL: dict(google=.62, microsoft=.17, provider=.012, fastmail=.006),
    SHOP: dict(google=.62, outlook=.2, provider=.012),
    FOUNDATION: dict(google=.7, provider=.03),
}
STRANGERS_TRY = {
    NL: dict(google=.64, microsoft=.34, yahoo=.02),
    SHOP: dict(google=.6, outlook=.38, yahoo=.01, provider=.01),
    FOUNDATION: dict(google=.95, provider=.05),
}


# Senders -------------------------------------------------------------------------------------------------------------

class Flow:
    """One sender of mail in a domain's name. ``shape`` makes the record of a reporter's day."""

    def __init__(self, domain, source, meant, volume, shape, shares=None):
        self.domain, self.source, self.meant, self.volume, self.shape = domain, source, meant, volume, shape
        self.shares = shares or SHARES[domain]


def workdays(workday, weekend):
    return lambda day, weekday: weekend if weekday >= 5 else workday


def on_weekdays(volume, *weekdays):
    return lambda day, weekday: volume if weekday in weekdays else 0


def own(domain, selector):
    return lambda day, dice: ("pass", "pass", [Signature(domain, "pass", selector)], SPF(domain, "pass"), ())


def web_server(day, dice):
    """Unsigned; in the SPF record until the record was rewritten."""
    return ("fail", "pass", [], SPF(NL, "pass"), ()) if day < HALF else ("fail", "fail", [], SPF(NL, "softfail"), ())


def service(domain, selector, service_domain, own_path):
    """Signs for the domain and for itself, with its own return path."""
    return lambda day, dice: ("pass", "fail", [Signature(domain, "pass", selector), Signature(service_domain, "pass", "k1")], SPF(own_path, "pass"), ())


def invoices(day, dice):
    """Authenticates as itself; half-way the shop puts the service's keys in DNS and it signs for the shop, too."""
    signatures = [Signature("facturen.example", "pass", "f2")]
    if day >= HALF:
        return ("pass", "fail", [Signature(SHOP, "pass", "fact1"), *signatures], SPF("facturen.example", "pass"), ())
    return ("fail", "fail", signatures, SPF("facturen.example", "pass"), ())


def forwarder(domain, selector, srs=None, breaks=.04):
    """Hands mail on. With SRS the envelope is the forwarder's; in a few messages the signature breaks on the way."""
    def shape(day, dice):
        check = SPF(srs, "pass") if srs else SPF(domain, "softfail")
        if dice.random() < breaks:
            return ("fail", "fail", [Signature(domain, "fail", selector)], check, ())
        return ("pass", "fail", [Signature(domain, "pass", selector)], check, ())
    return shape


def mailing_list(day, dice):
    """Adds a footer: the domain's signature breaks, the list's own is good."""
    return ("fail", "fail", [Signature(FOUNDATION, "fail", "st1"), Signature("lijst.example", "pass", "l1")], SPF("lijst.example", "pass"), ("list",))


FLOWS = [
    Flow(NL, "192.0.2.25", "authorized", workdays(130, 35), own(NL, "mail2026")),
    Flow(NL, "2001:db8:25::25", "authorized", workdays(45, 10), own(NL, "mail2026")),
    Flow(NL, "192.0.2.26", "authorized, from 2026-10-02 misconfigured", workdays(26, 14), web_server, dict(google=.5, microsoft=.3)),
    Flow(NL, "198.51.100.40", "dkim-only", on_weekdays(420, 1, 3), service(NL, "nb1", "nieuwsbrief.example", "bounce.nieuwsbrief.example")),
    Flow(NL, "198.51.100.41", "dkim-only", on_weekdays(380, 1, 3), service(NL, "nb1", "nieuwsbrief.example", "bounce.nieuwsbrief.example")),
    Flow(NL, "203.0.113.77", "forwarded", workdays(7, 3), forwarder(NL, "mail2026"), FORWARDED_TO[NL]),
    Flow(NL, "203.0.113.78", "forwarded", workdays(4, 2), forwarder(NL, "mail2026", srs="alumni.example"), FORWARDED_TO[NL]),
    Flow(SHOP, "192.0.2.50", "authorized", workdays(310, 260), own(SHOP, "shop1")),
    Flow(SHOP, "2001:db8:50::50", "authorized", workdays(90, 75), own(SHOP, "shop1")),
    Flow(SHOP, "198.51.100.80", "unaligned, from 2026-10-02 dkim-only", workdays(48, 20), invoices, dict(google=.48, outlook=.25)),
    Flow(SHOP, "203.0.113.77", "forwarded", workdays(5, 5), forwarder(SHOP, "shop1"), FORWARDED_TO[SHOP]),
    Flow(FOUNDATION, "192.0.2.90", "authorized", workdays(24, 6), own(FOUNDATION, "st1")),
    Flow(FOUNDATION, "198.51.100.40", "dkim-only", lambda day, weekday: 350 if datetime.fromtimestamp(day, timezone.utc).day in (1, 15) else 0,
         service(FOUNDATION, "nb1", "nieuwsbrief.example", "bounce.nieuwsbrief.example")),
    Flow(FOUNDATION, "203.0.113.150", "mailing-list", workdays(9, 3), mailing_list, dict(google=.66, provider=.02, fastmail=.008)),
    Flow(FOUNDATION, "203.0.113.78", "forwarded", workdays(3, 2), forwarder(FOUNDATION, "st1", srs="alumni.example"), FORWARDED_TO[FOUNDATION]),
]
STRANGER_ADDRESSES = ([f"203.0.113.{n}" for n in range(160, 250)] + [f"198.51.100.{n}" for n in range(150, 250)]
                      + [f"2001:db8:bad:{n:x}::25" for n in range(1, 40)])
WAVE_ADDRESS = "203.0.113.222"
STRANGERS_A_DAY = {NL: 1.6, SHOP: 5.5, FOUNDATION: .5}


def stranger(domain, dice):
    """Nothing of the domain passes; now and then a domain of the stranger's own does."""
    kind = dice.random()
    if kind < .62:
        return ("fail", "fail", [], SPF(domain, dice.choice(["fail", "softfail"])), ())
    if kind < .88:
        return ("fail", "fail", [], SPF(f"post{dice.whole(10, 99)}.test", "none"), ())
    return ("fail", "fail", [Signature("aanbieding.test", "pass", "x")], SPF("aanbieding.test", "pass"), ())


def policy_of(domain, day, reporter):
    """none, but for the shop from half-way on; Yahoo still saw the old record on the first day."""
    if domain == SHOP and day >= HALF and not (reporter == "yahoo" and day == HALF):
        return "quarantine"
    return "none"


# Reports -------------------------------------------------------------------------------------------------------------

def make_records(dice, day):
    """(reporter key, domain) → records of that day."""
    weekday = datetime.fromtimestamp(day, timezone.utc).weekday()
    shapes = []                                     # (reporter, domain, source, count, shape, header_from)
    for flow in FLOWS:
        volume = flow.volume(day, weekday) * (.8 + .4 * dice.random())
        for key, share in flow.shares.items():
            count = dice.rounded(volume * share)
            if count and flow.shape.__name__ == "shape" and flow.meant == "forwarded":
                for _ in range(count):              # each message may break on its own
                    shapes.append((key, flow.domain, flow.source, 1, flow.shape(day, dice), None))
            elif count:
                shapes.append((key, flow.domain, flow.source, count, flow.shape(day, dice), None))
    for domain, usual in STRANGERS_A_DAY.items():
        for _ in range(dice.rounded(usual * (.5 + dice.random()))):
            header_from = f"factuur.{domain}" if dice.random() < .06 else None
            shapes.append((dice.weighted(STRANGERS_TRY[domain]), domain, dice.choice(STRANGER_ADDRESSES), 1 if dice.random() < .8 else 2,
                           stranger(domain, dice), header_from))
    if day == HALF:     # a report that still shows the old policy
        shapes.append(("yahoo", SHOP, "192.0.2.50", 3, own(SHOP, "shop1")(day, dice), None))
        shapes.append(("yahoo", SHOP, "203.0.113.198", 1, ("fail", "fail", [], SPF(SHOP, "fail"), ()), None))
    if WAVE[0] <= day <= WAVE[1]:
        for key in ("google", "outlook"):
            shapes.append((key, SHOP, WAVE_ADDRESS, dice.whole(35, 90), ("fail", "fail", [], SPF(SHOP, "fail"), ()), None))
    merged = {}
    for key, domain, source, count, shape, header_from in shapes:
        group = merged.setdefault((key, domain), {})
        row = group.setdefault((source, repr(shape), header_from), [0, source, shape, header_from])
        row[0] += count
    return merged


def make_report(reporter, domain, day, rows):
    p = policy_of(domain, day, reporter.key)
    scope = "mfrom" if reporter.scope else None
    records = []
    for count, source, (dkim, spf, signatures, check, marks), header_from in rows:
        failed = dkim != "pass" and spf != "pass"
        disposition = p if failed else "none"
        reasons = []
        if "list" in marks and reporter.key == "fastmail":
            reasons = [("mailing_list", "Policy ignored due to local mailing list policy")]
        if "list" in marks and reporter.key == "google":
            reasons = [("local_policy", "arc=pass")]
        if reporter.key == "vereniging":
            reasons = [("local_policy", "arc=fail")]        # its software writes that on every row
        record = Record(source, count, dkim, spf, signatures, [SPF(check.domain, check.result, scope)], disposition, reasons, header_from,
                        check.domain if reporter.envelope else None, reporter.recipient)
        if reporter.key == "vereniging":
            record.count = 1
            records += [record] * count                     # one record a message
        else:
            records.append(record)
    begin = day + reporter.offset
    return Report(reporter.org, reporter.email, reporter.id(domain, begin), begin, begin + reporter.end, domain, records, contact=reporter.contact,
                  policy=reporter.policy(p), version=reporter.version)


def make_mail(reporter, report, sent, message_id, damaged=False):
    data = write(report, reporter.style).encode()
    if reporter.mail == "google":
        suffix, packed = "zip", None
    else:
        suffix, packed = "xml.gz", containers.gzip(data)
        if damaged:
            packed = packed[:len(packed) * 2 // 3]
    file = f"{reporter.submitter}!{report.domain}!{report.begin}!{report.end}.{suffix}"
    subject = f"Report Domain: {report.domain} Submitter: {reporter.submitter} Report-ID: <{report.id}>"
    host = reporter.email.split("@")[1]
    first = [f"Return-Path: <{reporter.email}>",
             f"Authentication-Results: mx.example.nl; dkim=pass header.d={host};\n dmarc=pass header.from={host}",
             f"Received: from out.{host} by mx.example.nl with ESMTPS;\n {mailform.date(sent)}"]
    if reporter.mail == "google":
        subject = f"Report domain: {report.domain} Submitter: google.com Report-ID: {report.id}"
        headers = first + mailform.top(reporter.email, subject, sent, message_id)
        packed = containers.zip([(file[:-3] + "xml", data)])
        return mailform.part([*headers, f'Content-Type: application/zip;\n\tname="{file}"', f'Content-Disposition: attachment;\n\tfilename="{file}"',
                              "Content-Transfer-Encoding: base64"], mailform.base64_lines(packed) + "\n")
    if reporter.mail == "microsoft":
        subject = subject.replace("<", "").replace(">", "")
    headers = first + mailform.top(reporter.email, subject, sent, message_id)
    boundary = f"=-{report.begin}-{reporter.key}-="
    if reporter.mail == "microsoft":
        body = mailform.text("<div>This is a DMARC aggregate report. This mailbox is not read.</div>\n", "html")
        attached = mailform.part(["Content-Type: application/gzip", "Content-Transfer-Encoding: base64",
                                  f'Content-Disposition: attachment; filename="{file}"'], mailform.base64_lines(packed))
    else:
        body = mailform.text(f"Aggregate report about {report.domain}.\n")
        attached = mailform.attachment(file, "application/gzip", packed, disposition="inline" if reporter.mail == "inline" else "attachment")
    return mailform.multipart(headers, boundary, [body, attached])


class Totals:
    def __init__(self):
        self.numbers, self.days, self.failing = Counter(), {}, Counter()

    def add(self, report):
        # A record belongs to the UTC day of the middle of its report's window.
        name = datetime.fromtimestamp((report.begin + report.end) // 2, timezone.utc).strftime("%Y-%m-%d")
        day = self.days.setdefault(name, {"messages": 0, "passed": 0})
        self.numbers["reports"] += 1
        for record in report.records:
            self.numbers["records"] += 1
            self.numbers["messages"] += record.count
            self.numbers["passed" if record.passed else "failed"] += record.count
            self.numbers["dkim_passed"] += record.count * (record.dkim == "pass")
            self.numbers["spf_passed"] += record.count * (record.spf == "pass")
            self.numbers[{"none": "none", "quarantine": "quarantined", "reject": "rejected"}[record.disposition]] += record.count
            day["messages"] += record.count
            day["passed"] += record.count * record.passed
            if not record.passed:
                self.failing[str(ip_address(record.source))] += record.count

    def json(self):
        keys = ("reports", "records", "messages", "passed", "failed", "dkim_passed", "spf_passed", "none", "quarantined", "rejected")
        top = sorted(self.failing.items(), key=lambda item: (-item[1], item[0]))
        return {**{key: self.numbers[key] for key in keys}, "failing_sources": len(top),
                "top_failing_sources": [{"source": source, "failed": failed} for source, failed in top[:20]],
                "days": dict(sorted(self.days.items()))}


def build():
    dice = Dice(20261031)
    reporters = {reporter.key: reporter for reporter in REPORTERS}
    totals = {domain: Totals() for domain in (NL, SHOP, FOUNDATION)}
    mails, outcomes, per_reporter = [], Counter(), Counter()          # mails: (time, bytes)
    damaged = None
    resent = {("google", SHOP, utc("2026-09-20")), ("microsoft", NL, utc("2026-10-08"))}

    for number in range(DAYS):
        day = FIRST + number * DAY
        for (key, domain), rows in sorted(make_records(dice, day).items()):
            reporter = reporters[key]
            if key == "outlook" and SILENT[0] <= day <= SILENT[1]:
                continue
            report = make_report(reporter, domain, day, rows.values())
            sent = report.end + reporter.delay + dice.whole(0, 1500)
            message_id = f"{hashlib.sha256(report.id.encode()).hexdigest()[:16]}@{reporter.email.split('@')[1]}"
            if damaged is None and key == "yahoo" and domain == NL and day >= utc("2026-10-13"):
                damaged = report
                mails.append((sent, make_mail(reporter, report, sent, message_id, damaged=True)))
                outcomes["refused"] += 1
                continue
            mails.append((sent, make_mail(reporter, report, sent, message_id)))
            outcomes["stored"] += 1
            totals[domain].add(report)
            per_reporter[reporter.org] += 1
            if (key, domain, day) in resent:
                mails.append((sent + 2400, make_mail(reporter, report, sent + 2400, "2." + message_id)))
                outcomes["duplicate"] += 1

    sent = utc("2026-10-20") + 11_000
    tls = ('{"organization-name":"Google Inc.","date-range":{"start-datetime":"2026-10-19T00:00:00Z","end-datetime":"2026-10-19T23:59:59Z"},'
           '"contact-info":"smtp-tls-reporting@google.com","report-id":"2026-10-19T00:00:00Z_example.nl","policies":[{"policy":{"policy-type":"tlsa",'
           '"policy-domain":"example.nl"},"summary":{"total-successful-session-count":61,"total-failure-session-count":0}}]}\n')
    headers = mailform.top("noreply-smtp-tls-reporting@google.com", "Report Domain: example.nl Submitter: google.com Report-ID: "
                           "<2026.10.19T00.00.00Z+example.nl@google.com>", sent, "tls.2026-10-19@google.com", ["TLS-Report-Domain: example.nl"])
    mails.append((sent, mailform.multipart(headers, "=-tls-=", [
        mailform.text("This is an aggregate TLS report from google.com\n"),
        mailform.attachment("google.com!example.nl!1792368000!1792454399!001.json.gz", "application/tlsrpt+gzip", containers.gzip(tls.encode()))],
        "report", '; report-type="tlsrpt"')))
    sent = utc("2026-10-06") + 30_000
    headers = mailform.top("webbouwer@example.com", "Contactformulier komt niet meer aan", sent, "vraag.2026-10-06@example.com",
                           ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"])
    mails.append((sent, mailform.part(headers, "Hallo,\n\nSinds vrijdag komen mails van het contactformulier bij klanten in de spam terecht.\n"
                                               "Is er iets veranderd in de DNS?\n")))
    outcomes["not_a_report"] += 2

    mails.sort(key=lambda item: item[0])
    for serial, (sent, mail) in enumerate(mails):
        name = f"{sent}.M{serial:06}P2026.mx"
        put(f"maildir/new/{name}" if sent >= NEW_FROM else f"maildir/cur/{name}:2,S", mail)
    put("maildir/tmp/.gitkeep", b"")

    meant = {}
    for flow in FLOWS:
        meant.setdefault(flow.domain, {})[flow.source] = flow.meant
    total = Counter()
    for one in totals.values():
        total.update(one.numbers)
    put("maildir.expected.json", json.dumps({
        "messages": {"seen": len(mails), **{key: outcomes[key] for key in ("stored", "duplicate", "not_a_report", "refused")}, "deferred": 0},
        "reports": total["reports"], "records": total["records"], "total_messages": total["messages"], "passed": total["passed"],
        "duplicates": outcomes["duplicate"], "refused": outcomes["refused"], "not_a_report": outcomes["not_a_report"],
        "refused_codes": {"gzip-truncated": 1}, "not_a_report_codes": {"tls-report": 1, "not-a-report-mail": 1},
        "reporters": dict(sorted(per_reporter.items())),
        "domains": {domain: one.json() for domain, one in totals.items()},
        "meant": {**meant, "all other sources": "spoofed"},
    }, indent=2, ensure_ascii=False) + "\n")
    assert damaged is not None and outcomes["duplicate"] == 2
    assert sum(outcomes.values()) == len(mails)
