"""Rows and tables that another program wrote, and how they are read.

An original's database may have been changed by people for years: columns added or missing, no primary key,
times in other forms, NULL, text or blobs where a name or a number belongs, tables of this program that are
not there yet. Nothing of it is changed. On a connection to such a file, `adapt` puts temporary views in
front of the tables, so that every query of this program reads what a row means and leaves out what means
nothing: a row without a name, or without a time from 1970 to 2099. A regular file is read as it is.

To know whether a file is regular takes reading all of it. The listener does so when it opens the file and
notes the result in `ECCCounter`, so that readers of a large file need not; those of a small one, or of one
that the listener has never opened, examine it themselves.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from ecc_listener.storage.schema import (
    COLUMNS,
    CREATE,
    MIGRATIONS,
    NAME,
    NOTED_IRREGULAR,
    NOTED_ROW,
    NOTED_UNREADABLE,
    NUMBERS,
    SENSOR_COLUMNS,
    TIME,
    columns,
)

_EXAMINED_BYTES = 16 << 20
"""Up to this size, some 100,000 rows, each process examines a file that the listener has opened, too."""
_QUICKLY_CHECKED = 100_000
"""Rows that are checked again at each start rather than written down."""
_FIRST, _BEYOND = "1970", "2100"
_DIGITS = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_EXTREME = "1e99"
_NO_NAME = f"typeof({NAME}) <> 'text' OR {NAME} = ''"
_DECODABLE = f"ecc_is_text(CAST({NAME} AS BLOB))"
_REGULAR_TIME = (
    f"+{TIME} >= '{_FIRST}' AND +{TIME} < '{_BEYOND}'"
    f" AND datetime({TIME}, '+0 days') = substr({TIME}, 1, 19)"
    f" AND ({TIME} GLOB '{_DIGITS}.[0-9][0-9][0-9][0-9][0-9][0-9]' OR {TIME} GLOB '{_DIGITS}')"
)


class OtherDatabaseError(Exception):
    """Raised when a database has none of the tables of this program."""


class Irregularity(NamedTuple):
    """What keeps a file from being read as it is."""

    has_other_tables: bool
    """Whether columns, rowid or key are other than the original's."""
    irregular_rows: int
    unreadable_rows: int
    """Of these, the rows that mean nothing: without a name or a time."""

    @property
    def is_any(self) -> bool:
        """Whether the file needs temporary views."""
        return self.has_other_tables or self.irregular_rows > 0


def read_utc(value: object) -> str | None:
    """Return the tables' UTC text for a time in any ISO 8601 form; without an offset it is UTC.

    None is returned for what is not a time from 1970 to 2099.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    text = moment.isoformat(sep=" ")
    if value == f"{text}.000000":
        text = value
    return text if _FIRST <= text < _BEYOND else None


def read_number(value: object) -> float | None:
    """Return a number, also one that is written as text; None for what is not a finite number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and isfinite(value) else None


def adapt(connection: sqlite3.Connection, path: Path) -> Irregularity:
    """Put temporary views in front of the tables if the file is not regular; return why.

    Afterwards a write must name `main.ECCTempHum`: a view can't be written to.

    Raises:
        OtherDatabaseError: it is no database of this program or of the original.
        sqlite3.Error: the file can't be read.

    """
    names = _names(connection)
    irregularity = find_irregularity(connection, path)
    if "ecctemphum" not in names and names and not any(name.startswith("ecc") for name in names):
        raise OtherDatabaseError(f"{path} is another program's database; choose another database_file_path")
    if irregularity.is_any or _lacks_tables(connection, names):
        _shadow(connection, names, irregularity)
    return irregularity


def find_irregularity(connection: sqlite3.Connection, path: Path) -> Irregularity:
    """Return what is irregular in a file, as it is noted there or as it is found.

    Raises:
        sqlite3.Error: the file can't be read.

    """
    names = _names(connection)
    if "ecctemphum" not in names:
        return Irregularity(has_other_tables=False, irregular_rows=0, unreadable_rows=0)
    noted = _noted(connection, names) if path.stat().st_size > _EXAMINED_BYTES else None
    return noted or _examined(connection, path)


def examine(connection: sqlite3.Connection, after_rowid: int | None = None) -> Irregularity:
    """Read the rows of a file, those after a rowid or all of them, and find what is irregular.

    Raises:
        sqlite3.Error: the file can't be read.

    """
    _add_functions(connection)
    present = columns(connection, "ECCTempHum").keys()
    garbled = _has_undecodable_texts(connection)
    other = (
        garbled
        or _is_other(connection, "ECCTempHum", COLUMNS)
        or _is_other(connection, "ECCTempHumSensor", SENSOR_COLUMNS)
    )
    if not {TIME.lower(), NAME.lower()} <= present:
        total = connection.execute("SELECT count(*) FROM main.ECCTempHum").fetchone()[0]
        return Irregularity(has_other_tables=True, irregular_rows=total, unreadable_rows=total)
    numbers = [
        f"({one} IS NULL OR (+{one} < {_EXTREME} AND +{one} > -{_EXTREME}))"
        for one in NUMBERS
        if one.lower() in present
    ]
    is_named = f"NOT ({_NO_NAME})" + (f" AND {_DECODABLE}" if garbled else "")
    regular = " AND ".join([_REGULAR_TIME, is_named, *numbers])
    is_part = after_rowid is not None and has_rowid(connection, "ECCTempHum")
    after = f"rowid > {after_rowid} AND" if is_part else ""
    rows, unreadable = connection.execute(
        f"SELECT count(*), coalesce(sum(NOT ({is_named}) OR ecc_utc({TIME}) IS NULL), 0)"
        f" FROM main.ECCTempHum WHERE {after} NOT coalesce({regular}, 0)"
    ).fetchone()
    return Irregularity(other, rows, unreadable)


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
    values = {NOTED_ROW: last, NOTED_IRREGULAR: found.irregular_rows, NOTED_UNREADABLE: found.unreadable_rows}
    is_news = any(values[name] != noted.get(name, 0) for name in (NOTED_IRREGULAR, NOTED_UNREADABLE))
    if is_news or last - (checked or 0) > _QUICKLY_CHECKED:
        connection.executemany("INSERT OR REPLACE INTO main.ECCCounter VALUES (?, ?)", values.items())
    return found


def refusal(connection: sqlite3.Connection) -> str | None:
    """Return why the table takes no new readings, or changes them; None if it takes them. Nothing is stored.

    Raises:
        sqlite3.Error: the file can't be written.

    """
    names = ("ECC trial 1", "ECC trial 2")
    times = (f"{_FIRST}-01-01 00:00:00.000001", f"{_FIRST}-01-01 00:00:00.000002")
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


def _is_text(data: object, encoding: str = "utf-8") -> bool:
    try:
        return isinstance(data, bytes) and data.decode(encoding) is not None
    except UnicodeDecodeError:
        return False


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
            isinstance(value, bytes) and not _is_text(value)
            for query in queries
            for row in connection.execute(query)
            for value in row
        )
    finally:
        connection.text_factory = decode


def _names(connection: sqlite3.Connection) -> set[str]:
    return {row[0].lower() for row in connection.execute("SELECT name FROM main.sqlite_master")}


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


def _lacks_tables(connection: sqlite3.Connection, names: set[str]) -> bool:
    if (
        connection.execute("PRAGMA main.user_version").fetchone()[0] == len(MIGRATIONS)
        and "eccdelivery" in names
    ):
        return False
    return any(
        name not in names or not _has_expected_columns(connection, statement, name)
        for statement, name in _created()
    )


def _has_expected_columns(connection: sqlite3.Connection, statement: str, name: str) -> bool:
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
def _created() -> tuple[tuple[str, str], ...]:
    """Return each table and view of the schema as (statement, name in lower case)."""
    found = {}
    for statement in (one for statements in MIGRATIONS for one in statements):
        match = CREATE.match(statement)
        if match and match[1] != "INDEX":
            found[match[3].lower()] = statement
    return tuple((statement, name) for name, statement in found.items())


def _noted(connection: sqlite3.Connection, names: set[str]) -> Irregularity | None:
    """Return what the listener has noted in a file of its own; None in a file that it has not opened yet."""
    if "ecccounter" not in names or "eccdelivery" not in names:
        return None
    noted = dict(connection.execute("SELECT name, value FROM main.ECCCounter").fetchall())
    other = _is_other(connection, "ECCTempHum", COLUMNS) or _is_other(
        connection, "ECCTempHumSensor", SENSOR_COLUMNS
    )
    return Irregularity(other, noted.get(NOTED_IRREGULAR, 0), noted.get(NOTED_UNREADABLE, 0))


def _examined(connection: sqlite3.Connection, path: Path) -> Irregularity:
    """Return what is irregular in a file; rows that this process has examined are not read again."""
    status = path.stat()
    key = status.st_dev, status.st_ino
    known = _EXAMINED.get(key)
    last = 0
    if has_rowid(connection, "ECCTempHum"):
        last = connection.execute("SELECT coalesce(max(rowid), 0) FROM main.ECCTempHum").fetchone()[0]
    schema = connection.execute("PRAGMA main.schema_version").fetchone()[0]
    identity = status.st_size, status.st_mtime_ns, schema, _first_row(connection)
    if known and known.identity == identity and known.last_rowid == last:
        return known.irregularity
    if known and last and known.identity[2:] == identity[2:] and known.last_rowid <= last:
        found = examine(connection, known.last_rowid)
        found = found._replace(
            irregular_rows=found.irregular_rows + known.irregularity.irregular_rows,
            unreadable_rows=found.unreadable_rows + known.irregularity.unreadable_rows,
        )
    else:
        found = examine(connection)
    if len(_EXAMINED) >= _MAX_EXAMINED:
        _EXAMINED.clear()
    _EXAMINED[key] = _Examined(identity, last, found)
    return found


def _first_row(connection: sqlite3.Connection) -> str:
    """Return what tells a file from another one that has got its inode."""
    names = [
        name
        for name in columns(connection, "ECCTempHum").values()
        if name.lower() in {TIME.lower(), NAME.lower()}
    ]
    quotes = " || ".join(f"hex({name})" for name in names) or "''"
    row = connection.execute(f"SELECT {quotes} FROM main.ECCTempHum NOT INDEXED LIMIT 1").fetchone()
    return str(row[0]) if row else ""


class _Examined(NamedTuple):
    identity: tuple[int, int, int, str]
    """Size, time of the last change in nanoseconds, version of the schema, and first row."""
    last_rowid: int
    irregularity: Irregularity


_MAX_EXAMINED = 1024
_EXAMINED: dict[tuple[int, int], _Examined] = {}
"""By device and inode."""


def _add_functions(connection: sqlite3.Connection) -> None:
    connection.create_function("ecc_utc", 1, read_utc, deterministic=True)
    connection.create_function("ecc_number", 1, read_number, deterministic=True)
    encoding = connection.execute("PRAGMA main.encoding").fetchone()[0].lower().replace("16l", "16-l")
    is_text = partial(_is_text, encoding=encoding.replace("16b", "16-b"))
    connection.create_function("ecc_is_text", 1, is_text, deterministic=True)


def _shadow(connection: sqlite3.Connection, names: set[str], irregularity: Irregularity) -> None:
    """Create in the temporary schema the tables that the file lacks, and views where it is irregular."""
    _add_functions(connection)
    if irregularity.is_any:
        connection.text_factory = lambda data: data.decode(errors="replace")
    for statement, name in _created():
        # Somebody's own table or view may have the name of one of this program's.
        is_own = name in names and _has_expected_columns(connection, statement, name)
        is_shown_by_view = name in names and name in {"ecctemphum", "ecctemphumsensor"}
        if not is_shown_by_view and (not is_own or name == "ecclatest"):
            connection.execute(CREATE.sub(r"CREATE TEMP \1 IF NOT EXISTS \3", statement, count=1))
    if irregularity.is_any and "ecctemphum" in names:
        numbers = [
            (
                one,
                (
                    f"CASE WHEN +{one} < {_EXTREME} AND +{one} > -{_EXTREME} THEN {one}"
                    f" WHEN typeof({one}) = 'text' THEN ecc_number({one}) END"
                ),
            )
            for one in NUMBERS
        ]
        time = f"CASE WHEN {_REGULAR_TIME} THEN {TIME} ELSE ecc_utc({TIME}) END"
        is_garbled = _has_undecodable_texts(connection)
        readings = [(TIME, time), *numbers, (NAME, NAME)]
        _create_view(connection, "ECCTempHum", readings, is_garbled=is_garbled)
        if "ecctemphumsensor" in names:
            texts = [(one, f"CASE typeof({one}) WHEN 'text' THEN {one} END") for one in SENSOR_COLUMNS[2:]]
            sensors = [(TIME, time), (NAME, NAME), *texts]
            _create_view(connection, "ECCTempHumSensor", sensors, is_garbled=is_garbled)
        connection.execute("DROP VIEW IF EXISTS temp.ECCLatest")
        connection.execute(f"CREATE TEMP VIEW ECCLatest AS {_LATEST}")


def _create_view(
    connection: sqlite3.Connection, table: str, meanings: list[tuple[str, str]], *, is_garbled: bool
) -> None:
    """Hide a table behind a view that gives each column its meaning, and leaves out what has none."""
    present = columns(connection, table)
    row = "rowid" if has_rowid(connection, table) else "NULL"
    shown = ", ".join(
        f"{meaning if name.lower() in present else 'NULL'} AS {name}" for name, meaning in meanings
    )
    is_named = {TIME.lower(), NAME.lower()} <= present.keys()
    is_decodable = f" AND {_DECODABLE}" if is_garbled else ""
    has_time = f"(({_REGULAR_TIME}) OR ecc_utc({TIME}) IS NOT NULL)"
    where = f"NOT ({_NO_NAME}){is_decodable} AND {has_time}" if is_named else "0"
    connection.execute(
        f"CREATE TEMP VIEW {table} AS SELECT {row} AS rowid, {shown} FROM main.{table} WHERE {where}"
    )


_LATEST = f"""
    SELECT measured.*, coalesce(about.location, before.location) AS location,
        coalesce(about.MACaddress, before.MACaddress) AS MACaddress,
        coalesce(about.softwareVersion, before.softwareVersion) AS softwareVersion
    FROM (SELECT max({TIME}) AS {TIME}, {", ".join(NUMBERS)}, {NAME} FROM ECCTempHum GROUP BY {NAME})
        AS measured
    LEFT JOIN (SELECT max({TIME}), {", ".join(SENSOR_COLUMNS[1:])} FROM ECCTempHumSensor GROUP BY {NAME})
        AS about ON about.{NAME} = measured.{NAME}
    LEFT JOIN ECCKnownSensor AS before ON before.{NAME} = measured.{NAME}
    UNION ALL
    SELECT {", ".join(f"before.{one}" for one in (*COLUMNS, *SENSOR_COLUMNS[2:]))}
    FROM ECCKnownSensor AS before WHERE NOT EXISTS (SELECT 1 FROM ECCTempHum WHERE {NAME} = before.{NAME})
"""
"""The view ECCLatest for a file whose key does not keep the rows of a sensor unique."""
