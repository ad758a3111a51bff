"""Read the rows on one page of a damaged database, given its bytes. Nothing else is read.

Each page of a table's rows describes by itself where they begin and what they are, so damage on other pages
does not matter. Source of the format: "Database File Format" at sqlite.org, sections 1.6 and 2.1.
"""

from collections.abc import Iterator
from contextlib import suppress
from struct import Struct
from typing import Any, NamedTuple

from ecc_listener.storage.values import read_number, read_utc

Row = tuple[Any, ...]

PAGE_SIZES = {1 << power for power in range(9, 17)}
USUAL_PAGE_SIZE = 4096
READING_COLUMNS, SENSOR_COLUMNS, VALUE_COLUMNS = 8, 5, 4

_FILE_HEADER = 100
_LEAF_OF_ROWS = 0x0D
_PAGE_HEADER = Struct(">BHHHB")
_POINTER = Struct(">H")
_REAL = Struct(">d")
_LENGTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}
_NULL, _IS_REAL, _ZERO, _ONE, _BLOB = 0, 7, 8, 9, 12
_ENCODINGS = {2: "utf-16-le", 3: "utf-16-be"}
_BEYOND = 1e9
"""No value of a sensor comes near this."""


def page_size(header: bytes) -> int:
    """Return the size in bytes of a file's pages by its first bytes; the usual size if they make no sense."""
    stored = int.from_bytes(header[16:18], "big")
    size = 1 << 16 if stored == 1 else stored
    return size if size in PAGE_SIZES else USUAL_PAGE_SIZE


class Layout(NamedTuple):
    """Where the values of a reading are in a stored row, and how text is encoded."""

    positions: tuple[int | None, ...] = tuple(range(READING_COLUMNS))
    """Of the original's columns, in its order; None for a column that the table lacks."""
    stored_columns: int = READING_COLUMNS
    encoding: str = "utf-8"


def encoding(header: bytes) -> str:
    """Return the text encoding of a file by its first bytes."""
    return _ENCODINGS.get(int.from_bytes(header[56:60], "big"), "utf-8")


def rows(page: bytes, layout: Layout, *, is_first: bool = False) -> Iterator[Row]:
    """Yield the rows on a page that are readings (8 columns), further numbers (4), or about sensors (5)."""
    for row in stored_rows(page, layout.encoding, is_first=is_first):
        if (reading := _reading(row, layout)) or _is_sensor(row) or _is_value(row):
            yield reading or (str(read_utc(row[0])), *row[1:])


def stored_rows(page: bytes, encoding: str, *, is_first: bool = False) -> Iterator[Row]:
    """Yield all rows on a page that can be read, of whatever table."""
    start = _FILE_HEADER if is_first else 0
    try:
        kind, _, count, _, _ = _PAGE_HEADER.unpack_from(page, start)
        if kind != _LEAF_OF_ROWS:
            return
        pointers = [_POINTER.unpack_from(page, start + 8 + 2 * number)[0] for number in range(count)]
    except Exception:  # noqa: BLE001 - whatever a damaged page holds
        return
    for pointer in pointers:
        with suppress(IndexError, KeyError, ValueError, OverflowError):
            yield _row(page, pointer, encoding)


def _row(page: bytes, at: int, encoding: str) -> Row:
    length, at = _varint(page, at)
    _, at = _varint(page, at)
    if length > len(page) - at:
        raise ValueError("it goes beyond the page")
    header_length, types_at = _varint(page, at)
    value_at, types_end = at + header_length, at + header_length
    row = []
    while types_at < types_end:
        kind, types_at = _varint(page, types_at)
        size = _LENGTHS[kind] if kind < _BLOB else (kind - _BLOB) // 2
        row.append(_value(kind, page[value_at : value_at + size], size, encoding))
        value_at += size
    return tuple(row)


def _value(kind: int, data: bytes, size: int, encoding: str) -> float | str | bytes | None:
    if len(data) != size:
        raise ValueError("it goes beyond the page")
    if kind >= _BLOB:
        return data.decode(encoding) if kind % 2 else data
    if kind == _IS_REAL:
        value: float = _REAL.unpack(data)[0]
        return value
    if kind in {_NULL, _ZERO, _ONE}:
        return {_NULL: None, _ZERO: 0, _ONE: 1}[kind]
    return int.from_bytes(data, "big", signed=True)


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for used in range(8):
        byte = page[at + used]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
            return value, at + used + 1
    return value << 8 | page[at + 8], at + 9


def _reading(row: Row, layout: Layout) -> Row | None:
    """Return the reading in a stored row, or None. A row that is older than a column lacks it at its end."""
    if len(row) > layout.stored_columns or (len(row) < READING_COLUMNS and len(row) < layout.stored_columns):
        return None
    values = [None if at is None or at >= len(row) else row[at] for at in layout.positions]
    utc, *numbers, name = values
    is_possible = all(not isinstance(one, int | float) or abs(one) < _BEYOND for one in numbers)
    if (text := read_utc(utc)) is None or not isinstance(name, str) or not name or not is_possible:
        return None
    return (text, *map(read_number, numbers), name)


def _is_value(row: Row) -> bool:
    return (
        len(row) == VALUE_COLUMNS
        and read_utc(row[0]) is not None
        and all(isinstance(one, str) for one in row[1:3])
        and isinstance(row[3], int | float)
        and abs(row[3]) < _BEYOND
    )


def _is_sensor(row: Row) -> bool:
    return (
        len(row) == SENSOR_COLUMNS
        and read_utc(row[0]) is not None
        and isinstance(row[1], str)
        and all(one is None or isinstance(one, str) for one in row[2:])
    )
