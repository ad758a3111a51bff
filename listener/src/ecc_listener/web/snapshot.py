"""What the page knows of the rooms at one moment: one look for all viewers, and never two for one change.

Whether the file has changed is seen from its size and time, without opening it.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ecc_listener import health
from ecc_listener.health import Health
from ecc_listener.notifications.notice import KINDS, Notice
from ecc_listener.notifications.table import open_now
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.web.latest import Latest, Room
from ecc_listener.web.reader import reading

_FRESH_US = 500_000
_ANEW_US = 60_000_000


class Snapshot(NamedTuple):
    """The rooms, open notices, the gravest first, and the listener; `fault`: why the file can't be read."""

    at_us: int
    rooms: tuple[Room, ...]
    notices: tuple[Notice, ...]
    health: Health | None
    fault: str | None


class Observer:
    """Gives the newest sight, from as few looks into the file as there are changes."""

    def __init__(self, settings: Settings, now_us: Callable[[], int]) -> None:
        """Look at nothing yet."""
        self._settings = settings
        self._now_us = now_us
        self._latest = Latest()
        self._sight: Snapshot | None = None
        self._signature: object = None
        self._read_us = 0
        self._lock = threading.Lock()

    def look(self) -> Snapshot:
        """Give what is known now; at most half a second old."""
        with self._lock:
            now_us = self._now_us()
            if self._sight and 0 <= now_us - self._sight.at_us < _FRESH_US:
                return self._sight
            told = health.read(self._settings.health_file_path)
            signature = _signature(self._settings.database_file_path)
            is_known = self._sight and signature == self._signature and 0 <= now_us - self._read_us < _ANEW_US
            if self._sight and is_known and self._sight.fault is None:
                self._sight = self._sight._replace(at_us=now_us, health=told)
            else:
                self._sight = self._read(now_us, told)
                self._signature, self._read_us = signature, now_us
            return self._sight

    def _read(self, now_us: int, told: Health | None) -> Snapshot:
        try:
            with reading(self._settings.database_file_path) as connection:
                rooms = tuple(self._latest.read(connection, now_us))
                notices = [one for one in open_now(connection) if not KINDS[one.kind].is_event]
                notices.sort(key=lambda one: (KINDS[one.kind].rank, one.since_us))
                return Snapshot(now_us, rooms, tuple(notices), told, None)
        except StoreError as error:
            # What was seen last is better than nothing, as long as it is said.
            seen = self._sight or Snapshot(now_us, (), (), None, None)
            return seen._replace(at_us=now_us, health=told, fault=str(error))


def _signature(database: Path) -> object:
    found = []
    for path in (database, Path(f"{database}-wal")):
        try:
            status = path.stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return found
