"""When the newest backup was created, in a folder that may be on another machine.

A network share may hang for any time. So only one thread reads it, and all others wait for it only briefly.
"""

import threading
from datetime import datetime
from pathlib import Path

from ecc_listener.backup.create import newest_backup_time

_WITHIN_S = 0.5


class BackupFolder:
    """One backup folder."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is read yet."""
        self._folder = folder
        self._newest: datetime | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    def newest(self) -> tuple[datetime | None, bool]:
        """Return the time of the newest backup, as far as it is known, and whether the folder responds."""
        with self._lock:
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._read, name="backup folder", daemon=True)
                self._reader.start()
            reader = self._reader
        reader.join(_WITHIN_S)
        return self._newest, not reader.is_alive()

    def _read(self) -> None:
        self._newest = newest_backup_time(self._folder)
