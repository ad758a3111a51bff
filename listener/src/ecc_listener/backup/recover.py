"""Recover the readings of a damaged database, page by page, into a new archive beside the live file.

The damaged file is not changed; afterwards its name has `-recovered-` in place of `-damaged-`. The listener
may run meanwhile.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ecc_listener.backup import page_reader
from ecc_listener.storage.archive import archive_name, link_free, new_file, sync
from ecc_listener.storage.corruption import SIDE_FILES

_WAL_HEADER, _FRAME_HEADER = 32, 24
_INSERT = {
    page_reader.READING_COLUMNS: "INSERT OR IGNORE INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    page_reader.SENSOR_COLUMNS: "INSERT OR IGNORE INTO ECCTempHumSensor VALUES (?, ?, ?, ?, ?)",
}


def recover_readings(path: Path, database: Path) -> tuple[Path | None, int]:
    """Write an archive of `database` with the readings of a damaged file; return it and their number.

    The archive is None if no readings were found.

    Raises:
        OSError, sqlite3.Error: a file can't be read, or the archive can't be written.

    """
    new = Path(f"{database}.recovering")
    with new_file(new) as connection:
        for row in _rows(path):
            connection.execute(_INSERT[len(row)], row)
        readings: int = connection.execute("SELECT count(*) FROM ECCTempHum").fetchone()[0]
        ends = (f"(SELECT {end}(recordWrittenUTC) FROM ECCTempHum)" for end in ("min", "max"))
        name = archive_name(connection, database, *ends) if readings else None
    archive = link_free(new, database, name) if name else None
    new.unlink()
    for ending in SIDE_FILES:
        with suppress(FileNotFoundError):
            file = Path(f"{path}{ending}")
            file.rename(file.with_name(file.name.replace("-damaged-", "-recovered-")))
    sync(database.absolute().parent)
    return archive, readings


def _rows(path: Path) -> Iterator[page_reader.Row]:
    """Yield the rows of a file's pages, then those of its WAL, which may be newer."""
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
