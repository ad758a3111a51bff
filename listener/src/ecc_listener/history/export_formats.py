"""The formats of `ecc-listener export`: each gives a function that writes a portion of readings.

CSV is for spreadsheets, so its times are to the second, without zone (local time has the offset in a column
of its own), and a name that a spreadsheet would run as a formula has an apostrophe in front. JSON lines and
Parquet have every name and microsecond as it is stored.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from math import isfinite
from typing import IO, Any, NamedTuple

from ecc_listener.history.query import Row
from ecc_listener.storage.connection import StoreError, utc_us

Write = Callable[[list[Row]], None]

_BATCHES_IN_A_GROUP = 10  # Small groups make a Parquet file large and slow to read.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Look(NamedTuple):
    """How temperatures and times are given: °C or °F, local or UTC."""

    is_celsius: bool
    is_local: bool


@contextmanager
def _csv(out: IO[bytes], look: Look) -> Iterator[Write]:
    times = ["time_local", "utc_offset"] if look.is_local else ["time_utc"]
    out.write(_csv_lines([[*times, *_names(look)]]))

    def write(rows: list[Row]) -> None:
        out.write(_csv_lines([_csv_cells(row, look) for row in rows]))

    yield write


def _csv_lines(rows: list[list[object]] | list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="replace")


def _csv_cells(row: Row, look: Look) -> list[object]:
    times: list[object] = [row.utc[:19]]
    if look.is_local:
        local = _moment(row.utc).astimezone()
        times = [f"{local:%Y-%m-%d %H:%M:%S}", local.isoformat()[-6:]]
    return [*times, *map(_harmless, _values(row, look))]


def _harmless(value: object) -> object:
    """Keep a text from being a formula: `=HYPERLINK(...)` is a fine name for a sensor at the broker."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


@contextmanager
def _jsonl(out: IO[bytes], look: Look) -> Iterator[Write]:
    names = ["time", *_names(look)]

    def write(rows: list[Row]) -> None:
        lines = []
        for row in rows:
            values = dict(zip(names, (_iso(row.utc, look), *_values(row, look)), strict=True))
            lines.append(json.dumps(values, ensure_ascii=False) + "\n")
        out.write("".join(lines).encode(errors="replace"))

    yield write


@contextmanager
def _parquet(out: IO[bytes], look: Look) -> Iterator[Write]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and only here
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise StoreError(
            "Parquet needs the library pyarrow. Next step: make venv, then .venv/bin/pip install pyarrow, and"
            " export with .venv/bin/ecc-listener; or take --format csv or jsonl"
        ) from None
    names = _names(look)
    types = [pa.string(), *[pa.float64()] * 5, pa.int64()]
    columns = [("time", pa.timestamp("us", "UTC")), *zip(names, types, strict=True)]
    schema = pa.schema(columns)

    batches: list[pa.RecordBatch] = []
    with parquet.ParquetWriter(out, schema) as writer:

        def write(rows: list[Row]) -> None:
            table = [(utc_us(row.utc), *_values(row, look)) for row in rows]
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


def _names(look: Look) -> list[str]:
    unit = "c" if look.is_celsius else "f"
    temperatures = [f"temperature_{unit}", "humidity_percent", f"dew_point_{unit}"]
    return ["sensor", *temperatures, "battery_v", "battery_percent", "rssi_dbm"]


def _values(row: Row, look: Look) -> list[Any]:
    temperatures: list[object] = [row.temperature_f, row.dew_point_f]
    if look.is_celsius:
        temperatures = [_celsius(one) for one in temperatures]
    numbers = [temperatures[0], row.humidity_percent, temperatures[1], *row[4:7]]
    return [row.sensor_name, *map(_number, numbers)]


def _celsius(fahrenheit: object) -> float | None:
    return round((fahrenheit - 32) / 1.8, 2) if isinstance(fahrenheit, int | float) else None


def _number(value: object) -> float | None:
    """Leave out what is no number: the original stored whatever text a sensor sent."""
    return value if isinstance(value, int | float) and isfinite(value) else None


def _iso(utc: str, look: Look) -> str:
    if look.is_local:
        return _moment(utc).astimezone().isoformat(timespec="microseconds")
    # The original left out a fraction of zero.
    return f"{utc[:10]}T{utc[11:19]}{utc[19:] or '.000000'}+00:00"


def _moment(utc: str) -> datetime:
    return datetime.fromisoformat(utc).replace(tzinfo=UTC)


FORMATS: dict[str, Callable[[IO[bytes], Look], AbstractContextManager[Write]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
