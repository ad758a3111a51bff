"""What the page knows about the rooms at one moment, read once for all viewers and only after a change.

A change of the file is recognised by its size and time, without opening it.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ecc_listener import health
from ecc_listener.health import Health
from ecc_listener.local_time import local, local_zone
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.notifications.notice import KINDS, Notice
from ecc_listener.notifications.table import open_now
from ecc_listener.readings.corrections import Corrections
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.web.latest import Latest, SensorNow
from ecc_listener.web.reader import reading

_FRESH_US = 500_000
_MAX_AGE_US = 60_000_000


class Snapshot(NamedTuple):
    """Rooms, open notices (the most severe first) and health; `fault` says why the file can't be read."""

    at_us: int
    rooms: tuple[SensorNow, ...]
    notices: tuple[Notice, ...]
    health: Health | None
    fault: str | None


class Observer:
    """Reads snapshots, as rarely as possible."""

    def __init__(self, settings: Settings, now_us: Callable[[], int]) -> None:
        """Prepare; nothing is read yet."""
        self._settings = settings
        self._now_us = now_us
        self._latest = Latest()
        self._zone = local_zone()
        self._limits = LimitsFile(settings.limits_file_path, is_created=False)
        self._last: Snapshot | None = None
        self._signature: object = None
        self._read_us = 0
        self._lock = threading.Lock()

    @property
    def corrections(self) -> Corrections:
        """The names and offsets that the limits file gives to sensors now."""
        with self._lock:
            self._reload_limits()
            return self._limits.limits.corrections

    def snapshot(self) -> Snapshot:
        """Return a snapshot that is at most half a second old."""
        with self._lock:
            now_us = self._now_us()
            if self._last and 0 <= now_us - self._last.at_us < _FRESH_US:
                return self._last
            status = health.read(self._settings.health_file_path)
            signature = _signature(self._settings.database_file_path)
            self._reload_limits()
            is_fresh = 0 <= now_us - self._read_us < _MAX_AGE_US
            if self._last and signature == self._signature and is_fresh and self._last.fault is None:
                self._last = self._last._replace(at_us=now_us, health=status)
            else:
                self._last = self._read(now_us, status)
                self._signature, self._read_us = signature, now_us
            return self._last

    def _reload_limits(self) -> None:
        is_new = self._limits.reload()
        if self._limits.limits.set_time(local(self._now_us(), self._zone)) or is_new:
            self._signature = None

    def _read(self, now_us: int, status: Health | None) -> Snapshot:
        try:
            with reading(self._settings.database_file_path) as connection:
                rooms = tuple(self._latest.read(connection, now_us, self._limits.limits))
                notices = [one for one in open_now(connection) if not KINDS[one.kind].is_event]
                notices.sort(key=lambda one: (KINDS[one.kind].rank, one.since_us))
                return Snapshot(now_us, rooms, tuple(notices), status, None)
        except StoreError as error:
            # The last snapshot is better than nothing, as long as the page says so.
            seen = self._last or Snapshot(now_us, (), (), None, None)
            return seen._replace(at_us=now_us, health=status, fault=str(error))


def _signature(database: Path) -> object:
    found = []
    for path in (database, Path(f"{database}-wal")):
        try:
            status = path.stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return found
