"""Write the digest of a week: `python -m ecc_listener.notifications.digest.process`.

On standard input comes what it needs as a JSON object, on standard output goes the letter as another. Here,
since drawing takes as much memory as half of the listener, and reading a week takes its time.
"""

import base64
import ctypes
import json
import os
import shutil
import signal
import sys
from contextlib import closing
from datetime import date, timedelta, tzinfo
from pathlib import Path
from typing import Any

from ecc_listener.backup.create import newest_backup_time
from ecc_listener.history.query import History
from ecc_listener.local_time import day_and_time, local_zone
from ecc_listener.notifications.digest import chart
from ecc_listener.notifications.digest.content import MAX_ROOMS, Room, Week, compose, midnight_us, names
from ecc_listener.notifications.notice import KINDS
from ecc_listener.notifications.table import open_now
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.storage.connection import connect_readonly, utc_text
from ecc_listener.storage.files import archives

_PR_SET_PDEATHSIG = 1
_MAX_OPEN = 20


def main() -> None:
    """Write it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(10)
    told = json.load(sys.stdin)
    zone = local_zone()
    week = gather(told, zone)
    days = [midnight_us(week.monday + timedelta(days=number), zone) for number in range(8)]
    has_readings = any(room.hours for room in week.rooms)
    drawn = chart.draw(week.rooms, names(week.rooms), days) if has_readings else None
    message = compose(week, zone, drawn)
    encoded = base64.b64encode(message.picture).decode() if message.picture else None
    json.dump(message._asdict() | {"picture": encoded}, sys.stdout)


def gather(told: dict[str, Any], zone: tzinfo) -> Week:
    """Read what the week brought."""
    database, monday = Path(told["database"]), date.fromisoformat(told["monday"])
    start_us, end_us = midnight_us(monday, zone), midnight_us(monday + timedelta(days=7), zone)
    with closing(connect_readonly(database)) as connection:
        known = connection.execute(
            "SELECT sensorName, location, battPercent FROM ECCLatest WHERE recordWrittenUTC >= ?"
            " ORDER BY location IS NULL, location, sensorName",
            (utc_text(start_us),),
        ).fetchall()
        # What happened and has no end isn't open, even while it waits to be told.
        notices = [notice for notice in open_now(connection) if not KINDS[notice.kind].is_event]
        notices.sort(key=lambda notice: KINDS[notice.kind].rank)
        rejected = connection.execute(
            "SELECT count(*) FROM ECCRejected WHERE receivedUTC >= ? AND receivedUTC < ?",
            (utc_text(start_us), utc_text(end_us)),
        ).fetchone()[0]
    history = History(database)
    rooms = []
    for sensor, location, battery_percent in known[:MAX_ROOMS]:
        hours = history.rollups(sensor, start_us - 7 * 24 * 3_600_000_000, end_us, "hour")
        week = [hour for hour in hours if hour.start_us >= start_us]
        before = [hour for hour in hours if hour.start_us < start_us]
        rooms.append(Room(sensor, location, week, before, battery_percent))
    stack = _sizes(told, zone)
    if rejected:
        stack = (*stack, ("Rejected", f"{rejected:,} messages were no readings; they are kept apart"))
    words = [describe(notice, told["now_us"], zone) for notice in notices]
    headlines = [one.headline for one in words[:_MAX_OPEN]]
    if len(words) > _MAX_OPEN:
        headlines.append(f"and {len(words) - _MAX_OPEN} more, which page and status show")
    advice = words[0].advice if words else None
    return Week(monday, rooms, len(known) - len(rooms), stack, headlines, advice)


def _sizes(told: dict[str, Any], zone: tzinfo) -> tuple[tuple[str, str], ...]:
    database = Path(told["database"])
    old = [path.stat().st_size for path in archives(database)]
    disk = shutil.disk_usage(database.parent)
    backup = newest_backup_time(Path(told["backup_folder"]))
    made = day_and_time(int(backup.timestamp()) * 1_000_000, told["now_us"], zone) if backup else "none yet"
    archived = f", and {len(old)} archives of {_size(sum(old))}" if old else ""
    return (
        ("Database", f"{_size(database.stat().st_size)}{archived}"),
        ("Disk", f"{_size(disk.free)} of {_size(disk.total)} are free"),
        ("Last backup", made),
    )


def _size(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"  # noqa: PLR2004 - a GB


if __name__ == "__main__":
    main()
