"""Disks that are full, files that may not grow, logs that are lost, media that are read-only."""
import os
import resource
import subprocess

from points import require_strace
from world import Failed, Room, Skipped, run, words

NOBODY = 65534


def full_disk(world, options):
    """A file system of its own that is too small; then it is made larger."""
    if os.geteuid() != 0:
        raise Skipped("mounting a file system takes root")
    golden = world.golden
    said = []
    for pages in (4, 40, 100, 200, 300):
        room = world.room()
        disk = os.path.join(room.path, "disk")
        os.mkdir(disk, 0o700)
        size = pages * 4096
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            raise Skipped(f"mount: {words(mounted).strip()}")
        try:
            small = Room(world, room.path, os.path.join(disk, "dmarc.sqlite"))
            result = small.ingest()
            if result.returncode == 0:
                raise Failed(f"{size} bytes are enough: this shows nothing")
            if result.returncode != 75 or small.database not in result.stderr.decode():
                raise Failed(f"with {size} bytes: exit status {result.returncode}, expected 75 and the file's name\n{words(result)}")
            said.append(str(size >> 10))
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True, capture_output=True)
            small.finish(golden, f"{size} bytes")
        finally:
            subprocess.run(["umount", disk], check=True, capture_output=True)
        world.clear(room)
    return f"75 with {', '.join(said)} KiB; complete after room was made"


def file_limit(world, options):
    """RLIMIT_FSIZE: the signal does not kill, and what could not be written is done by the next run."""
    golden = world.golden
    for size in (4096, 65536, 262144, 1 << 20):
        room = world.room()
        result = room.ingest(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
        if result.returncode != 75 or room.database not in result.stderr.decode():
            raise Failed(f"files of at most {size} bytes: exit status {result.returncode}, expected 75 and the file's name\n{words(result)}")
        room.finish(golden, f"files of at most {size} bytes")
        world.clear(room)
    return "75 at each limit, complete afterwards"


def lost_log(world, options):
    """The write-ahead log is gone after a kill, as after copying only the database: what it held is read again from the mailbox."""
    golden = world.golden
    room = world.room()
    require_strace()
    # Killed where it would move the first mail: all is stored, in the log alone.
    room.ingest(["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=renameat", "-e", "inject=renameat:signal=KILL:when=1"])
    if not os.path.exists(room.database + "-wal") or os.path.getsize(room.database + "-wal") < 100_000:
        raise Failed("there is no log to be lost: this shows nothing")
    for suffix in ("-wal", "-shm"):
        os.unlink(room.database + suffix)
    room.finish(golden, "log lost")
    world.clear(room)
    return "sound, and complete after the next run"


def read_only(world, options):
    """Questions to a database where nothing may be written, also not beside it; an ingest there says what is wrong."""
    golden = world.golden
    room = world.room()
    room.ingest()
    folder = os.path.dirname(room.database)
    others = {}
    if os.geteuid() == 0:
        # Root may write anywhere.
        os.chmod(world.folder, 0o711)
        os.chmod(room.path, 0o711)
        others = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for path in (room.database, room.database + ".lock", folder):
            os.chown(path, NOBODY, NOBODY)
    os.chmod(folder, 0o500)
    before = sorted(os.listdir(folder))
    for question in (["export", "--limit", "all"], ["summary"], ["status"], ["refused"], ["doctor"]):
        result = run([world.binary, *question, "--database", room.database], **others)
        if result.returncode != 0:
            raise Failed(f"{question[0]}: exit status {result.returncode}\n{words(result)}")
        if question[0] == "export" and result.stdout != golden["export"]:
            raise Failed("export differs from that of a database that may be written")
    result = run(room.ingest_command(), **others)
    if result.returncode != 77 or room.database not in result.stderr.decode():
        raise Failed(f"ingest: exit status {result.returncode}, expected 77 and the file's name\n{words(result)}")
    if sorted(os.listdir(folder)) != before:
        raise Failed(f"files were made: {sorted(os.listdir(folder))}")
    os.chmod(folder, 0o700)
    world.clear(room)
    return "five questions answered, ingest is 77"
