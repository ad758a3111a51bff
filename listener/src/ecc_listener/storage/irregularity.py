"""How a file differs from what this program writes, in its tables and in its rows.

To know that takes reading all of it. The listener does so when it opens the file and notes the result in
`ECCCounter`, so that readers of a large file need not; those of a small one, or of one that the listener has
never opened, examine it themselves, and remember it for as long as they run.
"""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ecc_listener.storage.schema import (
    COLUMNS,
    CREATE,
    MIGRATIONS,
    NAME,
    NOTED_GARBLED,
    NOTED_IRREGULAR,
    NOTED_ROW,
    NOTED_UNREADABLE,
    NUMBERS,
    SENSOR_COLUMNS,
    TIME,
    columns,
)
from ecc_listener.storage.values import (
    DECODABLE,
    EXTREME,
    FIRST_YEAR,
    NO_NAME,
    REGULAR_TIME,
    add_functions,
    is_text,
)

_EXAMINED_BYTES = 16 << 20
"""Up to this size, some 100,000 rows, each process examines a file that the listener has opened, too."""
_QUICKLY_CHECKED = 100_000
"""Rows that are checked again at each start rather than written down."""
_MAX_REMEMBERED = 1024
_MAX_INTERPRETED = 10_000
"""Rows that are interpreted once and kept in memory; beyond that every query interprets them."""


class Irregularity(NamedTuple):
    """What keeps a file from being read as it is."""

    has_other_tables: bool
    """Whether columns, rowid or key are other than the original's."""
    irregular_rows: int
    unreadable_rows: int
    """Of these, the rows that mean nothing: without a name or a time."""
    has_garbled_texts: bool = False
    """Whether a name or location is not in the encoding of the file."""

    @property
    def is_any(self) -> bool:
        """Whether the file needs temporary views."""
        return self.has_other_tables or self.has_garbled_texts or self.irregular_rows > 0


class Structure(NamedTuple):
    """The tables of a file."""

    names: frozenset[str]
    """Of all tables, views and indexes, in lower case."""
    key_columns: tuple[str, ...]
    """The columns of a reading's time and name, as far as there are any."""
    has_other_tables: bool
    has_rowid: bool
    lacks_tables: bool
    """Whether one of this program's tables or views is not there, or is somebody else's."""

    @property
    def has_readings(self) -> bool:
        """Whether there is a table of readings."""
        return "ecctemphum" in self.names

    @property
    def is_opened(self) -> bool:
        """Whether the listener has opened the file."""
        return {"ecccounter", "eccdelivery"} <= self.names


class _Examined(NamedTuple):
    identity: tuple[object, ...]
    """What tells the file from one that it was before, or another one that has got its inode."""
    size_and_time: tuple[int, int]
    last_rowid: int
    irregularity: Irregularity


_STRUCTURES: dict[tuple[object, ...], Structure] = {}
_EXAMINED: dict[tuple[int, int], _Examined] = {}
_INTERPRETED: dict[tuple[int, int], tuple[tuple[object, ...], list[tuple[object, ...]]]] = {}
"""Both by device and inode."""


def find_irregularity(connection: sqlite3.Connection, path: Path) -> Irregularity:
    """Return what is irregular in a file, as it is noted there or as it is found.

    Raises:
        sqlite3.Error, OSError: the file can't be read.

    """
    found = read_structure(connection, path)
    if not found.has_readings:
        return Irregularity(has_other_tables=False, irregular_rows=0, unreadable_rows=0)
    if found.is_opened and path.stat().st_size > _EXAMINED_BYTES:
        noted = dict(connection.execute("SELECT name, value FROM main.ECCCounter").fetchall())
        counts = noted.get(NOTED_IRREGULAR, 0), noted.get(NOTED_UNREADABLE, 0)
        return Irregularity(found.has_other_tables, *counts, bool(noted.get(NOTED_GARBLED, 0)))
    return _examined(connection, path, found)


def read_structure(connection: sqlite3.Connection, path: Path) -> Structure:
    """Return the tables of a file; what has not changed is remembered.

    Raises:
        sqlite3.Error, OSError: the file can't be read.

    """
    # The texts themselves: an inode is used again, and two files can be alike in all their numbers.
    query = (
        "SELECT CAST(group_concat(coalesce(sql, name)) AS BLOB), (SELECT * FROM pragma_schema_version),"
        " (SELECT * FROM pragma_user_version) FROM main.sqlite_master"
    )
    status = path.stat()
    key = status.st_dev, status.st_ino, *connection.execute(query).fetchone()
    if key not in _STRUCTURES:
        if len(_STRUCTURES) >= _MAX_REMEMBERED:
            _STRUCTURES.clear()
        names = frozenset(row[0].lower() for row in connection.execute("SELECT name FROM main.sqlite_master"))
        present = columns(connection, "ECCTempHum")
        _STRUCTURES[key] = Structure(
            names,
            tuple(present[one.lower()] for one in (TIME, NAME) if one.lower() in present),
            _has_other_tables(connection),
            has_rowid(connection, "ECCTempHum"),
            _lacks_tables(connection, names),
        )
    return _STRUCTURES[key]


def examine(connection: sqlite3.Connection, after_rowid: int | None = None) -> Irregularity:
    """Read the rows of a file, those after a rowid or all of them, and find what is irregular.

    Raises:
        sqlite3.Error: the file can't be read.

    """
    add_functions(connection)
    present = columns(connection, "ECCTempHum").keys()
    garbled = _has_undecodable_texts(connection)
    other = _has_other_tables(connection)
    if not {TIME.lower(), NAME.lower()} <= present:
        total = connection.execute("SELECT count(*) FROM main.ECCTempHum").fetchone()[0]
        return Irregularity(has_other_tables=True, irregular_rows=total, unreadable_rows=total)
    is_named = f"NOT ({NO_NAME})" + (f" AND {DECODABLE}" if garbled else "")
    regular = regular_row(present, is_garbled=garbled)
    is_part = after_rowid is not None and has_rowid(connection, "ECCTempHum")
    after = f"rowid > {after_rowid} AND" if is_part else ""
    rows, unreadable = connection.execute(
        f"SELECT count(*), coalesce(sum(NOT ({is_named}) OR ecc_utc({TIME}) IS NULL), 0)"
        f" FROM main.ECCTempHum WHERE {after} NOT coalesce({regular}, 0)"
    ).fetchone()
    return Irregularity(other, rows, unreadable, garbled)


def regular_row(present: Collection[str], *, is_garbled: bool) -> str:
    """Return the SQL condition that a row needs no interpretation; `present` are the table's columns."""
    numbers = [
        f"({one} IS NULL OR (+{one} < {EXTREME} AND +{one} > -{EXTREME}))"
        for one in NUMBERS
        if one.lower() in present
    ]
    is_decodable = [DECODABLE] if is_garbled else []
    return " AND ".join([REGULAR_TIME, f"NOT ({NO_NAME})", *is_decodable, *numbers])


def read_irregular_rows(
    connection: sqlite3.Connection, path: Path, found: Irregularity
) -> list[tuple[object, ...]] | None:
    """Return (rowid, *columns) of the rows that need interpretation, with what they mean.

    None is returned if there are too many of them, or if the table lacks times or names.

    Raises:
        sqlite3.Error, OSError: the file can't be read.

    """
    structure = read_structure(connection, path)
    readable = found.irregular_rows - found.unreadable_rows
    if readable > _MAX_INTERPRETED or len(structure.key_columns) < 2:  # noqa: PLR2004 - time and name
        return None
    if readable == 0:
        return []
    status = path.stat()
    key = status.st_dev, status.st_ino
    identity = structure, _first_row(connection, structure), found
    if key not in _INTERPRETED or _INTERPRETED[key][0] != identity:
        if len(_INTERPRETED) >= _MAX_REMEMBERED:
            _INTERPRETED.clear()
        present = columns(connection, "ECCTempHum")
        numbers = [f"ecc_number({one})" if one.lower() in present else "NULL" for one in NUMBERS]
        is_decodable = f" AND {DECODABLE}" if found.has_garbled_texts else ""
        regular = regular_row(present, is_garbled=found.has_garbled_texts)
        rows = connection.execute(
            f"SELECT {'rowid' if structure.has_rowid else 'NULL'}, ecc_utc({TIME}),"
            f" {', '.join(numbers)}, {NAME}"
            f" FROM main.ECCTempHum WHERE NOT coalesce({regular}, 0)"
            f" AND NOT ({NO_NAME}){is_decodable} AND ecc_utc({TIME}) IS NOT NULL"
        ).fetchall()
        _INTERPRETED[key] = identity, rows
    return _INTERPRETED[key][1]


def note(connection: sqlite3.Connection) -> Irregularity:
    """Examine the rows that came since the last time and note the result in the file; return it.

    Raises:
        sqlite3.Error: the file can't be read or written.

    """
    noted = dict(connection.execute("SELECT name, value FROM main.ECCCounter").fetchall())
    checked = noted.get(NOTED_ROW)
    found = examine(connection, checked)
    last = 0
    if has_rowid(connection, "ECCTempHum"):
        last = connection.execute("SELECT coalesce(max(rowid), 0) FROM main.ECCTempHum").fetchone()[0]
        if checked is not None:
            found = found._replace(
                irregular_rows=found.irregular_rows + noted.get(NOTED_IRREGULAR, 0),
                unreadable_rows=found.unreadable_rows + noted.get(NOTED_UNREADABLE, 0),
            )
    values = {
        NOTED_ROW: last,
        NOTED_IRREGULAR: found.irregular_rows,
        NOTED_UNREADABLE: found.unreadable_rows,
        NOTED_GARBLED: int(found.has_garbled_texts),
    }
    is_news = any(value != noted.get(name, 0) for name, value in values.items() if name != NOTED_ROW)
    if is_news or last - (checked or 0) > _QUICKLY_CHECKED:
        connection.executemany("INSERT OR REPLACE INTO main.ECCCounter VALUES (?, ?)", values.items())
    return found


def refusal(connection: sqlite3.Connection) -> str | None:
    """Return why the table takes no new readings, or changes them; None if it takes them. Nothing is stored.

    Raises:
        sqlite3.Error: the file can't be written.

    """
    names = ("ECC trial 1", "ECC trial 2")
    times = (f"{FIRST_YEAR}-01-01 00:00:00.000001", f"{FIRST_YEAR}-01-01 00:00:00.000002")
    rows = [(time, 1.5, 2.5, 3.5, 4.5, 5.5, -6, name) for name in names for time in times]
    connection.execute("SAVEPOINT trial")
    try:
        listed = ", ".join(COLUMNS)
        connection.executemany(
            f"INSERT INTO main.ECCTempHum ({listed}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
        )
        query = f"SELECT {listed} FROM main.ECCTempHum WHERE {NAME} IN (?, ?) ORDER BY {NAME}, {TIME}"
        if connection.execute(query, names).fetchall() != rows:
            return "a trigger changes what is inserted"
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR}:
            return str(error)
        raise
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO trial")
            connection.execute("RELEASE trial")
    return None


def has_rules(connection: sqlite3.Connection) -> bool:
    """Return whether the table of readings is another one than this program creates, or has triggers."""
    query = "SELECT lower(type), sql FROM main.sqlite_master WHERE lower(tbl_name) = 'ecctemphum'"
    own = {"".join(one.replace(" IF NOT EXISTS", "").split()).lower() for one in MIGRATIONS[0]}
    return any(
        kind == "trigger" or (sql and "".join(sql.split()).lower() not in own)
        for kind, sql in connection.execute(query)
    )


def has_rowid(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether the rows of a table have a number: not WITHOUT ROWID, nor a column of that name."""
    if "rowid" in columns(connection, table):
        return False
    try:
        connection.execute(f"SELECT rowid FROM main.{table} LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _has_undecodable_texts(connection: sqlite3.Connection) -> bool:
    """Return whether a name or a text about a sensor is not UTF-8: a shell may write another encoding."""
    decode, connection.text_factory = connection.text_factory, bytes
    try:
        queries = []
        if NAME.lower() in columns(connection, "ECCTempHum"):
            queries.append(f"SELECT DISTINCT {NAME} FROM main.ECCTempHum")
        if columns(connection, "ECCTempHumSensor"):
            queries.append("SELECT DISTINCT * FROM main.ECCTempHumSensor")
        return any(
            isinstance(value, bytes) and not is_text(value)
            for query in queries
            for row in connection.execute(query)
            for value in row
        )
    finally:
        connection.text_factory = decode


def _has_other_tables(connection: sqlite3.Connection) -> bool:
    return _is_other(connection, "ECCTempHum", COLUMNS) or _is_other(
        connection, "ECCTempHumSensor", SENSOR_COLUMNS
    )


def _is_other(connection: sqlite3.Connection, table: str, expected: Iterable[str]) -> bool:
    """Return whether a table lacks a column, the rowid, or the key that keeps its rows unique."""
    present = columns(connection, table)
    if not present:
        return False
    if not {one.lower() for one in expected} <= present.keys() or not has_rowid(connection, table):
        return True
    for _, index, is_unique, _, is_partial in connection.execute(
        f"PRAGMA main.index_list({table})"
    ).fetchall():
        parts = [row[2] for row in connection.execute("SELECT * FROM pragma_index_info(?, 'main')", (index,))]
        if (
            is_unique
            and not is_partial
            and all(one and one.lower() in {TIME.lower(), NAME.lower()} for one in parts)
        ):
            return False
    return True


def _lacks_tables(connection: sqlite3.Connection, names: frozenset[str]) -> bool:
    return any(
        name not in names or not has_expected_columns(connection, statement, name)
        for statement, name in created()
    )


def has_expected_columns(connection: sqlite3.Connection, statement: str, name: str) -> bool:
    """Return whether a table has the columns that a statement of a migration gives it."""
    expected = _expected(statement)
    return not expected or expected <= columns(connection, name).keys()


@lru_cache(maxsize=64)
def _expected(statement: str) -> frozenset[str]:
    """Return the columns of what a statement creates, in lower case; none for a view."""
    match = CREATE.match(statement)
    if match is None or match[1] != "TABLE":
        return frozenset()
    with closing(sqlite3.connect(":memory:")) as model:
        model.execute(statement)
        return frozenset(columns(model, match[3]))


@lru_cache(maxsize=1)
def created() -> tuple[tuple[str, str], ...]:
    """Return each table and view of the schema as (statement, name in lower case)."""
    found = {}
    for statement in (one for statements in MIGRATIONS for one in statements):
        match = CREATE.match(statement)
        if match and match[1] != "INDEX":
            found[match[3].lower()] = statement
    return tuple((statement, name) for name, statement in found.items())


def _examined(connection: sqlite3.Connection, path: Path, structure: Structure) -> Irregularity:
    """Return what is irregular in a file; rows that this process has examined are not read again."""
    status = path.stat()
    key = status.st_dev, status.st_ino
    last = 0
    if structure.has_rowid:
        last = connection.execute("SELECT coalesce(max(rowid), 0) FROM main.ECCTempHum").fetchone()[0]
    known = _EXAMINED.get(key)
    size_and_time = status.st_size, status.st_mtime_ns
    identity = structure, _first_row(connection, structure)
    if known and (known.identity, known.size_and_time, known.last_rowid) == (identity, size_and_time, last):
        return known.irregularity
    if known and known.identity == identity and 0 < known.last_rowid <= last:
        found = examine(connection, known.last_rowid)
        found = found._replace(
            irregular_rows=found.irregular_rows + known.irregularity.irregular_rows,
            unreadable_rows=found.unreadable_rows + known.irregularity.unreadable_rows,
        )
    else:
        found = examine(connection)
    if len(_EXAMINED) >= _MAX_REMEMBERED:
        _EXAMINED.clear()
    _EXAMINED[key] = _Examined(identity, size_and_time, last, found)
    return found


def _first_row(connection: sqlite3.Connection, structure: Structure) -> str:
    quotes = " || ".join(f"hex({name})" for name in structure.key_columns) or "''"
    row = connection.execute(f"SELECT {quotes} FROM main.ECCTempHum NOT INDEXED LIMIT 1").fetchone()
    return str(row[0]) if row else ""
