"""Signals to stop, clocks that jump, and the same thing two thousand times."""
import os
import shutil
import signal
import subprocess
import time

from world import Failed, Skipped, finish, run, start, words

# Repeated questions of a user, one of each kind.
QUESTIONS = (["summary"], ["top-failures"], ["trend", "--by", "week"], ["sources"], ["refused"], ["status"])


def stop(world, options):
    """SIGTERM and SIGINT: at once where nothing comes, without half a message, and 75 with what to do next."""
    golden = world.golden
    terms = min(20, options.cycles)
    for number in (signal.SIGTERM, signal.SIGINT)[:1 if terms < 20 else 2]:
        for kind in ("standard input", "pipe without a writer", "pipe with half a mail"):
            room = world.room()
            pipe = os.path.join(room.path, "pipe")
            os.mkfifo(pipe)
            writer = None
            if kind == "standard input":
                command, given = room.ingest_command()[:-1] + ["-"], subprocess.PIPE
            else:
                command, given = room.ingest_command()[:-1] + [pipe], subprocess.DEVNULL
            process = start(command, stdin=given)
            if kind == "pipe with half a mail":
                writer = os.open(pipe, os.O_WRONLY)
                os.write(writer, b"From: a@example.test\nSubject: half a mail\n\n<feedback>")
            wait_until(lambda: listens(process), process, kind)
            time.sleep(0.5)
            # While it waits, nobody else does.
            if os.path.exists(room.database + ".lock"):
                raise Failed(f"{kind}: the database is locked before anything came")
            process.send_signal(number)
            begin = time.monotonic()
            if given is subprocess.PIPE:
                # The end of input would end the run by itself.
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise Failed(f"{kind}, {number.name}: it did not end") from None
            result = finish(process)
            if writer is not None:
                os.close(writer)
            check_stopped(result, f"{kind}, {number.name}")
            if time.monotonic() - begin > 30:
                raise Failed(f"{kind}: {time.monotonic() - begin:.0f} s to stop")
            room.finish(golden, f"{kind}, {number.name}")
            world.clear(room)
    # In the middle of a mailbox: what was begun is finished, the rest is for the next run.
    early = 0
    for delay in range(terms):
        room = world.room()
        process = start([*room.ingest_command(), "--workers", "1"])
        wait_until(lambda: os.path.exists(room.database + ".lock"), process, "a mailbox")
        time.sleep(delay * 0.01)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        result = finish(process)
        if result.returncode == 75:
            check_stopped(result, "a mailbox")
            early += 1
        # Before it listens, the signal ends it as any program; nothing was begun.
        elif result.returncode not in (0, -signal.SIGTERM):
            raise Failed(f"SIGTERM in a mailbox: exit status {result.returncode}\n{words(result)}")
        room.finish(golden, f"SIGTERM after {delay * 10} ms")
        world.clear(room)
    return f"three kinds of waiting end at once; {early} of {terms} runs of a mailbox ended early and were completed"


def check_stopped(result, what):
    said = result.stderr.decode(errors="replace")
    if result.returncode != 75 or "Next:" not in said:
        raise Failed(f"{what}: exit status {result.returncode}, expected 75 and what to do next: {said!r}")


def listens(process):
    """Whether SIGTERM is caught by now (proc(5), SigCgt)."""
    try:
        with open(f"/proc/{process.pid}/status") as file:
            caught = next(line.split()[1] for line in file if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return False
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def wait_until(condition, process, what):
    end = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise Failed(f"{what}: it never came to waiting\n{words(finish(process))}")
        time.sleep(0.01)


def clock(world, options):
    """Other clocks, also between two runs, change nothing that is counted."""
    faketime = shutil.which("faketime")
    if not faketime:
        raise Skipped("faketime is not installed")
    golden = world.golden
    # The last two are a second before Europe changes to and from summer time, when all reports are of the past. In UTC: 02:30 in Amsterdam is no time
    # on the one day, and two on the other.
    times = ["2038-01-20 03:14:08 UTC", "2001-01-01 00:00:00 UTC", "2027-03-28 00:59:59 UTC", "2027-10-31 00:59:59 UTC"]
    for zone in ("UTC", "Europe/Amsterdam", "Pacific/Kiritimati"):
        for number, moment in enumerate(times):
            room = world.room()
            result = room.ingest([faketime, moment], environment={"TZ": zone})
            # In 2001 all of these reports would be of the future, and refused for good: the clock is not believed, and nothing is touched.
            expected = 75 if number == 1 else 0
            if result.returncode != expected:
                raise Failed(f"at {moment}, in {zone}: exit status {result.returncode}, expected {expected}\n{words(result)}")
            if expected == 0:
                # The present is before that run: which of the two clocks is right, a person says.
                again = room.ingest()
                if again.returncode != 75 or "--trust-clock" not in words(again):
                    raise Failed(f"after {moment}, in {zone}: exit status {again.returncode}, expected 75\n{words(again)}")
                trusted = run([*room.ingest_command(), "--trust-clock"])
                if trusted.returncode != 0:
                    raise Failed(f"after {moment}, in {zone}, trusted: exit status {trusted.returncode}\n{words(trusted)}")
            room.finish(golden, f"at {moment}, in {zone}")
            world.clear(room)
    # Back and forth with refused mail deleted: the clock has nothing deleted.
    room = world.room()
    before = room.mailbox()
    for moment in ("2001-01-01", "2012-06-01", "2015-01-01", "2020-01-01", "2026-08-01", "2026-09-01"):
        for trust in ([], ["--trust-clock"]):
            if moment == "2001-01-01" and trust:
                continue
            result = run([faketime, f"{moment} 00:00:00 UTC", *room.ingest_command(leave=True), "--after-refused", "delete", *trust])
            if result.returncode != 75:
                raise Failed(f"at {moment}, deleting: exit status {result.returncode}, expected 75\n{words(result)}")
            # The one whose header is too large is refused at any time.
            gone = {name for name, _ in before} - {name for name, _ in room.mailbox()}
            if len(gone) > (1 if trust or moment != "2001-01-01" else 0):
                raise Failed(f"at {moment}, deleting: {sorted(gone)} are gone")
    world.clear(room)
    return f"{len(times)} moments in 3 zones; nothing deleted by a clock that is behind"


def soak(world, options):
    """Mail comes in, questions are asked, over and over: nothing grows but the data."""
    golden = world.golden
    room = world.room()
    names = sorted(os.listdir(os.path.join(room.box, "new")))
    later = os.path.join(room.path, "later")
    os.rename(os.path.join(room.box, "new"), later)
    os.mkdir(os.path.join(room.box, "new"))
    peaks, logs, files = [], [], []
    for cycle in range(options.cycles):
        due = names[cycle * len(names) // options.cycles:(cycle + 1) * len(names) // options.cycles]
        for name in due:
            os.rename(os.path.join(later, name), os.path.join(room.box, "new", name))
        result, peak = measured(room.ingest_command())
        if result.returncode != 0 or result.stderr.count(b"\n") > 1:
            raise Failed(f"cycle {cycle}: exit status {result.returncode}\n{words(result)}")
        log = room.database + "-wal"
        logs.append(os.path.getsize(log) if os.path.exists(log) else 0)
        question = QUESTIONS[cycle % len(QUESTIONS)]
        asked, _ = measured([world.binary, *question, "--database", room.database])
        if asked.returncode != 0:
            raise Failed(f"cycle {cycle}: {question[0]}: exit status {asked.returncode}\n{words(asked)}")
        peaks.append(peak)
        files.append(len(os.listdir(os.path.dirname(room.database))))
    room.must_equal({key: value for key, value in golden.items() if key != "mailbox"})
    room.check_sound()
    # By the last third all mail has not come yet, but the program's own needs are what they are: medians, so that one outlier says nothing.
    third = max(1, len(peaks) // 3)
    first, last = (sorted(part)[len(part) // 2] for part in (peaks[:third], peaks[-third:]))
    if last > first + (16 << 10):
        raise Failed(f"resident memory of an ingest grew from {first} KiB to {last} KiB")
    if max(logs) > 64 << 20:
        raise Failed(f"the log grew to {max(logs)} bytes")
    if max(files) > 4:
        raise Failed(f"{max(files)} files beside the database")
    size = os.path.getsize(room.database)
    world.clear(room)
    return (
        f"{options.cycles} cycles; peak memory of an ingest {first} KiB at first, {last} KiB at last; log at most {max(logs)} bytes;"
        f" database {size >> 10} KiB"
    )


def measured(command):
    """Runs a command; its result, and its peak resident memory in KiB."""
    process = start(command)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    return subprocess.CompletedProcess(command, process.returncode, output, errors), usage.ru_maxrss
