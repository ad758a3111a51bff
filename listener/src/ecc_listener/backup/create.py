"""Create backups: verified, compressed copies of the database, each complete or not there at all.

The live file is read in one transaction while the listener goes on writing. An archive of the database never
changes, so it is copied once, under its own name with `.gz`. After a crash only a partial file is left, which
the next backup removes. `retention` decides on names and on which old backups are deleted.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from ecc_listener.backup import retention
from ecc_listener.backup.copy import PARTIAL, copy_database
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.database_files import archives


class CreatedBackup(NamedTuple):
    """The files of a backup with their sizes in bytes, and a line for each archive that was not copied."""

    files: dict[Path, int]
    errors: list[str]


def newest_backup_time(folder: Path) -> datetime | None:
    """Return when the newest backup in a folder was created; None if there is none."""
    try:
        times = [retention.backup_time(path.name) for path in folder.iterdir()]
    except OSError:
        return None
    return max((time for time in times if time), default=None)


def create_backup(
    database: Path,
    folder: Path,
    kind: Literal["daily", "manual"],
    now: datetime,
    is_stopped: Callable[[], bool] = bool,
) -> CreatedBackup:
    """Copy the live file, and those archives that have no copy in the folder yet.

    Raises:
        StoreError: the live file could not be copied; nothing incomplete is left.

    """
    with _locked(folder):
        target = folder / retention.backup_name(database.stem, database.suffix, kind, now)
        copy_database(database, target, is_stopped)
        files, errors = {target: target.stat().st_size}, []
        for archive in archives(database):
            target = folder / f"{archive.name}.gz"
            if target.exists() or _is_same(archive, database):
                continue
            try:
                copy_database(archive, target, is_stopped)
                files[target] = target.stat().st_size
            except StoreError as error:
                errors.append(str(error))
        return CreatedBackup(files, errors)


def daily_backups(database: Path, folder: Path) -> dict[datetime, Path]:
    """Return the daily backups of a database by their times; empty if there is no folder."""
    try:
        files = list(folder.iterdir())
    except OSError:
        return {}
    found = retention.daily_backups(database.stem, database.suffix, [path.name for path in files])
    return {time: folder / name for time, name in found.items()}


def delete_superseded(database: Path, folder: Path) -> None:
    """Delete the daily backups of a database that `retention` no longer keeps; nothing else.

    Raises:
        OSError: a file can't be deleted.

    """
    backups = daily_backups(database, folder)
    for time in retention.superseded(backups):
        backups[time].unlink(missing_ok=True)


def _is_same(archive: Path, database: Path) -> bool:
    # While an archive is being created, its name is a second name of the live file.
    try:
        return archive.samefile(database)
    except OSError:
        return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against a second backup, and delete what a killed one has left.

    Raises:
        StoreError: the folder does not exist, can't be written, or is in use by another backup.

    """
    if not folder.is_dir():
        raise StoreError(
            f"the backup folder {folder} does not exist; create it, or choose another --backup_folder"
        )
    try:
        with (folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in folder.glob(f"*.gz*{PARTIAL}*"):
                part.unlink()
            yield
    except BlockingIOError:
        raise StoreError(f"another backup to {folder} is running; wait until it is done") from None
    except PermissionError:
        raise StoreError(f"user {os.geteuid()} can't write to {folder}; change its owner") from None
    except OSError as error:
        raise StoreError(f"the folder {folder} can't be used: {error.strerror}") from None
