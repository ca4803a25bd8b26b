#!/usr/bin/env python3
"""What a run with nothing to do costs beside a ledger of half a million mails.

    python3 Torture/rest.py --binary .build/release/dmarcstat [--count 500000] [--seconds 0.3] [--mib 30]

Makes a maildir of mails that hold no report, collects it, and runs again: once with the maildir as it was, once after one more mail has come. Time is
elapsed time, memory the peak that wait4 tells. Exit 1: the run with nothing to do took more than it may, or counted otherwise.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True


def run(binary, folder):
    """Seconds, peak memory in MiB, what was said."""
    command = [binary, "ingest", "--config", os.path.join(folder, "config.toml"), "--database", os.path.join(folder, "dmarc.sqlite"), "--verbose"]
    start = time.monotonic()
    process = subprocess.Popen(command + [os.path.join(folder, "box")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"rest: exit status {process.returncode}: {said}")
    return time.monotonic() - start, usage.ru_maxrss / 1024, " ".join(said.split())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=".build/release/dmarcstat")
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--mib", type=float, default=30)
    options = parser.parse_args()
    binary = os.path.abspath(options.binary)
    folder = tempfile.mkdtemp(prefix="dmarcstat-rest-")
    try:
        open(os.path.join(folder, "config.toml"), "w").close()
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, "box", name))

        def deliver(number):
            path = os.path.join(folder, "box", "cur", f"17900{number:05d}.M{number}P4242.mail.example.nl,S=63,W=66:2,S")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"From: a@b.example\nSubject: {number}\n\nno report\n")

        for number in range(options.count):
            deliver(number)
        time.sleep(3)
        for title in ("first", "nothing to do", "nothing to do"):
            seconds, mib, said = run(binary, folder)
            print(f"{title}: {seconds:.2f} s, {mib:.0f} MiB; {said}", flush=True)
        failed = seconds > options.seconds or mib > options.mib
        deliver(options.count)
        after, peak, said = run(binary, folder)
        print(f"one more mail: {after:.2f} s, {peak:.0f} MiB; {said}", flush=True)
        return 1 if failed else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
