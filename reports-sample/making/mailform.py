"""Mails, written line by line: nothing is left to a library that may change its mind about folding or boundaries."""

import base64
import quopri
from datetime import datetime, timezone

TO = "dmarc@example.nl"


def date(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%a, %d %b %Y %H:%M:%S +0000")


def base64_lines(data):
    return base64.encodebytes(data).decode("ascii").rstrip("\n")


def quoted_printable(data):
    return quopri.encodestring(data).decode("ascii").rstrip("\n")


def part(headers, body):
    """One MIME part: header lines, blank line, body (str or bytes)."""
    body = body if isinstance(body, bytes) else body.encode("utf-8")
    return "".join(line + "\n" for line in headers).encode("utf-8") + b"\n" + body


def attachment(name, media_type, data, encoding="base64", disposition="attachment"):
    headers = [f'Content-Type: {media_type}; name="{name}"',
               f"Content-Transfer-Encoding: {encoding}",
               f'Content-Disposition: {disposition}; filename="{name}"']
    return part(headers, encoded(data, encoding))


def encoded(data, encoding):
    if encoding == "base64":
        return base64_lines(data)
    if encoding == "quoted-printable":
        return quoted_printable(data)
    return data.rstrip(b"\n")


def text(body, subtype="plain"):
    return part([f"Content-Type: text/{subtype}; charset=utf-8", "Content-Transfer-Encoding: 7bit"], body)


def top(sender, subject, sent, message_id, more=()):
    return [f"From: {sender}", f"To: {TO}", f"Subject: {subject}", f"Date: {date(sent)}", f"Message-ID: <{message_id}>",
            "MIME-Version: 1.0", *more]


def multipart(headers, boundary, parts, subtype="mixed", preamble=None, parameters=""):
    headers = list(headers) + [f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}']
    body = b"" if preamble is None else preamble.encode() + b"\n"
    for item in parts:
        body += b"--" + boundary.encode() + b"\n" + item + b"\n"
    return part(headers, body + b"--" + boundary.encode() + b"--\n")


def multipart_part(boundary, parts, subtype):
    """A multipart inside another."""
    return multipart([], boundary, parts, subtype)


def crlf(mail):
    assert b"\r" not in mail
    return mail.replace(b"\n", b"\r\n")
