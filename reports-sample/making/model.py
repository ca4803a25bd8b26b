"""A report as it is written, with the deviations that its writer knows about.

Every value is the *written* value: ``None`` is an absent element, ``""`` an empty one.
``deviations()`` judges a report by these values and never reads XML back.
"""

from dataclasses import dataclass, field
from datetime import datetime, timezone

# In the order of their numbers; docs/DEVIATIONS.md describes each. 9 and 11 end as refusals.
CODES = [
    "stray-schema-before-root", "junk-in-prolog", "raw-markup-in-text", "invalid-utf8", "legacy-encoding",
    "byte-order-mark", "loose-prolog", "closing-tag-cut", "empty-body", "namespace",
    "doctype", "padded-value", "extra-attribute", "odd-version", "no-records",
    "identities-alias", "repeated-or-misnamed-group", "loose-auth-results", "empty-signature", "no-spf-domain",
    "missing-identifier", "no-selector", "no-evaluated-result", "loose-reason", "loose-policy-tags",
    "loose-metadata", "unknown-element", "repeated-signature", "equal-records", "letter-case",
    "odd-auth-result", "odd-evaluated-result", "odd-disposition", "disposition-on-pass", "pass-without-evidence",
    "odd-scope", "odd-source-address", "odd-window", "odd-report-id", "odd-count",
    "odd-domain-spelling", "generic-media-type", "odd-media-type", "mislabelled-container", "odd-archive",
    "no-content-type", "forwarded-report", "body-beside-report", "plain-attachment", "odd-subject",
    "odd-file-name", "large-report", "trailing-content", "repaired", "text-clipped",
]
NUMBER = {code: number for number, code in enumerate(CODES, 1)}

DAY = 86_400


def utc(text):
    """Seconds since 1970 of ``2026-10-30`` or ``2026-10-30 06:00``, UTC."""
    form = "%Y-%m-%d %H:%M" if ":" in text else "%Y-%m-%d"
    return int(datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp())


def ordered(codes):
    return sorted(set(codes), key=NUMBER.__getitem__)


@dataclass
class Signature:
    domain: str | None
    result: str | None
    selector: str | None = None
    human: str | None = None


@dataclass
class SPF:
    domain: str | None
    result: str | None
    scope: str | None = None
    human: str | None = None


@dataclass
class Record:
    source: str
    count: int
    dkim: str
    spf: str
    signatures: list = field(default_factory=list)
    checks: list = field(default_factory=list)      # SPF results
    disposition: str = "none"
    reasons: list = field(default_factory=list)     # (type, comment or None)
    header_from: str | None = None                  # None: the policy domain
    envelope_from: str | None = None
    envelope_to: str | None = None

    @property
    def passed(self):
        return "pass" in (self.dkim, self.spf)


@dataclass
class Report:
    org: str
    email: str | None
    id: str
    begin: int
    end: int
    domain: str
    records: list
    contact: str | None = None
    policy: dict = field(default_factory=lambda: dict(adkim="r", aspf="r", p="none", sp="none", pct="100"))
    version: str | None = "1.0"
    generator: str | None = None
    error: str | None = None
    extension: str | None = None                    # ready-made XML, RFC 9990 only

    @property
    def messages(self):
        return sum(record.count for record in self.records)

    @property
    def passed(self):
        return sum(record.count for record in self.records if record.passed)

    def expected(self, deviations, **changes):
        """The report's entry in an expected file."""
        entry = {
            "org_name": self.org, "domain": self.domain, "report_id": self.id, "begin": self.begin, "end": self.end,
            "records": len(self.records), "messages": self.messages, "passed": self.passed,
            "refused_records": [], "deviations": ordered(deviations),
        }
        assert not set(changes) - set(entry), changes
        entry.update(changes)
        return entry


@dataclass
class Style:
    """How one reporter writes XML. Orders are those of the elements; an element without value is left out."""

    declaration: str | None = '<?xml version="1.0" encoding="UTF-8"?>'
    after_declaration: str = "\n"
    root: str = ""                                  # attributes of the root
    indent: str | None = "  "                       # None: everything on one line
    line_end: str = "\n"
    metadata: tuple = ("org_name", "email", "extra_contact_info", "report_id", "date_range", "error", "generator")
    policy: tuple = ("domain", "discovery_method", "adkim", "aspf", "p", "sp", "np", "pct", "fo", "testing")
    identifiers: tuple = ("envelope_to", "envelope_from", "header_from")
    auth: tuple = ("dkim", "spf")
    signature: tuple = ("domain", "selector", "result", "human_result")
    check: tuple = ("domain", "scope", "result", "human_result")
    self_close: bool = False                        # <x/> for an empty element
    final_line_end: bool = True

    def rfc9990(self, report):
        tags = set(report.policy)
        return "dmarc-2.0" in self.root or bool(report.generator) or bool(tags & {"testing", "discovery_method"})


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def write(report, style):
    """The XML of a report in a reporter's style, as text."""

    def leaf(name, value):
        if value is None:
            return []
        if value == "" and style.self_close:
            return [f"<{name}/>"]
        return [f"<{name}>{escape(str(value))}</{name}>"]

    def group(name, order, values):
        return [(name, [item for key in order for item in values.get(key, [])])]

    date_range = [("date_range", leaf("begin", report.begin) + leaf("end", report.end))]
    metadata = {
        "org_name": leaf("org_name", report.org), "email": leaf("email", report.email),
        "extra_contact_info": leaf("extra_contact_info", report.contact), "report_id": leaf("report_id", report.id),
        "date_range": date_range, "error": leaf("error", report.error), "generator": leaf("generator", report.generator),
    }
    policy = {tag: leaf(tag, value) for tag, value in report.policy.items()}
    policy["domain"] = leaf("domain", report.domain)
    assert set(policy) <= set(style.policy), set(policy) - set(style.policy)
    content = leaf("version", report.version)
    content += group("report_metadata", style.metadata, metadata)
    content += group("policy_published", style.policy, policy)
    if report.extension:
        content += [report.extension]
    for record in report.records:
        evaluated = leaf("disposition", record.disposition) + leaf("dkim", record.dkim) + leaf("spf", record.spf)
        for kind, comment in record.reasons:
            evaluated += [("reason", leaf("type", kind) + leaf("comment", comment))]
        row = leaf("source_ip", record.source) + leaf("count", record.count) + [("policy_evaluated", evaluated)]
        names = {
            "envelope_to": leaf("envelope_to", record.envelope_to),
            "envelope_from": leaf("envelope_from", record.envelope_from),
            "header_from": leaf("header_from", report.domain if record.header_from is None else record.header_from),
        }
        results = {"dkim": [], "spf": []}
        for item in record.signatures:
            values = {
                "domain": leaf("domain", item.domain), "selector": leaf("selector", item.selector),
                "result": leaf("result", item.result), "human_result": leaf("human_result", item.human),
            }
            results["dkim"] += group("dkim", style.signature, values)
        for item in record.checks:
            values = {
                "domain": leaf("domain", item.domain), "scope": leaf("scope", item.scope),
                "result": leaf("result", item.result), "human_result": leaf("human_result", item.human),
            }
            results["spf"] += group("spf", style.check, values)
        content += [("record", [("row", row)] + group("identifiers", style.identifiers, names)
                     + group("auth_results", style.auth, results))]

    pieces = []
    end = "" if style.indent is None else style.line_end

    def put(nodes, depth):
        margin = "" if style.indent is None else style.indent * depth
        for node in nodes:
            if isinstance(node, str):
                pieces.append(margin + node + end)
            elif not node[1] and style.self_close:
                pieces.append(f"{margin}<{node[0]}/>{end}")
            else:
                pieces.append(f"{margin}<{node[0]}>{end}")
                put(node[1], depth + 1)
                pieces.append(f"{margin}</{node[0]}>{end}")

    head = "" if style.declaration is None else style.declaration + style.after_declaration
    pieces.append(f"{head}<feedback{' ' + style.root if style.root else ''}>{end}")
    put(content, 1)
    pieces.append("</feedback>" + (end if style.final_line_end else ""))
    return "".join(pieces)


POLICIES = ("none", "quarantine", "reject")
SIGNATURE_RESULTS = ("none", "pass", "fail", "policy", "neutral", "temperror", "permerror")
SPF_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")


def odd_domain(name):
    return bool(name) and (name != name.lower() or name.endswith(".") or not name.isascii())


def deviations(report, style):
    """The deviations of a report that lie in its written values and their order (numbers 7, 10 and 14 to 41)."""
    found = set()

    def note(number, holds):
        if holds:
            found.add(CODES[number - 1])

    new_form = style.rfc9990(report)
    note(7, style.declaration is None)
    note(10, "xmlns" in style.root)
    note(14, report.version != "1.0")
    note(15, not report.records)
    if not new_form:
        policy = report.policy
        note(25, any(policy.get(tag) not in POLICIES for tag in ("p", "sp")))
        note(25, any(policy.get(tag) not in ("r", "s") for tag in ("adkim", "aspf")))
        note(25, policy.get("pct") is None or not policy["pct"].isdigit())
        note(25, policy.get("fo") == "")
        note(25, bool(set(policy) - {"p", "sp", "adkim", "aspf", "pct", "fo"}))
        standard = ("org_name", "email", "extra_contact_info", "report_id", "date_range")
        values = dict(org_name=report.org, email=report.email, extra_contact_info=report.contact, report_id=report.id, date_range=1)
        written = [key for key in style.metadata if key in standard and values[key] is not None]
        note(26, written != [key for key in standard if key in written])
    note(26, not report.org or report.email is None or report.contact == "")
    whole_day = report.end - report.begin in (DAY - 1, DAY) and report.begin % DAY == 0
    note(38, not whole_day)
    note(39, not report.id or report.id.startswith("<"))
    note(41, odd_domain(report.domain))
    before = None
    for record in report.records:
        note(18, not record.checks and (not new_form or not record.signatures))
        note(18, len(record.checks) > 1)
        note(18, bool(record.signatures) and bool(record.checks) and style.auth != ("dkim", "spf"))
        note(21, record.envelope_from == "" or (record.envelope_from is None and not new_form) or record.header_from == "")
        note(23, not record.dkim or not record.spf)
        note(32, any(word and word not in ("pass", "fail") for word in (record.dkim, record.spf)))
        note(33, record.disposition not in POLICIES + ("pass",))
        note(34, record.passed and record.disposition in ("quarantine", "reject"))
        note(35, record.dkim == "pass" and not any(item.result == "pass" for item in record.signatures))
        note(35, record.spf == "pass" and not any(item.result == "pass" for item in record.checks))
        note(24, any(not kind or comment == "" for kind, comment in record.reasons))
        note(40, record.count == 0)
        names = [record.header_from, record.envelope_from, record.envelope_to]
        for item in record.signatures:
            note(19, not item.domain)
            if not item.domain and not item.result:
                continue        # a shell says nothing and is dropped
            note(22, not item.selector)
            note(31, item.result not in SIGNATURE_RESULTS)
            names.append(item.domain)
        for one, next_one in zip(record.signatures, record.signatures[1:]):
            note(28, one == next_one)
        for item in record.checks:
            note(20, not item.domain or item.domain == "NULL")
            note(31, item.result not in SPF_RESULTS)
            note(36, item.scope != "mfrom" and not (item.scope is None and new_form))
            names.append(item.domain if item.domain != "NULL" else None)
        note(41, any(odd_domain(name) for name in names))
        note(29, record == before)
        before = record
    return found
