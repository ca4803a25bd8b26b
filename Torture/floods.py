#!/usr/bin/env python3
"""What a flood costs: reports made to cost more than they are, against the CPU and memory of the program.

    python3 Torture/floods.py --binary .build/release/dmarcstat [--count 10000] [name …]

Each flood of reports is collected at a quarter and at its full number, from an empty database: CPU must be linear in them, and at most 1 ms
a report (user and system time of all threads, from wait4). Then single mails: one of 255 parts with headers of 125 kB each stays below 64 MiB, one
of 470,000 records of which each is new is refused within what is stated. Exit 1: what did not hold is printed.
"""
import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

BEGIN = 1788480000


def record(source, count=1, name="example.nl", selector=""):
    dkim = f"<dkim><domain>{name}</domain><selector>{selector}</selector><result>fail</result></dkim>" if selector else ""
    return (
        f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim>"
        f"<spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.nl</header_from></identifiers><auth_results>{dkim}"
        f"<spf><domain>{name}</domain><result>fail</result></spf></auth_results></record>"
    )


def report(records, reporter="receiver.test", identifier="1", domain="example.nl"):
    return (
        f'<?xml version="1.0"?><feedback><report_metadata><org_name>{reporter}</org_name><email>dmarc@{reporter}</email><report_id>{identifier}'
        f"</report_id><date_range><begin>{BEGIN}</begin><end>{BEGIN + 86399}</end></date_range></report_metadata><policy_published><domain>{domain}"
        f"</domain><p>none</p></policy_published>{records}</feedback>"
    )


def mail(number, xml, sender="receiver.test", verdict="pass"):
    return (
        f"From x Thu Jan  1 00:00:00 2026\nAuthentication-Results: mx.example.nl; dmarc={verdict} header.from={sender}\nFrom: d@{sender}\n"
        f"Message-ID: <{number}@{sender}>\nDate: Fri, 4 Sep 2026 02:00:00 +0000\nContent-Type: text/xml; name=r.xml\n\n{xml}\n\n"
    )


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


# The reports of each flood, by number; and whether a mail server is trusted, so that nobody vouches for them.
FLOODS = {
    "one identity": (lambda n: mail(n, report(record(address(n)))), False),
    "no id": (lambda n: mail(n, report(record("192.0.2.1", n), identifier="")), False),
    "supersets": (lambda n: mail(n, report(record("192.0.2.1", n))), False),
    "nobody vouches": (lambda n: mail(n, report(record(address(n))), verdict="fail"), True),
    "voices": (lambda n: mail(n, report(record("192.0.2.1", n), reporter="Receiver Inc."), sender=f"v{n}.test"), False),
    "gateways": (lambda n: mail(n, report(record(address(n))), sender=f"v{n}.test"), False),
    "domains": (lambda n: mail(n, report(record("192.0.2.1"), domain=f"d{n}.example")), False),
    "reporters": (lambda n: mail(n, report(record("192.0.2.1"), reporter=f"r{n}.test"), sender=f"r{n}.test"), False),
}


class Place:
    """A database that is made anew for each run."""

    def __init__(self, binary):
        self.binary = binary
        self.path = tempfile.mkdtemp(prefix="dmarcstat-floods-")
        self.database = os.path.join(self.path, "dmarc.sqlite")

    def ingest(self, source, trusting=False):
        """CPU in seconds, peak memory in MiB, exit status, what was said."""
        for name in os.listdir(self.path):
            if name.startswith("dmarc.sqlite"):
                os.unlink(os.path.join(self.path, name))
        config = os.path.join(self.path, "config.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write('[authenticity]\ntrusted_authserv_id = "mx.example.nl"\n' if trusting else "")
        command = [self.binary, "ingest", "--config", config, "--database", self.database, "--verbose", source]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, said.strip()

    def write(self, name, content):
        path = os.path.join(self.path, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def size(self):
        return sum(os.path.getsize(os.path.join(self.path, name)) for name in os.listdir(self.path) if name.startswith("dmarc.sqlite"))


def flood(place, name, count):
    make, trusting = FLOODS[name]
    # What the program costs with one report is no matter of the flood.
    idle, _, _, _ = place.ingest(place.write("box", make(1)), trusting)
    seconds = []
    for number in (count // 4, count):
        cpu, peak, status, said = place.ingest(place.write("box", "".join(make(n) for n in range(1, number + 1))), trusting)
        if status != 0:
            return f"exit status {status}: {said}"
        seconds.append(max(cpu - idle, 0.001))
    each = seconds[1] / count * 1000
    growth = seconds[1] / seconds[0]
    print(f"{name}: {count} reports, {seconds[1]:.2f} s of CPU, {each:.3f} ms a report, {growth:.1f} times a quarter of them, {peak:.0f} MiB", flush=True)
    # Twice linear leaves room for what a cache holds and the larger one does not; the square would be 16.
    return "more than 1 ms a report" if each > 1 else "not linear" if growth > 8 else None


def digest(place):
    """A digest of 255 mails with headers of 125 kB: 2.8 GB, once."""
    part = "--b\n\n" + "X:\n" * (125_000 // 3) + "\ntext\n"
    content = "From: a@b.test\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n" + part * 255 + "--b--\n"
    _, idle, _, _ = place.ingest(place.write("small.eml", "From: a@b.test\n\ntext\n"))
    cpu, peak, status, said = place.ingest(place.write("digest.eml", content))
    # The bytes of the mail are read as a whole, which its limit bounds.
    own = peak - idle - len(content) / (1 << 20)
    print(f"digest: {len(content) >> 20} MiB of mail, {cpu:.2f} s of CPU, {peak:.0f} MiB, {own:.0f} beyond an idle program and the mail; {said}", flush=True)
    return None if status == 0 and own <= 64 and cpu <= 1.5 else "more than 64 MiB or 1.5 s"


def novelty(place):
    """470,000 records, each with a source, names and selectors of its own."""
    rows = "".join(record(address(n), 1, f"n{n}.example.test", f"s{n}") for n in range(470_000))
    content = gzip.compress(report(rows).encode(), 6)
    cpu, peak, status, said = place.ingest(place.write("new.xml.gz", content))
    grown = place.size() / (1 << 20)
    print(f"novelty: {len(content) / (1 << 20):.1f} MiB, {cpu:.1f} s of CPU, {peak:.0f} MiB, database and log {grown:.0f} MiB; {said}", flush=True)
    if status != 0 or "refused" not in said:
        return f"exit status {status}, and it is not refused"
    return None if cpu <= 10 and grown <= 150 else "more than 10 s or 150 MiB"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="which; without any, all")
    parser.add_argument("--binary", default=".build/release/dmarcstat")
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args()
    place = Place(os.path.abspath(options.binary))
    failed = 0
    try:
        cases = {name: (lambda name=name: flood(place, name, options.count)) for name in FLOODS}
        cases |= {"digest": lambda: digest(place), "novelty": lambda: novelty(place)}
        for name in options.names or cases:
            wrong = cases[name]()
            if wrong:
                failed += 1
                print(f"{name}: FAILED: {wrong}", flush=True)
    finally:
        shutil.rmtree(place.path, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
