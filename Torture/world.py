"""A folder with a mailbox and a database, what can be done to them, and how they are compared with an undisturbed run."""
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess

import mails


class Failed(Exception):
    """A promise was broken; the text says which, where, and how to see it again."""


class Skipped(Exception):
    """This machine does not allow the scenario; the text says why."""


# Long beyond reason, so that a slow machine fails nothing; a run that hangs does end.
PATIENCE = 120


class Room:
    """One mailbox and one database."""

    def __init__(self, world, path, database=None):
        self.world = world
        self.path = path
        self.box = os.path.join(path, "box")
        self.database = database or os.path.join(path, "db", "dmarc.sqlite")

    def ingest_command(self, leave=False):
        after, other = ("leave", "leave") if leave else (self.world.after, self.world.after_other)
        return [self.world.binary, "ingest", "--database", self.database, "--after", after, "--after-refused", after, "--after-other", other,
                self.box]

    def ingest(self, prefix=(), leave=False, **keywords):
        return run([*prefix, *self.ingest_command(leave)], **keywords)

    def ask(self, *arguments):
        """Standard output of a question that must succeed."""
        result = run([self.world.binary, *arguments, "--database", self.database])
        if result.returncode != 0:
            raise Failed(f"{' '.join(arguments)}: exit status {result.returncode}\n{words(result)}")
        return result.stdout

    def answers(self):
        """All that can be asked of the database, without times of runs."""
        refused = json.loads(self.ask("refused", "--limit", "all", "--format", "json"))["rows"]
        for row in refused:
            row.pop("time", None)
            row["place"] = os.path.basename(row["place"].split(":2,")[0])
        return {
            "export": self.ask("export", "--limit", "all"),
            "sources": self.ask("sources", "--since", "2026-09-01", "--until", "2026-12-31", "--limit", "all", "--format", "json"),
            "refused": sorted(json.dumps(row, sort_keys=True) for row in refused),
            "kept": self.kept(),
            "mailbox": self.mailbox(),
        }

    def kept(self):
        """What the database keeps of mail that was not stored."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT bytes FROM kept_messages").fetchall()
        finally:
            connection.close()
        return sorted(hashlib.sha256(gzip.decompress(row[0])).hexdigest() for row in rows)

    def mailbox(self):
        """Each file below the maildir, by name, with its content."""
        found = []
        for folder, _, names in os.walk(self.box):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    found.append((os.path.relpath(os.path.join(folder, name), self.box), hashlib.sha256(file.read()).hexdigest()))
        return sorted(found)

    def check_sound(self):
        """SQLite's own check, and the program's; nothing left lying about."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.DatabaseError as error:
            found = [(str(error),)]
        finally:
            connection.close()
        if found != [("ok",)]:
            raise Failed(f"integrity_check: {found[:3]}")
        doctor = run([self.world.binary, "doctor", "--database", self.database])
        if doctor.returncode != 0:
            raise Failed(f"doctor --database: exit status {doctor.returncode}\n{words(doctor)}")

    def difference(self, golden, in_any_order=False):
        """What differs from the undisturbed run; None if nothing does. The lines of the export may be in any order where that is said."""
        now = self.answers()
        for question, expected in golden.items():
            if question == "export" and in_any_order:
                now[question], expected = (b"".join(sorted(text.splitlines(True))) for text in (now[question], expected))
            if now[question] != expected:
                return f"{question} differs from the undisturbed run: {first_difference(expected, now[question])}"
        return None

    def must_equal(self, golden, in_any_order=False):
        difference = self.difference(golden, in_any_order)
        if difference:
            raise Failed(difference)

    def finish(self, golden, what, in_any_order=False):
        """A clean run, after which everything must be as if nothing had happened; with `in_any_order` but for the order of arrival."""
        result = self.ingest()
        try:
            if result.returncode != 0:
                raise Failed(f"the run after it: exit status {result.returncode}\n{words(result)}")
            # Before any question: one that only reads makes a log and cannot remove it.
            left = sorted(os.listdir(os.path.dirname(self.database)))
            name = os.path.basename(self.database)
            if any(entry not in (name, name + ".lock") for entry in left):
                raise Failed(f"left beside the database: {left}")
            self.must_equal(golden, in_any_order)
            self.check_sound()
        except Failed as failure:
            raise Failed(f"{what}: {failure}") from None


class World:
    """Rooms that all begin alike."""

    def __init__(self, folder, options):
        self.folder = folder
        self.binary = options.binary
        self.after = options.after
        self.after_other = options.after_other
        self.seedling = os.path.join(folder, "seedling")
        mails.fill(self.seedling, options.mails)
        self.count = options.mails
        self.made = 0
        self._golden = None

    def room(self, parent=None):
        self.made += 1
        path = os.path.join(parent or self.folder, f"room-{self.made}")
        os.makedirs(os.path.join(path, "db"), mode=0o700)
        shutil.copytree(self.seedling, os.path.join(path, "box"))
        return Room(self, path)

    def clear(self, room):
        shutil.rmtree(room.path, ignore_errors=True)

    @property
    def golden(self):
        """What an undisturbed run makes of the mailbox."""
        if self._golden is None:
            room = self.room()
            result = room.ingest()
            # What was refused is said in one line.
            if result.returncode != 0 or result.stdout or result.stderr.count(b"\n") > 1:
                raise Failed(f"an undisturbed run: exit status {result.returncode}\n{words(result)}")
            self._golden = room.answers()
            room.check_sound()
            left = [name for name, _ in self._golden["mailbox"] if name.startswith(("cur/", "new/"))]
            moved = [name for name, _ in self._golden["mailbox"] if name.startswith(".") and "/cur/" in name]
            if left or (self.after != "delete" and len(moved) != self.count):
                raise Failed(f"an undisturbed run left {len(left)} mails and moved {len(moved)} of {self.count}")
            if self.after == "delete" and not self._golden["kept"]:
                raise Failed("an undisturbed run kept nothing of what it deleted: this shows nothing")
            if self._golden["export"].count(b"\n") < 2500:
                raise Failed("an undisturbed run stored next to nothing: this shows nothing")
            self.clear(room)
        return self._golden


def run(command, **keywords):
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC"}
    environment.update(keywords.pop("environment", {}))
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=PATIENCE, **keywords)
    except subprocess.TimeoutExpired:
        raise Failed(f"did not end within {PATIENCE} s: {' '.join(command)}") from None


def start(command, **keywords):
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC"}
    keywords = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
    return subprocess.Popen(command, env=environment, **keywords)


def finish(process):
    """Output and status of a process that was started; one that hangs is ended."""
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise Failed(f"did not end within {PATIENCE} s: {' '.join(process.args)}\n{errors.decode(errors='replace')}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def words(result):
    return (result.stdout + result.stderr).decode(errors="replace")[:2000]


def first_difference(expected, found):
    lines = [part.splitlines() if isinstance(part, bytes) else part for part in (expected, found)]
    for number, (left, right) in enumerate(zip(*lines)):
        if left != right:
            return f"line {number + 1}: expected {left!r}, found {right!r}"
    return f"expected {len(lines[0])} lines, found {len(lines[1])}"
