"""What a database that is a file needs once a second: archives, rollups and the daily backup.

PostgreSQL does without: it has partitions and backups of its own.
"""

from datetime import datetime

from ecc_listener.backup.schedule import DailyBackup
from ecc_listener.clock import Now
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.settings import Settings
from ecc_listener.storage.archiver import Archiver
from ecc_listener.storage.store import Store


class FileTasks:
    """The tasks of the SQLite file, in the order in which they run."""

    def __init__(self, settings: Settings, store: Store, now: Now) -> None:
        """Prepare them; the first tick starts them."""
        self._makes_backups = settings.automatic_backup
        self.archiver = Archiver(store, settings.max_database_size)
        self.rollups = RollupWriter(settings.database_file_path)
        self.daily_backup = DailyBackup(settings.database_file_path, settings.backup_folder, now.steady_s)

    @property
    def archive_fault(self) -> str | None:
        """Why an archive that is wanted can't be made."""
        return self.archiver.waits_because if self.archiver.waits_since_s is not None else None

    @property
    def newest_backup(self) -> datetime | None:
        """When the newest backup was made."""
        return self.daily_backup.newest

    def archive(self, now: Now) -> None:
        """Archive the database when it is full."""
        self.archiver.tick(now.steady_s)

    def add_rollups(self, now: Now) -> None:
        """Add readings to the hourly and daily rollups, unless an archive needs the file for itself."""
        if not self.archiver.is_wanted:
            self.rollups.tick(now.steady_s)

    def back_up(self, now: Now) -> None:
        """Create a backup once a day."""
        if self._makes_backups:
            self.daily_backup.tick(now.wall_us, now.steady_s)

    def stored(self, readings: int) -> None:
        """Count what was stored."""
        self.archiver.stored(readings)

    def database_failed(self) -> None:
        """Abandon a running backup: it may use the missing space, or lock what the store waits for."""
        self.daily_backup.stop()

    def close(self, within_s: float) -> None:
        """Finish what is under way."""
        self.daily_backup.stop(within_s)
        self.rollups.close()
