"""`ecc-listener recover`: read what can be read of a damaged database, and make it part of the history again.

The readings become an archive beside the live file; the damaged file is left as it is, and is then named
`-recovered-` in place of `-damaged-`. The listener may run meanwhile.
"""

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ecc_listener.backup import page_reader
from ecc_listener.settings import Settings
from ecc_listener.storage.archive import archive_name, filled, link_free, sync
from ecc_listener.storage.connection import StoreError, explain
from ecc_listener.storage.corruption import SIDE_FILES, set_aside_files

_WAL_HEADER, _FRAME_HEADER = 32, 24
_INSERT = {
    page_reader.READING_COLUMNS: "INSERT OR IGNORE INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    page_reader.SENSOR_COLUMNS: "INSERT OR IGNORE INTO ECCTempHumSensor VALUES (?, ?, ?, ?, ?)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this verb takes."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="damaged files; without: all that were moved aside",
    )


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Recover, and say what; give the exit status.

    Raises:
        StoreError: a file can't be read, or the archive can't be written.

    """
    database = settings.database_file_path
    files = arguments.get("files") or set_aside_files(database)
    if not isinstance(files, list) or not files:
        print(f"No damaged file lies beside {database}.")
        return 0
    for path in files:
        with suppress(FileNotFoundError):
            if path.samefile(database):
                raise StoreError(
                    f"{path} is the live file; the listener moves it aside itself if it is damaged"
                )
        try:
            archive, readings = recover(path, database)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(explain(error, path)) from None
        if archive is None:
            print(f"{path.name}: no readings could be found in it.")
        else:
            print(f"{path.name}: {readings:,} readings recovered, now in {archive.name}")
    return 0


def recover(path: Path, database: Path) -> tuple[Path | None, int]:
    """Make an archive of `database` from what can be read of a damaged file; give it, and count its readings.

    Raises:
        OSError, sqlite3.Error: a file can't be read, or the archive can't be written.

    """
    new = Path(f"{database}.recovering")
    with filled(new) as connection:
        for row in _found(path):
            connection.execute(_INSERT[len(row)], row)
        readings: int = connection.execute("SELECT count(*) FROM ECCTempHum").fetchone()[0]
        ends = (f"(SELECT {end}(recordWrittenUTC) FROM ECCTempHum)" for end in ("min", "max"))
        name = archive_name(connection, database, *ends) if readings else None
    archive = link_free(new, database, name) if name else None
    new.unlink()
    for ending in SIDE_FILES:
        with suppress(FileNotFoundError):
            there = Path(f"{path}{ending}")
            there.rename(there.with_name(there.name.replace("-damaged-", "-recovered-")))
    sync(database.absolute().parent)
    return archive, readings


def _found(path: Path) -> Iterator[page_reader.Row]:
    """Give the rows of a file's pages, then those of its WAL, which may be newer."""
    with path.open("rb") as file:
        size = page_reader.page_size(file.read(_WAL_HEADER))
        file.seek(0)
        yield from page_reader.rows(file.read(size), is_first=True)
        while page := file.read(size):
            yield from page_reader.rows(page.ljust(size, b"\0"))
    with suppress(FileNotFoundError), Path(f"{path}-wal").open("rb") as wal:
        wal.seek(_WAL_HEADER)
        while header := wal.read(_FRAME_HEADER):
            page = wal.read(size)
            yield from page_reader.rows(page.ljust(size, b"\0"), is_first=header[:4] == b"\0\0\0\1")
