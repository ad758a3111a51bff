"""The place of a database: on a disk of this machine, and held by one process that writes."""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import IO

from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.mounts import network_file_system

MOUNTS = Path("/proc/self/mountinfo")


class StoreHeldError(StoreError):
    """Raised when another process writes to the database."""


class StoreTakenError(StoreError):
    """Raised when another process has written meanwhile under this one's name; only a restart helps."""


def hold(path: Path) -> IO[bytes]:
    """Hold a file beside the database, so that no second listener writes to it; let go by closing it.

    Raises:
        StoreHeldError: another process writes to the database.
        StoreError: the folder can't be written, or is no place for a database.

    """
    _refuse_network(path.absolute().parent)
    lock_path = Path(f"{path}.lock")
    try:
        lock = lock_path.open("wb")
    except OSError as error:
        raise StoreError(f"{lock_path} can't be written: {error.strerror}; see who owns the folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreHeldError(f"{path} is in use by another listener; stop that one first") from None
    return lock


def _refuse_network(folder: Path) -> None:
    with suppress(OSError):
        mounts = MOUNTS.read_text(errors="replace")
        if kind := network_file_system(folder.resolve(), mounts):
            raise StoreError(
                f"{folder} lies on a file system of another machine ({kind}), where a database gets damaged;"
                " use a folder on a disk of this one"
            )
