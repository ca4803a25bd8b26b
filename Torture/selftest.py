"""Can the checks fail? Each is shown something that is wrong."""
import os
import sqlite3
import subprocess

import points
from world import Failed


def run_all(world, options):
    golden = world.golden
    room = world.room()
    room.ingest()
    room.must_equal(golden)
    room.check_sound()
    found = 0

    def must_fail(what, check):
        nonlocal found
        try:
            check()
        except Failed:
            found += 1
            return
        raise Failed(f"not found: {what}")

    def ended(status, said, error="ENOSPC"):
        result = subprocess.CompletedProcess([], status, b"", said.encode())
        return lambda: points.check_ending(room, golden, error, "pwrite64", "self-test", result)

    ended(0, "")()
    ended(75, room.database)()
    ended(74, room.database, "EIO")()
    must_fail("a full disk that is called an I/O error", ended(74, room.database))
    must_fail("an I/O error that is called a full disk", ended(75, room.database, "EIO"))
    must_fail("a message without the file", ended(75, "no room"))
    must_fail("a crash", ended(-11, room.database))

    mail = os.path.join(room.box, ".done", "cur", sorted(os.listdir(os.path.join(room.box, ".done", "cur")))[3])
    unread = os.path.join(room.box, "new", "1.M1P1.unread")
    os.rename(mail, unread)
    must_fail("0 though a mail was not moved", ended(0, ""))
    os.unlink(unread)
    must_fail("a mail that is lost", lambda: room.must_equal(golden))

    def changed(sql):
        connection = sqlite3.connect(room.database)
        connection.execute(sql)
        connection.commit()
        connection.close()

    changed("UPDATE records SET messages = messages + 1 WHERE report_id = (SELECT max(report_id) FROM records)")
    must_fail("a count that is off by one, in the answers", lambda: room.must_equal({"export": golden["export"]}))
    must_fail("a count that is off by one, in the figures", room.check_sound)
    world.clear(room)

    room = world.room()
    room.ingest()
    with open(room.database, "r+b") as file:
        size = os.path.getsize(room.database)
        file.seek(size // 4)
        file.write(os.urandom(size // 2))
    must_fail("pages that are overwritten", room.check_sound)
    world.clear(room)
    return f"{found} of {found} faults found"
