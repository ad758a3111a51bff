"""Recover the readings of a damaged database, page by page, into a new archive beside the live file.

The damaged file is not changed; afterwards its name has `-recovered-` in place of `-damaged-`. The listener
may run meanwhile.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from ecc_listener.backup import page_reader
from ecc_listener.storage.archive import archive_name, link_free, new_file, sync
from ecc_listener.storage.corruption import SIDE_FILES
from ecc_listener.storage.schema import COLUMNS

_HEADER, _WAL_HEADER, _FRAME_HEADER = 100, 32, 24
_VIRTUAL, _SCHEMA_COLUMNS = 2, 5
_INSERT = {
    page_reader.READING_COLUMNS: "INSERT OR IGNORE INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    page_reader.SENSOR_COLUMNS: "INSERT OR IGNORE INTO ECCTempHumSensor VALUES (?, ?, ?, ?, ?)",
    page_reader.VALUE_COLUMNS: "INSERT OR IGNORE INTO ECCValue VALUES (?, ?, ?, ?)",
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
        header = file.read(_HEADER)
        size, encoding = page_reader.page_size(header), page_reader.encoding(header)
        file.seek(0)
        first = file.read(size)
        layout = _layout(path, first, encoding)
        yield from page_reader.rows(first, layout, is_first=True)
        while page := file.read(size):
            yield from page_reader.rows(page.ljust(size, b"\0"), layout)
    with suppress(FileNotFoundError), Path(f"{path}-wal").open("rb") as wal:
        wal.seek(_WAL_HEADER)
        while header := wal.read(_FRAME_HEADER):
            page = wal.read(size)
            is_first = header[:4] == b"\0\0\0\1"
            yield from page_reader.rows(page.ljust(size, b"\0"), layout, is_first=is_first)


def _layout(path: Path, first_page: bytes, encoding: str) -> page_reader.Layout:
    """Return where a reading's values are stored, by the table's SQL; the original's layout without it."""
    for sql in _table_sql(path, first_page, encoding):
        with suppress(sqlite3.Error), closing(sqlite3.connect(":memory:")) as model:
            model.execute(sql)
            columns = model.execute("PRAGMA table_xinfo(ECCTempHum)").fetchall()
            # A virtual column is computed, not stored.
            stored = [row[1].lower() for row in columns if row[6] != _VIRTUAL]
            positions = tuple(
                stored.index(name.lower()) if name.lower() in stored else None for name in COLUMNS
            )
            return page_reader.Layout(positions, len(stored), encoding)
    return page_reader.Layout(encoding=encoding)


def _table_sql(path: Path, first_page: bytes, encoding: str) -> Iterator[str]:
    """Yield the SQL of the table of readings as far as it can be found: by SQLite, then on the first page."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = 'ecctemphum'"
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as connection:
        yield from (str(row[0]) for row in connection.execute(query).fetchall())
    for row in page_reader.stored_rows(first_page, encoding, is_first=True):
        if row[:1] == ("table",) and len(row) == _SCHEMA_COLUMNS and str(row[1]).lower() == "ecctemphum":
            yield str(row[4])
