"""Readings as CSV, JSON lines or Parquet, written batch by batch to an open file.

Ten million readings need no more memory than ten thousand. CSV is for spreadsheets: its times are to the
second, without a zone (local time has the offset in its own column), and a name that a spreadsheet would run
as a formula gets an apostrophe in front. JSON lines and Parquet have every name and microsecond as stored.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from typing import IO, Any, NamedTuple

from ecc_listener.history.query import Row
from ecc_listener.storage.connection import StoreError, utc_us

Write = Callable[[list[Row]], None]

_BATCH_ROWS = 10_000
_BATCHES_IN_A_GROUP = 10  # Small groups make a Parquet file large and slow to read.
_FORMULA = re.compile(r"(^|[;\t])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet takes a text for a formula: at the start of a cell, in many countries also after `;`.

The last four are = + - @ as Chinese and Japanese keyboards write them.
"""


class Units(NamedTuple):
    """How temperatures and times are written: °C or °F, local time or UTC."""

    is_celsius: bool
    is_local: bool


class Columns(NamedTuple):
    """What each reading has: its quantities in some units, and further numbers."""

    units: Units
    fields: tuple[str, ...] = ()
    """The names of the further numbers that any reading has; in JSON lines each reading has its own."""


def export(
    rows: Iterator[Row], name: str, out: IO[bytes], columns: Columns, progress: Callable[[int, str], None]
) -> int:
    """Write readings to `out` in the format `name` (a key of `FORMATS`); return their number.

    `progress` is called after each batch with the number so far and the last reading's UTC time.

    Raises:
        StoreError: the rows can't be read, or a library is missing.
        OSError: `out` can't be written.

    """
    count = 0
    with FORMATS[name](out, columns) as write:
        while batch := list(islice(rows, _BATCH_ROWS)):
            write(batch)
            count += len(batch)
            progress(count, batch[-1].utc)
    out.flush()
    return count


@contextmanager
def _csv(out: IO[bytes], columns: Columns) -> Iterator[Write]:
    times = ["time_local", "utc_offset"] if columns.units.is_local else ["time_utc"]
    names = [*times, *_names(columns.units)]
    out.write(_csv_lines([[*names, *map(harmless, _free_names(columns.fields, names))]]))

    def write(rows: list[Row]) -> None:
        out.write(_csv_lines([_csv_cells(row, columns) for row in rows]))

    yield write


def _csv_lines(rows: list[list[object]] | list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="replace")


def _csv_cells(row: Row, columns: Columns) -> list[object]:
    times: list[object] = [row.utc[:19]]
    if columns.units.is_local:
        local = _moment(row.utc).astimezone()
        times = [f"{local:%Y-%m-%d %H:%M:%S}", local.isoformat()[-6:]]
    values = (harmless(one) if isinstance(one, str) else one for one in _values(row, columns.units))
    return [*times, *values, *_further(row, columns.fields)]


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs: `=HYPERLINK(...)` is a valid sensor name at the broker."""
    return _FORMULA.sub(r"\1'", text)


@contextmanager
def _jsonl(out: IO[bytes], columns: Columns) -> Iterator[Write]:
    units = columns.units
    names = ["time", *_names(units)]

    def write(rows: list[Row]) -> None:
        lines = []
        for row in rows:
            values = dict(zip(names, (_iso(row.utc, units), *_values(row, units)), strict=True))
            if row.values:
                values["values"] = dict(row.values)
            lines.append(json.dumps(values, ensure_ascii=False) + "\n")
        out.write("".join(lines).encode(errors="replace"))

    yield write


@contextmanager
def _parquet(out: IO[bytes], columns: Columns) -> Iterator[Write]:
    units = columns.units
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and only here
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise StoreError(
            "Parquet needs the library pyarrow, which is not installed. Next step: run make venv, then"
            " .venv/bin/pip install pyarrow, and export with .venv/bin/ecc-listener; or use --format csv"
            " or jsonl"
        ) from None
    names = _names(units)
    types = [pa.string(), *[pa.float64()] * 5, pa.int64()]
    fields = [(name, pa.float64()) for name in _free_names(columns.fields, ["time", *names])]
    schema = pa.schema([("time", pa.timestamp("us", "UTC")), *zip(names, types, strict=True), *fields])

    batches: list[pa.RecordBatch] = []
    with parquet.ParquetWriter(out, schema) as writer:

        def write(rows: list[Row]) -> None:
            table = [(utc_us(row.utc), *_values(row, units), *_further(row, columns.fields)) for row in rows]
            arrays = map(pa.array, zip(*table, strict=True), schema.types)
            batches.append(pa.record_batch(list(arrays), schema=schema))
            if len(batches) == _BATCHES_IN_A_GROUP:
                flush()

        def flush() -> None:
            if batches:
                writer.write_table(pa.Table.from_batches(batches))
                batches.clear()

        yield write
        flush()


def _names(units: Units) -> list[str]:
    unit = "c" if units.is_celsius else "f"
    temperatures = [f"temperature_{unit}", "humidity_percent", f"dew_point_{unit}"]
    return ["sensor", *temperatures, "battery_v", "battery_percent", "rssi_dbm"]


def _values(row: Row, units: Units) -> list[Any]:
    temperatures: list[object] = [row.temperature_f, row.dew_point_f]
    if units.is_celsius:
        temperatures = [to_celsius(one) for one in temperatures]
    numbers = [temperatures[0], row.humidity_percent, temperatures[1], *row[4:7]]
    return [row.sensor_name, *map(_number, numbers)]


def _further(row: Row, fields: Sequence[str]) -> list[float | None]:
    values = dict(row.values)
    return [values.get(field) for field in fields]


def _free_names(fields: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the names of further columns; a sensor may give a number the name of another column."""
    return [f"{field}_" if field in taken else field for field in fields]


def to_celsius(fahrenheit: object) -> float | None:
    """Return a temperature in °C with two decimals; None if it is no number."""
    return round((fahrenheit - 32) / 1.8, 2) if isinstance(fahrenheit, int | float) else None


def _number(value: object) -> float | None:
    """Return a finite number, or None: the original stored whatever text a sensor sent."""
    return value if isinstance(value, int | float) and isfinite(value) else None


def _iso(utc: str, units: Units) -> str:
    if units.is_local:
        return _moment(utc).astimezone().isoformat(timespec="microseconds")
    # The original left out the fraction when it was zero.
    return f"{utc[:10]}T{utc[11:19]}{utc[19:] or '.000000'}+00:00"


def _moment(utc: str) -> datetime:
    return datetime.fromisoformat(utc).replace(tzinfo=UTC)


FORMATS: dict[str, Callable[[IO[bytes], Columns], AbstractContextManager[Write]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
