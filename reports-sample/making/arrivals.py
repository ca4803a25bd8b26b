"""What a real mailbox gets: mails in other forms, reports in forms that are not opened, and our own mail come back."""

import base64
import binascii
import bz2

from . import containers, mailform, packing, wrappings
from .model import deviations
from .output import expect, not_a_report, put, refused, stored
from .wrappings import BEGIN, DOMAIN, END, RECEIVER, STYLE, name, xml

OWNER = "beheer@stichting.example"


def build():
    def parts_of(label):
        document = wrappings.report(f"arrival.{label}")
        assert deviations(document, STYLE) == set()
        headers = mailform.top(f"dmarc@{RECEIVER}", f"Report Domain: {DOMAIN} Submitter: {RECEIVER} Report-ID: <{document.id}>", END + 7200,
                               f"{document.id}@{RECEIVER}")
        return document, xml(document), headers

    note = mailform.text("Bijgaand het DMARC-rapport over uw domein.\n")

    def wrapped(headers, *parts, subtype="mixed", boundary="=-bijlage-=", parameters=""):
        return mailform.multipart(headers, boundary, [note, *parts], subtype, parameters=parameters)

    def packed(data, file=None):
        return mailform.attachment(file or name(), "application/gzip", containers.gzip(data))

    def from_owner(subject, message_id, more=()):
        return mailform.top(OWNER, subject, END + 9000, message_id, more)

    # Compressed by others than gzip.
    document = wrappings.report("container.1")
    data = xml(document)
    for file, content in (("bzip2.xml.bz2", bz2.compress(data, 9)), ("xz.xml.xz", packing.xz(data)), ("zstd.xml.zst", packing.zstd(data)),
                          ("lz4.xml.lz4", packing.lz4(data)), ("bzip2-in-zip.zip", containers.zip([("r.xml.bz2", bz2.compress(data, 9))]))):
        stored(f"containers/{file}", content, document.expected(["odd-archive"] if "in-zip" not in file else ["odd-archive"]))

    # A mail as it may lie in a file.
    for label, change in (("bom", lambda mail: b"\xef\xbb\xbf" + mail), ("blank-line", lambda mail: b"\r\n\n" + mail)):
        document, data, headers = parts_of(label)
        stored(f"mails/after-{label}.eml", change(wrapped(headers, packed(data))), document.expected([]))
    for label, suffix, change in (("gzip", "gz", containers.gzip), ("bzip2", "bz2", lambda mail: bz2.compress(mail, 9)), ("xz", "xz", packing.xz),
                                  ("zstd", "zst", packing.zstd), ("lz4", "lz4", packing.lz4)):
        document, data, headers = parts_of(f"mail-in-{label}")
        stored(f"mails/mail-in-{label}.eml.{suffix}", change(mailform.crlf(wrapped(headers, packed(data)))), document.expected([]))

    # A mail attached to another, in every dress.
    for label, media, encode in (("base64", "message/rfc822", True), ("octet-stream", "application/octet-stream", True), ("text", "text/plain", True),
                                 ("plain-text", "text/plain", False)):
        document, data, headers = parts_of(f"attached-{label}")
        inner = wrapped(headers, packed(data), boundary="=-binnen-=")
        lines = [f'Content-Type: {media}; name="rapport.eml"', 'Content-Disposition: attachment; filename="rapport.eml"']
        body = mailform.base64_lines(inner) if encode else inner.decode().rstrip("\n")
        if encode:
            lines.insert(1, "Content-Transfer-Encoding: base64")
        stored(f"mails/attached-mail-{label}.eml", mailform.multipart(from_owner("FW: rapport", f"attached.{label}@stichting.example"), "=-buiten-=", [
            mailform.text("Zie bijlage.\n"), mailform.part(lines, body)]), document.expected(["forwarded-report", "odd-subject"]))
    # In uuencode, which is no transfer encoding of MIME.
    def uuencoded(content):
        lines = b"".join(binascii.b2a_uu(content[start:start + 45]) for start in range(0, len(content), 45))
        return f"begin 644 {name()}\n".encode() + lines + b"`\nend\n"

    document, data, headers = parts_of("uuencode")
    stored("mails/uuencode-in-text.eml", mailform.part([*headers, "Content-Type: text/plain"], b"Bijgaand het rapport.\n\n" + uuencoded(containers.gzip(data))),
           document.expected(["odd-media-type", "odd-file-name"]))
    document, data, headers = parts_of("uuencode-attached")
    stored("mails/uuencode-attached.eml", wrapped(headers, mailform.part(
        [f'Content-Type: application/octet-stream; name="{name()}"'], uuencoded(containers.gzip(data)))), document.expected(["generic-media-type"]))
    document, data, headers = parts_of("cr")
    stored("mails/line-ends-of-old-macs.eml", wrapped(headers, packed(data)).replace(b"\n", b"\r"), document.expected([]))

    # A mail in an archive, and mails in a folder of old.
    def whole(label):
        document, data, headers = parts_of(label)
        return document, wrapped(headers, packed(data), boundary="=-binnen-=")

    def forwarded(label, *attachments):
        return mailform.multipart(from_owner("FW: rapport", f"{label}@stichting.example"), "=-buiten-=", [mailform.text("Zie bijlage.\n"), *attachments])

    def archived(label, file, media, change):
        document, mail = whole(label)
        stored(f"mails/{label}.eml", forwarded(label, mailform.attachment(file, media, change(mail))), document.expected(["forwarded-report", "odd-subject"]))

    archived("mail-in-zip", "mails.zip", "application/zip", lambda mail: containers.zip([("leesmij.txt", b"De mail.\n"), ("rapport.eml", mail)]))
    archived("mail-in-zip-in-zip", "mails.zip", "application/zip", lambda mail: containers.zip([("in.zip", containers.zip([("rapport.eml", mail)]))]))
    archived("mail-in-gzip-in-zip", "mails.zip", "application/zip", lambda mail: containers.zip([("rapport.eml.gz", containers.gzip(mail))]))
    archived("mail-in-attached-bzip2", "rapport.eml.bz2", "application/octet-stream", lambda mail: bz2.compress(mail, 9))

    def folder(*mails):
        return b"".join(f"From dmarc@{RECEIVER} Thu Oct 29 01:00:00 2026\n".encode() + mail + b"\n" for mail in mails)

    (one, first), (two, second) = whole("folder-a"), whole("folder-b")
    question = mailform.part(mailform.top("lezer@example.com", "Vraag", END - 3000, "folder-c@example.com", ["Content-Type: text/plain"]),
                             "Klopt dit?\n\nFrom here on it is a quotation.\n")
    for label, file, media, change in (("folder-attached", "oud.mbox", "application/octet-stream", lambda box: box),
                                       ("folder-in-zip", "oud.zip", "application/zip", lambda box: containers.zip([("oud.mbox", box)]))):
        stored(f"mails/{label}.eml", forwarded(label, mailform.attachment(file, media, change(folder(first, question, second)))),
               *[document.expected(["forwarded-report", "odd-subject"]) for document in (one, two)])
    document, data, headers = parts_of("base64-twice")
    twice = base64.encodebytes(containers.gzip(data))
    stored("mails/base64-twice.eml", wrapped(headers, mailform.attachment(name(), "application/gzip", twice)), document.expected([]))

    # Signed.
    for label, sign in (("opaque", packing.signed), ("streamed", packing.signed_streamed)):
        document, data, headers = parts_of(f"smime-{label}")
        entity = mailform.crlf(mailform.multipart([], "=-in-=", [note, packed(data)]))
        stored(f"mails/smime-{label}.eml", mailform.part([
            *headers, 'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"', "Content-Transfer-Encoding: base64",
            'Content-Disposition: attachment; filename="smime.p7m"'], mailform.base64_lines(sign(entity)) + "\n"),
               document.expected(["forwarded-report"]))
    document, data, headers = parts_of("smime-textual")
    entity = mailform.crlf(mailform.multipart([], "=-in-=", [note, packed(data)]))
    stored("mails/smime-textual.eml", mailform.part(
        [*headers, 'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"'],
        "-----BEGIN PKCS7-----\n" + mailform.base64_lines(packing.signed(entity)) + "\n-----END PKCS7-----\n"), document.expected(["forwarded-report"]))
    document, data, headers = parts_of("smime-detached")
    stored("mails/smime-detached.eml", mailform.multipart(headers, "=-ondertekend-=", [
        mailform.multipart_part("=-in-=", [note, packed(data)], "mixed"),
        mailform.attachment("smime.p7s", "application/pkcs7-signature", packing.signature())], "signed",
        parameters='; protocol="application/pkcs7-signature"; micalg=sha-256'), document.expected([]))

    # Right as they come.
    document, data, headers = parts_of("apple")
    file = name("zip")
    stored("mails/forwarded-inline.eml", mailform.multipart(from_owner("Fwd: rapport", "apple@stichting.example"), "Apple-Mail=_7", [
        mailform.part(["Content-Transfer-Encoding: 7bit", "Content-Type: text/plain;\n\tcharset=us-ascii"], "\n"),
        mailform.part([f'Content-Disposition: inline;\n\tfilename*0="{file[:30]}";\n\tfilename*1="{file[30:]}"',
                       f'Content-Type: application/zip;\n\tx-unix-mode=0644;\n\tname="{file}"', "Content-Transfer-Encoding: base64"],
                      mailform.base64_lines(containers.zip([(name("xml"), data)])))]), document.expected(["odd-subject"]))
    document, data, headers = parts_of("zip-compressed")
    stored("mails/zip-compressed-type.eml", wrapped(headers, mailform.attachment(file, "application/zip-compressed", containers.zip([(name("xml"), data)]))),
           document.expected(["odd-media-type"]))
    document, data, headers = parts_of("related")
    stored("mails/multipart-related.eml", wrapped(headers, packed(data), subtype="related"), document.expected([]))
    document, data, headers = parts_of("path")
    stored("mails/path-as-name.eml", wrapped(headers, packed(data, "/var/db/opendmarc/" + name())), document.expected([]))
    png = b"\x89PNG\r\n\x1a\n" + bytes(400)
    document, data, headers = parts_of("logo")
    stored("mails/logo-beside-report.eml", wrapped(headers, mailform.attachment("logo.png", "image/png", png),
                                                   mailform.attachment("voet.bin", "application/octet-stream", bytes(range(256))), packed(data)),
           document.expected([]))
    document, data, headers = parts_of("half")
    damaged = containers.gzip(xml(wrappings.report("arrival.half-b")))[:-60]
    stored("mails/one-good-one-damaged.eml", wrapped(headers, packed(data), mailform.attachment(name(unique="!b"), "application/gzip", damaged)),
           document.expected([]))

    # Forms that are not opened: refused by name, and never "no report".
    def unopened(file, code, attachment_name, media, content, subject=None):
        document, data, headers = parts_of(file)
        if subject is not None:
            headers = from_owner(subject, f"{file}@stichting.example")
        refused(f"refused/{file}.eml", wrapped(headers, mailform.attachment(attachment_name, media, content)), code)

    data = xml(wrappings.report("arrival.unopened"))
    seven = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24) + b"no archive that is read here"
    unopened("report-in-7z", "archive-seven-zip", name("7z"), "application/x-7z-compressed", seven)
    unopened("report-in-rar", "archive-rar", "rapport.rar", "application/octet-stream", b"Rar!\x1a\x07\x01\x00" + bytes(200), "rapport van vorige week")
    unopened("report-in-lha", "archive-other", name("lzh"), "application/octet-stream", b"\x22\x42-lh5-" + bytes(200))
    unopened("winmail-dat", "tnef", "winmail.dat", "application/ms-tnef", packing.tnef(
        (1, 0x00089006, b"\x00\x00\x01\x00"), (1, 0x00078008, b"IPM.Microsoft Mail.Note\x00"), (2, 0x00069002, bytes(14)),
        (2, 0x00018010, name("zip").encode() + b"\x00"), (2, 0x0006800F, containers.zip([(name("xml"), data)]))), "FW: rapport")
    unopened("gzip-without-start", "gzip-without-start", name(), "application/gzip", containers.gzip(data)[1:])
    unopened("smime-encrypted", "encrypted-mail", "smime.p7m", "application/pkcs7-mime", packing.enveloped())
    unopened("smime-damaged", "smime-damaged", "smime.p7m", "application/pkcs7-mime", packing.signed(data)[:400])
    unopened("base64-twice-of-7z", "archive-seven-zip", name("7z"), "application/octet-stream", base64.encodebytes(seven))
    unopened("report-that-is-noise", "unknown-container", name(), "application/gzip", bytes((17 * n * n + 91 * n + 5) % 251 for n in range(600)))
    unopened("noise-in-report-mail", "unknown-container", "ATT00001", "application/octet-stream",
             bytes((17 * n * n + 91 * n + 5) % 251 for n in range(600)))
    removed = "The attachment was removed by the mail gateway because its type is not allowed.\n".encode()
    unopened("attachment-removed", "attachment-removed", name(), "text/plain", removed)
    unopened("attachment-removed-b", "attachment-removed", "DELETED0.TXT", "text/plain", removed)
    document, _, headers = parts_of("pgp")
    armour = "-----BEGIN PGP MESSAGE-----\n\nhQEMA5vJ0AAAAAAAAQf/VGhpcyBpcyBub3RoaW5n\n-----END PGP MESSAGE-----\n"
    refused("refused/pgp-encrypted.eml", mailform.multipart(headers, "=-pgp-=", [
        mailform.part(["Content-Type: application/pgp-encrypted"], "Version: 1\n"),
        mailform.part(['Content-Type: application/octet-stream; name="encrypted.asc"'], armour)], "encrypted",
        parameters='; protocol="application/pgp-encrypted"'), "encrypted-mail")
    put("refused/dovecot-lz4.eml", b"Dovecot-LZ4\x0d\x2a\x9b\xc5" + bytes([0, 1, 0, 0]) + bytes(80))
    expect("refused/dovecot-lz4.eml", {"outcome": "refused", "code": "compressed-mail", "reports": []})
    put("refused/xz-wide-window.xml.xz", packing.xz(data, dictionary=40))
    expect("refused/xz-wide-window.xml.xz", {"outcome": "refused", "code": "unpacked-too-large", "reports": []})
    refused("refused/zstd-wide-window.xml.zst", packing.zstd(b"")[:4] + b"\x00\xa8" + bytes(60), "unpacked-too-large")
    refused("refused/zip-wide-window.zip", containers.zip_by_hand("rapport.xml", data, body=b"\x09\x14\x05\x00\x5d\xff\xff\xff\xff" + bytes(60), method=14),
            "unpacked-too-large")

    unopened("encrypted-by-rights", "encrypted-mail", "message.rpmsg", "application/x-microsoft-rpmsg-message", b"\x76\xe8\x04\x60\xc4\x11\xe3\x86" + bytes(400))
    unopened("encrypted-page", "encrypted-mail", "securedoc.html", "text/html", b"<html><body>Open this page to read the message.</body></html>\n")
    unopened("report-in-binhex", "archive-other", name("hqx"), "application/mac-binhex40",
             b"(This file must be converted with BinHex 4.0)\r\n\r\n:$f*TEQKPH#jdDA*d!%\r\n:\r\n")
    document, data, headers = parts_of("elsewhere")
    refused("refused/attachment-elsewhere.eml", wrapped(headers, mailform.part(
        ['Content-Type: message/external-body; access-type=URL; URL="https://ontvanger.example/r"'],
        f'Content-Type: application/gzip; name="{name()}"\n\n')), "attachment-removed")
    document, data, headers = parts_of("pieces")
    lines = wrapped(headers, packed(data)).splitlines(True)
    for part, piece in (("", lines[:-12]), ("-b", lines[-12:])):
        refused(f"refused/partial-mail{part}.eml", mailform.part(
            [*headers, f'Content-Type: message/partial; id="1@{RECEIVER}"; number={2 if part else 1}; total=2'], b"".join(piece)), "partial-mail")
    document, data, headers = parts_of("amid")
    refused("refused/report-amid-text.eml", mailform.part([*headers, "Content-Type: text/plain; charset=utf-8"],
                                                          "Bijgaand het rapport:\n\n" + data.decode()), "unknown-container")

    # In an archive no less.
    unopened("seven-zip-in-zip", "archive-seven-zip", "rapporten.zip", "application/zip", containers.zip([("rapport.7z", seven)]))
    tar = b"rapport.xml".ljust(257, b"\x00") + b"ustar\x0000" + bytes(248) + data
    unopened("tar-in-gzip", "archive-other", "rapporten.tar.gz", "application/gzip", containers.gzip(tar + bytes(-len(tar) % 512)))
    unopened("note-in-zip", "no-report-in-archive", "mails.zip", "application/zip", containers.zip([("vraag.eml", question)]), "oude mail")

    # A person's mail stays one, whatever hangs on it.
    def persons(file, code, *attachments):
        not_a_report(f"mails/{file}.eml", mailform.multipart(mailform.top("lezer@example.com", "Vraag", END - 3000, f"{file}@example.com"), "=-vraag-=", [
            mailform.text("Kunt u hiernaar kijken?\n"), *attachments]), code)

    persons("note-with-pdf-and-picture", "other-attachment", mailform.attachment("logo.png", "image/png", png),
            mailform.attachment("brief.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n"))
    persons("note-with-winmail-dat", "other-attachment", mailform.attachment("winmail.dat", "application/ms-tnef", packing.tnef(
        (1, 0x00089006, b"\x00\x00\x01\x00"), (1, 0x00078008, b"IPM.Microsoft Mail.Note\x00"))))
    not_a_report("mails/note-in-html.eml", mailform.part(mailform.top("lezer@example.com", "Vraag", END - 3000, "html@example.com", [
        "Content-Type: text/html"]), "<!DOCTYPE html><html><body>Waar kan ik feedback geven?</body></html>\n"), "not-a-report-mail")
    persons("note-signed", "other-attachment", mailform.attachment("smime.p7s", "application/pkcs7-signature", packing.signature()))

    # Our own reports come back.
    document = wrappings.report("own.1", "groot.example")
    own = wrapped(mailform.top("dmarc@stichting.example", f"Report Domain: groot.example Submitter: stichting.example Report-ID: <{document.id}>",
                               END + 7000, "own.1@stichting.example"), packed(xml(document)), boundary="=-eigen-=")
    attached = mailform.part(["Content-Type: message/rfc822"], own)
    status = mailform.part(["Content-Type: message/delivery-status"],
                           f"Reporting-MTA: dns; mx.{RECEIVER}\n\nFinal-Recipient: rfc822; rua@groot.example\nAction: failed\nStatus: 5.1.1\n")
    sorry = mailform.text("The mail could not be delivered.\n")
    daemon = mailform.top(f"Mail Delivery System <MAILER-DAEMON@{RECEIVER}>", "Undelivered Mail Returned to Sender", END + 9000, f"dsn@{RECEIVER}",
                          ["Auto-Submitted: auto-replied"])
    postmaster = mailform.top(f"postmaster@{RECEIVER}", "Undeliverable", END + 9000, f"dsn-b@{RECEIVER}")
    null = ["Return-Path: <>"]
    cases = {
        "own-report-in-a-bounce": mailform.multipart(daemon, "=-dsn-=", [sorry, status, attached], "report", parameters="; report-type=delivery-status"),
        "own-report-in-an-untyped-bounce": mailform.multipart(postmaster, "=-dsn-=", [sorry, status, attached]),
        "own-report-from-a-mail-system": mailform.multipart(daemon, "=-dsn-=", [sorry, attached]),
        "own-report-from-nobody": mailform.multipart(null + postmaster, "=-dsn-=", [sorry, attached]),
        "own-report-in-an-encoded-bounce": mailform.multipart(daemon, "=-dsn-=", [sorry, status, mailform.part(
            ["Content-Type: message/rfc822", "Content-Transfer-Encoding: base64"], mailform.base64_lines(own))], "report",
            parameters="; report-type=delivery-status"),
        "own-report-read": mailform.multipart(postmaster, "=-mdn-=", [
            sorry, mailform.part(["Content-Type: message/disposition-notification"], "Final-Recipient: rfc822; rua@groot.example\nDisposition: x; displayed\n"),
            attached], "report", parameters="; report-type=disposition-notification"),
    }
    quoting = mailform.top(f"MAILER-DAEMON@{RECEIVER}", f"Undeliverable: Report Domain: groot.example Submitter: stichting.example Report-ID: <{document.id}>",
                           END + 9000, f"dsn-c@{RECEIVER}")
    cases["own-report-hung-on-a-bounce"] = mailform.multipart(quoting, "=-dsn-=", [sorry, packed(xml(document))])
    cases["own-report-in-a-bounce-in-zip"] = forwarded("bounce-in-zip", mailform.attachment("mails.zip", "application/zip", containers.zip(
        [("bounce.eml", cases["own-report-in-a-bounce"])])))
    for file, content in cases.items():
        not_a_report(f"mails/{file}.eml", content, "bounce")
    complaint = mailform.multipart(postmaster, "=-arf-=", [
        mailform.text("This is an abuse report.\n"),
        mailform.part(["Content-Type: message/feedback-report"], "Feedback-Type: abuse\nUser-Agent: Ontvanger/1.0\nVersion: 1\n"), attached],
        "report", parameters="; report-type=feedback-report")
    not_a_report("mails/own-report-complained-about.eml", complaint, "failure-report")
    # Many reporters send as nobody, so that nothing comes back to them: what hangs on such a mail is a report.
    document, data, headers = parts_of("nobody")
    stored("mails/report-from-nobody.eml", wrapped(null + headers + ["Auto-Submitted: auto-generated"], packed(data)), document.expected([]))
    document, data, headers = parts_of("journal")
    inner = wrapped(headers, packed(data), boundary="=-binnen-=")
    stored("mails/report-in-a-journal.eml", mailform.multipart(null + from_owner("rapport", "journal@stichting.example", ["X-MS-Journal-Report:"]), "=-journaal-=", [
        mailform.text("Sender: dmarc\n"), mailform.part(["Content-Type: message/rfc822"], inner)]), document.expected(["forwarded-report", "odd-subject"]))
