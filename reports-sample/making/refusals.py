"""What is refused, one small file for each code; and the pair of bad rows inside a report that is kept."""

from . import containers, mailform
from .model import DAY, SPF, Record, Report, Signature, Style, deviations, utc, write
from .output import not_a_report, refused, stored

DOMAIN = "example.com"
BEGIN = utc("2026-10-28")
END = BEGIN + DAY - 1


def report(report_id, begin=BEGIN, end=END):
    own = Signature(DOMAIN, "pass", "s1")
    records = [Record(f"192.0.2.{host}", count, "pass", "pass", [own], [SPF(DOMAIN, "pass", "mfrom")], envelope_from=DOMAIN)
               for host, count in ((11, 4), (12, 9), (13, 1))]
    return Report("Ontvanger", "dmarc@ontvanger.example", report_id, begin, end, DOMAIN, records)


def swapped(text, *changes):
    for old, new in changes:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    return text


def build():
    style = Style()
    number = [0]

    def xml(*changes, **dates):
        """The XML of a sound report with an id of its own, then changed."""
        number[0] += 1
        return swapped(write(report(f"refused.{number[0]:02}", **dates), style), *changes)

    def put(file, data, code):
        refused(f"refused/{file}", data, code)

    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

    # Containers.
    packed = containers.gzip(xml().encode())
    put("gzip-truncated.xml.gz", packed[:-40], "gzip-truncated")
    put("gzip-truncated-b.xml.gz", packed[:-4], "gzip-truncated")
    put("gzip-checksum.xml.gz", packed[:-8] + bytes([packed[-8] ^ 0xFF]) + packed[-7:], "gzip-checksum")
    put("gzip-checksum-b.xml.gz", packed[:-4] + bytes([packed[-4] ^ 0x01]) + packed[-3:], "gzip-checksum")
    data = xml().encode()
    whole = containers.zip([("rapport.xml", data)])
    middle = whole.index(b"rapport.xml") + len("rapport.xml") + 150
    put("archive-damaged.zip", whole[:middle] + bytes(byte ^ 0xA5 for byte in whole[middle:middle + 24]) + whole[middle + 24:], "archive-damaged")
    put("archive-damaged-b.zip", whole[:middle], "archive-damaged")
    noise = bytes((17 * n * n + 91 * n + 5) % 251 for n in range(12 + 420))
    put("archive-encrypted.zip", containers.zip_by_hand("rapport.xml", data, encrypted=True, body=noise), "archive-encrypted")
    put("nested-too-deep.gz", containers.gzip(containers.gzip(containers.gzip(xml().encode()))), "nested-too-deep")
    put("nested-too-deep-b.zip", containers.zip([("a.zip", containers.zip([("b.zip", containers.zip([("rapport.xml", xml().encode())]))]))]),
        "nested-too-deep")
    png = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    put("no-report-in-archive.xml.gz", containers.gzip(png), "no-report-in-archive")
    put("no-report-in-archive.zip", containers.zip([("leesmij.txt", b"Geen rapport vandaag.\n"), ("logo.png", png)]), "no-report-in-archive")
    members = [(f"rapport-{n:02}.xml", xml().encode()) for n in range(17)]
    put("too-many-members.zip", containers.zip(members), "too-many-members")
    put("archive-7z.7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24) + b"no archive that is read here", "archive-seven-zip")
    put("archive-rar.rar", b"Rar!\x1a\x07\x01\x00" + bytes(24), "archive-rar")
    put("unknown-container.gz", bytes((17 * n * n + 91 * n + 5) % 251 for n in range(300)), "unknown-container")
    put("outlook-message.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\x00\x03\x00\xfe\xff\x09\x00" + bytes(480), "outlook-message")
    not_a_report("refused/empty-file.xml", b"", "empty-file")

    # XML that attacks.
    put("doctype.xml", xml((declaration, declaration + '<!DOCTYPE feedback SYSTEM "feedback.dtd">\n')), "doctype")
    put("doctype-entity.xml", xml((declaration, declaration + '<!DOCTYPE feedback [\n  <!ENTITY org "Ontvanger">\n]>\n'),
                                  ("<org_name>Ontvanger", "<org_name>&org;")), "doctype")
    put("doctype-external.xml", xml((declaration, declaration + '<!DOCTYPE feedback [\n  <!ENTITY local SYSTEM "file:///etc/hostname">\n]>\n'),
                                    ("<org_name>Ontvanger", "<org_name>&local;")), "doctype")
    put("doctype-parameter.xml", xml((declaration, declaration + '<!DOCTYPE feedback [\n  <!ENTITY % more SYSTEM "http://192.0.2.1/more.dtd">\n  %more;\n]>\n')),
        "doctype")
    levels = 33 - 1         # the root is the first of 33
    put("too-deep.xml", xml(("  <report_metadata>\n", "  " + "<x>" * levels + "</x>" * levels + "\n  <report_metadata>\n")), "too-deep")
    flood = " ".join(f'a{n}="{n}"' for n in range(33))
    put("too-many-attributes.xml", xml(("<report_metadata>", f"<report_metadata {flood}>")), "too-many-attributes")
    flood = " ".join(f'xmlns:n{n}="urn:example:{n}"' for n in range(33))
    put("too-many-attributes-b.xml", xml(("<report_metadata>", f"<report_metadata {flood}>")), "too-many-attributes")
    put("text-too-long.xml", xml(("<org_name>Ontvanger<", "<org_name>" + "Ontvanger " * 130 + "<")), "text-too-long")
    put("text-too-long-b.xml", xml(("<report_id>refused.", "<report_id>" + "0123456789" * 110 + ".")), "text-too-long")
    put("markup-too-long.xml", xml(("  <report_metadata>\n", "  <!-- " + "long words " * 1200 + "-->\n  <report_metadata>\n")), "markup-too-long")
    put("markup-too-long-b.xml", xml(("<report_metadata>", '<report_metadata a="' + "x" * 12_000 + '">')), "markup-too-long")

    # XML that is broken or something else.
    text = xml()
    put("xml-truncated.xml", text[:text.rindex("<count>") + 9], "xml-truncated")
    put("xml-truncated-b.xml", text[:text.rindex("</feedback>")], "xml-truncated")
    put("xml-truncated-c.xml", text[:text.rindex("</feedback>") + 1], "xml-truncated")
    put("xml-truncated-d.xml.gz", containers.gzip(text[:text.index("<policy_published>")].encode()), "xml-truncated")
    put("xml-malformed.xml", declaration + "Vandaag geen rapport: de maker is stuk <\n", "xml-malformed")
    put("wrong-root.xml", f"{declaration}<rss version=\"2.0\">\n  <channel>\n    <title>Nieuws</title>\n  </channel>\n</rss>\n", "wrong-root")
    put("wrong-root-b.xml", xml().replace("feedback>", "report>"), "wrong-root")
    text = xml()
    period = text[text.index("    <date_range>"):text.index("  </report_metadata>")]
    put("missing-field-period.xml", swapped(text, (period, "")), "missing-field")
    put("missing-field-domain.xml", xml((f"    <domain>{DOMAIN}</domain>\n    <adkim>", "    <adkim>")), "missing-field")
    put("missing-field-reporter.xml", xml(("    <org_name>Ontvanger</org_name>\n", ""), ("    <email>dmarc@ontvanger.example</email>\n", "")),
        "missing-field")
    put("unknown-encoding.xml", xml(('encoding="UTF-8"', 'encoding="KOI8-R"')), "unknown-encoding")
    put("date-out-of-range.xml", xml(begin=END, end=BEGIN), "date-out-of-range")
    put("date-out-of-range-b.xml", xml(begin=99_999_999_999, end=100_000_086_398), "date-out-of-range")
    put("date-out-of-range-c.xml", xml(begin=0, end=DAY - 1), "date-out-of-range")
    put("date-out-of-range-d.xml", xml(begin=BEGIN - 400 * DAY, end=END), "date-out-of-range")

    # Mails that attack.
    packed = containers.gzip(xml().encode())
    file = f"ontvanger.example!{DOMAIN}!{BEGIN}!{END}.xml.gz"
    headers = mailform.top("dmarc@ontvanger.example", f"Report Domain: {DOMAIN} Submitter: ontvanger.example Report-ID: <refused.mail>", END + 7200,
                           "refused.mail@ontvanger.example")
    attached = mailform.attachment(file, "application/gzip", packed)
    put("header-too-large.eml", mailform.multipart(headers + ["X-Long: " + "x" * 66_000], "=-r-=", [attached]), "header-too-large")
    inner = attached
    for depth in range(20):
        inner = mailform.multipart_part(f"=-d{depth}-=", [inner], "mixed")
    put("mime-too-deep.eml", mailform.part(headers, b"")[:-1] + inner, "mime-too-deep")
    put("mime-too-many-parts.eml", mailform.multipart(headers, "=-r-=", [mailform.part(["Content-Type: text/plain"], "x\n")] * 299 + [attached]),
        "mime-too-many-parts")

    # Rows that are refused while the report and its other rows are kept.
    kept = report("refused.rows")
    text = write(kept, style)
    row = text[text.index("  <record>"):text.index("  </record>\n") + len("  </record>\n")]
    bad = [swapped(row, ("192.0.2.11", "192.0.2.300")), swapped(row, ("192.0.2.11", "")), swapped(row, ("<count>4<", "<count>-4<")),
           swapped(row, ("<count>4<", "<count>vier<")), swapped(row, ("<count>4<", "<count><"))]
    text = swapped(text, ("</feedback>\n", "".join(bad) + "</feedback>\n"))
    stored("refused/bad-records.xml", text, kept.expected(
        deviations(kept, style) | {"plain-attachment"},
        refused_records=[{"code": "bad-source-ip", "n": 2}, {"code": "count-out-of-range", "n": 3}]))
