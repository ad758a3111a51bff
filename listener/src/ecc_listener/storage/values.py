"""What the values in the tables mean, whoever wrote them: times, names and numbers in all their forms."""

import sqlite3
from datetime import UTC, datetime
from functools import partial
from math import isfinite

from ecc_listener.storage.schema import NAME, TIME

FIRST_YEAR, YEAR_BEYOND = "1970", "2100"
_DIGITS = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
EXTREME = "1e99"
"""No number of a sensor is as large."""
NO_NAME = f"typeof({NAME}) <> 'text' OR {NAME} = ''"
DECODABLE = f"ecc_is_text(CAST({NAME} AS BLOB))"
"""SQL conditions on a row: that it has no name; that its name is text in the encoding of the file."""
REGULAR_TIME = (
    f"+{TIME} >= '{FIRST_YEAR}' AND +{TIME} < '{YEAR_BEYOND}'"
    f" AND datetime({TIME}, '+0 days') = substr({TIME}, 1, 19)"
    f" AND ({TIME} GLOB '{_DIGITS}.[0-9][0-9][0-9][0-9][0-9][0-9]' OR {TIME} GLOB '{_DIGITS}')"
)
"""SQL condition: the time is written as this program writes it."""


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
    return text if FIRST_YEAR <= text < YEAR_BEYOND else None


def read_number(value: object) -> float | None:
    """Return a number, also one that is written as text; None for what is not a finite number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and isfinite(value) else None


def is_text(data: object, encoding: str = "utf-8") -> bool:
    """Return whether bytes are a text in an encoding."""
    try:
        return isinstance(data, bytes) and data.decode(encoding) is not None
    except UnicodeDecodeError:
        return False


def add_functions(connection: sqlite3.Connection) -> None:
    """Let SQL call `ecc_utc`, `ecc_number` and `ecc_is_text` (of a blob) on a connection."""
    connection.create_function("ecc_utc", 1, read_utc, deterministic=True)
    connection.create_function("ecc_number", 1, read_number, deterministic=True)
    encoding = connection.execute("PRAGMA main.encoding").fetchone()[0].lower().replace("16l", "16-l")
    decodable = partial(is_text, encoding=encoding.replace("16b", "16-b"))
    connection.create_function("ecc_is_text", 1, decodable, deterministic=True)
