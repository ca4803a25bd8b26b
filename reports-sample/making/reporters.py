"""One well-formed report in the style of each reporter: element order, indentation, ids, windows, containers, mails.

All of them are about the same morning at example.nl, so that the styles can be compared side by side.
"""

from . import containers, mailform
from .model import DAY, SPF, Record, Report, Signature, Style, deviations, utc, write
from .output import stored

DOMAIN = "example.nl"
BEGIN = utc("2026-10-30")
INCLUSIVE, EXCLUSIVE = BEGIN + DAY - 1, BEGIN + DAY

OWN, OWN6 = "192.0.2.25", "2001:db8:25::25"         # the domain's own server
NEWS = "198.51.100.40"                              # newsletter service: signs for the domain, own return path
FORWARDER = "203.0.113.77"                          # passes mail on; SPF breaks, DKIM survives
STRANGER = "203.0.113.200"


def rows(envelope=False, recipient=None, selector=True, scope=False, human=None, spoof="none"):
    """Four usual records. ``human``: the words for human_result, by result. ``spoof``: disposition of the stranger's mail."""
    mfrom = "mfrom" if scope else None

    def signature(domain, result, name):
        return Signature(domain, result, name if selector else None, None if human is None else human.get(result, ""))

    def record(source, count, dkim, spf, signatures, check, disposition="none", reasons=()):
        return Record(source, count, dkim, spf, signatures, [SPF(check[0], check[1], mfrom)], disposition, list(reasons),
                      envelope_from=check[0] if envelope else None, envelope_to=recipient)

    own = signature(DOMAIN, "pass", "mail2026")
    return [
        record(OWN, 41, "pass", "pass", [own], (DOMAIN, "pass")),
        record(OWN6, 12, "pass", "pass", [own], (DOMAIN, "pass")),
        record(NEWS, 230, "pass", "fail", [signature(DOMAIN, "pass", "nb1"), signature("nieuwsbrief.example", "pass", "k7")],
               ("bounce.nieuwsbrief.example", "pass")),
        record(FORWARDER, 3, "pass", "fail", [own], (DOMAIN, "softfail")),
        record(STRANGER, 2, "fail", "fail", [], (DOMAIN, "fail"), disposition=spoof),
    ]


def policy(p="none", **tags):
    """Tags in the order given to the writer; a tag of None is left out."""
    values = dict(adkim="r", aspf="r", p=p, sp=p, pct="100")
    values.update(tags)
    return {tag: value for tag, value in values.items() if value is not None}


def name(receiver, end, suffix, unique=""):
    return f"{receiver}!{DOMAIN}!{BEGIN}!{end}{unique}.{suffix}"


def build():
    def sample(file, report, style, data, *more):
        stored(f"reporters/{file}", data, report.expected(deviations(report, style) | set(more)))

    def mail(file, report, style, data, *more):
        found = deviations(report, style) | set(more)
        stored(f"reporters/{file}.lf.eml", data, report.expected(found))
        stored(f"reporters/{file}.crlf.eml", mailform.crlf(data), report.expected(found))

    # google.com: ZIP as the whole body of the mail, np in a report of the older form, no scope, no envelope_from, selector last.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', policy=("domain", "adkim", "aspf", "p", "sp", "pct", "np"),
                  signature=("domain", "result", "selector"), check=("domain", "result"))
    report = Report("google.com", "noreply-dmarc-support@google.com", "7044135590218846213", BEGIN, INCLUSIVE, DOMAIN, rows(),
                    contact="https://support.google.com/a/answer/2466580", policy=policy(np="none"))
    report.records[-1].reasons = []
    report.records[3].reasons = [("local_policy", "arc=pass")]
    xml = write(report, style).encode()
    file = name("google.com", INCLUSIVE, "zip")
    packed = containers.zip([(file[:-3] + "xml", xml)])
    sample("google.zip", report, style, packed)
    headers = mailform.top("noreply-dmarc-support@google.com",
                           f"Report domain: {DOMAIN} Submitter: google.com Report-ID: {report.id}", EXCLUSIVE + 3600, f"{report.id}@google.com")
    headers += [f'Content-Type: application/zip;\n\tname="{file}"', f'Content-Disposition: attachment;\n\tfilename="{file}"',
                "Content-Transfer-Encoding: base64"]
    mail("google-mail", report, style, mailform.part(headers, mailform.base64_lines(packed) + "\n"), "odd-media-type", "odd-subject")

    # google.com before 2026: the same without <version>.
    report = Report("google.com", "noreply-dmarc-support@google.com", "15370822419046613378", BEGIN, INCLUSIVE, DOMAIN, rows()[:2],
                    contact="https://support.google.com/a/answer/2466580", policy=policy(np="none"), version=None)
    sample("google-before-2026.xml", report, style, write(report, style), "plain-attachment")

    # Microsoft, for business customers: unused namespaces on the root, one row per recipient domain, window to the next midnight.
    style = Style(declaration='<?xml version="1.0"?>', final_line_end=False,
                  root='xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"')
    report = Report("Enterprise Outlook", "dmarcreport@microsoft.com", "5f0c2b9e7d1a4c3388b1e6a90d4f7c21", BEGIN, EXCLUSIVE, DOMAIN,
                    rows(envelope=True, recipient="klant.example", scope=True), policy=policy(fo="0"))
    report.records.insert(1, Record(OWN, 7, "pass", "pass", report.records[0].signatures, report.records[0].checks,
                                    envelope_from=DOMAIN, envelope_to="leverancier.example"))
    xml = write(report, style).encode()
    sample("microsoft-enterprise-outlook.xml.gz", report, style, containers.gzip(xml))
    html = ('<div style="font-family:sans-serif">DMARC aggregate report for mail received between 2026-10-30 00:00 and '
            "2026-10-31 00:00 UTC. This mailbox is not read.</div>")
    file = name("enterprise.protection.outlook.com", EXCLUSIVE, "xml.gz")
    inner = mailform.multipart_part("_av_5f0c2b9e", [mailform.part(["Content-Type: text/html; charset=us-ascii",
                                                                   "Content-Transfer-Encoding: base64"],
                                                                  mailform.base64_lines(html.encode()))], "alternative")
    attached = mailform.part(["Content-Type: application/gzip", "Content-Transfer-Encoding: base64",
                              "Content-ID: <0e7b5a3c-1f7d-4a9b-9f35-0d6cbd1b7a11>", f"Content-Description: {file}",
                              f'Content-Disposition: attachment; filename="{file}"'], mailform.base64_lines(containers.gzip(xml)))
    subject = mailform.base64_lines(f"[Preview] Report Domain: {DOMAIN} Submitter: enterprise.protection.outlook.com "
                                    f"Report-ID: {report.id}".encode()).replace("\n", "")
    headers = mailform.top('"DMARC Aggregate Report" <dmarcreport@microsoft.com>', f"=?utf-8?B?{subject}?=", EXCLUSIVE + 9 * 3600,
                           "1f2b8c77d9f04a05a1e4@notification.microsoft.com")
    mail("microsoft-enterprise-outlook-mail", report, style,
         mailform.multipart(headers, "_mpm_5f0c2b9e", [inner, attached], preamble="This is a multi-part message in MIME format.\n"),
         "body-beside-report", "odd-subject")

    # Microsoft, for consumers.
    report = Report("Outlook.com", "dmarcreport@microsoft.com", "b80d3c1fa2e947d6a5d0fce16bb7e904", BEGIN, EXCLUSIVE, DOMAIN,
                    rows(envelope=True, recipient="outlook.com", scope=True), policy=policy(fo="0"))
    sample("microsoft-outlook.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # Yahoo: a tab at the end of every line, neither version nor sp.
    style = Style(declaration='<?xml version="1.0"?>', after_declaration="\t\n", line_end="\t\n", signature=("domain", "selector", "result"),
                  check=("domain", "result"))
    report = Report("Yahoo", "dmarchelp@yahooinc.com", "1793421016.482615", BEGIN, INCLUSIVE, DOMAIN, rows(), policy=policy(sp=None),
                    version=None)
    xml = write(report, style).encode()
    sample("yahoo.xml.gz", report, style, containers.gzip(xml))
    file = name("yahoo.com", INCLUSIVE, "xml.gz")
    headers = mailform.top("noreply@dmarc.yahoo.com", f"Report Domain: {DOMAIN} Submitter: yahoo.com Report-ID: <{report.id}>",
                           EXCLUSIVE + 2 * 3600, "1793421037.71190@dmarc.yahoo.com")
    body = mailform.part(["Content-Disposition: inline", "Content-Transfer-Encoding: binary", "Content-Type: text/plain"],
                         "Attached: the aggregate report for your domain.\n")
    attached = mailform.part([f'Content-Disposition: attachment; filename="{file}"', "Content-Transfer-Encoding: base64",
                              f'Content-Type: application/gzip; name="{file}"'], mailform.base64_lines(containers.gzip(xml)))
    mail("yahoo-mail", report, style, mailform.multipart(headers, "_----------=_179342103771190", [body, attached]))

    # Mail.Ru: everything on one line, single quotes in the declaration, semicolons in the Subject, text part in base64.
    style = Style(declaration="<?xml version='1.0' encoding='utf-8'?>", after_declaration="", indent=None)
    report = Report("Mail.Ru", "dmarc_support@corp.mail.ru", "51870219936025418881793318400", BEGIN, EXCLUSIVE, DOMAIN,
                    rows(scope=True, spoof="reject"), contact="http://help.mail.ru/mail-help", policy=policy("reject"), version=None)
    xml = write(report, style).encode()
    sample("mail-ru.xml.gz", report, style, containers.gzip(xml))
    file = name("mail.ru", EXCLUSIVE, "xml.gz")
    headers = mailform.top("dmarc_support@corp.mail.ru", f"Report Domain: {DOMAIN}; Submitter: Mail.Ru;\n Report-ID: {report.id}",
                           EXCLUSIVE + 33 * 60, "dmarc-1793406780@corp.mail.ru")
    body = mailform.part(['Content-Type: text/plain; charset="utf-8"', "MIME-Version: 1.0", "Content-Transfer-Encoding: base64"],
                         mailform.base64_lines("Отчёт DMARC / DMARC report\n".encode()))
    attached = mailform.part(["Content-Type: application/gzip", "MIME-Version: 1.0", "Content-Transfer-Encoding: base64",
                              f'Content-Disposition: attachment;\n filename="{file}"'], mailform.base64_lines(containers.gzip(xml)))
    mail("mail-ru-mail", report, style, mailform.multipart(headers, "===============5187021993602541888==", [body, attached]), "odd-subject")

    # Comcast: tabs, an id with its own date, application/x-gzip.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', indent="\t", identifiers=("header_from", "envelope_from"),
                  signature=("domain", "result", "selector"))
    report = Report("comcast.net", "dmarc-admin@alerts.comcast.net", f"v2-1793421584-{DOMAIN}", BEGIN, EXCLUSIVE, DOMAIN,
                    rows(envelope=True, scope=True), policy=policy(fo="0"))
    xml = write(report, style).encode()
    sample("comcast.xml.gz", report, style, containers.gzip(xml))
    headers = mailform.top("dmarc-admin@alerts.comcast.net", f"Report Domain: {DOMAIN} Submitter: comcast.net Report-ID: <{report.id}>",
                           EXCLUSIVE + 5 * 3600, "20261031051500.8812@alerts.comcast.net")
    mail("comcast-mail", report, style, mailform.multipart(headers, "comcast-dmarc-8812", [
        mailform.text("Aggregate report attached.\n"),
        mailform.attachment(name("comcast.net", EXCLUSIVE, "xml.gz"), "application/x-gzip", containers.gzip(xml))]), "odd-media-type")

    # Fastmail: tabs, alignment modes left out, a human result each, plain XML is shown inline in its mails.
    style = Style(declaration='<?xml version="1.0"?>', indent="\t")
    report = Report("Fastmail Pty Ltd", "reports@fastmaildmarc.com", "2187340915", BEGIN, INCLUSIVE, DOMAIN,
                    rows(envelope=True, scope=True, human={"pass": "pass"}), contact="https://fastmail.com/",
                    policy=policy("quarantine", adkim=None, aspf=None, fo="0"))
    report.records[-1] = Record("203.0.113.14", 2, "fail", "fail", [Signature(DOMAIN, "fail", "mail2026", "body hash did not verify")],
                                [SPF("lijst.example", "pass", "mfrom")], "none",
                                [("mailing_list", "Policy ignored due to local mailing list policy")], envelope_from="lijst.example")
    xml = write(report, style).encode()
    sample("fastmail.xml.gz", report, style, containers.gzip(xml))
    headers = mailform.top('"Fastmail DMARC" <reports@fastmaildmarc.com>', f"Report Domain: {DOMAIN} Submitter: fastmail.com Report-ID: <{report.id}>",
                           EXCLUSIVE + 4 * 3600, f"{report.id}@fastmaildmarc.com")
    mail("fastmail-mail", report, style, mailform.multipart(headers, "fm-2187340915", [
        mailform.text("This is a DMARC aggregate report for your domain.\n"),
        mailform.attachment(name("fastmail.com", INCLUSIVE, "xml.gz"), "application/gzip", containers.gzip(xml), disposition="inline")]))

    # Amazon SES: version 0.1, no selectors, octet-stream with a name in RFC 2231 pieces, a Subject of its own making.
    style = Style(declaration='<?xml version="1.0"?>', indent="\t", signature=("domain", "result"), check=("domain", "result"))
    report = Report("AMAZON-SES", "postmaster@amazonses.com", "c7f0a3c2-53f9-4e0a-9e6d-2b84f0a7d915", BEGIN, EXCLUSIVE, DOMAIN,
                    rows(envelope=True, selector=False), policy=policy(fo="0"), version="0.1")
    report.records[2].signatures.append(Signature("amazonses.com", "pass"))
    xml = write(report, style).encode()
    sample("amazon-ses.xml.gz", report, style, containers.gzip(xml))
    file = name("amazonses.com", EXCLUSIVE, "xml.gz")
    cut = len(file) - 3
    headers = mailform.top("postmaster@amazonses.com", f"Dmarc Aggregate Report Domain: {{{DOMAIN}}}  Submitter: {{Amazon SES}}\n"
                           "  Date: {2026-10-30}  Report-ID:\n {9f2cb9c4-0c59-4c5d-8b67-5c3a0e4e6d01}", EXCLUSIVE + 6 * 3600,
                           "0101019a3b7c-dmarc-report@us-west-2.amazonses.com")
    attached = mailform.part([f"Content-Type: application/octet-stream;\n name*0={file[:cut]};\n name*1={file[cut:]}",
                              "Content-Transfer-Encoding: base64",
                              f"Content-Disposition: attachment;\n filename*0={file[:cut]};\n filename*1={file[cut:]}"],
                             mailform.base64_lines(containers.gzip(xml)))
    mail("amazon-ses-mail", report, style, mailform.multipart(headers, "----=_Part_55310_1793422000", [
        mailform.text("This MIME email was sent through Amazon SES.\n"), attached]), "generic-media-type", "odd-subject")

    # GMX and WEB.DE: the namespace of the newer form, discovery_method and testing, three blanks.
    style = Style(root='xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', indent="   ", identifiers=("envelope_from", "header_from"))
    for file, org, email, page, report_id in (
            ("gmx", "GMX", "noreply-dmarc@sicher.gmx.net", "https://postmaster.gmx.net/en/case?c=r2002", "8d5b03e4f1c74f0aa1f69c2bd7e35a10"),
            ("web-de", "WEB.DE", "noreply-dmarc@sicher.web.de", "https://postmaster.web.de/en/case?c=r2002", "41c6d0be97a34c55b0e2f48a6dd1907c")):
        tags = dict(discovery_method="psl", adkim="r", aspf="r", p="quarantine", sp="quarantine", testing="n")
        report = Report(org, email, report_id, BEGIN, INCLUSIVE, DOMAIN, rows(envelope=True, scope=True, spoof="quarantine"), contact=page,
                        policy=tags)
        sample(f"{file}.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # Mimecast: standalone declaration, empty human results, an id of 64 hex digits; a ZIP sent as application/gzip, without multipart.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" standalone="yes"?>', self_close=True, check=("domain", "result"))
    report = Report("Mimecast", "no-reply@eu-1.mimecastreport.com", "7e1f0c59b4a3d2286f9ce0175bd84a6310f2c7e895ab3d4160c8e72f9b5da034",
                    BEGIN, INCLUSIVE, DOMAIN, rows(human={"pass": ""}), contact="https://community.mimecast.com/s/knowledge", version=None)
    xml = write(report, style).encode()
    sample("mimecast.xml.gz", report, style, containers.gzip(xml))
    file = name("mimecast.org", INCLUSIVE, "xml.gz")
    headers = mailform.top("no-reply@eu-1.mimecastreport.com", f"Report Domain: {DOMAIN} Submitter: mimecast.org Report-ID: <{report.id}>",
                           EXCLUSIVE + 7 * 3600, "0c59b4a3d2286f9c@eu-1.mimecastreport.com")
    headers += [f'Content-Type: application/gzip; name="{file[:-7]}.zip"', "Content-Transfer-Encoding: base64",
                f'Content-Disposition: attachment; filename="{file[:-7]}.zip"']
    mail("mimecast-mail", report, style,
         mailform.part(headers, mailform.base64_lines(containers.zip([(file[:-3], xml)])) + "\n"), "odd-media-type", "mislabelled-container")

    # Cisco gateway: a window from one delivery run to the next, an id like a Message-ID, sp without value, empty contact.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', identifiers=("header_from", "envelope_from"))
    begin = utc("2026-10-30 05:00") + 3
    report = Report("esa1.gateway.example", "MAILER-DAEMON@esa1.gateway.example", "fa4021$e474a76=2bc4aad17849540c@esa1.gateway.example",
                    begin, begin + DAY + 8, DOMAIN, rows(envelope=True, scope=True), contact="", policy=policy(sp=""))
    sample("cisco.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # Zoho: four blanks, result before domain, an SPF domain without value for the null sender.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" standalone="no"?>', indent="    ",
                  signature=("result", "domain", "selector"), check=("domain", "result", "scope"))
    report = Report("zoho.com", "noreply-dmarc@zoho.com", "2b7e62da-8a0f-4b07-9a31-3c1f3f8b6e57", BEGIN, EXCLUSIVE, DOMAIN, rows(scope=True),
                    contact="https://www.zoho.com/mail/help/adminconsole/dmarc-policy.html", policy=policy(fo="0"))
    report.records.append(Record(OWN, 1, "pass", "fail", [Signature(DOMAIN, "pass", "mail2026")], [SPF("", "none", "helo")]))
    sample("zoho.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # OpenDMARC: one record a message, SPF before DKIM, an ARC result written on every row, id of domain and time, a mail of its own host.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', indent="    ", auth=("spf", "dkim"))
    begin = utc("2026-10-30 04:00") + 7
    one = Record(OWN, 1, "pass", "pass", [Signature(DOMAIN, "pass", "mail2026")], [SPF(DOMAIN, "pass")],
                 reasons=[("local_policy", "arc=fail")])
    two = Record(FORWARDER, 1, "pass", "fail", [Signature(DOMAIN, "pass", "mail2026")], [SPF(DOMAIN, "fail")],
                 reasons=[("local_policy", "arc=fail")])
    report = Report("mx.vereniging.example", "postmaster@mx.vereniging.example", f"{DOMAIN}.{begin}.{begin + DAY}", begin, begin + DAY, DOMAIN,
                    [one, one, two], version=None)
    xml = write(report, style).encode()
    sample("opendmarc.xml", report, style, xml, "plain-attachment")
    file = f"mx.vereniging.example!{DOMAIN}!{begin}!{begin + DAY}.xml.gz"
    headers = mailform.top("postmaster@mx.vereniging.example", f"Report Domain: {DOMAIN} Submitter: mx.vereniging.example Report-ID: <{report.id}>",
                           begin + DAY + 60, f"{DOMAIN}-1793419267@mx.vereniging.example")
    mail("opendmarc-mail", report, style, mailform.multipart(headers, "report_section", [
        mailform.text(f"This is a DMARC aggregate report for {DOMAIN}, made by the mail host mx.vereniging.example.\n"),
        mailform.attachment(file, "application/gzip", containers.gzip(xml))]))

    # rspamd: tabs, one row per source and result, selector given, no envelope_from, no version.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8"?>', indent="\t", check=("domain", "result"))
    report = Report("mailhost.example", "dmarc-report@mailhost.example", f"{DOMAIN}.1793318400.1793404799.rspamd", BEGIN, INCLUSIVE, DOMAIN,
                    rows(), version=None)
    report.records[3].reasons = [("trusted_forwarder", "whitelisted")]
    sample("rspamd.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # Seznam: a Czech portal; complete in every element the older standard asks for.
    style = Style(declaration='<?xml version="1.0" encoding="utf-8"?>', indent="  ")
    report = Report("seznam.cz a.s.", "abuse@seznam.cz", "93b1c4d2e0a8475f", BEGIN, INCLUSIVE, DOMAIN,
                    rows(envelope=True, recipient="seznam.cz", scope=True), contact="https://www.seznam.cz", policy=policy(fo="0"))
    sample("seznam.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # A report by the letter of RFC 9990: its namespace, disposition pass, np, testing, discovery_method, generator, an extension.
    style = Style(root='xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:score="https://voorbeeldpost.example/ns/score"', policy=("domain", "p", "sp", "np", "adkim", "aspf", "testing", "discovery_method", "fo"),
                  identifiers=("envelope_from", "header_from"))
    report = Report("Voorbeeld Post", "dmarc@voorbeeldpost.example", "q7n2xk4d81@voorbeeldpost.example", BEGIN, INCLUSIVE, DOMAIN,
                    rows(envelope=True), contact="https://voorbeeldpost.example/dmarc",
                    policy=dict(p="quarantine", sp="quarantine", np="reject", adkim="r", aspf="r", testing="n", discovery_method="treewalk", fo="1"),
                    generator="Voorbeeld DMARC Reporter 3.1",
                    extension='<extension>\n    <score:summary>clean</score:summary>\n  </extension>')
    for record in report.records[:4]:
        record.disposition = "pass"
    report.records[-1].disposition = "none"
    report.records[-1].signatures = [Signature(DOMAIN, "fail", "mail2026", "no key for signature")]
    report.records[-1].checks = []
    report.records[-1].envelope_from = None
    report.records[-1].reasons = [("local_policy", "small number of messages")]
    xml = write(report, style).encode()
    sample("rfc9990.xml", report, style, xml, "plain-attachment")
    headers = mailform.top("dmarc@voorbeeldpost.example", f"Report Domain: {DOMAIN} Submitter: voorbeeldpost.example Report-ID: <{report.id}>",
                           EXCLUSIVE + 900, report.id)
    mail("rfc9990-mail", report, style, mailform.multipart(headers, "rfc9990-q7n2xk4d81", [
        mailform.attachment(name("voorbeeldpost.example", INCLUSIVE, "xml.gz"), "application/gzip", containers.gzip(xml))]))

    # A Dutch access provider: folded Subject, an id with the host's name, bulk headers.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8"?>', indent="  ", metadata=(
        "org_name", "email", "extra_contact_info", "report_id", "date_range"))
    report = Report("provider.example", "noreply@dmarc-reports.provider.example", "provider.example.1793408423.7714205@dmarc-reports.provider.example",
                    BEGIN, INCLUSIVE, DOMAIN, rows(envelope=True, scope=True), contact="https://provider.example/postmaster",
                    policy=policy(fo="0"))
    xml = write(report, style).encode()
    sample("dutch-provider.xml.gz", report, style, containers.gzip(xml))
    headers = mailform.top("noreply@dmarc-reports.provider.example",
                           f"Report Domain: {DOMAIN}\n    Submitter: provider.example\n    Report-ID: <{report.id}>", EXCLUSIVE + 4000, report.id,
                           ["X-Auto-Response-Suppress: OOF", "Precedence: bulk"])
    attached = mailform.part([f'Content-Type: application/gzip;\n    name="{name("provider.example", INCLUSIVE, "xml.gz", "!7714205")}"',
                              f'Content-Disposition: attachment;\n    filename="{name("provider.example", INCLUSIVE, "xml.gz", "!7714205")}"',
                              "Content-Transfer-Encoding: base64"], mailform.base64_lines(containers.gzip(xml)))
    mail("dutch-provider-mail", report, style, mailform.multipart(headers, "provider.example-1793408424-7714205", [
        mailform.part(["Content-Disposition: inline", "Content-Transfer-Encoding: 8bit", 'Content-Type: text/plain; charset="UTF-8"'],
                      "Dit is een DMARC-rapport over uw domein. Antwoorden op deze mail worden niet gelezen.\n"), attached]))

    # Mail::DMARC, as used with Exim and qpsmtpd: contact given, SPF first, result last.
    style = Style(declaration='<?xml version="1.0"?>', auth=("spf", "dkim"), identifiers=("envelope_from", "header_from"))
    report = Report("kleinehost.example", "noc@kleinehost.example", "0a9d41c67f5b4e2c8b13d7e0f6a25c94", BEGIN, INCLUSIVE, DOMAIN,
                    rows(envelope=True, scope=True), contact="https://kleinehost.example/dmarc", policy=policy(fo="0"))
    sample("mail-dmarc.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # docomo: one line, adkim before domain, SPF hardfail, dkim with result before domain.
    style = Style(declaration='<?xml version="1.0" encoding="utf-8"?>', after_declaration="", indent=None,
                  policy=("adkim", "domain", "aspf", "p", "pct", "sp"), signature=("result", "domain", "selector"), check=("domain", "result"))
    report = Report("docomo.ne.jp", "reporting@dmarc25.jp", "d4b0f7a1832c4c6e9052be71a9c3f68d", BEGIN, INCLUSIVE, DOMAIN, rows(), version=None)
    report.records[-1].checks = [SPF(DOMAIN, "hardfail")]
    sample("docomo.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # A Polish portal: no declaration, dates first, fraction in the id.
    style = Style(declaration=None, indent=None, metadata=("date_range", "org_name", "email", "extra_contact_info", "report_id"),
                  auth=("spf", "dkim"), signature=("domain", "result"), check=("domain", "result"))
    begin = utc("2026-10-29 23:00")
    report = Report("wp.pl", "dmarc-support@wp.pl", "1793443612.805517204", begin, begin + DAY, DOMAIN, rows(selector=False)[:2],
                    contact="dmarc-reports@wp.pl", version=None)
    sample("wp-pl.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # GoDaddy: a window of eleven seconds, address in angle brackets (escaped), SPF first, no selector.
    style = Style(declaration='<?xml version="1.0" encoding="UTF-8" ?>', auth=("spf", "dkim"), signature=("domain", "result"), check=("domain", "result"))
    begin = utc("2026-10-30 10:01") + 23
    report = Report("GoDaddy.com", "<dmarcreports@secureserver.net>", f"{DOMAIN}-1793447975", begin, begin + 11, DOMAIN, rows(selector=False)[:2],
                    version=None)
    sample("godaddy.xml.gz", report, style, containers.gzip(write(report, style).encode()))

    # KDDI: a reason with empty type and comment on every row, a signature without domain for unsigned mail.
    style = Style()
    begin = utc("2026-10-30 07:28") + 39
    report = Report("kddi.com", "noreply-dmarc-support@kddi.com", "20261030162839100362", begin, begin + 29_068, DOMAIN,
                    rows(envelope=True, recipient="kddi.com", scope=True)[:2], contact="https://support.kddi.com/dmarc", policy=policy(fo="0"))
    report.records.append(Record(STRANGER, 1, "fail", "fail", [Signature("", "none", "", "no signature data")],
                                 [SPF(DOMAIN, "fail", "mfrom")], envelope_from=DOMAIN, envelope_to="kddi.com"))
    for record in report.records:
        record.reasons = [("", "")]
    sample("kddi.xml.gz", report, style, containers.gzip(write(report, style).encode()))
