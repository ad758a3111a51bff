"""The view System: whether the listener is running, how much arrives, disk, backup and mail."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ecc_listener.notifications import outbox
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, utc_text
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import REALLY_REJECTED
from ecc_listener.web.backup_folder import BackupFolder
from ecc_listener.web.reader import reading
from ecc_listener.web.responses import data, page, wants_json
from ecc_listener.web.snapshot import Snapshot

_HOUR_US = 3_600_000_000
_MAX_COUNTED = 100_000


class Sizes(NamedTuple):
    """Sizes on the disk, in bytes."""

    database: int
    archives: int
    archive_count: int
    free: int | None
    total: int | None


class System(NamedTuple):
    """The state of the system. Counts are None if the database can't be read."""

    sensors: int
    readings_hour: int | None
    readings_day: int | None
    rejected_day: int | None
    mails_waiting: int | None
    mail_sent_us: int | None
    """When the last mail was sent."""
    channels: int | None
    """To how many addresses mails are sent; 0 if no mail is set up."""
    sizes: Sizes
    archived_us: int | None
    backup_us: int | None
    backup_answers: bool
    """Whether the backup folder responds."""
    fault: str | None


def read(settings: Settings, backups: BackupFolder, snapshot: Snapshot) -> System:
    """Return the state of the system."""
    database = settings.database_file_path
    fault: str | None = None
    counts = _Counts()
    try:
        with reading(database) as connection:
            counts = _counts(connection, snapshot)
    except StoreError as error:
        fault = str(error)
    archived = archives(database)
    modified_us = [int(status.st_mtime * 1e6) for path in archived if (status := _stat(path))]
    backup, answers = backups.newest()
    return System(
        len(snapshot.rooms),
        *counts,
        sizes=read_sizes(database),
        archived_us=max(modified_us, default=None),
        backup_us=round(backup.timestamp() * 1e6) if backup else None,
        backup_answers=answers,
        fault=fault,
    )


class _Counts(NamedTuple):
    readings_hour: int | None = None
    readings_day: int | None = None
    rejected_day: int | None = None
    mails_waiting: int | None = None
    mail_sent_us: int | None = None
    channels: int | None = None


def _counts(connection: sqlite3.Connection, snapshot: Snapshot) -> _Counts:
    readings = [
        sum(_count(connection, room.name, snapshot.at_us - hours * _HOUR_US) for room in snapshot.rooms)
        for hours in (1, 24)
    ]
    since = utc_text(snapshot.at_us - 24 * _HOUR_US)
    some = f"SELECT 1 FROM ECCRejected WHERE receivedUTC >= ? AND {REALLY_REJECTED} LIMIT ?"
    rejected: int = connection.execute(f"SELECT count(*) FROM ({some})", (since, _MAX_COUNTED)).fetchone()[0]
    channels = outbox.states(connection)
    sent_us = max((channel.last_sent_us for channel in channels if channel.last_sent_us), default=None)
    waiting = max((channel.waiting for channel in channels), default=0)
    return _Counts(readings[0], readings[1], rejected, waiting, sent_us, len(channels))


def _count(connection: sqlite3.Connection, name: str, since_us: int) -> int:
    """Return the number of a sensor's readings since a time, up to a bound."""
    query = "SELECT 1 FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? LIMIT ?"
    counted = connection.execute(
        f"SELECT count(*) FROM ({query})", (name, utc_text(since_us), _MAX_COUNTED)
    ).fetchone()
    count: int = counted[0]
    return count


def read_sizes(database: Path) -> Sizes:
    """Return the sizes of a database and its archives, and of their disk."""
    archived = archives(database)
    live = sum(_size(Path(f"{database}{end}")) for end in ("", "-wal"))
    try:
        disk = os.statvfs(database.parent)
    except OSError:
        return Sizes(live, sum(map(_size, archived)), len(archived), None, None)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return Sizes(live, sum(map(_size, archived)), len(archived), free, total)


def _size(path: Path) -> int:
    status = _stat(path)
    return status.st_size if status else 0


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def system(request: Request) -> Response:
    """Return the view."""
    state = request.app.state
    snapshot: Snapshot = state.observer.snapshot()
    found = read(state.settings, state.backup_folder, snapshot)
    if wants_json(request):
        return data(_described(found, snapshot))
    return page(request, "system.html", system=found, snapshot=snapshot)


def _described(found: System, snapshot: Snapshot) -> dict[str, object]:
    health = snapshot.health
    return {
        "at_utc": utc_text(snapshot.at_us),
        "listener": None
        if health is None
        else {
            "started_utc": health.started_utc,
            "written_utc": health.written_utc,
            "last_message_utc": health.last_message_utc,
            "broker_fault": health.broker_fault,
            "store_fault": health.store_fault,
            "mail_fault": health.mail_fault,
            "messages": health.messages,
            "readings": health.rows,
            "rejected": health.rejected,
        },
        "sensors": found.sensors,
        "readings_last_hour": found.readings_hour,
        "readings_last_day": found.readings_day,
        "rejected_last_day": found.rejected_day,
        "letters_waiting": found.mails_waiting,
        "last_letter_utc": None if found.mail_sent_us is None else utc_text(found.mail_sent_us),
        "mail_ways": found.channels,
        "database_bytes": found.sizes.database,
        "archives_bytes": found.sizes.archives,
        "archives": found.sizes.archive_count,
        "disk_free_bytes": found.sizes.free,
        "disk_total_bytes": found.sizes.total,
        "last_archive_utc": None if found.archived_us is None else utc_text(found.archived_us),
        "last_backup_utc": None if found.backup_us is None else utc_text(found.backup_us),
        "database_fault": found.fault,
    }


ROUTES: list[BaseRoute] = [
    Route("/system", system),
    Route("/api/system", system),
    # The addresses of version 3.0, for bookmarks and programs.
    Route("/stack", lambda _request: RedirectResponse("/system", 301)),
    Route("/api/stack", lambda _request: RedirectResponse("/api/system", 301)),
]
