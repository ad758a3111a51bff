"""Read the rows on one page of a damaged database, given its bytes. Nothing else is read.

Each page of a table's rows describes by itself where they begin and what they are, so damage on other pages
does not matter. Source of the format: "Database File Format" at sqlite.org, sections 1.6 and 2.1.
"""

import re
from collections.abc import Iterator
from struct import Struct
from typing import Any

from ecc_listener.storage.foreign import read_utc

Row = tuple[Any, ...]

PAGE_SIZES = {1 << power for power in range(9, 17)}
USUAL_PAGE_SIZE = 4096
READING_COLUMNS, SENSOR_COLUMNS = 8, 5

_FILE_HEADER = 100
_LEAF_OF_ROWS = 0x0D
_PAGE_HEADER = Struct(">BHHHB")
_POINTER = Struct(">H")
_REAL = Struct(">d")
_LENGTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}
_NULL, _IS_REAL, _ZERO, _ONE, _BLOB = 0, 7, 8, 9, 12
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
_BEYOND = 1e9
"""No value of a sensor comes near this."""


def page_size(header: bytes) -> int:
    """Return the size in bytes of a file's pages by its first bytes; the usual size if they make no sense."""
    stored = int.from_bytes(header[16:18], "big")
    size = 1 << 16 if stored == 1 else stored
    return size if size in PAGE_SIZES else USUAL_PAGE_SIZE


def rows(page: bytes, *, is_first: bool = False) -> Iterator[Row]:
    """Yield the rows on a page that are readings (eight columns) or descriptions of sensors (five)."""
    start = _FILE_HEADER if is_first else 0
    try:
        kind, _, count, _, _ = _PAGE_HEADER.unpack_from(page, start)
        if kind != _LEAF_OF_ROWS:
            return
        pointers = [_POINTER.unpack_from(page, start + 8 + 2 * number)[0] for number in range(count)]
    except Exception:  # noqa: BLE001 - whatever a damaged page holds
        return
    for pointer in pointers:
        try:
            row = _row(page, pointer)
        except (IndexError, KeyError, ValueError, OverflowError):
            continue
        if _is_reading(row) or _is_sensor(row):
            yield row


def _row(page: bytes, at: int) -> Row:
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
        row.append(_value(kind, page[value_at : value_at + size], size))
        value_at += size
    return tuple(row)


def _value(kind: int, data: bytes, size: int) -> float | str | bytes | None:
    if len(data) != size:
        raise ValueError("it goes beyond the page")
    if kind >= _BLOB:
        return data.decode() if kind % 2 else data
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


def _is_reading(row: Row) -> bool:
    return (
        len(row) == READING_COLUMNS
        and _is_time(row[0])
        and isinstance(row[7], str)
        and all(one is None or (isinstance(one, int | float) and abs(one) < _BEYOND) for one in row[1:7])
    )


def _is_sensor(row: Row) -> bool:
    return (
        len(row) == SENSOR_COLUMNS
        and _is_time(row[0])
        and isinstance(row[1], str)
        and all(one is None or isinstance(one, str) for one in row[2:])
    )


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.match(value) is not None and read_utc(value) is not None
