#!/usr/bin/env python3
"""Measures dmarcstat against a fixed yardstick and against the right answers.

    make bench                              everything; a quarter of an hour the first time
    make bench BENCH_FLAGS=--quick          smaller corpora, no large database; a minute or two

The corpora, the yardstick (the same work in plain C) and the right answers come from the folder `../shared/tools`
beside the project; without it there is nothing to measure against, and this says so.

Machines and their other tenants differ, so ratios are what counts: tool and yardstick run in turn (A B A B ...),
and the median of the ratios of neighbours is printed with their spread. A corpus whose totals come out wrong gets
no figures at all, and the exit code is 1. Everything is kept in $BENCH_DIR (default /tmp/dmarcstat-bench), so that
a second run starts at once. At the end of each corpus one line of JSON says the same for programs.
"""
import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys

import imap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(os.path.dirname(ROOT), "shared", "tools")
WORK = os.environ.get("BENCH_DIR", "/tmp/dmarcstat-bench")
# Holds every corpus; not longer, because `trend` answers with every day of the period.
ALL_DAYS = ["--since", "2024-07-01", "--until", "2026-07-01"]

# Runs one command and reports its own use. A process of its own, because the peak memory of a child includes what
# its parent held at the fork: this one is a few megabytes, while a parent that has read truth.json is not.
MEASURE = r"""
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
start = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
_, status, use = os.wait4(child, 0)
wall = time.perf_counter() - start
print(os.waitstatus_to_exitcode(status), use.ru_utime + use.ru_stime, wall, use.ru_maxrss)
"""


class Run:
    """One finished command: exit code, CPU and wall seconds, peak memory in KiB, standard output."""

    def __init__(self, command):
        output = os.path.join(WORK, "stdout")
        measured = subprocess.run([sys.executable, "-S", "-I", "-c", MEASURE, output] + command, stdout=subprocess.PIPE, check=True, text=True)
        code, cpu, wall, peak = measured.stdout.split()
        self.code, self.cpu, self.wall, self.peak = int(code), float(cpu), float(wall), int(peak)
        with open(output, encoding="utf-8", errors="replace") as file:
            self.stdout = file.read()
        if self.code != 0:
            sys.exit("bench: exit code %d: %s" % (self.code, " ".join(command)))


def note(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def remove_database(path):
    for suffix in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)


def database_bytes(path):
    return sum(os.path.getsize(path + s) for s in ("", "-wal") if os.path.exists(path + s))


def corpus(name, arguments):
    """Folder of a corpus, made when it is not there yet or was made with other arguments."""
    folder = os.path.join(WORK, name)
    stamp = os.path.join(folder, "arguments")
    wanted = " ".join(arguments)
    if not (os.path.exists(stamp) and open(stamp).read() == wanted):
        note("making corpus %s (%s)" % (name, wanted))
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, os.path.join(TOOLS, "gen_corpus.py"), "--out", folder] + arguments, check=True, stdout=subprocess.DEVNULL)
        with open(stamp, "w") as file:
            file.write(wanted)
    return folder


def yardstick():
    """The compiled yardstick."""
    source, binary = os.path.join(TOOLS, "floor.c"), os.path.join(WORK, "floor")
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libxml-2.0"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        subprocess.run(
            ["gcc", "-O2", "-w", "-o", binary, source] + flags + ["-lexpat", "-lz", "-ldeflate", "-lsqlite3", "-lpthread"], check=True)
    return binary


def wrong_totals(binary, database, folder):
    """What in the database differs from truth.json, as lines of text."""
    with open(os.path.join(folder, "truth.json")) as file:
        truth = json.load(file)
    answer = Run([binary, "summary", "--database", database] + ALL_DAYS + ["--format", "json"])
    found = {row["domain"]: row for row in json.loads(answer.stdout)["rows"]}
    wrong = ["%s: not in the summary" % d for d in truth["domains"] if d not in found]
    wrong += ["%s: should not be in the summary" % d for d in found if d not in truth["domains"]]
    for domain, right in truth["domains"].items():
        row = found.get(domain)
        if row is None:
            continue
        disposed = right["dispositions"]
        expected = dict(
            reports=right["reports"], records=right["records"], messages=right["messages"], passed=right["pass_messages"],
            failed=right["messages"] - right["pass_messages"], dkim_passed=right["dkim_pass_messages"], spf_passed=right["spf_pass_messages"],
            none=disposed.get("none", 0), quarantined=disposed.get("quarantine", 0), rejected=disposed.get("reject", 0))
        wrong += ["%s: %s is %s, should be %d" % (domain, key, row.get(key), value) for key, value in expected.items() if row.get(key) != value]
    return wrong, truth["total"]


def spread(values, digits=2):
    return "%.*f (%.*f to %.*f)" % (digits, statistics.median(values), digits, min(values), digits, max(values))


def measure_corpus(name, folder, binary, floor, pairs, one_record):
    """Prints the figures of one corpus; -> whether its totals were right."""
    maildir, database = os.path.join(folder, "maildir"), os.path.join(WORK, "run.sqlite")
    ingest = [binary, "ingest", "--database", database, maildir, "--format", "json"]
    remove_database(database)
    Run(ingest)
    wrong, total = wrong_totals(binary, database, folder)
    if wrong:
        print("%s: TOTALS ARE WRONG, so no figures" % name)
        for line in wrong[:10]:
            print("    " + line)
        print(json.dumps(dict(corpus=name, totals_right=False, wrong=len(wrong))), flush=True)
        return False

    records = total["records"]
    tool, single, threaded = [], [], []
    for _ in range(pairs):
        remove_database(database)
        tool.append(Run(ingest))
        for mode, runs in (("push+n23", single), ("push+Tn23", threaded)):
            other = os.path.join(WORK, "floor.sqlite")
            remove_database(other)
            runs.append(Run([floor, mode, maildir, other]))
    size = database_bytes(database)
    again = [Run(ingest).wall for _ in range(3)]

    cpu = [a.cpu / b.cpu for a, b in zip(tool, single)]
    wall = [a.wall / b.wall for a, b in zip(tool, threaded)]
    peak = max(run.peak for run in tool) / 1024
    per_record = statistics.median(run.cpu for run in tool) / records * 1e6
    floor_per_record = statistics.median(run.cpu for run in single) / records * 1e6
    print("%s: %d reports, %d records, %.1f MB of XML; %d pairs" % (name, total["reports"], records, total["xml_bytes"] / 1e6, pairs))
    print("    CPU against one thread of C    %s" % spread(cpu))
    print("    wall against two threads of C  %s" % spread(wall))
    print("    CPU a record                   %.2f us (C: %.2f us)" % (per_record, floor_per_record))
    print("    peak memory                    %.1f MiB, %.1f MiB above a report of one record" % (peak, peak - one_record / 1024))
    print("    database                       %.1f bytes a record" % (size / records))
    print("    second run, nothing new        %.3f s for %d mails" % (statistics.median(again), total["files"]))
    print(json.dumps(dict(
        corpus=name, totals_right=True, reports=total["reports"], records=records, pairs=pairs,
        cpu_ratio=round(statistics.median(cpu), 3), cpu_ratio_min=round(min(cpu), 3), cpu_ratio_max=round(max(cpu), 3),
        wall_ratio=round(statistics.median(wall), 3), wall_ratio_min=round(min(wall), 3), wall_ratio_max=round(max(wall), 3),
        us_per_record=round(per_record, 3), floor_us_per_record=round(floor_per_record, 3), peak_mib=round(peak, 1),
        peak_above_one_record_mib=round(peak - one_record / 1024, 1), bytes_per_record=round(size / records, 1),
        second_run_seconds=round(statistics.median(again), 4))), flush=True)
    return True


def measure_queries(binary, folder, runs):
    """Prints the whole-process medians of the common questions on a large database; -> whether its totals were right."""
    fingerprint = hashlib.sha256(open(binary, "rb").read()).hexdigest()[:16]
    database, stamp = os.path.join(WORK, "large.sqlite"), os.path.join(WORK, "large.stamp")
    if not (os.path.exists(database) and os.path.exists(stamp) and open(stamp).read() == fingerprint):
        note("collecting the large corpus; once for each build of the binary")
        remove_database(database)
        run = Run([binary, "ingest", "--database", database, os.path.join(folder, "maildir"), "--format", "json"])
        print("large: collected in %.1f s wall, %.1f s CPU, peak memory %.1f MiB" % (run.wall, run.cpu, run.peak / 1024))
        with open(stamp, "w") as file:
            file.write(fingerprint)
    wrong, total = wrong_totals(binary, database, folder)
    if wrong:
        print("large: TOTALS ARE WRONG, so no figures\n    " + "\n    ".join(wrong[:10]))
        print(json.dumps(dict(corpus="large", totals_right=False, wrong=len(wrong))), flush=True)
        return False
    print("questions, %d records, %d runs, wall of the whole process:" % (total["records"], runs))
    line = dict(corpus="large", totals_right=True, records=total["records"], bytes_per_record=round(database_bytes(database) / total["records"], 1))
    for label, arguments in (
        ("start", ["--version"]), ("summary", ["summary"]), ("top-failures", ["top-failures", "--limit", "20"]), ("trend", ["trend"]),
        ("trend, all days", ["trend"] + ALL_DAYS), ("top-failures, all days", ["top-failures", "--limit", "20"] + ALL_DAYS),
    ):
        command = [binary] + arguments + ([] if label == "start" else ["--database", database, "--format", "json"])
        times = [Run(command).wall * 1000 for _ in range(runs)]
        print("    %-24s %s ms" % (label, spread(times, 1)))
        line[label.replace(", ", "_").replace("-", "_").replace(" ", "_") + "_ms"] = round(statistics.median(times), 2)
    print("    %.1f bytes a record" % line["bytes_per_record"])
    print(json.dumps(line), flush=True)
    return True


ONE_RECORD = """<?xml version="1.0" encoding="UTF-8"?>
<feedback><version>1.0</version><report_metadata><org_name>reporter.example</org_name><email>dmarc@reporter.example</email>
<report_id>1</report_id><date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>
<policy_published><domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf>
</policy_evaluated></row><identifiers><header_from>example.com</header_from></identifiers><auth_results><dkim><domain>example.com</domain>
<selector>s1</selector><result>pass</result></dkim><spf><domain>example.com</domain><result>pass</result></spf></auth_results></record></feedback>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(ROOT, ".build", "release", "dmarcstat"))
    parser.add_argument("--pairs", type=int, default=5, help="runs of tool and yardstick in turn (default 5)")
    parser.add_argument("--quick", action="store_true", help="smaller corpora, no large database")
    parser.add_argument("--only", choices=("small", "mixed", "huge", "large", "imap"), action="append", help="only this corpus; may be repeated")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)
    if not os.access(binary, os.X_OK):
        sys.exit("bench: %s is missing; run 'make build' first" % binary)
    if not os.path.exists(os.path.join(TOOLS, "gen_corpus.py")):
        print("bench: %s is not here, so there is nothing to measure against" % TOOLS)
        return 0
    os.makedirs(WORK, exist_ok=True)
    wanted = arguments.only or ["small", "mixed", "huge", "imap"] + ([] if arguments.quick else ["large"])
    print("host: %s, %d processors, %s" % (platform.platform(), os.cpu_count(), platform.machine()))

    floor = yardstick()
    report, database = os.path.join(WORK, "one-record.xml"), os.path.join(WORK, "one-record.sqlite")
    with open(report, "w") as file:
        file.write(ONE_RECORD)
    peaks = []
    for _ in range(3):
        remove_database(database)
        peaks.append(Run([binary, "ingest", "--database", database, report, "--format", "json"]).peak)
    one_record = statistics.median(peaks)
    print("peak memory for a report of one record: %.1f MiB" % (one_record / 1024), flush=True)

    count = "1000" if arguments.quick else "10000"
    sizes = dict(
        small=["--reports", count, "--profile", "small"], mixed=["--reports", count, "--profile", "mixed"],
        huge=["--reports", "1", "--profile", "huge"] + (["--huge-records", "50000"] if arguments.quick else []))
    right = True
    for name, how in sizes.items():
        if name in wanted:
            folder = corpus(name + ("-quick" if arguments.quick else ""), how)
            right = measure_corpus(name, folder, binary, floor, arguments.pairs, one_record) and right
    if "large" in wanted:
        how = ["--reports", "2000", "--profile", "mixed"] if arguments.quick else ["--reports", "100000", "--profile", "mixed", "--days", "730"]
        right = measure_queries(binary, corpus("large-quick" if arguments.quick else "large", how + ["--seed", "3"]), 15) and right
    if "imap" in wanted:
        right = imap.measure(binary, corpus("small" + ("-quick" if arguments.quick else ""), sizes["small"]), Run) and right
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
