"""Reports without a fault whose meaning is easily mistaken: which result speaks for a row, and what a row does not say."""

from .model import DAY, SPF, Record, Report, Signature, Style, deviations, utc, write
from .output import stored

DOMAIN = "example.nl"
SERVICE = "nieuwsbrief.example"
BEGIN = utc("2026-11-03")
END = BEGIN + DAY - 1
STYLE = Style()


def report(org, report_id, records, domain=DOMAIN, **policy):
    return Report(org, f"dmarc@{org}", report_id, BEGIN, END, domain, records,
                  policy=dict(adkim="r", aspf="r", p="quarantine", sp="quarantine", pct="100") | policy)


def build():
    def sample(file, document, *codes):
        assert deviations(document, STYLE) == set(codes), (file, deviations(document, STYLE))
        stored(f"meanings/{file}.xml", write(document, STYLE), document.expected([*codes, "plain-attachment"]))

    def own(result="pass", selector="s1", domain=DOMAIN):
        return Signature(domain, result, selector)

    def mfrom(domain=DOMAIN, result="pass"):
        return SPF(domain, result, "mfrom")

    theirs = Signature(SERVICE, "pass", "n1")
    bounces = mfrom(f"retour.{SERVICE}")

    # Several signatures, several checks: which one made the row pass.
    sample("second-signature-aligns", report("ontvanger.example", "meaning.1", [
        Record("192.0.2.60", 9, "pass", "fail", [theirs, own()], [bounces], envelope_from=f"retour.{SERVICE}"),
        Record("192.0.2.61", 1, "fail", "fail", [theirs, own("fail")], [bounces], envelope_from=f"retour.{SERVICE}"),
        # A name of the same organisation is enough, wherever it stands.
        Record("192.0.2.62", 4, "pass", "fail", [own("fail"), theirs, own(selector="s2", domain=f"mail.{DOMAIN}")], [bounces],
               envelope_from=f"retour.{SERVICE}"),
        Record("192.0.2.63", 2, "fail", "pass", [theirs], [SPF(f"mx.{SERVICE}", "pass", "helo"), mfrom()], envelope_from=DOMAIN),
    ]), "loose-auth-results", "odd-scope")
    sample("second-signature-aligns-strictly", report("ontvanger.example", "meaning.2", [
        Record("192.0.2.64", 3, "pass", "fail", [own(domain=f"mail.{DOMAIN}"), own()], [bounces], envelope_from=f"retour.{SERVICE}"),
    ], adkim="s"))

    # One signature both ways in one record: the reporter puts messages together, and nobody knows which result is whose.
    def both(org, report_id, signatures):
        return report(org, report_id, [Record("192.0.2.70", 5, "pass", "pass", signatures, [mfrom()], envelope_from=DOMAIN)])

    sample("one-signature-both-ways-a", both("bundelaar.example", "meaning.3", [own(), own("fail")]))
    sample("one-signature-both-ways-b", both("ontvanger.example", "meaning.4", [own()]))
    sample("one-signature-both-ways-c", both("derde.example", "meaning.5", [own()]))

    # The policy domain is the name in From, as of a domain that publishes a record of its own.
    sample("subdomain-is-policy-domain", report("ontvanger.example", "meaning.6", [
        Record("203.0.113.60", 3, "fail", "fail", [], [mfrom("vreemd.example")], "quarantine", envelope_from="vreemd.example"),
    ], domain=f"nieuws.{DOMAIN}"))

    # A receiver's remark is its opinion: the row has failed all the same, and what it did is what it says.
    sample("remark-says-forwarded", report("ontvanger.example", "meaning.7", [
        Record("198.51.100.60", 2, "fail", "fail", [own("fail")], [mfrom(result="softfail")],
               reasons=[("forwarded", "looks forwarded, policy not applied")], envelope_from=DOMAIN),
        Record("198.51.100.61", 3, "pass", "fail", [own()], [mfrom("doorgeefluik.example")], envelope_from="doorgeefluik.example"),
        Record("192.0.2.71", 19, "pass", "pass", [own()], [mfrom()], envelope_from=DOMAIN),
    ]))
