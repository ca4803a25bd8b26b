"""One report in every container, and mails of every kind."""

from . import containers, mailform
from .model import DAY, SPF, Record, Report, Signature, Style, deviations, utc, write
from .output import expect, not_a_report, put, stored

DOMAIN = "stichting.example"
BEGIN = utc("2026-10-27")
END = BEGIN + DAY - 1
RECEIVER = "ontvanger.example"
STYLE = Style()


def report(report_id, domain=DOMAIN, factor=1):
    own = Signature(domain, "pass", "s1")
    records = [
        Record("192.0.2.30", 20 * factor, "pass", "pass", [own], [SPF(domain, "pass", "mfrom")], envelope_from=domain),
        Record("2001:db8:30::1", 5 * factor, "pass", "pass", [own], [SPF(domain, "pass", "mfrom")], envelope_from=domain),
        Record("203.0.113.30", 4 * factor, "fail", "fail", [], [SPF("facturen.example", "pass", "mfrom")], envelope_from="facturen.example"),
    ]
    return Report("Ontvanger", f"dmarc@{RECEIVER}", report_id, BEGIN, END, domain, records, contact=f"https://{RECEIVER}/dmarc")


def xml(document):
    return write(document, STYLE).encode()


def name(suffix="xml.gz", domain=DOMAIN, unique=""):
    return f"{RECEIVER}!{domain}!{BEGIN}!{END}{unique}.{suffix}"


def build():
    build_containers()
    build_mails()


def build_containers():
    # The same report in all of them: ingested into one database, one is stored and the others are duplicates.
    one = report("container.1")
    two = report("container.2", "webwinkel.example", 3)
    data, inner = xml(one), name("xml")
    assert deviations(one, STYLE) == set()

    def sample(file, content, *codes, documents=(one,)):
        stored(f"containers/{file}", content, *[document.expected(codes) for document in documents])

    sample("plain.xml", data, "plain-attachment")
    sample("gzip.xml.gz", containers.gzip(data))
    sample("zip.zip", containers.zip([(inner, data)]))
    sample("zlib.xml.zlib", containers.zlib(data), "odd-archive")
    sample("gzip-in-gzip.xml.gz.gz", containers.gzip(containers.gzip(data)), "odd-archive")
    sample("gzip-in-zip.zip", containers.zip([(inner + ".gz", containers.gzip(data))]), "odd-archive")
    sample("zip-in-gzip.zip.gz", containers.gzip(containers.zip([(inner, data)])), "odd-archive")
    sample("zip-with-data-descriptor.zip", containers.zip_by_hand(inner, data, descriptor=True))
    sample("zip64.zip", containers.zip_by_hand(inner, data, zip64=True))
    sample("zip-with-two-reports-and-a-text.zip",
           containers.zip([(inner, data), ("leesmij.txt", b"Twee rapporten.\n"), (name("xml", "webwinkel.example"), xml(two))]),
           "odd-archive", documents=(one, two))
    sample("zip-from-a-mac.zip", containers.zip([(inner, data), ("__MACOSX/._" + inner, b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(40))]))
    sample("gzip-with-trailing-line-end.xml.gz", containers.gzip(data) + b"\r\n", "odd-archive")
    sample("gzip-of-two-members.xml.gz", containers.gzip(data[:1000]) + containers.gzip(data[1000:]), "odd-archive")
    sample("no-suffix", containers.gzip(data))
    sample("zip-named-gzip.xml.gz", containers.zip([(inner, data)]), "mislabelled-container")
    sample("gzip-named-zip.zip", containers.gzip(data), "mislabelled-container")


def build_mails():
    counter = [0]

    def parts_of(label, domain=DOMAIN):
        document = report(f"mail.{label}", domain)
        assert deviations(document, STYLE) == set()
        data = xml(document)
        headers = mailform.top(f"dmarc@{RECEIVER}", f"Report Domain: {domain} Submitter: {RECEIVER} Report-ID: <{document.id}>", END + 7200,
                               f"{document.id}@{RECEIVER}")
        return document, data, headers

    def both(file, content, *reports):
        """LF and CRLF twins with the same outcome."""
        counter[0] += 1
        stored(f"mails/{file}.lf.eml", content, *reports)
        stored(f"mails/{file}.crlf.eml", mailform.crlf(content), *reports)

    note = mailform.text("Bijgaand het DMARC-rapport over uw domein.\n")

    def wrapped(headers, *parts, subtype="mixed", boundary="=-bijlage-="):
        return mailform.multipart(headers, boundary, [note, *parts], subtype)

    # Transfer encodings.
    document, data, headers = parts_of("base64")
    both("base64", wrapped(headers, mailform.attachment(name(), "application/gzip", containers.gzip(data))), document.expected([]))
    document, data, headers = parts_of("quoted-printable")
    both("quoted-printable", wrapped(headers, mailform.attachment(name("xml"), "text/xml", data, "quoted-printable")),
         document.expected(["plain-attachment"]))
    document, data, headers = parts_of("7bit")
    both("7bit-plain-xml", wrapped(headers, mailform.attachment(name("xml"), "text/xml", data, "7bit")), document.expected(["plain-attachment"]))
    document, data, headers = parts_of("8bit")
    document.org = "Société Générique"
    both("8bit-plain-xml", wrapped(headers, mailform.attachment(name("xml"), "text/xml; charset=utf-8", xml(document), "8bit")),
         document.expected(["plain-attachment"]))

    # Names.
    document, data, headers = parts_of("rfc2231")
    file = name()
    both("rfc2231-name", wrapped(headers, mailform.part(
        ["Content-Type: application/gzip", "Content-Transfer-Encoding: base64",
         f"Content-Disposition: attachment;\n filename*0*=utf-8''{file[:20].replace('!', '%21')};\n filename*1={file[20:44]};\n filename*2=\"{file[44:]}\""],
        mailform.base64_lines(containers.gzip(data)))), document.expected([]))
    document, data, headers = parts_of("rfc2047")
    word = mailform.base64_lines(name().encode()).replace("\n", "")
    cut = len(word) // 8 * 4
    both("rfc2047-name", wrapped(headers, mailform.part(
        ["Content-Type: application/gzip", "Content-Transfer-Encoding: base64",
         f'Content-Disposition: attachment;\n filename="=?utf-8?B?{word[:cut]}?=\n =?utf-8?B?{word[cut:]}?="'],
        mailform.base64_lines(containers.gzip(data)))), document.expected([]))

    # Structures.
    document, data, headers = parts_of("forward")
    inner = wrapped(headers, mailform.attachment(name(), "application/gzip", containers.gzip(data)))
    outer = mailform.top("beheer@stichting.example", f"Fwd: Report Domain: {DOMAIN}", END + 9000, "doorgestuurd@stichting.example")
    both("forwarded-as-attachment", mailform.multipart(outer, "=-doorgestuurd-=", [
        mailform.text("Deze kwam bij ons binnen.\n"), mailform.part(["Content-Type: message/rfc822"], inner)]),
         document.expected(["forwarded-report", "odd-subject"]))
    document, data, headers = parts_of("whole-body")
    both("whole-body-zip", mailform.part(
        [*headers, f'Content-Type: application/zip; name="{name("zip")}"', "Content-Transfer-Encoding: base64",
         f'Content-Disposition: attachment; filename="{name("zip")}"'],
        mailform.base64_lines(containers.zip([(name("xml"), data)])) + "\n"), document.expected(["odd-media-type"]))
    document, data, headers = parts_of("wrong-type")
    both("wrong-media-type", wrapped(headers, mailform.attachment(name("zip"), "application/gzip", containers.zip([(name("xml"), data)]))),
         document.expected(["mislabelled-container"]))
    document, data, headers = parts_of("no-content-type")
    both("no-content-type", wrapped(headers, mailform.part(
        ["Content-Transfer-Encoding: base64", f'Content-Disposition: attachment; filename="{name()}"'], mailform.base64_lines(containers.gzip(data)))),
         document.expected(["no-content-type"]))
    document, data, headers = parts_of("misspelt")
    both("misspelt-content-type", wrapped(headers, mailform.part(
        [f'ContentType: application/gzip; name="{name()}"', "Content-Transfer-Encoding: base64",
         f'Content-Disposition: attachment; filename="{name()}"'], mailform.base64_lines(containers.gzip(data)))),
         document.expected(["no-content-type"]))
    document, data, headers = parts_of("html-first")
    both("html-body-first", mailform.multipart(headers, "=-bijlage-=", [
        mailform.text("<p>Bijgaand het DMARC-rapport.</p>\n", "html"), mailform.attachment(name(), "application/gzip", containers.gzip(data))]),
         document.expected(["body-beside-report"]))
    document, data, headers = parts_of("two-a")
    second, more, _ = parts_of("two-b", "webwinkel.example")
    both("two-reports", wrapped(headers, mailform.attachment(name(), "application/gzip", containers.gzip(data)),
                                mailform.attachment(name(domain="webwinkel.example"), "application/gzip", containers.gzip(more))),
         document.expected([]), second.expected([]))
    document, data, headers = parts_of("deep")
    both("deep-in-multiparts", mailform.multipart(headers, "=-buiten-=", [mailform.multipart_part("=-midden-=", [mailform.multipart_part("=-binnen-=", [
        note, mailform.attachment(name(), "application/gzip", containers.gzip(data))], "related")], "mixed")]), document.expected([]))
    document, data, headers = parts_of("list-footer")
    body = mailform.attachment(name(), "application/gzip", containers.gzip(data))
    both("footer-after-last-boundary", wrapped(headers, body) + b"_______________________________________________\nDeze mail is gescand.\n", document.expected([]))
    document, data, headers = parts_of("no-end")
    text = wrapped(headers, mailform.attachment(name(), "application/gzip", containers.gzip(data)))
    both("no-closing-boundary", text[:text.rindex(b"--=-bijlage-=--")], document.expected([]))

    # Not reports.
    def strangers(file, content, code):
        not_a_report(f"mails/{file}.lf.eml", content, code)
        not_a_report(f"mails/{file}.crlf.eml", mailform.crlf(content), code)

    tls = ('{"organization-name":"Ontvanger","date-range":{"start-datetime":"2026-10-27T00:00:00Z","end-datetime":"2026-10-27T23:59:59Z"},'
           f'"contact-info":"tls@{RECEIVER}","report-id":"2026-10-27T00:00:00Z_{DOMAIN}","policies":[{{"policy":{{"policy-type":"sts",'
           f'"policy-string":["version: STSv1","mode: enforce","mx: mx.{DOMAIN}","max_age: 604800"],"policy-domain":"{DOMAIN}"}},'
           '"summary":{"total-successful-session-count":18,"total-failure-session-count":0}}]}\n')
    headers = mailform.top(f"tls@{RECEIVER}", f"Report Domain: {DOMAIN} Submitter: {RECEIVER} Report-ID: <2026.10.27.tls@{RECEIVER}>", END + 7200,
                           f"2026.10.27.tls@{RECEIVER}", [f"TLS-Report-Domain: {DOMAIN}", f"TLS-Report-Submitter: {RECEIVER}"])
    strangers("tls-report", mailform.multipart(headers, "=-tls-=", [
        mailform.text("A TLS report is attached.\n"),
        mailform.attachment(f"{RECEIVER}!{DOMAIN}!{BEGIN}!{END}!001.json.gz", "application/tlsrpt+gzip", containers.gzip(tls.encode()))],
        "report", "; report-type=tlsrpt"), "tls-report")
    headers = mailform.top(f"noreply@{RECEIVER}", "FW: uw factuur", END - 30_000, f"auth-failure.1@{RECEIVER}")
    strangers("failure-report", mailform.multipart(headers, "=-arf-=", [
        mailform.text("This is an authentication failure report.\n"),
        mailform.part(["Content-Type: message/feedback-report"],
                      "Feedback-Type: auth-failure\nUser-Agent: Ontvanger/1.0\nVersion: 1\nAuth-Failure: dmarc\nIdentity-Alignment: none\n"
                      f"Original-Mail-From: <x@vreemd.example>\nArrival-Date: {mailform.date(END - 30_060)}\nSource-IP: 203.0.113.99\n"
                      f"Reported-Domain: {DOMAIN}\nDelivery-Result: reject\n"),
        mailform.part(["Content-Type: text/rfc822-headers"], f"From: administratie@{DOMAIN}\nTo: iemand@{RECEIVER}\nSubject: uw factuur\n")],
        "report", "; report-type=feedback-report"), "failure-report")
    headers = mailform.top(f"MAILER-DAEMON@{RECEIVER}", "Undelivered Mail Returned to Sender", END - 20_000, f"bounce.1@{RECEIVER}", ["Auto-Submitted: auto-replied"])
    strangers("bounce", mailform.multipart(headers, "=-dsn-=", [
        mailform.text("The mail could not be delivered to the address below.\n"),
        mailform.part(["Content-Type: message/delivery-status"],
                      f"Reporting-MTA: dns; mx.{RECEIVER}\n\nFinal-Recipient: rfc822; weg@{RECEIVER}\nAction: failed\nStatus: 5.1.1\n"),
        mailform.part(["Content-Type: text/rfc822-headers"], f"From: dmarc@example.nl\nTo: weg@{RECEIVER}\nSubject: vraag\n")],
        "report", "; report-type=delivery-status"), "bounce")
    headers = mailform.top(f"medewerker@{RECEIVER}", "Afwezig: Report Domain", END - 10_000, f"afwezig.1@{RECEIVER}",
                           ["Auto-Submitted: auto-replied", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"])
    not_a_report("mails/auto-reply.eml", mailform.part(headers, "Ik ben er maandag weer.\n"), "not-a-report-mail")
    headers = mailform.top("lezer@example.com", "Vraag over een mail van jullie", END - 5_000, "vraag.1@example.com",
                           ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"])
    strangers("note-from-a-person", mailform.part(headers, "Goedendag,\n\nIk kreeg een mail uit jullie naam, klopt die?\n\nGroet\n"), "not-a-report-mail")
    headers = mailform.top("reclame@example.com", "Onze folder", END - 4_000, "folder.1@example.com")
    not_a_report("mails/other-attachment.eml", mailform.multipart(headers, "=-folder-=", [
        mailform.text("Zie de bijlage.\n"), mailform.attachment("folder.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")]), "other-attachment")
