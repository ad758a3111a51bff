"""A look into the store's file for a page: read-only and short."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecc_listener.storage.connection import StoreError, connect_readonly, explain

_WITHIN_S = 2.0
_STEPS = 10_000


class TooSlowError(StoreError):
    """Raised when a query takes longer than a page may take."""


@contextmanager
def reading(database: Path, within_s: float = _WITHIN_S) -> Iterator[sqlite3.Connection]:
    """Lend a connection for a moment.

    Raises:
        TooSlowError: it took longer than `within_s`.
        StoreError: there is no file, or it can't be read.

    """
    connection = connect_readonly(database)
    until_s = time.monotonic() + within_s
    connection.set_progress_handler(lambda: time.monotonic() > until_s, _STEPS)
    try:
        yield connection
    except sqlite3.Error as error:
        if "no such table" in str(error):
            raise StoreError(f"{database} is not set up yet; the listener does it when it starts") from None
        if "interrupted" in str(error):
            raise TooSlowError(f"this takes longer than {within_s:g} s; ask for less at once") from None
        raise StoreError(explain(error, database)) from None
    finally:
        connection.close()
