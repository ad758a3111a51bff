"""Rows and tables that another program wrote, and how they are read.

An original's database may have been changed by people for years: columns added or missing, no primary key,
times in other forms, NULL, text or blobs where a name or a number belongs, tables of this program that are
not there yet. Nothing of it is changed. On a connection to such a file, `adapt` puts temporary views in
front of the tables, so that every query of this program reads what a row means and leaves out what means
nothing: a row without a name, or without a time from 1970 to 2099. A regular file is read as it is.
`irregularity` finds out whether it is.
"""

import sqlite3
from pathlib import Path

from ecc_listener.storage.irregularity import (
    Irregularity,
    created,
    find_irregularity,
    has_expected_columns,
    has_rowid,
    read_irregular_rows,
    read_structure,
    regular_row,
)
from ecc_listener.storage.schema import COLUMNS, CREATE, NAME, NUMBERS, SENSOR_COLUMNS, TIME, columns
from ecc_listener.storage.values import DECODABLE, EXTREME, NO_NAME, REGULAR_TIME, add_functions


class OtherDatabaseError(Exception):
    """Raised when a database has none of the tables of this program."""


def adapt(connection: sqlite3.Connection, path: Path) -> Irregularity:
    """Put temporary views in front of the tables if the file is not regular; return why.

    Afterwards a write must name `main.ECCTempHum`: a view can't be written to.

    Raises:
        OtherDatabaseError: it is no database of this program or of the original.
        sqlite3.Error: the file can't be read.

    """
    structure = read_structure(connection, path)
    names = structure.names
    irregularity = find_irregularity(connection, path)
    if names and not any(name.startswith("ecc") for name in names):
        raise OtherDatabaseError(f"{path} is another program's database; choose another database_file_path")
    if irregularity.is_any or structure.lacks_tables:
        _shadow(connection, path, names, irregularity)
    return irregularity


def _shadow(
    connection: sqlite3.Connection, path: Path, names: frozenset[str], irregularity: Irregularity
) -> None:
    """Create in the temporary schema the tables that the file lacks, and views where it is irregular."""
    add_functions(connection)
    if irregularity.is_any:
        connection.text_factory = lambda data: data.decode(errors="replace")
    for statement, name in created():
        # Somebody's own table or view may have the name of one of this program's.
        is_own = name in names and has_expected_columns(connection, statement, name)
        is_shown_by_view = name in names and name in {"ecctemphum", "ecctemphumsensor"}
        if not is_shown_by_view and (not is_own or name == "ecclatest"):
            connection.execute(CREATE.sub(r"CREATE TEMP \1 IF NOT EXISTS \3", statement, count=1))
    if irregularity.is_any and "ecctemphum" in names:
        numbers = [
            (
                one,
                (
                    f"CASE WHEN +{one} < {EXTREME} AND +{one} > -{EXTREME} THEN {one}"
                    f" WHEN typeof({one}) = 'text' THEN ecc_number({one}) END"
                ),
            )
            for one in NUMBERS
        ]
        time = f"CASE WHEN {REGULAR_TIME} THEN {TIME} ELSE ecc_utc({TIME}) END"
        is_garbled = irregularity.has_garbled_texts
        rows = read_irregular_rows(connection, path, irregularity)
        if rows is None:
            readings = [(TIME, time), *numbers, (NAME, NAME)]
            _create_view(connection, "ECCTempHum", readings, is_garbled=is_garbled)
            newest = _NEWEST_BY_SCAN
        else:
            newest = _create_united_view(connection, rows, is_garbled=is_garbled)
        if "ecctemphumsensor" in names:
            texts = [(one, f"CASE typeof({one}) WHEN 'text' THEN {one} END") for one in SENSOR_COLUMNS[2:]]
            sensors = [(TIME, time), (NAME, NAME), *texts]
            _create_view(connection, "ECCTempHumSensor", sensors, is_garbled=is_garbled)
        connection.execute("DROP VIEW IF EXISTS temp.ECCLatest")
        connection.execute(f"CREATE TEMP VIEW ECCLatest AS {_LATEST.replace('NEWEST', newest)}")


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
    is_decodable = f" AND {DECODABLE}" if is_garbled else ""
    has_time = f"(({REGULAR_TIME}) OR ecc_utc({TIME}) IS NOT NULL)"
    where = f"NOT ({NO_NAME}){is_decodable} AND {has_time}" if is_named else "0"
    connection.execute(
        f"CREATE TEMP VIEW {table} AS SELECT {row} AS rowid, {shown} FROM main.{table} WHERE {where}"
    )


def _create_united_view(
    connection: sqlite3.Connection, rows: list[tuple[object, ...]], *, is_garbled: bool
) -> str:
    """Hide the table of readings behind its regular rows, through its indexes, and the interpreted ones.

    Return a query for the newest reading of each sensor.
    """
    present = columns(connection, "ECCTempHum")
    listed = ", ".join(COLUMNS)
    connection.execute(f"CREATE TEMP TABLE ECCInterpreted (row INTEGER, {listed})")
    connection.execute(f"CREATE INDEX temp.ECCInterpreted_idx ON ECCInterpreted ({NAME}, {TIME})")
    connection.executemany("INSERT INTO ECCInterpreted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    number = "rowid" if has_rowid(connection, "ECCTempHum") else "NULL"
    # With a plus, a number stays one, whatever the type of the column makes of it.
    shown = ", ".join(
        one if one in {TIME, NAME} else f"+{one} AS {one}" if one.lower() in present else f"NULL AS {one}"
        for one in COLUMNS
    )
    regular = regular_row(present, is_garbled=is_garbled)
    connection.execute(
        f"CREATE TEMP VIEW ECCTempHum AS SELECT {number} AS rowid, {shown} FROM main.ECCTempHum"
        f" WHERE {regular} UNION ALL SELECT row, {listed} FROM temp.ECCInterpreted"
    )
    ends = ", ".join(
        f"(SELECT {TIME} FROM main.ECCTempHum WHERE {NAME} = sensor.name AND {regular}"
        f" ORDER BY {TIME}{order} LIMIT 1) AS regular_{end},"
        f" (SELECT {end}({TIME}) FROM temp.ECCInterpreted WHERE {NAME} = sensor.name) AS other_{end}"
        for end, order in (("min", ""), ("max", " DESC"))
    )
    # Going from one name to the next in the index reads no row twice; texts stand between '' and x''.
    after = f"SELECT min({NAME}) FROM main.ECCTempHum WHERE {NAME} < x'' AND {NAME} >"
    connection.execute(
        f"CREATE TEMP VIEW {SPANS_VIEW} AS WITH RECURSIVE sensor(name) AS ({after} '' UNION ALL"
        f" SELECT ({after} name) FROM sensor WHERE name IS NOT NULL)"
        " SELECT name, min(coalesce(regular_min, other_min), coalesce(other_min, regular_min)) AS first,"
        " max(coalesce(regular_max, other_max), coalesce(other_max, regular_max)) AS last"
        f" FROM (SELECT name, {ends} FROM sensor WHERE name IS NOT NULL)"
        " WHERE coalesce(regular_min, other_min) IS NOT NULL"
    )
    newest = f"FROM {SPANS_VIEW} AS span CROSS JOIN {{}} AS one ON {NAME} = span.name AND {TIME} = span.last"
    return (
        f"SELECT * FROM (SELECT {shown} {newest.format('main.ECCTempHum')} AND {regular}"
        f" UNION ALL SELECT {listed} {newest.format('temp.ECCInterpreted')}) GROUP BY {NAME}"
    )


SPANS_VIEW = "ECCSpan"
"""A view of (sensor's name, time of its first, of its last reading) on a connection to an irregular file."""
_NEWEST_BY_SCAN = (
    f"SELECT max({TIME}) AS {TIME}, {', '.join(NUMBERS)}, {NAME} FROM ECCTempHum GROUP BY {NAME}"
)
_LATEST = f"""
    SELECT measured.*, coalesce(about.location, before.location) AS location,
        coalesce(about.MACaddress, before.MACaddress) AS MACaddress,
        coalesce(about.softwareVersion, before.softwareVersion) AS softwareVersion
    FROM (NEWEST) AS measured
    LEFT JOIN (SELECT max({TIME}), {", ".join(SENSOR_COLUMNS[1:])} FROM ECCTempHumSensor GROUP BY {NAME})
        AS about ON about.{NAME} = measured.{NAME}
    LEFT JOIN ECCKnownSensor AS before ON before.{NAME} = measured.{NAME}
    UNION ALL
    SELECT {", ".join(f"before.{one}" for one in (*COLUMNS, *SENSOR_COLUMNS[2:]))}
    FROM ECCKnownSensor AS before WHERE before.{NAME} NOT IN (SELECT {NAME} FROM (NEWEST))
"""
"""The view ECCLatest for a file whose key does not keep the rows of a sensor unique."""
