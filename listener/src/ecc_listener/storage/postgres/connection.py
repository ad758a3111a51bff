"""Connections to PostgreSQL that take the SQLite file's statements: `?` for a value, times as UTC text."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader

from ecc_listener.storage.connection import StoreError

_CONNECT_TIMEOUT_S = 5
_DEAD_AFTER_S = 15
_SETTINGS = {
    "TimeZone": "UTC",
    "synchronous_commit": "on",
    # A listener whose machine or network is gone must not hold what it holds for hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": f"{_DEAD_AFTER_S}s",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "10s",
    "client_min_messages": "warning",
}
_FRACTION_DIGITS = 6


class _UtcTextLoader(Loader):
    """Reads a time as the text in the SQLite file's tables, `2020-12-19 03:04:05.678901`."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode().removesuffix("+00")
        moment, _, fraction = text.partition(".")
        return f"{moment}.{fraction.ljust(_FRACTION_DIGITS, '0')}"


class Connection:
    """A connection outside of a transaction; `psycopg` is the library's own one."""

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            psycopg.Error: the server can't be reached, or refuses.

        """
        self.psycopg: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=2,
            tcp_user_timeout=_DEAD_AFTER_S * 1000,
            application_name="ecc-listener",
        )
        try:
            self.psycopg.adapters.register_loader("timestamptz", _UtcTextLoader)
            self.psycopg.execute(
                "SELECT set_config(name, value, false)"
                " FROM unnest(%s::text[], %s::text[]) AS setting (name, value)",
                (list(_SETTINGS), list(_SETTINGS.values())),
            )
        except BaseException:
            self.psycopg.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        """Execute a statement with a value for each `?`."""
        return self.psycopg.execute(translated(statement), [storable(value) for value in values])

    def executemany(
        self, statement: str, rows: Iterable[Sequence[Any]], /
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """Execute a statement for each row of values."""
        cursor = self.psycopg.cursor()
        values = [[storable(value) for value in row] for row in rows]
        if values:
            cursor.executemany(translated(statement), values)
        return cursor

    def close(self) -> None:
        """Close it, also if it is broken."""
        self.psycopg.close()


def translated(statement: str) -> str:
    """Return a statement with the placeholders of psycopg."""
    return statement.replace("%", "%%").replace("?", "%s")


def storable(value: object) -> object:
    """Return a value that PostgreSQL takes: its texts hold no NUL and no half of a surrogate pair."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def explain(error: Exception) -> str:
    """Return why the database can't be used, and what to do; never the URL, which may hold a password."""
    text = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"PostgreSQL: {text}; let the user of database_url own the database"
    if isinstance(error, psycopg.errors.DiskFull):
        return f"PostgreSQL: its disk is full; free some space there ({text})"
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return f"PostgreSQL: this server only reads ({text}); name the primary server in database_url"
    if isinstance(error, psycopg.OperationalError):
        return f"PostgreSQL can't be used: {text}; check that it runs, and database_url"
    return f"PostgreSQL: {text}"


def connect(url: str) -> Connection:
    """Connect.

    Raises:
        StoreError: the server can't be reached, or refuses.

    """
    try:
        return Connection(url)
    except psycopg.Error as error:
        raise StoreError(explain(error)) from None
