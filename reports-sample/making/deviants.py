"""One report for each tolerated breach of the format, otherwise clean.

Every sample starts from ``clean()``, a report without any deviation, and changes one thing. What is expected is
written beside the change by hand. A sample that is plain XML also carries ``plain-attachment``.
"""

from . import containers, mailform
from .model import CODES, DAY, SPF, Record, Report, Signature, Style, deviations, utc, write
from .output import refused, stored

DOMAIN = "example.org"
BEGIN = utc("2026-10-29")
END = BEGIN + DAY - 1
RECEIVER = "ontvanger.example"
FILE = f"{RECEIVER}!{DOMAIN}!{BEGIN}!{END}.xml.gz"
OWN, RELAY, STRANGER = "192.0.2.10", "198.51.100.10", "203.0.113.10"


def clean(number, part=""):
    """A report that breaks no rule of RFC 7489. Its id tells the samples apart."""
    own = Signature(DOMAIN, "pass", "s2026")
    records = [
        Record(OWN, 10, "pass", "pass", [own], [SPF(DOMAIN, "pass", "mfrom")], envelope_from=DOMAIN),
        Record(RELAY, 3, "pass", "fail", [own], [SPF(DOMAIN, "softfail", "mfrom")], envelope_from=DOMAIN),
        Record(STRANGER, 2, "fail", "fail", [], [SPF(DOMAIN, "fail", "mfrom")], envelope_from=DOMAIN),
    ]
    return Report("Ontvanger", f"dmarc@{RECEIVER}", f"deviation.{number:02}{part}", BEGIN, END, DOMAIN, records,
                  contact=f"https://{RECEIVER}/dmarc")


def swapped(text, *changes):
    """The text with each old piece, which must occur exactly once, replaced by the new one."""
    for old, new in changes:
        assert text.count(old) == 1, (text.count(old), old)
        text = text.replace(old, new)
    return text


def build():
    plain = Style()
    used = set()

    def path(number, part, suffix):
        used.add(number)
        code = CODES[number - 1]
        return f"deviations/{number:02}-{code}{'-' + part if part else ''}{suffix}"

    def xml(number, data, part="", also=(), report=None, **changes):
        """A plain XML sample with deviation ``number``, ``plain-attachment`` and those of ``also``."""
        report = report or clean(number, part)
        codes = [CODES[number - 1], "plain-attachment", *also]
        stored(path(number, part, ".xml"), data, report.expected(codes, **changes))

    def edited(number, *changes, part="", also=(), style=plain, **expected):
        xml(number, swapped(write(clean(number, part), style), *changes), part, also, **expected)

    def modelled(number, change, part="", also=(), style=plain, **expected):
        """A sample whose change lies in the model; the model's own judgement must agree with the hand-written one."""
        report = clean(number, part)
        change(report)
        codes = {CODES[number - 1], *also}
        assert deviations(report, style) == codes, (number, part, deviations(report, style), codes)
        xml(number, write(report, style), part, also, report, **expected)

    assert deviations(clean(1), plain) == set()

    # --- XML text -----------------------------------------------------------------------------------------------
    edited(1, ("<feedback>", '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://dmarc.org/dmarc-xml/0.1">\n<feedback>'))
    edited(2, ('encoding="UTF-8"?>\n', 'encoding="UTF-8"?>"\n'))
    edited(2, ('encoding="UTF-8"?>\n', 'encoding="UTF-8"?>\nDMARC aggregate report\n'), part="b")
    edited(3, (f"https://{RECEIVER}/dmarc", f"https://{RECEIVER}/dmarc?lang=nl&page=2"))
    edited(3, (f"<email>dmarc@{RECEIVER}</email>", f"<email><dmarc@{RECEIVER}></email>"), part="b")
    edited(3, (f"https://{RECEIVER}/dmarc", "rapporten < 24 uur"), part="c")
    xml(4, swapped(write(clean(4), plain), (f"https://{RECEIVER}/dmarc", "de \x91postmaster\x92")).encode("latin-1"))
    edited(4, (f"https://{RECEIVER}/dmarc", "de\x0bpostmaster"), part="b")
    report = clean(5)
    report.org = "Société d’Essai"
    for part, encoding, org in (("", "windows-1252", "Société d’Essai"), ("b", "ISO-8859-1", "Société d'Essai"), ("c", "UTF-16", "Société d’Essai")):
        report = clean(5, part)
        report.org = org
        text = write(report, Style(declaration=f'<?xml version="1.0" encoding="{encoding}"?>'))
        data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "UTF-16" else text.encode(encoding)
        xml(5, data, part, ["byte-order-mark"] if encoding == "UTF-16" else [], report)
    xml(6, b"\xef\xbb\xbf" + write(clean(6), plain).encode())
    xml(7, "\n  \n" + write(clean(7), plain))
    xml(7, write(clean(7, "b"), Style(declaration=None)), "b")
    edited(8, ("</feedback>\n", "</feedback"))
    edited(8, ("</feedback>\n", "</feed"), part="b")
    edited(8, ("</feedback>\n", "</"), part="c")
    refused(path(9, "", ".xml.gz"), containers.gzip(b"unused"), "no-report-in-archive")
    refused(path(9, "b", ".xml.gz"), containers.gzip(b""), "no-report-in-archive")
    edited(10, ("<feedback>", '<feedback xmlns="http://dmarc.org/dmarc-xml/0.1">'))
    edited(10, ("<feedback>", '<ns1:feedback xmlns:ns1="http://dmarc.org/dmarc-xml/0.1">'), ("</feedback>", "</ns1:feedback>"), part="b")
    edited(10, ("<feedback>", "<feedback xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'\n    "
                "xsi:schemaLocation='http://dmarc.org/dmarc-xml/0.1 dmarc_agg_report.xsd'>"), part="c")
    edited(10, ("<feedback>", '<feedback xmlns="http//dmarc.org/dmarc-xml/0.2">'), part="d")
    refused(path(11, "", ".xml"), swapped(write(clean(11), plain), ('encoding="UTF-8"?>\n', 'encoding="UTF-8"?>\n<!DOCTYPE feedback>\n')), "doctype")
    edited(12, ("<count>10</count>", "<count> 10 </count>"), (f"<domain>{DOMAIN}</domain>\n    <adkim>", f"<domain>\n      {DOMAIN}\n    </domain>\n    <adkim>"),
           ("<result>softfail</result>", "<result> softfail\t</result>"))
    edited(13, ("<email>", '<email lang="en">'), ("<extra_contact_info>", '<extra_contact_info xml:lang="nl">'), ("<count>10<", '<count unit="messages">10<'))

    # --- structure ----------------------------------------------------------------------------------------------
    modelled(14, lambda report: setattr(report, "version", None))
    modelled(14, lambda report: setattr(report, "version", "2.0"), part="b")
    modelled(15, lambda report: setattr(report, "records", []))
    text = write(clean(15, "b"), plain)
    skeleton = ("  <record>\n    <row>\n      <source_ip></source_ip>\n      <count></count>\n      <policy_evaluated>\n        <disposition></disposition>\n"
                "        <dkim></dkim>\n        <spf></spf>\n      </policy_evaluated>\n    </row>\n    <identifiers>\n      <header_from></header_from>\n"
                "    </identifiers>\n    <auth_results>\n      <spf>\n        <domain></domain>\n        <result></result>\n      </spf>\n    </auth_results>\n  </record>\n")
    xml(15, text[:text.index("  <record>")] + skeleton + "</feedback>\n", "b", records=0, messages=0, passed=0)
    text = write(clean(16), plain)
    xml(16, text.replace("identifiers>", "identities>"))
    text = write(clean(17), plain)
    published = text[text.index("  <policy_published>"):text.index("  <record>")]
    xml(17, swapped(text, (published, published + published.replace(">none<", ">reject<"))))
    edited(17, ("<date_range>", "<data_range>"), ("</date_range>", "</data_range>"), part="b")
    def no_spf(report):
        report.records[1].checks = []

    def several_spf(report):
        report.records[0].checks.append(SPF("mail.example.org", "none", "mfrom"))
    modelled(18, no_spf)
    modelled(18, lambda report: None, part="b", style=Style(auth=("spf", "dkim")))
    modelled(18, several_spf, part="c")
    text = write(clean(18, "d"), plain)
    third = text.rindex("    <auth_results>")
    xml(18, text[:third] + "    <auth_results/>\n  </record>\n</feedback>\n", "d")
    text = write(clean(18, "e"), plain)
    third = text.rindex("    <auth_results>")
    xml(18, text[:third] + "  </record>\n</feedback>\n", "e")
    def shell(report):
        report.records[2].signatures = [Signature("", "none", "s1")]
    modelled(19, shell)
    edited(19, ("    <auth_results>\n      <spf>", "    <auth_results>\n" + "      <dkim>\n        <domain/>\n        <result/>\n      </dkim>\n" * 4 + "      <spf>"),
           part="b")
    def spf_domain(value):
        def change(report):
            report.records[2].checks = [SPF(value, "none", "mfrom")]
        return change
    modelled(20, spf_domain(""))
    modelled(20, spf_domain("NULL"), part="b")
    modelled(20, spf_domain(None), part="c")
    def identifier(key, value):
        def change(report):
            setattr(report.records[1], key, value)
        return change
    modelled(21, identifier("envelope_from", None))
    modelled(21, identifier("envelope_from", ""), part="b")
    modelled(21, identifier("header_from", ""), part="c")
    text = write(clean(21, "d"), plain)
    xml(21, text.replace(f"      <header_from>{DOMAIN}</header_from>\n", "", 1), "d")
    def no_selector(report):
        report.records[1].signatures = [Signature(DOMAIN, "pass")]
    modelled(22, no_selector)
    def evaluated(key, value):
        def change(report):
            setattr(report.records[2], key, value)
        return change
    modelled(23, evaluated("dkim", None))
    modelled(23, evaluated("spf", ""), part="b")
    edited(24, ("        <spf>fail</spf>\n      </policy_evaluated>\n    </row>\n    <identifiers>\n      <envelope_from>example.org</envelope_from>\n"
                "      <header_from>example.org</header_from>\n    </identifiers>\n    <auth_results>\n      <dkim>",
                "        <spf>fail</spf>\n        <reason>sampled_out</reason>\n      </policy_evaluated>\n    </row>\n    <identifiers>\n"
                "      <envelope_from>example.org</envelope_from>\n      <header_from>example.org</header_from>\n    </identifiers>\n    <auth_results>\n      <dkim>"))
    def reason(kind, comment):
        def change(report):
            report.records[1].reasons = [(kind, comment)]
        return change
    modelled(24, reason("", ""), part="b")
    modelled(24, reason("forwarded", ""), part="c")
    wide = Style(policy=plain.policy + ("rf", "ri", "t", "psd"))
    def tags(**values):
        def change(report):
            for tag, value in values.items():
                if value is None:
                    report.policy.pop(tag)
                else:
                    report.policy[tag] = value
        return change
    modelled(25, tags(sp=None))
    modelled(25, tags(sp=""), part="b")
    modelled(25, tags(sp="nil"), part="c")
    modelled(25, tags(adkim=None, aspf=None), part="d")
    modelled(25, tags(pct=None), part="e")
    modelled(25, tags(fo=""), part="f")
    modelled(25, tags(np="reject"), part="g")
    modelled(25, tags(rf="afrf", ri="86400", t="n", psd="u"), part="h", style=wide)
    modelled(26, lambda report: None, style=Style(metadata=("date_range", "org_name", "email", "extra_contact_info", "report_id")))
    def no_org(report):
        report.org = ""
    modelled(26, no_org, part="b", org_name=RECEIVER)
    modelled(26, lambda report: setattr(report, "email", None), part="c")
    modelled(26, lambda report: setattr(report, "contact", ""), part="d")
    edited(27, ("<count>10</count>\n", "<count>10</count>\n      <category>transactional</category>\n      <source><name>mail</name><count>99</count></source>\n"))
    edited(27, ("  </policy_published>\n", "  </policy_published>\n  <statistics>\n    <rejected>4</rejected>\n  </statistics>\n"), part="b")
    def repeated(report):
        own = report.records[0].signatures[0]
        report.records[0].signatures = [own, Signature(DOMAIN, "pass", "s2026")]
    modelled(28, repeated)
    def equal(report):
        report.records.insert(1, Record(OWN, 10, "pass", "pass", list(report.records[0].signatures), list(report.records[0].checks), envelope_from=DOMAIN))
    modelled(29, equal)

    # --- values -------------------------------------------------------------------------------------------------
    edited(30, ("<p>none</p>", "<p>None</p>"), ("<count>10</count>\n      <policy_evaluated>\n        <disposition>none</disposition>\n        <dkim>pass</dkim>\n        "
                "<spf>pass</spf>", "<count>10</count>\n      <policy_evaluated>\n        <disposition>NONE</disposition>\n        <dkim>Pass</dkim>\n        <spf>PASS</spf>"),
           ("<result>softfail</result>", "<result>SoftFail</result>"))
    def spf_result(word):
        def change(report):
            report.records[2].checks = [SPF(DOMAIN, word, "mfrom")]
        return change
    for part, word in (("", "hardfail"), ("b", "unknown"), ("c", "error")):
        modelled(31, spf_result(word), part=part)
    def dkim_result(word):
        def change(report):
            report.records[2].signatures = [Signature(DOMAIN, word, "s2026")]
        return change
    for part, word in (("d", "unknown"), ("e", "invalid"), ("f", "not.evaluated")):
        modelled(31, dkim_result(word), part=part)
    modelled(32, evaluated("spf", "softfail"))
    modelled(32, evaluated("dkim", "none"), part="b")
    def disposition(row, word):
        def change(report):
            report.records[row].disposition = word
        return change
    modelled(33, disposition(2, "softfail"))
    modelled(33, disposition(2, "15"), part="b")
    modelled(33, disposition(2, ""), part="c")
    modelled(34, disposition(1, "quarantine"))
    def no_evidence(report):
        report.records[0].signatures = [Signature(DOMAIN, "fail", "s2026")]

    def no_spf_evidence(report):
        report.records[0].checks = [SPF(DOMAIN, "neutral", "mfrom")]
    modelled(35, no_evidence)
    modelled(35, no_spf_evidence, part="b")
    def scope(word):
        def change(report):
            report.records[2].checks = [SPF(DOMAIN, "fail", word)]
        return change
    modelled(36, scope(None))
    modelled(36, scope("helo"), part="b")
    modelled(36, scope("scope"), part="c")
    edited(37, (f"<source_ip>{OWN}</source_ip>", f"<source_ip>{OWN}/32</source_ip>"))
    edited(37, (f"<source_ip>{OWN}</source_ip>", f"<source_ip> {OWN} </source_ip>"), part="b", also=["padded-value"])
    edited(37, (f"<source_ip>{OWN}</source_ip>", "<source_ip>2001:db8::10/128</source_ip>"), part="c")
    def window(begin, end):
        def change(report):
            report.begin, report.end = begin, end
        return change
    modelled(38, window(BEGIN, BEGIN))
    modelled(38, window(BEGIN, BEGIN + 1), part="b")
    modelled(38, window(BEGIN + 5 * 3600, BEGIN + DAY + 5 * 3600), part="c")
    modelled(38, window(BEGIN, BEGIN + 7 * DAY), part="d")
    edited(38, (f"<begin>{BEGIN}</begin>", f"<begin>{BEGIN}.0</begin>"), (f"<end>{END}</end>", f"<end>{END}.0</end>"), part="e")
    edited(39, ("<report_id>deviation.39</report_id>", f"<report_id>&lt;deviation.39@{RECEIVER}&gt;</report_id>"), report_id=f"deviation.39@{RECEIVER}")
    edited(39, ("    <report_id>deviation.39b</report_id>\n", ""), part="b", report_id="")
    edited(39, ("<report_id>deviation.39c</report_id>", "<report_id></report_id>"), part="c", report_id="")
    edited(39, ("<report_id>deviation.39d</report_id>", "<report_id> deviation.39d </report_id>"), part="d", also=["padded-value"])
    def count(value):
        def change(report):
            report.records[2].count = value
        return change
    modelled(40, count(0))
    edited(40, ("<count>3</count>", "<count>4294967296</count>"), part="b", records=2, messages=12, passed=10,
           refused_records=[{"code": "count-out-of-range", "n": 1}])
    edited(40, ("<count>3</count>", "<count>-3</count>"), ("<count>2</count>", "<count>0</count>"), part="c", records=2, messages=10, passed=10,
           refused_records=[{"code": "count-out-of-range", "n": 1}])
    text = write(clean(41), plain)
    xml(41, text.replace(f"<header_from>{DOMAIN}<", "<header_from>Example.ORG<"))
    xml(41, swapped(write(clean(41, "b"), plain), (f"<domain>{DOMAIN}</domain>\n    <adkim>", f"<domain>{DOMAIN}.</domain>\n    <adkim>")), "b")
    text = write(clean(41, "c"), plain)
    xml(41, text.replace(f"<header_from>{DOMAIN}<", "<header_from>bücher.example.org<", 1), "c")
    text = write(clean(41, "d"), plain)
    xml(41, text.replace(f"<header_from>{DOMAIN}<", "<header_from>localhost<", 1), "d")

    # --- mail and container -------------------------------------------------------------------------------------
    def mail(number, make, part="", also=()):
        """A mail with one report; ``make`` gets (report, XML, gzip, usual headers) and returns the mail."""
        report = clean(number, part)
        data = write(report, plain).encode()
        headers = mailform.top(f"dmarc@{RECEIVER}", f"Report Domain: {DOMAIN} Submitter: {RECEIVER} Report-ID: <{report.id}>", BEGIN + DAY + 7200,
                               f"{report.id}@{RECEIVER}")
        codes = {CODES[number - 1], *also}
        stored(path(number, part, ".eml"), make(report, data, containers.gzip(data), headers), report.expected(codes))

    note = mailform.text("A DMARC aggregate report is attached.\n")

    def usual(headers, *parts):
        return mailform.multipart(headers, "=-rapport-=", [note, *parts])

    def media(media_type):
        return lambda report, data, packed, headers: usual(headers, mailform.attachment(FILE, media_type, packed))

    mail(42, media("application/octet-stream"))
    mail(42, lambda report, data, packed, headers: usual(headers, mailform.part(
        [f"Content-Type: application/octet-stream;\n name*0={FILE[:-4]};\n name*1={FILE[-4:]}", "Content-Transfer-Encoding: base64",
         "Content-Disposition: attachment"], mailform.base64_lines(packed))), part="b")
    mail(43, media("application/x-gzip"))
    mail(43, lambda report, data, packed, headers: mailform.part(
        [*headers, f'Content-Type: application/gzip; name="{FILE}"', "Content-Transfer-Encoding: base64",
         f'Content-Disposition: attachment; filename="{FILE}"'], mailform.base64_lines(packed) + "\n"), part="b")
    mail(43, lambda report, data, packed, headers: usual(headers, mailform.attachment(FILE[:-3], "application/xml", data)), part="c",
         also=["plain-attachment"])
    mail(43, lambda report, data, packed, headers: usual(headers, mailform.attachment(
        FILE[:-6] + "zip", "application/x-zip-compressed", containers.zip([(FILE[:-3], data)]))), part="d")
    mail(44, lambda report, data, packed, headers: usual(headers, mailform.attachment(
        FILE[:-6] + "zip", "application/gzip", containers.zip([(FILE[:-3], data)]))))

    def file(number, suffix, make, part="", also=()):
        report = clean(number, part)
        stored(path(number, part, suffix), make(write(report, plain).encode()), report.expected({CODES[number - 1], *also}))

    file(44, ".xml.gz", lambda data: containers.zip([(FILE[:-3], data)]), part="b")
    file(44, ".zip", containers.gzip, part="c")
    file(45, ".xml.gz", lambda data: containers.gzip(data) + b"\r\n")
    file(45, ".xml.gz", lambda data: containers.gzip(data[:900]) + containers.gzip(data[900:]), part="b")
    file(45, ".zip", lambda data: containers.zip([("leesmij.txt", b"Een DMARC-rapport.\n"), (FILE[:-3], data)]), part="c")
    file(45, ".zip", lambda data: containers.zip_by_hand("", data), part="d")
    file(45, ".xml.gz.gz", lambda data: containers.gzip(containers.gzip(data)), part="e")
    file(45, ".xml.zlib", containers.zlib, part="f")
    mail(46, lambda report, data, packed, headers: usual(headers, mailform.part(
        ["Content-Transfer-Encoding: base64", f'Content-Disposition: attachment; filename="{FILE}"'], mailform.base64_lines(packed))))
    mail(46, lambda report, data, packed, headers: usual(headers, mailform.part(
        [f'ContentType: application/gzip; name="{FILE}"', "Content-Transfer-Encoding: base64",
         f'Content-Disposition: attachment; filename="{FILE}"'], mailform.base64_lines(packed))), part="b")
    mail(46, lambda report, data, packed, headers: mailform.part(headers[:-1], data), part="c", also=["plain-attachment", "odd-file-name"])

    def forwarded(report, data, packed, headers):
        inner = usual(headers, mailform.attachment(FILE, "application/gzip", packed))
        outer = mailform.top("beheer@example.org", f"Fwd: Report Domain: {DOMAIN} Submitter: {RECEIVER}", BEGIN + DAY + 9000, "doorgestuurd.47@example.org")
        return mailform.multipart(outer, "=-doorgestuurd-=", [
            mailform.text("Zie bijlage.\n"), mailform.part(["Content-Type: message/rfc822", "Content-Disposition: attachment"], inner)])

    mail(47, forwarded, also=["odd-subject"])
    mail(48, lambda report, data, packed, headers: mailform.multipart(headers, "=-rapport-=", [
        mailform.text("<p>A DMARC aggregate report is attached.</p>\n", "html"), mailform.attachment(FILE, "application/gzip", packed)]))
    mail(49, lambda report, data, packed, headers: usual(headers, mailform.attachment(FILE[:-3], "text/xml", data, "7bit")))
    for part, subject in (("", f"Report domain: {DOMAIN} Submitter: {RECEIVER} Report-ID: deviation.50"),
                          ("b", f"Report Domain: {DOMAIN}; Submitter: {RECEIVER}; Report-ID: deviation.50b"),
                          ("c", "DMARC aggregate report")):
        def other_subject(report, data, packed, headers, subject=subject):
            headers = [f"Subject: {subject}" if line.startswith("Subject:") else line for line in headers]
            return usual(headers, mailform.attachment(FILE, "application/gzip", packed))
        mail(50, other_subject, part=part)
    mail(51, lambda report, data, packed, headers: usual(headers, mailform.attachment("ATT00001", "application/gzip", packed)))
    mail(51, lambda report, data, packed, headers: usual(headers, mailform.part(
        ["Content-Type: application/gzip", "Content-Transfer-Encoding: base64", "Content-Disposition: attachment"], mailform.base64_lines(packed))), part="b")
    mail(51, lambda report, data, packed, headers: usual(headers, mailform.attachment(
        FILE.replace(DOMAIN, "example.com"), "application/gzip", packed)), part="c")
    mail(51, lambda report, data, packed, headers: usual(headers, mailform.attachment(
        FILE.replace(RECEIVER, ""), "application/gzip", packed)), part="d")

    # Large in bytes: more than 1 MiB of XML in fewer than 2,000 records; large in records: the reverse.
    def many(number, count):
        def change(report):
            own = Signature(DOMAIN, "pass", "s2026")
            report.records = [Record(f"198.51.100.{n % 250 + 1}" if n < 250 else f"2001:db8:52::{n:x}", n % 7 + 1, "pass", "pass", [own],
                                     [SPF(DOMAIN, "pass", "mfrom")], envelope_from=DOMAIN) for n in range(count)]
        return change

    for part, count_, style in (("", 1_600, Style(indent="      ")), ("b", 2_001, Style(indent=None))):
        report = clean(52, part)
        many(52, count_)(report)
        data = write(report, style).encode()
        assert (len(data) > 1 << 20) != (count_ > 2_000), len(data)
        assert deviations(report, style) == set()
        stored(path(52, part, ".xml.gz"), containers.gzip(data), report.expected(["large-report"]))

    # --- notes on what was mended or cut ------------------------------------------------------------------------
    edited(53, ("</feedback>\n", "</feedback>\n-- \nVerzonden door de rapportendienst.\n"))
    text = write(clean(54), plain)
    xml(54, text.replace("</row>", "</record>", 1).replace("</record>\n  <record>", "</row>\n  <record>", 1))
    def wordy(report):
        report.records[0].signatures = [Signature(DOMAIN, "pass", "s2026", "signature verified; " * 260)]
    report = clean(55)
    wordy(report)
    report.records[0].signatures[0].human = report.records[0].signatures[0].human.strip()
    xml(55, write(report, plain), report=report)

    assert used == set(range(1, 56)), set(range(1, 56)) - used
