"""Several at once: ingesters that are killed, that wait for each other, and a mail reader that moves mail under them."""
import os
import random
import signal
import sqlite3
import threading
import time

from world import Failed, finish, run, start, words


def random_kills(world, options):
    """Two ingesters on one mailbox and one database, both killed at any moment; again and again in the same room."""
    golden = world.golden
    undisturbed = duration(world)
    room = world.room()
    killed = rooms = 0
    for number in range(options.kills):
        both = [start(room.ingest_command()) for _ in range(2)]
        for process in both:
            # Most moments of a run, and some after it.
            time.sleep(random.uniform(0, undisturbed * 0.7))
            process.send_signal(signal.SIGKILL)
        ended = [finish(process) for process in both]
        killed += sum(process.returncode == -signal.SIGKILL for process in ended)
        for process in ended:
            if process.returncode not in (0, 75, -signal.SIGKILL):
                raise Failed(f"kill {number}: exit status {process.returncode}\n{words(process)}")
        # Sometimes on with what the last kill left, sometimes a clean run and a new beginning.
        if random.random() < 0.3 or number == options.kills - 1 or not any(name.startswith("new/") for name, _ in room.mailbox()):
            room.finish(golden, f"kill {number}")
            world.clear(room)
            room = world.room()
            rooms += 1
    if killed < options.kills / 2:
        raise Failed(f"only {killed} of {2 * options.kills} were killed before their end: this shows nothing")
    return f"{killed} of {2 * options.kills} ingesters killed, {rooms} times all was there afterwards"


def reader_kills(world, options):
    """The processes that read the mails are killed all the time: others read on, and no mail is blamed for it."""
    golden = world.golden
    killed = again = 0
    for number in range(max(1, options.kills // 4)):
        room = world.room()
        process = start(room.ingest_command())
        pause = random.choice((0.001, 0.005, 0.02))
        while process.poll() is None:
            for keeper in children(process.pid):
                for reader in children(keeper):
                    try:
                        os.kill(reader, signal.SIGKILL)
                        killed += 1
                    except ProcessLookupError:
                        pass
            time.sleep(random.uniform(0, pause))
        result = finish(process)
        # A mail whose reader was killed twice is left for the next run.
        if result.returncode not in (0, 74):
            raise Failed(f"run {number}: exit status {result.returncode}\n{words(result)}")
        again += result.returncode == 74
        room.finish(golden, f"run {number}", in_any_order=True)
        world.clear(room)
    if killed < 3:
        raise Failed(f"only {killed} readers were killed: this shows nothing")
    return f"{killed} readers killed in {max(1, options.kills // 4)} runs; {again} of them left some mail for the next"


def children(process):
    """The processes that a process has made (proc(5))."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def backups(world, options):
    """Copies are made all the time beside ingesters that run all the time: none fails, and each is sound and one state."""
    room = world.room()
    names = sorted(os.listdir(os.path.join(room.box, "new")))
    later = os.path.join(room.path, "later")
    os.rename(os.path.join(room.box, "new"), later)
    os.mkdir(os.path.join(room.box, "new"))
    room.ingest()
    done = threading.Event()
    failures = []
    runs = 0

    def ingest():
        nonlocal runs
        while not done.is_set():
            # The same mails over and over, each time under new names: the ledger grows with each, the reports once.
            for name in random.sample(names, min(5, len(names))):
                with open(os.path.join(later, name), "rb") as file:
                    content = file.read()
                runs += 1
                with open(os.path.join(room.box, "new", f"{1788400000 + runs}.M{runs}P2.again"), "wb") as file:
                    file.write(content)
            result = run([*room.ingest_command(leave=True), "--after", "delete", "--after-refused", "delete", "--after-other", "delete"])
            if result.returncode != 0:
                failures.append(f"an ingest: exit status {result.returncode}\n{words(result)}")
                return

    thread = threading.Thread(target=ingest)
    thread.start()
    copy = os.path.join(room.path, "copy.sqlite")
    counts = []
    try:
        for number in range(options.backups):
            result = run([world.binary, "backup", "--force", copy, "--database", room.database])
            if result.returncode != 0 or failures:
                raise Failed(f"backup {number}: exit status {result.returncode}\n{words(result)}{''.join(failures)}")
            connection = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
            counts.append(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
            connection.close()
    finally:
        done.set()
        thread.join()
    if failures:
        raise Failed(failures[0])
    if counts != sorted(counts) or len(set(counts)) < min(10, options.backups // 3):
        raise Failed(f"the copies hold {sorted(set(counts))} messages: this shows nothing")
    doctor = run([world.binary, "doctor", "--database", copy])
    if doctor.returncode != 0:
        raise Failed(f"doctor --database of the last copy: exit status {doctor.returncode}\n{words(doctor)}")
    world.clear(room)
    return f"{options.backups} copies beside {runs // 5} ingests, {len(set(counts))} different states"


def duration(world):
    """Seconds of an undisturbed run, now."""
    room = world.room()
    begin = time.monotonic()
    room.ingest()
    world.clear(room)
    return time.monotonic() - begin


def crowd(world, options):
    """Many ingesters start at once; each waits at most ten seconds for the others, then says so."""
    golden = world.golden
    room = world.room()
    begin = time.monotonic()
    # Each is watched by a thread of its own, so that one that waits for long is not hidden behind another.
    results = []

    def one():
        process = finish(start(room.ingest_command()))
        results.append((process, time.monotonic() - begin))

    threads = [threading.Thread(target=one) for _ in range(options.crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(results) != options.crowd:
        raise Failed(f"only {len(results)} of {options.crowd} ended")
    done = [process for process, _ in results if process.returncode == 0]
    for process, seconds in results:
        if process.returncode not in (0, 75):
            raise Failed(f"exit status {process.returncode}\n{words(process)}")
        if process.returncode == 75 and room.database not in process.stderr.decode():
            raise Failed(f"the message names no database: {words(process)}")
    # The wait for the lock is ten seconds; the rest is the run itself, on a machine of any speed.
    longest = max(seconds for _, seconds in results)
    alone = duration(world)
    if longest > 10 + 4 * options.crowd * max(alone, 1):
        raise Failed(f"one took {longest:.0f} s; the wait is bounded by 10 s and a run takes {alone:.1f} s")
    if not done:
        raise Failed("not one of them got through")
    room.must_equal(golden)
    room.finish(golden, "crowd")
    world.clear(room)
    return f"{len(done)} of {options.crowd} done, {len(results) - len(done)} gave up with 75, the longest took {longest:.1f} s; totals exact"


def moving(world, options):
    """A mail reader moves mail from new to cur, changes flags, and deletes what is in the database already."""
    golden = world.golden
    moves = 0
    for number in range(max(1, options.kills // 20)):
        room = world.room()
        over = threading.Event()
        counted = [0]

        def reader():
            generator = random.Random(number)
            while not over.is_set():
                for box in ("new", "cur"):
                    names = os.listdir(os.path.join(room.box, box))
                    generator.shuffle(names)
                    for name in names[:8]:
                        unique = name.split(":2,")[0]
                        flags = "".join(sorted(generator.sample("FRS", generator.randint(0, 3))))
                        try:
                            os.rename(os.path.join(room.box, box, name), os.path.join(room.box, "cur", f"{unique}:2,{flags}"))
                            counted[0] += 1
                        except FileNotFoundError:
                            pass

        thread = threading.Thread(target=reader)
        thread.start()
        try:
            for _ in range(2):
                result = room.ingest(leave=True) if number % 2 else room.ingest()
                # A mail that moves as often as it is looked for is left for the next run; that may be said.
                if result.returncode not in (0, 74):
                    raise Failed(f"exit status {result.returncode}\n{words(result)}")
        finally:
            over.set()
            thread.join()
        moves += counted[0]
        result = room.ingest()
        if result.returncode != 0:
            raise Failed(f"after the moving: exit status {result.returncode}\n{words(result)}")
        expected = {key: value for key, value in golden.items() if key != "mailbox"}
        # Mails that were moved away under its hands are stored later, and reports stand in the order in which they were stored.
        room.must_equal(expected, in_any_order=True)
        contents = sorted(content for _, content in room.mailbox())
        if contents != sorted(content for _, content in golden["mailbox"]):
            raise Failed("mails are lost, or there twice")
        room.check_sound()
        world.clear(room)
    if moves == 0:
        raise Failed("nothing was moved: this shows nothing")
    return f"{moves} moves during {max(1, options.kills // 20)} times two runs"
