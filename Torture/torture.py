#!/usr/bin/env python3
"""Nothing lost, nothing counted twice: dmarcstat is killed, starved of disk and crowded, and must come out whole each time.

    python3 Torture/torture.py --binary .build/release/dmarcstat            all of it (make torture)
    python3 Torture/torture.py --binary … points --errors KILL --limit 30   a part of one scenario
    python3 Torture/torture.py --list

Exit 0: all scenarios held, or said why they could not be run here. Exit 1: what did not hold is printed. README.md has the rules.
Python 3.11 and strace; no other package.
"""
import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

import crowds
import disks
import moments
import points
import selftest
from world import Failed, Skipped, World

SCENARIOS = {
    "points": points.run_all,
    "random-kills": crowds.random_kills,
    "reader-kills": crowds.reader_kills,
    "crowd": crowds.crowd,
    "backups": crowds.backups,
    "moving": crowds.moving,
    "stale": points.stale,
    "full-disk": disks.full_disk,
    "file-limit": disks.file_limit,
    "lost-log": disks.lost_log,
    "read-only": disks.read_only,
    "stop": moments.stop,
    "clock": moments.clock,
    "soak": moments.soak,
    "self-test": selftest.run_all,
}


def part(word):
    """K/N, as two numbers."""
    which, count = (int(number) for number in word.split("/"))
    if not 1 <= which <= count:
        raise ValueError
    return which, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="which; without any, all")
    parser.add_argument("--binary", default=".build/release/dmarcstat")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--mails", type=int, default=50)
    parser.add_argument("--after", default="move:done", help="what is done with stored and with refused mail: move:done or delete")
    parser.add_argument("--after-other", default="move:other", help="what is done with mail without a report")
    parser.add_argument("--part", type=part, metavar="K/N", help="points: only the K-th of N parts of them, each ends sooner")
    parser.add_argument("--limit", type=int, help="points, stale: so many for each error, evenly spread; otherwise all")
    parser.add_argument("--errors", default="KILL,ENOSPC,EIO", help="points: what happens at each")
    parser.add_argument("--kills", type=int, default=200, help="random-kills: how many")
    parser.add_argument("--crowd", type=int, default=8, help="crowd: how many at once")
    parser.add_argument("--backups", type=int, default=200, help="backups: how many")
    parser.add_argument("--cycles", type=int, default=2000, help="soak: how many")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="points: at a time")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SCENARIOS))
        return 0
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    options.binary = os.path.abspath(options.binary)
    if not os.access(options.binary, os.X_OK):
        parser.error(f"{options.binary} is missing: run make build, or name another with --binary")
    random.seed(options.seed)
    # Whoever starts this may have blocked signals; children would inherit that, and never be ended by one.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    folder = tempfile.mkdtemp(prefix="dmarcstat-torture-")
    failed = 0
    try:
        world = World(folder, options)
        for name in options.scenarios or SCENARIOS:
            start = time.monotonic()
            try:
                said = SCENARIOS[name](world, options)
            except Skipped as reason:
                said = f"not run here: {reason}"
            except Failed as failure:
                failed += 1
                said = f"FAILED\n{failure}"
            print(f"{name}: {said} ({time.monotonic() - start:.0f} s)", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
