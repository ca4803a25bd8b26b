"""The mailbox that is ingested: mails of the samples, and the shapes that take other ways through the program."""
import base64
import gzip
import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SAMPLES = os.path.join(ROOT, "reports-sample")
# Mails that hold two reports, no report, somebody else's report, our own come back, a report beside a damaged one, and what is refused.
OTHERS = [
    "mails/two-reports.lf.eml", "mails/note-from-a-person.lf.eml", "mails/tls-report.lf.eml", "mails/own-report-in-a-bounce.eml",
    "mails/one-good-one-damaged.eml", "refused/header-too-large.eml",
]


def large_report(records):
    """A mail with one report of many records, which is stored piece by piece."""
    rows = "".join(
        f"<record><row><source_ip>2001:db8::{number:x}</source_ip><count>{number % 7 + 1}</count><policy_evaluated><disposition>none"
        f"</disposition><dkim>{'pass' if number % 3 else 'fail'}</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>"
        f"example.nl</header_from></identifiers><auth_results><spf><domain>s{number}.example.test</domain><result>fail</result></spf>"
        "</auth_results></record>"
        for number in range(1, records + 1)
    )
    xml = (
        '<?xml version="1.0"?><feedback><report_metadata><org_name>Torture</org_name><email>dmarc@receiver.test</email>'
        "<report_id>large.1</report_id><date_range><begin>1788480000</begin><end>1788566399</end></date_range></report_metadata>"
        "<policy_published><domain>example.nl</domain><p>none</p></policy_published>" + rows + "</feedback>"
    )
    body = base64.encodebytes(gzip.compress(xml.encode(), mtime=0)).decode()
    return (
        "From: dmarc@receiver.test\nSubject: Report domain: example.nl Submitter: receiver.test Report-ID: <large.1>\n"
        "Date: Fri, 4 Sep 2026 02:00:00 +0000\nMIME-Version: 1.0\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n"
        'Content-Disposition: attachment; filename="receiver.test!example.nl!1788480000!1788566399.xml.gz"\n\n' + body
    ).encode()


def fill(maildir, count, box="new"):
    """Makes a maildir of `count` unread mails, the same ones each time."""
    for name in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(maildir, name), exist_ok=True)
    samples = sorted(os.listdir(os.path.join(SAMPLES, "maildir", "cur")))
    plain = count - len(OTHERS) - 2
    sources = [os.path.join(SAMPLES, "maildir", "cur", name) for name in samples[:plain]]
    sources += [os.path.join(SAMPLES, name) for name in OTHERS]
    # The same mail once more: a duplicate.
    sources.append(sources[0])
    target = os.path.join(maildir, box)
    for number, source in enumerate(sources):
        shutil.copyfile(source, os.path.join(target, f"{1788400000 + number}.M{number}P1.torture"))
    # In the middle of the order, so that something comes after it.
    with open(os.path.join(target, f"{1788400000 + count // 2}.M{count}P1.torture"), "wb") as file:
        file.write(large_report(2500))
