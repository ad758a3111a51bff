"""A backup a day, made in a thread of its own, so that the loop never waits for a disk it need not write."""

import logging
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ecc_listener.backup import create, retention
from ecc_listener.storage.connection import StoreError, archive_marker

_log = logging.getLogger(__name__)

_FIRST_LOOK_S = 60.0
_LOOK_EVERY_S = 600.0
_BACKGROUND = 10


class DailyBackup:
    """Looks every ten minutes whether one is due: more than a day since the last, whatever the clock did."""

    def __init__(self, database: Path, folder: Path, now_s: float) -> None:
        """Prepare; `now_s` is on a clock that never jumps."""
        self._database = database
        self._folder = folder
        self._next_look_s = now_s + _FIRST_LOOK_S
        self._worker: threading.Thread | None = None
        self._stopped = threading.Event()
        self._fault = ""
        self.newest: datetime | None = None
        """When the newest backup was made, as far as was looked."""

    def tick(self, now_us: int, now_s: float) -> None:
        """Look, when it is time to, without waiting."""
        if now_s < self._next_look_s or (self._worker and self._worker.is_alive()):
            return
        self._next_look_s = now_s + _LOOK_EVERY_S
        self._stopped.clear()
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        self._worker = threading.Thread(target=self._look, args=(now,), name="backup", daemon=True)
        self._worker.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Let a backup under way end without result: its disk or the loop is needed otherwise."""
        self._stopped.set()
        if self._worker:
            self._worker.join(timeout_s)

    def _look(self, now: datetime) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND)
        try:
            self._make_if_due(now)
        except (StoreError, OSError) as error:
            self._tell(str(error))
        self.newest = create.newest(self._folder)

    def _make_if_due(self, now: datetime) -> None:
        made = create.dailies(self._database, self._folder)
        # A reader would only put the archive off further.
        if not retention.is_due(made, now) or archive_marker(self._database).exists():
            return
        files, faults = create.make(self._database, self._folder, "daily", now, self._stopped.is_set)
        create.climb(self._database, self._folder)
        for path, size in files.items():
            _log.info("Backup made: %s, %.1f MB", path, size / 1e6)
        if faults:
            self._tell("; ".join(faults))
        else:
            self._fault = ""

    def _tell(self, fault: str) -> None:
        """Log a fault once; the next look tries again."""
        if fault != self._fault and not self._stopped.is_set():
            _log.error("The daily backup waits: %s", fault)
            self._fault = fault
