"""A second database beside the one that is open, for queries over both, whatever its encoding."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from ecc_listener.storage.schema import NAME, NUMBERS, SENSOR_COLUMNS, TIME, columns, quoted


@contextmanager
def attached(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Attach a database as `other`, for reading.

    SQLite refuses one whose text encoding differs: its tables are copied to a temporary file beside the
    first database then.

    Raises:
        sqlite3.Error, OSError: it can't be read, or the copy can't be written.

    """
    encoding = connection.execute("PRAGMA main.encoding").fetchone()[0]
    source = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as other:
        is_same = other.execute("PRAGMA encoding").fetchone()[0] == encoding
        if is_same:
            with _attached(connection, source):
                yield
            return
        beside = Path(connection.execute("PRAGMA main.database_list").fetchone()[2]).parent
        with TemporaryDirectory(prefix="ecc-restore-", dir=beside) as folder:
            copy = Path(folder) / "other"
            _copy_tables(other, copy, encoding)
            with _attached(connection, f"file:{quote(str(copy))}?mode=ro"):
                yield


@contextmanager
def _attached(connection: sqlite3.Connection, uri: str) -> Iterator[None]:
    connection.execute("ATTACH ? AS other", (uri,))
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("DETACH other")


def _copy_tables(source: sqlite3.Connection, target: Path, encoding: str) -> None:
    source.text_factory = lambda data: data.decode(errors="replace")
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute(f"PRAGMA encoding = '{encoding}'")
        copy.execute("PRAGMA synchronous = OFF")
        copy.execute("BEGIN")
        tables = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND lower(name) LIKE 'ecc%'"
        for table, sql in source.execute(tables).fetchall():
            copy.execute(sql)
            names = ", ".join(map(quoted, columns(source, table).values()))
            places = ", ".join("?" * len(columns(source, table)))
            rows = source.execute(f"SELECT {names} FROM {quoted(table)}")
            copy.executemany(f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})", rows)
        copy.execute("COMMIT")


def same_key_exists(schema: str, table: str = "ECCTempHum") -> str:
    """Return the subquery whether a table of an attached file has a row with the key of the row `one`."""
    return (
        f"SELECT 1 FROM {schema}.{table} AS other WHERE other.{NAME} = one.{NAME}"
        f" AND other.{TIME} = one.{TIME}"
    )


def same_row_exists(schema: str, table: str = "ECCTempHum") -> str:
    """Return the same for rows that may lack a name or a time: those are the same if all values are."""
    values = NUMBERS if table == "ECCTempHum" else SENSOR_COLUMNS[2:]
    mine, others = (", ".join(f"{which}.{value}" for value in values) for which in ("one", "other"))
    is_keyed = f"one.{NAME} IS NOT NULL AND one.{TIME} IS NOT NULL"
    return (
        f"SELECT 1 FROM {schema}.{table} AS other WHERE other.{NAME} IS one.{NAME}"
        f" AND other.{TIME} IS one.{TIME} AND (({is_keyed}) OR ({others}) IS ({mine}))"
    )
