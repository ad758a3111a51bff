"""What statements for both SQLite and PostgreSQL need of a connection, and one that both use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of rows that were written."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a row has the types of its columns
        """Return the next row; None if there is none."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""


class Connection(Protocol):
    """A connection; `sqlite3.Connection` is one, `postgres.connection.Connection` another."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Execute a statement with a value for each `?`."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """Execute a statement for each row of values."""


def add_numbers(
    connection: Connection, table: str, where: str, key: Sequence[Any], numbers: Mapping[str, float]
) -> bool:
    """Add numbers, by their columns, to the row with a key if it lacks all of them; return whether it did.

    `where` is the condition with a `?` for each part of the key.
    """
    if not numbers:
        return True
    assigned = ", ".join(f"{name} = ?" for name in numbers)
    lacking = " AND ".join(f"{name} IS NULL" for name in numbers)
    update = f"UPDATE {table} SET {assigned} WHERE {where} AND {lacking}"
    return connection.execute(update, (*numbers.values(), *key)).rowcount == 1
