"""Write the digest of a week: `python -m ecc_listener.digest.process`.

Standard input is a JSON object with what it needs, standard output one with the message. It is a separate
process, because drawing takes half as much memory as the listener, and reading a week takes time.
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
from ecc_listener.digest import chart
from ecc_listener.digest.content import MAX_ROOMS, SensorWeek, Week, compose, month_due, names
from ecc_listener.history.month import calendar_month, with_rooms
from ecc_listener.history.query import History
from ecc_listener.local_time import day_and_time, local_zone, midnight_us
from ecc_listener.monitoring.comfort import ComfortBands
from ecc_listener.monitoring.limits_file import read_limits
from ecc_listener.notifications.notice import KINDS
from ecc_listener.notifications.table import open_now
from ecc_listener.notifications.wording import own_texts
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.storage.connection import connect_readonly, utc_text
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import REALLY_REJECTED

_PR_SET_PDEATHSIG = 1
_MAX_OPEN = 20
_MAX_KNOWN = 1_000
_LOCATIONS = "SELECT sensorName, location FROM ECCLatest ORDER BY recordWrittenUTC DESC LIMIT ?"


def main() -> None:
    """Read the request, and write the message."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(10)
    request = json.load(sys.stdin)
    zone = local_zone()
    week = gather(request, zone)
    days = [midnight_us(week.monday + timedelta(days=number), zone) for number in range(8)]
    has_readings = any(room.hours for room in week.rooms)
    drawn = chart.draw(week.rooms, names(week.rooms), days) if has_readings else None
    message = compose(week, zone, drawn)
    encoded = base64.b64encode(message.picture).decode() if message.picture else None
    json.dump(message._asdict() | {"picture": encoded}, sys.stdout)


def gather(request: dict[str, Any], zone: tzinfo) -> Week:
    """Read what the week brought."""
    database, monday = Path(request["database"]), date.fromisoformat(request["monday"])
    start_us, end_us = midnight_us(monday, zone), midnight_us(monday + timedelta(days=7), zone)
    with closing(connect_readonly(database)) as connection:
        every = connection.execute(_LOCATIONS, (_MAX_KNOWN,)).fetchall()
        known = connection.execute(
            "SELECT recordWrittenUTC, sensorName, location, battPercent FROM ECCLatest"
            " WHERE recordWrittenUTC >= ?",
            (utc_text(start_us),),
        ).fetchall()
        # An event isn't open, even while it waits to be sent.
        notices = [notice for notice in open_now(connection) if not KINDS[notice.kind].is_event]
        notices.sort(key=lambda notice: KINDS[notice.kind].rank)
        rejected = connection.execute(
            f"SELECT count(*) FROM ECCRejected WHERE receivedUTC BETWEEN ? AND ? AND {REALLY_REJECTED}",
            (utc_text(start_us), utc_text(end_us)),
        ).fetchone()[0]
    limits = read_limits(Path(request["limits_file"]))
    own_texts.use(Path(request["limits_file"]))
    corrections = limits.corrections
    history = History(database, corrections)
    # The newest one comes last, and is what the sensor is like now.
    rows = {corrections.present_name(name): rest for _, name, *rest in sorted(known)}
    newest = [(name, *rest) for name, rest in rows.items()]
    newest.sort(key=lambda row: (row[1] is None, row[1], row[0]))
    rooms = []
    for sensor, location, battery_percent in newest[:MAX_ROOMS]:
        hours = history.rollups(sensor, start_us - 7 * 24 * 3_600_000_000, end_us, "hour")
        week = [hour for hour in hours if hour.start_us >= start_us]
        before = [hour for hour in hours if hour.start_us < start_us]
        rooms.append(SensorWeek(sensor, location, week, before, battery_percent))
    system = _sizes(request, zone)
    if rejected:
        system = (*system, ("Rejected", f"{rejected:,} messages; the page shows them under Events"))
    words = [describe(notice, request["now_us"], zone) for notice in notices]
    headlines = [one.headline for one in words[:_MAX_OPEN]]
    if len(words) > _MAX_OPEN:
        headlines.append(f"and {len(words) - _MAX_OPEN} more; the page and `make status` show them")
    advice = words[0].advice if words else None
    month, first = None, month_due(monday)
    if first:
        # The newest one comes last.
        locations = {corrections.present_name(name): location for name, location in reversed(every)}
        band_of = ComfortBands(limits, zone).of
        month = with_rooms(calendar_month(first, zone, request["now_us"]), history, locations, band_of)
    return Week(monday, rooms, len(newest) - len(rooms), system, headlines, advice, month)


def _sizes(request: dict[str, Any], zone: tzinfo) -> tuple[tuple[str, str], ...]:
    database = Path(request["database"])
    old = [path.stat().st_size for path in archives(database)]
    disk = shutil.disk_usage(database.parent)
    backup = newest_backup_time(Path(request["backup_folder"]))
    made = (
        day_and_time(int(backup.timestamp()) * 1_000_000, request["now_us"], zone) if backup else "none yet"
    )
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
