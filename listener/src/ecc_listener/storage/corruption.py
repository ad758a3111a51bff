"""A damaged database file: how it is recognised, and what happens to it.

It is moved aside with its `-wal` and `-shm` as `{name}-damaged-{last written}{ext}`, and stays there until
`ecc-listener recover` has read what can be read. Nothing of it is changed.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from operator import ne
from pathlib import Path
from urllib.parse import quote

from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.database_files import beside
from ecc_listener.storage.schema import COLUMNS, columns

CHECKED_WHOLE_BYTES = 64 << 20
"""Up to this size a file is checked as a whole when it is opened; a larger one as far as it is used."""

SIDE_FILES = ("-wal", "-shm", "-journal", "")
"""What a database consists of, by what follows its name; the file itself is the last."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DAMAGED_TEXTS = (
    *("Could not decode", "unsupported file format", "already exists", "no such table: ECC", "has no column"),
)
"""What SQLite says with the code of a wrong statement; those of this program are right."""
_RULES = ("NULL value in", "CHECK constraint failed", " value in ", "non-unique entry in index")
"""What the check says of rows that break a rule."""
_MAX_FOUND = 1000
_GARBLED_CHARACTERS = 2
_TIMEOUT_S = 2.0
_MAX_NAMES = 1000
_OURS = {"ECCTempHum", "ECCTempHumSensor", "ECCRejected"}


class DamagedError(Exception):
    """Raised when a file was checked and is damaged."""


def is_damage(error: BaseException) -> bool:
    """Return whether an error speaks of what is in the file, and not of the disk, of rights, or of others."""
    code = getattr(error, "sqlite_errorcode", None)
    return (
        isinstance(error, DamagedError)
        or (code is not None and code & 0xFF in _DAMAGED)
        or any(text in str(error) for text in _DAMAGED_TEXTS)
    )


def look(path: Path, inode: int = 0) -> None:
    """See that a file is ours, or new, and sound as far as that is quickly seen. Nothing of it is changed.

    `inode` is that of the file that this process had open.

    Raises:
        StoreError: it is another program's database.
        DamagedError: it is damaged.
        sqlite3.Error: likewise, or it can't be read.

    """
    if not path.exists():
        return
    uri = f"file:{quote(str(path.absolute()))}"
    # A journal that a crash has left must be rolled back, which is writing.
    mode = "rw" if Path(f"{path}-journal").exists() else "ro"
    with closing(sqlite3.connect(f"{uri}?mode={mode}", uri=True, timeout=_TIMEOUT_S)) as connection:
        tables = _tables(connection)
        if tables and not _OURS & tables:
            with closing(sqlite3.connect(f"{uri}?immutable=1", uri=True)) as alone:
                if path.stat().st_ino == inode or _OURS & _tables(alone):
                    raise DamagedError("pages of another database are in it")
            shown = ", ".join(map(repr, sorted(tables)[:5]))
            raise StoreError(
                f"{path} is another program's database (tables {shown}) and is left alone; "
                "give another database_file_path, or move it away"
            )
        if _is_garbled(_OURS, tables) or _is_garbled(COLUMNS, columns(connection, "ECCTempHum").values()):
            raise DamagedError("the names of its tables or columns are garbled")
        if path.stat().st_size <= CHECKED_WHOLE_BYTES and (found := check_pages(connection)):
            raise DamagedError(found)


def check_pages(connection: sqlite3.Connection, check: str = "quick_check") -> str | None:
    """Return what is physically damaged in a file, or None.

    That a row breaks a rule which somebody has added to a table is no damage.

    Raises:
        sqlite3.Error: it can't be read.

    """
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for (found,) in connection.execute(f"PRAGMA {check}({_MAX_FOUND})"):
        if found != "ok" and not any(text in found for text in _RULES):
            return " ".join(str(found).split())
    return None


def _is_garbled(expected: Iterable[str], present: Iterable[str]) -> bool:
    """Return whether a name is missing and another one differs from it in one or two characters."""
    there = {name.lower() for name in present}
    return any(
        len(name) == len(other) and sum(map(ne, name.lower(), other)) <= _GARBLED_CHARACTERS
        for name in expected
        if name.lower() not in there
        for other in there
    )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def set_aside(database: Path) -> Path:
    """Move a damaged file out of the way, with what belongs to it; give its new path.

    Raises:
        OSError: it could not be moved.

    """
    written = datetime.fromtimestamp(database.stat().st_mtime, UTC)
    name = f"{database.stem}-damaged-{written:%Y%m%d%H%M}"
    for number in range(1, _MAX_NAMES):
        ending = f"-{number}" if number > 1 else ""
        aside = database.with_name(f"{name}{ending}{database.suffix}")
        if not aside.exists():
            break
    # The file last: as long as it is there, a crash only has this done once more.
    for ending in SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{database}{ending}").rename(f"{aside}{ending}")
    return aside


def set_aside_files(database: Path) -> list[Path]:
    """Return the damaged files that lie beside a live file and wait for `ecc-listener recover`."""
    return beside(database, r"-damaged-\d{12}(-\d+)?")
