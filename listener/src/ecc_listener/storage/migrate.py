"""Bring a file to the newest schema, whoever has changed it.

`PRAGMA user_version` is the number of the migrations that a file has seen, as far as its tables confirm it:
somebody may have set the number, or dropped a table. An original database opens and goes on as it is; only
columns that its tables lack are added.
"""

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing

from ecc_listener.storage.connection import StoreError, atomic
from ecc_listener.storage.schema import COLUMNS, CREATE, MIGRATIONS, SENSOR_COLUMNS, columns, quoted

_NO_VERSION = 1000


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest schema, one transaction a step.

    Raises:
        StoreError: the file was written by a newer version of this program.

    """
    version, is_newer = seen_migrations(connection)
    if is_newer:
        stored = connection.execute("PRAGMA user_version").fetchone()[0]
        raise StoreError(
            f"the database is of schema {stored}, this program knows {len(MIGRATIONS)}: "
            "it was written by a newer version; install that one"
        )
    if version < len(MIGRATIONS):
        with atomic(connection):
            _add_missing_columns(connection)
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        with atomic(connection):
            for statement in statements:
                _apply(connection, statement)
            connection.execute(f"PRAGMA user_version = {number}")


def seen_migrations(connection: sqlite3.Connection) -> tuple[int, bool]:
    """Return how many migrations a file has seen, and whether a newer version of this program wrote it."""
    stored = connection.execute("PRAGMA user_version").fetchone()[0]
    present = {row[0].lower() for row in connection.execute("SELECT name FROM main.sqlite_master")}
    seen = 0
    for number, statements in enumerate(MIGRATIONS, 1):
        matches = [match for one in statements if (match := CREATE.match(one))]
        tables = {match[3].lower() for match in matches if match[1] == "TABLE"}
        if not tables <= present or (not tables and stored < number):
            break
        seen = number
    # Somebody else's number, or a flipped bit, is larger than any that this program will reach.
    is_ours = seen > 0 or "ecctemphum" not in present
    return seen, is_ours and len(MIGRATIONS) < stored < _NO_VERSION


def add_columns(
    connection: sqlite3.Connection, table: str, rows: Iterable[tuple[str, str, str | None]]
) -> None:
    """Add columns, each (name, type, default as SQL or None), to a table that may have rows.

    A default that SQLite allows only in new tables, such as the current time, is left out.
    """
    for name, kind, default in rows:
        statement = f"ALTER TABLE main.{table} ADD COLUMN {quoted(name)} {kind}"
        try:
            connection.execute(f"{statement} DEFAULT {default}" if default else statement)
        except sqlite3.OperationalError:
            connection.execute(statement)


def extra_columns(
    connection: sqlite3.Connection, table: str, schema: str = "main"
) -> list[tuple[str, str, str | None]]:
    """Return (name, type, default as SQL or None) of the columns that somebody has added to a table."""
    own = COLUMNS if table == "ECCTempHum" else SENSOR_COLUMNS
    known = {name.lower() for name in own}
    rows = connection.execute(f"PRAGMA {schema}.table_xinfo({quoted(table)})").fetchall()
    return [(row[1], row[2], row[4]) for row in rows if not row[6] and row[1].lower() not in known]


def _add_missing_columns(connection: sqlite3.Connection) -> None:
    for statement in MIGRATIONS[0]:
        match = CREATE.match(statement)
        if match and match[1] == "TABLE" and (present := columns(connection, match[3])):
            with closing(sqlite3.connect(":memory:")) as model:
                model.execute(statement)
                rows = model.execute(f"PRAGMA table_info({match[3]})").fetchall()
            missing = [(row[1], row[2], row[4]) for row in rows if row[1].lower() not in present]
            add_columns(connection, match[3], missing)


def _apply(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement of a migration; whatever has the name of what it creates gets another one."""
    match = CREATE.match(statement)
    if match and not match[2]:
        found = connection.execute(
            "SELECT type, name, sql FROM main.sqlite_master WHERE lower(name) = lower(?)", (match[3],)
        ).fetchone()
        if found and _is_as_created(connection, found[0], statement, match):
            return
        if found:
            _rename_away(connection, *found)
    connection.execute(statement)


def _is_as_created(connection: sqlite3.Connection, kind: str, statement: str, match: re.Match[str]) -> bool:
    if kind != match[1].lower() or kind == "view":
        return False
    if kind == "index":
        return True
    with closing(sqlite3.connect(":memory:")) as model:
        model.execute(statement)
        return columns(model, match[3]).keys() <= columns(connection, match[3]).keys()


def _rename_away(connection: sqlite3.Connection, kind: str, name: str, sql: str) -> None:
    present = {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master")}
    free = next(one for n in range(1, 1000) if (one := f"{name}_before_{n}") not in present)
    if kind == "table":
        # Otherwise a trigger of somebody's that is broken would prevent it.
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE main.{quoted(name)} RENAME TO {quoted(free)}")
        return
    connection.execute(f"DROP {kind} main.{quoted(name)}")
    if kind == "view" and not any(sql.split() == one.split() for many in MIGRATIONS for one in many):
        body = re.sub(r"(?is)^.*?\bview\b.*?(?=\(|\bas\b)", "", sql, count=1)
        connection.execute(f"CREATE VIEW {quoted(free)} {body}")
