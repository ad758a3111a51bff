"""Backups: sound, compressed copies of the database, each whole or not there at all.

The live file is read in one transaction while the listener goes on writing. An archive of the database never
changes, so it is copied once, under its own name with `.gz`. What a crash leaves is a part file, which the
next backup removes. `ladder` says how they are called and which of the old ones may go.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from ecc_listener.backup import retention
from ecc_listener.backup.copy import PART, copy
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.files import archives


class Made(NamedTuple):
    """What a backup has made: files with their sizes in bytes, and what could not be copied."""

    files: dict[Path, int]
    faults: list[str]


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Make a backup now, and say what was made; give the exit status.

    Raises:
        StoreError: there is none, and why.

    """
    folder = settings.backup_folder
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {folder} can't be made: {error.strerror}") from None
    made = make(settings.database_file_path, folder, "manual", datetime.now(UTC))
    for path, size in made.files.items():
        print(f"{path}  {size / 1e6:,.1f} MB")
    for fault in made.faults:
        print(f"Not copied: {fault}")
    return 1 if made.faults else 0


def newest(folder: Path) -> datetime | None:
    """Say when the newest backup in a folder was made; None when there is none."""
    try:
        moments = [retention.moment(path.name) for path in folder.iterdir()]
    except OSError:
        return None
    return max((one for one in moments if one), default=None)


def make(
    database: Path,
    folder: Path,
    kind: Literal["daily", "manual"],
    now: datetime,
    is_stopped: Callable[[], bool] = bool,
) -> Made:
    """Copy the live file, and those archives that have no copy in the folder yet.

    Raises:
        StoreError: the live file has no new copy, and why; nothing half made is left.

    """
    with _alone(folder):
        target = folder / retention.name(database.stem, database.suffix, kind, now)
        copy(database, target, is_stopped)
        files, faults = {target: target.stat().st_size}, []
        for archive in archives(database):
            target = folder / f"{archive.name}.gz"
            if target.exists() or _is_same(archive, database):
                continue
            try:
                copy(archive, target, is_stopped)
                files[target] = target.stat().st_size
            except StoreError as error:
                faults.append(str(error))
        return Made(files, faults)


def dailies(database: Path, folder: Path) -> dict[datetime, Path]:
    """Give the daily backups of a database by their times; none where there is no folder."""
    try:
        files = list(folder.iterdir())
    except OSError:
        return {}
    found = retention.dailies(database.stem, database.suffix, [path.name for path in files])
    return {moment: folder / name for moment, name in found.items()}


def climb(database: Path, folder: Path) -> None:
    """Remove the daily backups that the ladder has no step for; nothing else.

    Raises:
        OSError: one can't be removed.

    """
    made = dailies(database, folder)
    for moment in retention.superfluous(made):
        made[moment].unlink(missing_ok=True)


def _is_same(archive: Path, database: Path) -> bool:
    # While an archive is made, the live file bears its name, too.
    try:
        return archive.samefile(database)
    except OSError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep the folder to one backup at a time, and clear what one that died has left.

    Raises:
        StoreError: the folder isn't there, can't be written, or has a backup under way.

    """
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder} for backups; make it, or set another backup_folder")
    try:
        with (folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in folder.glob(f"*.gz*{PART}*"):
                part.unlink()
            yield
    except BlockingIOError:
        raise StoreError(f"another backup to {folder} is under way; wait for that one") from None
    except PermissionError:
        raise StoreError(f"user {os.geteuid()} can't write in {folder}; see who owns it") from None
    except OSError as error:
        raise StoreError(f"the folder {folder} can't be used: {error.strerror}") from None
