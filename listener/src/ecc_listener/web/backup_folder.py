"""When the newest backup was made, asked of a folder that may lie on another machine.

A share that hangs holds whoever looks for as long as it likes. So one thread alone looks, and all others wait
for it a moment only.
"""

import threading
from datetime import datetime
from pathlib import Path

from ecc_listener.backup.create import newest_backup_time

_WITHIN_S = 0.5


class BackupFolder:
    """Looks into one folder."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self._folder = folder
        self._newest: datetime | None = None
        self._looking: threading.Thread | None = None
        self._lock = threading.Lock()

    def look(self) -> tuple[datetime | None, bool]:
        """Give the time of the newest backup, as far as is known, and whether the folder answers."""
        with self._lock:
            if self._looking is None or not self._looking.is_alive():
                self._looking = threading.Thread(target=self._look, name="backup folder", daemon=True)
                self._looking.start()
            looking = self._looking
        looking.join(_WITHIN_S)
        return self._newest, not looking.is_alive()

    def _look(self) -> None:
        self._newest = newest_backup_time(self._folder)
