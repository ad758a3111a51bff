"""The daily backup, created in its own thread, so that the loop never waits for the backup's disk."""

import logging
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ecc_listener.backup import create, retention
from ecc_listener.storage.connection import StoreError, archive_marker

_log = logging.getLogger(__name__)

_FIRST_CHECK_S = 60.0
_CHECK_EVERY_S = 600.0
_BACKGROUND = 10


class DailyBackup:
    """Checks every ten minutes whether a backup is due, which is a day after the last one."""

    def __init__(self, database: Path, folder: Path, now_s: float) -> None:
        """Take the time in seconds of a clock that never jumps as `now_s`; nothing is started yet."""
        self._database = database
        self._folder = folder
        self._next_check_s = now_s + _FIRST_CHECK_S
        self._worker: threading.Thread | None = None
        self._stopped = threading.Event()
        self._fault = ""
        self.newest: datetime | None = None
        """When the newest backup was created, as of the last check."""

    def tick(self, now_us: int, now_s: float) -> None:
        """Start a check in the background if it is time for one."""
        if now_s < self._next_check_s or (self._worker and self._worker.is_alive()):
            return
        self._next_check_s = now_s + _CHECK_EVERY_S
        self._stopped.clear()
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        self._worker = threading.Thread(target=self._check, args=(now,), name="backup", daemon=True)
        self._worker.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Abandon a running backup: it may use the disk space that the listener needs."""
        self._stopped.set()
        if self._worker:
            self._worker.join(timeout_s)

    def _check(self, now: datetime) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND)
        try:
            self._create_if_due(now)
        except (StoreError, OSError) as error:
            self._log_once(str(error))
        self.newest = create.newest_backup_time(self._folder)

    def _create_if_due(self, now: datetime) -> None:
        times = create.daily_backups(self._database, self._folder)
        # A reader would only delay the archive further.
        if not retention.is_due(times, now) or archive_marker(self._database).exists():
            return
        created = create.create_backup(self._database, self._folder, "daily", now, self._stopped.is_set)
        create.delete_superseded(self._database, self._folder)
        for path, size_bytes in created.files.items():
            _log.info("Backup created: %s, %.1f MB", path, size_bytes / 1e6)
        if created.errors:
            self._log_once("; ".join(created.errors))
        else:
            self._fault = ""

    def _log_once(self, fault: str) -> None:
        """Log a fault when it is new; the next check tries again."""
        if fault != self._fault and not self._stopped.is_set():
            _log.error("The daily backup could not be created and will be tried again: %s", fault)
            self._fault = fault
