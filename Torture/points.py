"""Every call by which an ingest changes a file fails once, or is the last thing that the process does."""
import concurrent.futures
import os
import re
import shutil

from world import Failed, Skipped, run, words

# All calls of Linux that change a file or a directory, or make a change durable. Opening is not among them: it makes
# files, but dozens of others are opened before main.
CALLS = [
    "fsync", "fdatasync", "sync_file_range", "msync", "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "truncate",
    "fallocate", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "copy_file_range",
    "sendfile",
]
# A disk that is full is a reason to try again, one that fails is not.
RIGHT_STATUS = {"ENOSPC": (75,), "EIO": (74,)}
# What is being read is noted with this call, by each thread.
NOTES = "pwritev"
# Calls that give room back or need none. A full disk seldom fails them, and SQLite does not always keep the reason.
NEEDS_NO_ROOM = {"ftruncate", "unlink", "unlinkat", "rmdir"}


# Calls by which a mailbox is looked at and mail is moved in it.
LOOKING = ["openat", "newfstatat", "statx", "fstat", "getdents64", "read", "pread64", "lseek", "renameat", "renameat2"]


def require_strace():
    if not shutil.which("strace"):
        raise Skipped("strace is not installed; scripts/install-dependencies.sh --test installs it")
    traced = run(["strace", "-f", "-o", os.devnull, "-e", "trace=none", "true"])
    if traced.returncode != 0:
        raise Skipped(f"processes may not be traced here: {words(traced).strip()}")


def traced(room, calls, injection, log):
    return room.ingest(["strace", "-f", "-y", "-qq", "-o", log, "-e", "trace=" + ",".join(calls), *injection])


def survey(world):
    """Each point of an undisturbed run: a call, and which time the writer calls it, for strace counts by thread.

    Other threads only note what they read, with a call of its own; that one fails in whichever thread comes to its number first."""
    room = world.room()
    log = os.path.join(room.path, "trace")
    result = traced(room, CALLS, [], log)
    if result.returncode != 0:
        raise Failed(f"traced, a run has exit status {result.returncode}\n{words(result)}")
    threads = {}
    with open(log, errors="replace") as file:
        for line in file:
            match = re.match(r"(\d+)\s+(\w+)\(", line)
            # Threads wake each other by writing to counters that are no files.
            if match and "<anon_inode:" not in line:
                counts = threads.setdefault(match[1], {})
                counts[match[2]] = counts.get(match[2], 0) + 1
    world.clear(room)
    writers = [counts for counts in threads.values() if set(counts) - {NOTES}]
    if len(writers) != 1:
        raise Failed(f"files are changed by {len(writers)} threads; strace counts calls by thread, so points would be missed")
    counts = writers[0]
    return [(call, number) for call in CALLS for number in range(1, counts.get(call, 0) + 1)], counts


def spread(points, limit):
    """`limit` points: the first of each call, the rest at even steps."""
    if limit is None or limit >= len(points):
        return points
    first = {}
    for point in points:
        first.setdefault(point[0], point)
    chosen = set(first.values())
    step = len(points) / max(1, limit - len(chosen))
    chosen |= {points[int(index * step)] for index in range(max(0, limit - len(chosen)))}
    return [point for point in points if point in chosen]


def part_of(points, part):
    """Part 2 of 10: every tenth point, from the second on. All parts together are all points."""
    if part is None:
        return points
    which, count = part
    return points[which - 1::count]


def check(world, golden, error, call, number):
    """One point."""
    room = world.room()
    log = os.path.join(room.path, "trace")
    what = f"{error} at {call} {number}"
    # A process dies once; a disk that is full stays full.
    inject = f"inject={call}:signal=KILL:when={number}" if error == "KILL" else f"inject={call}:error={error}:when={number}+"
    result = traced(room, [call], ["-e", inject], log)
    with open(log, errors="replace") as file:
        trace = file.read()
    met = "killed by SIGKILL" in trace if error == "KILL" else "(INJECTED)" in trace
    if not met:
        raise Failed(f"{what}: the point was not met, so nothing is shown: runs differ from each other")
    if error != "KILL":
        check_ending(room, golden, error, call, what, result)
    room.finish(golden, what)
    world.clear(room)


def check_ending(room, golden, error, call, what, result):
    """The status is right, and the message names the file. 0 is right only if nothing was left undone."""
    if result.returncode == 0:
        left = [name for name, _ in room.mailbox() if name.startswith("new/")]
        if left:
            raise Failed(f"{what}: exit status 0, but {len(left)} mails are not moved\n{words(result)[:300]}")
        difference = room.difference(golden)
        if difference:
            raise Failed(f"{what}: exit status 0, but {difference}")
        return
    right = (74, 75) if call in NEEDS_NO_ROOM and error == "ENOSPC" else RIGHT_STATUS[error]
    if result.returncode not in right:
        raise Failed(f"{what}: exit status {result.returncode}, expected {right}\n{words(result)[:300]}")
    # A message that cannot be written names nothing.
    said = result.stderr.decode(errors="replace")
    if call != "write" and room.database not in said and room.box not in said:
        raise Failed(f"{what}: the message names no file: {said!r}")


def run_all(world, options):
    require_strace()
    golden = world.golden
    points, counts = survey(world)
    if options.limit is None and len(points) < 300:
        raise Failed(f"only {len(points)} points: with 50 mails there are more than 300")
    said = []
    failures = []
    for error in options.errors.split(","):
        chosen = part_of(spread(points, options.limit), options.part)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            futures = [pool.submit(check, world, golden, error, *point) for point in chosen]
            for future in futures:
                try:
                    future.result()
                except Failed as failure:
                    failures.append(str(failure))
        said.append(f"{error} {len(chosen)} of {len(points)} points")
    if failures:
        raise Failed(f"{len(failures)} of {', '.join(said)}:\n" + "\n".join(failures[:20]))
    calls = ", ".join(f"{call} {count}" for call, count in counts.items())
    return f"{'; '.join(said)}; calls: {calls}"


def stale(world, options):
    """On NFS any look at a mailbox may fail with ESTALE: what cannot be read now is left for the next run."""
    require_strace()
    golden = world.golden
    places = ["", "new", "cur"] + [os.path.join("new", name) for name in sorted(os.listdir(os.path.join(world.seedling, "new")))]
    trials = spread([(call, place) for place in places for call in LOOKING], options.limit)
    met = {}
    for call, place in trials:
        room = world.room()
        log = os.path.join(room.path, "trace")
        path = os.path.normpath(os.path.join(room.box, place))
        result = traced(room, [call], ["-P", path, "-e", f"inject={call}:error=ESTALE"], log)
        with open(log, errors="replace") as file:
            injected = "(INJECTED)" in file.read()
        what = f"ESTALE from {call} on {place or 'the mailbox'}"
        if injected:
            met[call] = met.get(call, 0) + 1
            if result.returncode != 74 or room.box not in result.stderr.decode(errors="replace"):
                raise Failed(f"{what}: exit status {result.returncode}, expected 74 and where it was\n{words(result)}")
        elif result.returncode != 0:
            raise Failed(f"{what} did not happen, and the exit status is {result.returncode}\n{words(result)}")
        # What was left behind comes last.
        room.finish(golden, what, in_any_order=True)
        world.clear(room)
    if options.limit is None and len(met) < 3:
        raise Failed(f"only {', '.join(met) or 'no call'} failed: this shows little")
    return f"{sum(met.values())} of {len(trials)} looks failed: " + ", ".join(f"{call} {count}" for call, count in sorted(met.items()))
