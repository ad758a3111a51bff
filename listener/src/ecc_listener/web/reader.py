"""Short, read-only access to the database for a page."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecc_listener.storage.connection import StoreError, connect_readonly, explain

_WITHIN_S = 2.0
_STEPS = 10_000


class TooSlowError(StoreError):
    """Raised when a query takes too long for a page."""


@contextmanager
def reading(database: Path, within_s: float = _WITHIN_S) -> Iterator[sqlite3.Connection]:
    """Return a connection for a moment.

    Raises:
        TooSlowError: it took longer than `within_s`.
        StoreError: the file doesn't exist or can't be read.

    """
    connection = connect_readonly(database)
    until_s = time.monotonic() + within_s
    connection.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
    try:
        yield connection
    except sqlite3.Error as error:
        if "no such table" in str(error):
            raise StoreError(f"{database} is empty; the listener creates its tables at its start") from None
        if "interrupted" in str(error):
            raise TooSlowError(
                f"this takes longer than {within_s:g} s; choose a shorter time range or fewer rooms"
            ) from None
        raise StoreError(explain(error, database)) from None
    finally:
        connection.close()
