"""The view Stack: whether the listener runs, how much comes in, what lies on the disk, backup and mail."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.notifications import outbox
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, utc_text
from ecc_listener.storage.files import archives
from ecc_listener.web.backup_folder import BackupFolder
from ecc_listener.web.reader import reading
from ecc_listener.web.responses import data, page, wants_json
from ecc_listener.web.snapshot import Snapshot

_HOUR_US = 3_600_000_000
_MAX_COUNTED = 100_000


class Sizes(NamedTuple):
    """What lies on the disk, in bytes."""

    database: int
    archives: int
    archive_count: int
    free: int | None
    total: int | None


class Stack(NamedTuple):
    """How the stack stands. Counts are None where the database can't be read."""

    sensors: int
    readings_hour: int | None
    readings_day: int | None
    rejected_day: int | None
    letters_waiting: int | None
    letter_sent_us: int | None
    """When the last letter was sent."""
    channels: int | None
    """To how many addresses letters go; 0: mail is off."""
    sizes: Sizes
    archived_us: int | None
    backup_us: int | None
    backup_answers: bool
    """Whether the folder of the backups can be looked into."""
    fault: str | None


def look(settings: Settings, backups: BackupFolder, snapshot: Snapshot) -> Stack:
    """Gather it."""
    database = settings.database_file_path
    fault: str | None = None
    counts = _Counts()
    try:
        with reading(database) as connection:
            counts = _counts(connection, snapshot)
    except StoreError as error:
        fault = str(error)
    made = archives(database)
    modified_us = [int(status.st_mtime * 1e6) for path in made if (status := _stat(path))]
    backup, answers = backups.look()
    return Stack(
        len(snapshot.rooms),
        *counts,
        sizes=_sizes(database, made),
        archived_us=max(modified_us, default=None),
        backup_us=round(backup.timestamp() * 1e6) if backup else None,
        backup_answers=answers,
        fault=fault,
    )


class _Counts(NamedTuple):
    readings_hour: int | None = None
    readings_day: int | None = None
    rejected_day: int | None = None
    letters_waiting: int | None = None
    letter_sent_us: int | None = None
    channels: int | None = None


def _counts(connection: sqlite3.Connection, snapshot: Snapshot) -> _Counts:
    readings = [
        sum(_count(connection, room.name, snapshot.at_us - hours * _HOUR_US) for room in snapshot.rooms)
        for hours in (1, 24)
    ]
    since = utc_text(snapshot.at_us - 24 * _HOUR_US)
    query = "SELECT count(*) FROM (SELECT 1 FROM ECCRejected WHERE receivedUTC >= ? LIMIT ?)"
    rejected: int = connection.execute(query, (since, _MAX_COUNTED)).fetchone()[0]
    channels = outbox.states(connection)
    sent_us = max((channel.last_sent_us for channel in channels if channel.last_sent_us), default=None)
    waiting = max((channel.waiting for channel in channels), default=0)
    return _Counts(readings[0], readings[1], rejected, waiting, sent_us, len(channels))


def _count(connection: sqlite3.Connection, name: str, since_us: int) -> int:
    """Count a sensor's readings since a time; who sends like mad is counted up to a bound."""
    query = "SELECT 1 FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? LIMIT ?"
    counted = connection.execute(
        f"SELECT count(*) FROM ({query})", (name, utc_text(since_us), _MAX_COUNTED)
    ).fetchone()
    count: int = counted[0]
    return count


def _sizes(database: Path, made: list[Path]) -> Sizes:
    live = sum(_size(Path(f"{database}{end}")) for end in ("", "-wal"))
    try:
        disk = os.statvfs(database.parent)
    except OSError:
        return Sizes(live, sum(map(_size, made)), len(made), None, None)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return Sizes(live, sum(map(_size, made)), len(made), free, total)


def _size(path: Path) -> int:
    status = _stat(path)
    return status.st_size if status else 0


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def stack(request: Request) -> Response:
    """Show the state of the stack."""
    state = request.app.state
    snapshot: Snapshot = state.observer.look()
    found = look(state.settings, state.backup_folder, snapshot)
    if wants_json(request):
        return data(_described(found, snapshot))
    return page(request, "stack.html", stack=found, snapshot=snapshot)


def _described(found: Stack, snapshot: Snapshot) -> dict[str, object]:
    told = snapshot.health
    return {
        "at_utc": utc_text(snapshot.at_us),
        "listener": None
        if told is None
        else {
            "started_utc": told.started_utc,
            "written_utc": told.written_utc,
            "last_message_utc": told.last_message_utc,
            "broker_fault": told.broker_fault,
            "store_fault": told.store_fault,
            "mail_fault": told.mail_fault,
            "messages": told.messages,
            "readings": told.rows,
            "rejected": told.rejected,
        },
        "sensors": found.sensors,
        "readings_last_hour": found.readings_hour,
        "readings_last_day": found.readings_day,
        "rejected_last_day": found.rejected_day,
        "letters_waiting": found.letters_waiting,
        "last_letter_utc": None if found.letter_sent_us is None else utc_text(found.letter_sent_us),
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


ROUTES: list[BaseRoute] = [Route("/stack", stack), Route("/api/stack", stack)]
